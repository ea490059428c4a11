"""The synthetic sets on which everything is measured; each sample depends only on the set's name and its index."""

import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from app.pipeline.imaging import GreyImage
from app.pipeline.qrcode.patterns import QUIET_ZONE, dimension, render
from app.pipeline.quad import square
from training.data import degrade
from training.data.corpus import corpus
from training.data.symbols import EncodedSymbol

VALIDATION = 200
"""Samples with a lower index are for measuring, the others for choosing parameters such as the routing threshold."""


@dataclass(frozen=True)
class Sample:
    """A sample of a synthetic set: a degraded picture, its symbol and the symbol's outer corners in pixels, (4, 2)."""

    image: GreyImage
    symbol: EncodedSymbol
    corners: NDArray[np.float64]


def _print_symbol(symbol: EncodedSymbol, side: int) -> tuple[degrade.Image, NDArray[np.float64]]:
    """The clean symbol with its quiet zone, filling ``side`` x ``side`` pixels, and its corners."""
    modules = dimension(symbol.version) + 2 * QUIET_ZONE
    pixels = -(-side // modules) * 2
    fine = degrade.to_float(render(symbol.modules, pixels=pixels))
    module = side / modules
    low, high = QUIET_ZONE * module, side - QUIET_ZONE * module
    corners = np.array([[low, low], [high, low], [high, high], [low, high]])
    return degrade.resize(fine, side), corners


def _qrdata(rng: Generator, symbol: EncodedSymbol) -> tuple[degrade.Image, NDArray[np.float64]]:
    """512 px, straight non-uniform motion of 20-60 px in any direction, speed exponent 0.3-0.7, reflected border."""
    image, corners = _print_symbol(symbol, 512)
    return degrade.convolve(image, degrade.motion_kernel(rng, length=rng.uniform(20, 60))), corners


def _jpeg10(rng: Generator, symbol: EncodedSymbol) -> tuple[degrade.Image, NDArray[np.float64]]:
    """512 -> 128 px by area, JPEG quality 10."""
    image, corners = _print_symbol(symbol, 512)
    return degrade.jpeg(degrade.resize(image, 128), quality=10), corners / 4


def _blur64(rng: Generator, symbol: EncodedSymbol) -> tuple[degrade.Image, NDArray[np.float64]]:
    """256 px, gaussian kernel 3-11 with sigma 1.1-1.6, then 64 px by area."""
    image, corners = _print_symbol(symbol, 256)
    kernel = 2 * int(rng.integers(1, 6)) + 1
    blurred = cv2.GaussianBlur(image, (kernel, kernel), float(rng.uniform(1.1, 1.6)))
    return degrade.resize(np.asarray(blurred, dtype=np.float32), 64), corners / 4


def _noise64(rng: Generator, symbol: EncodedSymbol) -> tuple[degrade.Image, NDArray[np.float64]]:
    """256 -> 64 px by area, gaussian noise of (0.7-1.2) x 64 grey levels."""
    image, corners = _print_symbol(symbol, 256)
    small = degrade.resize(image, 64)
    noisy = small + rng.normal(0, rng.uniform(0.7, 1.2) * 64 / 255, small.shape)
    return np.clip(noisy, 0, 1).astype(np.float32), corners / 4


def _lr32(rng: Generator, symbol: EncodedSymbol) -> tuple[degrade.Image, NDArray[np.float64]]:
    """128 -> 32 px by area, versions 1 and 2."""
    image, corners = _print_symbol(symbol, 128)
    return degrade.resize(image, 32), corners / 4


def _scene(rng: Generator, symbol: EncodedSymbol) -> tuple[degrade.Image, NDArray[np.float64]]:
    """A code of 2.2-7 px per module warped into a cluttered 1280 x 960 picture; motion, defocus, low resolution or none
    of these; shading, noise of 1-9 grey levels, JPEG 35-95."""
    width, height, module = 1280, 960, rng.uniform(2.2, 7.0)
    scene = np.full((height, width), 0.5, dtype=np.float32)
    for _ in range(60):
        corner = rng.uniform(-0.1, 1, 2) * (width, height)
        far = corner + rng.uniform(20, 400, 2)
        shape = cv2.rectangle if rng.random() < 0.7 else cv2.line
        shape(
            scene,
            tuple(corner.astype(int).tolist()),
            tuple(far.astype(int).tolist()),
            float(rng.random()),
            -1 if shape is cv2.rectangle else 5,
        )
    fine = 8
    label = degrade.to_float(render(symbol.modules, pixels=fine))
    label = (rng.uniform(0, 0.2) + rng.uniform(0.6, 0.8) * label).astype(np.float32)
    side = label.shape[0]
    paper = square(side)
    turn = degrade.rotation(rng.uniform(0, 2 * np.pi))
    target = (paper + rng.uniform(-0.08, 0.08, (4, 2)) * side - side / 2) @ turn.T * (module / fine)
    reach = np.abs(target).max(axis=0) + 8
    middle = np.array([width, height]) / 2
    target += middle + rng.uniform(-1, 1, 2) * np.maximum(middle - reach, 0)
    matrix = cv2.getPerspectiveTransform(paper.astype(np.float32), target.astype(np.float32))
    smooth = degrade.gaussian(label, sigma=0.45 * max(1.0, fine / module))
    sampling = degrade.pixel_centre_homography(matrix)
    warped = cv2.warpPerspective(smooth, sampling, (width, height), flags=cv2.INTER_LINEAR)
    mask = cv2.warpPerspective(np.ones_like(label), sampling, (width, height), flags=cv2.INTER_LINEAR)
    scene = degrade.shade((scene * (1 - mask) + warped * mask).astype(np.float32), rng)
    kind = rng.integers(4)
    if kind == 0:
        scene = degrade.convolve(scene, degrade.motion_kernel(rng, length=rng.uniform(1, 4) * module))
    elif kind == 1:
        scene = degrade.convolve(scene, degrade.disc_kernel(radius=rng.uniform(0.5, 1.5) * module))
    elif kind == 2:
        small = cv2.resize(scene, None, fx=(f := 1.6 / module), fy=f, interpolation=cv2.INTER_AREA)
        scene = np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR), dtype=np.float32)
    scene = np.clip(scene + rng.normal(0, rng.uniform(1, 9) / 255, scene.shape), 0, 1).astype(np.float32)
    margin = QUIET_ZONE * fine
    inner = np.array([[margin, margin], [side - margin, margin], [side - margin] * 2, [margin, side - margin]])
    corners = cv2.perspectiveTransform(inner[None].astype(np.float64), matrix)[0]
    return degrade.jpeg(scene, quality=int(rng.integers(35, 96))), corners


