"""Baseline JPEG compression with the standard tables, without the file.

Colours are converted to luma and two chroma channels, the latter at half the resolution. The 8x8
blocks of each channel are transformed by the discrete cosine transform,

    coefficients = D block D^T,    D[u, x] = c_u cos((2 x + 1) u pi / 16),

and the coefficients are rounded to multiples of the entries of the quantisation table.
"""

import jax
import jax.numpy as jnp
import numpy as np

from deblur_jax.typing import Array, Image, compute_dtype, typechecked


# ITU-T T.81, annex K: the tables of quality 50 in the scale of the Independent JPEG Group.
LUMA_TABLE = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)
CHROMA_TABLE = (
    (17, 18, 24, 47, 99, 99, 99, 99),
    (18, 21, 26, 66, 99, 99, 99, 99),
    (24, 26, 56, 99, 99, 99, 99, 99),
    (47, 66, 99, 99, 99, 99, 99, 99),
    *4 * ((99, 99, 99, 99, 99, 99, 99, 99),),
)
# JFIF: red, green and blue to luma and two chroma channels (without the offset of 128).
TO_CHROMA = (
    (0.299, 0.587, 0.114),
    (-0.168735892, -0.331264108, 0.5),
    (0.5, -0.418687589, -0.081312411),
)
SIDE = 8  # of a block
SUBSAMPLINGS = (1, 2)  # pixels of a chroma sample along each axis: 4:4:4 and 4:2:0


@typechecked
def jpeg(image: Image, *, quality: float | Array = 75, subsampling: int = 2) -> jax.Array:
    """Returns `image` after JPEG compression.

    The gradient is zero almost everywhere, because of the rounding. Compared with Pillow's files of
    qualities 10 to 95 the result has 43 to 50 dB, while these have 26 to 40 dB compared with the
    picture (`tests/simulate/test_jpeg.py`); libjpeg rounds intermediate values differently.

    Args:
        image: `[h, w, 3]`, display values in [0, 1].
        quality: from 1 to 100, rounded to a whole number; may be an array, such as a random draw.
        subsampling: 2 for chroma at half the resolution (4:2:0), 1 for full resolution (4:4:4).

    Returns:
        `[h, w, 3]`, multiples of 1/255 in [0, 1].

    Raises:
        ValueError: if `image` does not have three channels, or `subsampling` is unknown.

    Source:
        ITU-T T.81 and JFIF 1.02; the scale of qualities and the linear interpolation of the chroma
        are those of the Independent JPEG Group's library.

    Example:
        >>> picture = jax.random.uniform(jax.random.key(0), (16, 16, 3))
        >>> better, worse = (jpeg(picture, quality=quality) for quality in (95, 10))
        >>> bool(psnr(better, picture) > psnr(worse, picture))
        True
    """
    if image.shape[-1] != len(TO_CHROMA):
        raise ValueError(f"jpeg: image must have 3 channels, got {image.shape[-1]}")
    if subsampling not in SUBSAMPLINGS:
        raise ValueError(f"jpeg: subsampling must be one of {SUBSAMPLINGS}, got {subsampling!r}")
    height, width, _ = image.shape
    matrix = np.asarray(TO_CHROMA)
    dtype, image = image.dtype, jnp.asarray(image, compute_dtype(image))
    levels = jnp.round(255 * jnp.clip(image, 0, 1))
    planes = jnp.round(_mixed(levels, matrix))
    luma, chroma = planes[..., :1] - 128, planes[..., 1:]
    luma = _through_blocks(luma, _table(LUMA_TABLE, quality, image.dtype))
    small = _through_blocks(
        _halved(chroma) if subsampling == 2 else chroma,
        _table(CHROMA_TABLE, quality, image.dtype),
    )
    chroma = _doubled(small)[:height, :width] if subsampling == 2 else small
    planes = jnp.concatenate([luma + 128, chroma], axis=-1)
    levels = jnp.clip(jnp.round(_mixed(planes, np.linalg.inv(matrix))), 0, 255)
    return (levels / 255).astype(dtype)


def _mixed(pixels: jax.Array, matrix: np.ndarray) -> jax.Array:
    return jnp.einsum("hwc,dc->hwd", pixels, matrix.astype(pixels.dtype), precision="highest")


def _table(base: tuple, quality: float | Array, dtype: jnp.dtype) -> jax.Array:
    quality = jnp.clip(jnp.round(jnp.asarray(quality, dtype)), 1, 100)
    percent = jnp.where(quality < 50, jnp.floor(5000 / quality), 200 - 2 * quality)
    return jnp.clip(jnp.floor((jnp.asarray(base, dtype) * percent + 50) / 100), 1, 255)


def _through_blocks(planes: jax.Array, table: jax.Array) -> jax.Array:
    """Quantises the DCT of `[h, w, c]` values around zero; returns 8-bit values."""
    height, width, channels = planes.shape
    padding = ((0, -height % SIDE), (0, -width % SIDE), (0, 0))
    padded = jnp.pad(planes, padding, mode="edge")
    rows, columns = padded.shape[0] // SIDE, padded.shape[1] // SIDE
    blocks = padded.reshape(rows, SIDE, columns, SIDE, channels)
    frequency, place = np.mgrid[:SIDE, :SIDE]
    cosines = np.cos((2 * place + 1) * frequency * np.pi / (2 * SIDE)) / 2
    cosines[0] /= np.sqrt(2)
    cosines = jnp.asarray(cosines, planes.dtype)
    coefficients = jnp.einsum("ux,axbyc,vy->aubvc", cosines, blocks, cosines, precision="highest")
    steps = table[None, :, None, :, None]
    kept = jnp.round(coefficients / steps) * steps
    values = jnp.einsum("ux,aubvc,vy->axbyc", cosines, kept, cosines, precision="highest")
    values = jnp.clip(jnp.round(values), -128, 127)
    return values.reshape(padded.shape)[:height, :width]


def _halved(planes: jax.Array) -> jax.Array:
    height, width, channels = planes.shape
    even = jnp.pad(planes, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    pairs = even.reshape(even.shape[0] // 2, 2, even.shape[1] // 2, 2, channels)
    return jnp.round(jnp.mean(pairs, axis=(1, 3)))


def _doubled(planes: jax.Array) -> jax.Array:
    """Doubles the resolution, with weights of 3/4 and 1/4 for the two nearest samples."""
    for axis in (0, 1):
        padding = [(1, 1) if axis == other else (0, 0) for other in range(3)]
        padded = jnp.pad(planes, padding, mode="edge")
        count = planes.shape[axis]
        before, after = (
            jax.lax.slice_in_dim(padded, start, start + count, axis=axis) for start in (0, 2)
        )
        pair = jnp.stack([3 * planes + before, 3 * planes + after], axis=axis + 1) / 4
        shape = [2 * size if axis == other else size for other, size in enumerate(planes.shape)]
        planes = pair.reshape(shape)
    return jnp.round(planes)
