"""What several experiments share: arguments, photos, networks, alignment and records."""

import argparse
import itertools
import json
import os
import platform
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from scipy.ndimage import shift

from deblur_jax.config_file import load_config
from deblur_jax.data.examples import Source
from deblur_jax.data.frames import Averaging, FrameSource
from deblur_jax.data.pairs import PairFiles, PairSource, folder_pairs
from deblur_jax.data.sources import folder_source
from deblur_jax.io.files import whole_file
from deblur_jax.io.images import SUFFIXES, read_photo, read_rgb
from deblur_jax.models.kernel_basis import KernelBasisNet
from deblur_jax.ops.sensor import quantize
from deblur_jax.pretrained import Pretrained, load
from deblur_jax.simulate.training_sets import Example
from deblur_jax.training.evaluation import held_out
from deblur_jax.training.simulations import make_simulate
from deblur_jax.version import revision


CONFIGS = Path(__file__).parents[1] / "configs"
# Data sets whose test videos are 240 Hz frames, and where to download them.
FAST_VIDEOS = (
    "GOPRO_Large_all's (https://seungjunnah.github.io/Datasets/gopro.html) or NfS's "
    "(http://ci2cv.net/nfs/index.html)"
)
SCENES_PER_PHOTO = 2
FARTHEST = 5  # pixels, the largest shift that `shifted_onto` tries
INNER = 25  # pixels at each edge of Levin's photos that are not scored
LINE = 140  # characters of a line of a record

# --- commands ---


def run_command(main: Callable[[], None]) -> None:
    """Runs a command, and reports bad input in one line; DEBLUR_JAX_TRACEBACK=1 shows all of it."""
    try:
        main()
    except (OSError, ValueError) as error:
        if os.environ.get("DEBLUR_JAX_TRACEBACK"):
            raise
        sys.exit(f"error: {error}")


# --- records ---


def origin() -> dict[str, str]:
    """Returns the machine, the version of JAX and the git revision, for a record."""
    return {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, {jax.default_backend()}",
        "jax": jax.__version__,
        "revision": revision() or "",
    }


def machine() -> str:
    """Returns one line with the device, the processor and the version of JAX."""
    device = jax.devices()[0]
    model = platform.processor() or platform.machine()
    cpu_info = Path("/proc/cpuinfo")
    if cpu_info.exists():
        names = [x for x in cpu_info.read_text().splitlines() if x.startswith("model name")]
        model = names[0].split(":")[1].strip() if names else model
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{device.platform} {device.device_kind}; {model}, {cores} cores; jax {jax.__version__}"


def resident(field: str, process: str = "self") -> int:
    """Returns a memory figure of a process in kilobytes (Linux).

    Args:
        field: of `/proc/PROCESS/status`, such as `VmRSS`.
        process: its id, or `self`.
    """
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field))


def spread(rows: Iterable[dict[str, float]], digits: int = 4) -> dict[str, dict[str, float]]:
    """Returns the standard deviation, the least and the most of each figure of the rows."""
    rows = list(rows)
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    return {
        name: {
            "deviation": round(float(np.std(values)), digits),
            "least": round(float(np.min(values)), digits),
            "most": round(float(np.max(values)), digits),
        }
        for name, values in columns.items()
    }


def write_record(path: str | os.PathLike, record: Any) -> None:
    """Writes a record as JSON, whole or not at all, with rows in few lines."""
    with whole_file(path) as temporary:
        temporary.write_text(_as_text(record, indent=0) + "\n")


def _as_text(value: Any, indent: int) -> str:
    line = json.dumps(value)
    if not value or not isinstance(value, dict | list) or (indent and len(line) <= LINE):
        return line
    lines = []
    parts = value.items() if isinstance(value, dict) else enumerate(value)
    for name, part in parts:
        label = f"{json.dumps(name)}: " if isinstance(value, dict) else ""
        text, scalar = label + _as_text(part, indent + 1), not isinstance(part, dict | list)
        if indent and lines and scalar and len(lines[-1]) + len(text) < LINE:
            lines[-1] += f", {text}"
        else:
            lines.append(text)
    start, end = ("{", "}") if isinstance(value, dict) else ("[", "]")
    margin = "\n" + " " * (indent + 1)
    return f"{start}{margin}{f',{margin}'.join(lines)}\n{' ' * indent}{end}"


