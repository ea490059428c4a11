"""Grey pictures of colours: shows what differs in colour but hardly in brightness, such as green modules on red paper.

Grey pictures weigh the channels as the eye does (0.30 R + 0.59 G + 0.11 B), so that a code may vanish in them which is
plain to see in one channel. Two things are looked for: colours that grey hides altogether, which a projection shows
best, and pale ones, such as yellow or pink finder patterns beside black modules. Grey shows pale colours, but too
faintly. Ink of any colour takes light from at least one channel, so that the darkest channel shows them best.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from app.pipeline.imaging import Colours, GreyImage
from app.pipeline.tiles import blocks, shows_square, variances

ColourImage = NDArray[np.uint8]
"""(H, W, 3), blue, green and red."""

Pixel = TypeVar("Pixel", np.uint8, np.float32)

COARSE_SIDE: Final = 1000
"""Pixels of the longest side at which colours are compared with greys: a code whose modules are smaller there is left
out."""
_TILE: Final = 16  # pixels of a coarse picture: about a finder pattern, of 2 to 5 pixels a module
_LEAST_CONTRAST: Final = 10.0  # deviation of chroma in a tile; that of photographs without colour is noise of 1 to 4
_LEAST_RATIO: Final = 1.5  # to the deviation of luma in the same tile, which is what the grey picture shows
# These four find pale ink in 118 of 120 codes with pale finder patterns, blurred, noisy and as JPEG, and in 45 of 190
# photographs; without the last two in 75. Codes of 4 pixels a module need the ratio, at best 1.44 of pale pink.
_LEAST_INK_CONTRAST: Final = 10.0  # deviation of the darkest channel in a tile
_LEAST_INK_RATIO: Final = 1.2  # to that of luma; of noise 1.1
_LEAST_WHITENESS: Final = 0.8  # darkest channel of paper to its luma
_LEAST_PALENESS: Final = 0.6  # luma of ink to that of paper
# Of 60 codes that grey hides, of 2 to 7 pixels a module, blurred and turned, 56 make up such a square, the others of 2
# pixels not; of 510 photographs one does.
_LEAST_FILLED: Final = 0.7  # of a square of hidden colours
_LEAST_TEXTURE: Final = 16.0  # deviation of a plane in a tile
_LEVELS: Final = 3  # sizes of a picture that is not small
_SMALL: Final = 512  # pixels of the shorter side, below which a picture is enlarged, too
_FEWEST: Final = 4  # tiles that a picture has across
_MOST_SAMPLES: Final = 1 << 16
_TAILS: Final = (1.0, 99.0)  # percentiles of the projected tiles that are spread over the greys
_INK_TAILS: Final = (5.0, 95.0)  # percentiles of the tiles with pale ink
_DARKEST, _LIGHTEST = 20.0, 235.0  # greys that they become
# Grey that pale ink becomes. Of 72 codes with pale green, cyan or pink finder patterns, blurred by 0.3 to 0.6 modules,
# 60 were read at 90, 53 at 50 and 34 at 20, where the blurred modules between them swell; 52 at 120.
_INK: Final = 90.0
_LEAST_CORRELATION: Final = 0.3  # with luma, from which what is darker stays darker


@dataclass(frozen=True, slots=True)
class Projection:
    """A direction in which colours differ: ``weights`` (1, 4) of blue, green, red and of a constant."""

    weights: NDArray[np.float64]

    def apply(self, colours: ColourImage) -> GreyImage:
        """The grey picture (H, W) of colours (H, W, 3)."""
        return np.asarray(cv2.transform(colours, self.weights), np.uint8)


@dataclass(frozen=True, slots=True)
class Ink:
    """The darkest channel of ``pale`` ink and of ``paper``, whose difference is spread over most of the greys."""

    pale: float
    paper: float

    def apply(self, colours: ColourImage) -> GreyImage:
        """The grey picture (H, W) of colours (H, W, 3), in which what is darker than pale ink stays darker."""
        table = np.interp(np.arange(256), (0, self.pale, self.paper, 255), (0, _INK, _LIGHTEST, 255))
        return np.asarray(cv2.LUT(_darkest_channel(colours), np.rint(table).astype(np.uint8)), np.uint8)


Shade = Projection | Ink
"""What makes a grey picture of colours."""


def find_shades(coarse: ColourImage, colours: Colours) -> list[Shade]:
    """Finds what may show more of these ``colours`` of a picture than grey does, the likeliest first.

    ``coarse`` is the picture reduced to `COARSE_SIDE`. None is returned of a picture that grey shows as well.
    """
    if colours is Colours.NONE or (colours is Colours.SQUARES and not hides_square(coarse)):
        return []
    return [shade for shade in (find_projection(coarse), find_ink(coarse)) if shade is not None]


def find_projection(coarse: ColourImage) -> Projection | None:
    """Finds the direction in which the colours of a picture differ most where brightness hides it.

    ``coarse`` is the picture reduced to `COARSE_SIDE`. Returns None if grey shows as much as colour does.
    """
    if not _is_colourful(coarse):
        return None
    for picture in _levels(coarse, cv2.INTER_LINEAR):
        tiles = _hidden_tiles(picture)
        if tiles.any():
            return _project(picture, tiles)
    return None


def hides_square(coarse: ColourImage) -> bool:
    """Whether grey hides colours of a picture that make up a square, as a code does.

    ``coarse`` is the picture reduced to `COARSE_SIDE`. The least square is about 64 pixels wide there, less in small
    pictures, which are enlarged.
    """
    if not _is_colourful(coarse):
        return False
    hidden = (_hidden_tiles(picture) for picture in _levels(coarse, cv2.INTER_LINEAR))
    return any(shows_square(tiles, least_filled=_LEAST_FILLED) for tiles in hidden)


def find_ink(coarse: ColourImage) -> Ink | None:
    """Finds pale colours on light paper, such as those of finder patterns, that grey shows too faintly.

    ``coarse`` is the picture reduced to `COARSE_SIDE`. Returns None if there are none.
    """
    if not _is_colourful(coarse):
        return None
    for picture in _levels(coarse, cv2.INTER_LINEAR):
        tiles = _inked_tiles(picture)
        if tiles.any():
            pale, paper = np.percentile(_inside(_darkest_channel(picture), tiles), _INK_TAILS)
            return Ink(float(pale), float(paper))
    return None


def is_textured(coarse: NDArray[np.uint8]) -> bool:
    """Whether a plane (H, W), such as opacity, varies somewhere as modules do, not only along the edges of things.

    ``coarse`` is the plane reduced to `COARSE_SIDE`.
    """
    levels = _levels(coarse, cv2.INTER_NEAREST)
    return any(blocks(variances(picture, _TILE) >= _LEAST_TEXTURE**2).any() for picture in levels)


def _levels(coarse: NDArray[np.uint8], enlarged_by: int) -> Iterator[NDArray[np.uint8]]:
    """The picture at sizes at which modules are smaller than tiles, the largest first.

    Small pictures are enlarged by an interpolation of OpenCV: linear, which evens noise out, or to the nearest pixel,
    which keeps edges within one tile.
    """
    levels = _LEVELS
    while min(coarse.shape[:2]) < _SMALL and 4 * coarse.shape[0] * coarse.shape[1] <= COARSE_SIDE**2:
        coarse = np.asarray(cv2.resize(coarse, None, fx=2, fy=2, interpolation=enlarged_by), np.uint8)
        levels += 1
    for _ in range(levels):
        if min(coarse.shape[:2]) < _FEWEST * _TILE:
            return
        yield coarse
        height, width = (side // 2 * 2 for side in coarse.shape[:2])
        half = cv2.resize(coarse[:height, :width], (width // 2, height // 2), interpolation=cv2.INTER_AREA)
        coarse = np.asarray(half, np.uint8)


def _project(coarse: ColourImage, tiles: NDArray[np.bool_]) -> Projection:
    """The direction in which the colours differ most inside these tiles."""
    height, width = (side * _TILE for side in tiles.shape)
    kept = coarse[:height, :width].astype(np.float32)
    pixels = _thinned(_inside(kept - _tile_means(kept), tiles))
    weights = np.linalg.eigh(np.cov(pixels, rowvar=False))[1][:, -1]
    around = cv2.dilate(tiles.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(np.bool_)
    return _spread(weights, _thinned(_inside(kept, tiles)), _thinned(_inside(kept, around)))


def _hidden_tiles(coarse: ColourImage) -> NDArray[np.bool_]:
    """Tiles (H / 16, W / 16) whose colours differ clearly more than their greys, in blocks of four."""
    luma, *chroma = cv2.split(variances(np.asarray(cv2.cvtColor(coarse, cv2.COLOR_BGR2YCrCb), np.uint8), _TILE))
    contrast = np.sqrt(chroma[0] + chroma[1])
    return blocks((contrast >= _LEAST_CONTRAST) & (contrast >= _LEAST_RATIO * np.sqrt(luma)))


def _inked_tiles(coarse: ColourImage) -> NDArray[np.bool_]:
    """Tiles (H / 16, W / 16) that show pale ink of some colour, and nothing darker, on white paper, in blocks of
    four."""
    darkest = _darkest_channel(coarse)
    luma = np.asarray(cv2.cvtColor(coarse, cv2.COLOR_BGR2GRAY), np.uint8)
    contrast = np.sqrt(variances(darkest, _TILE))
    paper = _tiled(luma).max(axis=(1, 3))
    is_coloured = (contrast >= _LEAST_INK_CONTRAST) & (contrast >= _LEAST_INK_RATIO * np.sqrt(variances(luma, _TILE)))
    is_white = _tiled(darkest).max(axis=(1, 3)) >= _LEAST_WHITENESS * paper
    is_pale = _tiled(luma).min(axis=(1, 3)) >= _LEAST_PALENESS * paper
    return blocks(is_coloured & is_white & is_pale)


def _tiled(plane: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The tiles of a plane (H, W), (H / 16, 16, W / 16, 16)."""
    height, width = (side // _TILE for side in plane.shape)
    return plane[: height * _TILE, : width * _TILE].reshape(height, _TILE, width, _TILE)


def _is_colourful(coarse: ColourImage) -> bool:
    """Whether there are saturated pixels at all; quick."""
    blue, green, red = cv2.split(coarse)
    saturation = cv2.subtract(cv2.max(cv2.max(blue, green), red), cv2.min(cv2.min(blue, green), red))
    return int(np.count_nonzero(saturation >= 4 * _LEAST_CONTRAST)) >= 2 * _TILE


def _darkest_channel(colours: ColourImage) -> GreyImage:
    blue, green, red = cv2.split(colours)
    return np.asarray(cv2.min(cv2.min(blue, green), red), np.uint8)


def _inside(picture: NDArray[Pixel], tiles: NDArray[np.bool_]) -> NDArray[Pixel]:
    """The pixels of a picture that lie in these tiles."""
    height, width = (side * _TILE for side in tiles.shape)
    return picture[:height, :width][np.kron(tiles, np.ones((_TILE, _TILE), np.bool_))]


def _tile_means(picture: NDArray[np.float32]) -> NDArray[np.float32]:
    """Each pixel's mean over its tile."""
    height, width = picture.shape[:2]
    means = cv2.resize(picture, (width // _TILE, height // _TILE), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(means, (width, height), interpolation=cv2.INTER_NEAREST), np.float32)


def _thinned(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    return pixels[:: len(pixels) // _MOST_SAMPLES + 1]


def _spread(weights: NDArray[np.float32], inside: NDArray[np.float32], around: NDArray[np.float32]) -> Projection:
    """Spreads the projected pixels ``inside`` over the greys, dark on light: where brightness tells, what is darker
    stays darker, elsewhere what prevails ``around`` them is paper, which is light."""
    values, luma = inside @ weights, inside @ np.array([0.114, 0.587, 0.299], np.float32)
    low, high = np.percentile(values, _TAILS)
    deviations = float(values.std() * luma.std())
    correlation = float(np.cov(values, luma)[0, 1]) / deviations if deviations > 0 else 0.0
    paper = float(np.median(around @ weights))
    is_negative = correlation < 0 if abs(correlation) >= _LEAST_CORRELATION else paper < (low + high) / 2
    scale = (_LIGHTEST - _DARKEST) / max(float(high - low), 1.0)
    if is_negative:
        scale, low = -scale, high
    return Projection(np.append(scale * weights.astype(np.float64), _DARKEST - scale * low).reshape(1, 4))
