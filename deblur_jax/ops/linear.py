"""Linear maps between images: inner product and exact adjoint.

The adjoint of a linear map A is the map A* with <A x, y> = <x, A* y> for all x and y.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from deblur_jax.typing import Array


def inner(x: Array, y: Array) -> jax.Array:
    """Returns the inner product <x, y> of two real arrays of one shape, a scalar."""
    if x.shape != y.shape:
        raise ValueError(f"inner: x and y must have one shape, got {x.shape} and {y.shape}")
    return jnp.vdot(x, y, precision="highest")


def adjoint(operator: Callable[[Array], Array], like: Array) -> Callable[[Array], Array]:
    """Returns the exact adjoint of a linear `operator`.

    Args:
        operator: a linear map from one array to one array.
        like: an array (or `jax.ShapeDtypeStruct`) of the shape and dtype of the operator's
            input; its values are not used.

    Returns:
        A function from arrays like the operator's output to arrays like its input.
    """
    _, pull_back = jax.vjp(operator, jnp.zeros(like.shape, like.dtype))
    return lambda y: pull_back(y)[0]
