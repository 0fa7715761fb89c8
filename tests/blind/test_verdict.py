"""The score of a blur: what it is computed from, its probability, its words, and its fit."""

import dataclasses
import json

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import check_grad

from deblur_jax.blind import verdict
from deblur_jax.blind.judge import Judgement
from deblur_jax.blind.verdict import (
    NAMES,
    WEIGHTS,
    Hypothesis,
    features,
    probability,
    score,
    spread,
)
from deblur_jax.deblurring import Result, deblur
from deblur_jax.models.blur_estimate import BlurEstimate
from deblur_jax.ops.operators import UniformBlur
from deblur_jax.pretrained import Pretrained
from experiments.blind import fit
from tests.blind.scenes import blurred, hook, sharp_photo


def judgement(energy, ratio, misfit=1e-5):
    energies = np.broadcast_to(energy, 4)
    whole = Judgement(np.mean(energies), np.asarray(misfit), np.asarray(ratio), np.asarray(400.0))
    parts = Judgement(energies, np.full(4, misfit), np.full(4, ratio), np.asarray([100.0] * 4))
    return whole, parts


def hypothesis(energy=5e-4, ratio=0.3, name="uniform", kernel=None, border=0.0):
    kernels = np.stack([hook() if kernel is None else kernel])
    found, none = judgement(energy, ratio), judgement(6e-4, 0.4)
    return Hypothesis(name, kernels, *found, *none, border)


def feature(found, name, noise=0.005):
    return features(found, noise)[NAMES.index(name)]


def test_every_feature_has_a_name_and_a_weight():
    found = features(hypothesis(), 0.005)
    assert found.shape == (len(NAMES),)
    assert np.isfinite(found).all()
    groups = json.loads(WEIGHTS.read_text())
    assert set(groups["weights"]) == set(NAMES) >= set(groups["choice"])
    for group in ("weights", "choice"):
        assert np.isfinite(list(groups[group].values())).all()
        # A lower energy and a sharper latent image never speak against a blur.
        assert all(groups[group].get(name, 0) <= 0 for name in ("energy", "ratio", "misfit"))


def test_what_equals_no_blur_has_no_difference_to_it():
    found = hypothesis(energy=6e-4, ratio=0.4)
    for name in ("energy", "ratio", "misfit", "cells", "sharper_cells"):
        assert feature(found, name) == 0


def test_features_compare_with_no_blur():
    found = hypothesis(energy=np.asarray([3e-4, 3e-4, 3e-4, 7e-4]), ratio=0.2)
    np.testing.assert_allclose(feature(found, "energy"), 10 * np.log(4 / 6), rtol=1e-6)
    np.testing.assert_allclose(feature(found, "ratio"), 4 * np.log(0.5), rtol=1e-6)
    assert feature(found, "cells") == 0.75
    assert feature(found, "sharper_cells") == 1
    kinds = [
        feature(hypothesis(name=n), kind)
        for n in ("network", "windows", "uniform")
        for kind in ("network", "windows")
    ]
    assert kinds == [1, 0, 0, 1, 0, 0]


def test_the_spread_of_a_point_is_zero_and_of_a_line_is_known():
    point, line = np.zeros((2, 15, 15))
    point[7, 7], line[4, 2:11] = 1, 1 / 9
    assert spread(point) == 0
    np.testing.assert_allclose(spread(line), np.sqrt((9**2 - 1) / 12), rtol=1e-6)
    np.testing.assert_allclose(spread(5 * line.T), spread(line), rtol=1e-6)


def test_the_score_rises_with_a_feature_of_positive_weight(monkeypatch):
    monkeypatch.setattr(
        verdict, "shipped_weights", lambda _: tuple(-float(n == "energy") for n in NAMES)
    )
    scores = [score(hypothesis(energy=e), 0.005) for e in (4e-4, 5e-4, 6e-4, 7e-4)]
    assert scores == sorted(scores, reverse=True)
    assert scores[2] == 0
    monkeypatch.setattr(
        verdict, "shipped_weights", lambda _: tuple(float(n == "border") for n in NAMES)
    )
    assert score(hypothesis(border=0.1), 0.005) > score(hypothesis(), 0.005) == 0


def test_a_score_of_zero_is_even_odds():
    assert probability(0) == 0.5
    chances = [probability(each) for each in (-50.0, -1.0, 1.0, 50.0)]
    assert chances == sorted(chances)
    np.testing.assert_allclose(chances[1] + chances[2], 1)
    assert 0 <= chances[0] < 1e-9


