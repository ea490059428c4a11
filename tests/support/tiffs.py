"""TIFF files, composed tag by tag: no encoder would write most of them."""

import struct
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

SHORT, LONG, RATIONAL = 3, 4, 5
_PACKED = {1: "B", SHORT: "H", LONG: "I", RATIONAL: "II"}
WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, STRIP, ORIENTATION = 256, 257, 258, 259, 262, 273, 274
SAMPLES, ROWS, STRIP_BYTES, X_RESOLUTION, PLANES, UNIT, SUBFILE = 277, 278, 279, 282, 284, 296, 254
TILE_WIDTH, TILE_HEIGHT, TILE, TILE_BYTES, SAMPLE_FORMAT = 322, 323, 324, 325, 339
WHITE_IS_ZERO, BLACK_IS_ZERO, RGB = 0, 1, 2
DEFLATE = 8

Value = int | Sequence[int]


@dataclass
class TiffPage:
    """A page of samples (H, W) or (H, W, channels) in one strip, or in square tiles of side ``tile``; further ``tags``
    override those that the samples need."""

    samples: NDArray[np.generic]
    photometric: int = BLACK_IS_ZERO
    bits: int | None = None
    tile: int = 0
    is_packed: bool = False
    tags: Mapping[int, Value] = field(default_factory=dict)


def tiff(*pages: TiffPage, order: str = "<", big: bool = False, loop: bool = False) -> bytes:
    """A TIFF of these pages, or a BigTIFF; with ``loop`` the last directory leads back to the first."""
    offset, head = ("Q", 16) if big else ("I", 8)
    out = bytearray((b"II" if order == "<" else b"MM") + struct.pack(order + "H", 43 if big else 42))
    out += struct.pack(order + "HHQ", 8, 0, 0) if big else bytes(4)
    link, first = head - (8 if big else 4), 0
    for page in pages:
        values, blocks = _tags(page), _blocks(page, order)
        places = []
        for block in blocks:
            places.append(len(out))
            out += block + bytes(len(block) % 2)
        values[TILE if page.tile else STRIP] = places
        values[TILE_BYTES if page.tile else STRIP_BYTES] = [len(block) for block in blocks]
        values |= {tag: [value] if isinstance(value, int) else value for tag, value in page.tags.items()}
        at = _place(out, order, big, values)
        struct.pack_into(order + offset, out, link, at)
        first, link = first or at, len(out) - struct.calcsize(order + offset)
    if loop:
        struct.pack_into(order + offset, out, link, first)
    return bytes(out)


def _tags(page: TiffPage) -> dict[int, Sequence[int]]:
    height, width = page.samples.shape[:2]
    channels = page.samples.shape[2] if page.samples.ndim == 3 else 1
    bits = page.bits or 8 * page.samples.dtype.itemsize
    tags: dict[int, Sequence[int]] = {
        WIDTH: [width],
        HEIGHT: [height],
        BITS: [bits] * channels,
        COMPRESSION: [DEFLATE if page.is_packed else 1],
        PHOTOMETRIC: [page.photometric],
        SAMPLES: [channels],
    }
    return tags | ({TILE_WIDTH: [page.tile], TILE_HEIGHT: [page.tile]} if page.tile else {ROWS: [height]})


def _blocks(page: TiffPage, order: str) -> list[bytes]:
    samples = page.samples
    if page.bits == 1:
        samples = np.packbits(samples.astype(np.bool_), axis=1)
    if page.tile:
        height, width = samples.shape[:2]
        spare = ((0, -height % page.tile), (0, -width % page.tile), *((0, 0),) * (samples.ndim - 2))
        full = np.pad(samples, spare)
        tops, lefts = range(0, height, page.tile), range(0, width, page.tile)
        parts = [full[top : top + page.tile, left : left + page.tile] for top in tops for left in lefts]
    else:
        parts = [samples]
    raw = [part.astype(part.dtype.newbyteorder(order)).tobytes() for part in parts]
    return [zlib.compress(block) for block in raw] if page.is_packed else raw


def _place(out: bytearray, order: str, big: bool, values: Mapping[int, Sequence[int]]) -> int:
    """Appends a directory, with values that do not fit into it in front; returns where it begins."""
    room, count, entry = (8, "Q", "HHQ") if big else (4, "H", "HHI")
    entries = bytearray()
    for tag, numbers in sorted(values.items()):
        kind = RATIONAL if tag == X_RESOLUTION else LONG if max(numbers) > 0xFFFF or tag in {STRIP, TILE} else SHORT
        packed = struct.pack(f"{order}{len(numbers)}{_PACKED[kind][0]}", *numbers)
        if len(packed) > room:
            place = len(out)
            out += packed + bytes(len(packed) % 2)
            packed = struct.pack(order + ("Q" if big else "I"), place)
        length = len(numbers) // 2 if kind == RATIONAL else len(numbers)
        entries += struct.pack(order + entry, tag, kind, length) + packed.ljust(room, b"\0")
    at = len(out)
    out += struct.pack(order + count, len(values)) + entries + bytes(room)
    return at
