"""From a config to the parts of a run: only here do its groups become arguments of functions."""

import contextlib
import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import jax
import optax
from flax import linen as nn

from deblur_jax.data.examples import FLOWS, KERNELS, LABELS, PICTURES
from deblur_jax.data.sources import make_source
from deblur_jax.models.registry import make_model
from deblur_jax.training.evaluation import Evaluation, make_evaluation
from deblur_jax.training.initial import start_from
from deblur_jax.training.optimizer import make_optimizer
from deblur_jax.training.precision import with_precision
from deblur_jax.training.step import TrainState, create_state, init_variables, make_train_step
from deblur_jax.training.tasks.registry import find_task


@dataclasses.dataclass(frozen=True)
class Parts:
    """The parts of a training run.

    Attributes:
        task: the module, see `tasks.registry`.
        model: the network, as it is evaluated and released.
        simulate: makes an example of the task out of one of the data.
        optimizer: turns gradients into updates.
        train_step: `(state, batch) -> (state, metrics)` on one device's share.
    """

    task: Any
    model: nn.Module
    simulate: Callable
    optimizer: optax.GradientTransformation
    train_step: Callable


def assemble(config: Any) -> Parts:
    """Return the parts of the run that a config describes.

    Raises:
        ValueError: if a field has an invalid value.
        TypeError: if a group has an unknown field, or lacks one.
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


def assemble_evaluation(config: Any) -> Evaluation:
    """Return the evaluation that a config describes; its source is opened here, once.

    Raises:
        ValueError: if a field has an invalid value, or the source holds bad files.
        TypeError: if a group has an unknown field, or lacks one.
        FileNotFoundError: if the source's folder does not exist.
    """
    task = find_task(config.task)
    source = make_source(**config.evaluation_source)
    simulate = task.make_simulate(**config.simulate)
    return make_evaluation(task, make_model(**config.model), source, simulate, **config.evaluate)


@contextlib.contextmanager
def explained(config: Any, group: str) -> Iterator[None]:
    """Convert the KeyError of an array that a source's examples lack into a ValueError.

    Args:
        config: of the run.
        group: of the source, `source` or `evaluation_source`.
    """
    try:
        yield
    except KeyError as error:
        if error.args[0] not in PICTURES + FLOWS + LABELS + KERNELS:
            raise
        raise ValueError(
            f"the examples of {group}.name={config[group].name} have no {error.args[0]!r}, which "
            f"the task {config.task} needs; choose another source or task"
        ) from error


def first_state(
    config: Any, parts: Parts, batch: Any, *, resumed: bool = False
) -> tuple[TrainState, list[jax.ShapeDtypeStruct]]:
    """Return the state before the first step, and the shapes of the network's inputs.

    Args:
        config: of the run.
        parts: of the same run.
        batch: any batch; for most tasks only its shapes matter.
        resumed: whether a checkpoint will replace the values, so that no weights are read.
    """
    task, key = parts.task, jax.random.key(config.seed)
    with explained(config, "source"):
        shapes = jax.eval_shape(lambda batch: task.model_inputs(parts.simulate, batch, key), batch)
    inputs = [jax.ShapeDtypeStruct((1, *x.shape[1:]), x.dtype) for x in shapes]
    variables, memory = init_variables(key, parts.model, *inputs), None
    fields = dict(config.init)
    weights = fields.pop("weights")
    if hasattr(task, "first_memory"):
        memory = task.first_memory(jax.random.fold_in(key, 1), **fields)
    elif fields and not hasattr(task, "first_params"):
        raise ValueError(f"config.init has no field {min(fields)!r}; {config.task} takes none")
    if not resumed:
        if hasattr(task, "first_params"):
            variables["params"] = task.first_params(variables["params"], **fields)
        if weights:
            variables = start_from(variables, weights)
    ema = config.ema_decay > 0
    return create_state(variables, parts.optimizer, ema=ema, memory=memory), inputs
