"""Tells stripes, such as lines of text and bars, from the modules of a code, which vary in every direction."""

from typing import Final

import numpy as np
from numpy.fft import fft2, fftshift  # NumPy would import it at its first use, which a confined process cannot
from numpy.typing import NDArray

from app.pipeline.crops.rectifying import rectify
from app.pipeline.imaging import GreyImage
from app.pipeline.quad import Quad

_SIDE: Final = 64  # pixels at which a quad is seen
_LEAST_WAVES: Final = 6  # in the quad, of what counts as stripes: two rows of modules of a soft code look like fewer
_LONGEST: Final = 2.5  # waves in the quad: fewer are shadows
_STEP: Final = 3  # degrees between the directions
_WIDTH: Final = 1.5  # waves on either side of a direction that belong to it: the window spreads a wave over two
_NOISE: Final = 1e4  # energy that no stripe explains, that of a tenth of a grey level
_WINDOW: Final = np.outer(np.hanning(_SIDE), np.hanning(_SIDE)).astype(np.float32)


def _waves() -> NDArray[np.float64]:
    """How many waves of each kind the quad holds, (_SIDE, _SIDE); the middle of the spectrum has none."""
    y, x = np.mgrid[:_SIDE, :_SIDE] - _SIDE / 2
    return np.asarray(np.hypot(x, y), dtype=np.float64)


def _directions() -> NDArray[np.float32]:
    """Which short waves run along each direction, (directions, _SIDE ** 2)."""
    y, x = np.mgrid[:_SIDE, :_SIDE] - _SIDE / 2
    angles = np.radians(np.arange(0, 180, _STEP))[:, None, None]
    along = np.abs(np.cos(angles) * y - np.sin(angles) * x) <= _WIDTH
    waves = _waves()
    fine = (waves >= _LEAST_WAVES) & (waves < _SIDE / 2)
    return np.asarray((along & fine).reshape(len(angles), -1), dtype=np.float32)


_DIRECTIONS: Final = _directions()
_SEEN: Final = ((_waves() >= _LONGEST) & (_waves() < _SIDE / 2)).ravel().astype(np.float32)


def stripes(picture: GreyImage, corners: Quad) -> float:
    """The share, 0 to 1, of the waves in a quad, by their energy, that are short and run along one direction.

    ``corners`` are in pixels of the picture. Seven in eight quads on pages of text have 0.4 to 0.7; no code of 1,600
    with random content has more than 0.34, but codes that are mostly padding may have 0.6.
    """
    straight = rectify(picture, np.asarray(corners, dtype=np.float64), 1, pixels=_SIDE, margin=0).astype(np.float32)
    spectrum = fftshift(fft2((straight - straight.mean()) * _WINDOW))
    energy = (np.abs(spectrum) ** 2).astype(np.float32).ravel()
    return float((_DIRECTIONS @ energy).max()) / (float(_SEEN @ energy) + _NOISE)
