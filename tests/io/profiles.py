"""ICC profiles as cameras and editors write them, of any tone curve."""

import struct


# Primaries of Display P3, adapted to D50.
PRIMARIES = {
    b"rXYZ": (0.51512, 0.2412, -0.00105),
    b"gXYZ": (0.29198, 0.69225, 0.04189),
    b"bXYZ": (0.1571, 0.06657, 0.78407),
    b"wtpt": (0.96420, 1.0, 0.82491),
}
SRGB = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)


def parametric(kind, *values):
    """Return a parametric curve, of the numbers g, a, b, c, d, e, f that its kind has."""
    return struct.pack(f">4s4xH2x{len(values)}i", b"para", kind, *(_fixed(v) for v in values))


def power(gamma):
    """Return a curve of one exponent, a multiple of 1 / 256."""
    return struct.pack(">4s4xIH", b"curv", 1, round(gamma * 256))


def table(values):
    """Return a curve of samples in [0, 1]; without any it is straight."""
    samples = [round(65535 * value) for value in values]
    return struct.pack(f">4s4xI{len(samples)}H", b"curv", len(samples), *samples)


def make_profile(red, green=None, blue=None):
    """Return the profile of a display with these tone curves, one for all if one is given."""
    name = "Display P3".encode("utf-16-be")
    tags = {
        b"desc": struct.pack(">4s4xIIHHII", b"mluc", 1, 12, 0x656E, 0x5553, len(name), 28) + name,
        **{
            tag: struct.pack(">4s4x3i", b"XYZ ", *map(_fixed, xyz))
            for tag, xyz in PRIMARIES.items()
        },
        b"rTRC": red,
        b"gTRC": green or red,
        b"bTRC": blue or red,
    }
    place, entries, body = 132 + 12 * len(tags), b"", b""
    for tag, data in tags.items():
        entries += struct.pack(">4sII", tag, place + len(body), len(data))
        body += data + bytes(-len(data) % 4)
    header = struct.pack(
        ">I4xI4s4s4s12x4s28x3i48x", place + len(body), 0x04000000, b"mntr", b"RGB ", b"XYZ ",
        b"acsp", *map(_fixed, (0.96420, 1.0, 0.82491)),
    )  # fmt: skip
    return header + struct.pack(">I", len(tags)) + entries + body


def _fixed(value):
    return round(value * 65536)
