"""One training step: simulate a batch, compute the loss and its gradient, update the state.

    batch --simulate--> examples --loss--> gradient --optimizer--> next state

Everything here runs on one device, on its share of the batch; `parallel.py` maps it over devices.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax import linen as nn
from flax import struct
from jax import lax

from deblur_jax.simulate.training_sets import Example, Simulate


DEVICES = "devices"  # the mapped axis; parallel.py maps over it
LOSS = "loss"  # the name in `statistics` of the state of the loss; not part of the network
# Initialising a network runs hundreds of small random draws once; optimising them takes minutes.
QUICK_COMPILE = {"xla_backend_optimization_level": 0}

Metrics = dict[str, jax.Array]
# (params, statistics, batch, step, key) -> (loss, (terms, statistics)), see tasks/registry.py
Loss = Callable[[Any, Any, Any, jax.Array, jax.Array], tuple[jax.Array, tuple[Metrics, Any]]]
Gradients = Callable[[Any, Any, Any, jax.Array, jax.Array], tuple[Any, Metrics, Any]]


@struct.dataclass
class TrainState:
    """Everything that changes from step to step.

    Attributes:
        step: the number of finished steps.
        params: the trained parameters.
        opt_state: the state of the optimizer.
        statistics: the network's other collections, such as `{"batch_stats": ...}`, and under
            "loss" the state of the loss; mostly `{}`.
        ema: the running mean of `params`; `{}` if none is kept.
    """

    step: jax.Array
    params: Any
    opt_state: Any
    statistics: Any
    ema: Any

    @property
    def variables(self) -> dict[str, Any]:
        """The variables to evaluate and to release: with the mean parameters if they are kept."""
        return variables_of(self.params, self.statistics, self.ema)


def variables_of(params: Any, statistics: Any, ema: Any) -> dict[str, Any]:
    """Return a network's variables from the parts of a state; see `TrainState.variables`."""
    collections = {name: tree for name, tree in (statistics or {}).items() if name != LOSS}
    return {"params": ema or params, **collections}


def init_variables(key: jax.Array, model: nn.Module, *inputs: Any) -> dict[str, Any]:
    """Return a network's random initial variables.

    Args:
        key: for the random draws.
        model: the network.
        *inputs: arrays, or their shapes, of the kind that the network takes.
    """
    options = QUICK_COMPILE if jax.default_backend() == "cpu" else None
    init = jax.jit(model.init, compiler_options=options)
    return dict(init(key, *(jnp.zeros(x.shape, x.dtype) for x in inputs)))


def create_state(
    variables: dict[str, Any],
    optimizer: optax.GradientTransformation,
    *,
    ema: bool,
    memory: Any = None,
) -> TrainState:
    """Return the state before the first step.

    Args:
        variables: of the network, to start from.
        optimizer: turns gradients into updates.
        ema: whether to keep a running mean of the parameters.
        memory: the initial state of the loss; None if it has none.
    """
    statistics = dict(variables)
    params = statistics.pop("params")
    if memory is not None:
        statistics[LOSS] = jax.tree.map(jnp.copy, memory)  # a step donates its buffers
    return TrainState(
        step=jnp.zeros((), jnp.int32),
        params=params,
        opt_state=optimizer.init(params),
        statistics=statistics,
        # A copy: the same buffer cannot be donated twice.
        ema=jax.tree.map(jnp.copy, params) if ema else {},
    )


def count_parameters(params: Any) -> int:
    """Return the number of scalars in a tree of arrays."""
    return sum(x.size for x in jax.tree.leaves(params))


def simulated(simulate: Simulate, batch: Example, key: jax.Array) -> Example:
    """Apply `simulate` to each example of a batch, each with a key of its own."""
    count = len(next(iter(batch.values())))
    return jax.vmap(simulate)(jax.random.split(key, count), batch)


def blurry_inputs(simulate: Simulate, batch: Example, key: jax.Array) -> tuple[Any]:
    """Return the inputs of a network that takes one blurry photo: a task's `model_inputs`."""
    return (simulated(simulate, batch, key)["blurry"],)


