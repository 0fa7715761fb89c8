"""A Gaussian mixture over small patches of photographs: the prior of EPLL.

A patch is `d` pixels of one channel. Its mean brightness is not affected by blur, so the mixture
models patches without their mean: zero-mean Gaussians in the `r = d - 1` dimensions that are
orthogonal to a constant patch,

    p(z) = sum_m weight_m * N(z; 0, S_m),    S_m = V_m diag(lambda_m) V_m^T

Covariances are stored as eigenvalues and eigenvectors, since a solver needs `S_m + sigma^2 I` for
many sigma. The eigenvectors are orthogonal to a constant patch, so patches may be given with or
without their mean.

Source: Zoran & Weiss, "From Learning Models of Natural Image Patches to Whole Image Restoration",
ICCV 2011, sections 2 and 5; the mixture here is fitted by `fit` and `tools/fit_gmm.py`.
"""

import dataclasses
import math

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Float, Int

from deblur_jax.ops.pytree import register
from deblur_jax.typing import Array, typechecked


Patches = Float[Array, "n d"]

PRECISION = lax.Precision.HIGHEST  # squares of small projections are compared
CHUNK = 4096  # patches processed together, so that they fit into a core's cache


@register
@dataclasses.dataclass(frozen=True, eq=False)
class PatchMixture:
    """A mixture of zero-mean Gaussians over patches without their mean.

    Attributes:
        log_weights: `[m]`, the logarithms of the mixture weights.
        eigenvalues: `[m, r]`, variances along the directions, positive, in squared image values.
        directions: `[m, d, r]`, orthonormal columns, each orthogonal to a constant patch.
    """

    log_weights: Float[Array, " m"]
    eigenvalues: Float[Array, "m r"]
    directions: Float[Array, "m d r"]

    @typechecked
    def log_likelihoods(self, patches: Patches, *, sigma: float | Array = 0.0) -> jax.Array:
        """Returns `log N(patch; 0, S_m + sigma^2 I)` of every patch under every Gaussian.

        Args:
            patches: `[n, d]`, pixels row by row.
            sigma: standard deviation of the noise on the patches, a scalar.

        Returns:
            `[n, m]`, densities over the `r` dimensions of patches without their mean.
        """

        def of_component(component):
            eigenvalues, directions = component
            variances = eigenvalues + jnp.square(jnp.asarray(sigma, eigenvalues.dtype))
            scaled = directions * lax.rsqrt(variances)
            projections = jnp.matmul(patches, scaled, precision=PRECISION)
            distances = jnp.sum(jnp.square(projections), axis=-1)
            return -0.5 * (distances + jnp.sum(jnp.log(variances)))

        constant = 0.5 * self.eigenvalues.shape[-1] * math.log(2 * math.pi)
        return lax.map(of_component, (self.eigenvalues, self.directions)).T - constant

    @typechecked
    def log_density(self, patches: Patches, *, sigma: float | Array = 0.0) -> jax.Array:
        """Returns the log density of each patch under the whole mixture, `[n]`.

        Args:
            patches: `[n, d]`.
            sigma: standard deviation of the noise on the patches.
        """
        joint = self.log_weights[None] + self.log_likelihoods(patches, sigma=sigma)
        return jax.nn.logsumexp(joint, axis=-1)

    @typechecked
    def most_likely(self, patches: Patches, *, sigma: float | Array = 0.0) -> jax.Array:
        """Returns the index of the most probable Gaussian of each patch, `[n]`.

        Args:
            patches: `[n, d]`.
            sigma: standard deviation of the noise on the patches.
        """
        joint = self.log_weights[None] + self.log_likelihoods(patches, sigma=sigma)
        return jnp.argmax(joint, axis=-1)

    @typechecked
    def wiener(self, patches: Patches, components: Int[Array, " n"], *, sigma: Array) -> jax.Array:
        """Applies to each patch the Wiener filter of its Gaussian, keeping the patch's mean.

        Args:
            patches: `[n, d]`, noisy.
            components: `[n]`, index of the Gaussian of each patch.
            sigma: standard deviation of the noise, positive.

        Returns:
            `mean + S_m (S_m + sigma^2 I)^-1 (patch - mean)`, `[n, d]`.
        """
        variance = jnp.square(jnp.asarray(sigma, self.eigenvalues.dtype))
        gains = self.eigenvalues / (self.eigenvalues + variance)
        filters = jnp.einsum(
            "mdr,mr,mer->mde", self.directions, gains, self.directions, precision=PRECISION
        )
        filtered = jnp.einsum("nd,nde->ne", patches, filters[components], precision=PRECISION)
        return filtered + jnp.mean(patches, axis=-1, keepdims=True)

    @typechecked
    def denoise(self, patches: Patches, *, sigma: float | Array, chunk: int = CHUNK) -> jax.Array:
        """Applies to each patch the Wiener filter of its most probable Gaussian.

        This is the patch step of EPLL, an approximate maximum a posteriori estimate.

        Args:
            patches: `[n, d]`, noisy.
            sigma: standard deviation of the noise, positive.
            chunk: number of patches filtered at a time; bounds the memory.
        """
        count, size = patches.shape
        chunk = min(chunk, count)
        filled = jnp.pad(patches, ((0, -count % chunk), (0, 0)))

        def denoise_chunk(some):
            best = self.most_likely(some, sigma=sigma)
            return self.wiener(some, best, sigma=jnp.asarray(sigma, some.dtype))

        return lax.map(denoise_chunk, filled.reshape(-1, chunk, size)).reshape(-1, size)[:count]


