"""Estimating blur kernels: a blurred photo in, basis kernels and their mixing weights out.

The task of Carbajal et al. 2021. A batch holds sharp photos, and the segments of their objects
where they are known. On the device each object and the background are blurred by a kernel of their
own. The loss compares the kernel of every pixel with the true one, and the sharp photo blurred by
the estimate with the blurry one; every segment has the same total weight.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from deblur_jax.losses.kernels import absolute_kernel_error, squared_kernel_error
from deblur_jax.losses.reblur import reblur_error
from deblur_jax.metrics import psnr, ssim
from deblur_jax.models.kernel_basis import KernelField
from deblur_jax.ops.operators import BasisBlur
from deblur_jax.ops.sensor import Transfer, to_light
from deblur_jax.pictures import kernels_over
from deblur_jax.pretrained import load_denoiser
from deblur_jax.restore import restore_blur
from deblur_jax.simulate.training_sets import Example, Simulate, make_segment_blur
from deblur_jax.training.evaluation import Arrays, Score
from deblur_jax.training.step import blurry_inputs, simulated
from deblur_jax.typing import Array


model_inputs = blurry_inputs
make_simulate = make_segment_blur


def make_loss(
    model: Any,
    simulate: Simulate,
    *,
    transfer: Transfer,
    kernel_weight: float,
    reblur_weight: float,
    squared_until: int,
    chunk: int,
) -> Callable:
    """Return the loss of a batch; see `tasks.registry` for its signature.

    Args:
        model: a `KernelBasisNet`.
        simulate: makes an example as `simulate.training_sets.make_segment_blur` does.
        transfer: from display values to the light in which photos are blurred.
        kernel_weight: of the error of the kernels.
        reblur_weight: of the error of the photo that the estimate blurs.
        squared_until: the step from which the absolute errors of the kernels are minimised instead
            of the squared ones. Squares have larger gradients where kernels differ much; absolute
            errors give sharper kernels in the end.
        chunk: how many pixels' kernels are in memory at a time, for the absolute errors.

    Source:
        Carbajal et al., arXiv:2102.01026, sections 3.2 and 3.4.
    """

    def loss_of_photo(field: KernelField, example: Example, step: Array) -> tuple[Array, Array]:
        def kernel_error(error: Callable, **options: int) -> Callable[[], Array]:
            return lambda: error(
                field.kernels, field.mixing, example["kernels"], example["mixing"],
                example["weights"], **options,
            )  # fmt: skip

        kernels = jax.lax.cond(
            step < squared_until,
            kernel_error(squared_kernel_error),
            kernel_error(absolute_kernel_error, chunk=chunk),
        )
        sharp, blurry = (to_light(example[name], transfer) for name in ("wide_sharp", "blurry"))
        reblur = reblur_error(sharp, blurry, field.kernels, field.mixing, example["weights"])
        return kernels, reblur

    def loss_fn(params: Any, statistics: Any, batch: Example, step: jax.Array, key: jax.Array):
        example = simulated(simulate, batch, key)
        field = model.apply({"params": params, **statistics}, example["blurry"])
        errors = jax.vmap(loss_of_photo, in_axes=(0, 0, None))(field, example, step)
        kernels, reblur = (jnp.mean(error) for error in errors)
        loss = kernel_weight * kernels + reblur_weight * reblur
        return loss, ({"loss/kernels": kernels, "loss/reblur": reblur}, statistics)

    return loss_fn


def make_score(model: Any, *, denoiser: str) -> Score:
    """Return the score of estimated kernels, and of a restoration with them, by the truth.

    Args:
        model: the network.
        denoiser: the restoration's prior, for `pretrained.load_denoiser`; "" for total variation.

    Returns:
        A score. `kernel/absolute` is the mean over pixels of the summed absolute error of their
        kernels, `kernel/squared` that of the squares, `..._baseline` the same if no pixel had a
        blur. `psnr/reblurred` compares the sharp photo, blurred by the estimate, with the blurry
        one, away from the edges; `psnr/true_kernels` is what the same solver restores when it is
        given the true kernels; `share/better` the share of the photos that the restoration
        improves.
    """
    transfer = model.transfer
    options = {"transfer": transfer, "margin": model.side // 2, "saturates": True}
    options["denoise"] = load_denoiser(denoiser) if denoiser else None

    def score(variables: Any, example: Example, key: jax.Array) -> tuple[Arrays, Arrays]:
        del key
        sharp, blurry = example["sharp"], example["blurry"]
        field = jax.tree.map(lambda x: x[0], model.apply(variables, blurry[None]))
        true_field = KernelField(example["kernels"], example["mixing"])
        restored, ideal = (
            restore_blur(BasisBlur(*each), blurry, **options)[0] for each in (field, true_field)
        )
        radius = field.kernels.shape[-1] // 2
        inside = (slice(radius, -radius), slice(radius, -radius))
        light = [to_light(photo, transfer) for photo in (sharp, blurry)]
        reblurred = BasisBlur(*field)(light[0])
        still = jnp.zeros_like(field.kernels[:1]).at[0, radius, radius].set(1)
        everywhere = jnp.ones_like(field.mixing[..., :1])
        everywhere_alike = jnp.full(sharp.shape[:2], 1 / sharp[..., 0].size)
        truth = (true_field.kernels, true_field.mixing, everywhere_alike)
        pictures = {"blurred": blurry, "restored": restored, "true_kernels": ideal}
        better = psnr(restored, sharp) > psnr(blurry, sharp)
        metrics: Arrays = {
            "share/better": better.astype(sharp.dtype),
            "kernel/absolute": absolute_kernel_error(field.kernels, field.mixing, *truth),
            "kernel/absolute_baseline": absolute_kernel_error(still, everywhere, *truth),
            "kernel/squared": squared_kernel_error(field.kernels, field.mixing, *truth),
            "kernel/squared_baseline": squared_kernel_error(still, everywhere, *truth),
            "psnr/reblurred": psnr(reblurred[inside], light[1][inside]),
            "psnr/not_reblurred": psnr(light[0][inside], light[1][inside]),
            **{f"psnr/{name}": psnr(picture, sharp) for name, picture in pictures.items()},
            **{f"ssim/{name}": ssim(picture, sharp) for name, picture in pictures.items()},
        }
        return metrics, {"kernels": field.kernels, "mixing": field.mixing, "restored": restored}

    return score


def draw(example: Arrays, shown: Arrays, metrics: dict[str, float]) -> Arrays:
    """Return pictures of the estimated and the true kernels, and of the restoration, by title."""
    blurry = np.asarray(example["blurry"])
    return {
        f"blurred, {metrics['psnr/blurred']:.1f} dB": blurry,
        "estimated kernels": kernels_over(blurry, shown["kernels"], shown["mixing"]),
        "true kernels": kernels_over(blurry, example["kernels"], example["mixing"]),
        f"restored, {metrics['psnr/restored']:.1f} dB": shown["restored"],
        "sharp": example["sharp"],
    }
