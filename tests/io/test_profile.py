"""Tone curves of ICC profiles: common ones are recognised, others ignored."""

from io import BytesIO

import numpy as np
import pytest
from PIL import ImageCms

from deblur_jax.io.profile import profile_transfer
from tests.io.profiles import SRGB, make_profile, parametric, power, table


RAMP = np.linspace(0, 1, 1024)
BENT = np.where(RAMP <= 0.04045, RAMP / 12.92, ((RAMP + 0.055) / 1.055) ** 2.4)


@pytest.mark.parametrize(
    ("curve", "transfer"),
    [
        (parametric(3, *SRGB), "srgb"),
        (parametric(4, *SRGB, 0.0, 0.0), "srgb"),
        (table(BENT), "srgb"),
        (power(2 + 51 / 256), 2.199),  # Adobe RGB
        (parametric(0, 1.8), 1.8),
        (parametric(1, 2.0, 1.0, 0.0), 2.0),
        (parametric(2, 2.0, 1.0, 0.0, 0.0), 2.0),
        (table(RAMP**1.8), 1.8),  # ProPhoto RGB
        (table([]), 1.0),
        (table([0.0, 1.0]), 1.0),
        (table(np.log1p(20 * RAMP) / np.log(21)), None),  # no power
        (parametric(0, -3.0), None),
        (parametric(1, 2.0, 0.0, 0.0), None),
        (b"mft2" + bytes(40), None),
    ],
)
def test_a_tone_curve_is_known_by_its_shape(curve, transfer):
    found = profile_transfer(make_profile(curve))
    assert found == (transfer if transfer in ("srgb", None) else pytest.approx(transfer, abs=2e-3))


def test_the_profile_of_a_colour_library_is_read_and_ours_is_one():
    assert profile_transfer(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()) == (
        "srgb"
    )
    ours = ImageCms.ImageCmsProfile(BytesIO(make_profile(parametric(3, *SRGB))))
    assert ImageCms.getProfileDescription(ours).strip() == "Display P3"


def test_channels_that_differ_are_left_alone():
    assert profile_transfer(make_profile(power(2.0), power(2.0), power(1.0))) is None


def test_a_damaged_profile_is_ignored():
    whole = make_profile(parametric(3, *SRGB))
    assert profile_transfer(None) is None
    assert profile_transfer(b"a profile") is None
    assert all(profile_transfer(whole[:length]) is None for length in range(0, len(whole) - 24, 7))
