"""The tasks by the names that configs use.

A task is a module with

    make_simulate(**config.simulate)             `simulate(key, one of a batch) -> an example`
    make_loss(model, simulate, **config.loss)    its loss, see below
    model_inputs(simulate, batch, key)           the inputs of the network; only shapes are used
    make_score(model, **options)                 `(variables, example, key) -> (metrics, arrays)`
    draw(example, arrays, metrics)               pictures of an evaluated example by title

and, where it needs them,

    first_params(params, **fields)               initial parameters, parts of which were trained
    first_memory(key, **fields)                  the initial state of the loss, a tree of arrays
    describe(metrics)                            a sentence on the result for the end of a run

`options` are the fields of `config.evaluate` that `evaluation.make_evaluation` does not take, and
`fields` those of `config.init` but for `weights`; a task has one of the two functions that take
them, or none. What a source gives and what a simulation makes
of it are dicts of arrays; see `data.examples`.

The loss is `(params, statistics, batch, step, key) -> (loss, (terms, statistics))`; `step` counts
the finished steps. `statistics` holds the network's collections beside its parameters, such as
`{"batch_stats": ...}`, and is `{}` for most; `variables` are `{"params": params, **statistics}`.

A loss runs on every device, on its share of the batch, inside the axis `step.DEVICES`. What it puts
into `statistics` is averaged over the devices after the step (integers are taken as they are: a
counter is the same on all), and with `config.accumulate` above one the result of one part goes into
the next. So a layer that normalises by the whole batch names the axis,
`model.clone(axis_name=DEVICES)`, and a loss that takes optimizer steps of its own averages their
gradients itself, `lax.pmean(grads, DEVICES)`. What `first_memory` returned is `statistics["loss"]`:
it is saved and restored, and neither evaluated nor exported.
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
    "denoise": denoise,
    "estimate_flow": estimate_flow,
    "estimate_kernels": estimate_kernels,
    "estimate_motion": estimate_motion,
    "restore": restore,
    "restore_adversarially": restore_adversarially,
    "restore_frames": restore_frames,
    "restore_unrolled": restore_unrolled,
}


def find_task(name: str) -> ModuleType:
    """Return the task called `name`; raise a ValueError that lists the tasks otherwise."""
    if name not in TASKS:
        raise ValueError(f"config.task must be one of {sorted(TASKS)}, got {name!r}")
    return TASKS[name]
