"""What a training run carries from step to step, and nothing that can be computed from the step."""

from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax import linen as nn
from flax import struct


@struct.dataclass
class TrainState:
    """Parameters, the optimizer's memory and the number of finished steps."""

    step: jax.Array
    params: Any
    opt_state: Any


def create_state(
    key: jax.Array,
    model: nn.Module,
    optimizer: optax.GradientTransformation,
    *inputs: jax.Array | jax.ShapeDtypeStruct,
) -> TrainState:
    """Returns the state before the first step.

    Args:
        key: for the initial parameters.
        model: the network.
        optimizer: what turns gradients into updates.
        *inputs: arrays, or their shapes, of the kind that the network takes.
    """
    params = jax.jit(model.init)(key, *(jnp.zeros(x.shape, x.dtype) for x in inputs))["params"]
    return TrainState(jnp.zeros((), jnp.int32), params, optimizer.init(params))


def count_parameters(params: Any) -> int:
    """Returns the number of scalars in a tree of arrays."""
    return sum(x.size for x in jax.tree.leaves(params))
