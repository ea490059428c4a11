"""Splits image files into the pieces of their formats and joins them again with matching lengths and checksums.

A mutation then breaks a piece, not the frame around it. Splitting never fails: what it cannot parse becomes one last
piece of kind REST, which is written unchanged.
"""

import struct
import zlib
from collections.abc import Callable
from itertools import pairwise
from random import Random
from typing import NamedTuple

REST = b""
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
LIE = 0.03
"""Share of lengths and checksums that are written wrong on purpose."""


class Piece(NamedTuple):
    kind: bytes
    body: bytes


class Container(NamedTuple):
    """An image format; `kinds` are the kinds of pieces that mutations make up."""

    suffix: str
    magic: bytes
    kinds: tuple[bytes, ...]
    split: Callable[[bytes], list[Piece]]
    join: Callable[[list[Piece], Random], bytes]


def of(data: bytes) -> Container | None:
    return next((container for container in CONTAINERS if data.startswith(container.magic)), None)


def _length(rng: Random, true: int, most: int) -> int:
    if rng.random() >= LIE:
        return min(true, most)
    return rng.choice((0, 1, max(0, true - 1), min(true + 1, most), most, most // 2, rng.randint(0, most)))


def _split_png(data: bytes) -> list[Piece]:
    pieces, at = [], len(PNG_SIGNATURE)
    while at + 12 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        if at + 12 + length > len(data):
            break
        pieces.append(Piece(kind, data[at + 8 : at + 8 + length]))
        at += 12 + length
    return [*pieces, Piece(REST, data[at:])]


def _join_png(pieces: list[Piece], rng: Random) -> bytes:
    out = [PNG_SIGNATURE]
    for kind, body in pieces:
        if kind == REST:
            out.append(body)
            continue
        checksum = zlib.crc32(kind + body) ^ (rng.random() < LIE)
        out.append(struct.pack(">I", _length(rng, len(body), 0xFFFFFFFF)) + kind + body + struct.pack(">I", checksum))
    return b"".join(out)


_SCAN = b"scan"
_BARE = frozenset({0x01, *range(0xD0, 0xDA)})


def _split_jpeg(data: bytes) -> list[Piece]:
    """Segments by marker; the data between a scan's header and the next marker is a piece of its own."""
    pieces, at = [], 0
    while at + 2 <= len(data) and data[at] == 0xFF:
        marker = data[at : at + 2]
        at += 2
        if marker[1] in _BARE:
            pieces.append(Piece(marker, b""))
            continue
        length = int.from_bytes(data[at : at + 2], "big")
        if length < 2 or at + length > len(data):
            at -= 2
            break
        pieces.append(Piece(marker, data[at + 2 : at + length]))
        at += length
        if marker[1] == 0xDA:
            end = at
            while end + 1 < len(data) and not (data[end] == 0xFF and data[end + 1] not in (0, *range(0xD0, 0xD8))):
                end += 1
            pieces.append(Piece(_SCAN, data[at:end]))
            at = end
    return [*pieces, Piece(REST, data[at:])]


def _join_jpeg(pieces: list[Piece], rng: Random) -> bytes:
    out = []
    for kind, body in pieces:
        if kind in (_SCAN, REST):
            out.append(body)
        elif kind[-1] in _BARE and not body:
            out.append(kind)
        else:
            out.append(kind + _length(rng, len(body) + 2, 0xFFFF).to_bytes(2, "big") + body)
    return b"".join(out)


def _split_webp(data: bytes) -> list[Piece]:
    pieces, at = [], 12
    while at + 8 <= len(data):
        kind, length = struct.unpack_from("<4sI", data, at)
        if at + 8 + length > len(data):
            break
        pieces.append(Piece(kind, data[at + 8 : at + 8 + length]))
        at += 8 + length + length % 2
    return [*pieces, Piece(REST, data[at:])]


def _join_webp(pieces: list[Piece], rng: Random) -> bytes:
    out = [b"WEBP"]
    for kind, body in pieces:
        if kind == REST:
            out.append(body)
        else:
            out.append(kind + struct.pack("<I", _length(rng, len(body), 0xFFFFFFFF)) + body + b"\0" * (len(body) % 2))
    inside = b"".join(out)
    return b"RIFF" + struct.pack("<I", _length(rng, len(inside), 0xFFFFFFFF)) + inside


_SCREEN, _IMAGE, _TRAILER = b"GIF8", b"\x2c", b"\x3b"


def _palette(flags: int) -> int:
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def _split_gif(data: bytes) -> list[Piece]:
    """The screen with its palette; extensions by label; pictures as descriptor, palette, code size and joined data."""
    if len(data) < 13:
        return [Piece(REST, data)]
    at = 13 + _palette(data[10])
    pieces = [Piece(_SCREEN, data[:at])]
    while at < len(data):
        begin = at
        if data[at : at + 1] == b"\x21" and at + 2 <= len(data):
            kind, fixed = data[at : at + 2], b""
            at += 2
        elif data[at : at + 1] == _IMAGE and at + 11 <= len(data):
            kind, end = _IMAGE, at + 10 + _palette(data[at + 9]) + 1
            fixed, at = data[at + 1 : end], end
        else:
            break
        blocks = []
        while at < len(data) and data[at]:
            blocks.append(data[at + 1 : at + 1 + data[at]])
            at += 1 + data[at]
        at += 1
        if at > len(data):
            at = begin
            break
        pieces.append(Piece(kind, len(fixed).to_bytes(2, "big") + fixed + b"".join(blocks)))
    return [*pieces, Piece(REST, data[at:])]


def _join_gif(pieces: list[Piece], rng: Random) -> bytes:
    out = []
    for kind, body in pieces:
        if kind in (_SCREEN, REST):
            out.append(body)
            continue
        fixed = int.from_bytes(body[:2], "big")
        out.append(kind + body[2 : 2 + fixed])
        data = body[2 + fixed :]
        for at in range(0, len(data), 255):
            block = data[at : at + 255]
            out.append(bytes([_length(rng, len(block), 255)]) + block)
        out.append(b"\0")
    return b"".join(out)


def _split_bmp(data: bytes) -> list[Piece]:
    """File header, information header, palette or masks, rows."""
    if len(data) < 18:
        return [Piece(REST, data)]
    rows = min(max(14, int.from_bytes(data[10:14], "little")), len(data))
    info = min(14 + int.from_bytes(data[14:18], "little"), rows)
    cuts = (0, 14, info, rows, len(data))
    return [Piece(b"%d" % index, data[begin:end]) for index, (begin, end) in enumerate(pairwise(cuts))]


def _join_bmp(pieces: list[Piece], rng: Random) -> bytes:
    return b"".join(body for _, body in pieces)


def _markers(*codes: int) -> tuple[bytes, ...]:
    return tuple(bytes((0xFF, code)) for code in codes)


CONTAINERS = (
    Container(
        ".png",
        PNG_SIGNATURE,
        tuple(
            b"IHDR PLTE IDAT IEND tRNS gAMA cHRM sRGB iCCP sBIT bKGD hIST pHYs sPLT tIME tEXt zTXt iTXt eXIf"
            b" acTL fcTL fdAT cICP mDCV cLLI oFFs pCAL sCAL sTER gIFx".split()
        ),
        _split_png,
        _join_png,
    ),
    Container(
        ".jpg",
        b"\xff\xd8",
        (*_markers(*range(0xC0, 0xD0), 0xD9, *range(0xDA, 0xF0), 0xFE, 0x01), _SCAN),
        _split_jpeg,
        _join_jpeg,
    ),
    Container(
        ".webp",
        b"RIFF",
        (b"VP8X", b"VP8L", b"VP8 ", b"ALPH", b"ANIM", b"ANMF", b"EXIF", b"ICCP", b"XMP "),
        _split_webp,
        _join_webp,
    ),
    Container(
        ".gif", b"GIF8", (_IMAGE, b"\x21\xf9", b"\x21\xff", b"\x21\xfe", b"\x21\x01", _TRAILER), _split_gif, _join_gif
    ),
    Container(".bmp", b"BM", (b"0", b"1", b"2", b"3"), _split_bmp, _join_bmp),
)
