"""Blurry and sharp images of the same scenes, from plain folders, by index.

    FOLDER/blur/NAME.png      FOLDER/sharp/NAME.jpg
    FOLDER/flow/NAME.flo      FOLDER/kernels/NAME.npy      both optional

Files are matched by their path below these folders, without its ending. `flow` and `kernels`, where
they exist, must have a file for every pair. Kernels are correlation kernels, one `[s, s]` or
several `[k, s, s]` with odd `s`.
"""

import collections
import dataclasses
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from deblur_jax.data.checks import (
    check_side,
    describe_size,
    find_files,
    inspect_all,
    report_problems,
)
from deblur_jax.data.examples import NumpyExample
from deblur_jax.data.photos import each_folder
from deblur_jax.io import flow, images
from deblur_jax.io.flow import read_flow
from deblur_jax.io.images import read_rgb


KINDS = {  # folder -> the endings of its files
    "blur": images.SUFFIXES,
    "sharp": images.SUFFIXES,
    "flow": flow.SUFFIXES,
    "kernels": (".npy",),
}


@dataclasses.dataclass(frozen=True)
class PairFiles:
    """The files of one pair: `blurry` and `sharp`, and `flow` and `kernels` or None."""

    blurry: Path
    sharp: Path
    flow: Path | None = None
    kernels: Path | None = None

    def __str__(self) -> str:
        return str(self.blurry)


def read_pair(files: PairFiles) -> NumpyExample:
    """Reads the files of one pair.

    Returns:
        `blurry` and `sharp`, `[h, w, 3]` uint8; `flow`, `[h, w, 2]` float32, and `kernels`,
        `[k, s, s]` float32, if there are files for them.

    Raises:
        FileNotFoundError: if a file does not exist.
        ValueError: if a file cannot be used, or its size differs from that of `blurry`.
    """
    pair = {"blurry": read_rgb(files.blurry), "sharp": read_rgb(files.sharp)}
    if files.flow is not None:
        pair["flow"] = read_flow(files.flow)
    for name, array in pair.items():
        if array.shape[:2] != pair["blurry"].shape[:2]:
            raise ValueError(
                f"{getattr(files, name)}: {describe_size(array.shape)}, expected "
                f"{describe_size(pair['blurry'].shape)} as in {files.blurry}"
            )
    if files.kernels is not None:
        pair["kernels"] = read_kernels(files.kernels)
    return pair


def read_kernels(path: Path) -> np.ndarray:
    """Reads kernels of odd side from a .npy file and returns them as `[k, s, s]` float32.

    Raises:
        ValueError: if the file is damaged, or its array has another shape or NaN.
    """
    try:
        kernel = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise ValueError(f"{path}: not a NumPy array ({error}); copy it again") from None
    square = kernel.ndim in (2, 3) and kernel.shape[-1] == kernel.shape[-2]
    if not square or kernel.shape[-1] % 2 == 0 or kernel.dtype.kind not in "fiu":
        raise ValueError(
            f"{path}: {kernel.dtype}{list(kernel.shape)}, expected real numbers [s, s] or "
            "[k, s, s] with odd s"
        )
    if not np.isfinite(kernel).all():
        raise ValueError(f"{path}: the kernel has NaN or infinite values; fix or remove the file")
    return kernel.astype(np.float32).reshape(-1, *kernel.shape[-2:])


def match_folders(folder: str | Path) -> tuple[list[PairFiles], list[str]]:
    """Finds the pairs below `folder`, sorted by name, and the files without a partner.

    Returns:
        The pairs, and a message for every file that is not part of a pair.

    Raises:
        FileNotFoundError: if `folder`, or `blur` or `sharp` in it, does not exist.
        ValueError: if `blur` and `sharp` have no images.
    """
    root = Path(folder)
    for needed in (root, root / "blur", root / "sharp"):
        if not needed.is_dir():
            raise FileNotFoundError(
                f"{needed}: no such folder; a folder of pairs must have blur/ and sharp/"
            )
    kinds = [kind for kind in KINDS if (root / kind).is_dir()]
    found, problems = {}, []
    for kind in kinds:
        found[kind], duplicates = _by_name(root / kind, KINDS[kind])
        problems += duplicates
    names = sorted(set().union(*found.values()))
    if not names:
        raise ValueError(
            f"{root}: no images in blur/ and sharp/; expected files ending in "
            f"{', '.join(images.SUFFIXES)}"
        )
    pairs = []
    for name in names:
        files = {kind: found[kind][name] for kind in kinds if name in found[kind]}
        missing = [kind for kind in kinds if kind not in files]
        if missing:
            places = " and ".join(f"{root / kind / name}.*" for kind in missing)
            problems.append(f"{next(iter(files.values()))}: no matching {places}")
        else:
            pair = PairFiles(files["blur"], files["sharp"], files.get("flow"), files.get("kernels"))
            pairs.append(pair)
    return pairs, problems


