"""Pictures in which every object is blurred by a kernel of its own.

A photograph is divided into a background and a few objects with binary masks m_k, and each is
blurred by its own kernel:

    mixing_k = (kernel_k * m_k) / sum_j (kernel_j * m_j)
    blurry   = sum_k mixing_k (kernel_k * image)

where * is a correlation. A mask blurred by its own kernel is the fraction of the gathered light
that comes from the object. Masks come from segmentations or from random shapes.
"""

import dataclasses
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Int

from deblur_jax.ops.basis_blur import basis_blur
from deblur_jax.ops.pytree import register
from deblur_jax.ops.sensor import to_light
from deblur_jax.simulate.develop import CAMERA, Camera, develop
from deblur_jax.simulate.shake_kernels import shake_kernel
from deblur_jax.simulate.shapes import draw_shapes
from deblur_jax.typing import Array, Image, Kernels, typechecked


Labels = Int[Array, "h w"]


@register
@dataclasses.dataclass(frozen=True)
class SegmentBlur:
    """A blurry picture and everything about its blur.

    Attributes:
        sharp: `[h, w, c]`.
        blurry: `[h, w, c]`.
        kernels: `[k, s, s]`, of the background and of each object.
        mixing: `[h, w, k]`, the share of each in each pixel; sums to one over `k`.
        weights: `[h, w]`, one over the size of the segment that has the largest share in the
            pixel, so that every segment counts alike in a loss.
        wide_sharp: `[h + s - 1, w + s - 1, c]`, `sharp` with the border from which light reaches
            the blurry picture.
    """

    sharp: Array
    blurry: Array
    kernels: Array
    mixing: Array
    weights: Array
    wide_sharp: Array


@typechecked
def segment_blur(image: Image, segments: Labels, kernels: Kernels) -> SegmentBlur:
    """Blurs each segment of `image` with its own kernel.

    The border of `side // 2` pixels, where kernels extend beyond the image, is cropped.

    Args:
        image: `[h, w, c]`, light.
        segments: `[h, w]` integers: 1 to k - 1 are objects, all others are background.
        kernels: `[k, s, s]` with `s` odd, of the background and of each object.

    Returns:
        A `SegmentBlur` whose arrays are `side - 1` rows and columns smaller than `image`.

    Raises:
        ValueError: if `image` is smaller than the kernels.

    Source:
        Carbajal et al., arXiv:2102.01026, section 3.3.
    """
    count, side = kernels.shape[:2]
    radius = side // 2
    height, width = image.shape[0] - 2 * radius, image.shape[1] - 2 * radius
    if min(height, width) < 1:
        raise ValueError(
            f"segment_blur: image must be at least as large as the kernels, {side}x{side}, "
            f"got {image.shape[1]}x{image.shape[0]}"
        )
    inside = (slice(radius, radius + height), slice(radius, radius + width))
    objects = segments[..., None] == jnp.arange(1, count, dtype=segments.dtype)[None, None]
    background = ~jnp.any(objects, axis=-1, keepdims=True)
    masks = jnp.concatenate([background, objects], axis=-1).astype(image.dtype)

    def soften(mask: jax.Array, kernel: jax.Array) -> jax.Array:
        whole = jnp.ones_like(mask)[..., None]
        return basis_blur(mask[..., None], kernel[None], whole, padding="edge")[..., 0]

    softened = jax.vmap(soften, in_axes=(-1, 0), out_axes=-1)(masks, jnp.asarray(kernels))
    softened = jnp.maximum(softened, 0)  # the Fourier transform may return values of -1e-8
    # Pixels where every blurred mask is zero keep their own segment.
    found = jnp.sum(softened, axis=-1, keepdims=True)
    mixing = jnp.where(found > 1e-3, softened, masks)
    mixing = mixing / jnp.sum(mixing, axis=-1, keepdims=True)
    blurry = basis_blur(image, kernels, mixing, padding="edge")
    mixing = mixing[inside]
    return SegmentBlur(
        sharp=image[inside],
        blurry=blurry[inside],
        kernels=jnp.asarray(kernels),
        mixing=mixing,
        weights=segment_weights(mixing),
        wide_sharp=jnp.asarray(image),
    )


def segment_weights(mixing: Array) -> jax.Array:
    """Returns the reciprocal size of each pixel's main segment, `[h, w]`."""
    segments = jnp.argmax(mixing, axis=-1)
    sizes = jnp.bincount(segments.ravel(), length=mixing.shape[-1])
    return (1 / jnp.maximum(sizes, 1)).astype(mixing.dtype)[segments]