@dataclass(frozen=True)
class SyntheticSet:
    """A synthetic set: a pool of symbols (`training.data.corpus.corpus`), and the function that makes a picture of
    one.

    ``make`` returns a picture in [0, 1] and the symbol's outer corners in it, (4, 2).
    """

    pool: str
    make: Callable[[Generator, EncodedSymbol], tuple[degrade.Image, NDArray[np.float64]]]


SETS: dict[str, SyntheticSet] = {
    "qrdata": SyntheticSet("short", _qrdata),
    "jpeg10": SyntheticSet("long", _jpeg10),
    "blur64": SyntheticSet("tiny", _blur64),
    "noise64": SyntheticSet("tiny", _noise64),
    "lr32": SyntheticSet("tiny", _lr32),
    "scene": SyntheticSet("short", _scene),
}


def samples(name: str, *, start: int = 0, count: int = VALIDATION) -> Iterator[Sample]:
    """Samples ``start`` to ``start + count - 1`` of a synthetic set. Raises KeyError for an unknown set."""
    synthetic = SETS[name]
    symbols = corpus(synthetic.pool)
    for index in range(start, start + count):
        rng = np.random.default_rng((zlib.crc32(name.encode()), index))
        symbol = symbols[index % len(symbols)]
        image, corners = synthetic.make(rng, symbol)
        yield Sample(degrade.to_uint8(image), symbol, corners)
