"""Line blur: point spread function, reference, adjoint and gradients."""

import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from deblur_jax import adjoint, line_blur
from deblur_jax.ops.linear import inner
from tests.reference import line_blur as reference


PADDINGS = ["edge", "reflect", "symmetric", "wrap", "constant"]
SHAPE = (7, 9, 2)

blur = jax.jit(line_blur, static_argnames="padding")


def draw(key, shape=SHAPE, length=6.0):
    image, flow = jax.random.split(key)
    flow = length * jax.random.normal(flow, (*shape[:-1], 2), dtype=float)
    return jax.random.uniform(image, shape, dtype=float), flow


def spread(u, v, shape=SHAPE):
    return jnp.broadcast_to(jnp.array([u, v], dtype=float), (*shape[:-1], 2))


@pytest.mark.parametrize(
    ("shape", "padding"),
    [
        (SHAPE, "edge"), (SHAPE, "constant"), ((1, 6, 1), "reflect"), ((5, 1, 1), "symmetric"),
        *(pytest.param(SHAPE, each, marks=pytest.mark.slow) for each in PADDINGS[1:-1]),
    ],
)  # fmt: skip
def test_matches_the_equation_at_any_length(key, shape, padding):
    for length in (0.7, 4.0, 30.0):
        image, flow = draw(key, shape, length)
        expected = reference.line_blur(np.asarray(image), np.asarray(flow), padding=padding)
        actual = blur(image, flow, padding=padding)
        np.testing.assert_allclose(actual, expected, rtol=1e-10, atol=1e-12)


SPECIAL = [(5, 0), (0, 5), (-4, 0), (0, -3.5), (4, 4), (-4, 4), (3, -3), (2.5, 2.5), (1, 0), (8, 1)]


@pytest.mark.parametrize(("u", "v"), SPECIAL)
def test_a_point_of_light_draws_the_capsule(u, v):
    point = jnp.zeros((13, 13, 1)).at[6, 6, 0].set(1.0)
    drawn = np.asarray(blur(point, spread(u, v, point.shape)))[..., 0]
    kernel = reference.capsule(u, v)
    margin = (13 - kernel.shape[0]) // 2
    np.testing.assert_allclose(drawn, np.pad(kernel, margin), atol=1e-12)


def test_each_pixel_has_its_own_line():
    image = jnp.arange(30.0).reshape(5, 6, 1)
    flow = jnp.zeros((5, 6, 2)).at[2, 3].set(jnp.array([3.0, 0.0]))
    blurred = blur(image, flow)
    np.testing.assert_allclose(blurred[2, 3], image[2, 2:5].mean(0))
    np.testing.assert_array_equal(blurred.at[2, 3].set(image[2, 3]), image)


def test_zero_flow_changes_nothing(key):
    image, _ = draw(key)
    np.testing.assert_array_equal(blur(image, spread(0, 0)), image)


def test_a_flow_of_length_one_changes_nothing(key):
    image, _ = draw(key)
    np.testing.assert_allclose(blur(image, spread(0.6, 0.8)), image, rtol=1e-15)


def test_the_opposite_flow_draws_the_same_line(key):
    image, flow = draw(key)
    np.testing.assert_array_equal(blur(image, -flow), blur(image, flow))


@pytest.mark.parametrize("padding", ["edge", "reflect", "symmetric", "wrap"])
def test_a_flat_image_stays_flat(key, padding):
    _, flow = draw(key, length=20)
    flat = jnp.full(SHAPE, 0.3)
    np.testing.assert_allclose(blur(flat, flow, padding=padding), flat, rtol=1e-14)


@pytest.mark.parametrize("padding", ["edge", pytest.param("constant", marks=pytest.mark.slow)])
def test_adjoint_passes_the_dot_test(key, padding):
    image, flow = draw(key)
    blurry = jax.random.normal(jax.random.fold_in(key, 1), SHAPE, dtype=float)
    operator = functools.partial(blur, flow=flow, padding=padding)
    np.testing.assert_allclose(
        inner(operator(image), blurry), inner(image, adjoint(operator, image)(blurry)), rtol=1e-12
    )


@pytest.mark.parametrize(
    "padding",
    ["wrap", "constant"]
    + [pytest.param(each, marks=pytest.mark.slow) for each in ("edge", "reflect", "symmetric")],
)
def test_linear_transpose_is_the_transposed_matrix(key, padding):
    image, flow = draw(key, (4, 5, 1))
    operator = functools.partial(line_blur, flow=flow, padding=padding)
    basis = jnp.eye(20).reshape(20, 4, 5, 1)
    forward = jax.jit(jax.vmap(operator))(basis).reshape(20, 20)
    backward = jax.jit(jax.vmap(jax.linear_transpose(operator, image)))(basis)[0].reshape(20, 20)
    np.testing.assert_allclose(forward, backward.T, rtol=1e-13, atol=1e-15)


