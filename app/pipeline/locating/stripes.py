"""Tells stripes, such as lines of text and bars, from the modules of a code, which vary in every direction."""

from typing import Final

import numpy as np
from numpy.fft import fft2, fftshift
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


def _masks() -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Of a spectrum whose middle is at _SIDE / 2: which short waves run along each direction, (directions,
    _SIDE ** 2), and which waves are compared with them, (_SIDE ** 2,)."""
    y, x = np.mgrid[:_SIDE, :_SIDE] - _SIDE / 2
    waves = np.hypot(x, y)
    angles = np.radians(np.arange(0, 180, _STEP))[:, None, None]
    along = np.abs(np.cos(angles) * y - np.sin(angles) * x) <= _WIDTH
    seen = waves < _SIDE / 2
    short = (along & seen & (waves >= _LEAST_WAVES)).reshape(len(angles), -1)
    return short.astype(np.float32), (seen & (waves >= _LONGEST)).ravel().astype(np.float32)


_DIRECTIONS, _SEEN = _masks()


def stripes(picture: GreyImage, corners: Quad) -> float:
    """The share, 0 to 1, of the waves in a quad, by their energy, that are short and run along one direction.

    ``corners`` are in pixels of the picture. Seven in eight quads on pages of text have 0.4 to 0.7; no code of 1,600
    with random content has more than 0.34, but codes that are mostly padding may have 0.6.
    """
    straight = rectify(picture, np.asarray(corners, dtype=np.float64), 1, pixels=_SIDE, margin=0).astype(np.float32)
    spectrum = fftshift(fft2((straight - straight.mean()) * _WINDOW))
    energy = (np.abs(spectrum) ** 2).astype(np.float32).ravel()
    return float((_DIRECTIONS @ energy).max()) / (float(_SEEN @ energy) + _NOISE)
