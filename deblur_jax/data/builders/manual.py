"""What the builders share: files in a folder become records that are read by index.

A builder says where each example's files are. Here they are checked (a size that differs, a grey
image, a file cut short: all are named), turned upright and written to array_record, which grain
reads at random. No network and no TensorFlow is used.
"""

import dataclasses
import hashlib
from pathlib import Path
from typing import Any

import tensorflow_datasets as tfds

from deblur_jax.data.builders.fields import PAIR, Field, in_words
from deblur_jax.data.checks import ON_BAD, look_at_all, settle
from deblur_jax.data.segments import match_segments


@dataclasses.dataclass(frozen=True)
class Example:
    """The files of one example by the name of the field, and a name for it."""

    name: str
    files: dict[str, Any]


class ManualBuilder(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    """Prepares a data set from a folder.

    A data set's own builder sets the attributes below and defines `find`.

    Attributes:
        VARIANTS: what can be prepared from the same files; the first is the default.
        HOME: the public page where the files are to be had.
        LAYOUT: what the folder must hold, as words for a message.
        source: the folder.
        variant: one of `VARIANTS`.
        problems: one line for each file that `find` could not make an example of.
    """

    VERSION = tfds.core.Version("1.0.0")
    code_path: Any = None  # tfds looks for checksums there, by a package that it does not require
    VARIANTS: tuple[str, ...] = ("all",)
    HOME: str
    LAYOUT: str

    def __init__(
        self,
        source: str | Path,
        data_dir: str | Path,
        *,
        variant: str | None = None,
        on_bad: str = "stop",
    ):
        """Looks at which files there are; `download_and_prepare` reads them.

        Args:
            source: the folder with the downloaded files.
            data_dir: where the records go, in a folder that is named after the files that they
                were made of: changed files are prepared anew.
            variant: one of `VARIANTS`, the first if None.
            on_bad: "stop" refuses the data set, with a list of all that is wrong; "skip" leaves
                bad examples out and writes how many, and which, to standard error.

        Raises:
            FileNotFoundError: if files are missing, with where to get them and put them.
            ValueError: if an option is unknown.
        """
        variant = variant or self.VARIANTS[0]
        for name, value, known in (
            ("variant", variant, self.VARIANTS),
            ("on_bad", on_bad, ON_BAD),
        ):
            if value not in known:
                raise ValueError(f"{name} must be one of {sorted(known)}, got {value!r}")
        self.source, self.variant, self.on_bad = Path(source), variant, on_bad
        self.problems: list[str] = []
        self.splits_found = {split: found for split, found in self.find().items() if found}
        if not self.splits_found and not self.problems:
            raise FileNotFoundError(
                f"{self.source}: {type(self).__name__} is not there; download it from {self.HOME} "
                f"and place {self.LAYOUT}"
            )
        label = f"{variant}-{on_bad}-{self._digest()}"
        config = tfds.core.BuilderConfig(name=label, description=f"{variant} of {self.source.name}")
        super().__init__(data_dir=str(data_dir), config=config, file_format="array_record")

    def find(self) -> dict[str, list[Example]]:
        """Returns the examples of each split; adds to `problems` what cannot be one."""
        raise NotImplementedError

    def outlined(self, layout: str, split: str, field: str) -> list[Example]:
        """Returns photos and what outlines their objects; adds to `problems` what has no partner.

        Args:
            layout: see `data.segments`.
            split: as the data set names it.
            field: of the outlines.
        """
        found, problems = match_segments(layout, self.source, split)
        self.problems += problems
        return [
            Example(files.photo.stem, {"sharp": files.photo, field: files.truth}) for files in found
        ]

    def fields(self) -> dict[str, Field]:
        """Returns what an example holds; a blurry and a sharp image unless said otherwise."""
        return PAIR

    def _digest(self) -> str:
        """Names the files by their places, sizes and times of change."""
        digest = hashlib.sha256("\n".join(self.problems).encode())
        for split, examples in self.splits_found.items():
            for example in examples:
                for files in example.files.values():
                    for path in files if isinstance(files, list) else [files]:
                        digest.update(f"{split}/{example.name} {_stamp(path)}\n".encode())
        return digest.hexdigest()[:12]

    def _info(self) -> tfds.core.DatasetInfo:
        features = {name: field.feature() for name, field in self.fields().items()}
        return tfds.core.DatasetInfo(
            builder=self,
            description=f"{type(self).__name__}, {self.variant}",
            homepage=self.HOME,
            features=tfds.features.FeaturesDict({**features, "id": tfds.features.Text()}),
            metadata=tfds.core.MetadataDict(skipped=[]),
        )

    def _split_generators(self, dl_manager: Any) -> dict[str, Any]:
        """Looks at every file, so that nothing is written before all that is wrong is known."""
        del dl_manager
        problems, good = list(self.problems), {}
        for split, examples in self.splits_found.items():
            looks, found = look_at_all(examples, self._look)
            problems += found
            good[split] = [example for example, _ in looks]
        kept = sum(map(len, good.values()))
        skipped = settle(problems, kept, things="files", on_bad=self.on_bad)
        metadata: Any = self.info.metadata
        metadata["skipped"] = list(skipped)
        return {split: self._generate_examples(found) for split, found in good.items() if found}

    def _look(self, example: Example) -> None:
        self._record(example)  # and forget it: all of a data set's would not fit in memory

    def _generate_examples(self, examples: list[Example]):
        return ((example.name, self._record(example)) for example in examples)

    def _record(self, example: Example) -> dict[str, Any]:
        record, first, size = {"id": example.name}, None, None
        for name, field in self.fields().items():
            files = example.files[name]
            record[name], found = field.read(files)
            if found is not None and size is None:
                first, size = files, found
            if found not in (None, size):
                raise ValueError(
                    f"{files}: {in_words(found)}, expected {in_words(size)} as in {first}"
                )
        return record


def _stamp(path: Path) -> str:
    if not path.exists():
        return f"{path.name} is missing"
    found = path.stat()
    return f"{path.name} {found.st_size} {found.st_mtime_ns}"


def partners(folder: Path, name: str, *fields: tuple[str, str]) -> list[Example]:
    """Returns an example for each file of the first of sibling folders, and of the others.

    Args:
        folder: holds the sibling folders.
        name: goes before the file's name in the example's.
        *fields: pairs of a field and the folder of its files. A file that only one folder has is
            an example too, so that the missing one is named when it is read.
    """
    names = sorted(
        {
            path.name
            for _, place in fields
            for path in (folder / place).glob("*")
            if path.suffix.lower() in (".png", ".jpg", ".jpeg")
        }
    )
    return [
        Example(
            f"{name}/{Path(file).stem}", {field: folder / place / file for field, place in fields}
        )
        for file in names
    ]


def folders(root: Path) -> list[Path]:
    """Returns the folders in `root` sorted by name, none if there is no `root`."""
    return sorted(path for path in root.glob("*") if path.is_dir())
