"""Blurred photos whose sharp original is known, of the kinds that a photo can be.

Each kind draws a case from a sharp photo and a key: the photo as a camera records it, with noise,
8 bits and JPEG compression, the sharp photo, and the true blur where an operator stands for it.
"""

import dataclasses
import functools
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path

import cv2
import jax
import jax.numpy as jnp
import numpy as np

from deblur_jax.ops.operators import Blur, LineBlur, UniformBlur
from deblur_jax.ops.sensor import Transfer, to_light
from deblur_jax.simulate.camera_flow import LARGE, MILD, CameraMotion, camera_flow
from deblur_jax.simulate.develop import Camera, develop
from deblur_jax.simulate.scenes import draw_scene
from deblur_jax.simulate.segments import SegmentBlur, draw_segment_blur
from deblur_jax.simulate.shake_kernels import Tremor, Wander, draw_tremor, shake_kernel
from experiments.shared import read_landscape


SIDES = (11, 15, 21, 31, 41)  # pixels, of shake kernels
CAMERAS = tuple(
    Camera(transfer=transfer, sigma=(0.001, 0.01), levels=256, quality=(80, 98))
    for transfer in ("linear", "srgb")
)
BORDER = 24  # pixels at each edge that are cropped, because their surroundings are made up
POSES = 96  # of a camera path
ROLL = 0.35  # displacement of the corners by roll, in units of the translation's extent
DEFOCUS = (1.5, 4.0)  # pixels, radius
SOFTNESS = (0.3, 0.9)  # pixels, standard deviation, of the frames of a video
FRAMES_SIDES = 0.35  # of the motion while they are taken, in units of a shake's extent
QUIET = {"sigma": (0.0005, 0.003), "quality": (95, 100)}  # of a mean of frames

_scene = jax.jit(draw_scene, static_argnames="camera")


@dataclasses.dataclass(frozen=True)
class Simulated:
    """A blurred photo and its sharp original, `[h, w, 3]`.

    Attributes:
        name: of the kind and the photo.
        photo: blurred, display values in [0, 1].
        sharp: the same without blur.
        blur: the true one, if an operator stands for it.
        transfer: from display values to those in which the photo was blurred.
    """

    name: str
    photo: np.ndarray
    sharp: np.ndarray
    blur: Blur | None = None
    transfer: Transfer = "linear"


def draw_shake(key: jax.Array, side: int) -> np.ndarray:
    """Return a shake kernel `[side, side]` of about the extent of its side."""
    hand = {"tremor": Tremor().scaled(side / 33), "wander": Wander().scaled(side / 33)}
    return np.asarray(shake_kernel(key, side, still_share=0.0, **hand))


def shake(key: jax.Array, light: np.ndarray, side: int) -> tuple[np.ndarray, Blur | None]:
    """Return a photo blurred by one shake kernel, and its blur."""
    blur = UniformBlur(jnp.asarray(draw_shake(key, side)))
    return np.asarray(blur(jnp.asarray(light))), blur


def roll(key: jax.Array, light: np.ndarray, side: int) -> tuple[np.ndarray, Blur | None]:
    """Return the mean of a photo along a path of translation and roll about its middle."""
    keys = jax.random.split(key)
    focal = 600.0 * side / 33
    hand = Tremor(focal=(focal, focal))
    path = focal * np.asarray(draw_tremor(keys[0], hand))
    turn = focal * np.asarray(draw_tremor(keys[1], hand))[:, 0]
    height, width, _ = light.shape
    angles = ROLL * turn / (0.5 * float(np.hypot(height, width)))
    middle = ((width - 1) / 2, (height - 1) / 2)
    total = np.zeros_like(light)
    chosen = np.unique(np.round(np.linspace(0, len(path) - 1, POSES)).astype(int))
    for index in chosen:
        matrix = cv2.getRotationMatrix2D(middle, float(np.degrees(angles[index])), 1.0)
        matrix[:, 2] += path[index]
        total += cv2.warpAffine(
            light, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT
        )
    return total / len(chosen), None


def straight(motion: CameraMotion) -> Callable:
    """Return the kind of photo that a camera in straight motion takes (Gong et al.)."""

    def make(key: jax.Array, light: np.ndarray, side: int) -> tuple[np.ndarray, Blur | None]:
        del side
        blur = LineBlur(camera_flow(key, light.shape[0], light.shape[1], motion))
        return np.asarray(blur(jnp.asarray(light))), blur

    return make


def defocus(key: jax.Array, light: np.ndarray, side: int) -> tuple[np.ndarray, Blur | None]:
    """Return a photo out of focus, which no estimate of a motion makes sharp."""
    del side
    radius = float(jax.random.uniform(key, (), minval=DEFOCUS[0], maxval=DEFOCUS[1]))
    place = np.arange(-5, 6)
    disc = np.clip(radius + 0.5 - np.hypot(place[:, None], place), 0, 1).astype(np.float32)
    return cv2.filter2D(light, -1, disc / disc.sum(), borderType=cv2.BORDER_REFLECT), None


def frames(key: jax.Array, light: np.ndarray, side: int) -> tuple[np.ndarray, Blur | None]:
    """Return the mean of a few frames of a video from a hand: a mild shake with roll."""
    return roll(key, light, round(FRAMES_SIDES * side))


