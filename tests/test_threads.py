"""Several computations at the same time come in order, on given devices, no more than needed."""

import time

import jax
import jax.numpy as jnp

from deblur_jax.threads import AT_ONCE, in_order


def test_results_come_in_order_whichever_is_ready_first():
    def slow(number, wait):
        time.sleep(wait)
        return number

    assert list(in_order(slow, [0, 1, 2], [0.1, 0.0, 0.05])) == [0, 1, 2]


def test_those_that_wait_when_the_loop_ends_are_not_begun():
    begun = []
    found = in_order(lambda number: begun.append(number) or time.sleep(0.02), range(50))
    next(found)
    found.close()
    assert 1 <= len(begun) <= 2 * AT_ONCE


def test_the_calling_threads_device_is_used():
    device = jax.devices()[-1]
    with jax.default_device(device):
        found = list(in_order(lambda number: jnp.ones(2) * number, [1, 2]))
    assert all(each.devices() == {device} for each in found)


def test_entries_are_shared_among_given_devices_in_turn():
    devices = jax.devices()[:2]
    found = list(in_order(lambda number: jnp.ones(2) * number, [1, 2, 3], devices=devices))
    assert [each.devices() for each in found] == [{devices[i % len(devices)]} for i in range(3)]


def test_double_precision_of_the_calling_thread_is_used():
    with jax.enable_x64(True):
        found = list(in_order(lambda number: jnp.ones(2) * number, [1.0]))
    assert found[0].dtype == jnp.float64
