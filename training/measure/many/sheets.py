"""Codes in order: sheets, photographed or clean, pages of text, small labels in a large picture, strips, pairs."""

from collections.abc import Iterator

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from app.pipeline.qrcode.patterns import QUIET_ZONE, dimension, render
from app.pipeline.quad import square
from training.data import degrade
from training.data.corpus import draw_from_corpus
from training.data.degrade import Image
from training.data.labels import PIXELS, Label, facing, move, print_text, put, symbol_label, transform
from training.data.symbols import EncodedSymbol, draw_symbol, random_text_symbol
from training.measure.many.picture import Picture, PlacedCode

_MM_PER_INCH = 25.4
_A4 = (210.0, 297.0)  # millimetres, width and height


def sheet(rng: Generator, index: int) -> Picture:
    """A mild photograph of 8 x 8, 10 x 10 or 12 x 12 labels, in turn, of versions 1-4.

    4 px a module on average, slight perspective, gaussian blur of sigma 1 px, noise of 5 grey levels, JPEG 85.
    """
    count, module = (8, 10, 12)[index % 3], 4.0
    pitch = dimension(4) + 2 * QUIET_ZONE
    side = count * pitch * module + 120
    tilt = cv2.getPerspectiveTransform(
        square(side).astype(np.float32), (square(side) + rng.uniform(-0.03, 0.03, (4, 2)) * side).astype(np.float32)
    )
    picture = np.full((round(side),) * 2, rng.uniform(0.75, 0.95), dtype=np.float32)
    codes = []
    for row, column in np.ndindex(count, count):
        symbol = random_text_symbol(rng, int(rng.integers(1, 5)))
        label = _inked(rng, symbol)
        middle = 60 + (np.array([column, row]) + 0.5) * pitch * module
        flat = _around(label, middle, module)
        codes.append(PlacedCode(symbol, put(picture, label, np.asarray(tilt @ flat, dtype=np.float64))))
    return Picture(_photograph(rng, picture, blur=1.0, noise=5, quality=85), tuple(codes))


def clean_sheet(rng: Generator, index: int) -> Picture:
    """A clean page of 100, 196 or 250 codes of version 2, in turn, at 4 px a module, with quiet zones that touch."""
    columns, rows = ((10, 10), (14, 14), (10, 25))[index % 3]
    return _tiled([random_text_symbol(rng, 2) for _ in range(rows * columns)], columns=columns, pixels=4)


def sheet_of_version_40(rng: Generator, index: int) -> Picture:
    """A clean page of 12 codes of version 40 at 2 px a module, with quiet zones that touch."""
    return _tiled([random_text_symbol(rng, 40) for _ in range(12)], columns=4, pixels=2)


def page(rng: Generator, index: int) -> Picture:
    """A page of text scanned at 72-100 dpi, A4, with seven codes of 8 mm among the lines; noise of 2 grey levels."""
    dpi = rng.uniform(72, 100)
    fine = 4  # drawn so much finer, then averaged as a scanner does
    unit = fine * dpi / _MM_PER_INCH
    width, height = (round(millimetres * dpi / _MM_PER_INCH) for millimetres in _A4)
    image = print_text(rng, (fine * height, fine * width), height=rng.uniform(4, 6) * unit)
    codes = []
    slots = [(column, row) for row in range(9) for column in range(5)]
    symbols = draw_from_corpus(rng, "tiny", 7)
    for symbol, slot in zip(symbols, rng.permutation(len(slots)).tolist(), strict=False):
        column, row = slots[slot]
        label = symbol_label(draw_symbol(symbol.modules, pixels=PIXELS))
        middle = (np.array([column, row]) + 0.5) * (190 / 5, 277 / 9) + 10 + rng.uniform(-5, 5, 2)
        matrix = _around(label, middle * unit, 8 * unit / dimension(symbol.version))
        codes.append(PlacedCode(symbol, put(image, label, matrix) / fine))
    scan = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    scan = np.clip(0.05 + 0.9 * scan + rng.normal(0, 2 / 255, scan.shape), 0, 1).astype(np.float32)
    return Picture(degrade.to_uint8(scan), tuple(codes))


