"""What there is to read in a picture: its codes read at their true places, which no service knows."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from app.pipeline.crops.rectifying import rectify
from app.pipeline.imaging import GreyImage
from app.pipeline.inference.module_reader import ModuleReader
from app.pipeline.locating.registering import register
from app.pipeline.qrcode.patterns import dimension
from app.pipeline.qrcode.small.rectangular import decode_rectangular
from app.pipeline.qrcode.small.soft import decode_micro
from app.pipeline.qrcode.soft import SoftRead, try_soft
from training.measure.many.pallet import INVERSE
from training.measure.many.picture import Picture, PlacedCode


def count_readable(reader: ModuleReader, picture: Picture) -> int:
    """The number of codes that the module reader and soft decoding read when they are told the true corners."""
    return sum(_is_readable(reader, picture.image, code) for code in picture.codes)


def _is_readable(reader: ModuleReader, image: GreyImage, code: PlacedCode) -> bool:
    version = code.symbol.version
    upright = 255 - image if INVERSE in code.traits else image
    rows, columns = code.symbol.modules.shape
    if rows != columns:
        return _is_readable_rectangular(reader, upright, code)
    if rows < dimension(1):
        return _is_readable_micro(reader, upright, code)
    for corners in _places(upright, code):
        crop = rectify(upright, corners, dimension(version))
        attempt = try_soft(reader.read([crop], version)[0], version)
        if isinstance(attempt, SoftRead) and np.array_equal(attempt.modules, code.symbol.modules):
            return True
    return False


def _is_readable_micro(reader: ModuleReader, upright: GreyImage, code: PlacedCode) -> bool:
    name = f"M{code.symbol.version}"
    crop = rectify(upright, code.corners, len(code.symbol.modules))
    log_odds = reader.read_small([crop], name)[0]
    attempts = (decode_micro(np.ascontiguousarray(seen), name) for seen in (log_odds, log_odds.T))
    return any(read is not None and np.array_equal(read.modules, code.symbol.modules) for read in attempts)


def _is_readable_rectangular(reader: ModuleReader, upright: GreyImage, code: PlacedCode) -> bool:
    rows, columns = code.symbol.modules.shape
    name = f"R{rows}x{columns}"
    corners = code.corners[[0, 3, 2, 1]] if "mirrored" in code.traits else code.corners
    crop = rectify(upright, corners, columns, rows=rows)
    read = decode_rectangular(reader.read_small([crop], name)[0], name)
    return read is not None and np.array_equal(read.modules, code.symbol.modules)


def _places(image: GreyImage, code: PlacedCode) -> Iterator[NDArray[np.float64]]:
    """The true corners, then what registration makes of them, which follows bent paper."""
    yield code.corners
    for found in register(image, code.corners, dimension(code.symbol.version)):
        if found.version == code.symbol.version:
            yield found.corners
