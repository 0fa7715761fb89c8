"""`deblur` and `estimate_blur` with a network work under `jit`, `grad` and `vmap`."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from skimage import data

from deblur_jax import deblur, estimate_blur
from deblur_jax.deblurring import Result


@pytest.fixture(scope="module")
def photo():
    return data.astronaut()[60:124, 150:230].astype(np.float32) / 255


@functools.cache
def deblurred(model):
    return functools.partial(deblur, model=model, steps=2)


SLOW = [
    pytest.param(name, marks=pytest.mark.slow)  # to compile
    for name in ("camera-motion", "kernel-basis")
]


@pytest.mark.parametrize("model", ["motion-context", *SLOW])
def test_a_compiled_deblur_gives_the_same_result(photo, model):
    compiled, plain = jax.jit(deblurred(model))(photo), deblurred(model)(photo)
    assert isinstance(compiled, Result)
    for found, expected in zip(jax.tree.leaves(compiled), jax.tree.leaves(plain), strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-3)
    assert compiled.trusted == plain.trusted
    assert compiled.verdict == plain.verdict
    np.testing.assert_allclose(compiled.reblur_error, plain.reblur_error, atol=1e-4)


@pytest.mark.slow  # to compile
def test_a_compiled_estimate_keeps_the_options_of_restore(photo):
    find = functools.partial(estimate_blur, model="kernel-basis")
    compiled, plain = jax.jit(find)(photo), find(photo)
    np.testing.assert_allclose(compiled.blur.kernels, plain.blur.kernels, atol=1e-4)
    for option in ("transfer", "margin", "saturates", "reason", "likely"):
        assert getattr(compiled, option) == getattr(plain, option)


@pytest.mark.slow  # to compile
def test_a_photo_that_is_a_constant_of_the_program_is_traced(photo):
    def find(strength):
        return strength * deblurred("motion-context")(photo).image

    expected = deblurred("motion-context")(photo).image / 2
    np.testing.assert_allclose(jax.jit(find)(0.5), expected, atol=1e-3)


@pytest.mark.slow  # to compile
def test_options_apply_to_a_compiled_deblur(photo):
    short = functools.partial(deblurred("motion-context"), max_blur=0.5, strength=0.5)
    compiled, plain = jax.jit(short)(photo), short(photo)
    assert float(jnp.linalg.norm(compiled.blur.flow, axis=-1).max()) < 0.501
    np.testing.assert_allclose(compiled.image, plain.image, atol=1e-3)


@pytest.mark.slow  # to compile
def test_a_batch_is_deblurred_by_vmap(photo):
    batch = np.stack([photo, photo[::-1]])
    images = jax.vmap(lambda each: deblurred("motion-context")(each).image)(batch)
    for image, each in zip(images, batch, strict=True):
        np.testing.assert_allclose(image, deblurred("motion-context")(each).image, atol=1e-3)


@pytest.mark.slow  # to compile
def test_the_gradient_with_respect_to_the_photo_agrees_with_differences(photo):
    @jax.jit
    def loss(photo):
        return jnp.mean(jnp.square(deblurred("motion-context")(photo).image))

    photo, step = 0.2 + 0.6 * photo, 3e-3  # away from the clipping
    rows, columns = np.mgrid[:64, :80].astype(np.float32)
    smooth = np.repeat((np.sin(rows / 9) * np.cos(columns / 7))[..., None], 3, axis=-1)
    slope = float(jnp.vdot(jax.jit(jax.grad(loss))(photo), smooth))
    ends = [float(loss(photo + sign * step * smooth)) for sign in (1, -1)]
    assert abs(slope) > 1e-3
    np.testing.assert_allclose(slope, (ends[0] - ends[1]) / (2 * step), rtol=0.02)


@pytest.mark.parametrize("model", ["auto", "blind"])
@pytest.mark.parametrize("function", [deblur, estimate_blur])
@pytest.mark.parametrize("transform", [jax.jit, jax.vmap])
def test_a_search_refuses_to_be_traced_and_names_what_to_call(photo, model, function, transform):
    given = photo[None] if transform is jax.vmap else photo
    message = f"{model!r} decides by values .* such as 'camera-motion', or .* `restore` inside"
    with pytest.raises(ValueError, match=message):
        transform(lambda photo: jax.tree.leaves(function(photo, model)))(given)


def test_a_search_is_refused_for_a_photo_that_is_a_constant_of_the_program(photo):
    with pytest.raises(ValueError, match="cannot be traced"):
        jax.jit(lambda: jax.tree.leaves(estimate_blur(photo)))()


def test_the_shape_is_checked_while_tracing():
    with pytest.raises(ValueError, match="at least 32 pixels a side, got 40x31"):
        jax.eval_shape(deblurred("motion-context"), jax.ShapeDtypeStruct((31, 40, 3), np.float32))
