"""Codes in colours, and on transparent ground."""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from tests.support.codes import encode

Colour = tuple[int, int, int]
"""Blue, green and red."""

WHITE, BLACK = (255, 255, 255), (0, 0, 0)
PAIRS: Final[dict[str, tuple[Colour, Colour]]] = {
    "green on red": ((0, 130, 0), (0, 0, 255)),
    "red on green": ((0, 0, 255), (0, 130, 0)),
    "blue on brown": ((230, 60, 30), (10, 70, 120)),
    "blue on black": ((255, 0, 0), BLACK),
    "yellow on white": ((59, 255, 255), WHITE),
    "cyan on pink": ((255, 205, 120), (220, 180, 255)),
}
"""Modules and paper that hardly differ in brightness."""
PALE: Final[dict[str, Colour]] = {
    "yellow": (59, 235, 255),
    "green": (180, 255, 180),
    "cyan": (255, 240, 120),
    "pink": (180, 180, 255),
}
"""Finder patterns that grey shows too faintly beside black modules."""


def coloured(
    text: str, modules: Colour, paper: Colour, *, scale: int = 6, finders: Colour | None = None
) -> NDArray[np.uint8]:
    """A symbol with its quiet zone in these colours, (H, W, 3); the finder patterns may have one of their own."""
    dark = np.pad(encode(text), 4)
    picture = np.where(dark[:, :, None], np.uint8(modules), np.uint8(paper))
    if finders is not None:
        for rows, columns in ((slice(4, 11),) * 2, (slice(4, 11), slice(-11, -4)), (slice(-11, -4), slice(4, 11))):
            corner = dark[rows, columns, None]
            picture[rows, columns] = np.where(corner, np.uint8(finders), np.uint8(paper))
    return np.asarray(np.kron(picture, np.ones((scale, scale, 1), np.uint8)), np.uint8)


def taken(picture: NDArray[np.uint8], *, angle: float = 20, blur: float = 2.0, noise: float = 4.0) -> NDArray[np.uint8]:
    """A picture (H, W, 3) as a camera takes it: turned on white paper, blurred by so many pixels, and noisy."""
    side = round(1.4 * max(picture.shape[:2]))
    turn = cv2.getRotationMatrix2D((picture.shape[1] / 2, picture.shape[0] / 2), angle, 1)
    turn[:, 2] += side / 2 - np.array(picture.shape[1::-1]) / 2
    turned = cv2.warpAffine(picture, turn, (side, side), borderValue=WHITE)
    blurred = cv2.GaussianBlur(turned, (0, 0), blur).astype(np.float64)
    grain = np.random.default_rng(0).normal(0, noise, blurred.shape)
    return np.asarray(np.clip(np.rint(blurred + grain), 0, 255), np.uint8)


def on_nothing(
    text: str, modules: Colour, *, hidden: NDArray[np.uint8] | None = None, scale: int = 6
) -> NDArray[np.uint8]:
    """Modules on transparent paper, (H, W, 4); ``hidden`` gives the colours of the transparent pixels."""
    dark = np.kron(np.pad(encode(text), 4), np.ones((scale, scale), np.bool_))
    picture = np.zeros((*dark.shape, 4), np.uint8)
    if hidden is not None:
        picture[:, :, :3] = cv2.resize(hidden, dark.shape[::-1], interpolation=cv2.INTER_NEAREST)
    picture[dark] = (*modules, 255)
    return picture


def file(picture: NDArray[np.generic], suffix: str = ".png", *options: int) -> bytes:
    """An encoded picture."""
    written, data = cv2.imencode(suffix, picture, options)
    assert written
    return data.tobytes()
