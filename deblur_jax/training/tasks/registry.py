"""The names that configs give to tasks.

A task is a module with

    make_simulate(**config.simulate)                       (key, a photo's example) -> an example
    make_loss(model, simulate, **config.loss)              (params, batch, key) -> (loss, terms)
    evaluate(model, params, photos, simulate, seed=..., workdir=..., **config.evaluate)
"""

from types import ModuleType

from deblur_jax.training.tasks import motion_flow


TASKS: dict[str, ModuleType] = {"motion_flow": motion_flow}


def find_task(name: str) -> ModuleType:
    """Returns the task called `name`; a ValueError lists the names there are."""
    if name not in TASKS:
        raise ValueError(f"config.task must be one of {sorted(TASKS)}, got {name!r}")
    return TASKS[name]
