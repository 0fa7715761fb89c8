"""Align a restored photo with a sharp reference, and compute its scores.

A restoration may be shifted by a part of its blur, and in real benchmarks the camera was not at
exactly the same place for both photos. Therefore the restored photo `z` is first aligned with the
reference `x`:

    homography    `z` is scaled by `<x, z> / <z, z>`, and warped by the homography that maximises
                  the correlation of the grey photos (GoPro, DVD, Koehler and RealBlur in Carbajal
                  et al.; the script of RealBlur)
    translation   `z` is scaled by the same factor, and shifted by the whole pixels that maximise
                  the correlation (the original script of Koehler et al., and that of DVD)

Arrays are NumPy arrays; the search uses OpenCV and scikit-image.
"""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, cast

import cv2
import numpy as np
from skimage.metrics import structural_similarity
from skimage.registration import phase_cross_correlation

from deblur_jax.typing import Array, Image, typechecked


STEPS = 100  # of the search for a homography
SMOOTHING = 5  # pixels, side of the Gaussian that smooths the photos for the search
WINDOW_RADIUS = 5  # pixels, of the structural similarity
EQUAL = 60.0  # decibels from which a reference counts as a copy of the photo


class Aligned(NamedTuple):
    """A restored photo aligned with its reference.

    Attributes:
        image: the aligned photo, zero where `mask` is zero.
        reference: the reference, zero where `mask` is zero.
        mask: `[h, w, 1]`, one where the aligned photo covers the frame.
    """

    image: np.ndarray
    reference: np.ndarray
    mask: np.ndarray


Align = Callable[[Array, Array], Aligned]


@typechecked
def align_homography(image: Image, reference: Image) -> Aligned:
    """Aligns `image` with `reference` by the homography that maximises their correlation.

    If the search does not converge, the photo is not moved, as in the published script.

    Args:
        image: the restored photo `[h, w, 3]` in [0, 1].
        reference: the sharp photo `[h, w, 3]` in [0, 1].

    Source:
        Rim et al., "Real-World Blur Dataset for Learning and Benchmarking Deblurring Algorithms",
        ECCV 2020; the search is Evangelidis and Psarakis, "Parametric Image Alignment Using
        Enhanced Correlation Coefficient Maximization", 2008.
    """
    x, z = _matched("align_homography", image, reference)
    size = (x.shape[1], x.shape[0])
    homography = _find_homography(x, z)
    how = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    moved = cv2.warpPerspective(z, homography, size, flags=how, borderMode=cv2.BORDER_REFLECT)
    mask = cv2.warpPerspective(
        np.ones(x.shape[:2], np.float32), homography, size,
        flags=cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_CONSTANT,
    )[..., None]  # fmt: skip
    return Aligned(moved * mask, x * mask, mask)


@typechecked
def align_translation(image: Image, reference: Image) -> Aligned:
    """Aligns `image` with `reference` by the shift of whole pixels with the largest correlation.

    Args:
        image: the restored photo `[h, w, 3]` in [0, 1].
        reference: the sharp photo `[h, w, 3]` in [0, 1].

    Source:
        Koehler et al., "Recording and Playback of Camera Shake: Benchmarking Blind Deconvolution
        with a Real-World Database", ECCV 2012.
    """
    x, z = _matched("align_translation", image, reference)
    found: Any = phase_cross_correlation(x.mean(-1), z.mean(-1), normalization=cast("Any", None))
    down, right = (int(distance) for distance in found[0])
    height, width, _ = x.shape
    moved, mask = np.zeros_like(z), np.zeros((height, width, 1), np.float32)
    inside = (
        slice(max(down, 0), height + min(down, 0)),
        slice(max(right, 0), width + min(right, 0)),
    )
    mask[inside] = 1
    moved[inside] = np.roll(z, (down, right), (0, 1))[inside]
    return Aligned(moved, x * mask, mask)


def aligned_scores(aligned: Aligned, *, covered: bool = True) -> dict[str, float]:
    """Returns `psnr` and `ssim` of a photo that is aligned with its reference.

    The structural similarity excludes a border of 5 pixels.

    Args:
        aligned: the result of an `align_...` function.
        covered: whether the squared error is averaged over the pixels that the photo covers, as
            after a homography; otherwise over all pixels, with no error where it does not.
    """
    image, reference, mask = (array.astype(np.float64) for array in aligned)
    channels = reference.shape[-1]
    error = np.sum((image - reference) ** 2)
    error /= channels * (mask.sum() if covered else mask.size)
    compared: Any = structural_similarity(
        reference, image, data_range=1.0, channel_axis=-1, gaussian_weights=True, sigma=1.5,
        use_sample_covariance=False, full=True,
    )  # fmt: skip
    inside = slice(WINDOW_RADIUS, -WINDOW_RADIUS)
    similarity, inner = (array[inside, inside] for array in (compared[1] * mask, mask))
    return {
        "psnr": float(-10 * np.log10(error)) if error else float("inf"),
        "ssim": float(similarity.sum() / (channels * inner.sum())),
    }


def best_aligned_scores(
    image: Array, references: Iterable[Array], align: Align, *, covered: bool = True
) -> dict[str, float]:
    """Returns the scores against the reference with the highest PSNR.

    A reference with at least 60 decibels is a copy of the photo and is skipped, as in the published
    script.

    Args:
        image: the restored photo `[h, w, 3]` in [0, 1].
        references: sharp photos of the same size, such as those along a camera's path.
        align: `align_homography` or `align_translation`.
        covered: see `aligned_scores`.

    Raises:
        ValueError: if no reference remains.
    """
    scores = [aligned_scores(align(image, each), covered=covered) for each in references]
    scores = [score for score in scores if score["psnr"] < EQUAL]
    if not scores:
        raise ValueError(
            "best_aligned_scores: references must contain a photo other than the image"
        )
    return max(scores, key=lambda score: score["psnr"])


def _matched(name: str, image: Array, reference: Array) -> tuple[np.ndarray, np.ndarray]:
    """Returns the reference, and the image scaled to the brightness of the reference."""
    x, z = np.asarray(reference, np.float32), np.asarray(image, np.float32)
    if x.shape[-1] != 3:
        raise ValueError(f"{name}: photos must have 3 channels, got {x.shape[-1]}")
    bright = np.sum(z * z, dtype=np.float64)
    gain = np.sum(x * z, dtype=np.float64) / bright if bright else 1.0
    return x, np.float32(gain) * z


def _find_homography(x: np.ndarray, z: np.ndarray) -> np.ndarray:
    still = np.eye(3, dtype=np.float32)
    everywhere = np.ones(x.shape[:2], np.uint8)
    grey = [cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY) for photo in (x, z)]
    criteria = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, STEPS, 0)
    try:
        _, found = cv2.findTransformECC(
            grey[0], grey[1], still.copy(), cv2.MOTION_HOMOGRAPHY, criteria, everywhere, SMOOTHING
        )
    except cv2.error:
        return still
    return found
