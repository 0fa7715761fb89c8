"""Tiles: they cover the photo, give the result of the whole, and shrink when memory runs out."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from deblur_jax.ops.operators import BasisBlur, LineBlur, WindowedBlur
from deblur_jax.solvers.tiles import halved, restore_tiled, tiles


@pytest.mark.parametrize("size", [(40, 50), (41, 33), (20, 90)])
@pytest.mark.parametrize(("halo", "blend"), [(0, 0), (3, 4), (5, 0)])
def test_the_weights_sum_to_one_everywhere(size, halo, blend):
    tile = (min(size[0], 24), min(size[1], 28))
    total = np.zeros((*size, 1))
    for piece in tiles(size, tile, halo, blend):
        assert piece.weights.shape == (*tile, 1)
        total[piece.rows, piece.columns] += piece.weights
    np.testing.assert_allclose(total, 1, atol=1e-6)


def test_an_operator_in_tiles_is_the_operator(key):
    keys = jax.random.split(key, 4)
    image = np.asarray(jax.random.uniform(keys[0], (40, 50, 2)))
    kernels = jax.nn.softmax(jax.random.normal(keys[1], (2, 25))).reshape(2, 5, 5)
    mixing = np.asarray(jax.nn.softmax(jax.random.normal(keys[2], (40, 50, 2))))
    whole = BasisBlur(kernels, mixing)(image)
    tiled = restore_tiled(
        lambda x, m: BasisBlur(kernels, m)(x), image, mixing, halo=2, blend=3, tile=(20, 24)
    )
    np.testing.assert_allclose(tiled, whole, atol=1e-6)
    flow = np.asarray(4 * jax.random.normal(keys[3], (40, 50, 2)).clip(-1, 1))
    tiled = restore_tiled(lambda x, f: LineBlur(f)(x), image, flow, halo=3, blend=3, tile=(20, 24))
    np.testing.assert_allclose(tiled, LineBlur(flow)(image), atol=1e-6)


def test_all_tiles_share_one_compilation():
    traced = []

    def restore(image):
        traced.append(image.shape)
        return image

    restore_tiled(restore, np.zeros((40, 50, 1)), halo=1, blend=2, tile=(20, 24))
    assert traced == [(20, 24, 1)]


def test_a_function_that_compiles_itself_is_called_with_arrays():
    seen = []

    def restore(image, blur):
        seen.append(type(image))
        return np.asarray(blur(jnp.asarray(image)))

    image = np.random.default_rng(0).uniform(size=(40, 50, 1))
    kernels = np.full((2, 1, 3, 3), 1 / 9)
    blur = WindowedBlur(kernels, np.asarray([0.0, 30.0]), np.asarray([20.0]))
    tiled = restore_tiled(restore, image, blur, halo=2, blend=3, tile=(24, 50), compiled=True)
    assert seen == [np.ndarray] * len(seen)
    np.testing.assert_allclose(tiled, blur(jnp.asarray(image)), atol=1e-6)


OUT_OF_MEMORY = jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 9 bytes")


@pytest.mark.parametrize("error", [MemoryError(), OUT_OF_MEMORY], ids=["host", "device"])
def test_when_memory_runs_out_tiles_are_halved(error):
    tried = []

    def restore(image):
        tried.append(image.shape[:2])
        if image.size > 600:
            raise error
        return 2 * image

    photo = np.random.default_rng(0).uniform(size=(40, 50, 1))
    result = restore_tiled(restore, photo, halo=1, blend=2, tile=(40, 50))
    np.testing.assert_allclose(result, 2 * photo, rtol=1e-6)
    assert tried[0] == (40, 50)
    assert (40, 25) in tried
    assert halved((40, 50)) == (40, 25)
    assert halved((41, 30)) == (21, 30)


def test_when_a_device_has_not_the_memory_for_a_tile_it_is_halved():
    tried = []

    def restore(image):
        tried.append(image.shape[:2])
        if image.size > 1000:  # more bytes than any computer's addresses tell apart
            return jnp.broadcast_to(image, (*image.shape[:2], 2**40))
        return 2 * image

    photo = np.random.default_rng(0).uniform(size=(40, 50, 1))
    result = restore_tiled(restore, photo, halo=1, blend=2, tile=(40, 50))
    np.testing.assert_allclose(result, 2 * photo, rtol=1e-6)
    assert tried == [(40, 50), (40, 25)]


def test_other_errors_of_a_device_are_passed_on():
    def restore(image):
        raise jax.errors.JaxRuntimeError("INTERNAL: something else")

    with pytest.raises(jax.errors.JaxRuntimeError, match="something else"):
        restore_tiled(restore, np.zeros((40, 50, 1)), halo=1, blend=2, tile=(40, 50))


def test_little_memory_makes_small_tiles():
    shapes = []

    def restore(image):
        shapes.append(image.shape[:2])
        return jnp.fft.ifft2(jnp.fft.fft2(image, axes=(0, 1)), axes=(0, 1)).real

    photo = np.zeros((300, 400, 1))
    restore_tiled(restore, photo, halo=2, blend=2, memory=1_000_000)
    assert shapes[-1][0] * shapes[-1][1] < 300 * 400


def test_what_cannot_be_tiled_is_refused():
    photo = np.zeros((40, 50, 1))
    with pytest.raises(ValueError, match="must be larger than its two halos and blends, 40 pixels"):
        restore_tiled(lambda x: x, photo, halo=16, blend=4, tile=(20, 20))
    with pytest.raises(ValueError, match="one height and width"):
        restore_tiled(lambda x, y: x, photo, photo[:5], halo=1)
    with pytest.raises(ValueError, match="halo and blend must be at least 0, got -1 and 16"):
        restore_tiled(lambda x: x, photo, halo=-1)

    def never(image):
        raise MemoryError

    with pytest.raises(MemoryError, match=r"a tile of .* pixels does not fit into memory"):
        restore_tiled(never, photo, halo=1, blend=2, tile=(40, 50))
