"""From a config to the parts of a run: its groups become the arguments of functions, here alone."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import jax
import optax
from flax import linen as nn

from deblur_jax.models.registry import make_model
from deblur_jax.training.optimizer import make_optimizer
from deblur_jax.training.precision import with_precision
from deblur_jax.training.state import TrainState, create_state
from deblur_jax.training.step import make_train_step
from deblur_jax.training.tasks.registry import find_task


@dataclasses.dataclass(frozen=True)
class Parts:
    """What a run is made of.

    Attributes:
        task: the module, see `tasks.registry`.
        model: the network, as it is evaluated and released.
        simulate: makes an example out of one of the data.
        optimizer: what turns gradients into updates.
        train_step: `(state, batch) -> (state, metrics)` on one device's share.
    """

    task: Any
    model: nn.Module
    simulate: Callable
    optimizer: optax.GradientTransformation
    train_step: Callable


def assemble(config: Any) -> Parts:
    """Returns the parts of the run that a config describes.

    Raises:
        ValueError: if a field has a value that it cannot have.
        TypeError: if a group has a field that its function does not take, or lacks one.
    """
    task = find_task(config.task)
    model = make_model(**config.model)
    optimizer = make_optimizer(**config.optimizer, total_steps=config.steps)
    simulate = task.make_simulate(**config.simulate)
    network = with_precision(model, precision=config.precision, remat=config.remat)
    train_step = make_train_step(
        task.make_loss(network, simulate, **config.loss),
        optimizer,
        ema_decay=config.ema_decay,
        seed=config.seed,
        accumulate=config.accumulate,
    )
    return Parts(task, model, simulate, optimizer, train_step)


def first_state(
    config: Any, parts: Parts, batch: Any
) -> tuple[TrainState, list[jax.ShapeDtypeStruct]]:
    """Returns the state before the first step, and the shapes that the network is called with.

    Args:
        config: of the run.
        parts: of the same.
        batch: any one; what it holds does not matter to most tasks.
    """
    task, key = parts.task, jax.random.key(config.seed)
    shapes = jax.eval_shape(lambda batch: task.model_inputs(parts.simulate, batch, key), batch)
    inputs = [jax.ShapeDtypeStruct((1, *x.shape[1:]), x.dtype) for x in shapes]
    memory = None
    if hasattr(task, "first_memory"):
        key_of_loss = jax.random.fold_in(key, 1)
        memory = task.first_memory(parts.simulate, batch, key_of_loss, **config.loss)
    begin = getattr(task, "first_params", None)
    state = create_state(
        key, parts.model, parts.optimizer, *inputs, ema=config.ema_decay > 0, memory=memory,
        begin=begin and functools.partial(begin, **config.loss),
    )  # fmt: skip
    return state, inputs
