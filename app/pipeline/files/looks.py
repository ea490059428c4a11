"""Other looks at an image file, of which the pipeline reads a grey picture on white first.

A transparent picture shows on black what white hides, such as white modules; nothing is shown that no viewer shows,
such as the colours of pixels that are fully transparent. Colours that grey hides are shown by a projection, see
`app.pipeline.projecting`.

The file is decoded again: of the pictures that are sent few need a second look, and all of them would pay for it in
time and memory.
"""

from collections.abc import Iterator
from typing import Final

import cv2
import numpy as np

from app.pipeline.files.decoding import (
    BLACK,
    WHITE,
    bands,
    decode_colours,
    decode_reduced,
    eight_bits,
    flatten,
    lay_over,
    opacity,
    read_header,
    spare_bits,
)
from app.pipeline.files.format import Header, Stored
from app.pipeline.imaging import Colours, GreyImage
from app.pipeline.projecting import COARSE_SIDE, ColourImage, find_shades, is_textured

_MOST_BYTES: Final = 200_000_000
"""Of decoded pixels, up to which a picture is looked at again: 50 megapixels in colour, or 25 with 16 bits and opacity.
A child process that has both the colours and the grey picture needs no more memory then than for the first decoding of
the worst picture (docs/measurements.md, Memory of child processes)."""
_HALF: Final = cv2.IMREAD_REDUCED_COLOR_2 | cv2.IMREAD_IGNORE_ORIENTATION
_QUARTER: Final = cv2.IMREAD_REDUCED_COLOR_4 | cv2.IMREAD_IGNORE_ORIENTATION
_WHOLE: Final = (slice(None), slice(None))


def other_looks(data: bytes, *, colours: Colours, part: tuple[slice, slice] = _WHOLE) -> Iterator[GreyImage]:
    """Yields other grey pictures of a file that `decode_image` has decoded, of the same size, or of that ``part`` (rows
    and columns) of it: on black where some of it is transparent, then what shows these ``colours`` on each ground.

    Raises InvalidImage.
    """
    header = read_header(data)
    decoded = header.width * header.height * header.pixel_bytes
    if decoded > _MOST_BYTES or not (header.transparent or _may_hide(data, header, part, colours)):
        return
    stored = decode_colours(data, header)[part]
    has_holes = header.transparent and _has_holes(stored, header)
    if has_holes:
        yield flatten(stored, header, BLACK)
    if colours is not Colours.NONE and stored.ndim == 3:
        for ground in (WHITE, BLACK) if has_holes else (WHITE,):
            yield from project(stored, colours, ground)


def project(stored: Stored, colours: Colours, ground: int = WHITE) -> Iterator[GreyImage]:
    """Yields grey pictures of ``stored``, (H, W, 3), or (H, W, 4) on a ``ground``, that show more of these ``colours``
    than the eye's grey: none, one or two; see `app.pipeline.projecting`."""
    spare = spare_bits(stored)
    for shade in find_shades(_coarse(stored, ground, spare), colours):
        height, width = stored.shape[:2]
        grey = np.empty((height, width), np.uint8)
        for rows in bands(height, width):
            grey[rows] = shade.apply(_on_ground(stored[rows], ground, spare))
        yield grey


def _has_holes(stored: Stored, header: Header) -> bool:
    """Whether opacity varies as modules do. In many files it is full everywhere, or empty around a photograph."""
    if stored.ndim == 3 and stored.shape[2] < 4:
        return False
    height, width = stored.shape[:2]
    factor = -(-max(height, width) // COARSE_SIDE)
    small = (height // factor, width // factor)
    if stored.ndim == 3:
        plane = opacity(stored)
    elif header.grey_key is not None:
        plane = np.where(flatten(stored, header, BLACK) == flatten(stored, header), WHITE, BLACK).astype(np.uint8)
    else:
        return False
    if min(small) < 1:
        return False
    coarse = cv2.resize(plane[: small[0] * factor, : small[1] * factor], small[::-1], interpolation=cv2.INTER_AREA)
    return is_textured(np.asarray(coarse, np.uint8))


def _may_hide(data: bytes, header: Header, part: tuple[slice, slice], colours: Colours) -> bool:
    """Whether these colours of an opaque picture are worth decoding in full: not in a grey file, nor where a picture
    that is decoded reduced, which JPEG does quickly, shows nothing that grey hides."""
    if colours is Colours.NONE or not header.coloured:
        return False
    longest = max(header.width, header.height)
    if not header.reducible or longest < 2 * COARSE_SIDE or part != _WHOLE:
        return True
    reduced = decode_reduced(data, _HALF if longest < 4 * COARSE_SIDE else _QUARTER)
    return bool(find_shades(_coarse(reduced, WHITE, 0), colours))


def _coarse(stored: Stored, ground: int, spare: int) -> ColourImage:
    """The colours on a ground, reduced by a whole factor to at most `COARSE_SIDE`; a margin of a few pixels is lost."""
    height, width = stored.shape[:2]
    factor = -(-max(height, width) // COARSE_SIDE)
    small = (max(1, height // factor), max(1, width // factor))
    if factor == 1:
        return _on_ground(stored, ground, spare)
    coarse = np.zeros((*small, 3), np.uint8)
    for rows in bands(small[0] * factor, width, multiple=factor):
        band = _on_ground(stored[rows, : small[1] * factor], ground, spare)
        top, bottom = rows.start // factor, rows.stop // factor
        if bottom > top and band.shape[1] >= factor:
            coarse[top:bottom] = cv2.resize(band, (small[1], bottom - top), interpolation=cv2.INTER_AREA)
    return coarse


def _on_ground(stored: Stored, ground: int, spare: int) -> ColourImage:
    """Colours (H, W, 3) as a viewer shows them."""
    pixels = eight_bits(stored[:, :, :3], spare)
    return pixels if stored.shape[2] == 3 else lay_over(pixels, opacity(stored)[:, :, np.newaxis], ground)
