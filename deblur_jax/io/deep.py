"""Pixels of 16 bits, which Pillow has in grey only: PNG by OpenCV, TIFF by tifffile."""

import struct
import zlib
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
import tifffile
from PIL import Image

from deblur_jax.io.metadata import text_tags


DEEP_SUFFIXES = (".png", ".tif", ".tiff")
PNG_HEADER_BYTES = 33  # signature and IHDR chunk
PNG_DEPTH_BYTE = 24
BITS_PER_SAMPLE = 0x0102


def is_deep(path: Path, image: Image.Image) -> bool:
    """Returns whether the file of an opened PNG or TIFF holds 16 bits a channel."""
    if image.format == "PNG":
        with path.open("rb") as file:
            return file.read(PNG_HEADER_BYTES)[PNG_DEPTH_BYTE : PNG_DEPTH_BYTE + 1] == bytes([16])
    if image.format == "TIFF":
        bits = image.tag_v2.get(BITS_PER_SAMPLE, (8,))  # pyright: ignore[reportAttributeAccessIssue]
        return set(np.ravel(bits)) == {16}
    return False


def read_deep(path: Path, turn: int) -> np.ndarray:
    """Reads a PNG or TIFF of 16 bits a channel: `[h, w, 3 or 4]` uint16, upright; grey is repeated.

    Args:
        path: of the file.
        turn: its EXIF orientation, 1 to 8.

    Raises:
        ValueError: if it cannot be decoded as 16 bits.
    """
    flags = cv2.IMREAD_UNCHANGED | cv2.IMREAD_IGNORE_ORIENTATION
    array = cv2.imdecode(np.fromfile(path, np.uint8), flags)
    if array is None or array.dtype != np.uint16:
        raise ValueError("its 16-bit pixels cannot be decoded")
    if array.ndim == 2:
        array = array[..., None]
    if array.shape[-1] == 1:
        array = np.repeat(array, 3, axis=-1)
    return turned_upright(np.concatenate([array[..., 2::-1], array[..., 3:]], axis=-1), turn)


def turned_upright(array: np.ndarray, turn: int) -> np.ndarray:
    """Undoes the EXIF orientation `turn` (1 to 8)."""
    if turn in (5, 6, 7, 8):
        array = np.swapaxes(array, 0, 1)
    if turn in (3, 4, 7, 8):
        array = array[::-1]
    if turn in (2, 3, 6, 7):
        array = array[:, ::-1]
    return array


def encode_deep_png(values: np.ndarray, profile: bytes | None, exif: bytes | None) -> bytes:
    """Returns a PNG file of uint16 values `[h, w, 1 to 4]`: grey or colour, then alpha."""
    order = {1: [0], 2: [0, 0, 0, 1], 3: [2, 1, 0], 4: [2, 1, 0, 3]}[values.shape[-1]]
    encoded, buffer = cv2.imencode(".png", values[..., order])
    if not encoded:
        raise OSError("the 16-bit PNG could not be encoded")
    data = buffer.tobytes()
    chunks = b""
    if profile:
        chunks += _chunk(b"iCCP", b"ICC profile\0\0" + zlib.compress(profile))
    if exif:
        chunks += _chunk(b"eXIf", exif.removeprefix(b"Exif\0\0"))
    return data[:PNG_HEADER_BYTES] + chunks + data[PNG_HEADER_BYTES:]


def encode_deep_tiff(values: np.ndarray, profile: bytes | None, exif: bytes | None) -> bytes:
    """Returns a TIFF file of uint16 values `[h, w, 1 to 4]`; of the EXIF block, its texts."""
    alpha = values.shape[-1] in (2, 4)
    texts = [(tag, "s", 0, text, True) for tag, text in text_tags(exif).items()]
    buffer = BytesIO()
    tifffile.imwrite(
        buffer,
        values.squeeze(-1) if values.shape[-1] == 1 else values,
        photometric="rgb" if values.shape[-1] > 2 else "minisblack",
        planarconfig="contig" if values.shape[-1] > 1 else None,
        extrasamples=["unassalpha"] if alpha else None,
        compression="zlib",
        iccprofile=profile,
        software=False,
        metadata=None,
        extratags=texts,
    )
    return buffer.getvalue()


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
