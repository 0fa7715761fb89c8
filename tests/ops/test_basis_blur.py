"""Basis blur: point spread function, reference, adjoint, transformations and errors."""

import itertools
from functools import partial

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from deblur_jax import adjoint, basis_blur
from deblur_jax.ops import fourier, tiling
from deblur_jax.ops.basis_blur import METHODS as CHOICES
from deblur_jax.ops.basis_blur import ORDERS, choose_method
from deblur_jax.ops.boundary import PADDINGS
from deblur_jax.ops.dense_blur import dense_blur
from deblur_jax.ops.linear import inner
from deblur_jax.ops.pixelwise import FEW_KERNELS
from tests.reference import basis_blur as reference


METHODS = [method for method in CHOICES if method != "auto"]
# Even, odd and oblong frames; in the last the kernel is larger than the frame.
SIZES = ((9, 8, 5, "reflect"), (4, 5, 13, "wrap"))

blur = jax.jit(basis_blur, static_argnames=("order", "padding", "method", "precision"))


def sample(key, height, width, side, basis=4, channels=3):
    """Return a random image and a valid random kernel field for it."""
    image_key, kernel_key, mixing_key = jax.random.split(key, 3)
    image = jax.random.normal(image_key, (height, width, channels))
    kernels = jax.random.uniform(kernel_key, (basis, side, side))
    kernels = kernels / jnp.sum(kernels, axis=(1, 2), keepdims=True)
    mixing = jax.nn.softmax(jax.random.normal(mixing_key, (height, width, basis)))
    return image, kernels, mixing


@pytest.mark.parametrize("method", METHODS)
def test_a_point_of_light_draws_its_kernel_turned(key, method):
    _, kernels, _ = sample(key, 11, 11, 5, basis=1)
    point = jnp.zeros((11, 11, 1)).at[5, 5, 0].set(1.0)
    blurred = blur(point, kernels, jnp.ones((11, 11, 1)), method=method)
    np.testing.assert_allclose(blurred[3:8, 3:8, 0], kernels[0, ::-1, ::-1], atol=1e-12)


