"""EXIF blocks of any content, a JPEG file around them, and a second reader for comparison."""

import struct
from io import BytesIO

import numpy as np
from PIL import Image


SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 129: 1}
DETAILS, PLACE, ORIENTATION, HISTORY = 0x8769, 0x8825, 0x0112, 0x000B
PICTURE = np.zeros((24, 40, 3), np.uint8) + np.arange(40, dtype=np.uint8)[:, None] * 5
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM, 5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270, 7: Image.Transpose.TRANSVERSE, 8: Image.Transpose.ROTATE_90,
}  # fmt: skip


def directory(order, entries, start, following=0):
    """Return a directory of (tag, type, count, value) that begins at `start`."""
    table, beyond = struct.pack(order + "H", len(entries)), b""
    free = start + 2 + 12 * len(entries) + 4
    for tag, kind, count, value in entries:
        if isinstance(value, int):  # an offset, right or wrong
            field = struct.pack(order + "I", value)
        elif len(value) > 4:
            field = struct.pack(order + "I", free + len(beyond))
            beyond += value + bytes(len(value) % 2)
        else:
            field = value.ljust(4, b"\0")
        table += struct.pack(order + "HHI", tag, kind, count) + field
    return table + struct.pack(order + "I", following) + beyond


def block(first=(), details=None, place=None, *, order="<", following=0):
    """Return an EXIF block of a first directory, and of those of details and of the place."""
    pointers = [(tag, inside) for tag, inside in ((DETAILS, details), (PLACE, place)) if inside]
    sized = [*first, *((tag, 4, 1, 0) for tag, _ in pointers)]
    start, placed, inner = 8 + len(directory(order, sized, 8)), [], b""
    for tag, inside in pointers:
        placed.append((tag, 4, 1, start + len(inner)))
        inner += directory(order, inside, start + len(inner))
    entries = sorted([*first, *placed], key=lambda entry: entry[0])
    mark = b"II" if order == "<" else b"MM"
    head = mark + struct.pack(order + "HI", 42, 8)
    return head + directory(order, entries, 8, following) + inner


def jpeg(path, exif, picture=PICTURE):
    """Write a JPEG file with this EXIF block, which no library validates."""
    buffer = BytesIO()
    Image.fromarray(picture).save(buffer, "JPEG", quality=95)
    plain, body = buffer.getvalue(), b"Exif\0\0" + exif
    path.write_bytes(plain[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + plain[2:])


def entries(data):
    """Return {(directory, tag): (type, count, value)} of the readable entries of a block."""
    order = "<" if data[:2] == b"II" else ">"
    found = {}

    def walk(name, start):
        if not 8 <= start <= len(data) - 2:
            return
        (count,) = struct.unpack_from(order + "H", data, start)
        for number in range(count):
            record = data[start + 2 + 12 * number :][:12]
            if len(record) < 12:
                return
            tag, kind, count_, offset = struct.unpack(order + "HHII", record)
            if name == "first" and tag in (DETAILS, PLACE):
                walk(tag, offset)
                continue
            length = SIZES.get(kind, 0) * count_
            value = record[8 : 8 + length] if length <= 4 else data[offset : offset + length]
            if kind in SIZES and len(value) == length:
                found.setdefault((name, tag), (kind, count_, value))

    if len(data) >= 8:
        walk("first", struct.unpack_from(order + "I", data, 4)[0])
    return found


def random_block(rng):
    """Return a block of random entries, and whether some of its bytes are corrupt.

    Some offsets point outside the block, some blocks are truncated. In a corrupt block a few bytes
    are changed, so that values may overlap each other and the directories.
    """
    order = "<>"[rng.integers(2)]
    known = [
        271,
        272,
        274,
        282,
        283,
        296,
        305,
        306,
        315,
        0x9000,
        0x927C,
        0xA002,
        0xA003,
        0,
        1,
        2,
        6,
    ]

    def random_entry():
        tag = int(rng.choice(known) if rng.random() < 0.7 else rng.integers(65536))
        kind = int(rng.integers(1, 13) if rng.random() < 0.9 else rng.integers(65536))
        count = int(rng.integers(0, 6))
        if tag == ORIENTATION and rng.random() < 0.7:
            return tag, 3, 1, struct.pack(order + "H", rng.integers(10))
        value = rng.bytes(SIZES.get(kind, 1) * count)
        return tag, kind, count, int(rng.integers(2**32)) if rng.random() < 0.05 else value

    def random_entries():
        chosen = {entry[0]: entry for entry in (random_entry() for _ in range(rng.integers(7)))}
        return [chosen[tag] for tag in sorted(chosen) if tag not in (DETAILS, PLACE)]

    made = block(
        random_entries(), random_entries(), random_entries(), order=order,
        following=int(rng.integers(100)) * int(rng.random() < 0.2),
    )  # fmt: skip
    if rng.random() < 0.2:
        made = made[: rng.integers(len(made) + 1)]
    disorder = bool(rng.random() < 0.1)
    if disorder:
        broken = bytearray(made)
        for place in rng.integers(0, max(len(made), 1), 4 * bool(made)):
            broken[place] = rng.integers(256)
        made = bytes(broken)
    return made, disorder
