"""Pictures that are hard on the decoding engines rather than on the readers of file formats."""

from collections.abc import Sequence
from typing import Final

import numpy as np
import segno

from app.pipeline.imaging import GreyImage
from tests.support.codes import symbol_picture

_FINDER: Final = np.pad(np.pad(np.zeros((3, 3), np.uint8), 1, constant_values=255), 1)


def sheet(payloads: Sequence[str], *, columns: int, scale: int = 3) -> GreyImage:
    """A page of version-1 symbols, row by row."""
    tiles = [symbol_picture(segno.make(text, version=1, error="l", micro=False), scale=scale) for text in payloads]
    tiles += [np.full_like(tiles[0], 255)] * (-len(tiles) % columns)
    return np.vstack([np.hstack(tiles[at : at + columns]) for at in range(0, len(tiles), columns)])


def beside(*pictures: GreyImage) -> GreyImage:
    """Pictures side by side, on white."""
    height = max(picture.shape[0] for picture in pictures)
    return np.hstack([np.pad(each, ((0, height - each.shape[0]), (0, 0)), constant_values=255) for each in pictures])


def finder_field(count: int, *, scale: int = 3, gap: int = 3, seed: int | None = None) -> GreyImage:
    """`count` x `count` finder patterns, whose centres ZBar's matcher pairs up (CVE-2023-40889).

    With a `seed`, each is shifted a little and some of its pixels are inverted.
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
    """Rows of bars between the guards of stacked DataBar symbols, whose segments ZBar looks up (CVE-2023-40890)."""
    generator = np.random.default_rng(seed)
    rows = []
    for _ in range(lines):
        widths = [1, 1, *generator.integers(1, 9, 160).tolist(), 1, 1]
        modules = np.repeat(np.resize([255, 0], len(widths)).astype(np.uint8), widths)[:640]
        rows.append(np.pad(np.tile(np.repeat(modules, 2), (24, 1)), ((4, 4), (20, 0)), constant_values=255))
    width = max(row.shape[1] for row in rows)
    return np.vstack([np.pad(row, ((0, 0), (0, width - row.shape[1])), constant_values=255) for row in rows])