def _by_name(root: Path, suffixes: tuple[str, ...]) -> tuple[dict[str, Path], list[str]]:
    """Returns files by their path without its ending, and a message for each duplicate."""
    found, problems = {}, []
    for path in find_files(root, suffixes):
        name = path.relative_to(root).with_suffix("").as_posix()
        if name in found:
            problems.append(f"{path}: {found[name]} has the same name; remove one of them")
        else:
            found[name] = path
    return found, problems


class PairSource:
    """Pairs by index: `source[i]` is the result of `read_pair`.

    Every file is decoded once at the start, so that bad files are reported before the run begins.

    Attributes:
        pairs: the files of the good pairs.
        skipped: a message for each skipped pair.
    """

    def __init__(
        self,
        pairs: Iterable[PairFiles],
        *,
        smallest: int,
        on_bad: str = "stop",
        problems: Sequence[str] = (),
    ):
        """Reads every pair; raises an error for bad ones, or skips them.

        Args:
            pairs: the files.
            smallest: smallest accepted side of an image in pixels.
            on_bad: "stop" or "skip", see `data.checks.report_problems`.
            problems: messages of problems found before.

        Raises:
            ValueError: one message that lists every problem; also if no pair is left.
        """

        def inspect(files: PairFiles) -> Form:
            pair = read_pair(files)
            check_side(pair["blurry"], smallest, files.blurry)
            return "flow" in pair, pair["kernels"].shape if "kernels" in pair else ()

        good, bad = inspect_all(list(pairs), inspect)
        good, deviating = _majority_form(good)
        self.pairs: tuple[PairFiles, ...] = tuple(files for files, _ in good)
        self.skipped: tuple[str, ...] = report_problems(
            [*problems, *bad, *deviating], len(self.pairs), things="pairs", on_bad=on_bad
        )
        if not self.pairs:
            raise ValueError("no pairs found; give a folder with files in blur/ and sharp/")

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, index: int) -> NumpyExample:
        return read_pair(self.pairs[index])

    def name(self, index: int) -> str:
        """Returns the name of a pair: the path of its blurry image without the ending."""
        return self.pairs[index].blurry.with_suffix("").as_posix()


Form = tuple[bool, tuple[int, ...]]  # whether there is a flow, and the shape of the kernels


def _majority_form(
    good: list[tuple[PairFiles, Form]],
) -> tuple[list[tuple[PairFiles, Form]], list[str]]:
    """Drops pairs whose form differs from the majority, so that all pairs can be batched."""
    if not good:
        return good, []
    usual, _ = collections.Counter(form for _, form in good).most_common(1)[0]
    expected = _describe_form(usual)
    messages = [
        f"{files.kernels or files.blurry}: has {_describe_form(form)}, most have {expected}"
        for files, form in good
        if form != usual
    ]
    return [(files, form) for files, form in good if form == usual], messages


def _describe_form(form: Form) -> str:
    flow, kernels = form
    kernels_text = f"kernels {list(kernels)}" if kernels else "no kernels"
    return f"{'a' if flow else 'no'} flow and {kernels_text}"


def folder_pairs(
    folder: str | Sequence[str] | Path,
    *,
    smallest: int = 1,
    limit: int = 0,
    on_bad: str = "stop",
) -> PairSource:
    """Returns the pairs below one or several folders.

    Args:
        folder: folder with `blur` and `sharp`, and optionally `flow` and `kernels`. Several folders
            are a tuple, or a text separated by `:`.
        smallest: smallest accepted side of an image in pixels.
        limit: largest number of pairs; 0 for all.
        on_bad: "stop" or "skip", see `data.checks.report_problems`.

    Raises:
        FileNotFoundError: if a folder does not exist.
        ValueError: one message that lists every problem.
    """
    pairs, problems = [], []
    for root in each_folder(str(folder) if isinstance(folder, Path) else folder):
        found, wrong = match_folders(root)
        pairs, problems = pairs + found, problems + wrong
    pairs = pairs[:limit] if limit else pairs
    return PairSource(pairs, smallest=smallest, on_bad=on_bad, problems=problems)
