"""Pictures with QR codes in them, of the kinds that are hard on engines rather than on file formats."""

import io
from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np
import segno

from app.pipeline.imaging import GreyImage

_FINDER: Final = np.pad(np.pad(np.zeros((3, 3), np.uint8), 1, constant_values=255), 1)


def drawn(symbol: segno.QRCode, *, scale: int = 4) -> GreyImage:
    """A symbol in its quiet zone, black on white."""
    buffer = io.BytesIO()
    symbol.save(buffer, kind="png", scale=scale, border=4)
    return np.asarray(cv2.imdecode(np.frombuffer(buffer.getvalue(), np.uint8), cv2.IMREAD_GRAYSCALE), np.uint8)


def sheet(payloads: Sequence[str], *, columns: int, scale: int = 3) -> GreyImage:
    """A page of symbols of version 1, row by row."""
    tiles = [drawn(segno.make(text, version=1, error="l", micro=False), scale=scale) for text in payloads]
    tiles += [np.full_like(tiles[0], 255)] * (-len(tiles) % columns)
    return np.vstack([np.hstack(tiles[at : at + columns]) for at in range(0, len(tiles), columns)])


def beside(*pictures: GreyImage) -> GreyImage:
    """Pictures in a row, on white."""
    height = max(picture.shape[0] for picture in pictures)
    return np.hstack([np.pad(each, ((0, height - each.shape[0]), (0, 0)), constant_values=255) for each in pictures])


def finder_field(count: int, *, scale: int = 3, gap: int = 3, seed: int | None = None) -> GreyImage:
    """`count` x `count` finder patterns: the centres that ZBar's matcher pairs up (CVE-2023-40889).

    With a `seed`, each is moved a little and some lack an edge.
    """
    pitch = (7 + gap) * scale
    field = np.full((count * pitch + pitch, count * pitch + pitch), 255, np.uint8)
    pattern = np.kron(_FINDER, np.ones((scale, scale), np.uint8))
    generator = np.random.default_rng(seed)
    for row in range(count):
        for column in range(count):
            top, left = row * pitch + scale, column * pitch + scale
            made = pattern
            if seed is not None:
                top, left = top + int(generator.integers(scale)), left + int(generator.integers(scale))
                made = np.where(generator.random(pattern.shape) < 0.02, 255 - pattern, pattern).astype(np.uint8)
            field[top : top + pattern.shape[0], left : left + pattern.shape[1]] = made
    return field


def bar_field(lines: int, *, seed: int) -> GreyImage:
    """Rows of bars between the guards of stacked DataBar symbols, whose segments ZBar looked up (CVE-2023-40890)."""
    generator = np.random.default_rng(seed)
    rows = []
    for _ in range(lines):
        widths = [1, 1, *generator.integers(1, 9, 160).tolist(), 1, 1]
        modules = np.repeat(np.resize([255, 0], len(widths)).astype(np.uint8), widths)[:640]
        rows.append(np.pad(np.tile(np.repeat(modules, 2), (24, 1)), ((4, 4), (20, 0)), constant_values=255))
    width = max(row.shape[1] for row in rows)
    return np.vstack([np.pad(row, ((0, 0), (0, width - row.shape[1])), constant_values=255) for row in rows])
