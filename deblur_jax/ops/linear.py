"""Linear maps between images: inner product, exact adjoint, composition, normal map and norm.

The adjoint of a linear map A is the map A* with <A x, y> = <x, A* y> for all x and y.

Every blur of this package is a matrix-free operator for linear solvers. With JAX's own:

    restored, _ = jax.scipy.sparse.linalg.cg(normal(blur, observed), blur.adjoint(observed))

With lineax, which transposes the operator where a solver needs it (its `CG` refuses a photo in
float32 as singular, its `LSMR` does not):

    like = jax.ShapeDtypeStruct(observed.shape, observed.dtype)
    matrix = lineax.FunctionLinearOperator(blur, like)
    restored = lineax.linear_solve(matrix, observed, lineax.LSMR(1e-6, 1e-6)).value
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from deblur_jax.typing import Array, compute_dtype


def inner(x: Array, y: Array) -> jax.Array:
    """Returns the inner product <x, y> of two real arrays of one shape, a scalar.

    Args:
        x: an array of any shape.
        y: an array of the same shape.

    Returns:
        A scalar, in float32 at least: sums over a photo overflow in half precision.

    Raises:
        ValueError: if the shapes differ.

    Example:
        >>> print(inner(jnp.asarray([1.0, 2.0]), jnp.asarray([3.0, 4.0])))
        11.0
    """
    if x.shape != y.shape:
        raise ValueError(f"inner: x and y must have the same shape, got {x.shape} and {y.shape}")
    sums = compute_dtype(x, y)
    return jnp.vdot(jnp.asarray(x, sums), jnp.asarray(y, sums), precision="highest")


def adjoint(operator: Callable[[Array], Array], like: Array) -> Callable[[Array], jax.Array]:
    """Returns the exact adjoint of a linear `operator`.

    Args:
        operator: a linear map from one array to one array.
        like: an array (or `jax.ShapeDtypeStruct`) of the shape and dtype of the operator's
            input; its values are ignored.

    Returns:
        A function from arrays like the operator's output to arrays like its input.

    Example:
        >>> def double_the_first(x):
        ...     return 2 * x[:1]
        >>> print(adjoint(double_the_first, jnp.zeros(3))(jnp.asarray([5.0])))
        [10.  0.  0.]
    """
    _, pull_back = jax.vjp(operator, jnp.zeros(like.shape, like.dtype))
    return lambda y: pull_back(y)[0]


def compose(*maps: Callable[[Array], Array]) -> Callable[[Array], Array]:
    """Returns the map that applies `maps` from right to left, as in mathematics.

    `compose(respond, blur)(image)` is `respond(blur(image))`. The maps need not be linear.

    Raises:
        ValueError: if no map is given.

    Example:
        >>> compose(str, abs)(-2)
        '2'
    """
    if not maps:
        raise ValueError("compose: expected at least one map, got none")

    def composed(x):
        for one in reversed(maps):
            x = one(x)
        return x

    return composed


def normal(operator: Callable[[Array], Array], like: Array) -> Callable[[Array], Array]:
    """Returns the normal map `x -> A* A x` of a linear `operator` A, symmetric and non-negative.

    Args:
        operator: a linear map from one array to one array.
        like: as for `adjoint`.

    Example:
        >>> print(normal(lambda x: 3 * x, jnp.zeros(2))(jnp.asarray([1.0, 2.0])))
        [ 9. 18.]
    """
    return compose(adjoint(operator, like), operator)


def operator_norm(
    operator: Callable[[Array], Array], start: Array, *, steps: int = 20
) -> jax.Array:
    """Returns the largest factor by which a linear `operator` can lengthen an array.

    Power iteration on the normal map approaches the norm from below, so the result is a lower
    bound.

    Args:
        operator: a linear map from one array to one array.
        start: an array like the operator's input, not zero and not orthogonal to the array that is
            lengthened most, such as normal noise. For a blur, a constant image is near the answer.
        steps: iterations; each applies the operator and its adjoint once.

    Returns:
        A scalar of the dtype of `start`.

    Raises:
        ValueError: if `steps` is not positive.

    Example:
        >>> norm = operator_norm(lambda x: 3 * x, jax.random.normal(jax.random.key(0), (4,)))
        >>> print(f"{norm:.2f}")
        3.00
    """
    if steps < 1:
        raise ValueError(f"operator_norm: steps must be at least 1, got {steps}")
    start = jnp.asarray(start)
    transpose = adjoint(operator, start)

    def step(x: jax.Array, _: None) -> tuple[jax.Array, jax.Array]:
        spread = jnp.sqrt(inner(x, x) / x.size)  # scaled to values near one, for half precision
        spread = jnp.where(spread > 0, spread, jnp.ones_like(spread))
        mapped = operator(x / spread.astype(x.dtype))
        return transpose(mapped), jnp.sqrt(inner(mapped, mapped) / x.size)

    return jax.lax.scan(step, start, length=steps)[1][-1].astype(start.dtype)
