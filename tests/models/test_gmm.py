"""The mixture over patches: its densities, its filter, and EM."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from deblur_jax.models.gmm import (
    Moments,
    PatchMixture,
    blend,
    expectation,
    initial_mixture,
    maximisation,
    patch_basis,
)
from tests.reference import patch_mixture as reference


SIZE = 9  # pixels in a patch


def random_mixture(components=3, seed=0):
    rng = np.random.default_rng(seed)
    directions, eigenvalues = [], []
    for index in range(components):
        turn = np.linalg.qr(rng.normal(size=(SIZE - 1, SIZE - 1)))[0]
        directions.append(patch_basis(SIZE) @ turn)
        eigenvalues.append(rng.uniform(0.01, 1, SIZE - 1) * (1 + index) ** 2)
    weights = np.arange(1, components + 1) / np.arange(1, components + 1).sum()
    arrays = (np.log(weights), np.stack(eigenvalues), np.stack(directions))
    return PatchMixture(*(jnp.asarray(x, jnp.float32) for x in arrays))


def covariances(mixture):
    return np.einsum(
        "mdr,mr,mer->mde", mixture.directions, mixture.eigenvalues, mixture.directions
    ).astype(np.float64)


def samples(mixture, count, seed=0):
    """Return patches without noise that were drawn from the mixture."""
    rng = np.random.default_rng(seed)
    which = rng.choice(len(mixture.log_weights), count, p=np.exp(mixture.log_weights))
    z = rng.normal(size=(count, SIZE - 1)) * np.sqrt(np.asarray(mixture.eigenvalues))[which]
    return np.einsum("nr,ndr->nd", z, np.asarray(mixture.directions)[which]).astype(np.float32)


MIXTURE = random_mixture()
PATCHES = samples(MIXTURE, 10, seed=1) + np.float32(0.3)


@pytest.mark.parametrize("sigma", [0.0, 0.2])
def test_likelihoods_are_those_of_the_equation(sigma):
    expected = [
        [reference.log_likelihood(patch, matrix, sigma) for matrix in covariances(MIXTURE)]
        for patch in PATCHES.astype(np.float64)
    ]
    actual = MIXTURE.log_likelihoods(PATCHES, sigma=sigma)
    np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-4)


def test_the_mean_of_a_patch_does_not_matter():
    brighter = MIXTURE.log_likelihoods(PATCHES + np.float32(0.5))
    np.testing.assert_allclose(brighter, MIXTURE.log_likelihoods(PATCHES), rtol=1e-4, atol=1e-3)


def test_densities_and_the_most_likely_component_follow_from_the_likelihoods():
    joint = np.exp(MIXTURE.log_weights + MIXTURE.log_likelihoods(PATCHES, sigma=0.1))
    density = MIXTURE.log_density(PATCHES, sigma=0.1)
    np.testing.assert_allclose(density, np.log(joint.sum(axis=1)), rtol=1e-4)
    assert jnp.all(MIXTURE.most_likely(PATCHES, sigma=0.1) == joint.argmax(axis=1))


def test_a_density_integrates_to_one():
    # Two pixels have one dimension without a mean: integrate along it.
    mixture = PatchMixture(
        jnp.log(jnp.asarray([0.3, 0.7])),
        jnp.asarray([[0.5], [2.0]]),
        jnp.broadcast_to(jnp.asarray([[0.5**0.5], [-(0.5**0.5)]]), (2, 2, 1)),
    )
    along = np.linspace(-12, 12, 2001, dtype=np.float32)
    patches = along[:, None] * np.asarray([[0.5**0.5, -(0.5**0.5)]], np.float32)
    total = np.exp(mixture.log_density(patches, sigma=0.3)).sum() * (along[1] - along[0])
    assert total == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("chunk", [3, 4096])
def test_denoising_is_the_filter_of_the_most_probable_gaussian(chunk):
    sigma = 0.4
    noisy = PATCHES + sigma * np.random.default_rng(2).normal(size=PATCHES.shape)
    expected = [
        reference.denoise(patch, np.asarray(MIXTURE.log_weights), covariances(MIXTURE), sigma)
        for patch in noisy
    ]
    actual = MIXTURE.denoise(noisy.astype(np.float32), sigma=sigma, chunk=chunk)
    np.testing.assert_allclose(actual, expected, rtol=1e-3, atol=1e-4)


def test_without_noise_a_patch_stays_as_it_is():
    actual = MIXTURE.denoise(PATCHES, sigma=1e-5)
    np.testing.assert_allclose(actual, PATCHES, atol=1e-4)


@jax.jit
def em(mixture, patches):
    found = expectation(mixture, patches)
    return maximisation(found, floor=1e-4), found.log_likelihood


def run_em(patches, steps, components, seed=0):
    start = initial_mixture(jax.random.key(seed), patches, components=components, floor=1e-4)
    mixture, densities = start, []
    for _ in range(steps):
        mixture, density = em(mixture, patches)
        densities.append(float(density))
    return mixture, np.asarray(densities)


def test_no_step_of_em_loses_likelihood():
    # More Gaussians than there are: some meet the floor, where the bound still holds.
    _, densities = run_em(samples(MIXTURE, 300), steps=25, components=8)
    assert np.all(np.diff(densities) > -1e-4)
    assert densities[-1] > densities[0] + 0.5


def test_em_finds_the_mixture_that_the_patches_came_from():
    truth = random_mixture(components=2, seed=4)
    patches = samples(truth, 6000)
    found, _ = run_em(patches, steps=60, components=2)
    order = np.argsort(found.log_weights)
    np.testing.assert_allclose(np.exp(found.log_weights)[order], [1 / 3, 2 / 3], atol=0.03)
    for index, matrix in zip(order, covariances(truth), strict=True):
        error = np.linalg.norm(covariances(found)[index] - matrix) / np.linalg.norm(matrix)
        assert error < 0.12


def test_the_moments_are_those_of_the_equation():
    patches = samples(MIXTURE, 6)
    joint = np.exp(MIXTURE.log_weights + MIXTURE.log_likelihoods(patches))
    shares = joint / joint.sum(axis=1, keepdims=True)
    inside = patches @ patch_basis(SIZE)
    found = expectation(MIXTURE, patches)
    np.testing.assert_allclose(found.weights, shares.mean(axis=0), rtol=1e-4)
    expected = np.einsum("nm,nr,ns->mrs", shares, inside, inside) / len(patches)
    np.testing.assert_allclose(found.squares, expected, rtol=1e-3, atol=1e-5)


def test_blending_moves_by_the_rate():
    old, new = (Moments(jnp.full(2, x), jnp.full((2, 3, 3), x), jnp.asarray(x)) for x in (1.0, 3.0))
    assert jnp.all(blend(old, new, 0.25).squares == 1.5)


def test_the_mixture_passes_through_jit_and_vmap():
    sigmas = jnp.asarray([0.1, 0.3])
    both = jax.jit(jax.vmap(lambda m, s: m.log_density(PATCHES, sigma=s), (None, 0)))
    expected = jnp.stack([MIXTURE.log_density(PATCHES, sigma=s) for s in sigmas])
    np.testing.assert_allclose(both(MIXTURE, sigmas), expected, rtol=1e-5)


def test_fewer_patches_than_gaussians_are_refused():
    with pytest.raises(ValueError, match="5 components need at least as many patches, got 4"):
        initial_mixture(jax.random.key(0), PATCHES[:4], components=5, floor=1e-4)