def make_train_step(
    loss_fn: Loss,
    optimizer: optax.GradientTransformation,
    *,
    ema_decay: float,
    seed: int,
    accumulate: int = 1,
) -> Callable[[TrainState, Any], tuple[TrainState, Metrics]]:
    """Return `train_step(state, batch) -> (state, metrics)` for one device's share.

    Args:
        loss_fn: a task's loss,
            `(params, statistics, batch, step, key) -> (loss, (terms, statistics))`.
        optimizer: turns gradients into updates.
        ema_decay: decay of the running mean of the parameters; 0 keeps no mean. Over the first
            steps the decay is smaller, so that the initial parameters soon lose their influence.
        seed: of the randomness inside the loss. The key is a function of the seed, the step and
            the device, so a resumed run makes the same random draws as an uninterrupted one.
        accumulate: the number of parts in which the share is processed, one after the other, to
            save memory. The gradient is that of the whole share (except for the random draws of
            the loss, and for statistics, which are computed over smaller batches).
    """
    if not 0 <= ema_decay < 1:
        raise ValueError(f"config.ema_decay must be in [0, 1), got {ema_decay}")
    gradients = _accumulated(_gradients_of(loss_fn), accumulate)

    def train_step(state: TrainState, batch: Any) -> tuple[TrainState, Metrics]:
        key = jax.random.fold_in(jax.random.key(seed), state.step)
        key = jax.random.fold_in(key, _rank())
        grads, metrics, statistics = gradients(
            state.params, state.statistics, batch, state.step, key
        )
        grads, metrics = lax.pmean((grads, metrics), DEVICES)
        statistics = jax.tree.map(_shared, statistics)

        updates, opt_state = optimizer.update(grads, state.opt_state, state.params)
        params = optax.apply_updates(state.params, updates)
        metrics["norm/grads"] = optax.tree.norm(grads)
        metrics["norm/updates"] = optax.tree.norm(updates)
        ema = _running_mean(state.ema, params, ema_decay, state.step)
        return TrainState(state.step + 1, params, opt_state, statistics, ema), metrics

    return train_step


def _shared(x: jax.Array) -> jax.Array:
    """Average floating-point values over devices; take the maximum of integer counters."""
    mean = jnp.issubdtype(x.dtype, jnp.inexact)
    return lax.pmean(x, DEVICES) if mean else lax.pmax(x, DEVICES)


def _rank() -> jax.Array:
    """Return the device's number across processes: theirs are 0, 1, ..., 0, 1, ..."""
    processes = jax.process_count()
    local = lax.axis_size(DEVICES) // processes
    index = lax.axis_index(DEVICES)
    return index % local * processes + index // local


def _gradients_of(loss_fn: Loss) -> Gradients:
    def gradients(params: Any, statistics: Any, batch: Any, step: jax.Array, key: jax.Array):
        value_and_grad = jax.value_and_grad(loss_fn, has_aux=True)
        (loss, (terms, statistics)), grads = value_and_grad(params, statistics, batch, step, key)
        return grads, {"loss/total": loss, **terms}, statistics

    return gradients


def _accumulated(gradients: Gradients, parts: int) -> Gradients:
    if parts == 1:
        return gradients

    def mean_gradients(params: Any, statistics: Any, batch: Any, step: jax.Array, key: jax.Array):
        batch = jax.tree.map(lambda x: x.reshape(parts, -1, *x.shape[1:]), batch)
        keys = jax.random.split(key, parts)

        def one_part(carry: Any, part: Any):
            sums, statistics = carry
            some, key = part
            grads, metrics, statistics = gradients(params, statistics, some, step, key)
            return (jax.tree.map(jnp.add, sums, (grads, metrics)), statistics), None

        some, first_key = jax.tree.map(lambda x: x[0], (batch, keys))
        shapes = jax.eval_shape(gradients, params, statistics, some, step, first_key)[:2]
        zeros = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), shapes)
        (sums, statistics), _ = lax.scan(
            one_part, (zeros, statistics), (batch, keys), unroll=scan_unroll(parts)
        )
        grads, metrics = jax.tree.map(lambda x: x / parts, sums)
        return grads, metrics, statistics

    return mean_gradients


def scan_unroll(length: int) -> int:
    """Return how many iterations of a loop over gradients to unroll: all of them on a CPU.

    There XLA runs the gradients of convolutions 40 times slower inside a loop.
    """
    return length if jax.default_backend() == "cpu" else 1


def _running_mean(ema: Any, params: Any, decay: float, step: jax.Array) -> Any:
    if not decay:
        return ema
    kept = jnp.minimum(decay, (1 + step) / (10 + step))
    return jax.tree.map(lambda mean, x: mean + (1 - kept) * (x - mean), ema, params)