@typechecked
def draw_segments(
    key: jax.Array, labels: Labels, *, objects: int = 3, least: int = 400, most: int = 128
) -> jax.Array:
    """Chooses objects among the segments of a segmentation.

    Args:
        key: a JAX random key.
        labels: `[h, w]`, one non-negative integer for each segment. Labels of `most` and above
            are never chosen.
        objects: number of chosen segments, less if fewer are large enough.
        least: smallest size in pixels of a chosen segment.
        most: exclusive upper bound of the labels; static.

    Returns:
        `[h, w]` integers: zero for the background, 1 to `objects` for the objects.
    """
    sizes = jnp.bincount(jnp.where(labels < most, labels, most).ravel(), length=most + 1)[:most]
    luck = jnp.where(sizes >= least, jax.random.uniform(key, (most,), jnp.float32), -1)
    order = jnp.argsort(-luck)[:objects]
    numbers, ranks = (
        jnp.zeros(most + 1, labels.dtype),
        jnp.arange(1, objects + 1, dtype=labels.dtype),
    )
    numbers = numbers.at[order].set(jnp.where(luck[order] >= 0, ranks, 0))
    return numbers[jnp.minimum(labels, most)]


def draw_lights(
    key: jax.Array,
    height: int,
    width: int,
    *,
    counts: tuple[int, int] = (10, 99),
    size: tuple[int, int] = (6, 8),
    brightest: float = 8.0,
) -> jax.Array:
    """Draws small bright rectangles, which a blur turns into saturated streaks.

    Args:
        key: a JAX random key.
        height: rows of the frame.
        width: columns of the frame.
        counts: bounds of the number of rectangles.
        size: largest number of rows and columns of a rectangle.
        brightest: the light of a rectangle is uniform between zero and this.

    Returns:
        The light to add to a picture, `[h, w, 1]`.
    """
    keys = jax.random.split(key, 4)
    most = counts[1]
    number = jax.random.randint(keys[0], (), counts[0], most + 1, jnp.int32)
    light = brightest * jax.random.uniform(keys[1], (most,), jnp.float32)
    light = jnp.where(jnp.arange(most, dtype=jnp.int32) < number, light, 0)
    frame = jnp.asarray([[height, width]], jnp.float32)
    start = jnp.floor(jax.random.uniform(keys[2], (most, 2), jnp.float32) * frame)
    bounds = jnp.asarray([size], jnp.int32) + 1
    end = start + jax.random.randint(keys[3], (most, 2), 1, bounds, jnp.int32).astype(jnp.float32)
    rows, columns = (
        ((start[:, axis, None] <= place) & (place < end[:, axis, None])).astype(jnp.float32)
        for axis, place in enumerate(
            jnp.arange(length, dtype=jnp.float32)[None] for length in (height, width)
        )
    )
    return jnp.einsum("n,nh,nw->hw", light, rows, columns, precision="highest")[..., None]


@typechecked
def draw_segment_blur(
    key: jax.Array,
    image: Image,
    segments: Labels | None = None,
    *,
    side: int = 33,
    draw_kernel: Callable[[jax.Array, int], jax.Array] = shake_kernel,
    objects: int = 3,
    brighten: float = 0.0,
    lights: float = 0.0,
    camera: Camera = CAMERA,
) -> SegmentBlur:
    """Draws a training example: `image` with the background and each object blurred differently.

    Args:
        key: a JAX random key.
        image: `[h, w, c]`, display values in [0, 1]; `side // 2` pixels on each side are cropped.
        segments: `[h, w]`, as from `draw_segments`; None draws random shapes.
        side: side of the kernels in pixels, odd.
        draw_kernel: draws a kernel from a key and its side.
        objects: largest number of objects besides the background.
        brighten: light is multiplied by a factor between 1 and 1 + this before it saturates; the
            authors use 2.
        lights: probability of adding small bright lights; the authors use 0.5.
        camera: transfer, noise and rounding. The blur is applied to light.

    Returns:
        A `SegmentBlur`; `sharp` is recorded by the same camera, without its noise.

    Source:
        Carbajal et al., arXiv:2102.01026, section 3.3; lights and brightening as the authors
        published them later.
    """
    keys = jax.random.split(key, 5)
    height, width, _ = image.shape
    if segments is None:
        segments = draw_shapes(keys[0], height, width, objects=objects)
    kernels = jax.vmap(lambda key: draw_kernel(key, side))(jax.random.split(keys[1], objects + 1))
    light = to_light(image, camera.transfer)
    if brighten or lights:
        gain, chance = jax.random.uniform(keys[2], (2,), light.dtype)
        light = light * (1 + brighten * gain)
        extra = draw_lights(keys[3], height, width).astype(light.dtype)
        light = light + jnp.where(chance < lights, extra, 0)
    result = segment_blur(light, segments, kernels.astype(light.dtype))
    return dataclasses.replace(
        result,
        sharp=develop(keys[4], result.sharp, camera.still()),
        blurry=develop(keys[4], result.blurry, camera),
        wide_sharp=develop(keys[4], result.wide_sharp, camera.still()),
    )
