"""Directories of TIFF files and EXIF blocks: tables of entries, read and written as raw bytes.

An entry has a tag, a type, a count and a value, which lies elsewhere if it is longer than four
bytes. Nothing is decoded that is not needed, so entries of any type and value are taken.

The format: TIFF 6.0, section 2; EXIF 2.32, section 4.6; BigTIFF has wider counts and offsets.
"""

import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from PIL import ExifTags


ORIENTATION = 0x0112
RESOLUTIONS = (0x011A, 0x011B)  # across and down
EXIF_DIRECTORY, PLACE_DIRECTORY, INTEROPERABILITY = 0x8769, 0x8825, 0xA005
INSIDE: dict[int, dict[int, Any]] = {EXIF_DIRECTORY: {INTEROPERABILITY: {}}, PLACE_DIRECTORY: {}}
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
class Table:
    """Where the records of a directory are."""

    order: str
    big: bool
    start: int
    records: tuple[bytes, ...]
    following: int  # offset of the next directory, or 0
    cut: bool  # whether the data end before the directory does

    @property
    def count_bytes(self) -> int:
        """How many bytes the number of records takes."""
        return 8 if self.big else 2

    @property
    def record_bytes(self) -> int:
        """How many bytes a record takes."""
        return 20 if self.big else 12

    def head(self, record: bytes) -> tuple[int, int, int]:
        """Returns the tag, type and count of a record."""
        return struct.unpack_from(self.order + ("HHQ" if self.big else "HHI"), record)

    def tag(self, record: bytes) -> int:
        """Returns the tag of a record."""
        return self.head(record)[0]

    def place(self, number: int) -> int:
        """Returns the offset of a record."""
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


def read_table(data: Any, start: int | None = None) -> Table | None:
    """Returns the directory at `start`, by default the first; None if there is none."""
    header = _header(data)
    if header is None:
        return None
    order, big, first = header
    start = first if start is None else start
    empty = Table(order, big, start, (), 0, cut=False)
    if start < 8 or start + empty.count_bytes > len(data):
        return None
    (stated,) = struct.unpack_from(order + ("Q" if big else "H"), data, start)
    count = min(stated, (len(data) - empty.place(0)) // empty.record_bytes)
    records = tuple(bytes(data[empty.place(n) : empty.place(n + 1)]) for n in range(count))
    wide = 8 if big else 4
    after = bytes(data[empty.place(count) : empty.place(count) + wide])
    fits = len(after) == wide
    following = struct.unpack(order + ("Q" if big else "I"), after)[0] if fits else 0
    return replace(empty, records=records, following=following, cut=not fits or count < stated)


def whole_number(table: Table, record: bytes) -> int | None:
    """Returns the first whole number of a record's own field, or None if it holds another type."""
    _, kind, count = table.head(record)
    if kind not in WHOLE or count < 1 or (not table.big and kind in BIG_SIZES):
        return None
    return struct.unpack_from(table.order + WHOLE[kind], record, 12 if table.big else 8)[0]


def read_directory(
    data: Any, start: int | None = None, inside: Mapping[int, Mapping[int, Any]] = INSIDE
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
    table = read_table(data, start)
    if table is None:
        return "<", (), ()
    entries: dict[int, Entry] = {}
    bad: list[str] = ["entries that are cut off"] if table.cut else []
    for number, record in enumerate(table.records):
        tag = table.tag(record)
        if tag in inside:
            pointed = whole_number(table, record)
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


def _entry(data: Any, table: Table, number: int) -> Entry | None:
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


def whole_numbers(order: str, entry: Entry) -> tuple[int, ...]:
    """Returns the numbers of an entry; none if they are not whole."""
    kind = None if entry.inside else WHOLE.get(entry.kind)
    return struct.unpack(f"{order}{entry.count}{kind}", entry.value) if kind else ()


def read_starts(data: Any) -> list[int]:
    """Returns the offsets of the directories that follow one another in a TIFF file: its pages."""
    starts: list[int] = []
    table = read_table(data)
    while table is not None and table.start not in starts:
        starts.append(table.start)
        table = read_table(data, table.following)
    return starts


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
