"""The problem that every solver works on: a photo, its blur and the unknown frame around it.

    observed = respond(crop(A canvas)) + noise

Light from outside the photo is estimated instead of padded: the image is estimated on a canvas that
is larger than the photo by `margin` pixels on each side, and its blur is compared only inside the
photo. Pixels without information, such as saturated ones, get weight zero in the misfit.
"""

import dataclasses
from collections.abc import Callable
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np

from deblur_jax.ops.linear import adjoint, operator_norm
from deblur_jax.solvers.conjugate_gradient import conjugate_gradient
from deblur_jax.typing import Array, Image, ImageOperator, compute_dtype, is_traced


MARGIN = 16  # pixels, the width of the unknown frame in Carbajal et al. 2021
ROUNDING = 1e-4  # tolerance of the range of a computed image

Response = Callable[[jax.Array], jax.Array]


class Extendable(Protocol):
    """A blur that can be extended to a larger canvas, such as `LineBlur` and `BasisBlur`."""

    def __call__(self, image: Image) -> jax.Array:
        """Blurs an image."""
        ...

    def extended(self, margin: int) -> ImageOperator:
        """Returns the blur of images that are larger by `margin` pixels on each side."""
        ...


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, eq=False)
class Framed:
    """A photo inside its unknown frame, in float32 at least.

    Attributes:
        blur: the linear blur of the whole canvas.
        observed: the blurry photo, `[h, w, c]`.
        weights: weights of the photo's pixels in the misfit, `[h, w, c]`; None weighs all equally.
        margin: width of the frame in pixels.
        respond: the pointwise response of the sensor to light; None if it is linear.
        dtype: the dtype of the photo as it was given, which the restored image gets.
    """

    blur: ImageOperator
    observed: Array
    weights: Array | None
    margin: int = dataclasses.field(metadata={"static": True})
    respond: Response | None = dataclasses.field(metadata={"static": True})
    dtype: Any = dataclasses.field(metadata={"static": True})

    def canvas(self) -> jax.Array:
        """Returns the initial canvas: the photo, mirrored at its edges."""
        around = ((self.margin, self.margin), (self.margin, self.margin), (0, 0))
        return jnp.pad(self.observed, around, mode="reflect")

    def crop(self, canvas: Array) -> jax.Array:
        """Returns the part of a canvas inside the photo."""
        height, width, _ = canvas.shape
        return jnp.asarray(canvas)[
            self.margin : height - self.margin, self.margin : width - self.margin
        ]

    def result(self, canvas: Array) -> jax.Array:
        """Returns the restored image: the part inside the photo, in the photo's dtype."""
        return self.crop(canvas).astype(self.dtype)

    def expose(self, canvas: Array) -> jax.Array:
        """Returns the light that reaches the photo's pixels: the linear map `crop(A canvas)`."""
        return self.crop(self.blur(canvas))

    def transpose(self) -> Callable[[Array], jax.Array]:
        """Returns the exact adjoint of `expose`."""
        return adjoint(self.expose, self.canvas())

    def residual(self, light: jax.Array) -> jax.Array:
        """Returns `respond(light) - observed`, without the weights."""
        shown = self.respond(light) if self.respond else light
        return shown - jnp.asarray(self.observed)

    def slope(self, light: jax.Array) -> jax.Array:
        """Returns the gradient of `misfit_sum(light)` with respect to the light."""
        value, pull_back = jax.vjp(self.misfit_sum, light)
        return pull_back(jnp.ones_like(value))[0]

    def misfit_sum(self, light: jax.Array) -> jax.Array:
        """Returns `sum(weights * residual^2) / 2`."""
        return jnp.sum(self.weigh(jnp.square(self.residual(light)))) / 2

    def misfit(self, light: jax.Array) -> jax.Array:
        """Returns the weighted mean of the squared residual."""
        squared = jnp.square(self.residual(light))
        if self.weights is None:
            return jnp.mean(squared)
        tiny = jnp.finfo(squared.dtype).tiny
        return jnp.sum(self.weights * squared) / jnp.maximum(jnp.sum(self.weights), tiny)

    def weigh(self, values: jax.Array) -> jax.Array:
        """Returns `weights * values`."""
        return values if self.weights is None else jnp.asarray(self.weights) * values

    def fit(
        self, diagonal: jax.Array, pull: jax.Array, start: jax.Array, *, steps: int
    ) -> jax.Array:
        """Returns about `(A* W A + diagonal)^-1 (A* W observed + pull)`, where W are the weights.

        With `pull = diagonal * image` this canvas minimises
        `sum(weights * (A x - observed)^2) + sum(diagonal * (x - image)^2)`. It is computed by
        `steps` conjugate gradient steps from `start`. `respond` is ignored.
        """
        transpose = self.transpose()

        def apply(canvas: jax.Array) -> jax.Array:
            return transpose(self.weigh(self.expose(canvas))) + diagonal * canvas

        target = transpose(self.weigh(jnp.asarray(self.observed))) + pull
        return conjugate_gradient(apply, target, start, steps=steps)


