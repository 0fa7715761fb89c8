"""Boxes of HEIC and AVIF files: which of the two a file is, and what it holds beside the photo.

The formats: ISO/IEC 14496-12 (boxes), 23008-12 (items and their properties), 21496-1 (gain maps).
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


HEIF, AVIF = "HEIF", "AVIF"
HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs")
AVIF_BRANDS = (b"avif", b"avis")
NEUTRAL_BRANDS = (b"mif1", b"mif2", b"msf1", b"miaf", b"1pic")  # of both, HEIC more often
PICTURES = (b"hvc1", b"av01", b"avc1", b"jpeg", b"j2k1", b"grid", b"iovl", b"iden")  # item types
GAIN_MAP, FURTHER, VIDEO = "gain map (HDR)", "further pictures", "motion video"
AUXILIARY = {  # parts of the names of auxiliary pictures; alpha (None) is read with the photo
    "alpha": None, "hevc:2015:auxid:1": None, "gainmap": GAIN_MAP, "depth": "depth map",
    "disparity": "depth map", "hevc:2015:auxid:2": "depth map", "matte": "mattes",
}  # fmt: skip
HEAD_BYTES = 64  # of the first box, which names the format


@dataclass(frozen=True)
class Facts:
    """What the boxes of a file say.

    Attributes:
        lost: names of what the file holds beside the photo.
        colours: code points of its primaries, transfer curve and matrix, and whether its values
            have the full range (ITU-T H.273); None if there are none.
        bits: of a channel.
    """

    lost: tuple[str, ...] = ()
    colours: tuple[int, int, int, int] | None = None
    bits: int = 8


def container_of(path: Path) -> str:
    """Returns "HEIF" or "AVIF" for files of these kinds, and an empty text for others."""
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    if head[4:8] != b"ftyp":
        return ""
    end = min(len(head), int.from_bytes(head[:4], "big"))
    brands = [head[8:12], *(head[place : place + 4] for place in range(16, end, 4))]
    if brands[0] in AVIF_BRANDS:
        return AVIF
    if brands[0] in HEIF_BRANDS:
        return HEIF
    if brands[0] not in NEUTRAL_BRANDS:
        return ""
    return AVIF if any(brand in AVIF_BRANDS for brand in brands) else HEIF


def read_facts(path: Path) -> Facts:
    """Returns what the boxes of a file say; as much as can be read, of a damaged one."""
    data = path.read_bytes()
    try:
        top = list(_boxes(data, 0, len(data)))
        meta = next((box for box in top if box[0] == b"meta"), None)
        if meta is None:
            return Facts()
        parts = {name: (start, end) for name, start, end in _boxes(data, meta[1] + 4, meta[2])}
        names = [name for name, _, _ in top]
        return _facts(data, parts, video=b"mpvd" in names or b"moov" in names)
    except (struct.error, IndexError):
        return Facts()


def _boxes(data: bytes, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Yields the name, and the start and end of the contents, of each box."""
    while start + 8 <= end:
        size, name = struct.unpack_from(">I4s", data, start)
        head = 8
        if size == 1:
            (size,), head = struct.unpack_from(">Q", data, start + 8), 16
        elif size == 0:  # to the end
            size = end - start
        if size < head or start + size > end:
            return
        yield name, start + head, start + size
        start += size


def _facts(data: bytes, parts: dict[bytes, tuple[int, int]], *, video: bool) -> Facts:
    items = _items(data, *parts.get(b"iinf", (0, 0)))
    primary = _primary(data, *parts.get(b"pitm", (0, 0)))
    properties, owned = _properties(data, *parts.get(b"iprp", (0, 0)), primary)
    beside = {primary, *_referred(data, *parts.get(b"iref", (0, 0)))}
    lost = [_auxiliary(data[start + 4 : end]) for name, start, end in properties if name == b"auxC"]
    if b"tmap" in items.values():
        lost.append(GAIN_MAP)
    if any(kind in PICTURES and number not in beside for number, kind in items.items()):
        lost.append(FURTHER)
    if video:
        lost.append(VIDEO)
    colours, bits = None, 8
    for name, start, end in owned:
        body = data[start:end]
        if name == b"colr" and body[:4] == b"nclx":
            *codes, whole = struct.unpack_from(">HHHB", body, 4)
            colours = (codes[0], codes[1], codes[2], whole >> 7)
        if name == b"av1C" and body[2] & 0x40:
            bits = 12 if body[2] & 0x20 else 10
        if name == b"pixi" and body[4]:
            bits = max(bits, *body[5 : 5 + body[4]])
    return Facts(tuple(dict.fromkeys(filter(None, lost))), colours, bits)


def _auxiliary(body: bytes) -> str | None:
    """Returns what is lost with an auxiliary picture of this name; None for transparency."""
    name = body.partition(b"\0")[0].decode("latin-1").lower()
    found = [lost for part, lost in AUXILIARY.items() if part in name]
    return found[0] if found else "auxiliary pictures"


def _items(data: bytes, start: int, end: int) -> dict[int, bytes]:
    """Returns the types of the visible items by their numbers."""
    if not end:
        return {}
    items = {}
    for name, begin, _ in _boxes(data, start + (6 if data[start] == 0 else 8), end):
        version, hidden = data[begin], data[begin + 3] & 1
        if name == b"infe" and version >= 2 and not hidden:
            layout = ">HH4s" if version == 2 else ">IH4s"
            number, _, kind = struct.unpack_from(layout, data, begin + 4)
            items[number] = kind
    return items


def _primary(data: bytes, start: int, end: int) -> int | None:
    if not end:
        return None
    (number,) = struct.unpack_from(">H" if data[start] == 0 else ">I", data, start + 4)
    return number


def _referred(data: bytes, start: int, end: int) -> set[int]:
    """Returns the items that belong to others: tiles, thumbnails and auxiliary pictures."""
    numbers: set[int] = set()
    if not end:
        return numbers
    size, letter = (2, "H") if data[start] == 0 else (4, "I")
    for name, begin, _ in _boxes(data, start + 4, end):
        (source,) = struct.unpack_from(f">{letter}", data, begin)
        (count,) = struct.unpack_from(">H", data, begin + size)
        targets = struct.unpack_from(f">{count}{letter}", data, begin + size + 2)
        if name in (b"auxl", b"thmb"):
            numbers.add(source)
        if name == b"dimg":
            numbers.update(targets)
    return numbers


Box = tuple[bytes, int, int]


def _properties(data: bytes, start: int, end: int, item: int | None) -> tuple[list[Box], list[Box]]:
    """Returns the properties of all items, and those of one."""
    parts = {name: (begin, stop) for name, begin, stop in _boxes(data, start, end)}
    every = list(_boxes(data, *parts.get(b"ipco", (0, 0))))
    place, stop = parts.get(b"ipma", (0, 0))
    if not stop:
        return every, []
    version, wide = data[place], data[place + 3] & 1
    (count,) = struct.unpack_from(">I", data, place + 4)
    place += 8
    owned = []
    for _ in range(count):
        layout = ">HB" if version < 1 else ">IB"
        number, links = struct.unpack_from(layout, data, place)
        place += struct.calcsize(layout)
        for _ in range(links):
            (link,) = struct.unpack_from(">H" if wide else ">B", data, place)
            place += 2 if wide else 1
            index = link & (0x7FFF if wide else 0x7F)
            if number == item and 1 <= index <= len(every):
                owned.append(every[index - 1])
    return every, owned
