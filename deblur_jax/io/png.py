"""PNG files: chunks, which are carried as they are, and pixels of 16 bits, which Pillow lacks."""

import itertools
import struct
import zlib
from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np


SIGNATURE = b"\x89PNG\r\n\x1a\n"
HEADER_BYTES = 33  # signature and IHDR chunk
DEPTH_BYTE = 24
COLOUR_BYTE = 9  # of the IHDR chunk
COLOUR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}  # by the number of channels
UP = 2  # the filter that stores differences from the row above
TEXT_CHUNKS = (b"tEXt", b"zTXt", b"iTXt")
COLOUR_CHUNKS = (b"cICP", b"gAMA", b"cHRM", b"sRGB", b"mDCV", b"cLLI")
RESOLUTION_CHUNK = b"pHYs"
# Carried, made anew, or of the old pixels alone.
USUAL_CHUNKS = (
    *TEXT_CHUNKS, *COLOUR_CHUNKS, RESOLUTION_CHUNK, b"IHDR", b"PLTE", b"tRNS", b"iCCP", b"eXIf",
    b"bKGD", b"hIST", b"sBIT", b"sPLT", b"tIME",
)  # fmt: skip
XMP_KEYWORD = b"XML:com.adobe.xmp"
INCHES = 0.0254  # metres

Chunk = tuple[bytes, bytes]


def read_chunks(path: Path) -> list[Chunk]:
    """Returns the chunks of a PNG file but for its pixels: their names and contents."""
    with path.open("rb") as file:
        return [chunk for chunk in _chunks(file) if chunk[0] != b"IDAT"]


def _chunks(file) -> Iterable[Chunk]:
    if file.read(8) != SIGNATURE:
        return
    while len(head := file.read(8)) == 8:
        length, name = struct.unpack(">I4s", head)
        body = file.read(length)
        if len(body) < length or name == b"IEND":
            return
        file.seek(4, 1)  # the check sum
        yield name, body


def is_deep(path: Path) -> bool:
    """Returns whether a PNG file holds 16 bits a channel."""
    with path.open("rb") as file:
        return file.read(HEADER_BYTES)[DEPTH_BYTE : DEPTH_BYTE + 1] == bytes([16])


def read_deep(path: Path) -> np.ndarray:
    """Reads the pixels of a PNG file of 16 bits a channel.

    Returns:
        `[h, w, 1 to 4]` uint16: grey or colour, then alpha.

    Raises:
        ValueError: if they cannot be decoded.
    """
    facts = dict(read_chunks(path))
    data, key = np.fromfile(path, np.uint8), facts.get(b"tRNS")
    if key is not None:  # OpenCV swaps the bytes of such colours, and drops the key of greys
        with path.open("rb") as file:
            kept = [chunk for chunk in _chunks(file) if chunk[0] != b"tRNS"]
        whole = SIGNATURE + b"".join(itertools.starmap(_chunk, [*kept, (b"IEND", b"")]))
        data = np.frombuffer(whole, np.uint8)
    array = cv2.imdecode(data, cv2.IMREAD_UNCHANGED | cv2.IMREAD_IGNORE_ORIENTATION)
    if array is None or array.dtype != np.uint16:
        raise ValueError("its 16-bit pixels cannot be decoded")
    array = array.reshape(*array.shape[:2], -1)
    grey = facts[b"IHDR"][COLOUR_BYTE] in (0, 4)  # three channels here, where there is alpha
    colour = array[..., :1] if grey else array[..., 2::-1]
    alpha = array[..., 3:]
    if key is not None:
        see_through = np.asarray(struct.unpack(f">{len(key) // 2}H", key), np.uint16)
        alpha = np.where((colour == see_through).all(-1, keepdims=True), 0, 65535).astype(np.uint16)
    return np.concatenate([colour, alpha], axis=-1)


def encode_deep(values: np.ndarray) -> bytes:
    """Returns a PNG file of uint16 values `[h, w, 1 to 4]`: grey or colour, then alpha."""
    height, width, channels = values.shape
    rows = np.ascontiguousarray(values, ">u2").view(np.uint8).reshape(height, -1)
    filtered = np.empty((height, rows.shape[1] + 1), np.uint8)
    filtered[:, 0] = UP
    filtered[:1, 1:] = rows[:1]
    np.subtract(rows[1:], rows[:-1], out=filtered[1:, 1:])
    header = struct.pack(">IIBBBBB", width, height, 16, COLOUR_TYPES[channels], 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(filtered.tobytes())), (b"IEND", b"")]
    return SIGNATURE + b"".join(itertools.starmap(_chunk, chunks))


def with_chunks(data: bytes, chunks: Iterable[Chunk]) -> bytes:
    """Returns a PNG file with more chunks before its pixels."""
    more = b"".join(itertools.starmap(_chunk, chunks))
    return data[:HEADER_BYTES] + more + data[HEADER_BYTES:]


def _chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def profile_chunk(profile: bytes) -> Chunk:
    """Returns the chunk of an ICC profile."""
    return b"iCCP", b"ICC profile\0\0" + zlib.compress(profile)


def xmp_chunk(xmp: bytes) -> Chunk:
    """Returns the chunk of an XMP packet."""
    return b"iTXt", XMP_KEYWORD + bytes(5) + xmp


def resolution_chunk(dpi: tuple[float, float]) -> Chunk:
    """Returns the chunk of a resolution in pixels an inch, across and down."""
    return RESOLUTION_CHUNK, struct.pack(">IIB", *(round(each / INCHES) for each in dpi), 1)
