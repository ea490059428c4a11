"""Pictures of damaged codes and of near misses, and bit streams that no encoder writes."""

from collections.abc import Callable, Sequence
from functools import partial
from random import Random

import cv2
import numpy as np
import segno
from numpy.typing import NDArray

from app.pipeline.files.png import encode_png
from app.pipeline.imaging import GreyImage
from app.pipeline.qrcode.codewords import ALPHANUMERIC, BYTE, KANJI, NUMERIC, blocks
from app.pipeline.qrcode.messages import count_bits
from app.pipeline.qrcode.patterns import render

MOST_SIDE = 400
"""Longest side of a picture, in pixels."""
_FINDER = render(np.array([[max(abs(r - 3), abs(c - 3)) != 2 for c in range(7)] for r in range(7)]), pixels=1)
_TEXTS = (b"fuzz", b"1234567", b"ABC-123", "\u65e5\u672c".encode("shift_jis"), b"\0\x80\xff", "\u202ea".encode(), b"")
_STRUCTURED_APPEND, _FNC1_FIRST, _ECI, _FNC1_SECOND, _HANZI = 3, 5, 7, 9, 13


def bitstream(rng: Random) -> bytes:
    """An input of the target `symbols`: segments with wrong modes, counts, designators and contents."""
    version, choice = rng.choice((1, 1, 2, 3, 5, 10)), rng.randrange(32)
    room = 8 * blocks(version, "LMQH"[choice & 3]).data_codewords
    bits = ""
    while len(bits) < room and rng.random() < 0.85:
        bits += rng.choice(_SEGMENTS)(rng, version)
    bits += rng.choice(("0000", "", "000", "0000" + "11101100" * 3, "1111"))
    bits = (bits + rng.choice(("0", "01", "1110110000010001")) * room)[:room]
    return bytes((version - 1, choice)) + int(bits, 2).to_bytes(room // 8, "big")


def _segment(mode: int, rng: Random, version: int) -> str:
    """A segment whose count is right, wrong or huge, with valid and invalid characters."""
    width = count_bits(version, mode)
    count = rng.choice((0, 1, 2, 3, 5, rng.randrange(1 << width), (1 << width) - 1))
    characters = rng.choice((count, count, rng.randint(0, 12)))
    size = {NUMERIC: 10, ALPHANUMERIC: 11, BYTE: 8, KANJI: 13}[mode]
    groups = {NUMERIC: 3, ALPHANUMERIC: 2}.get(mode, 1)
    values = (_value(rng, size) for _ in range(min(-(-characters // groups), 300)))
    return f"{mode:04b}{count:0{width}b}" + "".join(f"{value:0{size}b}" for value in values)


def _value(rng: Random, size: int) -> int:
    return rng.choice((rng.getrandbits(size), rng.randrange(100), (1 << size) - 1, 0))


def _eci(rng: Random, _: int) -> str:
    """A designator of one to three bytes; some are overlong, unassigned or impossible."""
    value = rng.choice((0, 2, 3, 20, 25, 26, 27, 28, 29, 30, 170, 899, 900, 127, 128, 16383, 16384, 811799, 999999))
    lead, size = rng.choice((("0", 7), ("10", 14), ("110", 21), ("111", 21)))
    return f"{_ECI:04b}{lead}{value % (1 << size):0{size}b}"


def _append(rng: Random, _: int) -> str:
    return f"{_STRUCTURED_APPEND:04b}{rng.getrandbits(16):016b}"


def _fnc1(rng: Random, _: int) -> str:
    return rng.choice((f"{_FNC1_FIRST:04b}", f"{_FNC1_SECOND:04b}{_value(rng, 8):08b}"))


def _hanzi(rng: Random, _: int) -> str:
    return f"{_HANZI:04b}{rng.getrandbits(4):04b}{rng.randrange(8):08b}" + f"{rng.getrandbits(52):052b}"


def _unknown(rng: Random, _: int) -> str:
    return f"{rng.choice((6, 10, 11, 12, 14, 15)):04b}{rng.getrandbits(24):024b}"


def _anything(rng: Random, _: int) -> str:
    return f"{rng.getrandbits(64):064b}"


_SEGMENTS: Sequence[Callable[[Random, int], str]] = (
    *(partial(_segment, mode) for mode in (NUMERIC, ALPHANUMERIC, BYTE, BYTE, KANJI)),
    *(_eci, _eci, _append, _fnc1, _hanzi, _unknown, _anything),
)


def picture(rng: Random) -> bytes:
    """A PNG for the target `pictures`: a random scene after random treatments."""
    return encode_png(_treated(rng, rng.choice(_SCENES)(rng)))


def redrawn(rng: Random, parent: bytes) -> bytes:
    """Treats the picture in `parent` again; draws a new one where `parent` is no image."""
    pixels = cv2.imdecode(np.frombuffer(parent, np.uint8), cv2.IMREAD_GRAYSCALE)
    return picture(rng) if pixels is None else encode_png(_treated(rng, np.asarray(pixels, np.uint8)))


def _symbol(rng: Random) -> GreyImage:
    text = rng.choice(_TEXTS) * rng.choice((1, 1, 2, 6)) or b"x"
    if rng.random() < 0.15:
        code = segno.make_micro("12345")
    elif rng.random() < 0.3:
        parts = segno.make_sequence(text * 4, mode="byte", symbol_count=min(4, len(text) * 4))
        code = parts[rng.randrange(len(parts))]
    else:
        code = segno.make(text, error=rng.choice("lmqh"), micro=False, boost_error=False)
    modules = np.array([list(row) for row in code.matrix], np.bool_)
    for _ in range(rng.choice((0, 0, 1, 4, 40))):
        modules[rng.randrange(len(modules)), rng.randrange(len(modules))] ^= True
    return render(modules, pixels=rng.choice((1, 2, 3, 3, 5)), quiet_zone=rng.choice((0, 1, 4, 4)))


def _sheet(rng: Random) -> GreyImage:
    """Several symbols that may overlap."""
    sheet = np.full((rng.randint(60, MOST_SIDE), rng.randint(60, MOST_SIDE)), 255, np.uint8)
    for _ in range(rng.choice((1, 2, 4, 16))):
        _paste(rng, sheet, _symbol(rng))
    return sheet


def _finders(rng: Random) -> GreyImage:
    """Up to 300 finder patterns: readers try every triple of them."""
    sheet = np.full((rng.randint(60, MOST_SIDE), rng.randint(60, MOST_SIDE)), 255, np.uint8)
    scale = rng.choice((1, 2, 3, 4))
    for _ in range(rng.choice((3, 9, 60, 300))):
        size = scale if rng.random() < 0.7 else rng.randint(1, 6)
        _paste(rng, sheet, np.kron(_FINDER, np.ones((size, size), np.uint8)))
    return sheet


def _paste(rng: Random, sheet: GreyImage, stamp: GreyImage) -> None:
    top, left = (rng.randrange(max(1, side - 20)) for side in sheet.shape)
    area = sheet[top : top + stamp.shape[0], left : left + stamp.shape[1]]
    area[:] = stamp[: area.shape[0], : area.shape[1]]


def _stripes(rng: Random) -> GreyImage:
    """Runs of 1:1:3:1:1 along one axis or both, up to the picture's edge."""
    pattern = np.repeat(np.array([0, 255, 0, 0, 0, 255, 0, 255], np.uint8), rng.choice((1, 2, 3)))
    row = np.resize(pattern, rng.randint(8, MOST_SIDE))
    column = np.resize(pattern if rng.random() < 0.5 else np.zeros(1, np.uint8), rng.randint(1, MOST_SIDE))
    return np.bitwise_xor(row[None, :], column[:, None])


def _sliver(rng: Random) -> GreyImage:
    short, long = rng.choice((1, 2, 3, 7)), rng.choice((1, 2, 100, 5000, 20000))
    shape = (short, long) if rng.random() < 0.5 else (long, short)
    return _generator(rng).integers(0, 2, shape).astype(np.uint8) * np.uint8(255)


def _static(rng: Random) -> GreyImage:
    coarse = _generator(rng).integers(0, 256, (rng.randint(1, 90), rng.randint(1, 90))).astype(np.uint8)
    size = rng.choice((1, 2, 4))
    return np.kron(coarse, np.ones((size, size), np.uint8))


_SCENES: Sequence[Callable[[Random], GreyImage]] = (
    _symbol, _symbol, _symbol, _sheet, _finders, _stripes, _sliver, _static
)  # fmt: skip


def _generator(rng: Random) -> np.random.Generator:
    return np.random.default_rng(rng.getrandbits(64))


def _inverted(_: Random, image: GreyImage) -> GreyImage:
    return 255 - image


def _turned(rng: Random, image: GreyImage) -> GreyImage:
    return np.rot90(image, rng.randrange(4))[:, :: rng.choice((1, -1))]


def _cropped(rng: Random, image: GreyImage) -> GreyImage:
    height, width = image.shape
    top, left = rng.randrange(height), rng.randrange(width)
    return image[top : rng.randint(top + 1, height), left : rng.randint(left + 1, width)]


def _resized(rng: Random, image: GreyImage) -> GreyImage:
    size = [max(1, min(MOST_SIDE, round(side * rng.uniform(0.3, 2)))) for side in image.shape]
    return _grey(cv2.resize(image, size, interpolation=rng.choice((cv2.INTER_NEAREST, cv2.INTER_AREA))))


def _slanted(rng: Random, image: GreyImage) -> GreyImage:
    height, width = image.shape
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    moved = corners + _generator(rng).normal(0, 0.15, corners.shape).astype(np.float32) * (width, height)
    matrix = cv2.getPerspectiveTransform(corners, moved.astype(np.float32))
    return _grey(cv2.warpPerspective(image, matrix, (width, height), borderValue=rng.choice((0, 255))))


def _blurred(rng: Random, image: GreyImage) -> GreyImage:
    return _grey(cv2.GaussianBlur(image, (0, 0), rng.uniform(0.4, 3)))


def _noisy(rng: Random, image: GreyImage) -> GreyImage:
    noise = _generator(rng).normal(0, rng.uniform(5, 90), image.shape)
    return np.clip(image + noise, 0, 255).astype(np.uint8)


def _shifted(rng: Random, image: GreyImage) -> GreyImage:
    """Shifts the rows below a random one sideways: a torn symbol."""
    torn = image.copy()
    top = rng.randrange(len(torn))
    torn[top:] = np.roll(torn[top:], rng.randint(-9, 9), axis=1)
    return torn


def _scratched(rng: Random, image: GreyImage) -> GreyImage:
    scratched = image.copy()
    cut = [slice(begin := rng.randrange(side), begin + rng.choice((1, 3, 30))) for side in image.shape]
    scratched[cut[0], cut[1]] = rng.choice((0, 128, 255))
    return scratched


_TREATMENTS: Sequence[Callable[[Random, GreyImage], GreyImage]] = (
    _inverted, _turned, _cropped, _resized, _slanted, _blurred, _noisy, _shifted, _scratched
)  # fmt: skip


def _treated(rng: Random, image: GreyImage) -> GreyImage:
    for _ in range(rng.choice((0, 1, 1, 2, 3))):
        image = rng.choice(_TREATMENTS)(rng, image)
    return image


def _grey(pixels: NDArray[np.generic] | cv2.typing.MatLike) -> GreyImage:
    return np.asarray(pixels, np.uint8)
