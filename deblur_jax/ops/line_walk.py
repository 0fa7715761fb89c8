"""A walk along the lines of all pixels at once, one pixel a step.

The kernel of a flow of length m is a capsule, a segment of length m - 1 with a soft edge one
pixel wide: the tap q has the weight max(0, 1 - distance from q to the segment). Each line is
walked along its longer axis. It deviates from that axis by at most 45 degrees, so a tap of positive
weight is less than sqrt(2) away from the line across the axis, and the three integers nearest to
the line suffice. The kernel is symmetric: the walk covers one half, and each weight serves two
taps.

Images are [b h w c], flows [b h w 2]. Pixels are processed in strips of `n`, and each strip walks
as far as its longest line. On a CPU, strips that fit into the cache also make the walk fast.
"""

import functools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from deblur_jax.ops.boundary import resolve_index


LONGEST = 2**14  # pixels; on longer lines float32 misplaces taps by a thousandth of a pixel
LANES = 16  # float32 numbers in a vector register of a CPU


class Lines(NamedTuple):
    """One line for each pixel, reversed where needed to run forward on its longer axis; all [n]."""

    half: jax.Array  # half the length of the segment
    major: jax.Array  # cosine of the angle between the line and its longer axis
    minor: jax.Array  # sine of that angle, with a sign
    horizontal: jax.Array  # whether the longer axis is the row
    one: jax.Array  # the weight of the pixel itself: 1, or NaN where the flow is not a line


def lines_of(flow: jax.Array) -> Lines:
    """Returns the lines of a flow, which do not depend on flows of length at most 1."""
    u, v = flow[..., 0], flow[..., 1]
    # Flows that are not finite or too long must not determine the length of the walk.
    valid = (jnp.abs(u) <= LONGEST) & (jnp.abs(v) <= LONGEST)
    moves = valid & (u * u + v * v > 1)
    right = jnp.where(moves, u, jnp.ones_like(u))
    down = jnp.where(moves, v, jnp.zeros_like(v))
    length = jnp.sqrt(right * right + down * down)
    horizontal = jnp.abs(right) >= jnp.abs(down)
    major = jnp.where(horizontal, right, down) / length
    minor = jnp.where(horizontal, down, right) / length
    return Lines(
        half=(length - 1) / 2,
        major=jnp.abs(major),
        minor=jnp.where(major < 0, -minor, minor),
        horizontal=horizontal,
        one=jnp.where(valid, jnp.ones_like(u), jnp.full_like(u, jnp.nan)),
    )


class Tap(NamedTuple):
    """A position on the walk: `along` the longer axis (a scalar), `side` across it ([n])."""

    along: jax.Array
    side: jax.Array


def walk(line: Lines, step: Callable[[list[Tap], Any], Any], state: Any) -> Any:
    """Folds `step` over the taps of one half of every line, excluding the pixel itself."""
    dtype = line.half.dtype
    slope = lax.stop_gradient(line.minor / line.major)
    reach = jnp.ceil(jnp.max(lax.stop_gradient(line.half * line.major)))

    def body(carry):
        along, state = carry
        centre = jnp.round(along * slope)
        taps = [Tap(along, centre + offset) for offset in (-1, 0, 1)]
        return along + 1, step(taps, state)

    # The halves meet beside the pixel: the tap on the side to which the line leans is forward.
    beside = Tap(jnp.zeros((), dtype), jnp.where(slope < 0, -jnp.ones_like(slope), 1))
    start = (jnp.ones((), dtype), step([beside], state))
    return lax.while_loop(lambda carry: carry[0] <= reach, body, start)[1]


