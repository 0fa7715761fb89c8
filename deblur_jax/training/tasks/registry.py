"""The names that configs give to tasks.

A task is a module with

    make_simulate(**config.simulate)                 (key, one of a batch) -> an example
    make_loss(model, simulate, **config.loss)        its loss, see below
    model_inputs(simulate, batch, key)               the arrays that the network is called with
    evaluate(model, variables, source, simulate, seed=..., workdir=..., **config.evaluate)

What a source gives and what a simulation makes of it are dicts of arrays; see `data.examples`.

The loss is `(params, statistics, batch, key) -> (loss, (terms, statistics))`. `statistics` holds
the network's collections beside its parameters, such as `{"batch_stats": ...}`, and is `{}` for
most; `variables` are `{"params": params, **statistics}`. Of what `model_inputs` returns only the
shapes are looked at, to make the first parameters.
"""

from types import ModuleType

from deblur_jax.training.tasks import (
    blur_to_flow,
    blurring_to_deblur,
    denoising,
    flow_rnn,
    kernel_basis,
    motion_flow,
    restoration,
)


TASKS: dict[str, ModuleType] = {
    "blur_to_flow": blur_to_flow,
    "blurring_to_deblur": blurring_to_deblur,
    "denoising": denoising,
    "flow_rnn": flow_rnn,
    "kernel_basis": kernel_basis,
    "motion_flow": motion_flow,
    "restoration": restoration,
}


def find_task(name: str) -> ModuleType:
    """Returns the task called `name`; a ValueError lists the names there are."""
    if name not in TASKS:
        raise ValueError(f"config.task must be one of {sorted(TASKS)}, got {name!r}")
    return TASKS[name]
