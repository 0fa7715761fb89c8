"""One update: a batch and a state in, the next state and its metrics out."""

from collections.abc import Callable
from typing import Any

import jax
import optax
from jax import lax

from deblur_jax.training.state import TrainState


DEVICES = "devices"  # the mapped axis; parallel.py maps over it

Loss = Callable[[Any, Any, jax.Array], tuple[jax.Array, dict[str, jax.Array]]]
Metrics = dict[str, jax.Array]


def make_train_step(
    loss_fn: Loss, optimizer: optax.GradientTransformation, *, seed: int
) -> Callable[[TrainState, Any], tuple[TrainState, Metrics]]:
    """Returns `train_step(state, batch) -> (state, metrics)` for one device's share.

    Args:
        loss_fn: a task's loss, `(params, batch, key) -> (loss, terms)`.
        optimizer: what turns gradients into updates.
        seed: of the randomness inside the loss. The key is a function of the seed, the step and
            the device, so a resumed run draws what an unbroken one would.
    """

    def train_step(state: TrainState, batch: Any) -> tuple[TrainState, Metrics]:
        key = jax.random.fold_in(jax.random.key(seed), state.step)
        key = jax.random.fold_in(key, lax.axis_index(DEVICES))
        value_and_grad = jax.value_and_grad(loss_fn, has_aux=True)
        (loss, terms), grads = value_and_grad(state.params, batch, key)
        grads, metrics = lax.pmean((grads, {"loss/total": loss, **terms}), DEVICES)

        updates, opt_state = optimizer.update(grads, state.opt_state, state.params)
        params = optax.apply_updates(state.params, updates)
        metrics["norm/grads"] = optax.tree.norm(grads)
        metrics["norm/updates"] = optax.tree.norm(updates)
        return TrainState(state.step + 1, params, opt_state), metrics

    return train_step
