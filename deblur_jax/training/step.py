"""One update: a batch and a state in, the next state and its metrics out."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jax import lax

from deblur_jax.training.state import TrainState


DEVICES = "devices"  # the mapped axis; parallel.py maps over it

Metrics = dict[str, jax.Array]
Loss = Callable[[Any, Any, Any, jax.Array], tuple[jax.Array, tuple[Metrics, Any]]]
Gradients = Callable[[Any, Any, Any, jax.Array], tuple[Any, Metrics, Any]]


def make_train_step(
    loss_fn: Loss,
    optimizer: optax.GradientTransformation,
    *,
    ema_decay: float,
    seed: int,
    accumulate: int = 1,
) -> Callable[[TrainState, Any], tuple[TrainState, Metrics]]:
    """Returns `train_step(state, batch) -> (state, metrics)` for one device's share.

    Args:
        loss_fn: a task's loss, `(params, statistics, batch, key) -> (loss, (terms, statistics))`.
        optimizer: what turns gradients into updates.
        ema_decay: of the running mean of the parameters; 0 keeps none. Over the first steps the
            mean forgets faster, so that it soon leaves the initial parameters behind.
        seed: of the randomness inside the loss. The key is a function of the seed, the step and
            the device, so a resumed run draws what an unbroken one would.
        accumulate: how many parts, one after the other, the share is worked through in: memory for
            time. The gradient is that of the whole share (but for what the loss draws at random,
            and for statistics, which see smaller batches).
    """
    if not 0 <= ema_decay < 1:
        raise ValueError(f"config.ema_decay must be in [0, 1), got {ema_decay}")
    gradients = _in_parts(_gradients_of(loss_fn), accumulate)

    def train_step(state: TrainState, batch: Any) -> tuple[TrainState, Metrics]:
        key = jax.random.fold_in(jax.random.key(seed), state.step)
        key = jax.random.fold_in(key, _rank())
        grads, metrics, statistics = gradients(state.params, state.statistics, batch, key)
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
    """The mean over devices; of a counter, the number that they all have, still a whole one."""
    mean = jnp.issubdtype(x.dtype, jnp.inexact)
    return lax.pmean(x, DEVICES) if mean else lax.pmax(x, DEVICES)


def _rank() -> jax.Array:
    """The device's number, counted across the processes: theirs are 0, 1, ..., 0, 1, ..."""
    processes = jax.process_count()
    local = lax.axis_size(DEVICES) // processes
    index = lax.axis_index(DEVICES)
    return index % local * processes + index // local


def _gradients_of(loss_fn: Loss) -> Gradients:
    def gradients(params: Any, statistics: Any, batch: Any, key: jax.Array):
        value_and_grad = jax.value_and_grad(loss_fn, has_aux=True)
        (loss, (terms, statistics)), grads = value_and_grad(params, statistics, batch, key)
        return grads, {"loss/total": loss, **terms}, statistics

    return gradients


def _in_parts(gradients: Gradients, parts: int) -> Gradients:
    if parts == 1:
        return gradients

    def mean_gradients(params: Any, statistics: Any, batch: Any, key: jax.Array):
        batch = jax.tree.map(lambda x: x.reshape(parts, -1, *x.shape[1:]), batch)
        keys = jax.random.split(key, parts)

        def one_part(carry: Any, part: Any):
            sums, statistics = carry
            grads, metrics, statistics = gradients(params, statistics, *part)
            return (jax.tree.map(jnp.add, sums, (grads, metrics)), statistics), None

        first = jax.tree.map(lambda x: x[0], (batch, keys))
        shapes = jax.eval_shape(gradients, params, statistics, *first)[:2]
        zeros = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), shapes)
        (sums, statistics), _ = lax.scan(
            one_part, (zeros, statistics), (batch, keys), unroll=scan_unroll(parts)
        )
        grads, metrics = jax.tree.map(lambda x: x / parts, sums)
        return grads, metrics, statistics

    return mean_gradients


def scan_unroll(length: int) -> int:
    """Returns how many turns of a loop with a network's gradients to write out: on a CPU all.

    Inside a loop XLA's gradients of convolutions took 40 times as long there.
    """
    return length if jax.default_backend() == "cpu" else 1


def _running_mean(ema: Any, params: Any, decay: float, step: jax.Array) -> Any:
    if not decay:
        return ema
    kept = jnp.minimum(decay, (1 + step) / (10 + step))
    return jax.tree.map(lambda mean, x: mean + (1 - kept) * (x - mean), ema, params)
