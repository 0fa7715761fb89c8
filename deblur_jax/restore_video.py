"""From blurry frames to sharp ones, with a network that restores them directly.

Arrays only; files are `cli.deblur_video`'s.
"""

import functools
from collections.abc import Iterable, Iterator
from typing import Any

import jax
import numpy as np

from deblur_jax.estimate import check_photo
from deblur_jax.pretrained import Pretrained, load
from deblur_jax.typing import Array


def deblur_video(frames: Iterable[Array], model: str | Pretrained) -> Iterator[np.ndarray]:
    """Restores the frames of a video one after the other, each with its neighbours.

    The last frame is given the one before it as its neighbour: seen backwards, a motion draws the
    same blur. The only frame of a video is given itself, from which such a network learns little.

    Args:
        frames: `[h, w, 3]` floats in [0, 1], display values, all of one size; they are taken one
            at a time, so that a video need not fit into memory.
        model: a name or path for `pretrained.load`, or a network already loaded: one that
            restores, such as `FlowRnnNet`, or `DeblurNet`, which looks at one frame alone.

    Returns:
        The restored frames in [0, 1], made as they are asked for.

    Raises:
        TypeError: if a frame is not a float array `[h, w, c]`.
        ValueError: if the network does not restore, or a frame has not 3 channels, is smaller
            than 32 pixels a side, is not as large as the first one, or holds values outside
            [0, 1] or not finite.
    """
    network = load(model) if isinstance(model, str) else model
    if not hasattr(network.model, "restored"):
        raise ValueError(
            f"deblur_video: {network.name} holds a {type(network.model).__name__}, expected a "
            "network that restores, such as FlowRnnNet; use deblur for one that estimates motion"
        )
    return _restored(frames, network)


def _restored(frames: Iterable[Array], network: Pretrained) -> Iterator[np.ndarray]:
    neighbours = getattr(network.model, "frames", 1) - 1
    for here, after, before in _windows(_checked(frames)):
        images = (here, after, before)[: 1 + neighbours]
        yield np.asarray(_restore(network.model, network.variables, images))


@functools.partial(jax.jit, static_argnames="model")
def _restore(model: Any, variables: Any, images: tuple[Array, ...]) -> jax.Array:
    estimate = model.apply(variables, *(image[None] for image in images))
    return model.restored(estimate)[0].clip(0, 1)


def _checked(frames: Iterable[Array]) -> Iterator[np.ndarray]:
    first = None
    for number, frame in enumerate(frames):
        check_photo(frame, f"deblur_video: frame {number}")
        first = first or frame.shape
        if frame.shape != first:
            raise ValueError(
                f"deblur_video: frame {number} is {frame.shape[1]}x{frame.shape[0]}, expected "
                f"{first[1]}x{first[0]} as the first one; a video has frames of one size"
            )
        yield np.asarray(frame, np.float32)


def _windows(frames: Iterable[np.ndarray]) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Yields each frame, the one after it and the one before it."""
    before = here = None
    for after in frames:
        if here is not None:
            yield here, after, after if before is None else before
        before, here = here, after
    if here is not None:
        only = here if before is None else before
        yield here, only, only