def put_in_frame(
    function: str,
    blur: Extendable,
    observed: Array,
    *,
    margin: int,
    weights: Array | None = None,
    respond: Response | None = None,
) -> Framed:
    """Checks a solver's arguments and returns them as a `Framed`; errors name `function`.

    Values are checked only outside `jit` and `vmap`.

    Raises:
        ValueError: if the margin or the weights do not fit the photo, the weights are negative, or
            the photo has values that are not finite or not in [0, 1].
    """
    height, width, channels = observed.shape
    if not 0 <= margin < min(height, width):
        raise ValueError(
            f"{function}: margin must be from 0 to less than the shorter side of the image, got "
            f"{margin} for {height}x{width}"
        )
    check_range(function, "observed", observed, 0, 1)
    dtype, observed = observed.dtype, jnp.asarray(observed, compute_dtype(observed))
    blur = jax.tree.map(_widened, blur)
    if weights is not None:
        if weights.shape not in ((height, width, 1), (height, width, channels)):
            raise ValueError(
                f"{function}: weights must be [{height}, {width}, 1] or "
                f"[{height}, {width}, {channels}] like the image, got {list(weights.shape)}"
            )
        check_range(function, "weights", weights, 0, np.inf)
        weights = jnp.broadcast_to(weights, observed.shape).astype(observed.dtype)
    framed = blur.extended(margin) if margin else blur
    return Framed(framed, observed, weights, margin, respond, dtype)


def _widened(leaf: Any) -> Any:
    """Returns a leaf of a blur in float32 if it is an array in half precision."""
    is_float = hasattr(leaf, "dtype") and jnp.issubdtype(leaf.dtype, jnp.floating)
    return leaf.astype(compute_dtype(leaf)) if is_float else leaf


def check_range(
    function: str, name: str, values: Array | float, lowest: float, highest: float
) -> None:
    """Raises a ValueError unless all `values` are finite and from `lowest` to `highest`.

    This is a no-op inside `jit` and `vmap`, where the values are not available.
    """
    if is_traced(values):
        return
    low, high = float(np.asarray(values).min()), float(np.asarray(values).max())
    if not (low >= lowest - ROUNDING and high <= highest + ROUNDING and high < np.inf):
        within = f"in [{lowest:g}, {highest:g}]" if highest < np.inf else f"at least {lowest:g}"
        raise ValueError(
            f"{function}: {name} must be finite and {within}, got values from {low:g} to {high:g}"
        )


def check_sigmas(function: str, sigmas: Array | float, *, name: str = "sigmas") -> None:
    """Raises a ValueError unless all noise levels are above 0 and at most 1; a no-op in `jit`."""
    if is_traced(sigmas):
        return
    low, high = float(np.asarray(sigmas).min()), float(np.asarray(sigmas).max())
    if not 0 < low <= high <= 1:
        raise ValueError(
            f"{function}: {name} must be above 0 and at most 1, on the image's scale, got values "
            f"from {low:g} to {high:g}; divide 8-bit levels by 255"
        )


def saturation_weights(observed: Array, *, limit: float = 0.99) -> jax.Array:
    """Returns weights that exclude saturated pixels, `[h, w, 1]`.

    The weight is zero where a channel of the pixel or of one of its eight neighbours reaches the
    limit, and one elsewhere.

    Args:
        observed: the blurry photo, `[h, w, c]`.
        limit: the value from which a pixel counts as saturated.
    """
    observed = jnp.asarray(observed)
    brightest = jnp.max(observed, axis=-1)
    padded = jnp.pad(brightest, 1, mode="edge")
    height, width = brightest.shape
    near = jnp.stack(
        [padded[y : y + height, x : x + width] for y in range(3) for x in range(3)]
    ).max(axis=0)
    return (near < limit).astype(observed.dtype)[..., None]


def safe_step_size(framed: Framed) -> jax.Array:
    """Returns about `1 / |A|^2` of the blur inside its frame, a scalar; costs ten steps.

    The norm is approached from below, and 2 % are added to its square for what may be missing.
    The iteration starts from a constant image, which is near the answer for a blur, plus a little
    noise so that it works for any operator.
    """
    canvas = framed.canvas()
    noise = jax.random.uniform(jax.random.key(0), canvas.shape, canvas.dtype)
    norm = operator_norm(framed.expose, 1 + noise / 2, steps=10)
    return 1 / (jnp.square(norm) * jnp.asarray(1.02, norm.dtype))
