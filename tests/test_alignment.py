"""Scores against a reference that is shifted or warped."""

import cv2
import numpy as np
import pytest
from skimage import data

from deblur_jax import metrics
from deblur_jax.alignment import (
    align_homography,
    align_translation,
    aligned_scores,
    best_aligned_scores,
)


@pytest.fixture(scope="module")
def photo():
    whole = cv2.GaussianBlur(data.astronaut(), (0, 0), 6)  # survives interpolation
    return cv2.resize(whole, (128, 96), interpolation=cv2.INTER_AREA) / np.float32(255)


def warped(photo, homography):
    how = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    return cv2.warpPerspective(
        photo, homography, photo.shape[1::-1], flags=how, borderMode=cv2.BORDER_REFLECT
    )


def test_a_photo_that_a_homography_moved_and_dimmed_is_moved_back(photo):
    moved = 0.8 * warped(
        photo, np.array([[1.01, 0.004, 2.3], [-0.003, 0.99, -1.6], [2e-5, 1e-5, 1]], np.float32)
    )
    before = float(metrics.psnr(moved, photo))
    aligned = align_homography(moved, photo)
    scores = aligned_scores(aligned)
    assert before < 22
    assert scores["psnr"] > before + 6
    assert scores["ssim"] > 0.98
    # What is left is the gain, which is measured before the photo is moved.
    assert aligned_scores(aligned._replace(image=aligned.image * gain(aligned)))["psnr"] > 38


def gain(aligned):
    return np.sum(aligned.image * aligned.reference) / np.sum(aligned.image**2)


def test_a_shift_of_whole_pixels_is_found_and_what_it_uncovers_does_not_count(photo):
    moved = np.zeros_like(photo)
    moved[3:, :-5] = 0.5 * photo[:-3, 5:]
    aligned = align_translation(moved, photo)
    np.testing.assert_allclose(gain(aligned) * aligned.image, aligned.reference, atol=1e-5)
    assert aligned.mask.sum() == (96 - 3) * (128 - 5)
    assert not aligned.mask[-3:].any()
    assert not aligned.mask[:, :5].any()


def test_without_a_motion_the_scores_are_the_plain_ones(photo):
    noisy = np.clip(photo + 0.05 * np.random.default_rng(0).normal(size=photo.shape), 0, 1)
    noisy = noisy.astype(np.float32)
    dimmed = np.sum(photo * noisy) / np.sum(noisy**2) * noisy
    for align in (align_homography, align_translation):
        scores = aligned_scores(align(noisy, photo))
        assert scores["psnr"] == pytest.approx(float(metrics.psnr(dimmed, photo)), abs=0.1)
        assert scores["ssim"] == pytest.approx(float(metrics.ssim(dimmed, photo)), abs=0.01)


def test_a_search_that_fails_leaves_the_photo_where_it_is(photo):
    flat = np.full_like(photo, 0.5)
    aligned = align_homography(flat, photo)
    assert aligned.mask.all()
    np.testing.assert_allclose(gain(aligned), 1, rtol=1e-5)
    assert np.ptp(aligned.image) == 0


def test_the_best_of_many_references_counts_and_a_copy_does_not(photo):
    blurry = cv2.GaussianBlur(photo, (0, 0), 1)
    references = [blurry.copy(), photo, photo[::-1].copy()]
    best = best_aligned_scores(blurry, references, align_translation)
    assert best == aligned_scores(align_translation(blurry, photo))
    with pytest.raises(ValueError, match="must contain a photo other than the image"):
        best_aligned_scores(blurry, references[:1], align_translation)


def test_uncovered_pixels_can_count_as_free_of_error(photo):
    aligned = align_translation(photo, photo)
    half = aligned.mask.copy()
    half[:48] = 0
    noisy = aligned._replace(image=(aligned.image + 0.1) * half, reference=photo * half, mask=half)
    assert aligned_scores(noisy)["psnr"] == pytest.approx(20, abs=1e-3)
    assert aligned_scores(noisy, covered=False)["psnr"] == pytest.approx(23.01, abs=1e-2)


def test_grey_photos_are_refused(photo):
    with pytest.raises(ValueError, match="photos must have 3 channels, got 1"):
        align_homography(photo[..., :1], photo[..., :1])
