"""How pixels outside the frame are made.

Five modes, shown for the row `a b c d` extended by four pixels on each side:

    reflect     b d c b | a b c d | c b a b      mirrored about the centre of the edge pixel
    symmetric   d c b a | a b c d | d c b a      mirrored about the outer side of the edge pixel
    edge        a a a a | a b c d | d d d d      the edge pixel, repeated
    wrap        a b c d | a b c d | a b c d      the frame, repeated
    constant    0 0 0 0 | a b c d | 0 0 0 0      black

Each mode is linear, and all but `constant` copy pixels of the frame. `pad` returns a larger array,
for operators that read every pixel near the frame. `resolve_index` returns the index of the pixel
to copy, for operators that gather. The two agree at any distance from the frame, even at many
times its size.
"""

import jax
import jax.numpy as jnp

from deblur_jax.typing import Array


PADDINGS = ("reflect", "symmetric", "edge", "wrap", "constant")


def check_padding(function: str, padding: str) -> None:
    """Raises a ValueError that names `function` unless `padding` is one of `PADDINGS`."""
    if padding not in PADDINGS:
        raise ValueError(f"{function}: padding must be one of {list(PADDINGS)}, got {padding!r}")


def pad(image: Array, radius: int, padding: str) -> jax.Array:
    """Returns `image` with `radius` more pixels on each side of its first two axes.

    Args:
        image: `[h, w, ...]`.
        radius: number of pixels to add on each side; may exceed the size of the frame.
        padding: one of `PADDINGS`.
    """
    check_padding("pad", padding)
    if radius == 0:
        return jnp.asarray(image)
    widths = ((radius, radius), (radius, radius)) + ((0, 0),) * (image.ndim - 2)
    return jnp.pad(image, widths, mode=padding)


def resolve_index(index: Array, size: int, padding: str) -> jax.Array:
    """Returns the index inside an axis of `size` pixels from which pixel `index` is copied.

    With `constant` no pixel is copied. The function returns the nearest edge index, which is safe
    to read; the caller must multiply the value by `resolved == index`, which is true only inside
    the frame.

    Args:
        index: integers of any shape, at any distance from the frame.
        size: number of pixels along the axis.
        padding: one of `PADDINGS`.
    """
    check_padding("resolve_index", padding)
    index = jnp.asarray(index)
    if padding in ("edge", "constant") or size == 1:
        return jnp.clip(index, 0, size - 1)
    if padding == "wrap":
        return index % size
    # The mirrored axis has a period of twice its size, less two if the edge pixels are not doubled.
    period = 2 * size - 2 if padding == "reflect" else 2 * size
    last = period if padding == "reflect" else period - 1
    place = index % period
    return jnp.minimum(place, last - place)
