"""Walks along every pixel's line at once, one pixel a step.

The kernel of a flow of length m is a capsule, a segment of length m - 1 with a soft unit-wide
edge: q has the weight max(0, 1 - distance of q to the segment). Every pixel's line is walked
along the axis on which it is longer. There the line leaves that axis by less than 45 degrees, so
a tap of positive weight is less than sqrt(2) pixels away across it, and the three integers
nearest to the line are enough. The kernel is symmetric, so each weight serves two taps.

All functions take batches: images [b h w c], flows [b h w 2].
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax


LONGEST = 2**14  # pixels; beyond it float32 no longer places the taps of a line


class Lines(NamedTuple):
    """The capsules of a flow, one a pixel: all [b h w]."""

    half: jax.Array  # half the length of the segment
    major: jax.Array  # the unit direction along the longer axis, never negative
    minor: jax.Array  # and along the other
    horizontal: jax.Array  # whether the longer axis is the row
    one: jax.Array  # the weight of the pixel itself: 1, or NaN where the flow is no line


def lines(flow: jax.Array) -> Lines:
    """Returns the capsules of a flow; their derivative is zero where the length is at most 1."""
    u, v = flow[..., 0], flow[..., 1]
    # A length that is not finite, or out of reach, must not decide how long everybody walks.
    valid = (jnp.abs(u) <= LONGEST) & (jnp.abs(v) <= LONGEST)
    squared = jnp.where(valid, u * u + v * v, jnp.zeros_like(u))
    moves = squared > 1
    length = jnp.sqrt(jnp.where(moves, squared, jnp.ones_like(u)))
    right = jnp.where(moves, u, jnp.ones_like(u)) / length
    down = jnp.where(moves, v, jnp.zeros_like(v)) / length
    horizontal = jnp.abs(right) >= jnp.abs(down)
    major = jnp.where(horizontal, right, down)
    minor = jnp.where(horizontal, down, right)
    return Lines(
        half=(length - 1) / 2,
        major=jnp.abs(major),
        minor=jnp.where(major < 0, -minor, minor),
        horizontal=horizontal,
        one=jnp.where(valid, jnp.ones_like(u), jnp.full_like(u, jnp.nan)),
    )


def walk(
    step: Callable[..., tuple],
    start: tuple,
    line: Lines,
) -> tuple:
    """Folds `step(weight, down, right, state)` over the taps q of one half of every kernel.

    The pixel itself is left out. `weight` is that of (down, right) and of (-down, -right).
    """

    def taps(along: jax.Array, centre: jax.Array, across: tuple[int, ...], state: tuple) -> tuple:
        for offset in across:
            side = centre + offset
            weight = _weight(line, along, side)
            down = jnp.where(line.horizontal, side, along)
            right = jnp.where(line.horizontal, along, side)
            state = step(weight, down, right, state)
        return state

    def body(carry: tuple) -> tuple:
        along, state = carry
        here = jnp.full(line.half.shape, along)
        slope = lax.stop_gradient(line.minor / line.major)
        centre = jnp.round(here.astype(slope.dtype) * slope).astype(here.dtype)
        return along + 1, taps(here, centre, (-1, 0, 1), state)

    reach = lax.stop_gradient(line.half * line.major)
    count = jnp.ceil(jnp.max(reach)).astype(jnp.int32)
    zero = jnp.zeros(line.half.shape, jnp.int32)
    state = taps(zero, zero, (1,), start)
    return lax.while_loop(lambda carry: carry[0] <= count, body, (jnp.int32(1), state))[1]


def _weight(line: Lines, along: jax.Array, side: jax.Array) -> jax.Array:
    along = along.astype(line.half.dtype)
    side = side.astype(line.half.dtype)
    off = side * line.major - along * line.minor
    beyond = jnp.maximum(jnp.abs(along * line.major + side * line.minor) - line.half, 0)
    squared = off * off + beyond * beyond
    apart = squared > 0  # the root's derivative on the line itself is taken as zero
    distance = jnp.where(apart, jnp.sqrt(jnp.where(apart, squared, jnp.ones_like(off))), squared)
    return jnp.maximum(1 - distance, 0)


def gather(image: jax.Array, flow: jax.Array, padding: str) -> jax.Array:
    """Returns the blurred image: every pixel gathers along its line."""
    line = lines(flow)
    taps = _Taps(image.shape, padding)
    source = taps.flatten(image)

    def step(weight, down, right, state):
        total, mass = state
        pair = taps.read(source, weight, down, right) + taps.read(source, weight, -down, -right)
        return total + weight[..., None] * pair, mass + 2 * weight

    start = (line.one[..., None] * image, line.one)
    total, mass = walk(step, start, line)
    return total / mass[..., None]


def contract(image: jax.Array, blurry: jax.Array, flow: jax.Array, padding: str) -> jax.Array:
    """Returns sum_c blurry * gather(image, flow) at every pixel, [b h w]."""
    line = lines(flow)
    taps = _Taps(image.shape, padding)
    source = taps.flatten(image)

    def step(weight, down, right, state):
        total, mass = state
        pair = taps.read(source, weight, down, right) + taps.read(source, weight, -down, -right)
        return total + weight * jnp.sum(blurry * pair, axis=-1), mass + 2 * weight

    total, mass = walk(step, (line.one * jnp.sum(blurry * image, axis=-1), line.one), line)
    return total / mass


def scatter(blurry: jax.Array, flow: jax.Array, padding: str) -> jax.Array:
    """Returns the adjoint of `gather`: every pixel scatters along its line."""
    line = lines(flow)
    taps = _Taps(blurry.shape, padding)
    (mass,) = walk(lambda weight, down, right, state: (state[0] + 2 * weight,), (line.one,), line)
    share = blurry / mass[..., None]

    def step(weight, down, right, state):
        (total,) = state
        light = weight[..., None] * share
        total = taps.add(total, light, weight, down, right)
        return (taps.add(total, light, weight, -down, -right),)

    start = (taps.flatten(line.one[..., None] * share),)
    (total,) = walk(step, start, line)
    return total.reshape(blurry.shape)


class _Taps:
    """Reads and adds to the pixels at an offset, for one shape and padding."""

    def __init__(self, shape: tuple[int, ...], padding: str):
        self.shape = shape
        self.padding = padding

    def flatten(self, image: jax.Array) -> jax.Array:
        return image.reshape(-1, self.shape[-1])

    def read(self, source, weight, down, right):
        index, inside = self._index(weight, down, right)
        values = source.at[index].get(mode="promise_in_bounds")
        if inside is None:
            return values
        return jnp.where(inside[..., None], values, jnp.zeros_like(values))

    def add(self, target, values, weight, down, right):
        index, inside = self._index(weight, down, right)
        if inside is not None:
            values = jnp.where(inside[..., None], values, jnp.zeros_like(values))
        return target.at[index].add(values, mode="promise_in_bounds")

    def _index(self, weight, down, right):
        grid = self.shape[:3]
        _, height, width = grid
        batch, row, column = (lax.broadcasted_iota(jnp.int32, grid, axis) for axis in range(3))
        # A tap of weight zero falls back to the pixel itself, so that NaN and infinity
        # in the image stay with the kernels that hold them.
        counts = weight > 0
        row = row + jnp.where(counts, down, jnp.zeros_like(down))
        column = column + jnp.where(counts, right, jnp.zeros_like(right))
        inside = None
        if self.padding == "constant":
            inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
        row = resolve(row, height, self.padding)
        column = resolve(column, width, self.padding)
        return (batch * height + row) * width + column, inside


PADDINGS = ("edge", "reflect", "symmetric", "wrap", "constant")


def resolve(index: jax.Array, size: int, padding: str) -> jax.Array:
    """Returns the position in [0, size) that stands for `index`, anywhere outside included."""
    if padding in ("edge", "constant"):
        return jnp.clip(index, 0, size - 1)
    if padding == "wrap":
        return jnp.mod(index, size)
    if padding == "symmetric":
        folded = jnp.mod(index, 2 * size)
        return jnp.minimum(folded, 2 * size - 1 - folded)
    period = max(2 * (size - 1), 1)
    folded = jnp.mod(index, period)
    return jnp.minimum(folded, period - folded) if size > 1 else jnp.zeros_like(index)
