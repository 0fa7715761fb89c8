"""The walk along lines: its weights, their derivatives, and that strips change nothing."""

import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from deblur_jax.ops import line_walk


SHAPE = (2, 5, 7, 2)  # 140 flows or pixels; a strip of 48 divides neither rows nor images


def draw(key):
    first, second, third = jax.random.split(key, 3)
    image = jax.random.normal(first, SHAPE, dtype=float)
    blurry = jax.random.normal(second, SHAPE, dtype=float)
    return image, blurry, 6 * jax.random.normal(third, (*SHAPE[:3], 2), dtype=float)


@pytest.mark.parametrize(
    ("name", "padding"),
    [
        ("gather", "constant"),
        ("scatter", "edge"),
        ("slope", "edge"),
        *(
            pytest.param(*each, marks=pytest.mark.slow)
            for each in (("gather", "edge"), ("scatter", "constant"), ("slope", "constant"))
        ),
    ],
)
def test_strips_change_nothing(key, name, padding):
    image, blurry, flow = draw(key)
    images = {"gather": [image], "scatter": [blurry], "slope": [image, blurry]}[name]
    function = jax.jit(getattr(line_walk, name), static_argnames=("padding", "strip"))
    whole = function(*images, flow, padding=padding, strip=1000)
    strips = function(*images, flow, padding=padding, strip=48)
    np.testing.assert_allclose(strips, whole, rtol=1e-12, atol=1e-14)


def test_slope_is_the_gradient_of_the_inner_product(key):
    image, blurry, flow = draw(key)
    gather = functools.partial(line_walk.gather, image, padding="edge", strip=1000)
    value = jax.jit(lambda flow: jnp.sum(blurry * gather(flow), axis=(1, 2, 3)))
    _, direction, _ = draw(jax.random.fold_in(key, 1))
    _, forward = jax.jvp(value, (flow,), (direction,))
    slope = jax.jit(functools.partial(line_walk.slope, padding="edge", strip=1000))
    gradient = slope(image, blurry, flow)
    np.testing.assert_allclose(jnp.sum(gradient * direction, axis=(1, 2, 3)), forward, rtol=1e-10)


def test_slopes_of_a_weight_are_its_derivatives_by_half_length_and_angle(key):
    angle = jax.random.uniform(key, (200,), minval=-0.25 * np.pi, maxval=0.25 * np.pi, dtype=float)
    side = jnp.round(3 * jnp.tan(angle))
    tap = line_walk.Tap(jnp.array(3.0), side)

    def line(half, angle):
        always = jnp.ones(angle.shape, bool)
        return line_walk.Lines(half, jnp.cos(angle), jnp.sin(angle), always, jnp.ones_like(angle))

    def weight(half, angle):
        return line_walk.weight_of(line(half, angle), tap)

    none, one = jnp.zeros_like(angle), jnp.ones_like(angle)

    @jax.jit
    def both(point):
        value, by_half = jax.jvp(weight, point, (one, none))
        by_angle = jax.jvp(weight, point, (none, one))[1]
        return line_walk.weight_and_slopes_of(line(*point), tap), (value, by_half, by_angle)

    for half in (1.9, 2.7, 8.0):  # the tap is beyond, near the end, and along the middle of lines
        point = (half * one, angle)
        actual, expected = both(point)
        chex.assert_trees_all_close(tuple(actual), expected, rtol=1e-9, atol=1e-12)


def test_every_tap_of_the_capsule_is_on_the_walk():
    """All integer places of positive weight, found by brute force, are among the walk's taps."""
    angle = jnp.linspace(-0.25 * np.pi, 0.25 * np.pi, 101, dtype=float)
    flow = 13.7 * jnp.stack([jnp.cos(angle), jnp.sin(angle)], axis=-1)
    line = line_walk.lines_of(flow)

    def add(taps, total):
        return total + sum(line_walk.weight_of(line, tap) for tap in taps)

    walked = 1 + 2 * jax.jit(lambda: line_walk.walk(line, add, jnp.zeros_like(angle)))()
    place = np.arange(-9.0, 10)
    right, down = (x.reshape(-1, 1) for x in np.meshgrid(place, place))
    cosine, sine, half = np.cos(angle), np.sin(angle), (13.7 - 1) / 2
    near = np.clip(right * cosine + down * sine, -half, half)
    distance = np.hypot(right - near * cosine, down - near * sine)
    np.testing.assert_allclose(walked, np.maximum(1 - distance, 0).sum(axis=0), rtol=1e-12)
