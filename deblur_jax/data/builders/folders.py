"""A user's own pairs in `blur/` and `sharp/`, optionally with `flow/` and `kernels/`."""

from deblur_jax.data.builders.fields import FLOW, IMAGE, KERNELS, Field
from deblur_jax.data.builders.manual import ExampleFiles, ManualBuilder
from deblur_jax.data.pairs import match_folders


FIELDS = {"blurry": IMAGE, "sharp": IMAGE, "flow": FLOW, "kernels": KERNELS}


class Folders(ManualBuilder):
    """The pairs of `data.pairs` in record files, which are faster on network drives.

    The splits are the folders `train`, `val` and `test` if they exist; otherwise all pairs are
    "train".
    """

    HOME: str = "wherever your pairs are"
    LAYOUT: str = (
        "blurry and sharp images of the same names in blur/ and sharp/, here or in each of "
        "train/, val/ and test/"
    )

    def fields(self) -> dict[str, Field]:
        """Returns the fields that the files provide."""
        return {name: FIELDS[name] for name in self._kinds}

    def find(self) -> dict[str, list[ExampleFiles]]:
        """Returns the pairs; a file without a partner is a problem."""
        present = [name for name in ("train", "val", "test") if (self.source / name).is_dir()]
        places = {name: self.source / name for name in present} or {"train": self.source}
        splits, self._kinds = {}, ("blurry", "sharp")
        for split, place in places.items():
            if not (place / "blur").is_dir():
                continue
            pairs, problems = match_folders(place)
            self.problems.extend(problems)
            splits[split] = []
            for pair in pairs:
                files = {name: path for name, path in vars(pair).items() if path is not None}
                name = pair.blurry.relative_to(place / "blur").with_suffix("").as_posix()
                splits[split].append(ExampleFiles(name, files))
                self._kinds = tuple(files)
        return splits
