"""EXIF blocks, edited where they are.

Cameras write entries of any type and private notes whose offsets count from the start of the block.
So a block is not decoded and encoded again: the few records that change are edited in place, a new
first directory goes to the end, and everything else keeps its bytes and its place. Only where a
block cannot stay as it is (cut short, or above a format's limit) are its entries collected, as raw
values, and written again.
"""

import struct
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from deblur_jax.io.directories import (
    INSIDE,
    LONG,
    ORIENTATION,
    RESOLUTIONS,
    SHORT,
    SIZES,
    TEXT,
    WHOLE,
    Entry,
    Table,
    read_directory,
    read_table,
    tag_name,
    whole_number,
    write_block,
)


PREFIX = b"Exif\0\0"  # of the block in a JPEG file
PROCESSING_SOFTWARE = 0x000B  # what a picture went through after the camera
MAKER_NOTE = 0x927C
WIDTHS, HEIGHTS = (0x0100, 0xA002), (0x0101, 0xA003)  # in the first directory, in that of EXIF


def _is_whole(data: bytes, start: int | None = None, inside: Mapping = INSIDE) -> bool:
    """Returns whether all that a directory and those inside it point at is in a block.

    What points behind the end would point at whatever is added there.
    """
    table = read_table(data, start)
    if table is None or table.cut:
        return False
    for record in table.records:
        tag, kind, count = table.head(record)
        if tag in inside:
            if not _is_whole(data, whole_number(table, record) or 0, inside[tag]):
                return False
        elif (length := SIZES.get(kind, 1) * count) > 4:
            (place,) = struct.unpack_from(table.order + "I", record, 8)
            if place + length > len(data):
                return False
    return True


def read_turn(data: Any, start: int | None = None) -> int | None:
    """Returns the orientation, 1 to 8, that a directory of a block or a TIFF file states.

    Args:
        data: the block or the file.
        start: the offset of the directory; None for the first.

    Returns:
        1 for a value that means nothing, None if there is none.
    """
    table = read_table(data, start)
    turn = None
    for record in table.records if table else ():
        tag, _, count = table.head(record)  # pyright: ignore[reportOptionalMemberAccess]
        if tag == ORIENTATION:
            stated = whole_number(table, record)  # pyright: ignore[reportArgumentType]
            turn = stated if count == 1 and stated in range(1, 9) else 1
    return turn


def upright_block(
    block: bytes, size: tuple[int, int], *, sideways: bool
) -> tuple[bytes | None, tuple[str, ...]]:
    """Edits a block for a copy of its picture that is stored upright and has new pixels.

    The orientation and the thumbnail of the old pixels go; both sizes, where they are stated, and
    the order of both resolutions become those of the upright picture. All other bytes stay.

    Args:
        block: as in the file, without `PREFIX`.
        size: width and height of the upright picture.
        sideways: whether width and height changed places.

    Returns:
        The block, and the names of what was left out. None if it is no block at all, or empty.
    """
    table = read_table(block)
    if table is None or table.big:
        return None, (("EXIF (unreadable)",) if block.strip(b"\0") else ())
    lost: tuple[str, ...] = ()
    following = table.following
    if not _is_whole(block):
        order, directory, lost = read_directory(block)
        block = write_block(order, directory)
        table = read_table(block) or table
    data = bytearray(block)
    _set_sizes(data, table, size, INSIDE)
    edited = read_table(data) or table
    kept = [record for record in edited.records if table.tag(record) != ORIENTATION]
    if sideways:
        kept = _resolutions_swapped(table, kept)
    new = struct.pack(table.order + "H", len(kept)) + b"".join(kept) + bytes(4)
    length = table.place(len(table.records)) + 4 - table.start
    data[table.start : table.start + length] = new.ljust(length, b"\0")
    if following:
        lost += ("thumbnail of the blurred photo",)
    return (bytes(data) if kept else None), lost


