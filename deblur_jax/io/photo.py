"""A photograph in memory, with all that a faithful copy of its file needs."""

from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class Extras:
    """The metadata of a photo other than its colour profile and EXIF.

    Attributes:
        xmp: the XMP packet of an upright picture.
        iptc: Photoshop's resources (`8BIM...`), one of which holds the IPTC fields.
        comment: of a JPEG file.
        chunks: names and contents of the chunks of a PNG file that say how its values become
            light (gAMA, cICP ...), and of its texts. HEIC and AVIF files have cICP, too.
        dpi: pixels an inch, across and down.
        sampling: of colour in a JPEG file: 0 for 4:4:4, 1 for 4:2:2, 2 for 4:2:0.
        lossless: whether it is a lossless WebP file.
        depth: bits a channel of the file, if they are neither 8 nor 16.
        lost: what the file holds and no copy of ours will.
    """

    xmp: bytes | None = None
    iptc: bytes | None = None
    comment: bytes | None = None
    chunks: tuple[tuple[bytes, bytes], ...] = ()
    dpi: tuple[float, float] | None = None
    sampling: int | None = None
    lossless: bool = False
    depth: int | None = None
    lost: tuple[str, ...] = ()


@dataclass(frozen=True)
class Photo:
    """A decoded photograph and what a faithful copy of its file needs.

    Attributes:
        pixels: `[h, w, 3]` float32 in [0, 1], display values, upright; grey is repeated.
        alpha: `[h, w]` float32 in [0, 1], or None.
        grey: whether the file held a single colour channel.
        bits: 8 or 16 per channel.
        profile: the ICC profile of `pixels`, or None for sRGB.
        exif: the EXIF block without its orientation, or None.
        extras: all other metadata of the file.
    """

    pixels: np.ndarray
    alpha: np.ndarray | None = None
    grey: bool = False
    bits: int = 8
    profile: bytes | None = None
    exif: bytes | None = None
    extras: Extras = field(default_factory=Extras)
