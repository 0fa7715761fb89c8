"""Blurry and sharp images of the same scenes, from plain folders, by index.

    FOLDER/blur/NAME.png      FOLDER/sharp/NAME.jpg
    FOLDER/flow/NAME.flo      FOLDER/kernels/NAME.npy      both optional

Files belong together by their name without its ending; folders within `blur` have their like in
`sharp`. `flow` and `kernels`, where they exist, hold a file for every pair. Kernels are
correlation kernels, one `[s, s]` or several `[k, s, s]` with odd `s`.
"""

import collections
import dataclasses
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from deblur_jax.data.checks import check_side, look_at_all, settle, size_in_words
from deblur_jax.data.examples import Example
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


def read_pair(files: PairFiles) -> Example:
    """Reads the files of one pair.

    Returns:
        `blurry` and `sharp`, `[h, w, 3]` uint8; `flow`, `[h, w, 2]` float32, and `kernels`,
        `[k, s, s]` float32, where there are files of them.

    Raises:
        FileNotFoundError: if a file is not there.
        ValueError: if a file cannot be used, or its size is not that of `blurry`.
    """
    pair = {"blurry": read_rgb(files.blurry), "sharp": read_rgb(files.sharp)}
    if files.flow is not None:
        pair["flow"] = read_flow(files.flow)
    for name, array in pair.items():
        if array.shape[:2] != pair["blurry"].shape[:2]:
            raise ValueError(
                f"{getattr(files, name)}: {size_in_words(array)} pixels, expected "
                f"{size_in_words(pair['blurry'])} as in {files.blurry}"
            )
    if files.kernels is not None:
        pair["kernels"] = read_kernels(files.kernels)
    return pair


