"""Sharded blur: eight devices give the result of one."""

from functools import partial

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from deblur_jax import basis_blur, sharded_basis_blur
from tests.ops.test_basis_blur import sample


@pytest.fixture(params=[AxisType.Explicit, pytest.param(AxisType.Auto, marks=pytest.mark.slow)])
def mesh(request):
    return jax.make_mesh((8,), ("rows",), axis_types=(request.param,))


@pytest.mark.parametrize(
    ("method", "padding", "order"),
    [
        ("fft", "reflect", "gather"),
        ("pixelwise", "wrap", "scatter"),
        pytest.param("fft", "wrap", "scatter", marks=pytest.mark.slow),
        pytest.param("pixelwise", "reflect", "gather", marks=pytest.mark.slow),
    ],
)
def test_eight_devices_equal_one(key, mesh, order, padding, method):
    arrays = sample(key, 32, 9, 7, basis=2)
    options = {"order": order, "padding": padding, "method": method}
    blurred = jax.jit(partial(sharded_basis_blur, mesh=mesh, **options))(*arrays)
    assert len(blurred.sharding.device_set) == 8
    np.testing.assert_allclose(blurred, basis_blur(*arrays, **options), atol=1e-12)


def test_gradients_on_eight_devices_equal_those_on_one(key, mesh):
    arrays = sample(key, 24, 7, 5, basis=2)

    def gradients(blur):
        return jax.jit(jax.grad(lambda *a: jnp.sum(jnp.sin(blur(*a))), (0, 1, 2)))(*arrays)

    spread = gradients(partial(sharded_basis_blur, mesh=mesh))
    chex.assert_trees_all_close(spread, gradients(basis_blur), rtol=1e-9, atol=1e-12)


def test_spread_arrays_have_gradients_that_stay_spread(key, mesh):
    """Also for arrays whose type holds their sharding, and under `jax.set_mesh`."""
    image, kernels, mixing = sample(key, 24, 7, 5, basis=2)
    rows = NamedSharding(mesh, PartitionSpec("rows"))
    image, mixing = jax.device_put(image, rows), jax.device_put(mixing, rows)

    def energy(blur, image, mixing):
        return jnp.sum(blur(image, kernels, mixing) * image)

    expected = jax.grad(partial(energy, basis_blur))(*map(np.asarray, (image, mixing)))
    blur = partial(sharded_basis_blur, mesh=mesh)
    with jax.set_mesh(mesh):
        spread = jax.jit(jax.grad(partial(energy, blur)))(image, mixing)
    assert spread.sharding.is_equivalent_to(rows, spread.ndim)
    np.testing.assert_allclose(spread, expected, rtol=1e-9, atol=1e-12)


def test_rows_that_do_not_divide_are_refused(key, mesh):
    with pytest.raises(ValueError, match=r"image must have a multiple of 8 rows.* got 31; pad it"):
        sharded_basis_blur(*sample(key, 31, 9, 3), mesh=mesh)


def test_a_halo_larger_than_a_share_is_refused(key, mesh):
    with pytest.raises(ValueError, match="need more than 2 rows on each device, got 2; use fewer"):
        sharded_basis_blur(*sample(key, 16, 9, 5), mesh=mesh)


def test_a_mesh_of_two_axes_is_refused(key):
    mesh = jax.make_mesh((4, 2), ("rows", "columns"))
    with pytest.raises(ValueError, match=r"mesh must have one axis, got \['rows', 'columns'\]"):
        sharded_basis_blur(*sample(key, 16, 9, 3), mesh=mesh)