def slope_along(function, arguments, directions, step=1e-6):
    """The derivative of `function` along `directions`, by central differences."""
    ahead = function(*(x + step * d for x, d in zip(arguments, directions, strict=True)))
    behind = function(*(x - step * d for x, d in zip(arguments, directions, strict=True)))
    return (np.asarray(ahead) - np.asarray(behind)) / (2 * step)


@pytest.mark.parametrize("padding", ["edge", pytest.param("constant", marks=pytest.mark.slow)])
def test_forward_and_reverse_derivatives_match_finite_differences(key, padding):
    arguments = draw(key, (4, 5, 2))
    directions = draw(jax.random.fold_in(key, 1), (4, 5, 2), length=1.0)
    function = functools.partial(blur, padding=padding)
    expected = slope_along(function, arguments, directions)
    _, forward = jax.jit(functools.partial(jax.jvp, function))(arguments, directions)
    np.testing.assert_allclose(forward, expected, atol=1e-7)
    weights, _ = draw(jax.random.fold_in(key, 2), (4, 5, 2))
    gradients = jax.jit(jax.grad(lambda *x: inner(weights, function(*x)), (0, 1)))(*arguments)
    reverse = sum(inner(x, d) for x, d in zip(gradients, directions, strict=True))
    np.testing.assert_allclose(reverse, np.sum(expected * np.asarray(weights)), atol=1e-6)


@pytest.mark.slow  # to compile
def test_second_derivatives_match_finite_differences(key):
    arguments = draw(key, (4, 5, 1))
    directions = draw(jax.random.fold_in(key, 1), (4, 5, 1), length=1.0)
    gradient = jax.jit(jax.grad(lambda *x: jnp.sum(line_blur(*x) ** 2), (0, 1)))
    along = jax.jit(lambda *x: jax.jvp(gradient, x, directions)[1])
    for slot, second in enumerate(along(*arguments)):
        expected = slope_along(lambda *x: gradient(*x)[slot], arguments, directions)  # noqa: B023
        np.testing.assert_allclose(second, expected, atol=1e-6)


def test_the_adjoint_is_differentiable_in_the_flow(key):
    blurry, flow = draw(key, (4, 5, 1))
    image, direction = draw(jax.random.fold_in(key, 1), (4, 5, 1), length=1.0)

    def value(flow):
        return inner(image, adjoint(lambda x: line_blur(x, flow), blurry)(blurry))

    expected = slope_along(jax.jit(value), (flow,), (direction,))
    actual = inner(jax.jit(jax.grad(value))(flow), direction)
    np.testing.assert_allclose(actual, expected, atol=1e-7)


@pytest.mark.parametrize(("u", "v"), [(0, 0), (1, 0), (0.6, 0.8), (3, 0), (4, 4), (0, -5)])
def test_gradients_are_finite_at_the_kinks(key, u, v):
    image, _ = draw(key)
    gradients = jax.grad(lambda image, flow: jnp.sum(blur(image, flow) ** 2), (0, 1))
    for gradient in gradients(image, spread(u, v)):
        assert np.isfinite(gradient).all()


def test_the_flow_has_no_gradient_where_the_line_is_a_point(key):
    image, _ = draw(key)
    gradient = jax.grad(lambda flow: jnp.sum(blur(image, flow) ** 2))(spread(0.2, -0.3))
    np.testing.assert_array_equal(gradient, 0)


@pytest.mark.parametrize(
    "axes",
    [(None, 0), *(pytest.param(axes, marks=pytest.mark.slow) for axes in ((0, None), (2, 1)))],
)
def test_vmap_equals_a_loop(key, axes):
    draws = [draw(jax.random.fold_in(key, i), length=3.0 * i) for i in range(3)]
    draws = [  # an argument that is not mapped is that of the last draw
        [
            x if axis is not None else last
            for x, last, axis in zip(pair, draws[-1], axes, strict=True)
        ]
        for pair in draws
    ]
    stacked = [
        values[0] if axis is None else jnp.stack(values, axis)
        for values, axis in zip(zip(*draws, strict=True), axes, strict=True)
    ]
    function = jax.value_and_grad(lambda *pair: jnp.sum(line_blur(*pair) ** 2), (0, 1))
    together = jax.tree.leaves(jax.jit(jax.vmap(function, axes))(*stacked))
    apart = zip(*[jax.tree.leaves(jax.jit(function)(*pair)) for pair in draws], strict=True)
    for actual, expected in zip(together, apart, strict=True):
        np.testing.assert_allclose(actual, jnp.stack(expected), rtol=1e-10, atol=1e-12)


