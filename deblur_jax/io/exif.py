"""EXIF blocks and TIFF directories as bytes: read, edited in place, and written.

Cameras write entries of any type and private notes whose offsets count from the start of the block.
So a block is never decoded and encoded again: the few records that change are edited where they
are, a new first directory goes to the end, and everything else keeps its bytes and its place.
Only where a block cannot stay as it is (in a TIFF file, or above a format's limit) are its entries
collected, as raw values, and written again.

The format: TIFF 6.0, section 2; EXIF 2.32, section 4.6; BigTIFF has wider counts and offsets.
"""

import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from PIL import ExifTags


PREFIX = b"Exif\0\0"  # of the block in a JPEG file
ORIENTATION = 0x0112
PROCESSING_SOFTWARE = 0x000B  # what a picture went through after the camera
MAKER_NOTE = 0x927C
RESOLUTIONS = (0x011A, 0x011B)  # across and down
WIDTHS, HEIGHTS = (0x0100, 0xA002), (0x0101, 0xA003)  # in the first directory, in that of EXIF
EXIF_DIRECTORY, PLACE_DIRECTORY, INTEROPERABILITY = 0x8769, 0x8825, 0xA005
INSIDE: dict[int, dict] = {EXIF_DIRECTORY: {INTEROPERABILITY: {}}, PLACE_DIRECTORY: {}}
TEXT, SHORT, LONG, RATIONAL = 2, 3, 4, 5

# Bytes of one value, by the type of an entry.
SIZES = {
    1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 129: 1,
}  # fmt: skip
BIG_SIZES = {16: 8, 17: 8, 18: 8}  # of BigTIFF alone
WHOLE = {1: "B", 3: "H", 4: "I", 6: "b", 8: "h", 9: "i", 13: "I", 16: "Q", 17: "q", 18: "Q"}


@dataclass(frozen=True)
class Entry:
    """An entry with its raw value, or the directory that it points at."""

    tag: int
    kind: int
    count: int
    value: bytes = b""
    inside: tuple["Entry", ...] = ()


@dataclass(frozen=True)
class _Table:
    """Where the records of a directory are."""

    order: str
    big: bool
    start: int
    records: tuple[bytes, ...]
    following: int  # offset of the next directory, or 0
    cut: bool  # whether the data end before the directory does

    @property
    def count_bytes(self) -> int:
        return 8 if self.big else 2

    @property
    def record_bytes(self) -> int:
        return 20 if self.big else 12

    def head(self, record: bytes) -> tuple[int, int, int]:
        return struct.unpack_from(self.order + ("HHQ" if self.big else "HHI"), record)

    def tag(self, record: bytes) -> int:
        return self.head(record)[0]

    def place(self, number: int) -> int:
        return self.start + self.count_bytes + self.record_bytes * number


def _header(data: Any) -> tuple[str, bool, int] | None:
    """Returns byte order, whether it is BigTIFF, and the offset of the first directory."""
    order = {b"II": "<", b"MM": ">"}.get(bytes(data[:2]))
    if order is None or len(data) < 8:
        return None
    version, start = struct.unpack(order + "HI", data[2:8])
    if version == 43 and len(data) >= 16:
        (start,) = struct.unpack(order + "Q", data[8:16])
    return (order, version == 43, start) if version in (42, 43) else None


def _table(data: Any, start: int | None = None) -> _Table | None:
    """Returns the directory at `start`, by default the first; None if there is none."""
    header = _header(data)
    if header is None:
        return None
    order, big, first = header
    start = first if start is None else start
    empty = _Table(order, big, start, (), 0, cut=False)
    if start < 8 or start + empty.count_bytes > len(data):
        return None
    (stated,) = struct.unpack_from(order + ("Q" if big else "H"), data, start)
    count = min(stated, (len(data) - empty.place(0)) // empty.record_bytes)
    records = tuple(bytes(data[empty.place(n) : empty.place(n + 1)]) for n in range(count))
    after = bytes(data[empty.place(count) :][: 8 if big else 4])
    fits = len(after) == (8 if big else 4)
    following = struct.unpack(order + ("Q" if big else "I"), after)[0] if fits else 0
    return replace(empty, records=records, following=following, cut=not fits or count < stated)


def _is_whole(data: bytes, start: int | None = None, inside: Mapping = INSIDE) -> bool:
    """Returns whether all that a directory and those inside it point at is in a block.

    What points behind the end would point at whatever is added there.
    """
    table = _table(data, start)
    if table is None or table.cut:
        return False
    for record in table.records:
        tag, kind, count = table.head(record)
        if tag in inside:
            if not _is_whole(data, _whole_number(table, record) or 0, inside[tag]):
                return False
        elif (length := SIZES.get(kind, 1) * count) > 4:
            (place,) = struct.unpack_from(table.order + "I", record, 8)
            if place + length > len(data):
                return False
    return True


def _whole_number(table: _Table, record: bytes) -> int | None:
    """Returns the first whole number of a record's own field, or None if it holds another type."""
    _, kind, count = table.head(record)
    if kind not in WHOLE or count < 1 or (not table.big and kind in BIG_SIZES):
        return None
    return struct.unpack_from(table.order + WHOLE[kind], record, 12 if table.big else 8)[0]


def read_turn(data: Any, start: int | None = None) -> int | None:
    """Returns the orientation, 1 to 8, that a directory of a block or a TIFF file states.

    Args:
        data: the block or the file.
        start: the offset of the directory; None for the first.

    Returns:
        1 for a value that means nothing, None if there is none.
    """
    table = _table(data, start)
    turn = None
    for record in table.records if table else ():
        tag, _, count = table.head(record)  # pyright: ignore[reportOptionalMemberAccess]
        if tag == ORIENTATION:
            stated = _whole_number(table, record)  # pyright: ignore[reportArgumentType]
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
    table = _table(block)
    if table is None or table.big:
        return None, (("EXIF (unreadable)",) if block.strip(b"\0") else ())
    lost: tuple[str, ...] = ()
    following = table.following
    if not _is_whole(block):
        order, directory, lost = read_directory(block)
        block = write_block(order, directory)
        table = _table(block) or table
    data = bytearray(block)
    _set_sizes(data, table, size, INSIDE)
    edited = _table(data) or table
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
    data: bytearray, table: _Table, size: tuple[int, int], inside: Mapping[int, Mapping]
) -> None:
    """Sets the sizes that a directory and those inside it state."""
    for number, record in enumerate(table.records):
        tag, kind, _ = table.head(record)
        deeper = _table(data, _whole_number(table, record) or 0) if tag in inside else None
        if deeper is not None:
            _set_sizes(data, deeper, size, inside[tag])
        for tags, length in zip((WIDTHS, HEIGHTS), size, strict=True):
            if tag in tags:
                kind = SHORT if kind == SHORT and length < 65536 else LONG
                value = struct.pack(table.order + WHOLE[kind], length).ljust(4, b"\0")
                place = table.place(number)
                data[place : place + 12] = struct.pack(table.order + "HHI", tag, kind, 1) + value


