"""Blur operators: a blur with its parameters that is called like a function.

An operator is a pytree, so it passes through `jit`, `vmap` and `grad`; its arrays are leaves and
its options are static. Every operator has

    operator(image)             the blurred image
    operator.adjoint(blurry)    the exact adjoint
    operator.extended(margin)   the same blur on a canvas larger by `margin` on each side
    operator.cut(rows, columns) the same blur on a part of the frame
    operator.describe()         the blur in words

A solver that also estimates the unknown surroundings of the photo works on the extended canvas, and
compares the inner part of the blurred canvas with the photo.
"""

import abc
import dataclasses

import jax
import jax.numpy as jnp
from jaxtyping import Float

from deblur_jax.ops.basis_blur import basis_blur
from deblur_jax.ops.boundary import pad
from deblur_jax.ops.line_blur import line_blur
from deblur_jax.ops.linear import adjoint
from deblur_jax.ops.periodic import canvas_side
from deblur_jax.ops.pytree import register
from deblur_jax.ops.windows import RAMP, blur_windows, centres, window_responses, windows_of
from deblur_jax.typing import Array, Flow, Image, Kernels, Mixing, compute_dtype, typechecked


class Blur(abc.ABC):
    """The interface of all blurs; `adjoint` works for every linear one."""

    @abc.abstractmethod
    def __call__(self, image: Image) -> jax.Array:
        """Returns the blurred image, `[h, w, c]`."""

    @typechecked
    def adjoint(self, blurry: Image) -> jax.Array:
        """Returns the exact adjoint applied to `blurry`, `[h, w, c]`."""
        return adjoint(self, blurry)(blurry)

    @abc.abstractmethod
    def extended(self, margin: int) -> "Blur":
        """Returns the same blur on a canvas with `margin` more pixels on each side."""

    @abc.abstractmethod
    def cut(self, rows: slice, columns: slice) -> "Blur":
        """Returns the same blur on a part of the frame."""

    @abc.abstractmethod
    def describe(self) -> str:
        """Describes the blur in words, for a message; its arrays must have values."""


@register
@dataclasses.dataclass(frozen=True, eq=False)  # hashable, so that `jax.jit(operator)` works
class BasisBlur(Blur):
    """`deblur_jax.ops.basis_blur.basis_blur` with its parameters.

    Attributes:
        kernels: `[k, s, s]`.
        mixing: `[h, w, k]`.
        order: "gather" or "scatter".
        padding: how pixels outside the frame are made.
        method: the algorithm, see `basis_blur`.

    Example:
        >>> kernels = jnp.full((1, 3, 3), 1 / 9)
        >>> blur = BasisBlur(kernels, jnp.ones((6, 8, 1)))
        >>> blur(jnp.ones((6, 8, 3))).shape
        (6, 8, 3)
        >>> blur.extended(2).mixing.shape
        (10, 12, 1)
    """

    kernels: Kernels
    mixing: Mixing
    order: str = dataclasses.field(default="gather", kw_only=True, metadata={"static": True})
    padding: str = dataclasses.field(default="reflect", kw_only=True, metadata={"static": True})
    method: str = dataclasses.field(default="auto", kw_only=True, metadata={"static": True})

    @typechecked
    def __call__(self, image: Image) -> jax.Array:
        """Returns the blurred image, `[h, w, c]`."""
        return basis_blur(
            image,
            self.kernels,
            self.mixing,
            order=self.order,
            padding=self.padding,
            method=self.method,
        )

    def extended(self, margin: int) -> "BasisBlur":
        """Returns the blur on a canvas with `margin` more pixels on each side.

        The mixing outside the frame is that of the nearest pixel inside. A pixel of the frame does
        not depend on the padding if it is at least the kernel's radius away from the canvas's edge.
        """
        return dataclasses.replace(self, mixing=pad(self.mixing, margin, "edge"))

    def cut(self, rows: slice, columns: slice) -> "BasisBlur":
        """Returns the blur on a part of the frame."""
        return dataclasses.replace(self, mixing=self.mixing[rows, columns])

    def describe(self) -> str:
        """Describes the blur in words."""
        count, side, _ = self.kernels.shape
        return f"a mixture of {count} kernels of {side} pixels that varies over the photo"


