"""Trust in a restoration: a network's map, what it changes, and the probability that follows."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from deblur_jax.blind.restoration import ESTIMATED_STEPS, restore_closed
from deblur_jax.blind.trust import (
    NETWORK,
    SURE,
    expectation,
    likely_better,
    terms,
    trust_map,
    trusted_change,
)
from deblur_jax.blind.verdict import LIKELY
from deblur_jax.models.trust import DOUBT, TrustNet
from deblur_jax.ops.operators import UniformBlur
from deblur_jax.pretrained import load, load_denoiser
from tests.blind.scenes import blurred, hook, sharp_photo


PARAMETERS = {
    "conv 5x5": 9 * 25 * 16 + 16,
    "conv 3x3": (16 * 24 + 24 * 32 + 32 * 48 + 48 * 48 + 48 * 48 + 48) * 9 + 24 + 32 + 3 * 48 + 1,
    "context": 2 * 48 * 32 + 32 + 32 * 48 + 48,
}


def test_the_network_has_the_parameters_of_its_layers():
    shown = jax.ShapeDtypeStruct((1, 32, 32, 3), jnp.float32)
    found = jax.eval_shape(TrustNet().init, jax.random.key(0), shown, shown, shown)
    assert sum(x.size for x in jax.tree.leaves(found)) == sum(PARAMETERS.values())


def test_an_untrained_network_trusts_every_place_a_little():
    photo = jnp.asarray(sharp_photo(40, 50))[None]
    model = TrustNet()
    variables = model.init(jax.random.key(0), photo, photo, 0 * photo)
    trust = model.apply(variables, photo, 0.5 * photo, 0 * photo)
    assert trust.shape == (1, 40, 50)
    np.testing.assert_allclose(trust, jax.nn.sigmoid(-DOUBT), rtol=1e-6)


def shipped_map(photo, restored, residual):
    network = load("trust")
    return trust_map(network.model, network.variables, photo, restored, residual)


def test_a_sharp_photo_is_not_trusted_to_a_wrong_kernel():
    sharp = sharp_photo(96, 128)
    blur, denoise = UniformBlur(jnp.asarray(hook())), load_denoiser()
    changes = []
    for photo in (blurred(sharp, hook()), sharp):
        found = restore_closed(photo, blur, denoise=denoise, noise=0.013, steps=ESTIMATED_STEPS)
        changes.append(trusted_change(shipped_map(photo, *found), photo, found[0]))
    right, wrong = changes
    assert right > 10 * wrong


@pytest.mark.parametrize("size", [(32, 32), (33, 70), (64, 96)])
def test_the_map_has_the_size_of_the_photo(size):
    photo = sharp_photo(*size)
    trust = shipped_map(photo, photo, np.zeros_like(photo))
    assert trust.shape == (*size, 1)
    assert trust.dtype == np.float32
    assert 0 <= trust.min() <= trust.max() <= 1


def test_a_shrunk_photo_is_judged_nearly_alike():
    photo, network = sharp_photo(96, 128), load("trust")
    blur = UniformBlur(jnp.asarray(hook()))
    blurry = blurred(photo, hook())
    found = restore_closed(
        blurry, blur, denoise=load_denoiser(), noise=0.013, steps=ESTIMATED_STEPS
    )
    whole, shrunk = (
        trust_map(network.model, network.variables, blurry, *found, ratio=ratio)
        for ratio in (1.0, 0.5)
    )
    assert whole.shape == shrunk.shape == (96, 128, 1)
    assert 0 <= shrunk.min() <= shrunk.max() <= 1
    assert abs(whole.mean() - shrunk.mean()) < 0.3


def test_the_change_counts_what_is_trusted():
    photo = np.zeros((4, 6, 3), np.float32)
    restored, trust = photo.copy(), np.zeros((4, 6, 1), np.float32)
    restored[:, :2], restored[:, 2:3], trust[:, :2] = 0.1, 0.2, 0.5
    np.testing.assert_allclose(trusted_change(trust, photo, restored), 0.05**2 / 3, rtol=1e-6)
    assert trusted_change(trust, photo, photo) == 0


def test_a_restoration_is_expected_to_gain_by_its_odds_and_what_it_changes():
    assert expectation("windows", 0.5, 0.0) == expectation("network", 0.0, 0.01) == 0
    np.testing.assert_allclose(expectation("uniform", 0.5, 1e-4), 0.05)
    np.testing.assert_allclose(expectation("network", 0.5, 1e-4), 0.05 * NETWORK)


def test_the_terms_are_log_odds_and_the_logarithm_of_the_change():
    np.testing.assert_allclose(terms(0.8, 1e-3), [1, np.log(4), np.log(1e-3)], rtol=1e-3)
    np.testing.assert_allclose(terms(0, 1e-3)[1], np.log(SURE), rtol=1e-3)
    assert np.isfinite(terms(1, 0)).all()


def test_more_trusted_change_makes_a_better_result_more_likely():
    chances = [likely_better(0.5, change) for change in (0.0, 1e-6, 1e-5, 1e-4, 1e-3)]
    assert chances == sorted(chances)
    assert chances[0] < 0.5 < LIKELY < chances[-1]
    assert likely_better(0.05, 1e-4) < LIKELY < likely_better(0.95, 1e-4)
