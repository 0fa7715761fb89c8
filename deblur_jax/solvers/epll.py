"""Deconvolution with a Gaussian mixture over image patches, by half-quadratic splitting.

For a penalty that grows from step to step, the solver lowers

    fidelity / 2 |A x - y|^2 - sum_i log max_m w_m N(P_i x; 0, S_m + I / penalty)

over all overlapping patches `P_i x` without their mean, by alternating

    z_i <- the Wiener estimate of P_i x under its most probable Gaussian and noise 1 / penalty
    x   <- argmin  fidelity / 2 |A x - y|^2 + penalty / 2 sum_i |P_i x - z_i|^2

The second objective majorises the first and equals it at the current `x`, so at a constant penalty
no step can raise the first. Its linear system is solved by conjugate gradients with the exact
adjoint.

Source: Zoran and Weiss, "From Learning Models of Natural Image Patches to Whole Image Restoration",
2011; penalties and fidelity as used for motion flow by Sun et al. 2015 and Gong et al. 2017,
section 3.2. They repeat the edge outside the photo; here those pixels are estimated.
"""

import math

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Float

from deblur_jax.solvers.frame import MARGIN, Extendable, check_range, put_in_frame
from deblur_jax.solvers.patches import Mixture, cover, denoise_patches, make_experts
from deblur_jax.typing import Array, Image, typechecked


FIDELITY = 1.5e5  # one over the variance of the noise: a standard deviation of 0.0026
LINEAR_STEPS = 20
RANK = 24  # leading directions used to select a Gaussian: fewer are faster and less accurate
CHUNK = 4096  # patches filtered at a time, which bounds the memory


@typechecked
def epll(
    blur: Extendable,
    observed: Image,
    mixture: Mixture,
    *,
    penalties: Float[Array, " steps"],
    fidelity: float | Array = FIDELITY,
    linear_steps: int = LINEAR_STEPS,
    rank: int = RANK,
    chunk: int = CHUNK,
    margin: int = MARGIN,
    weights: Array | None = None,
    remat: bool = False,
) -> tuple[jax.Array, dict[str, jax.Array]]:
    """Restores the sharp image behind `observed = blur(sharp) + noise`.

    Each channel is restored with the same prior. Half precision is computed in float32. Values are
    checked only outside `jit` and `vmap`.

    Args:
        blur: the known linear blur.
        observed: the blurry image, `[h, w, c]` in [0, 1].
        mixture: Gaussians over square patches, such as `models.gmm.PatchMixture`.
        penalties: one over the noise variance of the patches at each step, positive and usually
            growing, such as `schedules.gong_penalties()`.
        fidelity: one over the noise variance of the photo, positive.
        linear_steps: conjugate gradient steps for each linear system.
        rank: number of directions in which Gaussians are compared; `d - 1` or more use all.
        chunk: approximate number of patches filtered at a time; bounds the memory.
        margin: width in pixels of the unknown frame around the photo; 0 uses the blur's padding.
        weights: weights of the pixels in the misfit, `[h, w, 1]` or `[h, w, c]`; None weighs all
            pixels equally.
        remat: whether the gradient recomputes the steps instead of storing them.

    Returns:
        The restored image `[h, w, c]`, not clipped, in the dtype of `observed`, and a trace:
        `"misfit"`, the mean of `(A x - y)^2` after each step, and `"objective"`, the first equation
        of the module before each step, at the penalty of that step.

    Raises:
        ValueError: if an argument does not fit the image or is out of range.

    Example:
        >>> blur = LineBlur(jnp.full((12, 16, 2), 2.0))
        >>> restored, _ = epll(
        ...     blur, jnp.full((12, 16, 1), 0.5), load_mixture(), rank=4, linear_steps=2, margin=2,
        ...     penalties=jnp.asarray([100.0]))
        >>> restored.shape
        (12, 16, 1)
    """
    side = math.isqrt(mixture.directions.shape[1])
    if side**2 != mixture.directions.shape[1]:
        raise ValueError(
            f"epll: mixture must have square patches, got {mixture.directions.shape[1]} pixels"
        )
    if min(observed.shape[:2]) + 2 * margin < side:
        raise ValueError(
            f"epll: the image with its margin must hold a patch of {side}x{side} pixels, got "
            f"{observed.shape[0]}x{observed.shape[1]} and margin {margin}"
        )
    framed = put_in_frame("epll", blur, observed, margin=margin, weights=weights)
    check_range("epll", "penalties", penalties, 1e-3, float("inf"))
    canvas = framed.canvas()
    dtype = canvas.dtype
    counts = cover(canvas.shape[0], canvas.shape[1], side, dtype)

    fidelity = jnp.asarray(fidelity, dtype)

    def step(estimate, penalty):
        experts = make_experts(mixture, 1 / penalty, rank=rank)
        patches, density = denoise_patches(estimate, experts, side=side, chunk=chunk)
        objective = fidelity * framed.misfit_sum(framed.expose(estimate)) - density
        ratio = penalty / fidelity
        estimate = framed.fit(counts * ratio, patches * ratio, estimate, steps=linear_steps)
        row = {"misfit": framed.misfit(framed.expose(estimate)), "objective": objective}
        return estimate, row

    step = jax.checkpoint(step) if remat else step
    canvas, trace = lax.scan(step, canvas, jnp.asarray(penalties, dtype))
    return framed.result(canvas), trace
