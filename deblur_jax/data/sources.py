"""Sources of training data by the names used in configs.

A source returns examples by index: dictionaries of arrays, see `data.examples`.
"""

import functools
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
    in_memory: bool,
    limit: int,
    on_bad: str = "stop",
    folder: str | Sequence[str] = "",
) -> PhotoSource:
    """Returns scikit-image's photographs, as `{"sharp"}`.

    Args:
        split: `train` or `test`.
        smallest: smallest accepted side of a photo in pixels.
        in_memory: whether to keep the decoded photos.
        limit: largest number of photos; 0 for all.
        on_bad: "stop" or "skip", see `data.checks.report_problems`.
        folder: ignored, so that a config can switch to `folder_source` by changing the name.
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
        folder: folder of photos; several are a tuple, or a text separated by `:`.
        smallest: smallest accepted side of a photo in pixels.
        in_memory: whether to keep the decoded photos.
        limit: largest number of photos; 0 for all.
        on_bad: "stop" or "skip", see `data.checks.report_problems`.
        split: ignored, so that a config can switch from `embedded_source` by changing the name.
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
    counts: Sequence[int],
    fastest: float,
    shrink: int,
    transfer: Transfer,
    flow: bool,
    smallest: int,
    on_bad: str,
) -> FrameSource:
    """Returns pairs averaged from high-speed frames, as `{"blurry", "sharp"}`.

    Args:
        folder: folder of videos, each of which is a folder of frames; several are a tuple, or a
            text separated by `:`.
        counts: see `data.frames.Averaging`.
        fastest: see `data.frames.Averaging`.
        shrink: see `data.frames.Averaging`.
        transfer: see `data.frames.Averaging`.
        flow: whether to add `flow` and `backward_flow`, see `data.frames.Averaging`.
        smallest: smallest accepted side of a picture in pixels.
        on_bad: "stop" or "skip", see `data.checks.report_problems`.
    """
    averaging = Averaging(tuple(counts), fastest, shrink, transfer, flow)
    return FrameSource(each_folder(folder), averaging, smallest=smallest, on_bad=on_bad)


def segment_source(
    *, folder: str, layout: str, split: str, smallest: int, limit: int, on_bad: str
) -> SegmentSource:
    """Returns photographs with segments, as `{"sharp", "segments"}`, for `simulate.segments`.

    Args:
        folder: folder of photos and segmentations.
        layout: layout of the folder: "bsds", "ade", "coco" or "labels", see `data.segments`.
        split: name of the split's folder, such as "train", "training" or "train2017"; "" for
            "labels".
        smallest: smallest accepted side of a photo in pixels.
        limit: largest number of photos; 0 for all.
        on_bad: "stop" or "skip", see `data.checks.report_problems`.
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
        dataset: name of the data set.
        data_dir: folder of prepared data sets.
        variant: variant of the data set; "" for the first.
        split: name of a split or a part of it, such as "train[:50%]".
        smallest: smallest accepted side of an image in pixels.
        limit: largest number of examples; 0 for all.
        neighbours: see `pair_source`.
    """
    # Imported here, since tfds is slow to import and only needed for prepared data sets.
    from deblur_jax.data.builders.registry import open_prepared

    records = open_prepared(dataset, data_dir, variant, split=split, smallest=smallest, limit=limit)
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
    **{name: functools.partial(prepared_source, name) for name in PREPARED},
}


def make_source(*, name: str, **options: Any) -> Source:
    """Returns the source called `name`.

    Args:
        name: one of `SOURCES`; those of `PREPARED` are data sets prepared by `tools/prepare.py`.
        **options: arguments of the source's function.
    """
    check_option("source.name", name, SOURCES)
    return SOURCES[name](**options)


def _first(items: list, limit: int) -> list:
    return items[:limit] if limit else items