# --- photos ---


def crop(image: Any, border: int) -> Any:
    """Returns an image without its border."""
    return image[border : image.shape[0] - border, border : image.shape[1] - border]


def middle(image: Any, height: int, width: int) -> Any:
    """Returns the middle of an image; all of it along a side that is shorter."""
    top, left = max(image.shape[0] - height, 0) // 2, max(image.shape[1] - width, 0) // 2
    return image[top : top + height, left : left + width]


def landscape(image: jax.Array) -> jax.Array:
    """Transposes an upright photo, so that photos of one size compile once."""
    return jnp.swapaxes(image, 0, 1) if image.shape[0] > image.shape[1] else image


def read_landscape(path: Path) -> jax.Array:
    """Reads a photo as floats in [0, 1], upright ones transposed."""
    return landscape(jnp.asarray(read_photo(path).pixels, jnp.float32))


def as_floats(photo: np.ndarray) -> np.ndarray:
    """Returns 8-bit values in [0, 1]."""
    return photo.astype(np.float32) / 255


def best_shift(image: np.ndarray, sharp: np.ndarray) -> np.ndarray:
    """Returns the shift of a grey image, in eighths of a pixel, with the least squared error.

    Args:
        image: `[h, w, 1]`.
        sharp: `[h, w, 1]`.

    Returns:
        Pixels downwards and to the right by which `image` is moved, `[2]`.
    """
    truth = crop(sharp, INNER)[..., 0]
    best = np.zeros(2)
    for reach, step in ((FARTHEST, 1.0), (1, 0.5), (1, 0.25), (1, 0.125)):
        steps = step * np.arange(-reach, reach + 1)
        tried = [best + np.asarray(offset) for offset in itertools.product(steps, steps)]
        errors = [np.mean((_inner(image[..., 0], each) - truth) ** 2) for each in tried]
        best = tried[int(np.argmin(errors))]
    return best


def _inner(image: np.ndarray, offset: np.ndarray) -> np.ndarray:
    """Returns `moved(image, offset)` without its border."""
    if np.any(offset % 1) or np.max(np.abs(offset)) > INNER:
        return crop(moved(image, offset), INNER)
    down, right = offset.astype(int)
    height, width = image.shape
    return image[INNER - down : height - INNER - down, INNER - right : width - INNER - right]


def moved(image: np.ndarray, offset: np.ndarray) -> np.ndarray:
    """Returns a grey image `[h, w]` moved by pixels downwards and to the right."""
    return shift(image, offset, order=3 if np.any(offset % 1) else 0, mode="nearest")


def shifted_onto(image: np.ndarray, sharp: np.ndarray) -> jax.Array:
    """Shifts a grey image onto another by eighths of a pixel, where the squared error is least."""
    found = moved(image[..., 0], best_shift(image, sharp))
    return quantize(jnp.asarray(found, jnp.float32))[..., None]


def psnr_shifted(image: np.ndarray, sharp: np.ndarray, border: int = INNER) -> float:
    """Returns the PSNR of a photo's brightness, shifted to where it fits best.

    Args:
        image: `[h, w, c]`.
        sharp: `[h, w, c]`.
        border: pixels at each edge that are not scored.
    """
    grey, truth = (each.mean(-1, keepdims=True).astype(np.float32) for each in (image, sharp))
    error = crop(np.asarray(shifted_onto(grey, truth)), border) - crop(truth, border)
    return float(-10 * np.log10(np.mean(np.square(error))))


# --- results of other programs ---


def find_results(folder: Path, names: Iterable[str]) -> dict[str, Path]:
    """Returns the restored photo of each blurred one in a folder that any program wrote.

    Args:
        folder: holds an image NAME.png, or of another format, for each name.
        names: of the blurred photos, without the ending.

    Raises:
        FileNotFoundError: one message that names every missing file.
    """
    found, missing = {}, []
    for name in names:
        files = [folder / f"{name}{suffix}" for suffix in SUFFIXES]
        there = [path for path in files if path.is_file()]
        if there:
            found[name] = there[0]
        else:
            missing.append(name)
    if missing:
        raise FileNotFoundError(
            f"{folder}: results are missing: {', '.join(missing)}; write each as NAME.png (or "
            f"{', '.join(SUFFIXES)})"
        )
    return found