@register
@dataclasses.dataclass(frozen=True, eq=False)  # hashable, so that `jax.jit(operator)` works
class LineBlur(Blur):
    """`deblur_jax.ops.line_blur.line_blur` with its parameters.

    Attributes:
        flow: `[h, w, 2]`, the motion (u right, v down) in pixels.
        padding: how pixels outside the frame are made.

    Example:
        >>> blur = LineBlur(jnp.full((5, 7, 2), jnp.asarray([2.0, 0.0])))
        >>> print(blur(jnp.zeros((5, 7, 1)).at[2, 3].set(1.0))[2, :, 0])
        [0.   0.   0.25 0.5  0.25 0.   0.  ]
        >>> blur.extended(2).flow.shape
        (9, 11, 2)
    """

    flow: Flow
    padding: str = dataclasses.field(default="edge", kw_only=True, metadata={"static": True})

    @typechecked
    def __call__(self, image: Image) -> jax.Array:
        """Returns the blurred image, `[h, w, c]`."""
        return line_blur(image, self.flow, padding=self.padding)

    def extended(self, margin: int) -> "LineBlur":
        """Returns the blur on a canvas with `margin` more pixels on each side.

        The motion outside the frame is that of the nearest pixel inside.
        """
        return dataclasses.replace(self, flow=pad(self.flow, margin, "edge"))

    def cut(self, rows: slice, columns: slice) -> "LineBlur":
        """Returns the blur on a part of the frame."""
        return dataclasses.replace(self, flow=self.flow[rows, columns])

    def describe(self) -> str:
        """Describes the blur in words."""
        lengths = jnp.linalg.norm(self.flow, axis=-1)
        return f"motion of {lengths.mean():.1f} pixels on average, at most {lengths.max():.1f}"

    def limited(self, max_blur: float) -> "LineBlur":
        """Returns the blur with longer motions shortened to `max_blur` pixels."""
        length = jnp.linalg.norm(self.flow, axis=-1, keepdims=True)
        shrink = jnp.minimum(1, max_blur / jnp.maximum(length, max_blur))
        return dataclasses.replace(self, flow=self.flow * shrink)


@register
@dataclasses.dataclass(frozen=True, eq=False)  # hashable, so that `jax.jit(operator)` works
class UniformBlur(Blur):
    """One kernel for all pixels of an image of any size.

    Attributes:
        kernel: correlation kernel, `[s, s]`.
        padding: how pixels outside the frame are made.

    Example:
        >>> blur = UniformBlur(jnp.full((3, 3), 1 / 9))
        >>> blur(jnp.ones((6, 8, 3))).shape
        (6, 8, 3)
    """

    kernel: Float[Array, "s s"]
    padding: str = dataclasses.field(default="reflect", kw_only=True, metadata={"static": True})

    @typechecked
    def __call__(self, image: Image) -> jax.Array:
        """Returns the blurred image, `[h, w, c]`."""
        mixing = jnp.ones((*image.shape[:2], 1), image.dtype)
        return basis_blur(image, jnp.asarray(self.kernel)[None], mixing, padding=self.padding)

    def extended(self, margin: int) -> "UniformBlur":
        """Returns the blur itself, which does not depend on the size of the canvas."""
        del margin
        return self

    def cut(self, rows: slice, columns: slice) -> "UniformBlur":
        """Returns the blur itself, which does not depend on the place."""
        del rows, columns
        return self

    def describe(self) -> str:
        """Describes the blur in words."""
        return f"one kernel of {self.kernel.shape[0]} pixels"


