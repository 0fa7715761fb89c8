"""`deblur` with kernels found by optimisation: what it gains, what it leaves alone."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image, ImageDraw
from skimage import data

from deblur_jax import deblur, deblurring, estimate, estimate_blur, psnr
from deblur_jax.blind import multiscale
from deblur_jax.blind.hypotheses import Choice
from deblur_jax.blind.verdict import Hypothesis
from deblur_jax.blind.working_photo import LUMA
from deblur_jax.deblurring import HALO
from deblur_jax.models.blur_estimate import BlurEstimate
from deblur_jax.ops.operators import UniformBlur, WindowedBlur
from deblur_jax.ops.sensor import to_display, to_light
from deblur_jax.ops.windows import windows_of
from deblur_jax.pretrained import Pretrained


def hook():
    """Return a kernel on a curved path whose centroid is its middle, since none finds a shift."""
    kernel = np.zeros((9, 9), np.float32)
    for row, column in [(1, 5), (1, 4), (2, 3), (3, 3), (4, 4), (5, 5), (6, 5), (7, 4), (7, 3)]:
        kernel[row, column] = 1 / 9
    return kernel


@pytest.fixture(scope="module")
def sharp():
    return jnp.asarray(data.astronaut()[:224, 100:356], jnp.float32) / 255


@pytest.mark.slow  # to compile
@pytest.mark.parametrize("model", ["auto", "blind"])
def test_shake_on_a_curved_path_is_restored(sharp, model):
    photo = np.round(255 * np.clip(UniformBlur(jnp.asarray(hook()))(sharp), 0, 1)) / np.float32(255)
    result = deblur(photo, model)
    assert psnr(result.image, sharp) > psnr(photo, sharp) + 1
    assert not result.reason
    assert result.trusted
    assert result.likely is not None
    assert result.image.shape == photo.shape
    again = result.blur(jnp.asarray(result.image)) - photo
    assert np.sqrt(np.mean(np.square(again))) < 0.5 * np.sqrt(np.mean(np.square(sharp - photo)))
    assert result.reblur_error < 0.02
    with pytest.raises(AttributeError, match="kernels and no motion"):
        _ = result.flow


NOISE = np.random.default_rng(0).standard_normal((64, 80, 3))


@pytest.mark.parametrize("model", ["auto", "blind"])
@pytest.mark.parametrize(
    ("photo", "reason"),
    [
        (np.full((64, 80, 3), 0.5), "the photo is flat"),
        (np.ones((64, 80, 3)), "saturated"),
        (np.clip(0.5 + 0.1 * NOISE, 0, 1), "noise"),
    ],
)
def test_a_photo_without_information_is_returned_unchanged(photo, reason, model):
    photo = np.float32(photo)
    result = deblur(photo, model)
    np.testing.assert_array_equal(result.image, photo)
    assert reason in result.verdict
    assert result.verdict.startswith("no blur was found: ")
    assert not result.trusted
    assert result.blur.kernel.shape == (1, 1)


@pytest.mark.slow  # to compile
def test_a_blur_of_light_is_found_and_undone_with_the_curve_of_the_photo(sharp):
    light = UniformBlur(jnp.asarray(hook()))(to_light(sharp, "srgb"))
    photo = np.round(255 * np.asarray(to_display(light.clip(0, 1), "srgb"))) / np.float32(255)
    gains = [
        psnr(deblur(photo, "blind", transfer=curve).image, sharp) - psnr(photo, sharp)
        for curve in (None, "srgb")
    ]
    assert gains[1] > gains[0] > 0


def test_the_curve_reaches_the_search_the_comparison_and_the_restoration(monkeypatch, sharp):
    curves = {}

    def restore(photo, blur, *, transfer, **options):
        curves.setdefault("restoration", []).append(transfer)
        return photo, np.zeros_like(photo)

    def choose(work, estimate_motion, foresee, progress):
        curves["grey"] = work.grey
        one = Hypothesis("uniform", hook()[None], None, None, None, None)
        foresee(one, windows_of((256, 288), 9))
        return Choice(UniformBlur(jnp.asarray(hook())), 0.9, "")

    monkeypatch.setattr(estimate, "choose_blur", choose)
    for module in (estimate, deblurring):
        monkeypatch.setattr(module, "restore_multiscale", restore)
    deblur(np.asarray(sharp), "blind", transfer=2.2)
    assert curves["restoration"] == [2.2, 2.2]
    light = np.asarray(to_light(sharp, 2.2)) @ np.asarray(LUMA, np.float32)
    np.testing.assert_allclose(curves["grey"], light, atol=1e-5)
    assert estimate.estimate_blur(np.asarray(sharp), "blind", transfer=2.2).transfer == 2.2
    assert estimate.estimate_blur(np.asarray(sharp), "blind").transfer == "linear"


@pytest.mark.slow  # to compile
@pytest.mark.parametrize("size", [(32, 32), (100, 5000)])
def test_tiny_and_narrow_photos_are_restored_or_left_alone(size):
    height, width = size
    wide = np.tile(data.astronaut()[:height], (1, 10, 1))[:, 100 : 100 + width]
    photo = np.ascontiguousarray(wide, np.float32) / 255
    result = deblur(photo)
    assert result.image.shape == photo.shape
    assert np.isfinite(result.image).all()
    assert 0 <= result.image.min() <= result.image.max() <= 1
    assert result.reason or 0 <= result.likely <= 1
    assert str(result.verdict)


def page_of_text(background, ink):
    """Return lines of text on a plain page, `[224, 256, 3]`."""
    page = Image.new("RGB", (256, 224), background)
    words = "A page of text has edges of two colours and nothing else to see in it.".split()  # noqa: SIM905
    for row in range(14):
        line = " ".join(words[(row + step) % len(words)] for step in range(8))
        ImageDraw.Draw(page).text((6, 6 + 15 * row), line, fill=ink)
    return page


def screenshot():
    """Return windows, buttons and text in flat colours, `[224, 256, 3]`."""
    page = page_of_text((240, 240, 245), (40, 40, 60))
    draw = ImageDraw.Draw(page)
    draw.rectangle((0, 0, 255, 20), fill=(50, 90, 160))
    draw.rectangle((150, 60, 240, 170), fill=(255, 255, 255), outline=(120, 120, 120))
    for row in range(4):
        draw.rectangle((160, 70 + 24 * row, 225, 86 + 24 * row), fill=(70 * row, 160, 120))
    return page


@pytest.mark.slow  # to compile
@pytest.mark.parametrize(
    "page", [page_of_text((255, 255, 255), (0, 0, 0)), page_of_text((90, 90, 90), (200, 190, 160)),
             screenshot()],
)  # fmt: skip
def test_sharp_text_and_screenshots_are_left_alone(page):
    result = deblur(np.asarray(page, np.float32) / 255)
    assert not result.trusted
    assert "no blur was found" in result.verdict or "is required" in result.verdict


@pytest.mark.parametrize("ask", [deblur, estimate_blur])
@pytest.mark.parametrize(
    ("photo", "message"),
    [
        (np.full((40, 48, 3), np.nan, np.float32), "must be finite and in"),
        (np.zeros((31, 48, 3), np.float32), "at least 32 pixels a side, got 48x31"),
    ],
)
def test_a_photo_that_cannot_be_estimated_is_refused(ask, photo, message):
    with pytest.raises(ValueError, match=message):
        ask(photo)


def test_a_limit_of_motions_is_no_limit_of_kernels(monkeypatch):
    monkeypatch.setattr(deblurring, "estimate_blur", None)  # refused before it is estimated
    with pytest.raises(ValueError, match="max_blur limits motions, and this model estimates"):
        deblur(np.full((40, 48, 3), 0.5, np.float32), max_blur=5.0)


def certain(blur):
    """Returns an estimator that takes every photo to have a blur."""

    class Estimator:
        def estimate_blur(self, variables, photo):
            del variables, photo
            return BlurEstimate(blur, likely=0.95)

    return Pretrained("mine", Estimator(), {}, {})


def keep(image, sigma):
    del sigma
    return image


def test_a_kernel_larger_than_the_photo_is_refused():
    photo = np.zeros((40, 48, 3), np.float32)
    network = certain(UniformBlur(jnp.ones((41, 41)) / 41**2))
    with pytest.raises(ValueError, match="no larger than the photo, got 41 for 40x48"):
        deblur(photo, network, denoise=keep)


@pytest.mark.slow  # to compile
def test_a_large_photo_with_kernels_is_restored_in_tiles(sharp, monkeypatch):
    kernels = jnp.stack([jnp.asarray(hook())] * 2)[:, None]
    blur = WindowedBlur(kernels, jnp.asarray([0.0, 200.0]), jnp.asarray([40.0]))
    photo = np.asarray(blur(sharp[:, :80])).clip(0, 1)
    whole = deblur(photo, certain(blur), denoise=keep, steps=3)
    monkeypatch.setattr(multiscale, "WHOLE_PIXELS", 1)
    monkeypatch.setattr(multiscale, "CANVAS", 25_000)
    monkeypatch.setattr(multiscale, "HALO", 16)
    shares = []
    options = {"denoise": keep, "steps": 3, "progress": shares.append}
    tiled = deblur(photo, certain(blur), **options)
    assert 0 < shares[0] < shares[1] == 1
    assert len(shares) == 2
    assert tiled.image.shape == photo.shape
    assert np.shape(tiled.trust) == (*photo.shape[:2], 1)
    truth = sharp[:, :80]
    assert psnr(tiled.restored, truth) > psnr(whole.restored, truth) - 0.3
    assert psnr(tiled.restored, truth) > psnr(photo, truth) + 3


def test_a_uniform_blur_is_the_same_everywhere(sharp):
    blur = UniformBlur(jnp.asarray(hook()))
    whole = blur(sharp)
    rows, columns = slice(32, 96), slice(64, 160)
    inner = (slice(4, -4), slice(4, -4))
    part = blur.cut(rows, columns)(sharp[rows, columns])
    np.testing.assert_allclose(part[inner], whole[rows, columns][inner], atol=1e-6)
    assert blur.extended(3) is blur
    assert HALO >= 9 // 2


def test_a_uniform_blur_equals_a_basis_of_one_kernel(key):
    image = jax.random.uniform(key, (12, 14, 2))
    kernel = jax.random.uniform(key, (3, 3))
    padded = jnp.pad(image, ((1, 1), (1, 1), (0, 0)), mode="reflect")
    expected = sum(
        kernel[i, j] * padded[i : i + 12, j : j + 14] for i in range(3) for j in range(3)
    )
    np.testing.assert_allclose(UniformBlur(kernel)(image), expected, rtol=1e-6)
