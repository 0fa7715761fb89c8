"""Any pairs: `blur/` and `sharp/`, with `flow/` and `kernels/` if there are any."""

from deblur_jax.data.builders.fields import FLOW, IMAGE, KERNELS, Field
from deblur_jax.data.builders.manual import Example, ManualBuilder
from deblur_jax.data.pairs import match_folders


FIELDS = {"blurry": IMAGE, "sharp": IMAGE, "flow": FLOW, "kernels": KERNELS}


class Folders(ManualBuilder):
    """Pairs as `data.pairs` reads them, in records, which suits network drives better.

    The splits are the folders `train`, `val` and `test` if they exist; else all is "train".
    """

    HOME = "wherever your pairs are"
    LAYOUT = (
        "blurry and sharp images of the same names in blur/ and sharp/, here or in each of "
        "train/, val/ and test/"
    )

    def fields(self) -> dict[str, Field]:
        """Returns those fields that the files have."""
        return {name: FIELDS[name] for name in self._kinds}

    def find(self) -> dict[str, list[Example]]:
        """Returns the pairs; a file without a partner is a problem."""
        present = [name for name in ("train", "val", "test") if (self.source / name).is_dir()]
        places = {name: self.source / name for name in present} or {"train": self.source}
        splits, self._kinds = {}, ("blurry", "sharp")
        for split, place in places.items():
            if not (place / "blur").is_dir():
                continue
            pairs, problems = match_folders(place)
            self.problems += problems
            splits[split] = []
            for pair in pairs:
                files = {name: path for name, path in vars(pair).items() if path is not None}
                name = pair.blurry.relative_to(place / "blur").with_suffix("").as_posix()
                splits[split].append(Example(name, files))
                self._kinds = tuple(files)
        return splits