def read_kernels(path: Path) -> np.ndarray:
    """Reads kernels of odd side from a .npy file: `[k, s, s]` float32, of one `[s, s]` too.

    Raises:
        ValueError: if the file is damaged, or is not such an array, or holds NaN.
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
        raise ValueError(f"{path}: the kernel is NaN or infinite; mend or remove the file")
    return kernel.astype(np.float32).reshape(-1, *kernel.shape[-2:])


def match_folders(folder: str | Path) -> tuple[list[PairFiles], list[str]]:
    """Finds the pairs below `folder`, sorted by name, and what has no partner.

    Returns:
        The pairs, and one line for every file that cannot be one of a pair.

    Raises:
        FileNotFoundError: if `folder`, or `blur` or `sharp` in it, does not exist.
        ValueError: if `blur` and `sharp` hold no image.
    """
    root = Path(folder)
    for needed in (root, root / "blur", root / "sharp"):
        if not needed.is_dir():
            raise FileNotFoundError(
                f"{needed}: no such folder; a folder of pairs holds blur/ and sharp/"
            )
    kinds = [kind for kind in KINDS if (root / kind).is_dir()]
    found, problems = {}, []
    for kind in kinds:
        found[kind], twice = _by_name(root / kind, KINDS[kind])
        problems += twice
    names = sorted(set().union(*found.values()))
    if not names:
        raise ValueError(
            f"{root}: blur/ and sharp/ hold no image; expected files ending in "
            f"{', '.join(images.SUFFIXES)}"
        )
    pairs = []
    for name in names:
        files = {kind: found[kind][name] for kind in kinds if name in found[kind]}
        missing = [kind for kind in kinds if kind not in files]
        if missing:
            places = " and ".join(f"{root / kind / name}.*" for kind in missing)
            problems.append(f"{next(iter(files.values()))}: has no partner {places}")
        else:
            pair = PairFiles(files["blur"], files["sharp"], files.get("flow"), files.get("kernels"))
            pairs.append(pair)
    return pairs, problems


def _by_name(root: Path, suffixes: tuple[str, ...]) -> tuple[dict[str, Path], list[str]]:
    found, problems = {}, []
    for path in sorted(root.rglob("*")):
        if path.suffix.lower() not in suffixes:
            continue
        name = path.relative_to(root).with_suffix("").as_posix()
        if name in found:
            problems.append(f"{path}: {found[name]} has the same name; remove one of them")
        else:
            found[name] = path
    return found, problems


class PairSource:
    """Pairs by index: `source[i]` is what `read_pair` gives.

    Every file is decoded once at the start, so a bad one is named before the run begins.

    Attributes:
        pairs: the files of the pairs that are used.
        skipped: one line for each problem, if `on_bad` is "skip".
    """

    def __init__(
        self,
        pairs: Iterable[PairFiles],
        *,
        smallest: int,
        on_bad: str = "stop",
        problems: Sequence[str] = (),
    ):
        """Reads every pair, and refuses or leaves out the bad ones.

        Args:
            pairs: the files.
            smallest: the shortest side in pixels that an image may have.
            on_bad: "stop" refuses them all if one is bad; "skip" leaves the bad ones out and
                writes how many, and which, to standard error.
            problems: what was found to be wrong before.

        Raises:
            ValueError: one message that lists every problem; also if nothing is left.
        """

        def look(files: PairFiles) -> Form:
            pair = read_pair(files)
            check_side(pair["blurry"], smallest, files.blurry)
            return "flow" in pair, pair["kernels"].shape if "kernels" in pair else ()

        good, found = look_at_all(list(pairs), look)
        good, odd = _of_one_form(good)
        self.pairs = tuple(files for files, _ in good)
        self.skipped = settle(
            [*problems, *found, *odd], len(self.pairs), things="pairs", on_bad=on_bad
        )
        if not self.pairs:
            raise ValueError("there are no pairs; give a folder with files in blur/ and sharp/")

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, index: int) -> Example:
        return read_pair(self.pairs[index])

    def name(self, index: int) -> str:
        """Returns what a pair is called: the path of its blurry image without the ending."""
        return self.pairs[index].blurry.with_suffix("").as_posix()


Form = tuple[bool, tuple[int, ...]]  # whether there is a flow, and the shape of the kernels


def _of_one_form(
    good: list[tuple[PairFiles, Form]],
) -> tuple[list[tuple[PairFiles, Form]], list[str]]:
    """Leaves out pairs that have not what most have: all of them must fit in one batch."""
    if not good:
        return good, []
    usual, _ = collections.Counter(form for _, form in good).most_common(1)[0]
    expected = _in_words(usual)
    lines = [
        f"{files.kernels or files.blurry}: has {_in_words(form)}, most have {expected}"
        for files, form in good
        if form != usual
    ]
    return [(files, form) for files, form in good if form == usual], lines


def _in_words(form: Form) -> str:
    flow, kernels = form
    second = f"kernels {list(kernels)}" if kernels else "no kernels"
    return f"{'a' if flow else 'no'} flow and {second}"


def folder_pairs(
    folder: str | Sequence[str] | Path,
    *,
    smallest: int = 1,
    limit: int = 0,
    on_bad: str = "stop",
) -> PairSource:
    """Returns the pairs below one or several folders, without any preparation.

    Args:
        folder: holds `blur` and `sharp`, and perhaps `flow` and `kernels`; see this module.
            Several are a tuple, or a text with `:` between them.
        smallest: the shortest side in pixels that an image may have.
        limit: how many pairs to use at most; 0 for all.
        on_bad: see `PairSource`.

    Raises:
        FileNotFoundError: if a folder is not there.
        ValueError: one message that lists every problem.
    """
    pairs, problems = [], []
    for root in each_folder(str(folder) if isinstance(folder, Path) else folder):
        found, wrong = match_folders(root)
        pairs, problems = pairs + found, problems + wrong
    pairs = pairs[:limit] if limit else pairs
    return PairSource(pairs, smallest=smallest, on_bad=on_bad, problems=problems)
