"""Raw photos of cameras, developed to linear light by LibRaw (the extra `raw`).

Motion blur adds up in light. A raw file holds light, which a tone curve has not bent and
compression has not changed. It is developed with the camera's white balance, without a tone curve
and without brightening, to 16 bits and the primaries of Rec. 2020.
"""

import mmap
from collections.abc import Callable
from pathlib import Path

import numpy as np

from deblur_jax.io import jpeg
from deblur_jax.io.directories import (
    EXIF_DIRECTORY,
    PLACE_DIRECTORY,
    Entry,
    read_directory,
    read_starts,
    read_table,
    whole_numbers,
    write_block,
)
from deblur_jax.io.exif import MAKER_NOTE, PREFIX
from deblur_jax.io.native import native_complaints
from deblur_jax.io.tiff import PHOTOMETRIC, SUB_PAGES, UnfitError, is_smaller, is_tiff


SUFFIXES = (
    ".dng", ".cr2", ".cr3", ".crw", ".nef", ".nrw", ".arw", ".srf", ".sr2", ".raf", ".orf", ".rw2",
    ".rwl", ".pef", ".srw", ".3fr", ".fff", ".iiq", ".erf", ".mef", ".mos", ".mrw", ".kdc", ".dcr",
    ".x3f", ".gpr",
)  # fmt: skip
MISSING = "is a raw photo, which needs rawpy; pip install 'deblur-jax[raw]'"
# How the files of cameras begin that are not TIFF files.
MAGIC = (b"FUJIFILMCCD-RAW", b"IIU\0", b"IIRO", b"IIRS", b"MMOR", b"FOVb", b"\0MRM")
CANON = b"ftypcrx "  # of CR3 files, behind four bytes
CANON_MARK = b"CR"  # of CR2 files, behind the header of TIFF
DNG_VERSION = 0xC612
SENSOR_VALUES = ((32803,), (34892,))  # photometric interpretations
# Entries of the first directory for a copy: others describe the values of the sensor.
KEPT_TAGS = (
    0x010E,
    0x010F,
    0x0110,
    0x0131,
    0x0132,
    0x013B,
    0x8298,
    EXIF_DIRECTORY,
    PLACE_DIRECTORY,
)


def is_raw(path: Path) -> bool:
    """Returns whether a file is a raw photo, by its ending or by what it holds."""
    if path.suffix.lower() in SUFFIXES:
        return True
    if is_tiff(path):
        return _is_raw_tiff(path)
    with path.open("rb") as file:
        head = file.read(16)
    return head.startswith(MAGIC) or head[4:12] == CANON


def _is_raw_tiff(path: Path) -> bool:
    """Returns whether a TIFF file is a raw photo: DNG, CR2, NEF and the like.

    Its pages hold the values of a sensor, or are previews of such a page inside them.
    """
    with (
        path.open("rb") as opened,
        mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as data,
    ):
        if data[8:10] == CANON_MARK:
            return True
        pages = []
        for start in read_starts(data):
            order, directory, _ = read_directory(data, start)
            pages.append({entry.tag: whole_numbers(order, entry) for entry in directory})
    marked = any(DNG_VERSION in facts or SUB_PAGES in facts for facts in pages)
    return marked and all(
        facts.get(PHOTOMETRIC) in SENSOR_VALUES or is_smaller(facts) for facts in pages
    )


def develop(path: Path, check_size: Callable[[tuple[int, int]], None]) -> np.ndarray:
    """Returns the light of a raw photo, `[h, w, 3]` uint16, upright, white at 65535.

    Args:
        path: of the file.
        check_size: called with width and height before the pixels are decoded.

    Raises:
        UnfitError: if rawpy is not installed, or LibRaw does not know the camera.
        ValueError: if the file is damaged.
    """
    try:
        import rawpy
    except ImportError:
        raise UnfitError(MISSING) from None
    light, problem = None, ""
    with native_complaints() as complaints:
        try:
            with path.open("rb") as file, rawpy.imread(file) as raw:
                check_size((raw.sizes.width, raw.sizes.height))
                light = raw.postprocess(
                    gamma=(1, 1), no_auto_bright=True, adjust_maximum_thr=0, use_camera_wb=True,
                    output_bps=16, output_color=rawpy.ColorSpace.Rec2020,
                )  # fmt: skip
        except (rawpy.LibRawFileUnsupportedError, rawpy.NotSupportedError):
            raise UnfitError("is not a raw photo that LibRaw can read") from None
        except rawpy.LibRawError as error:
            problem = _words(error)
    if light is None or complaints:
        # LibRaw replaces damaged pixels, and says so on standard error only: "file: what".
        raise ValueError(complaints[0].rpartition(": ")[2] if complaints else problem)
    return light


def _words(error: Exception) -> str:
    """Returns the message of LibRaw, which comes as bytes."""
    first = error.args[0] if error.args else ""
    return first.decode(errors="replace") if isinstance(first, bytes) else str(first)


def read_block(path: Path) -> tuple[bytes, tuple[str, ...]]:
    """Returns the EXIF block for a developed copy, and the names of what it leaves out."""
    data = path.read_bytes()
    block = data if read_table(data) is not None else _block_of_preview(path)
    order, directory, _ = read_directory(block)
    kept = [_without_note(entry) for entry in directory if entry.tag in KEPT_TAGS]
    notes = any(inner.tag == MAKER_NOTE for entry in directory for inner in entry.inside)
    return write_block(order, kept) if kept else b"", ("MakerNote",) if notes else ()


def _without_note(entry: Entry) -> Entry:
    """Returns a directory without the maker's note, whose offsets count in the raw file."""
    inside = tuple(inner for inner in entry.inside if inner.tag != MAKER_NOTE)
    return Entry(entry.tag, entry.kind, entry.count, entry.value, inside)


def _block_of_preview(path: Path) -> bytes:
    """Returns the EXIF block of the preview in a raw file that is not a TIFF file."""
    import rawpy

    try:
        with native_complaints(), path.open("rb") as file, rawpy.imread(file) as raw:
            preview = raw.extract_thumb()
    except rawpy.LibRawError:
        return b""
    if preview.format != rawpy.ThumbFormat.JPEG:
        return b""
    return jpeg.joined(jpeg.segments_of(bytes(preview.data)), PREFIX)