def softened(key: jax.Array, original: np.ndarray) -> np.ndarray:
    """Return a sharp photo as a frame of a video shows it: a little soft."""
    low, high = SOFTNESS
    deviation = float(jax.random.uniform(key, (), minval=low, maxval=high))
    return cv2.GaussianBlur(original, (0, 0), deviation, borderType=cv2.BORDER_REFLECT)


def sharp(key: jax.Array, light: np.ndarray, side: int) -> tuple[np.ndarray, Blur | None]:
    """Return the sharp photo."""
    del key, side
    return light, None


KINDS = {
    "shake": shake,
    "roll": roll,
    "mild": straight(MILD),
    "large": straight(LARGE),
    "defocus": defocus,
    "sharp": sharp,
    "frames": frames,
}

# The order is part of each case's key.
ALL_KINDS = [*(kind for kind in KINDS if kind != "frames"), "segments", "scene", "frames"]


def simulate(
    kind: str,
    path: Path,
    number: int,
    seed: int,
    others: Sequence[Path] = (),
    size: tuple[int, int] | None = None,
) -> Simulated:
    """Return one case of a kind.

    Args:
        kind: one of `KINDS`, "segments", or "scene".
        path: the sharp photo.
        number: of the case, from which its camera, its size of blur and its key follow.
        seed: of the table.
        others: photos of the objects of a "scene", which move in front of a moving camera.
        size: height and width to which the sharp photo is cut; None for all of it.
    """
    original = np.asarray(read_landscape(path))
    if size is not None:
        original = original[: size[0], : size[1]]
    key = jax.random.fold_in(jax.random.key(seed), 1000 * ALL_KINDS.index(kind) + number)
    blurring, recording = jax.random.split(key)
    camera, side = CAMERAS[number % len(CAMERAS)], SIDES[number % len(SIDES)]
    name = f"{kind}-{path.stem}"
    if kind == "segments":
        made = _segments(blurring, jnp.asarray(original), camera=camera)
        photo, original = np.asarray(made.blurry), np.asarray(made.sharp)
        return Simulated(name, photo, original, transfer=camera.transfer)
    if kind == "scene":
        shape = (original.shape[1], original.shape[0])
        objects = [cv2.resize(np.asarray(read_landscape(each)), shape) for each in others]
        scene = _scene(blurring, jnp.asarray(np.stack([original, *objects])), camera=camera)
        photo, original = np.asarray(scene.blurry), np.asarray(scene.sharp)
        return Simulated(name, photo, original, transfer=camera.transfer)
    if kind == "frames":
        original = softened(jax.random.fold_in(blurring, 1), original)
        camera = dataclasses.replace(camera, **QUIET)
    light = np.asarray(to_light(original, camera.transfer), np.float32)
    blurred, blur = KINDS[kind](blurring, light, side)
    photo = np.asarray(develop(recording, jnp.asarray(blurred), camera))
    inner = slice(BORDER, original.shape[0] - BORDER), slice(BORDER, original.shape[1] - BORDER)
    if blur is not None:
        blur = blur.cut(*inner)
    return Simulated(name, photo[inner], original[inner], blur, camera.transfer)


@functools.partial(jax.jit, static_argnames="camera")
def _segments(key: jax.Array, original: jax.Array, *, camera: Camera) -> SegmentBlur:
    hand = {"tremor": Tremor().scaled(0.6), "wander": Wander().scaled(0.6)}
    draw = functools.partial(shake_kernel, still_share=0.0, **hand)
    return draw_segment_blur(key, original, side=31, camera=camera, draw_kernel=draw)


def cases(
    folder: Path,
    kinds: Sequence[str],
    limit: int,
    seed: int,
    skip: Collection[str] = (),
    part: tuple[int, int] = (0, 1),
    in_turn: bool = False,
    size: tuple[int, int] | None = None,
) -> Iterator[Simulated]:
    """Yield cases from the photos of a folder, a photo of each kind after the other.

    Args:
        folder: of sharp photos.
        kinds: of `ALL_KINDS`.
        limit: number of photos.
        seed: of the order of the photos and of all draws.
        skip: names of cases that are left out.
        part: number of a share of the photos and how many shares there are.
        in_turn: whether each photo is blurred in one way only, in each of the ways in turn.
        size: height and width to which photos are cut, so that programs are compiled once.
    """
    paths = in_random_order(folder, seed)
    for number in range(part[0], min(limit, len(paths)), part[1]):
        # Two photos in a row have different cameras.
        for kind in [kinds[number // 2 % len(kinds)]] if in_turn else kinds:
            if f"{kind}-{paths[number].stem}" not in skip:
                others = [paths[(number + step) % len(paths)] for step in (1, 2)]
                yield simulate(kind, paths[number], number, seed, others, size)


def in_random_order(folder: Path, seed: int) -> list[Path]:
    """Return the photos of a folder in an order that depends on the seed only."""
    paths = sorted(folder.glob("*.jpg")) + sorted(folder.glob("*.png"))
    if not paths:
        raise FileNotFoundError(f"{folder}: has no photos; set DEBLUR_JAX_DATA or --data")
    return [paths[index] for index in np.random.default_rng(seed).permutation(len(paths))]


def read(path: Path) -> np.ndarray:
    """Return a photo `[h, w, 3]` in [0, 1]."""
    photo = cv2.imread(str(path))
    if photo is None:
        raise FileNotFoundError(f"{path}: no readable photo")
    return photo[..., ::-1].astype(np.float32) / 255
