"""Shapes in signatures: which arrays are refused, and the words of the errors."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Int

from deblur_jax.typing import Array, Image, Mixing, typechecked


@typechecked
def mixed(image: Image, mixing: Mixing, *, mode: str = "a"):
    del mixing, mode
    return image


IMAGE, MIXING = np.ones((4, 5, 3), np.float32), np.ones((4, 5, 2), np.float32)


@pytest.mark.parametrize("transform", [lambda f: f, jax.jit], ids=["eager", "jit"])
@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((IMAGE, MIXING[:, :4]), TypeError, r"mixing must be .* \[h, w, k\] with h=4 as in image"),
        ((IMAGE.astype(np.uint8), MIXING), TypeError, r"image must be .* got uint8.*/ 255"),
        ((IMAGE.astype(complex), MIXING), TypeError, r"got complex(64|128).*pass its real part"),
        ((IMAGE[0], MIXING), TypeError, r"shape \[h, w, c\], got float32\[5, 3\]"),
        (([1.0], MIXING), TypeError, r"got list; wrap it in jnp.asarray"),
        ((IMAGE[:0], MIXING[:0]), ValueError, r"image must not be empty, got float32\[0, 5, 3\]"),
    ],
)
def test_a_wrong_array_is_named_in_one_line(transform, arguments, error, message):
    with pytest.raises(error, match=message) as caught:
        transform(mixed)(*arguments)
    # JAX adds lines of its own to errors under jit.
    assert "\n" not in str(caught.value).partition("\n----")[0]


@typechecked
def counted(labels: Int[Array, "h w"]):
    return labels


def test_the_error_asks_for_an_integer_array():
    with pytest.raises(TypeError, match=r"labels must be an integer array of shape \[h, w\]"):
        counted(IMAGE)


def test_shapes_are_checked_per_image_under_vmap():
    batch = jnp.ones((2, 4, 5, 3)), jnp.ones((2, 4, 5, 2))
    assert jax.vmap(mixed)(*batch).shape == (2, 4, 5, 3)


def test_half_and_double_precision_are_floats():
    for dtype in (jnp.bfloat16, jnp.float16, np.float64):
        assert mixed(IMAGE.astype(dtype), MIXING.astype(dtype)).dtype == dtype


@typechecked
def perhaps(labels: Int[Array, "h w"] | None = None):
    return labels


def test_an_array_that_may_be_left_out_may_be_none():
    assert perhaps(None) is None
    with pytest.raises(TypeError, match=r"labels must be an integer array of shape \[h, w\]"):
        perhaps(IMAGE)
