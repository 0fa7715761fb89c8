"""The tone curve of a photo's ICC profile, as one of the curves that solvers use.

Nearly all RGB profiles use the curve of sRGB (sRGB, Display P3) or a power law (Adobe RGB,
ProPhoto, linear profiles). For any other curve the functions return None.

The format: ICC.1:2022, sections 7.2 (header, tag table), 10.6 (curve), 10.18 (parametric curve).
"""

import functools
import struct
from collections.abc import Iterable

import numpy as np

from deblur_jax.transfer import light_from_display


HEADER_BYTES = 128
CURVES = (b"rTRC", b"gTRC", b"bTRC")
SAMPLES = np.linspace(0, 1, 256)
CLOSE = 0.003  # of light: sRGB and its nearest power are 0.005 apart

# How many numbers each kind of parametric curve has, padded to (g, a, b, c, d, e, f).
PARAMETERS = {0: 1, 1: 3, 2: 4, 3: 5, 4: 7}


# Transfer functions of a cICP chunk (ITU-T H.273, table 3) that solvers know.
CODE_POINTS: dict[int, str | float] = {4: 2.2, 5: 2.8, 8: 1.0, 13: "srgb"}
GAMMAS = (0.2, 5.0)  # sensible exponents

# The primaries of ITU-R BT.2020 and the white of a profile, in XYZ, adapted to D50.
WHITE = (0.96420, 1.0, 0.82491)
WIDE_PRIMARIES = {
    b"wtpt": WHITE,
    b"rXYZ": (0.67348, 0.27904, -0.00193),
    b"gXYZ": (0.16566, 0.67535, 0.02998),
    b"bXYZ": (0.12505, 0.04561, 0.79686),
}


def display_transfer(
    profile: bytes | None, chunks: Iterable[tuple[bytes, bytes]] = ()
) -> str | float | None:
    """Returns the curve from display values to light, from the profile and the chunks of a file.

    Args:
        profile: its ICC profile, or None.
        chunks: of a PNG file; of these cICP outdoes the profile, and the profile sRGB and gAMA.

    Returns:
        "srgb", or the exponent of a power, or None if nothing is said that is understood here.
    """
    facts = dict(chunks)
    if len(facts.get(b"cICP", b"")) == 4:
        return CODE_POINTS.get(facts[b"cICP"][1])
    if profile is not None or b"sRGB" in facts:
        return "srgb" if profile is None else profile_transfer(profile)
    gamma = int.from_bytes(facts.get(b"gAMA", b""), "big")
    exponent = round(100_000 / gamma, 3) if gamma else 0.0
    return exponent if GAMMAS[0] <= exponent <= GAMMAS[1] else None


@functools.cache
def linear_profile() -> bytes:
    """Returns an ICC profile of light, by the primaries of Rec. 2020."""
    tags = {b"desc": _text("Linear Rec. 2020"), b"cprt": _text("Public domain")}
    tags |= {name: struct.pack(">4s4x3i", b"XYZ ", *_fixed(xyz)) for name, xyz in
             WIDE_PRIMARIES.items()}  # fmt: skip
    tags |= dict.fromkeys(CURVES, struct.pack(">4s4xI", b"curv", 0))  # no points: straight
    place, entries, body = HEADER_BYTES + 4 + 12 * len(tags), b"", b""
    for name, contents in tags.items():
        entries += struct.pack(">4sII", name, place + len(body), len(contents))
        body += contents + bytes(-len(contents) % 4)
    header = struct.pack(
        ">I4xI4s4s4s12x4s28x3i48x", place + len(body), 0x04200000, b"mntr", b"RGB ", b"XYZ ",
        b"acsp", *_fixed(WHITE),
    )  # fmt: skip
    return header + struct.pack(">I", len(tags)) + entries + body


def _text(words: str) -> bytes:
    text = words.encode("utf-16-be")
    return struct.pack(">4s4xII2s2sII", b"mluc", 1, 12, b"en", b"US", len(text), 28) + text


def _fixed(values: Iterable[float]) -> list[int]:
    return [round(value * 65536) for value in values]


@np.errstate(all="ignore")  # damaged profiles hold any numbers
def profile_transfer(profile: bytes | None) -> str | float | None:
    """Returns the curve from display values to light: "srgb", or the exponent of a power law.

    Args:
        profile: an ICC profile. The result is None without a profile or for an unsupported curve.
    """
    if profile is None:
        return None
    try:
        red, light, blue = (_light(profile, name) for name in CURVES)
    except (struct.error, KeyError, ValueError, ZeroDivisionError):
        return None
    if not (_alike(red, light) and _alike(blue, light)):
        return None
    if _alike(light, light_from_display(SAMPLES, "srgb")):
        return "srgb"
    middle = slice(32, 224)  # near the ends rounding would count for too much
    inside = np.clip(light[middle], 1e-6, 1)
    exponent = round(float(np.mean(np.log(inside) / np.log(SAMPLES[middle]))), 3)
    return exponent if exponent > 0 and _alike(light, SAMPLES**exponent) else None


def _alike(one: np.ndarray, other: np.ndarray) -> bool:
    return bool(np.abs(one - other).max() <= CLOSE)  # NaN compares as different


def _light(profile: bytes, name: bytes) -> np.ndarray:
    """Returns the light of `SAMPLES` by a tone curve of a profile."""
    (count,) = struct.unpack_from(">I", profile, HEADER_BYTES)
    entries = struct.iter_unpack(">4sII", profile[HEADER_BYTES + 4 :][: 12 * min(count, 1000)])
    start, length = {tag: (start, length) for tag, start, length in entries}[name]
    curve = profile[start : start + length]
    if curve[:4] == b"para":
        return _parametric(curve)
    if curve[:4] != b"curv":
        raise ValueError("neither a curve nor a parametric one")
    (points,) = struct.unpack_from(">I", curve, 8)
    if points == 0:
        return SAMPLES
    if points == 1:
        return SAMPLES ** (struct.unpack_from(">H", curve, 12)[0] / 256)
    table = np.asarray(struct.unpack_from(f">{points}H", curve, 12)) / 65535
    return np.interp(SAMPLES, np.linspace(0, 1, points), table)


def _parametric(curve: bytes) -> np.ndarray:
    (kind,) = struct.unpack_from(">H", curve, 8)
    values = struct.unpack_from(f">{PARAMETERS[kind]}i", curve, 12)
    g, a, b, c, d, e, f = ([value / 65536 for value in values] + 7 * [0.0])[:7]
    if kind == 0:
        a = 1.0
    if kind in (1, 2):  # zero, or c, below -b / a
        c, d, e, f = 0.0, -b / a, (c if kind == 2 else 0.0), (c if kind == 2 else 0.0)
    bent = np.maximum(a * SAMPLES + b, 0) ** g + e
    return np.where(d <= SAMPLES, bent, c * SAMPLES + f)