@register
@dataclasses.dataclass(frozen=True, eq=False)
class Moments:
    """Expected sufficient statistics of a batch of patches: the result of the E step.

    Attributes:
        weights: `[m]`, the mean responsibility of each Gaussian.
        squares: `[m, r, r]`, the mean of responsibility times the outer product of a patch,
            in the coordinates of `patch_basis`.
        log_likelihood: the mean log density of the patches, a scalar.
    """

    weights: Float[Array, " m"]
    squares: Float[Array, "m r r"]
    log_likelihood: Float[Array, ""]


def patch_basis(size: int, dtype: np.typing.DTypeLike = np.float32) -> np.ndarray:
    """Returns an orthonormal basis of the zero-mean patches of `size` pixels, `[d, d - 1]`."""
    spanning = np.eye(size)[:, 1:] - 1 / size
    return np.linalg.qr(spanning)[0].astype(dtype)


@typechecked
def expectation(mixture: PatchMixture, patches: Patches) -> Moments:
    """Returns the moments of the patches under the mixture: the E step.

    Args:
        mixture: the current estimate.
        patches: `[n, d]`.
    """
    count, size = patches.shape
    joint = mixture.log_weights[None] + mixture.log_likelihoods(patches)
    evidence = jax.nn.logsumexp(joint, axis=-1, keepdims=True)
    shares = jnp.exp(joint - evidence) / count
    basis = jnp.asarray(patch_basis(size, patches.dtype))
    coordinates = jnp.matmul(patches, basis, precision=PRECISION)

    def squares(share):
        return jnp.matmul((coordinates * share[:, None]).T, coordinates, precision=PRECISION)

    return Moments(jnp.sum(shares, axis=0), lax.map(squares, shares.T), jnp.mean(evidence))


def blend(old: Moments, new: Moments, rate: float | Array) -> Moments:
    """Interpolates from `old` to `new` moments by `rate` in [0, 1], for EM on mini-batches.

    Args:
        old: running moments.
        new: moments of a batch.
        rate: weight of the batch.

    Source:
        Cappé & Moulines, "On-line expectation-maximization algorithm for latent data models",
        JRSS B 2009, equation 12.
    """
    return jax.tree.map(lambda x, y: x + jnp.asarray(rate, x.dtype) * (y - x), old, new)


def maximisation(moments: Moments, *, floor: float) -> PatchMixture:
    """Returns the mixture of maximum likelihood for the moments: the M step.

    Args:
        moments: from `expectation`.
        floor: minimum variance along any direction, positive, in squared image values; it keeps
            Gaussians from collapsing onto a few patches. Clipping the variances to it maximises the
            likelihood under this constraint, so EM with a floor never decreases the likelihood.
    """
    tiny = jnp.finfo(moments.weights.dtype).tiny
    weights = jnp.maximum(moments.weights, tiny)
    eigenvalues, vectors = jnp.linalg.eigh(moments.squares / weights[:, None, None])
    basis = jnp.asarray(patch_basis(vectors.shape[-1] + 1, vectors.dtype))
    directions = jnp.einsum("dr,mrs->mds", basis, vectors, precision=PRECISION)
    return PatchMixture(
        jnp.log(weights / jnp.sum(weights)), jnp.maximum(eigenvalues, floor), directions
    )


@typechecked
def initial_mixture(
    key: jax.Array, patches: Patches, *, components: int, floor: float
) -> PatchMixture:
    """Returns an initial mixture with one Gaussian for each of a few randomly chosen patches.

    The covariance of a Gaussian is the mean of two: that of all patches, scaled to the energy of
    the chosen patch, and the outer product of that patch.

    Args:
        key: a JAX random key, for the choice of patches.
        patches: `[n, d]`, at least as many as `components`.
        components: number of Gaussians.
        floor: minimum variance, see `maximisation`.

    Raises:
        ValueError: if there are fewer patches than components.
    """
    count, size = patches.shape
    if count < components:
        raise ValueError(
            f"initial_mixture: {components} components need at least as many patches, got {count}"
        )
    basis = jnp.asarray(patch_basis(size, patches.dtype))
    coordinates = jnp.matmul(patches, basis, precision=PRECISION)
    shape = jnp.matmul(coordinates.T, coordinates, precision=PRECISION)
    shape = shape / jnp.trace(shape)
    drawn = coordinates[jax.random.choice(key, count, (components,), replace=False)]
    energies = jnp.sum(jnp.square(drawn), axis=-1)[:, None, None] + floor
    squares = (energies * shape[None] + drawn[:, :, None] * drawn[:, None, :]) / 2
    weights = jnp.full((components,), 1 / components, patches.dtype)
    moments = Moments(weights, squares * weights[:, None, None], jnp.zeros((), patches.dtype))
    return maximisation(moments, floor=floor)
