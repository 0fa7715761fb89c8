"""Restore the frames of a video with a network that maps blurry frames to sharp ones.

Arrays only; `cli.deblur_video` handles files.
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
    """Restores the frames of a video, each together with its neighbours.

    The last frame gets the previous one as its neighbour: a motion and its reverse make the same
    blur. If a video has only one frame, the frame is its own neighbour; this restores it less well.

    Args:
        frames: `[h, w, 3]` floats in [0, 1], display values, all of one size. They are read one at
            a time, so that a video does not have to fit into memory.
        model: a network that restores frames, such as `FlowRnnNet`, or `DeblurNet`, which takes a
            single frame: a name or path for `pretrained.load`, or a loaded network.

    Returns:
        An iterator over the restored frames in [0, 1].

    Raises:
        TypeError: if a frame is not a float array `[h, w, c]`.
        ValueError: if the network does not restore frames, or a frame does not have 3 channels, is
            smaller than 32 pixels a side, differs from the first one in size, or holds values that
            are not finite or outside [0, 1].
    """
    network = load(model) if isinstance(model, str) else model
    if not hasattr(network.model, "restored"):
        raise ValueError(
            f"deblur_video: {network.name} holds a {type(network.model).__name__}, expected a "
            "network that restores frames, such as FlowRnnNet; use deblur for a network that "
            "estimates blur"
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
                f"{first[1]}x{first[0]} like the first one; resize or crop the frames to one size"
            )
        yield np.asarray(frame, np.float32)


def _windows(frames: Iterable[np.ndarray]) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Yields each frame with the next and the previous one."""
    before = here = None
    for after in frames:
        if here is not None:
            yield here, after, after if before is None else before
        before, here = here, after
    if here is not None:
        only = here if before is None else before
        yield here, only, only