def _set_sizes(
    data: bytearray, table: Table, size: tuple[int, int], inside: Mapping[int, Mapping]
) -> None:
    """Sets the sizes that a directory and those inside it state."""
    for number, record in enumerate(table.records):
        tag, kind, _ = table.head(record)
        deeper = read_table(data, whole_number(table, record) or 0) if tag in inside else None
        if deeper is not None:
            _set_sizes(data, deeper, size, inside[tag])
        for tags, length in zip((WIDTHS, HEIGHTS), size, strict=True):
            if tag in tags:
                kind = SHORT if kind == SHORT and length < 65536 else LONG
                value = struct.pack(table.order + WHOLE[kind], length).ljust(4, b"\0")
                place = table.place(number)
                data[place : place + 12] = struct.pack(table.order + "HHI", tag, kind, 1) + value


def _resolutions_swapped(table: Table, records: list[bytes]) -> list[bytes]:
    """Exchanges the resolutions across and down, of a picture that is turned by 90 degrees."""
    where = {table.tag(record): number for number, record in enumerate(records)}
    if not set(RESOLUTIONS) <= set(where):
        return records
    across, down = (where[tag] for tag in RESOLUTIONS)
    swapped = list(records)
    swapped[across] = records[across][:2] + records[down][2:]
    swapped[down] = records[down][:2] + records[across][2:]
    return swapped


def with_history(exif: bytes | None, words: str) -> bytes:
    """Returns an EXIF block with `words` appended to its history of processing.

    The block's first directory moves to its end, where it has room to grow.
    """
    block = (exif or b"").removeprefix(PREFIX)
    table = read_table(block)
    if table is None or table.big:
        directory = (_text_entry(words.encode()),)
        return PREFIX + write_block("<", directory)
    before = [e for e in read_directory(block)[1] if e.tag == PROCESSING_SOFTWARE]
    texts = [e.value.rstrip(b"\0") for e in before if SIZES[e.kind] == 1]
    new = _text_entry(b"; ".join([*filter(None, texts), words.encode()]))
    kept = [record for record in table.records if table.tag(record) != PROCESSING_SOFTWARE]
    earlier = sum(table.tag(record) < PROCESSING_SOFTWARE for record in kept)
    block += bytes(len(block) % 2)
    start = len(block)
    place = start + 2 + 12 * (len(kept) + 1) + 4
    kept.insert(earlier, struct.pack(table.order + "HHII", new.tag, new.kind, new.count, place))
    first = struct.pack(table.order + "H", len(kept)) + b"".join(kept)
    first += struct.pack(table.order + "I", table.following) + new.value
    return PREFIX + block[:4] + struct.pack(table.order + "I", start) + block[8:] + first


def _text_entry(text: bytes) -> Entry:
    text += b"\0"
    return Entry(PROCESSING_SOFTWARE, TEXT, len(text), text)


def shortened(exif: bytes | None, most: int) -> tuple[bytes | None, tuple[str, ...]]:
    """Returns a block of at most `most` bytes, and the names of what was left out for that.

    A block that fits stays as it is. One that does not loses what nothing points at, then the
    maker's note, then the longest values first.
    """
    if exif is None or len(exif) <= most:
        return exif, ()
    order, directory, bad = read_directory(exif.removeprefix(PREFIX))
    names = list(bad)
    while len(block := PREFIX + write_block(order, directory)) > most:
        if not directory:
            return None, ("EXIF",)
        worst = max(_leaves(directory), key=lambda e: (e.tag == MAKER_NOTE, len(e.value)))
        names.append(tag_name(worst.tag))
        directory = _without(directory, worst)
    return block, tuple(names)


def _leaves(directory: Iterable[Entry]) -> list[Entry]:
    return [
        leaf
        for entry in directory
        for leaf in (_leaves(entry.inside) if entry.inside else (entry,))
    ]


def _without(directory: Iterable[Entry], leaf: Entry) -> tuple[Entry, ...]:
    """Returns a directory without one value, and without directories that become empty."""
    kept = []
    for entry in directory:
        inside = _without(entry.inside, leaf)
        if entry is not leaf and bool(inside) == bool(entry.inside):
            kept.append(replace(entry, inside=inside))
    return tuple(kept)
