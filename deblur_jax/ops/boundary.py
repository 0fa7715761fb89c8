"""How pixels outside the frame are made.

Five modes, shown for the row `a b c d` continued by four pixels to each side:

    reflect     b d c b | a b c d | c b a b      mirrored about the centre of the edge pixel
    symmetric   d c b a | a b c d | d c b a      mirrored about the outer side of the edge pixel
    edge        a a a a | a b c d | d d d d      the edge pixel, repeated
    wrap        a b c d | a b c d | a b c d      the frame, repeated
    constant    0 0 0 0 | a b c d | 0 0 0 0      darkness

Each mode is linear, and none but `constant` makes a pixel that is not somewhere in the frame.
There are two ways to ask: `pad` makes a larger array, which suits an operator that reads every
pixel near the frame, and `resolve_index` says where a pixel is taken from, which suits one that
gathers. They agree for any distance from the frame, also many times its size.
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
        radius: pixels to add on each of the four sides; may exceed the frame.
        padding: one of `PADDINGS`.
    """
    check_padding("pad", padding)
    if radius == 0:
        return jnp.asarray(image)
    widths = ((radius, radius), (radius, radius)) + ((0, 0),) * (image.ndim - 2)
    return jnp.pad(image, widths, mode=padding)


def resolve_index(index: Array, size: int, padding: str) -> jax.Array:
    """Returns the index inside an axis of `size` pixels whose pixel stands in for `index`.

    For `constant` no pixel does: the nearest edge index is returned, which is safe to read, and
    the caller multiplies what it reads by `resolved == index`, true inside the frame alone.

    Args:
        index: integers, any shape, any distance from the frame.
        size: pixels along the axis.
        padding: one of `PADDINGS`.
    """
    check_padding("resolve_index", padding)
    index = jnp.asarray(index)
    if padding in ("edge", "constant") or size == 1:
        return jnp.clip(index, 0, size - 1)
    if padding == "wrap":
        return index % size
    # Mirrors repeat with twice the frame, less the two edge pixels if these are not doubled.
    period = 2 * size - 2 if padding == "reflect" else 2 * size
    last = period if padding == "reflect" else period - 1
    place = index % period
    return jnp.minimum(place, last - place)