def result(likely, reason=""):
    photo = np.zeros((32, 32, 3), np.float32)
    return Result(photo, UniformBlur(jnp.ones((1, 1))), photo, 1.0, reason, likely)


CHANCE = "better than the photo with a probability of"


@pytest.mark.parametrize(
    ("likely", "trusted", "words"),
    [
        (0.97, True, f"{CHANCE} 97 %"),
        (0.93, True, f"doubtful: {CHANCE} 93 %"),
        (0.3, False, f"the restoration is {CHANCE} only 30 % (92 % is required)"),
    ],
)
def test_the_verdict_is_a_probability_in_words(likely, trusted, words):
    assert result(likely).verdict == words
    assert result(likely).trusted is trusted


def test_without_blur_the_verdict_is_the_reason():
    found = result(0.99, "the photo is flat")
    assert found.verdict == "no blur was found: the photo is flat"
    assert not found.trusted


@dataclasses.dataclass(frozen=True)
class Estimator:
    """Stands in for an estimator that finds the true kernel with some probability."""

    likely: float

    def estimate_blur(self, variables, photo):
        del variables, photo
        return BlurEstimate(UniformBlur(jnp.asarray(hook())), likely=self.likely)


def soften(image, sigma):
    del sigma
    return image


def test_each_place_gets_as_much_of_the_restoration_as_it_is_trusted(monkeypatch):
    photo = blurred(sharp_photo(64, 72), hook())
    trust = np.linspace(0, 1, 64 * 72, dtype=np.float32).reshape(64, 72, 1)
    monkeypatch.setattr("deblur_jax.estimate.trust_map", lambda *_, **__: trust)
    likely, unlikely, weaker = (
        deblur(photo, Pretrained("mine", Estimator(odds), {}, {}), denoise=soften, strength=share)
        for odds, share in ((0.999, 1.0), (0.001, 1.0), (0.999, 0.5))
    )
    apart = likely.restored - photo
    assert np.abs(apart).max() > 0.05
    np.testing.assert_array_equal(unlikely.restored, likely.restored)
    np.testing.assert_allclose(likely.image, photo + trust * apart, atol=1e-6)
    np.testing.assert_allclose(unlikely.image, likely.image, atol=1e-6)
    np.testing.assert_allclose(weaker.image, photo + 0.5 * trust * apart, atol=1e-6)
    assert likely.likely > unlikely.likely


def rows(separable=False):
    """Returns features and gains of three hypotheses on each of 20 photos."""
    draw = np.random.default_rng(0)
    made = []
    for number in range(20):
        given = draw.standard_normal((3, len(NAMES)))
        given[:, 0] = 1
        gains = -2 * given[:, 1] if separable else draw.uniform(-3, 3, 3)
        hypotheses = [
            {"name": "uniform", "features": list(each), "gain": float(gain)}
            for each, gain in zip(given, gains, strict=True)
        ]
        made.append({"photo": f"shake-{number}", "blurred": 25.0, "hypotheses": hypotheses})
    return made


@pytest.mark.parametrize("loss", [fit.gain_loss, fit.choice_loss])
def test_the_gradient_of_the_loss_is_that_of_finite_differences(loss):
    photos = [fit._arrays(row) for row in rows()]
    weights = np.random.default_rng(1).standard_normal(len(NAMES))
    error = check_grad(
        lambda w: loss(w, photos)[0], lambda w: loss(w, photos)[1], weights, epsilon=1e-6
    )
    assert error < 1e-5 * np.linalg.norm(loss(weights, photos)[1]) + 1e-5


def test_fitted_weights_separate_what_can_be_separated():
    made = rows(separable=True)
    weights = fit.fit_weights(made)
    choice = fit.fit_weights(made, fit.choice_loss)
    for each in (weights, choice):
        assert each[1] < -5 * np.abs(each[2:]).max()
    for given, gains in map(fit._arrays, made):
        clear = np.abs(gains) > 0.5
        np.testing.assert_array_equal((given @ weights > 0)[clear], (gains > 0)[clear])
        assert gains[np.argmax(given @ choice)] > gains.max() - 0.5


def test_photos_are_chosen_for_by_weights_of_other_photos():
    chosen = fit.cross_validated(rows(separable=True))
    assert len(chosen) == 20
    table = fit.summary(chosen)
    assert set(table) == {"shake", "all"}
    assert table["all"] == table["shake"]
    assert table["all"]["photos"] == 20
    assert table["all"]["worse"] == 0
    assert 0 < table["all"]["gain"] <= table["all"]["best"]
