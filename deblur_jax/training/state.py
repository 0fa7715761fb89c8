"""What a training run carries from step to step, and nothing that can be computed from the step."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax import linen as nn
from flax import struct


# Hundreds of little random draws are run once, and cost minutes to compile when they are optimised.
QUICK_COMPILE = {"xla_backend_optimization_level": 0}
LOSS = "loss"  # the name in `statistics` of what the loss carries; the network has no use for it


@struct.dataclass
class TrainState:
    """All that a step changes.

    Attributes:
        step: how many are done.
        params: what is trained.
        opt_state: the optimizer's memory.
        statistics: the network's other collections, such as `{"batch_stats": ...}`, and under
            "loss" what the loss itself carries; mostly `{}`.
        ema: the running mean of `params`; `{}` if none is kept.
    """

    step: jax.Array
    params: Any
    opt_state: Any
    statistics: Any
    ema: Any

    @property
    def variables(self) -> dict[str, Any]:
        """What to evaluate and to release: the mean parameters if they are kept."""
        return variables_of(self.params, self.statistics, self.ema)


def variables_of(params: Any, statistics: Any, ema: Any) -> dict[str, Any]:
    """Returns a network's variables from the parts of a state; see `TrainState.variables`."""
    collections = {name: tree for name, tree in (statistics or {}).items() if name != LOSS}
    return {"params": ema or params, **collections}


def create_state(
    key: jax.Array,
    model: nn.Module,
    optimizer: optax.GradientTransformation,
    *inputs: jax.Array | jax.ShapeDtypeStruct,
    ema: bool,
    memory: Any = None,
    begin: Callable[[Any], Any] | None = None,
) -> TrainState:
    """Returns the state before the first step.

    Args:
        key: for the initial parameters.
        model: the network.
        optimizer: what turns gradients into updates.
        *inputs: arrays, or their shapes, of the kind that the network takes.
        ema: whether to keep a running mean of the parameters.
        memory: what the loss carries, before the first step; None if nothing.
        begin: returns what to begin with instead of the initial parameters; None for those.
    """
    options = QUICK_COMPILE if jax.default_backend() == "cpu" else None
    init = jax.jit(model.init, compiler_options=options)
    variables = init(key, *(jnp.zeros(x.shape, x.dtype) for x in inputs))
    statistics = dict(variables)
    params = statistics.pop("params")
    params = begin(params) if begin else params
    if memory is not None:
        statistics[LOSS] = jax.tree.map(jnp.copy, memory)  # steps consume it
    return TrainState(
        step=jnp.zeros((), jnp.int32),
        params=params,
        opt_state=optimizer.init(params),
        statistics=statistics,
        # A copy: a step may not be given the same array twice to consume.
        ema=jax.tree.map(jnp.copy, params) if ema else {},
    )


def count_parameters(params: Any) -> int:
    """Returns the number of scalars in a tree of arrays."""
    return sum(x.size for x in jax.tree.leaves(params))
