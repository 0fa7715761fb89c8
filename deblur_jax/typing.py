"""Names of array shapes, and a decorator that checks them.

Axis letters mean the same thing in every file of the package:

    b batch   h, w image rows and columns   c colour channels
    k basis kernels   s side of a square kernel (odd)

Images are floats, nominally in [0, 1], display values or light as each function states.
Pixel centres sit on integer coordinates (row, column); the origin is the top-left pixel.
A flow holds (u to the right, v down) in pixels.
"""

import contextlib
import functools
import inspect
from collections.abc import Callable, Iterator
from typing import Any, TypeVar, get_args

import jax
import numpy as np
from jax.core import Tracer
from jaxtyping import Float, jaxtyped


Array = jax.Array | np.ndarray

Image = Float[Array, "h w c"]
Flow = Float[Array, "h w 2"]
Kernels = Float[Array, "k s s"]
Mixing = Float[Array, "h w k"]
PixelKernels = Float[Array, "h w s s"]
Scalar = Float[Array, ""]

Images = Float[Array, "b h w c"]
Flows = Float[Array, "b h w 2"]

ImageOperator = Callable[[Image], jax.Array]
Denoiser = Callable[[Image, Scalar], jax.Array]  # (image, sigma of its noise) to a cleaner image

Function = TypeVar("Function", bound=Callable[..., Any])


def compute_dtype(*arrays: Any) -> np.dtype:
    """Returns the dtype to compute in: the widest of the arrays, and float32 at least.

    Half precision is for storage: sums over a photo overflow in float16, and iterations stagnate
    in bfloat16.
    """
    return functools.reduce(np.promote_types, (x.dtype for x in arrays), np.dtype(np.float32))


def is_traced(*trees: Any) -> bool:
    """Returns whether an array of the trees has no values, because `jit`, `grad` or `vmap` runs."""
    return any(isinstance(leaf, Tracer) for leaf in jax.tree.leaves(trees))


@contextlib.contextmanager
def standard_promotion() -> Iterator[None]:
    """Lets another library mix dtypes and ranks, even where the user has forbidden it."""
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        yield


def typechecked(function: Function) -> Function:
    """Checks the array shapes and dtypes that are written in a function's signature.

    The check runs while tracing, so it costs nothing in a compiled call and works under `jit`,
    `vmap` and `grad`. An axis letter must have the same size in all arguments of a call.

    Raises:
        TypeError: a line with the function, the argument, the expected shape with the sizes known
            from earlier arguments, and the given shape.
    """
    signature = inspect.signature(function)
    arrays = {
        name: parameter.annotation
        for name, parameter in signature.parameters.items()
        if _axes(parameter.annotation)
    }

    @functools.wraps(function)
    def checked(*args, **kwargs):
        _check_arrays(function.__qualname__, arrays, signature.bind(*args, **kwargs).arguments)
        return function(*args, **kwargs)

    return checked  # pyright: ignore[reportReturnType]


def _kinds(annotation: Any) -> tuple[Any, ...]:
    """Returns the members of a union annotation, such as those of `Float[Array, ...]`."""
    return get_args(annotation) or (annotation,)


def _axes(annotation: Any) -> list[str]:
    """Returns the axis letters of a shape annotation, an empty list for any other annotation."""
    return getattr(_kinds(annotation)[0], "dim_str", "").split()


@jaxtyped(typechecker=None)
def _check_arrays(function: str, annotations: dict[str, Any], arguments: dict[str, Any]) -> None:
    sizes: dict[str, tuple[int, str]] = {}  # by axis letter: the size, and the argument that set it
    for name, annotation in annotations.items():
        if name not in arguments:
            continue
        value = arguments[name]
        letters = _axes(annotation)
        if not any(isinstance(value, kind) for kind in _kinds(annotation)):
            expected = _expected(annotation, sizes)
            raise TypeError(f"{function}: {name} must be {expected}, {_got(value)}")
        if value is None:  # an optional argument
            continue
        if value.size == 0:
            raise ValueError(f"{function}: {name} must not be empty, {_got(value)}")
        if "..." in letters:  # unnamed axes are not compared
            continue
        for letter, size in zip(letters, value.shape, strict=True):
            sizes.setdefault(letter, (size, name))


def _expected(annotation: Any, sizes: dict[str, tuple[int, str]]) -> str:
    letters = _axes(annotation)
    kinds = {"Bool": "a boolean", "Float": "a float", "Int": "an integer"}
    kind = kinds[_kinds(annotation)[0].dtype.__name__]
    known = [f"{x}={sizes[x][0]} as in {sizes[x][1]}" for x in dict.fromkeys(letters) if x in sizes]
    where = f" with {', '.join(known)}" if known else ""
    return f"{kind} array of shape [{', '.join(letters)}]{where}"


def _got(value: Any) -> str:
    if not hasattr(value, "shape") or not hasattr(value, "dtype"):
        return f"got {type(value).__name__}; wrap it in jnp.asarray(..., dtype=float)"
    text = f"got {value.dtype}{list(value.shape)}"
    if np.issubdtype(value.dtype, np.integer):
        return f"{text}; convert it first, for 8-bit images image.astype('float32') / 255"
    if np.issubdtype(value.dtype, np.complexfloating):
        return f"{text}; pass its real part"
    return text