def offsets(line: Lines, tap: Tap) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Returns the distance of a tap from the line, and its coordinate along the line in two parts.

    The first part is the nearest point of the segment, measured from the pixel; the second is the
    distance beyond the end of the segment. No tap of a walk lies behind the pixel.
    """
    off = tap.side * line.major - tap.along * line.minor
    forward = tap.along * line.major + tap.side * line.minor
    near = jnp.minimum(forward, line.half)
    return off, near, forward - near


def weight_of(line: Lines, tap: Tap) -> jax.Array:
    """Returns the weight of a tap, which is also that of the opposite tap."""
    off, _, beyond = offsets(line, tap)
    squared = off * off + beyond * beyond
    apart = squared > 0  # on the line, the derivative of the root is defined as zero
    distance = jnp.where(apart, jnp.sqrt(jnp.where(apart, squared, jnp.ones_like(off))), squared)
    return jnp.maximum(1 - distance, 0)


def weight_and_slopes_of(line: Lines, tap: Tap) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Returns the weight of a tap and its derivatives by `half` and by the angle of the line."""
    off, near, beyond = offsets(line, tap)
    squared = off * off + beyond * beyond
    apart = squared > 0
    inverse = jnp.where(apart, lax.rsqrt(jnp.where(apart, squared, jnp.ones_like(off))), squared)
    weight = jnp.maximum(1 - squared * inverse, 0)
    inverse = jnp.where(squared < 1, inverse, jnp.zeros_like(inverse))
    return weight, beyond * inverse, off * inverse * near


class Frame(NamedTuple):
    """The positions of a strip's pixels in the stack of images, and the padding."""

    height: int
    width: int
    padding: str
    own: jax.Array  # flat index of every pixel, [n]
    top: jax.Array  # flat index of the first pixel of its image
    row: jax.Array  # row in its image
    column: jax.Array

    def locate(
        self, line: Lines, weight: jax.Array, tap: Tap, sign: int
    ) -> tuple[jax.Array, jax.Array | None]:
        """Returns the flat index of a tap, and whether it is lit; None if all taps are."""
        along = jnp.full(line.half.shape, sign * tap.along.astype(jnp.int32))
        side = sign * tap.side.astype(jnp.int32)
        row = self.row + jnp.where(line.horizontal, side, along)
        column = self.column + jnp.where(line.horizontal, along, side)
        near_row = resolve_index(row, self.height, self.padding)
        near_column = resolve_index(column, self.width, self.padding)
        counts = weight > 0
        lit = None
        if self.padding == "constant":
            lit = (near_row == row) & (near_column == column)
            counts &= lit
        index = self.top + near_row * self.width + near_column
        # A tap of weight zero reads the pixel itself, so that NaN and infinity do not spread to
        # kernels that do not contain them.
        return jnp.where(counts, index, self.own), lit


def make_frame(shape: tuple[int, ...], padding: str, first: jax.Array, size: int) -> Frame:
    """Returns the frame of `size` pixels from index `first` of the flattened images."""
    images, height, width = shape[:3]
    pixel = first + lax.iota(jnp.int32, size)
    pixel = jnp.minimum(pixel, images * height * width - 1)  # the last strip may not be full
    top = pixel // (height * width) * (height * width)
    row = (pixel - top) // width
    return Frame(height, width, padding, pixel, top, row, pixel - top - row * width)


