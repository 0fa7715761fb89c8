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


def make_train_step(
    loss_fn: Loss, optimizer: optax.GradientTransformation, *, ema_decay: float, seed: int
) -> Callable[[TrainState, Any], tuple[TrainState, Metrics]]:
    """Returns `train_step(state, batch) -> (state, metrics)` for one device's share.

    Args:
        loss_fn: a task's loss, `(params, statistics, batch, key) -> (loss, (terms, statistics))`.
        optimizer: what turns gradients into updates.
        ema_decay: of the running mean of the parameters; 0 keeps none. Over the first steps the
            mean forgets faster, so that it soon leaves the initial parameters behind.
        seed: of the randomness inside the loss. The key is a function of the seed, the step and
            the device, so a resumed run draws what an unbroken one would.
    """

    def train_step(state: TrainState, batch: Any) -> tuple[TrainState, Metrics]:
        key = jax.random.fold_in(jax.random.key(seed), state.step)
        key = jax.random.fold_in(key, lax.axis_index(DEVICES))
        value_and_grad = jax.value_and_grad(loss_fn, has_aux=True)
        (loss, (terms, statistics)), grads = value_and_grad(
            state.params, state.statistics, batch, key
        )
        metrics = {"loss/total": loss, **terms}
        grads, metrics, statistics = lax.pmean((grads, metrics, statistics), DEVICES)

        updates, opt_state = optimizer.update(grads, state.opt_state, state.params)
        params = optax.apply_updates(state.params, updates)
        metrics["norm/grads"] = optax.tree.norm(grads)
        metrics["norm/updates"] = optax.tree.norm(updates)
        ema = _running_mean(state.ema, params, ema_decay, state.step)
        return TrainState(state.step + 1, params, opt_state, statistics, ema), metrics

    return train_step


def _running_mean(ema: Any, params: Any, decay: float, step: jax.Array) -> Any:
    if not decay:
        return ema
    early = jnp.minimum(decay, (1 + step) / (10 + step))
    return jax.tree.map(lambda mean, x: mean + (1 - early) * (x - mean), ema, params)
