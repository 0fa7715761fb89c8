"""Learning to see kernels: a blurred photo in, a basis of kernels and its mixing out.

The task of Carbajal et al. 2021. The batch holds sharp photos, with the segments of their objects
if they are known. Objects and background are each given a kernel here, on the device. The loss
compares the kernel of every pixel with the true one, and the sharp photo blurred by the estimate
with the blurry one; every segment counts alike.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from deblur_jax.data.examples import Source
from deblur_jax.losses.kernels import absolute_kernel_error, squared_kernel_error
from deblur_jax.losses.reblur import reblur_error
from deblur_jax.metrics import mean_metrics, psnr, ssim
from deblur_jax.models.kernel_basis import KernelField
from deblur_jax.ops.operators import BasisBlur
from deblur_jax.ops.sensor import Transfer, to_light
from deblur_jax.pictures import kernels_over, write_panels
from deblur_jax.pretrained import load_denoiser
from deblur_jax.restoration import restore
from deblur_jax.simulate.training_sets import make_segment_blur
from deblur_jax.training.examples import Example, Simulate, blurry_inputs, held_out, simulated
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
    parts: int,
) -> Callable:
    """Returns `loss_fn(params, statistics, batch, key) -> (loss, (terms, statistics))`.

    Args:
        model: a `KernelBasisNet`, whose collection `progress` counts the steps.
        simulate: makes an example as `simulate.training_sets.make_segment_blur` does.
        transfer: from display values to the light in which photos are blurred.
        kernel_weight: of the error of the kernels.
        reblur_weight: of the error of the photo that the estimate blurs.
        squared_until: the step from which absolute errors of the kernels count, instead of
            squares; the squares of unlike kernels pull harder, and absolute errors end sharper.
        chunk: pixels whose kernels exist at a time, for the absolute errors.
        parts: in how many parts a step is worked through, `config.accumulate`.

    Source:
        Carbajal et al., arXiv:2102.01026, sections 3.2 and 3.4.
    """

    def loss_of_photo(field: KernelField, example: Example, steps: Array) -> tuple[Array, Array]:
        def kernel_error(error: Callable, **options: int) -> Callable[[], Array]:
            return lambda: error(
                field.kernels, field.mixing, example["kernels"], example["mixing"],
                example["weights"], **options,
            )  # fmt: skip

        kernels = jax.lax.cond(
            steps < squared_until,
            kernel_error(squared_kernel_error),
            kernel_error(absolute_kernel_error, chunk=chunk),
        )
        sharp, blurry = (to_light(example[name], transfer) for name in ("sharp", "blurry"))
        reblur = reblur_error(sharp, blurry, field.kernels, field.mixing, example["weights"])
        return kernels, reblur

    def loss_fn(params: Any, statistics: Any, batch: Example, key: jax.Array):
        example = simulated(simulate, batch, key)
        steps = statistics["progress"]["steps"]
        field = model.apply({"params": params, **statistics}, example["blurry"])
        errors = jax.vmap(loss_of_photo, in_axes=(0, 0, None))(field, example, steps)
        kernels, reblur = (jnp.mean(error) for error in errors)
        loss = kernel_weight * kernels + reblur_weight * reblur
        counted = {**statistics, "progress": {"steps": steps + 1 / parts}}
        return loss, ({"loss/kernels": kernels, "loss/reblur": reblur}, counted)

    return loss_fn


def evaluate(
    model: Any,
    variables: Any,
    source: Source,
    simulate: Simulate,
    *,
    workdir: Path,
    pictures: int,
    denoiser: str,
    **chosen: int,
) -> dict[str, float]:
    """Measures the estimated kernels, and a restoration with them, where the truth is known.

    Args:
        model: the network.
        variables: its parameters and statistics.
        source: photos, and perhaps their segments, that the network was not trained on.
        simulate: makes an example of the task.
        workdir: gets `pictures/`.
        pictures: how many of the examples to draw.
        denoiser: the restoration's prior, for `pretrained.load_denoiser`; "" for total variation.
        **chosen: seed, size and number of the examples, see `training.examples.held_out`.

    Returns:
        The means over all examples. `kernel/absolute` is the mean over pixels of the summed
        absolute error of their kernels, `kernel/squared` that of the squares, `..._baseline` the
        same if no pixel had a blur. `psnr/reblurred` compares the sharp photo, blurred by the
        estimate, with the blurry one, away from the edges; `psnr/true_kernels` is what the same
        solver restores when it is given the true kernels; `share/better` how many photos gain by
        the restoration.
    """
    options = {"transfer": model.transfer, "margin": model.side // 2, "saturates": True}
    options["denoise"] = load_denoiser(denoiser) if denoiser else None
    estimate = jax.jit(lambda blurry: jax.tree.map(lambda x: x[0], model.apply(variables, blurry)))
    score = jax.jit(lambda *arrays: _score(*arrays, transfer=model.transfer))
    folder = workdir / "pictures"
    folder.mkdir(exist_ok=True)
    rows = []
    for name, example in held_out(source, simulate, **chosen):
        field = estimate(example["blurry"][None])
        blurs = {
            "restored": BasisBlur(field.kernels, field.mixing),
            "true_kernels": BasisBlur(example["kernels"], example["mixing"]),
        }
        restored = {
            what: restore(blur, example["blurry"], **options)[0] for what, blur in blurs.items()
        }
        if len(rows) < pictures:
            _draw(folder / f"{name}.png", example, field, restored["restored"])
        rows.append(score(example, field, restored))
    return mean_metrics(rows)


def _score(
    example: Example, field: KernelField, restored: dict[str, Array], *, transfer: Transfer
) -> dict[str, Array]:
    sharp, blurry = example["sharp"], example["blurry"]
    radius = field.kernels.shape[-1] // 2
    inside = (slice(radius, -radius), slice(radius, -radius))
    light = [to_light(photo, transfer) for photo in (sharp, blurry)]
    reblurred = BasisBlur(field.kernels, field.mixing)(light[0])
    still = jnp.zeros_like(field.kernels[:1]).at[0, radius, radius].set(1)
    everywhere = jnp.ones_like(field.mixing[..., :1])
    weights = jnp.full(sharp.shape[:2], 1 / sharp[..., 0].size)
    truth = (example["kernels"], example["mixing"], weights)
    pictures = {"blurred": blurry, **restored}
    better = psnr(restored["restored"], sharp) > psnr(blurry, sharp)
    return {
        "share/better": better.astype(sharp.dtype),
        "kernel/absolute": absolute_kernel_error(*field, *truth),
        "kernel/absolute_baseline": absolute_kernel_error(still, everywhere, *truth),
        "kernel/squared": squared_kernel_error(*field, *truth),
        "kernel/squared_baseline": squared_kernel_error(still, everywhere, *truth),
        "psnr/reblurred": psnr(reblurred[inside], light[1][inside]),
        "psnr/not_reblurred": psnr(light[0][inside], light[1][inside]),
        **{f"psnr/{name}": psnr(picture, sharp) for name, picture in pictures.items()},
        **{f"ssim/{name}": ssim(picture, sharp) for name, picture in pictures.items()},
    }


def _draw(path: Path, example: Example, field: KernelField, restored: Array) -> None:
    sharp, blurry = np.asarray(example["sharp"]), np.asarray(example["blurry"])
    before, after = float(psnr(blurry, sharp)), float(psnr(restored, sharp))
    write_panels(
        path,
        {
            f"blurred, {before:.1f} dB": blurry,
            "estimated kernels": kernels_over(blurry, *field),
            "true kernels": kernels_over(blurry, example["kernels"], example["mixing"]),
            f"restored, {after:.1f} dB": restored,
            "sharp": sharp,
        },
    )
