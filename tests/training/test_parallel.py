"""A step on many devices equals a step on one."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import linen as nn
from jax import lax

from deblur_jax.training.parallel import check_batch_size, over_devices, replicate, split_batch
from deblur_jax.training.precision import with_precision
from deblur_jax.training.step import DEVICES, TrainState, create_state, make_train_step


def loss_fn(params, statistics, batch, step, key):
    del step, key
    error = batch["x"] @ params["w"] - batch["y"]
    statistics = {"mean": 0.9 * statistics["mean"] + 0.1 * jnp.mean(batch["x"], axis=0)}
    return jnp.mean(error**2), ({"largest": jnp.mean(jnp.abs(error))}, statistics)


def take_steps(devices, loss_fn=loss_fn, count=3, ema_decay=0.0, parallel="pmap", accumulate=1):
    rng = np.random.default_rng(0)
    optimizer = optax.sgd(0.1, momentum=0.9)
    params = {"w": jnp.ones((3, 2))}
    state = TrainState(
        jnp.zeros((), jnp.int32),
        params,
        optimizer.init(params),
        statistics={"mean": jnp.zeros(3)},
        ema=jax.tree.map(jnp.copy, params) if ema_decay else {},
    )
    train_step = make_train_step(
        loss_fn, optimizer, ema_decay=ema_decay, seed=0, accumulate=accumulate
    )
    step = over_devices(train_step, devices, parallel=parallel)
    state = replicate(state, devices)
    for _ in range(count):
        batch = {"x": rng.normal(size=(8, 3)), "y": rng.normal(size=(8, 2))}
        batch = {name: value.astype(np.float32) for name, value in batch.items()}
        state, metrics = step(state, split_batch(batch, devices))
    return state, metrics


def test_eight_devices_take_the_same_steps_as_one():
    one, one_metrics = take_steps(jax.devices()[:1])
    eight, eight_metrics = take_steps(jax.devices()[:8])
    np.testing.assert_allclose(eight.params["w"], one.params["w"], rtol=1e-5)
    np.testing.assert_allclose(eight.statistics["mean"], one.statistics["mean"], rtol=1e-5)
    for name, value in one_metrics.items():
        np.testing.assert_allclose(eight_metrics[name], value, rtol=1e-5)
    assert int(eight.step) == 3


def test_the_running_mean_follows_the_parameters():
    mean, decay = np.ones((3, 2)), 0.15
    for count in range(1, 4):
        state, _ = take_steps(jax.devices()[:2], count=count, ema_decay=decay)
        kept = min(decay, count / (9 + count))  # the first step keeps a tenth
        mean = kept * mean + (1 - kept) * np.asarray(state.params["w"])
    np.testing.assert_allclose(state.ema["w"], mean, rtol=1e-5)
    assert state.variables["params"] is state.ema
    assert "mean" in state.variables


def test_the_state_carries_no_device_axis():
    state, metrics = take_steps(jax.devices()[:2])
    assert state.params["w"].shape == (3, 2)
    assert all(value.shape == () for value in metrics.values())


class Normed(nn.Module):
    """A layer that normalises over the whole batch if the axis name is given."""

    axis_name: str | None = None

    @nn.compact
    def __call__(self, x):
        x = nn.BatchNorm(use_running_average=False, axis_name=self.axis_name)(x)
        return nn.Dense(2)(x)


CRITIC = optax.adam(0.1)


def adversarial_loss():
    """A net with batch statistics against a linear critic, which takes a step of its own."""
    net = with_precision(Normed(), precision="float32", remat="all").clone(axis_name=DEVICES)

    def judged(critic, estimate):
        return jnp.mean(jnp.tanh(estimate @ critic))

    def loss_fn(params, statistics, batch, step, key):
        del step, key
        network = {"params": params, "batch_stats": statistics["batch_stats"]}
        estimate, changed = net.apply(network, batch["x"], mutable=["batch_stats"])
        memory = statistics["loss"]
        grads = jax.grad(judged)(memory["critic"], lax.stop_gradient(estimate))
        updates, optimizer = CRITIC.update(lax.pmean(grads, DEVICES), memory["optimizer"])
        critic = optax.apply_updates(memory["critic"], updates)
        memory = {"critic": critic, "optimizer": optimizer, "count": memory["count"] + 1}
        loss = jnp.mean((estimate - batch["y"]) ** 2) - judged(critic, estimate)
        return loss, ({}, {**changed, "loss": memory})

    return loss_fn


@pytest.mark.parametrize("accumulate", [1, 2])
def test_batch_statistics_and_a_critic_are_those_of_the_whole_batch(accumulate):
    critic = jnp.ones((2, 1))
    memory = {"critic": critic, "optimizer": CRITIC.init(critic), "count": jnp.int32(0)}
    made = []
    for count in (1, 4):
        devices, optimizer = jax.devices()[:count], optax.sgd(0.1)
        variables = Normed().init(jax.random.key(0), jnp.ones((1, 3)))
        state = create_state(variables, optimizer, ema=False, memory=memory)
        train_step = make_train_step(
            adversarial_loss(), optimizer, ema_decay=0, seed=0, accumulate=accumulate
        )
        step = over_devices(train_step, devices, parallel="pmap")
        state = replicate(state, devices)
        rng = np.random.default_rng(0)
        for _ in range(3):
            x, y = rng.normal(size=(2, 8, 3)).astype(np.float32)
            state, _ = step(state, split_batch({"x": x, "y": y[:, :2]}, devices))
        assert int(state.statistics["loss"]["count"]) == 3 * accumulate
        assert state.statistics["loss"]["optimizer"][0].count.dtype == jnp.int32
        assert set(state.variables) == {"params", "batch_stats"}
        made.append((state.params, state.statistics))
    if accumulate == 1:  # else the parts hold other examples
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5), *made)


def test_every_device_and_step_draws_its_own_randomness():
    def noisy(params, statistics, batch, step, key):
        draw = jax.random.uniform(key)
        return jnp.sum(params["w"]) * 0 + draw, ({"squared": draw**2}, statistics)

    _, first = take_steps(jax.devices()[:8], noisy, count=1)
    _, second = take_steps(jax.devices()[:8], noisy, count=2)
    # The mean of the squares is the square of the mean only if all devices drew the same.
    assert not np.isclose(first["squared"], first["loss/total"] ** 2)
    assert first["loss/total"] != second["loss/total"]


def test_a_batch_that_does_not_divide_is_refused():
    check_batch_size(16, jax.devices()[:8])
    with pytest.raises(ValueError, match="got 12 examples for 8 devices; take a multiple of 8"):
        check_batch_size(12, jax.devices()[:8])


def test_shard_map_takes_the_steps_of_pmap_to_the_bit():
    mapped, metrics = take_steps(jax.devices()[:8], ema_decay=0.9)
    sharded, sharded_metrics = take_steps(jax.devices()[:8], ema_decay=0.9, parallel="shard_map")
    for one, other in zip(
        jax.tree.leaves((mapped, metrics)),
        jax.tree.leaves((sharded, sharded_metrics)),
        strict=True,
    ):
        np.testing.assert_array_equal(one, other)


def test_a_share_worked_through_in_parts_gives_the_gradient_of_the_whole():
    whole, metrics = take_steps(jax.devices()[:2])
    parts, parts_metrics = take_steps(jax.devices()[:2], accumulate=4)
    np.testing.assert_allclose(parts.params["w"], whole.params["w"], rtol=1e-5)
    for name, value in metrics.items():
        np.testing.assert_allclose(parts_metrics[name], value, rtol=1e-5)


def test_the_error_for_an_unknown_mapping_lists_the_known_ones():
    with pytest.raises(ValueError, match=r"parallel must be one of \['pmap', 'shard_map'\]"):
        take_steps(jax.devices()[:1], parallel="vmap")


def test_parts_that_do_not_divide_are_refused():
    with pytest.raises(ValueError, match="8 devices times 3 parts each; take a multiple of 24"):
        check_batch_size(16, jax.devices()[:8], accumulate=3)