def _resolutions_swapped(table: _Table, records: list[bytes]) -> list[bytes]:
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
    """Returns an EXIF block that also says what was done to the picture, after what it said.

    The block's first directory moves to its end, where it has room to grow.
    """
    block = (exif or b"").removeprefix(PREFIX)
    table = _table(block)
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


def read_directory(
    data: Any, start: int | None = None, inside: Mapping[int, Mapping] = INSIDE
) -> tuple[str, tuple[Entry, ...], tuple[str, ...]]:
    """Collects the entries of a directory, by default of the first, and of those inside it.

    Args:
        data: a block, or a whole TIFF or BigTIFF file.
        start: the directory's offset.
        inside: which entries point at directories, and which do so in those.

    Returns:
        The byte order; the entries, each tag once and in order; the names of those whose values are
        not in the data, or are of a type that a plain TIFF file cannot hold.
    """
    table = _table(data, start)
    if table is None:
        return "<", (), ()
    entries: dict[int, Entry] = {}
    bad: list[str] = ["entries that are cut off"] if table.cut else []
    for number, record in enumerate(table.records):
        tag = table.tag(record)
        if tag in inside:
            pointed = _whole_number(table, record)
            _, deeper, worse = read_directory(data, pointed or 0, inside[tag])
            bad += worse if deeper else [tag_name(tag), *worse]
            if deeper:
                entries.setdefault(tag, Entry(tag, LONG, 1, inside=deeper))
            continue
        entry = _entry(data, table, number)
        if entry is None:
            bad.append(tag_name(tag))
        else:
            entries.setdefault(tag, entry)
    return table.order, tuple(entries[tag] for tag in sorted(entries)), tuple(bad)


def _entry(data: Any, table: _Table, number: int) -> Entry | None:
    """Returns one entry of a directory, as a plain TIFF file has it; None if it cannot be."""
    tag, kind, count = table.head(table.records[number])
    size = {**SIZES, **BIG_SIZES}.get(kind) if table.big else SIZES.get(kind)
    if size is None:
        return None
    place = table.place(number) + (12 if table.big else 8)
    if size * count > (8 if table.big else 4):
        (place,) = struct.unpack_from(table.order + ("Q" if table.big else "I"), data, place)
    if place + size * count > len(data):
        return None
    value = bytes(data[place : place + size * count])
    if kind in BIG_SIZES:
        numbers = struct.unpack(f"{table.order}{count}{WHOLE[kind]}", value)
        if any(not 0 <= each < 2**32 for each in numbers):
            return None
        kind, value = LONG, struct.pack(f"{table.order}{count}I", *numbers)
    return Entry(tag, kind, count, value)


def tag_name(tag: int) -> str:
    """Returns what an entry is called."""
    return ExifTags.TAGS.get(tag) or ExifTags.GPSTAGS.get(tag) or f"entry 0x{tag:04X}"


def write_directory(order: str, directory: Iterable[Entry], base: int) -> bytes:
    """Returns the bytes of a directory, with its values and the directories inside it.

    Args:
        order: "<" or ">".
        directory: the entries.
        base: where in the file the directory is to begin, an even offset.
    """
    directory = sorted(directory, key=lambda entry: entry.tag)
    table = struct.pack(order + "H", len(directory))
    place = base + 2 + 12 * len(directory) + 4
    beyond = bytearray()
    for entry in directory:
        value = entry.value
        if entry.inside:
            value = write_directory(order, entry.inside, place + len(beyond))
        table += struct.pack(order + "HHI", entry.tag, entry.kind, entry.count)
        if entry.inside or len(value) > 4:
            table += struct.pack(order + "I", place + len(beyond))
            beyond += value + bytes(len(value) % 2)
        else:
            table += value.ljust(4, b"\0")
    return table + bytes(4) + beyond


def write_block(order: str, directory: Iterable[Entry]) -> bytes:
    """Returns a block, without `PREFIX`, of these entries alone."""
    mark = b"II" if order == "<" else b"MM"
    return mark + struct.pack(order + "HI", 42, 8) + write_directory(order, directory, 8)


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