def by_strips(
    function: Callable, total: Any, shape: tuple[int, ...], padding: str, strip: int, *arrays: Any
) -> tuple[Any, Any]:
    """Scans `function(total, frame, *pixels)` over strips of at most about `strip` pixels."""
    pixels = math.prod(shape[:3])
    count = -(-pixels // strip)
    # XLA on a CPU does not vectorise loops of odd sizes, which halves their speed.
    size = LANES * -(-pixels // (LANES * count))

    def cut(array):
        array = array.reshape(pixels, array.shape[-1])
        array = jnp.pad(array, [(0, count * size - pixels), (0, 0)])
        return array.reshape(count, size, array.shape[-1])

    def body(total, inputs):
        first, *arrays = inputs
        return function(total, make_frame(shape, padding, first, size), *arrays)

    firsts = size * jnp.arange(count, dtype=jnp.int32)
    total, parts = lax.scan(body, total, (firsts, *map(cut, arrays)))
    if parts is not None:
        parts = parts.reshape(count * size, parts.shape[-1])[:pixels]
        parts = parts.reshape(*shape[:3], parts.shape[-1])
    return total, parts


def where_lit(lit: jax.Array | None, values: jax.Array) -> jax.Array:
    """Returns the values, set to zero where there is no light."""
    return values if lit is None else jnp.where(lit, values, jnp.zeros_like(values))


def read(source: jax.Array, index: jax.Array) -> jax.Array:
    """Returns the pixels at flat indices, [n c]."""
    return source.at[index].get(mode="promise_in_bounds")


def gather(image: jax.Array, flow: jax.Array, *, padding: str, strip: int) -> jax.Array:
    """Returns the blurred images: every pixel gathers along its line."""
    source = image.reshape(-1, image.shape[-1])

    def blur(total, frame, flow):
        line = lines_of(flow)

        def step(taps, state):
            light, mass = state
            for tap in taps:
                weight = weight_of(line, tap)
                for sign in (1, -1):
                    index, lit = frame.locate(line, weight, tap, sign)
                    light = light + where_lit(lit, weight)[:, None] * read(source, index)
                mass = mass + 2 * weight
            return light, mass

        start = (line.one[:, None] * read(source, frame.own), line.one)
        light, mass = walk(line, step, start)
        return total, light / mass[:, None]

    return by_strips(blur, None, image.shape, padding, strip, flow)[1]


def scatter(blurry: jax.Array, flow: jax.Array, *, padding: str, strip: int) -> jax.Array:
    """Returns the adjoint of `gather`: every pixel scatters along its line."""
    channels = range(blurry.shape[-1])

    def spread(total, frame, flow, blurry):
        line = lines_of(flow)

        def weigh(taps, mass):
            return mass + 2 * sum(weight_of(line, tap) for tap in taps)

        mass = walk(line, weigh, line.one)
        shares = [blurry[:, channel] / mass for channel in channels]

        def add(total, index, weight):
            # One plane for each channel: backends scatter single numbers faster than vectors.
            return [
                plane.at[index].add(weight * share, mode="promise_in_bounds")
                for share, plane in zip(shares, total, strict=True)
            ]

        def step(taps, total):
            for tap in taps:
                weight = weight_of(line, tap)
                for sign in (1, -1):
                    index, lit = frame.locate(line, weight, tap, sign)
                    total = add(total, index, where_lit(lit, weight))
            return total

        return walk(line, step, add(total, frame.own, line.one)), None

    planes = [jnp.zeros_like(blurry[..., 0]).reshape(-1) for _ in channels]
    total, _ = by_strips(spread, planes, blurry.shape, padding, strip, flow, blurry)
    return jnp.stack(total, axis=-1).reshape(blurry.shape)


def slope(
    image: jax.Array, blurry: jax.Array, flow: jax.Array, *, padding: str, strip: int
) -> jax.Array:
    """Returns the gradient of <blurry, gather(image, flow)> with respect to the flow."""
    source = image.reshape(-1, image.shape[-1])
    channels = range(image.shape[-1])

    def differentiate(total, frame, flow, blurry):
        line = lines_of(flow)
        planes = [blurry[:, channel] for channel in channels]

        def inner(light):  # unrolled: on a CPU a short reduction after a gather is slow
            return functools.reduce(jnp.add, [light[:, c] * planes[c] for c in channels])

        def step(taps, state):
            for tap in taps:
                factors = weight_and_slopes_of(line, tap)
                light = jnp.zeros_like(line.one)
                for sign in (1, -1):
                    index, lit = frame.locate(line, factors[0], tap, sign)
                    light = light + where_lit(lit, inner(read(source, index)))
                state = [
                    (total + factor * light, mass + 2 * factor)
                    for factor, (total, mass) in zip(factors, state, strict=True)
                ]
            return state

        none = jnp.zeros_like(line.one)
        own = line.one * inner(read(source, frame.own))
        (light, mass), *slopes = walk(line, step, [(own, line.one), (none, none), (none, none)])
        by_half, by_angle = ((x - light / mass * m) / mass for x, m in slopes)
        return total, turn_back(line, flow, by_half, by_angle)

    return by_strips(differentiate, None, image.shape, padding, strip, flow, blurry)[1]


def turn_back(line: Lines, flow: jax.Array, by_half: jax.Array, by_angle: jax.Array) -> jax.Array:
    """Converts a gradient by half length and angle to one by (u, v), zero where nothing moves."""
    by_length = by_half / 2
    by_arc = by_angle / (2 * line.half + 1)
    major = by_length * line.major - by_arc * line.minor
    minor = by_length * line.minor + by_arc * line.major
    right = jnp.where(line.horizontal, major, minor)
    down = jnp.where(line.horizontal, minor, major)
    forward = jnp.where(line.horizontal, flow[..., 0], flow[..., 1])
    sign = jnp.where(line.half > 0, jnp.sign(forward), line.one - 1)
    return jnp.stack([sign * right, sign * down], axis=-1)