@register
@dataclasses.dataclass(frozen=True, eq=False)  # hashable, so that `jax.jit(operator)` works
class WindowedBlur(Blur):
    """A kernel that varies slowly over an image: one for each place of a lattice.

    The image is cut into overlapping windows, each of which is blurred by the kernel at its middle,
    interpolated between the places, and blended. The cost follows the area of the image and not
    the number of places.

    Attributes:
        kernels: correlation kernels, `[r, c, s, s]`.
        rows: row of each place in pixels of the frame, `[r]`, growing.
        columns: column of each place, `[c]`, growing.
        padding: how pixels outside the frame are made.

    Source:
        Hirsch et al., "Efficient Filter Flow for Space-Variant Multiframe Blind Deconvolution",
        CVPR 2010.

    Example:
        >>> kernels = jnp.full((2, 3, 3, 3), 1 / 9)
        >>> blur = WindowedBlur(kernels, jnp.asarray([0.0, 8.0]), jnp.asarray([0.0, 8.0, 16.0]))
        >>> blur(jnp.ones((8, 16, 3))).shape
        (8, 16, 3)
    """

    kernels: Float[Array, "r c s s"]
    rows: Float[Array, " r"]
    columns: Float[Array, " c"]
    padding: str = dataclasses.field(default="reflect", kw_only=True, metadata={"static": True})

    @typechecked
    def __call__(self, image: Image) -> jax.Array:
        """Returns the blurred image, `[h, w, c]`."""
        height, width, _ = image.shape
        half = self.kernels.shape[-1] // 2
        edge = RAMP // 2  # opposite borders of the canvas fade into each other
        before = half + edge
        canvas = (canvas_side(height + 2 * before), canvas_side(width + 2 * before))
        windows = windows_of(canvas, self.kernels.shape[-1])
        compute = compute_dtype(image, self.kernels)  # no half-precision FFT in XLA
        framed = pad(image.astype(compute), half, self.padding)
        gaps = [
            (edge, size - length - edge)
            for size, length in zip(canvas, framed.shape[:2], strict=True)
        ]
        kernels = self.extended(before).at(*centres(windows)).astype(compute)
        responses = window_responses(kernels, windows)
        whole = blur_windows(jnp.pad(framed, (*gaps, (0, 0))), responses, windows)
        return whole[before : before + height, before : before + width].astype(image.dtype)

    def at(self, rows: Array, columns: Array) -> jax.Array:
        """Returns the kernels at the crossings of rows and columns, `[n, s, s]`, row by row.

        Kernels outside of the lattice are those of the nearest place.
        """
        compute = compute_dtype(self.kernels)
        down = _between(jnp.asarray(self.rows, compute), rows)
        across = _between(jnp.asarray(self.columns, compute), columns)
        kernels = jnp.asarray(self.kernels, compute)
        found = jnp.einsum("ia,jb,abyx->ijyx", down, across, kernels, precision="highest")
        return found.reshape(-1, *self.kernels.shape[2:])

    def extended(self, margin: int) -> "WindowedBlur":
        """Returns the blur on a canvas with `margin` more pixels on each side."""
        return dataclasses.replace(self, rows=self.rows + margin, columns=self.columns + margin)

    def cut(self, rows: slice, columns: slice) -> "WindowedBlur":
        """Returns the blur on a part of the frame."""
        top, left = rows.start or 0, columns.start or 0
        return dataclasses.replace(self, rows=self.rows - top, columns=self.columns - left)

    def describe(self) -> str:
        """Describes the blur in words."""
        down, across, side, _ = self.kernels.shape
        return f"{down * across} kernels of {side} pixels that vary over the photo"


def _between(places: jax.Array, wanted: Array) -> jax.Array:
    """Returns the weights of linear interpolation, `[wanted, places]`."""
    units = jnp.eye(len(places), dtype=places.dtype)
    wanted = jnp.asarray(wanted, places.dtype)
    return jax.vmap(lambda unit: jnp.interp(wanted, places, unit), out_axes=1)(units)