def distant_labels(rng: Generator, index: int) -> Picture:
    """120 labels of 3 px a module scattered over 12 megapixels.

    Gaussian blur of sigma 0.7 px, noise of 3 grey levels, JPEG 90.
    """
    width, height, columns, rows = 4000, 3000, 12, 10
    picture = np.full((height, width), rng.uniform(0.3, 0.6), dtype=np.float32)
    picture += cv2.resize(
        rng.normal(0, 0.08, (40, 54)).astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR
    )
    codes = []
    symbols = draw_from_corpus(rng, "short", columns * rows)
    for symbol, (row, column) in zip(symbols, np.ndindex(rows, columns), strict=True):
        label = _inked(rng, symbol)
        matrix = facing(rng, label, module=3.0, jitter=0.02)
        cell = np.array([width / columns, height / rows])
        slack = np.maximum(cell / 2 - np.abs(transform(label.frame, matrix)).max(axis=0) - 4, 0)
        x, y = (np.array([column, row]) + 0.5) * cell + rng.uniform(-slack, slack)
        codes.append(PlacedCode(symbol, put(picture, label, move(matrix, float(x), float(y)))))
    return Picture(_photograph(rng, picture, blur=0.7, noise=3, quality=90), tuple(codes))


def curved_strips(rng: Generator, index: int) -> Picture:
    """Five bottles with ten codes each, two abreast, 3.5-5 px a module where they face the camera.

    Gaussian blur of sigma 0.8 px, noise of 3 grey levels, JPEG 88.
    """
    bottles, gap = 5, 40
    module = rng.uniform(3.5, 5.0)
    fine, cell = 6, (dimension(3) + 2 * QUIET_ZONE)
    radius = 1.25 * cell * module  # two labels abreast reach 46 degrees to each side
    width, height = round(bottles * (2 * radius + gap) + gap), round(5 * cell * module + 2 * gap)
    picture = np.full((height, width), rng.uniform(0.1, 0.4), dtype=np.float32)
    codes: list[PlacedCode] = []
    for bottle in range(bottles):
        symbols = [random_text_symbol(rng, int(rng.integers(1, 4))) for _ in range(10)]
        paper, corners = _paper(symbols, cell=cell, pixels=fine)
        middle = gap + radius + bottle * (2 * radius + gap)
        codes += map(PlacedCode, symbols, _wrap(picture, paper, corners, middle, radius, gap, module / fine))
    return Picture(_photograph(rng, picture, blur=0.8, noise=3, quality=88), tuple(codes))


def pair(rng: Generator, index: int) -> Picture:
    """A sharp label of 4-8 px a module and a soft one, half to 1.2 times as large, side by side.

    The soft one has a gaussian blur of sigma 0.45-0.9 module. Noise of 3 grey levels, JPEG 88.
    """
    module = rng.uniform(4, 8)
    modules = (module, module * rng.uniform(0.5, 1.2))
    symbols = draw_from_corpus(rng, "short", 2)
    labels = [_inked(rng, symbol) for symbol in symbols]
    matrices = [facing(rng, label, module=size, jitter=0.03) for label, size in zip(labels, modules, strict=True)]
    reaches = [1.02 * np.abs(transform(one.frame, at)).max(axis=0) for one, at in zip(labels, matrices, strict=True)]
    width, height = (2 * np.sum(reaches, axis=0)[0], 2 * np.max(reaches, axis=0)[1]) * rng.uniform(1.1, 1.5, 2)
    picture = np.full((round(height), round(width)), rng.uniform(0.3, 0.95), dtype=np.float32)
    sigma = rng.uniform(0.45, 0.9) * modules[1]
    blurs = (None, lambda image: degrade.gaussian(image, sigma=sigma))
    edges = np.array([reaches[0][0], width - reaches[1][0]])
    middles = edges if rng.random() < 0.5 else width - edges
    codes = []
    for symbol, label, matrix, blur, middle in zip(symbols, labels, matrices, blurs, middles, strict=True):
        at = move(matrix, float(middle), height / 2)
        codes.append(PlacedCode(symbol, put(picture, label, at, blur=blur, reach=3 * sigma), ("soft",) if blur else ()))
    return Picture(_photograph(rng, picture, blur=0.5, noise=3, quality=88), tuple(codes))