@pytest.mark.slow
def test_shards_of_a_batch_equal_the_batch(key):
    """The gradient to an image that all shards share is the sum over the shards."""
    image, _ = draw(key)
    flow = jnp.stack([draw(jax.random.fold_in(key, i))[1] for i in range(2)])
    mesh = jax.make_mesh((2,), ("b",), axis_types=(jax.sharding.AxisType.Auto,))
    shared, split = jax.sharding.PartitionSpec(), jax.sharding.PartitionSpec("b")

    def gradients(image, flow):
        blurs = jax.vmap(line_blur, (None, 0))
        return jax.grad(lambda *x: jnp.sum(blurs(*x) ** 2), (0, 1))(image, flow)

    shards = jax.shard_map(
        gradients, mesh=mesh, in_specs=(shared, split), out_specs=(shared, split)
    )
    together, apart = jax.jit(gradients)(image, flow), jax.jit(shards)(image, flow)
    chex.assert_trees_all_close(apart, together, rtol=1e-10, atol=1e-12)


@pytest.mark.slow  # to compile
def test_single_precision_gradients_to_the_flow_are_accurate_except_at_kinks(key):
    """At a kink the slope jumps, and a change of the flow by 1e-7 moves a pixel across it."""
    image, flow = (x.astype(jnp.float32) for x in draw(key, (16, 16, 1), length=100))
    gradient = jax.jit(jax.grad(lambda flow, image: jnp.sum(line_blur(image, flow) ** 2)))
    actual, expected = gradient(flow, image), gradient(flow.astype(float), image.astype(float))
    error = np.abs(actual.astype(float) - expected).max(-1) / np.abs(expected).max()
    assert np.quantile(error, 0.95) < 1e-5


def test_single_precision_is_accurate_to_two_millionths(key):
    single = [x.astype(jnp.float32) for x in draw(key, (16, 16, 3), length=18)]
    actual = np.asarray(blur(*single), np.float64)
    expected = np.asarray(blur(*(x.astype(float) for x in single)))
    np.testing.assert_array_less(np.linalg.norm(actual - expected), 2e-6 * np.linalg.norm(expected))


@pytest.mark.parametrize("dtype", [jnp.float16, jnp.float32])
def test_the_image_keeps_its_dtype(dtype):
    flow = jnp.full((*SHAPE[:2], 2), 3, jnp.float32)
    blurred = line_blur(jnp.ones(SHAPE, dtype), flow)
    assert blurred.dtype == dtype
    np.testing.assert_allclose(blurred.astype(float), 1, rtol=1e-6)


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e6])
def test_a_flow_that_is_not_finite_affects_only_its_own_pixel(key, value):
    image, flow = draw(key)
    spoiled = np.isnan(blur(image, flow.at[2, 3, 0].set(value)))
    assert spoiled[2, 3].all()
    assert spoiled.sum() == SHAPE[-1]


def test_a_nan_flow_affects_only_its_own_gradients(key):
    image, flow = draw(key)
    gradients = jax.grad(lambda *x: jnp.sum(blur(*x) * image), (0, 1))
    for gradient in gradients(image, flow.at[2, 3, 1].set(jnp.nan)):
        spoiled = np.isnan(gradient)
        assert spoiled[2, 3].all()
        assert spoiled.sum() == gradient.shape[-1]


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_bad_pixel_affects_only_lines_through_it(value):
    image = jnp.ones((7, 7, 1)).at[3, 3].set(value)
    flow = jnp.zeros((7, 7, 2)).at[3].set(jnp.array([4.0, 0.0])).at[0].set(jnp.array([9.0, 0.0]))
    spoiled = ~np.isfinite(blur(image, flow))[..., 0]
    np.testing.assert_array_equal(np.argwhere(spoiled), [(3, column) for column in range(1, 6)])


def test_an_unknown_padding_is_refused(key):
    with pytest.raises(ValueError, match=r"line_blur: padding must be one of .*, got 'mirror'"):
        line_blur(*draw(key), padding="mirror")


def test_an_image_of_integers_is_refused(key):
    _, flow = draw(key)
    with pytest.raises(TypeError, match="image must be a float array"):
        line_blur(jnp.ones(SHAPE, jnp.uint8), flow)


def test_a_complex_image_is_refused(key):
    _, flow = draw(key)
    with pytest.raises(TypeError, match="pass its real part"):
        line_blur(jnp.ones(SHAPE, complex), flow)


def test_a_flow_of_another_size_is_refused(key):
    image, flow = draw(key)
    with pytest.raises(TypeError, match=r"flow must be .* with h=7 as in image, w=9 as in image"):
        jax.jit(line_blur)(image, flow[:-1])
