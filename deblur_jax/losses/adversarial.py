"""Objectives of a Wasserstein GAN with gradient penalty, and the perceptual loss.

    critic      mean score(restored) - mean score(sharp)
                    + penalty * mean_i (|grad score(x_i)| - 1)^2
    generator   -mean score(restored)

with x_i a random point between a restored and a sharp photo. The penalty keeps the norm of the
score's gradient near one, so that the difference of the means is a Wasserstein distance.

Source: Gulrajani et al., "Improved Training of Wasserstein GANs", NeurIPS 2017, equation 3.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from deblur_jax.typing import Array, Images, typechecked


PENALTY = 10.0

CriticFunction = Callable[[Array], jax.Array]


@typechecked
def critic_distance(
    critic: CriticFunction,
    restored: Images,
    sharp: Images,
    key: jax.Array,
    *,
    penalty: float = PENALTY,
) -> jax.Array:
    """Returns the loss of the critic.

    Args:
        critic: returns scores `[b, ...]` of photos `[b, h, w, c]`, each photo independently.
        restored: `[b, h, w, c]`, from the generator.
        sharp: `[b, h, w, c]`.
        key: a JAX random key, for the points between them.
        penalty: weight of the gradient penalty.
    """
    distance = jnp.mean(critic(restored)) - jnp.mean(critic(sharp))
    return distance + penalty * gradient_penalty(critic, restored, sharp, key)


@typechecked
def gradient_penalty(
    critic: CriticFunction, restored: Images, sharp: Images, key: jax.Array
) -> jax.Array:
    """Returns the mean squared deviation of the score's gradient norm from one.

    Args:
        critic: see `critic_distance`. The mean of a photo's scores is differentiated.
        restored: `[b, h, w, c]`.
        sharp: `[b, h, w, c]`.
        key: a JAX random key, for one point on the line between each pair.
    """
    restored, sharp = jnp.asarray(restored), jnp.asarray(sharp)
    share = jax.random.uniform(key, (restored.shape[0], 1, 1, 1), restored.dtype)
    between = share * sharp + (1 - share) * restored

    def scores(photos: jax.Array) -> jax.Array:
        each = critic(photos)
        return jnp.sum(jnp.mean(each, axis=tuple(range(1, each.ndim))))

    slopes = jax.grad(scores)(between)
    squared = jnp.sum(jnp.square(slopes), axis=(1, 2, 3))
    # The square root has no finite gradient at zero, where an untrained critic may start.
    lengths = jnp.sqrt(jnp.maximum(squared, jnp.finfo(squared.dtype).tiny))
    return jnp.mean(jnp.square(lengths - 1))


@typechecked
def generator_distance(critic: CriticFunction, restored: Images) -> jax.Array:
    """Returns the adversarial loss of the generator: minus the mean score of its photos.

    Args:
        critic: see `critic_distance`.
        restored: `[b, h, w, c]`.
    """
    return -jnp.mean(critic(restored))


@typechecked
def feature_distance(
    features: Callable[[Array], jax.Array], restored: Images, sharp: Images
) -> jax.Array:
    """Returns the mean squared difference of the features of two batches: the perceptual loss.

    Args:
        features: returns features `[b, ...]` of photos `[b, h, w, c]`; with the identity the loss
            is the mean squared error.
        restored: `[b, h, w, c]`.
        sharp: `[b, h, w, c]`, the target; it gets no gradient.

    Source:
        Johnson et al., "Perceptual Losses for Real-Time Style Transfer and Super-Resolution", ECCV
        2016, section 3.2.
    """
    target = jax.lax.stop_gradient(features(sharp))
    return jnp.mean(jnp.square(features(restored) - target))