@pytest.mark.parametrize("method", METHODS)
def test_gather_uses_the_kernel_of_the_output_pixel_and_scatter_that_of_the_source(method):
    kernels = jnp.zeros((2, 3, 3)).at[0, 1, 1].set(1.0).at[1, 1, 0].set(1.0)  # stay, look left
    mixing = jax.nn.one_hot(jnp.broadcast_to(jnp.arange(8) // 4, (6, 8)), 2, dtype=jnp.float64)
    image = jnp.arange(1.0, 49.0).reshape(6, 8, 1)
    apply = partial(blur, image, kernels, mixing, method=method)
    gathered, scattered = apply(order="gather"), apply(order="scatter")
    np.testing.assert_allclose(gathered[:, :4], image[:, :4], atol=1e-12)
    np.testing.assert_allclose(gathered[:, 4:], image[:, 3:7], atol=1e-12)
    np.testing.assert_allclose(scattered[:, 4], 0.0, atol=1e-12)
    np.testing.assert_allclose(scattered[:, 5:], image[:, 4:7], atol=1e-12)


@pytest.mark.parametrize("method", METHODS)
def test_a_flat_image_stays_flat_when_gathering(key, method):
    _, kernels, mixing = sample(key, 8, 7, 5)
    flat = jnp.full((8, 7, 3), 0.25)
    np.testing.assert_allclose(blur(flat, kernels, mixing, method=method), flat, rtol=1e-12)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("order", ORDERS)
def test_a_centre_tap_changes_nothing(key, order, method):
    image, _, mixing = sample(key, 8, 7, 5)
    kernels = jnp.zeros((4, 5, 5)).at[:, 2, 2].set(1.0)
    blurred = blur(image, kernels, mixing, order=order, method=method)
    np.testing.assert_allclose(blurred, image, atol=1e-12)


@pytest.mark.parametrize(
    ("size", "order", "method"),
    [
        pytest.param(size, order, method, marks=[pytest.mark.slow] * (index % 4 in (1, 2)))
        for index, (size, order, method) in enumerate(itertools.product(SIZES, ORDERS, METHODS))
    ],
)
def test_matches_the_equation(key, size, order, method):
    height, width, side, padding = size
    arrays = sample(key, height, width, side, basis=3)
    expected = reference.basis_blur(*map(np.asarray, arrays), order=order, padding=padding)
    actual = blur(*arrays, order=order, padding=padding, method=method)
    np.testing.assert_allclose(actual, expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(("side", "basis"), [(5, FEW_KERNELS), (5, FEW_KERNELS + 1), (13, 3)])
def test_each_implementation_of_pixelwise_matches_the_equation(key, side, basis):
    """Where the taps are used, by a product for a row of pixels, and with a loop over the taps."""
    arrays = sample(key, 5, 6, side, basis=basis)
    expected = reference.basis_blur(*map(np.asarray, arrays), order="gather", padding="reflect")
    actual = blur(*arrays, method="pixelwise")
    np.testing.assert_allclose(actual, expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(
    ("padding", "order"),
    [*((padding, "gather") for padding in PADDINGS[1:]), ("constant", "scatter")],
)
def test_matches_the_equation_with_every_padding(key, padding, order):
    arrays = sample(key, 5, 6, 5, basis=2)
    expected = reference.basis_blur(*map(np.asarray, arrays), order=order, padding=padding)
    actual = blur(*arrays, order=order, padding=padding, method="pixelwise")
    np.testing.assert_allclose(actual, expected, rtol=1e-10, atol=1e-12)


def test_gather_equals_a_dense_blur_with_the_mixed_kernels(key):
    image, kernels, mixing = sample(key, 8, 7, 5)
    dense = dense_blur(image, jnp.einsum("hwk,kst->hwst", mixing, kernels))
    np.testing.assert_allclose(blur(image, kernels, mixing, method="pixelwise"), dense, rtol=1e-10)


@pytest.mark.parametrize(
    ("order", "method"),
    [
        ("gather", "fft"),
        ("scatter", "pixelwise"),
        pytest.param("gather", "pixelwise", marks=pytest.mark.slow),
        pytest.param("scatter", "fft", marks=pytest.mark.slow),
    ],
)
def test_adjoint_passes_the_dot_test_and_equals_the_linear_transpose(key, order, method):
    x, kernels, mixing = sample(key, 7, 6, 3)
    y = jax.random.normal(jax.random.fold_in(key, 1), x.shape)
    operator = partial(basis_blur, kernels=kernels, mixing=mixing, order=order, method=method)

    @jax.jit
    def both(x, y):
        return operator(x), adjoint(operator, x)(y), jax.linear_transpose(operator, x)(y)[0]

    forward, backward, transposed = both(x, y)
    np.testing.assert_allclose(inner(forward, y), inner(x, backward), rtol=1e-10)
    np.testing.assert_allclose(transposed, backward, rtol=1e-10, atol=1e-12)


def test_the_adjoint_of_gather_is_scatter_with_turned_kernels_on_a_wrapped_frame(key):
    y, kernels, mixing = sample(key, 8, 7, 5)
    gather = partial(basis_blur, kernels=kernels, mixing=mixing, padding="wrap")
    scattered = blur(y, kernels[:, ::-1, ::-1], mixing, order="scatter", padding="wrap")
    np.testing.assert_allclose(jax.jit(adjoint(gather, y))(y), scattered, atol=1e-12)


@pytest.mark.parametrize(
    ("order", "method"),
    [
        ("gather", "pixelwise"),
        ("scatter", "fft"),
        pytest.param("gather", "fft", marks=pytest.mark.slow),
        pytest.param("scatter", "pixelwise", marks=pytest.mark.slow),
    ],
)
def test_first_and_second_derivatives_match_finite_differences(key, order, method):
    arrays = sample(key, 3, 4, 3, basis=2, channels=1)
    directions = [
        jax.random.normal(jax.random.fold_in(key, i), x.shape) for i, x in enumerate(arrays)
    ]

    def along(t):
        moved = [x + t * direction for x, direction in zip(arrays, directions, strict=True)]
        return jnp.sum(jnp.square(basis_blur(*moved, order=order, method=method)))

    def slope(t):
        return jax.grad(along)(t)

    # A polynomial of degree six in t: central differences of high order are exact but for rounding.
    weights = np.asarray([-1.0, 9.0, -45.0, 0.0, 45.0, -9.0, 1.0]) / 60 / 0.1
    steps = 0.1 * jnp.arange(-3.0, 4.0)

    @jax.jit
    def differentiate(t):  # one after another, so that there is one program and not seven
        first, second = jax.jvp(slope, (t,), (jnp.ones_like(t),))
        return along(t), jax.jvp(along, (t,), (jnp.ones_like(t),))[1], first, second

    values, forward, first, second = np.stack([differentiate(t) for t in steps], axis=1)
    np.testing.assert_allclose(first[3], weights @ values, rtol=1e-9)
    np.testing.assert_allclose(forward[3], first[3], rtol=1e-12)
    np.testing.assert_allclose(second[3], weights @ first, rtol=1e-9)


@pytest.mark.parametrize(
    ("order", "side"),
    [("gather", 9), ("scatter", 3), pytest.param("gather", 3, marks=pytest.mark.slow)],
)
def test_every_method_has_the_same_gradients(key, order, side):
    """With the larger side, those of "pixelwise" to the kernels and mixing are by transforms."""
    arrays = sample(key, 5, 6, side, basis=3)

    @partial(jax.jit, static_argnums=0)
    def gradients(method):
        def energy(*arrays):
            return jnp.sum(jnp.sin(basis_blur(*arrays, order=order, method=method)))

        return jax.grad(energy, (0, 1, 2))(*arrays)

    chex.assert_trees_all_close(gradients("pixelwise"), gradients("fft"), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("method", METHODS)
def test_vmap_equals_a_loop(key, method):
    samples = [sample(k, 8, 7, 5) for k in jax.random.split(key, 2)]
    batch = [jnp.stack(arrays) for arrays in zip(*samples, strict=True)]
    looped = jnp.stack([blur(*arrays, method=method) for arrays in samples])
    batched = jax.jit(jax.vmap(partial(basis_blur, method=method)))(*batch)
    np.testing.assert_allclose(batched, looped, rtol=1e-10)


@pytest.mark.parametrize(
    ("side", "method"),
    [(3, "pixelwise"), (13, "fft"), pytest.param(3, "fft", marks=pytest.mark.slow),
     pytest.param(13, "pixelwise", marks=pytest.mark.slow)],
)  # fmt: skip
def test_single_precision_is_within_two_millionths_of_double(key, side, method):
    arrays = sample(key, 24, 24, side)
    exact = blur(*arrays, method="pixelwise")
    single = blur(*[array.astype(jnp.float32) for array in arrays], method=method)
    scale = float(jnp.max(jnp.abs(exact)))
    np.testing.assert_allclose(single, exact, rtol=0, atol=2e-6 * scale)


@pytest.mark.parametrize("method", METHODS)
def test_in_single_precision_adjoints_are_exact_and_flat_images_flat(key, method):
    x, kernels, mixing = [a.astype(jnp.float32) for a in sample(key, 24, 24, 9)]
    y = jax.random.normal(jax.random.fold_in(key, 1), x.shape, jnp.float32)
    operator = partial(basis_blur, kernels=kernels, mixing=mixing, method=method)

    @jax.jit
    def run(x, y):
        return operator(x), adjoint(operator, x)(y), operator(jnp.full_like(x, 0.25))

    forward, backward, flat = run(x, y)
    scale = float(jnp.linalg.norm(forward) * jnp.linalg.norm(y))
    assert abs(float(inner(forward, y) - inner(x, backward))) < 1e-6 * scale
    np.testing.assert_allclose(flat, 0.25, rtol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("height", "width", "side"), [(256, 256, 33), (90, 640, 65), (720, 96, 9)])
def test_single_precision_is_as_accurate_on_photographs_sizes(key, height, width, side, method):
    arrays = sample(key, height, width, side)
    exact = blur(*arrays, method="fft")
    single = blur(*[array.astype(jnp.float32) for array in arrays], method=method)
    np.testing.assert_allclose(single, exact, rtol=0, atol=2e-6 * float(jnp.max(jnp.abs(exact))))


@pytest.mark.parametrize(
    ("bits", "stated"), [(10, 0.002), pytest.param(7, 0.016, marks=pytest.mark.slow)]
)
def test_rounded_factors_cause_at_most_the_documented_error(key, bits, stated):
    """TF32 keeps 10 bits of each factor of a product and bfloat16 keeps 7; sums stay in float32."""
    image, kernels, mixing = (x.astype(jnp.float32) for x in sample(key, 20, 21, 9))
    image, round_off = jnp.abs(image), partial(jax.lax.reduce_precision, exponent_bits=8)

    @jax.jit
    def rounded(image, kernels, mixing):
        image, kernels, mixing = (
            round_off(x, mantissa_bits=bits) for x in (image, kernels, mixing)
        )
        one = jnp.ones((*image.shape[:2], 1), image.dtype)
        filtered = [basis_blur(image, kernel[None], one, method="pixelwise") for kernel in kernels]
        filtered = round_off(jnp.stack(filtered), mantissa_bits=bits)
        return jnp.einsum("khwc,hwk->hwc", filtered, mixing, precision="highest")

    error = jnp.abs(rounded(image, kernels, mixing) / blur(image, kernels, mixing) - 1)
    assert 2.0 ** -(bits + 6) < float(jnp.max(error)) < stated


@pytest.mark.parametrize("order", ORDERS)
def test_matrix_products_use_the_given_precision_and_the_highest_by_default(order):
    basis = FEW_KERNELS + 1  # fewer kernels of single pixels are made without products
    shapes = ((5, 6, 3), (basis, 3, 3), (5, 6, basis))
    arrays = [jax.ShapeDtypeStruct(shape, jnp.float32) for shape in shapes]
    for precision in ("default", "highest"):
        options = {"precision": precision} if precision == "default" else {}
        lowered = jax.jit(partial(basis_blur, order=order, method="pixelwise", **options)).lower(
            *arrays
        )
        products = [
            line for line in lowered.as_text().splitlines() if "stablehlo.dot_general" in line
        ]
        assert products
        assert all(("HIGHEST" in line) == (precision == "highest") for line in products)


def test_auto_chooses_pixelwise_for_small_kernels():
    assert choose_method(9, 5, "cpu") == "pixelwise"
    assert choose_method(17, 25, "cpu") == "pixelwise"
    assert choose_method(13, 5, "cpu") == "fft"
    assert choose_method(33, 25, "cpu") == "fft"
    assert choose_method(9, 25, "gpu") == "fft"


@pytest.mark.parametrize("dtype", [jnp.bfloat16, pytest.param(jnp.float16, marks=pytest.mark.slow)])
def test_half_precision_is_computed_in_single_and_returned_in_half(key, dtype):
    arrays = [array.astype(dtype) for array in sample(key, 6, 7, 3)]
    exact = blur(*[array.astype(jnp.float32) for array in arrays])
    blurred = blur(*arrays)
    assert blurred.dtype == dtype
    np.testing.assert_array_equal(blurred, exact.astype(dtype))


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
def test_the_dtype_is_kept(key, dtype):
    arrays = [array.astype(dtype) for array in sample(key, 6, 7, 3)]
    assert blur(*arrays).dtype == dtype


def test_an_even_kernel_is_refused(key):
    image, _, mixing = sample(key, 8, 8, 3)
    with pytest.raises(ValueError, match=r"kernels must have odd sides .* got 4x4; pad them"):
        blur(image, jnp.ones((4, 4, 4)), mixing)


def test_mixing_of_another_size_is_refused(key):
    image, kernels, mixing = sample(key, 8, 8, 3)
    with pytest.raises(TypeError, match=r"mixing must be .*\[h, w, k\] with h=8 as in image"):
        blur(image, kernels, mixing[:-1])


@pytest.mark.parametrize("option", ["order", "padding", "method", "precision"])
def test_the_error_for_an_unknown_option_lists_the_known_ones(key, option):
    with pytest.raises(ValueError, match=rf"basis_blur: {option} must be one of \[.*'sideways'"):
        blur(*sample(key, 8, 8, 3), **{option: "sideways"})


def test_a_kernel_that_is_not_square_is_refused(key):
    image, _, mixing = sample(key, 8, 8, 3)
    with pytest.raises(
        TypeError, match=r"kernels must be a float array of shape \[k, s, s\].*3, 5"
    ):
        blur(image, jnp.ones((4, 3, 5)), mixing)


def test_an_empty_basis_is_refused(key):
    image, kernels, mixing = sample(key, 8, 8, 3)
    with pytest.raises(ValueError, match="basis_blur: kernels must not be empty"):
        blur(image, kernels[:0], mixing[..., :0])


@pytest.mark.parametrize("empty", [np.s_[:0], np.s_[:, :0], np.s_[:, :, :0]])
def test_an_empty_image_is_refused(key, empty):
    image, kernels, mixing = sample(key, 8, 8, 3)
    with pytest.raises(ValueError, match="basis_blur: image must not be empty"):
        blur(image[empty], kernels, mixing[empty])


def test_kernels_without_taps_are_refused(key):
    image, kernels, mixing = sample(key, 8, 8, 3)
    with pytest.raises(ValueError, match="basis_blur: kernels must not be empty"):
        blur(image, kernels[:, :0, :0], mixing)


def test_mixing_of_another_basis_is_refused(key):
    image, kernels, mixing = sample(key, 8, 8, 3)
    with pytest.raises(TypeError, match=r"mixing must be .* k=4 as in kernels"):
        blur(image, kernels, mixing[..., :3])


def test_kernels_of_integers_are_refused(key):
    image, kernels, mixing = sample(key, 8, 8, 3)
    with pytest.raises(TypeError, match=r"kernels must be a float array"):
        blur(image, jnp.ones(kernels.shape, jnp.int32), mixing)


def test_an_image_of_integers_is_refused_with_the_conversion(key):
    image, kernels, mixing = sample(key, 8, 8, 3)
    with pytest.raises(TypeError, match=r"image must be .*image.astype\('float32'\) / 255"):
        blur(jnp.zeros(image.shape, jnp.uint8), kernels, mixing)


def test_the_error_for_a_complex_image_suggests_its_real_part(key):
    image, kernels, mixing = sample(key, 8, 8, 3)
    with pytest.raises(TypeError, match=r"image must be .*pass its real part"):
        blur(image.astype(jnp.complex128), kernels, mixing)


def test_a_batch_is_refused(key):
    image, kernels, mixing = sample(key, 8, 8, 3)
    with pytest.raises(TypeError, match=r"image must be a float array of shape \[h, w, c\], got"):
        blur(image[None], kernels, mixing)


def test_a_nan_pixel_affects_only_pixels_within_its_kernel(key):
    image, kernels, mixing = sample(key, 8, 7, 5)
    spoiled = blur(image.at[4, 3].set(jnp.nan), kernels, mixing, method="pixelwise")
    expected = np.zeros((8, 7, 3), bool)
    expected[2:7, 1:6] = True
    np.testing.assert_array_equal(jnp.isnan(spoiled), expected)


@pytest.mark.parametrize("method", METHODS)
def test_nan_mixing_affects_only_its_own_pixel(key, method):
    image, kernels, mixing = sample(key, 8, 7, 5)
    spoiled = blur(image, kernels, mixing.at[4, 5, 0].set(jnp.nan), method=method)
    np.testing.assert_array_equal(np.argwhere(jnp.isnan(spoiled[..., 0])), [(4, 5)])


def test_with_fft_a_nan_pixel_affects_only_its_own_tile(key):
    image, kernels, mixing = sample(key, 40, 12, 3)
    padded = jnp.pad(image.at[2, 2].set(jnp.nan), ((1, 1), (1, 1), (0, 0)))
    small = jax.jit(partial(fourier.filter_then_mix, tile_pixels=16 * 16))
    rows, _ = tiling.plan((40, 12), 2, 16 * 16)
    spoiled = jnp.isnan(small(padded, kernels, mixing))
    assert rows.count > 1
    assert bool(spoiled[1:4, 1:4].all())
    assert not bool(spoiled[rows.block :].any())


@pytest.mark.parametrize("order", ["gather", pytest.param("scatter", marks=pytest.mark.slow)])
def test_pixelwise_derivatives_map_over_batches(key, order):
    samples = [sample(k, 5, 4, 3, basis=2) for k in jax.random.split(key, 2)]
    batch = [jnp.stack(arrays) for arrays in zip(*samples, strict=True)]

    def energy(image, kernels, mixing):
        options = {"order": order, "method": "pixelwise"}
        return jnp.sum(jnp.sin(basis_blur(image, kernels, mixing, **options)))

    gradient = jax.jit(jax.grad(energy, (0, 1, 2)))
    mapped = jax.jit(jax.vmap(jax.grad(energy, (0, 1, 2)), in_axes=(0, None, 0)))
    images, _, mixings = batch
    looped = [gradient(image, samples[0][1], mixing) for image, _, mixing in samples]
    expected = tuple(jnp.stack(parts) for parts in zip(*looped, strict=True))
    chex.assert_trees_all_close(mapped(images, samples[0][1], mixings), expected, rtol=1e-10)
