"""Symbols: their modules, and pictures of them whose place is known exactly."""

import io

import cv2
import numpy as np
import segno
from numpy.typing import ArrayLike, NDArray

from app.pipeline.imaging import GreyImage
from app.pipeline.qrcode.codewords import assemble, blocks
from app.pipeline.qrcode.patterns import QUIET_ZONE, function_patterns

Modules = NDArray[np.bool_]
_SUBSAMPLES = 4


def symbol_picture(symbol: segno.QRCode, *, scale: int = 6) -> GreyImage:
    """A symbol with its quiet zone, black on white, ``scale`` pixels a module."""
    buffer = io.BytesIO()
    symbol.save(buffer, kind="png", scale=scale, border=4)
    return np.asarray(cv2.imdecode(np.frombuffer(buffer.getvalue(), np.uint8), cv2.IMREAD_GRAYSCALE), np.uint8)


def qr_picture(content: str | bytes, *, scale: int = 6, error: str = "m") -> GreyImage:
    """A symbol that decodes to ``content``, drawn as by `symbol_picture`."""
    return symbol_picture(segno.make(content, error=error, micro=False), scale=scale)


def encode(content: str, *, version: int | None = None, error: str = "m", mask: int | None = None) -> Modules:
    """The modules of a symbol that decodes to ``content``; True is dark."""
    code = segno.make(content, version=version, error=error, mask=mask, micro=False, boost_error=False)
    return np.array([list(row) for row in code.matrix], dtype=np.bool_)


def scrambled(modules: Modules, *, seed: int = 0) -> Modules:
    """A symbol that registers like ``modules`` but never decodes: all its codeword modules are random."""
    data = function_patterns((modules.shape[0] - 17) // 4).data
    return np.where(data, np.random.default_rng(seed).random(modules.shape) < 0.5, modules)


def square_at(left: float, top: float, side: float) -> NDArray[np.float64]:
    """The corners (4, 2) of a square, clockwise from the top left."""
    return np.array([[left, top], [left + side, top], [left + side, top + side], [left, top + side]])


def photograph(
    modules: Modules,
    corners: ArrayLike,
    shape: tuple[int, int],
    *,
    dark: int = 30,
    light: int = 220,
    paper: GreyImage | None = None,
) -> GreyImage:
    """A picture of (H, W) with the symbol's outer corners exactly at ``corners`` (x, y from the picture's outer edge).

    Each pixel is the mean of a grid of points that are looked up in the symbol, without any of the code under test.
    ``paper``, or else ``light``, surrounds the quiet zone.
    """
    size = modules.shape[0]
    whole = np.array([[0, 0], [size, 0], [size, size], [0, size]], dtype=np.float32)
    inverse = cv2.getPerspectiveTransform(np.asarray(corners, dtype=np.float32), whole)
    height, width = shape
    y, x = ((np.arange(n * _SUBSAMPLES) + 0.5) / _SUBSAMPLES for n in (height, width))
    points = np.stack(np.broadcast_arrays(x[None, :], y[:, None]), axis=-1).reshape(1, -1, 2)
    column, row = np.moveaxis(np.floor(cv2.perspectiveTransform(points, inverse)[0]).astype(int), 1, 0)
    symbol = np.pad(modules, QUIET_ZONE)
    inside = (np.minimum(column, row) >= -QUIET_ZONE) & (np.maximum(column, row) < size + QUIET_ZONE)
    values = np.where(
        symbol[np.where(inside, row + QUIET_ZONE, 0), np.where(inside, column + QUIET_ZONE, 0)], dark, light
    )
    under = np.full(shape, light, np.uint8) if paper is None else paper
    behind = under.repeat(_SUBSAMPLES, axis=0).repeat(_SUBSAMPLES, axis=1).ravel()
    fine = np.where(inside, values, behind).reshape(height, _SUBSAMPLES, width, _SUBSAMPLES)
    return np.rint(fine.mean(axis=(1, 3))).astype(np.uint8)


def bits_of(*segments: tuple[str, bytes | str | int]) -> str:
    """The bits of a message: segments "byte", "numeric", "alphanumeric", "kanji" (Shift JIS) and "hanzi" (GB 2312) with
    their characters, "eci" with its number, "append" with its 16 bits, "fnc1" with 1, or with 2 and "application" after
    it. Written apart from the code under test; versions 1 to 9."""
    return "".join(_segment_bits(kind, value) for kind, value in segments) + "0000"


_LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"


def _segment_bits(kind: str, value: bytes | str | int) -> str:
    if isinstance(value, int):
        if kind == "eci":
            lead = f"0{value:07b}" if value < 128 else f"10{value:014b}" if value < 16384 else f"110{value:021b}"
            return "0111" + lead
        return {"append": f"0011{value:016b}", "fnc1": "0101" if value == 1 else "1001", "application": f"{value:08b}"}[
            kind
        ]
    if isinstance(value, str):
        if kind == "numeric":
            groups = [value[i : i + 3] for i in range(0, len(value), 3)]
            return f"0001{len(value):010b}" + "".join(f"{int(one):0{(0, 4, 7, 10)[len(one)]}b}" for one in groups)
        pairs = [[_LETTERS.index(letter) for letter in value[i : i + 2]] for i in range(0, len(value), 2)]
        packed = [f"{one[0] * 45 + one[1]:011b}" if len(one) == 2 else f"{one[0]:06b}" for one in pairs]
        return f"0010{len(value):09b}" + "".join(packed)
    if kind == "byte":
        return f"0100{len(value):08b}" + "".join(f"{byte:08b}" for byte in value)
    doubles = [int.from_bytes(value[i : i + 2], "big") for i in range(0, len(value), 2)]
    if kind == "kanji":
        numbers = [double - (0x8140 if double < 0xE000 else 0xC140) for double in doubles]
        packed = [f"{(number >> 8) * 0xC0 + (number & 0xFF):013b}" for number in numbers]
        return f"1000{len(doubles):08b}" + "".join(packed)
    numbers = [double - (0xA1A1 if double < 0xB000 else 0xA6A1) for double in doubles]
    packed = [f"{(number >> 8) * 0x60 + (number & 0xFF):013b}" for number in numbers]
    return f"11010001{len(doubles):08b}" + "".join(packed)


def modules_of_bits(bits: str, *, version: int = 2, level: str = "M", mask: int = 3) -> Modules:
    """The symbol whose data codewords begin with these bits; padding follows."""
    total = blocks(version, level).data_codewords
    data = [int(bits[i : i + 8].ljust(8, "0"), 2) for i in range(0, len(bits), 8)]
    assert len(data) <= total
    padded = (data + [0xEC, 0x11] * total)[:total]
    return assemble(np.array(padded, dtype=np.uint8), version, level, mask)
