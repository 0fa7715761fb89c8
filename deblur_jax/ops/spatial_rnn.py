"""Linear recurrences along the rows and columns of a feature map, with weights for every pixel.

From left to right, for each row and channel by itself,

    g[x] = (1 - p[x]) f[x] + p[x] g[x - 1],    g[-1] = 0

The recurrence also runs from the right, from the top and from the bottom, each time with other
weights p. Where |p| < 1 the result stays bounded; p = 0 copies the features, and p = 1 copies the
previous result.

Two steps of a linear recurrence compose to one with p = p1 p2. So a row is computed in log2(w)
parallel passes instead of w sequential steps.

Source: Liu et al., "Learning Recursive Filters for Low-Level Vision via a Hybrid Neural Network",
ECCV 2016; Zhang et al., "Deep Dynamic Scene Deblurring from Optical Flow", 2021, equation 13.
"""

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Float

from deblur_jax.typing import Array, compute_dtype, typechecked


Features = Float[Array, "h w c"]
DirectionWeights = Float[Array, "h w g"]  # g = 4 c


@typechecked
def linear_recurrence(
    features: Features, weights: Features, *, axis: int, reverse: bool = False
) -> jax.Array:
    """Runs `g[x] = (1 - p[x]) f[x] + p[x] g[x - 1]` along one axis.

    Computed in float32 at least, because errors accumulate along the row.

    Args:
        features: f, `[h, w, c]`.
        weights: p, `[h, w, c]`; should lie between -1 and 1, not checked.
        axis: 0 runs down the columns, 1 runs to the right along the rows.
        reverse: whether to run up or to the left instead.

    Returns:
        g, `[h, w, c]`, in the dtype of `features`.
    """
    exact = compute_dtype(features)
    factors = jnp.asarray(weights).astype(exact)
    terms = (1 - factors) * jnp.asarray(features).astype(exact)

    def compose(
        first: tuple[jax.Array, jax.Array], then: tuple[jax.Array, jax.Array]
    ) -> tuple[jax.Array, jax.Array]:
        return first[0] * then[0], then[0] * first[1] + then[1]

    _, carried = lax.associative_scan(compose, (factors, terms), axis=axis, reverse=reverse)
    return carried.astype(features.dtype)


@typechecked
def spatial_rnn(features: Features, weights: DirectionWeights) -> jax.Array:
    """Runs the recurrence in all four directions.

    Args:
        features: `[h, w, c]`.
        weights: `[h, w, 4 c]`: the weights of the runs to the right, down, to the left and up.

    Returns:
        `[h, w, 4 c]`: the results of the runs to the right, to the left, down and up. The two
        orders differ, as in the released network of the paper.

    Raises:
        ValueError: if there are not four weights for each feature.
    """
    channels = features.shape[-1]
    if weights.shape[-1] != 4 * channels:
        raise ValueError(
            f"spatial_rnn: weights must have {4 * channels} channels, four times those of "
            f"features, got {weights.shape[-1]}"
        )
    to_right, down, to_left, up = jnp.split(jnp.asarray(weights), 4, axis=-1)
    return jnp.concatenate(
        [
            linear_recurrence(features, to_right, axis=1),
            linear_recurrence(features, to_left, axis=1, reverse=True),
            linear_recurrence(features, down, axis=0),
            linear_recurrence(features, up, axis=0, reverse=True),
        ],
        axis=-1,
    )
