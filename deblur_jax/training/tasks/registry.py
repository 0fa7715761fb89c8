"""The names that configs give to tasks.

A task is a module with

    make_simulate(**config.simulate)                 (key, one of a batch) -> an example
    make_loss(model, simulate, **config.loss)        its loss, see below
    model_inputs(simulate, batch, key)               the arrays that the network is called with
    evaluate(model, variables, source, simulate, seed=..., workdir=..., **config.evaluate)

and, where the network begins with weights of another one,

    first_params(params, **config.loss)              the network's own, or those instead

and, where the loss itself carries something from step to step, such as a critic with its optimizer,

    first_memory(simulate, batch, key, **config.loss)   a tree of arrays, before the first step

What a source gives and what a simulation makes of it are dicts of arrays; see `data.examples`.

The loss is `(params, statistics, batch, key) -> (loss, (terms, statistics))`. `statistics` holds
the network's collections beside its parameters, such as `{"batch_stats": ...}`, and is `{}` for
most; `variables` are `{"params": params, **statistics}`. Of what `model_inputs` returns only the
shapes are looked at, to make the first parameters.

A loss runs on every device, on its share of the batch, inside the axis `step.DEVICES`. What it puts
into `statistics` is averaged over the devices after the step (whole numbers are taken as they are:
a counter counts the same on all), and with `config.accumulate` above one part's goes into the next.
So a layer that is to see the whole batch names the axis, `model.clone(axis_name=DEVICES)`, and a
loss that takes steps of its own averages their gradients itself, `lax.pmean(grads, DEVICES)`. What
`first_memory` returned is `statistics["loss"]`: saved and restored, and neither given to `evaluate`
nor exported.
"""

from types import ModuleType

from deblur_jax.training.tasks import (
    denoise,
    estimate_flow,
    estimate_kernels,
    estimate_motion,
    restore,
    restore_adversarially,
    restore_frames,
    restore_unrolled,
)


TASKS: dict[str, ModuleType] = {
    "estimate_flow": estimate_flow,
    "restore_adversarially": restore_adversarially,
    "denoise": denoise,
    "restore_frames": restore_frames,
    "estimate_kernels": estimate_kernels,
    "estimate_motion": estimate_motion,
    "restore": restore,
    "restore_unrolled": restore_unrolled,
}


def find_task(name: str) -> ModuleType:
    """Returns the task called `name`; a ValueError lists the names there are."""
    if name not in TASKS:
        raise ValueError(f"config.task must be one of {sorted(TASKS)}, got {name!r}")
    return TASKS[name]
