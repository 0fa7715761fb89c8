"""Where the experiments on frames take them from, and the networks they compare."""

import argparse
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from deblur_jax.config_file import load_config
from deblur_jax.data.examples import Source
from deblur_jax.data.frames import Averaging, FrameSource
from deblur_jax.data.pairs import PairFiles, PairSource, folder_pairs
from deblur_jax.data.sources import folder_source
from deblur_jax.models.kernel_basis import KernelBasisNet
from deblur_jax.pretrained import Pretrained, load
from deblur_jax.simulate.training_sets import Example
from deblur_jax.training.evaluation import held_out
from deblur_jax.training.simulations import make_simulate


# Whose test videos are frames of 240 Hz, and where they are to be had.
FAST_VIDEOS = (
    "GOPRO_Large_all's (https://seungjunnah.github.io/Datasets/gopro.html) or NfS's "
    "(http://ci2cv.net/nfs/index.html)"
)
CONFIGS = Path(__file__).parents[1] / "configs"
SCENES_PER_PHOTO = 2


def add_arguments(
    parser: argparse.ArgumentParser, *, counts: tuple[int, ...], shrink: int, scenes: bool = False
) -> Any:
    """Adds where pictures are taken from, how frames are averaged, and what all experiments have.

    Returns the group of arguments of which one says where, for others.

    Args:
        parser: gets the arguments.
        counts: how many frames are averaged, if nothing else is said.
        shrink: how much smaller they are made before, likewise.
        scenes: whether photos may be moved in front of each other instead.
    """
    place = parser.add_mutually_exclusive_group(required=True)
    place.add_argument("--pairs", type=Path, help="holds blur/ and sharp/, videos as folders there")
    place.add_argument(
        "--frames", type=Path, help="holds frames of a fast camera, a folder a video"
    )
    if scenes:
        place.add_argument("--scenes", type=Path, help="holds sharp photos, which are moved")
    parser.add_argument("--counts", type=int, nargs="+", default=list(counts), metavar="N",
                        help="frames that are averaged, in turn")  # fmt: skip
    parser.add_argument("--shrink", type=int, default=shrink, help="of frames, before")
    parser.add_argument("--fastest", type=float, default=float("inf"), metavar="PIXELS",
                        help="no motion between averaged frames may be longer")  # fmt: skip
    parser.add_argument("--model", nargs="+", required=True, metavar="[NAME=]WEIGHTS")
    parser.add_argument("--limit", type=int, default=0, help="pictures at most, 0 for all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True)
    return place


def find_source(arguments: argparse.Namespace, *, flow: bool, missing: str) -> Source:
    """Returns the pictures that the arguments name.

    Args:
        arguments: of `add_arguments`.
        flow: whether the optical flow from the first to the last averaged frame is needed.
        missing: what belongs in the folders, for the message if they are not there.
    """
    folder = arguments.pairs or arguments.frames
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder}: no such folder; {missing}")
    try:
        return _read(arguments, folder, flow)
    except (FileNotFoundError, ValueError) as error:
        raise type(error)(f"{error}; {missing}") from None


def _read(arguments: argparse.Namespace, folder: Path, flow: bool) -> Source:
    if arguments.frames:
        averaging = Averaging(
            tuple(arguments.counts), arguments.fastest, arguments.shrink, "linear", flow
        )
        return FrameSource([folder], averaging, smallest=32, on_bad="skip")
    beside = [
        PairFiles(path, path.with_stem(f"{path.stem}_gt"))
        for path in sorted(folder.iterdir())
        if path.with_stem(f"{path.stem}_gt").is_file()
    ]
    return PairSource(beside, smallest=32) if beside else folder_pairs(folder)


def load_named(models: list[str]) -> dict[str, Pretrained]:
    """Returns networks by name: of `NAME=WEIGHTS`, or of the weights alone."""
    named = {}
    for text in models:
        name, _, weights = text.rpartition("=")
        named[name or Path(weights).stem] = load(weights)
    return named


def load_kernel_net(name: str) -> Pretrained:
    """Returns a network that sees kernels; refuses any other."""
    network = load(name)
    if not isinstance(network.model, KernelBasisNet):
        raise ValueError(f"{name}: holds no kernel_basis net; give the weights of one")
    return network


def moved_photos(folder: Path, config: str, seed: int, limit: int) -> Iterator[Example]:
    """Yields scenes of a folder's photos, simulated as a config has it.

    Args:
        folder: of sharp photos.
        config: its name and variant, such as `argaw.py:small`.
        seed: of the motions.
        limit: how many scenes at most; 0 for all.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder}: no such folder; give one of sharp photos")
    fields = load_config(f"{CONFIGS / config}")
    smallest = min(fields.evaluate.height, fields.evaluate.width)
    source = folder_source(folder=str(folder), smallest=smallest, in_memory=False, limit=0)
    return simulated(fields, source, seed, limit, per_example=SCENES_PER_PHOTO)


def simulated(
    fields: Any, source: Source, seed: int, limit: int, *, per_example: int = 1
) -> Iterator[Example]:
    """Yields what a config's simulation makes of a source.

    Args:
        fields: the config.
        source: what it is made of.
        seed: of the motions.
        limit: how many examples at most; 0 for all.
        per_example: how often each of the source is simulated.
    """
    size = fields.evaluate
    examples = held_out(
        source, make_simulate(**fields.simulate), seed=seed, height=size.height, width=size.width,
        group=size.group, per_example=per_example,
    )  # fmt: skip
    return (example for _, example, _ in itertools.islice(examples, limit or None))
