"""The sources of training data by the names that configs give them.

A source holds examples by index: dicts of arrays, photographs `[h, w, 3]` in uint8 among them;
see `data.examples`.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any

from deblur_jax.data.checks import check_option
from deblur_jax.data.examples import Source
from deblur_jax.data.frames import Averaging, FrameSource, Transfer
from deblur_jax.data.neighbours import NeighbourSource
from deblur_jax.data.pairs import folder_pairs
from deblur_jax.data.photos import PhotoSource, each_folder, embedded_photos, folder_photos
from deblur_jax.data.segments import SegmentSource, find_segments


def embedded_source(
    *,
    split: str,
    smallest: int,
    in_memory: bool,
    limit: int,
    on_bad: str = "stop",
    folder: str | Sequence[str] = "",
) -> PhotoSource:
    """Returns scikit-image's photographs, as `{"sharp"}`.

    Args:
        split: `train` or `test`.
        smallest: the shortest side in pixels that a photo may have.
        in_memory: whether to keep the decoded photos.
        limit: how many photos to use at most; 0 for all.
        on_bad: "stop" or "skip", see `PhotoSource`.
        folder: not looked at, so that a config can go over to `folder_source` by its name alone.
    """
    del folder
    return PhotoSource(
        _first(embedded_photos(split), limit),
        smallest=smallest,
        in_memory=in_memory,
        on_bad=on_bad,
        any_kind=True,  # some of them are grey
    )


def folder_source(
    *,
    folder: str | Sequence[str],
    smallest: int,
    in_memory: bool,
    limit: int,
    on_bad: str = "stop",
    split: str = "",
) -> PhotoSource:
    """Returns the photographs below one or several folders, as `{"sharp"}`.

    Args:
        folder: where the photos are; several are a tuple, or a text with `:` between them.
        smallest: the shortest side in pixels that a photo may have.
        in_memory: whether to keep the decoded photos.
        limit: how many photos to use at most; 0 for all.
        on_bad: "stop" or "skip", see `PhotoSource`.
        split: not looked at, so that a config can come from `embedded_source` by its name alone.
    """
    del split
    paths = _first(folder_photos(folder), limit)
    return PhotoSource(paths, smallest=smallest, in_memory=in_memory, on_bad=on_bad)


def pair_source(
    *,
    folder: str | Sequence[str],
    smallest: int,
    limit: int,
    on_bad: str,
    neighbours: int = 0,
) -> Source:
    """Returns the pairs below one or several folders, as `data.pairs` reads them.

    Args:
        folder: holds `blur` and `sharp`, and perhaps `flow` and `kernels`; several are a tuple,
            or a text with `:` between them.
        smallest: the shortest side in pixels that an image may have.
        limit: how many pairs to use at most; 0 for all.
        on_bad: "stop" or "skip", see `PairSource`.
        neighbours: 1 for pairs with the one that follows in its video (folder), 2 for pairs with
            the one before as well.
    """
    pairs = folder_pairs(folder, smallest=smallest, limit=limit, on_bad=on_bad)
    return NeighbourSource(pairs, neighbours) if neighbours else pairs


def frame_source(
    *,
    folder: str | Sequence[str],
    counts: Sequence[int],
    fastest: float,
    shrink: int,
    transfer: Transfer,
    flow: bool,
    smallest: int,
    on_bad: str,
) -> FrameSource:
    """Returns pairs averaged of high-speed frames, as `{"blurry", "sharp"}`.

    Args:
        folder: where the videos are, a folder of frames each; several are a tuple, or a text
            with `:` between them.
        counts: see `data.frames.Averaging`, with the four below it.
        fastest: likewise.
        shrink: likewise.
        transfer: likewise.
        flow: likewise; it comes as `flow`.
        smallest: the shortest side in pixels that a picture may have.
        on_bad: "stop" or "skip", see `FrameSource`.
    """
    averaging = Averaging(tuple(counts), fastest, shrink, transfer, flow)
    return FrameSource(each_folder(folder), averaging, smallest=smallest, on_bad=on_bad)


def segment_source(
    *, folder: str, layout: str, split: str, smallest: int, limit: int, on_bad: str
) -> SegmentSource:
    """Returns photographs with their objects, as `{"sharp", "segments"}`, for `simulate.segments`.

    Args:
        folder: where the photos and segmentations are.
        layout: how: "bsds", "ade", "coco" or "labels", see `data.segments`.
        split: as the data set's folders are named: "train", "training", "train2017"; "" for
            "labels".
        smallest: the shortest side in pixels that a photo may have.
        limit: how many photos to use at most; 0 for all.
        on_bad: "stop" or "skip", see `SegmentSource`.
    """
    (root,) = each_folder((folder,))
    files, problems = find_segments(layout, root, split)
    return SegmentSource(_first(files, limit), problems, smallest=smallest, on_bad=on_bad)


def prepared_source(
    dataset: str,
    *,
    data_dir: str,
    variant: str,
    split: str,
    smallest: int,
    limit: int,
    neighbours: int = 0,
) -> Source:
    """Returns the examples of a prepared data set.

    Args:
        dataset: its name.
        data_dir: where it was prepared.
        variant: which of its variants; "" for its first.
        split: such as "train" or "train[:50%]".
        smallest: the shortest side in pixels that an image may have.
        limit: how many examples to use at most; 0 for all.
        neighbours: see `pair_source`.
    """
    # Here, since tfds is needed for nothing else and takes its time to load.
    from deblur_jax.data.builders.registry import open_prepared

    records = open_prepared(dataset, data_dir, variant, split=split, smallest=smallest, limit=limit)
    return NeighbourSource(records, neighbours) if neighbours else records


# `data.builders.registry.BUILDERS` has these names; it is not read here, as it loads tfds.
PREPARED = (
    "ade", "bsds", "cuhk", "dvd", "folders", "gopro", "kohler", "monkaa", "nfs", "realblur", "reds",
)  # fmt: skip

SOURCES: dict[str, Callable[..., Any]] = {
    "embedded": embedded_source,
    "folder": folder_source,
    "frames": frame_source,
    "pairs": pair_source,
    "segments": segment_source,
    **{name: functools.partial(prepared_source, name) for name in PREPARED},
}


def make_source(*, name: str, **options: Any) -> Source:
    """Returns the source that a config names.

    Args:
        name: one of `SOURCES`; those of `PREPARED` are data sets prepared by `tools/prepare.py`.
        **options: the arguments of the function of that name.
    """
    check_option("source.name", name, SOURCES)
    return SOURCES[name](**options)


def _first(things: list, limit: int) -> list:
    return things[:limit] if limit else things
