"""A small mixture for the solvers' tests."""

import jax.numpy as jnp
import numpy as np

from deblur_jax.models.gmm import PatchMixture, patch_basis


def small_mixture(components=3, side=3):
    """Return Gaussians that differ in size and direction."""
    random = np.random.default_rng(0)
    size = side**2
    turns = np.linalg.qr(random.normal(size=(components, size - 1, size - 1)))[0]
    sizes = 10.0 ** -np.arange(1, components + 1)[:, None] * np.exp(-np.arange(size - 1))[None]
    return PatchMixture(
        jnp.asarray(np.log(np.full(components, 1 / components))),
        jnp.asarray(sizes + 1e-4),
        jnp.asarray(patch_basis(size, np.float64) @ turns),
    )