def _inked(rng: Generator, symbol: EncodedSymbol) -> Label:
    """A printed label in greys of good contrast."""
    label = symbol_label(draw_symbol(symbol.modules, pixels=PIXELS))
    dark, light = rng.uniform(0.03, 0.2), rng.uniform(0.75, 0.95)
    return Label(np.asarray(dark + (light - dark) * label.image, dtype=np.float32), label.corners)


def _around(label: Label, middle: NDArray[np.float64], module: float) -> NDArray[np.float64]:
    """The homography that puts a label upright around a point, at ``module`` pixels per module."""
    scale = module / PIXELS
    x, y = middle - label.frame.mean(axis=0) * scale
    return np.array([[scale, 0, x], [0, scale, y], [0, 0, 1]], dtype=np.float64)


def _photograph(rng: Generator, picture: Image, *, blur: float, noise: float, quality: int) -> NDArray[np.uint8]:
    """Gaussian blur of ``blur`` pixels, noise of ``noise`` grey levels, JPEG."""
    soft = degrade.gaussian(picture, sigma=blur)
    soft += np.float32(noise / 255) * rng.standard_normal(soft.shape, dtype=np.float32)
    return degrade.to_uint8(degrade.jpeg(soft, quality=quality))


def _tiled(symbols: list[EncodedSymbol], *, columns: int, pixels: int) -> Picture:
    """Symbols of one version, black on white and undegraded, side by side."""
    drawn = [render(symbol.modules, pixels=pixels) for symbol in symbols]
    rows = [np.hstack(drawn[first : first + columns]) for first in range(0, len(drawn), columns)]
    pitch, side = drawn[0].shape[0], pixels * dimension(symbols[0].version)
    corners = (
        square(side) + pixels * QUIET_ZONE + np.array([number % columns, number // columns]) * pitch
        for number in range(len(symbols))
    )
    return Picture(np.vstack(rows), tuple(map(PlacedCode, symbols, corners)))


def _paper(symbols: list[EncodedSymbol], *, cell: int, pixels: int) -> tuple[Image, list[NDArray[np.float64]]]:
    """A flat strip, two symbols wide, each in the middle of a cell of ``cell`` modules; and their corners in it."""
    size = cell * pixels
    paper = np.full((size * (len(symbols) // 2), 2 * size), 0.9, dtype=np.float32)
    corners = []
    for number, symbol in enumerate(symbols):
        drawn = draw_symbol(symbol.modules, pixels=pixels)
        side = drawn.shape[0]
        left, top = (at * size + (size - side) // 2 for at in (number % 2, number // 2))
        paper[top : top + side, left : left + side] = 0.1 + 0.8 * drawn
        corners.append(square(side) + np.array([left, top]))
    return paper, corners


def _wrap(
    picture: Image,
    paper: Image,
    corners: list[NDArray[np.float64]],
    middle: float,
    radius: float,
    top: float,
    scale: float,
) -> Iterator[NDArray[np.float64]]:
    """Wraps a strip around an upright cylinder, in place; yields where the corners lie then.

    The axis lies at column ``middle``; ``scale`` is in pixels of the picture per pixel of the strip.
    """
    low, high = round(middle - radius), round(middle + radius)
    columns = np.arange(low, high) + 0.5
    angles = np.arcsin(np.clip((columns - middle) / radius, -1, 1))
    across = angles * radius / scale + paper.shape[1] / 2 - 0.5
    down = (np.arange(picture.shape[0]) + 0.5 - top) / scale - 0.5
    x_at, y_at = (part.astype(np.float32) for part in np.meshgrid(across, down))
    smooth = degrade.gaussian(paper, sigma=0.45 / scale)
    wrapped = cv2.remap(smooth, x_at, y_at, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=0.5)
    picture[:, low:high] = wrapped * np.cos(angles * 0.8).astype(np.float32)
    for quad in corners:
        x = middle + radius * np.sin((quad[:, 0] - paper.shape[1] / 2) * scale / radius)
        yield np.stack([x, top + quad[:, 1] * scale], axis=1)