def read_result(path: Path, photo: np.ndarray) -> np.ndarray:
    """Reads a restored photo as floats `[h, w, 3]`, which must have the blurred one's size."""
    restored = as_floats(read_rgb(path))
    if restored.shape[:2] != photo.shape[:2]:
        height, width = photo.shape[:2]
        raise ValueError(
            f"{path}: is {restored.shape[1]}x{restored.shape[0]}, expected {width}x{height} as "
            "the blurred photo; do not crop or resize results"
        )
    return restored


# --- frames, pairs, scenes ---


def add_arguments(
    parser: argparse.ArgumentParser, *, counts: tuple[int, ...], shrink: int, scenes: bool = False
) -> Any:
    """Adds the arguments for data, frame averaging, networks and the record.

    Returns the mutually exclusive argument group for the data location, to which more may be added.

    Args:
        parser: gets the arguments.
        counts: the default of `--counts`, frames that are averaged.
        shrink: the default of `--shrink`, the factor by which frames are reduced.
        scenes: whether to offer `--scenes`, simulated from sharp photos.
    """
    place = parser.add_mutually_exclusive_group(required=True)
    place.add_argument(
        "--pairs", type=Path, help="a folder with blur/ and sharp/, a folder a video"
    )
    place.add_argument("--frames", type=Path, help="a folder of 240 Hz frames, a folder a video")
    if scenes:
        place.add_argument("--scenes", type=Path, help="a folder of sharp photos to make scenes of")
    parser.add_argument("--counts", type=int, nargs="+", default=list(counts), metavar="N",
                        help="numbers of frames to average, used in turn")  # fmt: skip
    parser.add_argument("--shrink", type=int, default=shrink, help="factor to reduce frames by")
    parser.add_argument("--fastest", type=float, default=float("inf"), metavar="PIXELS",
                        help="longest motion between averaged frames")  # fmt: skip
    parser.add_argument("--model", nargs="+", required=True, metavar="[NAME=]WEIGHTS",
                        help="shipped weights by name, or .safetensors files")  # fmt: skip
    parser.add_argument("--limit", type=int, default=0, help="most pictures, 0 for all")
    parser.add_argument("--seed", type=int, default=0, help="of the choice and the simulation")
    parser.add_argument("--out", type=Path, required=True, help="the JSON file to write")
    return place


def find_source(arguments: argparse.Namespace, *, flow: bool, missing: str) -> Source:
    """Returns the pictures that the arguments name.

    Args:
        arguments: of `add_arguments`.
        flow: whether to compute the optical flow from the first to the last averaged frame.
        missing: what belongs in the folder, appended to the error if it is not there.
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


def moved_photos(folder: Path, config: str, seed: int, limit: int) -> Iterator[Example]:
    """Yields simulated scenes of a folder's photos.

    Args:
        folder: of sharp photos.
        config: the file and variant whose simulation is used, such as `argaw.py:small`.
        seed: of the motions.
        limit: the most scenes; 0 for all.
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
    """Yields a source's examples after a config's simulation.

    Args:
        fields: the config.
        source: of photos or frames.
        seed: of the motions.
        limit: the most examples; 0 for all.
        per_example: how many simulations of each of the source.
    """
    size = fields.evaluate
    examples = held_out(
        source, make_simulate(**fields.simulate), seed=seed, height=size.height, width=size.width,
        group=size.group, per_example=per_example,
    )  # fmt: skip
    return (example for _, example, _ in itertools.islice(examples, limit or None))


# --- networks ---


def load_named(models: list[str]) -> dict[str, Pretrained]:
    """Loads networks given as `NAME=WEIGHTS` or `WEIGHTS`, by name."""
    named = {}
    for text in models:
        name, _, weights = text.rpartition("=")
        named[name or Path(weights).stem] = load(weights)
    return named


def load_kernel_net(name: str) -> Pretrained:
    """Loads a network that estimates kernels.

    Raises:
        ValueError: if the weights are of another kind of network.
    """
    network = load(name)
    if not isinstance(network.model, KernelBasisNet):
        raise ValueError(f"{name}: holds no kernel_basis net; give the weights of one")
    return network
