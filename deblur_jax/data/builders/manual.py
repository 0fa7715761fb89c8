"""The base of the builders: prepares the files of a folder as records with random access.

A builder finds the files of each example. The base class checks them (sizes, channels, damaged
files), rotates photos upright, and writes array_record files, which grain reads by index. It needs
neither a network connection nor TensorFlow.
"""

import dataclasses
import hashlib
from pathlib import Path
from typing import Any

import tensorflow_datasets as tfds

from deblur_jax.data.builders.fields import PAIR, Field
from deblur_jax.data.checks import ON_BAD, describe_size, inspect_all, report_problems
from deblur_jax.data.segments import match_segments
from deblur_jax.io.folders import is_hidden, list_files


@dataclasses.dataclass(frozen=True)
class ExampleFiles:
    """An example's name, and its files by the name of the field."""

    name: str
    files: dict[str, Any]


class ManualBuilder(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    """Prepares a data set from a folder.

    A subclass for a data set sets the class attributes and defines `find`.

    Attributes:
        VARIANTS: variants of the data set that the same files contain; the first is the default.
        HOME: address of the data set's page.
        LAYOUT: description of the files that the folder must contain, for a message.
        source: folder with the downloaded files.
        variant: one of `VARIANTS`.
        problems: a message for each file that `find` cannot use.
    """

    VERSION = tfds.core.Version("1.0.0")
    code_path: Any = None  # keeps tfds from looking for checksums, which needs another package
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
        """Finds the files; `download_and_prepare` reads them.

        Args:
            source: folder with the downloaded files.
            data_dir: folder of prepared data sets. The name of a data set's folder depends on its
                source files, so that changed files are prepared again.
            variant: one of `VARIANTS`, the first if None.
            on_bad: "stop" or "skip", see `data.checks.report_problems`.

        Raises:
            FileNotFoundError: if files are missing; the message says where to download them and
                where to place them.
            ValueError: if an option is unknown.
        """
        variant = variant or self.VARIANTS[0]
        for name, value, known in (
            ("variant", variant, self.VARIANTS),
            ("on_bad", on_bad, ON_BAD),
        ):
            if value not in known:
                raise ValueError(f"{name} must be one of {sorted(known)}, got {value!r}")
        self.source: Path = Path(source)
        self.variant: str = variant
        self.on_bad: str = on_bad
        self.problems: list[str] = []
        self.splits_found: dict[str, list[ExampleFiles]] = {
            split: found for split, found in self.find().items() if found
        }
        if not self.splits_found and not self.problems:
            raise FileNotFoundError(
                f"{self.source}: no files of {type(self).__name__}; download them from {self.HOME} "
                f"and place {self.LAYOUT}"
            )
        label = f"{variant}-{on_bad}-{self._digest()}"
        config = tfds.core.BuilderConfig(name=label, description=f"{variant} of {self.source.name}")
        super().__init__(data_dir=str(data_dir), config=config, file_format="array_record")

    def find(self) -> dict[str, list[ExampleFiles]]:
        """Returns the examples of each split; appends to `problems` for files it cannot use."""
        raise NotImplementedError

    def segmented(self, layout: str, split: str, field: str) -> list[ExampleFiles]:
        """Returns photos with segmentations; appends to `problems` for files without a partner.

        Args:
            layout: see `data.segments`.
            split: name of the split's folder.
            field: field of the segmentations.
        """
        found, problems = match_segments(layout, self.source, split)
        self.problems += problems
        return [
            ExampleFiles(files.photo.stem, {"sharp": files.photo, field: files.truth})
            for files in found
        ]

    def fields(self) -> dict[str, Field]:
        """Returns the fields of an example; the default is a blurry and a sharp image."""
        return PAIR

    def wanted(self, record: dict[str, Any]) -> bool:
        """Returns whether the data set keeps an example; the default keeps all of them."""
        del record
        return True

    def _digest(self) -> str:
        """Returns a hash of the files' names, sizes and modification times."""
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
        """Checks every file, so that all problems are known before anything is written."""
        del dl_manager
        problems, good = list(self.problems), {}
        for split, examples in self.splits_found.items():
            inspected, bad = inspect_all(examples, self._check)
            problems += bad
            good[split] = [example for example, wanted in inspected if wanted]
        kept = sum(map(len, good.values()))
        skipped = report_problems(problems, kept, things="files", on_bad=self.on_bad)
        metadata: Any = self.info.metadata
        metadata["skipped"] = list(skipped)
        return {split: self._generate_examples(found) for split, found in good.items() if found}

    def _check(self, example: ExampleFiles) -> bool:
        # The record is discarded: those of a data set do not fit into memory.
        return self.wanted(self._record(example))

    def _generate_examples(self, examples: list[ExampleFiles]):
        return ((example.name, self._record(example)) for example in examples)

    def _record(self, example: ExampleFiles) -> dict[str, Any]:
        record, first, size = {"id": example.name}, None, None
        for name, field in self.fields().items():
            files = example.files[name]
            record[name], found = field.read(files)
            if found is None:
                continue
            if size is None:
                first, size = files, found
            if found != size:
                raise ValueError(
                    f"{files}: {describe_size(found)}, expected {describe_size(size)} as in {first}"
                )
        return record


def _stamp(path: Path) -> str:
    if not path.exists():
        return f"{path.name} is missing"
    found = path.stat()
    return f"{path.name} {found.st_size} {found.st_mtime_ns}"


def sibling_files(folder: Path, name: str, *fields: tuple[str, str]) -> list[ExampleFiles]:
    """Returns an example for each file name in one of several sibling folders.

    Args:
        folder: parent of the sibling folders.
        name: prefix of the examples' names.
        *fields: pairs of a field and the folder of its files. A file that only one folder has is
            an example, too, so that reading it reports the missing file.
    """
    names = sorted(
        {
            path.name
            for _, place in fields
            for path in list_files(folder / place, (".png", ".jpg", ".jpeg"), deep=False).files
        }
    )
    return [
        ExampleFiles(
            f"{name}/{Path(file).stem}", {field: folder / place / file for field, place in fields}
        )
        for file in names
    ]


def subfolders(root: Path) -> list[Path]:
    """Returns the visible folders in `root`, sorted by name; none if `root` does not exist."""
    return sorted(path for path in root.glob("*") if path.is_dir() and not is_hidden(path))
