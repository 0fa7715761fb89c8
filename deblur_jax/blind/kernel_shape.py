"""Blur kernels as shapes: cleaned, centred, resized, measured. Arrays of fixed size throughout."""

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from deblur_jax.typing import Array


FAINT = 0.05  # of the maximum: what is below is zero
LOBES = 3  # of the window that interpolates a kernel


def in_side(kernels: Array, side: int) -> np.ndarray:
    """Return kernels `[..., s, s]` with zeros around them, or their middle: `[..., side, side]`."""
    values = np.asarray(kernels, np.float32)
    margin = (side - values.shape[-1]) // 2
    if margin < 0:
        return values[..., -margin:margin, -margin:margin]
    return np.pad(values, [(0, 0)] * (values.ndim - 2) + [(margin, margin)] * 2)


def support_mask(side: int, support: jax.Array | int) -> jax.Array:
    """Return ones on the central `support` x `support` pixels of `[side, side]`, else zeros."""
    near = jnp.abs(jnp.arange(side, dtype=jnp.int32) - side // 2) <= support // 2
    return (near[:, None] & near[None, :]).astype(jnp.float32)


def normalised(kernel: jax.Array) -> jax.Array:
    """Return the kernel with a sum of one; one central pixel where nothing is left."""
    total = jnp.sum(kernel)
    still = jnp.asarray(identity_kernel(kernel.shape[-1]), kernel.dtype)
    return jnp.where(total > 0, kernel / jnp.where(total > 0, total, 1), still)


def clean(kernel: jax.Array, *, faint: float = FAINT, smallest: jax.Array | float) -> jax.Array:
    """Return the kernel without negative and faint values and without small pieces.

    Args:
        kernel: `[s, s]`.
        faint: values below this share of the maximum become zero.
        smallest: connected pieces (8 neighbours) with less than this share of the sum become zero.
    """
    kernel = jnp.where(kernel >= faint * jnp.max(kernel), jnp.maximum(kernel, 0), 0)
    kernel = normalised(kernel)
    pieces = label_pieces(kernel > 0)
    masses = jnp.zeros(kernel.size + 1, kernel.dtype).at[pieces].add(kernel)
    # The largest piece always stays.
    least = jnp.minimum(smallest, jnp.max(masses))
    return normalised(jnp.where(masses[pieces] >= least, kernel, 0))


def label_pieces(mask: jax.Array) -> jax.Array:
    """Return a number for each connected piece (8 neighbours) of a mask `[s, s]`, 0 outside."""
    labels = jnp.where(mask, jnp.arange(1, mask.size + 1).reshape(mask.shape), 0)

    def spread(state):
        labels, _ = state
        widest = lax.reduce_window(labels, 0, lax.max, (3, 3), (1, 1), "SAME")
        widest = jnp.where(mask, widest, 0)
        # Each label also takes that of the pixel it names, which doubles the reach of a step.
        flat = jnp.concatenate([jnp.zeros(1, widest.dtype), widest.ravel()])
        widest = flat[widest]
        return widest, jnp.any(widest != labels)

    return lax.while_loop(lambda state: state[1], spread, (labels, jnp.any(mask)))[0]


def centred(kernel: jax.Array) -> jax.Array:
    """Return the kernel moved by whole pixels, its centre of mass nearest to the middle."""
    side = kernel.shape[-1]
    place = jnp.arange(side, dtype=kernel.dtype) - side // 2
    total = jnp.maximum(jnp.sum(kernel), jnp.finfo(kernel.dtype).tiny)
    down = -jnp.round(jnp.sum(place[:, None] * kernel) / total).astype(int)
    right = -jnp.round(jnp.sum(place[None, :] * kernel) / total).astype(int)
    rows, columns = jnp.arange(side) - down, jnp.arange(side) - right
    valid = ((rows >= 0) & (rows < side))[:, None] & ((columns >= 0) & (columns < side))[None, :]
    moved = kernel[jnp.clip(rows, 0, side - 1)][:, jnp.clip(columns, 0, side - 1)]
    return normalised(jnp.where(valid, moved, 0))


def centred_exactly(kernel: Array) -> np.ndarray:
    """Return the kernel moved by parts of a pixel, its centre of mass in the middle.

    A restoration by it lies on its photo. The kernel is interpolated by Lanczos' window of three
    lobes, so that a few values may be a little below zero.

    Args:
        kernel: `[s, s]`, its centre of mass near the middle.

    Returns:
        `[s + 2, s + 2]`, with the same sum.
    """
    values = np.asarray(kernel, np.float32)
    side = values.shape[-1]
    old, new = np.arange(side) - side // 2, np.arange(side + 2) - side // 2 - 1
    total = values.sum()
    down, right = (np.sum(values.sum(axis) * old) / total for axis in (1, 0))

    def weights(offset: float) -> np.ndarray:
        distance = new[:, None] - old + offset
        lobes = np.sinc(distance) * np.sinc(distance / LOBES)
        return np.where(np.abs(distance) < LOBES, lobes, 0).astype(np.float32)

    drawn = weights(down) @ values @ weights(right).T
    return drawn * (total / drawn.sum())


def resized(kernel: Array, side: int, scale: float) -> np.ndarray:
    """Return the kernel drawn `scale` times as large about its centre, `[side, side]`.

    This runs in NumPy: each size would be a compiled program of its own.

    Args:
        kernel: `[s, s]`.
        side: of the result, odd.
        scale: any positive number; bilinear where it enlarges.
    """
    values = np.asarray(kernel, np.float32)
    old = values.shape[-1]
    places = np.arange(side, dtype=np.float32) - side // 2
    cells = np.float32(scale) * (np.arange(old, dtype=np.float32) - old // 2)
    reach = np.float32(max(scale, 1.0))
    weights = np.maximum(0, 1 - np.abs(places[:, None] - cells[None, :]) / reach)
    drawn = weights @ values @ weights.T
    total = drawn.sum()
    return drawn / total if total > 0 else identity_kernel(side)


def identity_kernel(side: int) -> np.ndarray:
    """Return the kernel `[side, side]` of no blur."""
    return in_side(np.ones((1, 1)), side)


def border_mass(kernel: Array, support: int, *, width: int = 1) -> float:
    """Return the share of the kernel that lies within `width` pixels of its support's border."""
    values = np.asarray(kernel)
    inner = in_side(values, max(1, support - 2 * width))
    return float(values.sum() - inner.sum())
