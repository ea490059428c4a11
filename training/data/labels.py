"""Printed labels put into large pictures, each with a blur of its own.

Images are float32 (H, W) in [0, 1]; positions (x, y) are in pixels from the outer edge.
"""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from app.pipeline.qrcode.patterns import QUIET_ZONE
from app.pipeline.quad import oblong, square
from training.data import degrade
from training.data.degrade import Image

PIXELS = 8
"""Pixels per module at which labels are drawn before they are put into a picture."""


@dataclass(frozen=True)
class Label:
    """Printed paper: what is printed, (H, W), and the outer corners of the symbol on it, (4, 2), in its pixels."""

    image: Image
    corners: NDArray[np.float64]

    @property
    def frame(self) -> NDArray[np.float64]:
        """The paper's own corners, (4, 2), clockwise from the top left."""
        return oblong(*self.image.shape[::-1])


def symbol_label(drawn: Image, *, pixels: int = PIXELS, quiet_zone: int = QUIET_ZONE) -> Label:
    """White paper with a symbol, drawn at ``pixels`` per module, and its quiet zone."""
    margin = quiet_zone * pixels
    image = np.pad(drawn, margin, constant_values=1)
    return Label(image, square(drawn.shape[0]) + margin)


def add_strip(label: Label, strip: Image) -> Label:
    """The label with more paper below, as wide as it is, on which ``strip`` is printed."""
    width = label.image.shape[1]
    height = max(1, round(strip.shape[0] * width / strip.shape[1]))
    fitted = cv2.resize(strip, (width, height), interpolation=cv2.INTER_AREA)
    return Label(np.vstack([label.image, fitted]).astype(np.float32), label.corners)


def print_text(rng: Generator, shape: tuple[int, int], *, height: float) -> Image:
    """White paper of ``shape`` with lines of random words in black, ``height`` pixels from line to line."""
    page = np.ones(shape, dtype=np.float32)
    font, scale = int(rng.integers(0, 5)), 0.55 * height / 21  # capitals of OpenCV's fonts are 21 pixels high
    stroke = max(1, round(scale * rng.uniform(0.8, 1.6)))
    letters = np.array(list("aaabcdeeeeefghiiklmnnooprrsssttuvwz0123456789.,:-"))
    for baseline in np.arange(height, shape[0] - 0.2 * height, height):
        words = ("".join(rng.choice(letters, rng.integers(2, 10))) for _ in range(int(shape[1] / height) + 1))
        indent = rng.uniform(0.2, 1.2) * height
        place = (int(indent), int(baseline))
        cv2.putText(page, " ".join(words), place, font, scale, 0.0, stroke, cv2.LINE_AA)
    page[:, shape[1] - max(1, int(0.3 * height)) :] = 1
    return page


def print_bars(rng: Generator, shape: tuple[int, int]) -> Image:
    """White paper of ``shape`` with a bar code: bars and gaps of one to four units between white margins."""
    widths = rng.integers(1, 5, 2 * int(rng.integers(15, 40)) + 1)
    row = np.repeat(np.arange(len(widths)) % 2, widths).astype(np.float32)
    row = np.pad(row, 8, constant_values=1)
    resized = cv2.resize(row[None], (shape[1], 1), interpolation=cv2.INTER_AREA)
    page = np.repeat(resized, shape[0], axis=0)
    rim = max(1, round(0.08 * shape[0]))
    page[:rim] = page[-rim:] = 1
    return np.asarray(page, dtype=np.float32)


def facing(rng: Generator, label: Label, *, module: float, jitter: float, upright: float = 0.6) -> NDArray[np.float64]:
    """A homography, 3 x 3, under which the label's middle lies at the origin and a module measures ``module`` pixels.

    ``upright``: share of labels that stand near a multiple of 90 degrees; the others have any rotation. Each corner of
    the paper is displaced by up to ``jitter`` of the shorter side, along both axes.
    """
    turn = rng.uniform(0, 2 * np.pi)
    if rng.random() < upright:
        turn = rng.normal(0, 0.05) + rng.integers(4) * np.pi / 2
    displaced = label.frame + rng.uniform(-jitter, jitter, (4, 2)) * min(label.image.shape)
    target = (displaced - displaced.mean(axis=0)) @ degrade.rotation(turn).T * (module / PIXELS)
    frame, target = label.frame.astype(np.float32), target.astype(np.float32)
    return np.asarray(cv2.getPerspectiveTransform(frame, target), dtype=np.float64)


def move(matrix: NDArray[np.float64], x: float, y: float) -> NDArray[np.float64]:
    """The homography followed by a shift."""
    return np.array([[1, 0, x], [0, 1, y], [0, 0, 1]], dtype=np.float64) @ matrix


def transform(points: NDArray[np.float64], matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Points (N, 2) under a homography."""
    return np.asarray(cv2.perspectiveTransform(points[None], matrix)[0], dtype=np.float64)


def put(
    picture: Image,
    label: Label,
    matrix: NDArray[np.float64],
    *,
    blur: Callable[[Image], Image] | None = None,
    reach: float = 2.0,
) -> NDArray[np.float64]:
    """Puts a label into a picture, in place, under a homography; returns the symbol's corners there, (4, 2).

    ``blur`` degrades the label and the outline of its paper alike, by at most ``reach`` pixels beyond the outline.
    """
    outline = transform(label.frame, matrix)
    low = np.maximum(np.floor(outline.min(axis=0) - reach).astype(int), 0)
    high = np.minimum(np.ceil(outline.max(axis=0) + reach).astype(int), picture.shape[::-1])
    size = (high - low).tolist()
    if min(size) <= 0:
        return transform(label.corners, matrix)
    sampling = degrade.pixel_centre_homography(move(matrix, *(-low).tolist()))
    scale = float(np.sqrt(cv2.contourArea(outline.astype(np.float32)) / label.image.size))
    smooth = degrade.gaussian(label.image, sigma=0.45 / scale) if scale < 1 else label.image
    cover = np.ones_like(label.image)
    ink, cover = (
        np.asarray(cv2.warpPerspective(part, sampling, size, flags=cv2.INTER_LINEAR), dtype=np.float32)
        for part in (smooth, cover)
    )
    if blur:
        ink, cover = blur(ink), blur(cover)
    box = np.s_[low[1] : high[1], low[0] : high[0]]
    picture[box] = picture[box] * (1 - cover) + ink
    return transform(label.corners, matrix)
