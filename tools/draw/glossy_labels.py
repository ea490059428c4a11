"""Draws photographs to walk through docs/own-photographs.md with: glossy labels of one printer, taken with one camera.

    python -m tools.draw.glossy_labels --out DIR --count 40

The printer spreads ink and has worn dots, which leave light lines; the camera's lens is out of focus, and always by
as much. Each label is photographed twice, on a desk under two lamps. Three quarters of the photographs are in
``labels.csv`` with payload and roll, the others have no label. ``python -m tools.draw.glossy_labels`` with the same
arguments draws the same files.
"""

import argparse
import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.random import Generator

from app.pipeline.qrcode.patterns import dimension
from training.data import degrade
from training.data.degrade import Image
from training.data.labels import PIXELS, facing, move, put, symbol_label
from training.data.symbols import EncodedSymbol, draw_symbol, random_text_symbol

_WIDTH, _HEIGHT = 640, 480
_VERSION, _LEVEL = 4, "m"
_ROLLS = 8
_SPREAD = 2  # pixels of ``PIXELS`` a module by which ink grows
_WORN = (0.22, 0.61)  # places of worn dots, in shares of a label's width
_FOCUS = 0.95  # radius of the lens's disc in modules


@dataclass(frozen=True)
class Shot:
    """A photograph, and the label on it."""

    image: Image
    symbol: EncodedSymbol
    roll: int


def draw_shot(label: int, shot: int) -> Shot:
    """The photograph number ``shot`` of a label, the same each time."""
    symbol = random_text_symbol(np.random.default_rng((1, label)), _VERSION, level=_LEVEL.upper())
    rng = np.random.default_rng((2, label, shot))
    module = float(rng.uniform(2.8, 3.8))
    paper = symbol_label(_print(symbol))
    picture = np.full((_HEIGHT, _WIDTH), rng.uniform(0.3, 0.45), dtype=np.float32)
    picture = np.asarray(picture + 0.02 * rng.standard_normal(picture.shape), dtype=np.float32)
    reach = 0.75 * dimension(_VERSION) * module
    matrix = facing(rng, paper, module=module, jitter=0.03, upright=1.0)
    place = rng.uniform(reach, _WIDTH - reach), rng.uniform(reach, _HEIGHT - reach)
    put(picture, paper, move(matrix, *place))
    return Shot(_take(_shine(picture, rng, *place, size=reach), rng, module=module), symbol, label % _ROLLS)


def _print(symbol: EncodedSymbol) -> Image:
    """The symbol as this printer prints it, (S, S): dark is 0.12, paper 0.9."""
    drawn = draw_symbol(symbol.modules, pixels=PIXELS)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (1 + 2 * _SPREAD,) * 2)
    drawn = np.asarray(cv2.erode(drawn, kernel), dtype=np.float32)
    for worn in _WORN:
        column = round(worn * drawn.shape[1])
        drawn[:, column : column + PIXELS // 3] = np.maximum(drawn[:, column : column + PIXELS // 3], 0.75)
    return (0.12 + 0.78 * drawn).astype(np.float32)


def _shine(picture: Image, rng: Generator, x: float, y: float, *, size: float) -> Image:
    """The reflections of two lamps: long, soft-edged and white."""
    rows, columns = np.mgrid[0 : picture.shape[0], 0 : picture.shape[1]].astype(np.float32)
    for _ in range(2):
        at = np.array([x, y]) + rng.uniform(-0.7, 0.7, 2) * size
        turn = rng.uniform(-0.4, 0.4)
        along = (columns - at[0]) * np.cos(turn) + (rows - at[1]) * np.sin(turn)
        across = (rows - at[1]) * np.cos(turn) - (columns - at[0]) * np.sin(turn)
        lamp = np.exp(-((along / (0.5 * size)) ** 4) - (across / (0.13 * size)) ** 2)
        picture = picture + 0.75 * lamp.astype(np.float32) * (1 - picture)
    return picture.astype(np.float32)


def _take(picture: Image, rng: Generator, *, module: float) -> Image:
    """The camera: its lens, its noise, its JPEG."""
    picture = degrade.convolve(picture, degrade.disc_kernel(radius=_FOCUS * module))
    picture = picture + rng.normal(0, 4 / 255, picture.shape).astype(np.float32)
    return degrade.jpeg(np.clip(picture, 0, 1).astype(np.float32), quality=70)


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.draw.glossy_labels", description="Draw glossy labels.")
    parser.add_argument("--out", type=Path, required=True, help="folder to write to")
    parser.add_argument("--count", type=int, default=40, help="photographs (default: 40)")
    options = parser.parse_args(argv)
    options.out.mkdir(parents=True, exist_ok=True)
    rows = []
    for number in range(options.count):
        shot = draw_shot(number // 2, number % 2)
        name = f"{number:04d}.png"
        cv2.imwrite(str(options.out / name), degrade.to_uint8(shot.image))
        if number % 4 != 3:
            rows.append((name, shot.symbol.payload.decode(), f"roll {shot.roll}"))
    with (options.out / "labels.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("file", "payload", "group"), *rows])
    print(f"{options.count} photographs, {len(rows)} of them labelled, in {options.out}")


if __name__ == "__main__":
    main()
