"""The examples of a prepared data set, by index."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow_datasets as tfds
from PIL import Image

from deblur_jax.data.checks import describe_size, report_problems
from deblur_jax.data.examples import PICTURES, NumpyExample


class PreparedSource:
    """The examples of a prepared data set by index, as NumPy arrays by name.

    Attributes:
        skipped: a message for each file that was skipped when the data set was prepared.
    """

    def __init__(self, folder: str | Path, split: str, *, smallest: int = 1, limit: int = 0):
        """Opens a split.

        Args:
            folder: folder returned by `prepare`; the downloaded files are not needed.
            split: name of a split or a part of it, such as "train[:50%]".
            smallest: smallest accepted side of an image in pixels.
            limit: largest number of examples; 0 for all.

        Raises:
            ValueError: if the split does not exist, or images are too small; the message lists
                them.
        """
        # Not the builder that wrote the records: it cannot be pickled for worker processes.
        builder = tfds.builder_from_directory(str(folder))
        whole = split.partition("[")[0]
        if whole not in builder.info.splits:
            known = sorted(builder.info.splits)
            raise ValueError(f"{folder}: source.split must be one of {known}, got {split!r}")
        features: Any = builder.info.features
        open_split: Any = builder.as_data_source
        self._records = open_split(split=split)
        self._raw = open_split(
            split=split,
            decoders={
                name: tfds.decode.SkipDecoding()
                for name in features
                if name in PICTURES and name != "frames"
            },
        )
        self._count = min(limit or len(self._records), len(self._records))
        metadata = tfds.core.MetadataDict()
        metadata.load_metadata(str(folder))
        self.skipped: tuple[str, ...] = tuple(metadata["skipped"])
        if smallest > 1:
            problems = [line for i in range(len(self)) if (line := self._too_small(i, smallest))]
            report_problems(problems, len(self), things="examples", on_bad="stop")

    def _too_small(self, index: int, smallest: int) -> str | None:
        """Returns a message if the picture is too small; reads its header only."""
        example = self._raw[index]
        picture = next((example[name] for name in PICTURES if name in example), None)
        if not isinstance(picture, bytes):
            return None
        with Image.open(io.BytesIO(picture)) as image:
            if min(image.size) >= smallest:
                return None
            size = describe_size((image.height, image.width))
        return f"{example['id'].decode()}: {size}, expected at least {smallest} a side"

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> NumpyExample:
        example = self._records[index]
        # tfds returns sequences of pictures as lists.
        return {name: np.asarray(array) for name, array in example.items() if name != "id"}

    def name(self, index: int) -> str:
        """Returns the name of an example, from its files."""
        return self._raw[index]["id"].decode()
