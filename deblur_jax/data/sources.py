"""Sources of training data by the names used in configs.

A source returns examples by index: dictionaries of arrays, see `data.examples`.
"""

import inspect
from collections.abc import Callable, Sequence
from typing import Any

from deblur_jax.data.checks import check_option
from deblur_jax.data.examples import Source
from deblur_jax.data.frames import Averaging, FrameSource
from deblur_jax.data.neighbours import NeighbourSource
from deblur_jax.data.pairs import folder_pairs
from deblur_jax.data.photos import PhotoSource, each_folder, embedded_photos, folder_photos
from deblur_jax.data.segments import SegmentSource, find_segments
from deblur_jax.transfer import Transfer


def embedded_source(
    *,
    split: str,
    smallest: int,
    in_memory: bool = False,
    limit: int = 0,
    on_bad: str = "stop",
) -> PhotoSource:
    """Returns scikit-image's photographs, as `{"sharp"}`.

    Args:
        split: `train` or `test`.
        smallest: smallest accepted side of a photo in pixels.
        in_memory: whether to keep the decoded photos.
        limit: how many photos to use at most; 0 for all.
        on_bad: "stop" or "skip", see `PhotoSource`.
    """
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
    in_memory: bool = False,
    limit: int = 0,
    on_bad: str = "stop",
) -> PhotoSource:
    """Returns the photographs below one or several folders, as `{"sharp"}`.

    Args:
        folder: folder of photos; several are a tuple, or a text separated by `:`.
        smallest: smallest accepted side of a photo in pixels.
        in_memory: whether to keep the decoded photos.
        limit: how many photos to use at most; 0 for all.
        on_bad: "stop" or "skip", see `PhotoSource`.
    """
    paths = _first(folder_photos(folder), limit)
    return PhotoSource(paths, smallest=smallest, in_memory=in_memory, on_bad=on_bad)


def pair_source(
    *,
    folder: str | Sequence[str],
    smallest: int,
    limit: int = 0,
    on_bad: str = "stop",
    neighbours: int = 0,
) -> Source:
    """Returns the pairs below one or several folders, see `data.pairs`.

    Args:
        folder: folder with `blur` and `sharp`, and optionally `flow` and `kernels`; several are a
            tuple, or a text separated by `:`.
        smallest: smallest accepted side of an image in pixels.
        limit: largest number of pairs; 0 for all.
        on_bad: "stop" or "skip", see `data.checks.report_problems`.
        neighbours: 1 to add the next frame of the video (folder) to each pair, 2 to add the next
            and the previous one.
    """
    pairs = folder_pairs(folder, smallest=smallest, limit=limit, on_bad=on_bad)
    return NeighbourSource(pairs, neighbours) if neighbours else pairs


def frame_source(
    *,
    folder: str | Sequence[str],
    smallest: int,
    counts: Sequence[int] = tuple(range(7, 24, 2)),
    fastest: float = 1.0,
    shrink: int = 3,
    transfer: Transfer = "linear",
    flow: bool = False,
    on_bad: str = "stop",
) -> FrameSource:
    """Returns pairs averaged from high-speed frames, as `{"blurry", "sharp"}`.

    Args:
        folder: where the videos are, a folder of frames each; several are a tuple, or a text
            with `:` between them.
        smallest: the shortest side in pixels that a picture may have.
        counts: how many frames are averaged, see `data.frames.Averaging`; the default of this and
            of the next three are those of Noroozi et al.
        fastest: see `data.frames.Averaging`.
        shrink: see `data.frames.Averaging`.
        transfer: see `data.frames.Averaging`.
        flow: whether examples have a `flow`, see `data.frames.Averaging`.
        on_bad: "stop" or "skip", see `FrameSource`.
    """
    averaging = Averaging(tuple(counts), fastest, shrink, transfer, flow)
    return FrameSource(each_folder(folder), averaging, smallest=smallest, on_bad=on_bad)


def segment_source(
    *,
    folder: str,
    split: str,
    smallest: int,
    layout: str = "ade",
    limit: int = 0,
    on_bad: str = "stop",
) -> SegmentSource:
    """Returns photographs with segments, as `{"sharp", "segments"}`, for `simulate.segments`.

    Args:
        folder: where the photos and segmentations are.
        split: as the data set's folders are named: "train", "training", "train2017"; "" for
            "labels".
        smallest: the shortest side in pixels that a photo may have.
        layout: of the folder: "bsds", "ade", "coco" or "labels", see `data.segments`.
        limit: how many photos to use at most; 0 for all.
        on_bad: "stop" or "skip", see `SegmentSource`.
    """
    (root,) = each_folder((folder,))
    files, problems = find_segments(layout, root, split)
    return SegmentSource(_first(files, limit), problems, smallest=smallest, on_bad=on_bad)


def prepared_source(
    dataset: str,
    *,
    folder: str,
    split: str,
    smallest: int,
    limit: int = 0,
    neighbours: int = 0,
) -> Source:
    """Return the examples of a data set that `tools/prepare.py` prepared.

    Args:
        dataset: its name, such as "gopro", or its name and one of its variants, "gopro/blur".
        folder: where it was prepared, the `--data-dir` of `tools/prepare.py`.
        split: such as "train" or "train[:50%]".
        smallest: the shortest side in pixels that an image may have.
        limit: how many examples to use at most; 0 for all.
        neighbours: see `pair_source`.
    """
    # Imported here: only prepared data sets need tfds, which takes long to load.
    from deblur_jax.data.builders.registry import open_prepared

    if not folder:
        raise ValueError(f"source.folder is empty; give a folder where {dataset} was prepared")
    name, _, variant = dataset.partition("/")
    records = open_prepared(name, folder, variant, split=split, smallest=smallest, limit=limit)
    return NeighbourSource(records, neighbours) if neighbours else records


# The names of `data.builders.registry.BUILDERS`, whose import would load tfds.
PREPARED = (
    "ade", "bsds", "cuhk", "dvd", "folders", "gopro", "kohler", "monkaa", "nfs", "realblur", "reds",
)  # fmt: skip

SOURCES: dict[str, Callable[..., Any]] = {
    "embedded": embedded_source,
    "folder": folder_source,
    "frames": frame_source,
    "pairs": pair_source,
    "segments": segment_source,
    **dict.fromkeys(PREPARED, prepared_source),
}


def make_source(*, name: str, **options: Any) -> Source:
    """Return the source that a config names.

    A config that names another source keeps its other fields: those that the other source does not
    take, such as `in_memory` of a prepared data set, have no effect.

    Args:
        name: one of `SOURCES`; those of `PREPARED` are data sets that `tools/prepare.py` prepared,
            with an optional variant, as in "gopro/blur".
        **options: the arguments of the function of that name.

    Raises:
        TypeError: if no source takes one of the options, or one is missing.
    """
    kind = name.partition("/")[0] if name.partition("/")[0] in PREPARED else name
    check_option("source.name", kind, SOURCES)
    known = {field for each in SOURCES.values() for field in inspect.signature(each).parameters}
    taken = inspect.signature(SOURCES[kind]).parameters
    options = {field: x for field, x in options.items() if field in taken or field not in known}
    return SOURCES[kind](*[name] if kind in PREPARED else [], **options)


def _first(items: list, limit: int) -> list:
    return items[:limit] if limit else items
