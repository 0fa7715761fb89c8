"""Segments of JPEG files: read, hidden from a decoder, and added."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from deblur_jax.io.exif import PREFIX


START = b"\xff\xd8"
APP0, APP1, APP13, COMMENT, SCAN = 0xE0, 0xE1, 0xED, 0xFE, 0xDA
SEGMENT_BYTES = 65533  # that a segment holds at most
PHOTOSHOP = b"Photoshop 3.0\0"


def is_jpeg(path: Path) -> bool:
    """Returns whether a file begins as JPEG files do."""
    with path.open("rb") as file:
        return file.read(2) == START


def _places(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Yields marker, start and end of the contents of each segment before the pixels."""
    place = len(START)
    while data[place : place + 1] == b"\xff" and place + 4 <= len(data):
        marker = data[place + 1]
        if marker in (0xFF, 0x00, 0x01):  # padding
            place += 1
            continue
        end = place + 2 + int.from_bytes(data[place + 2 : place + 4], "big")
        if marker == SCAN or end > len(data):
            return
        yield marker, place + 4, end
        place = end


def read_segments(path: Path) -> list[bytes]:
    """Returns what the application segments of a JPEG file hold, each with its name in front."""
    return segments_of(path.read_bytes())


def segments_of(data: bytes) -> list[bytes]:
    """Returns the same of a JPEG file in memory."""
    return [data[start:end] for marker, start, end in _places(data) if APP0 <= marker <= APP0 + 15]


def without_exif(data: bytes) -> bytes:
    """Returns a JPEG file whose EXIF segments have another name, for decoders that trip on them."""
    hidden = bytearray(data)
    for marker, start, _ in _places(data):
        if marker == APP1 and data[start : start + len(PREFIX)] == PREFIX:
            hidden[start] ^= 0xFF
    return bytes(hidden)


def with_resources(data: bytes, resources: bytes) -> bytes:
    """Returns a JPEG file that also holds Photoshop's resources, behind its JFIF and EXIF."""
    most = SEGMENT_BYTES - len(PHOTOSHOP)
    parts = [PHOTOSHOP + resources[n : n + most] for n in range(0, len(resources), most)]
    first = max([2, *(end for marker, _, end in _places(data) if marker in (APP0, APP1))])
    return data[:first] + b"".join(map(_segment, parts)) + data[first:]


def _segment(body: bytes) -> bytes:
    return bytes([0xFF, APP13]) + (len(body) + 2).to_bytes(2, "big") + body


def joined(segments: Iterable[bytes], name: bytes) -> bytes:
    """Returns the contents of all segments of a name, one after the other."""
    return b"".join(segment[len(name) :] for segment in segments if segment.startswith(name))
