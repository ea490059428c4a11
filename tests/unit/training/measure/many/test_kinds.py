"""Pictures of hard kinds hold their symbol at its corners and are as hard as they say."""

import cv2
import numpy as np
import pytest

from app.pipeline.crops.rectifying import rectify
from app.pipeline.engines.zxing import ZXing
from app.pipeline.qrcode.patterns import dimension, function_patterns, render
from app.pipeline.quad import side_length
from training.measure.many.beside import count_beside
from training.measure.many.kinds import KINDS
from training.measure.many.picture import Picture, PlacedCode
from training.measure.many.sets import pictures

COUNT = 8


def likeness(picture: Picture, code: PlacedCode) -> float:
    """Correlation of the crop at the true corners with the true symbol, without its quiet zone."""
    size = dimension(code.symbol.version)
    crop = rectify(picture.image, code.corners, size, margin=0)
    sign = -1 if "inverse" in code.traits else 1
    return sign * float(np.corrcoef(crop.ravel(), render(code.symbol.modules, pixels=4, quiet_zone=0).ravel())[0, 1])


@pytest.mark.parametrize("name", KINDS)
def test_the_symbol_is_where_its_corners_are(name: str) -> None:
    found = []
    for picture in pictures(name, count=COUNT):
        (code,) = picture.codes
        assert picture.image.dtype == np.uint8
        assert cv2.contourArea(code.corners.astype(np.float32), oriented=True) > 0
        assert 2.4 < side_length(code.corners) / dimension(code.symbol.version) < 13
        found.append(likeness(picture, code))
    assert np.median(found) > (0.2 if name in {"artistic", "halftone", "faint", "creased"} else 0.55)


@pytest.mark.parametrize("name", KINDS)
def test_pictures_depend_on_their_set_and_index_alone(name: str) -> None:
    whole = list(pictures(name, count=2))
    (second,) = pictures(name, start=1, count=1)
    assert np.array_equal(second.image, whole[1].image)
    assert whole[0].codes[0].symbol.payload != whole[1].codes[0].symbol.payload


@pytest.mark.parametrize("name", ["dark", "darksoft"])
def test_dark_pages_have_no_quiet_zone_in_either_polarity(name: str) -> None:
    polarities = set()
    for picture in pictures(name, count=6):
        (code,) = picture.codes
        inverse = "inverse" in code.traits
        polarities.add(inverse)
        ring = rectify(picture.image, code.corners, dimension(code.symbol.version), margin=2)[:4]
        assert bool(ring.mean() > 128) is inverse
    assert polarities == {False, True}


@pytest.mark.parametrize(("name", "low", "high"), [("logo", 0.06, 0.16), ("biglogo", 0.1, 0.2)])
def test_logos_take_their_share(name: str, low: float, high: float) -> None:
    """Of the modules that a logo hides, about half look wrong."""
    wrong = []
    for picture in pictures(name, count=12):
        (code,) = picture.codes
        assert code.symbol.level == "h"
        size = dimension(code.symbol.version)
        crop = rectify(picture.image, code.corners, size, margin=0)
        _, binary = cv2.threshold(crop, 0, 1, cv2.THRESH_BINARY_INV + cv2.THRESH_OTSU)
        dark = binary.reshape(size, 4, size, 4)[:, 1:3, :, 1:3].mean(axis=(1, 3)) > 0.5
        wrong.append(np.mean(dark != code.symbol.modules))
    assert low < np.mean(wrong) < high


def test_of_a_halftone_the_middles_of_modules_alone_are_true() -> None:
    """Of the label alone the middle cells, read pixel by pixel, are the symbol; the mean of a module says little."""
    for picture in pictures("halftone", count=12):
        (code,) = picture.codes
        size = dimension(code.symbol.version)
        if "export" not in code.traits:
            continue
        low, high = np.rint(code.corners.min(axis=0)).astype(int), np.rint(code.corners.max(axis=0)).astype(int)
        symbol = picture.image[low[1] : high[1], low[0] : high[0]]
        pixels = symbol.shape[0] // size
        modules = symbol.reshape(size, pixels, size, pixels)
        middle = modules[:, pixels // 2, :, pixels // 2] < 128
        assert np.array_equal(middle, code.symbol.modules)
        known = function_patterns(code.symbol.version).known
        assert np.mean((modules.mean(axis=(1, 3)) < 128)[~known] != code.symbol.modules[~known]) > 0.2


def test_cut_symbols_lose_one_to_five_columns() -> None:
    for picture in pictures("cut", count=12):
        (code,) = picture.codes
        height, width = picture.image.shape
        module = side_length(code.corners) / dimension(code.symbol.version)
        beyond = max(*(-code.corners.min(axis=0)), *(code.corners.max(axis=0) - (width, height))) / module
        lost = int(next(trait for trait in code.traits if trait.endswith("lost")).split()[0])
        assert beyond == pytest.approx(lost, abs=0.35)


def test_one_finder_pattern_is_gone() -> None:
    for picture in pictures("finder", count=COUNT):
        (code,) = picture.codes
        size = dimension(code.symbol.version)
        crop = rectify(picture.image, code.corners, size, margin=0)
        known = function_patterns(code.symbol.version)
        clean = render(known.dark, pixels=4, quiet_zone=0)
        fits = []
        for corner in (np.s_[:28, :28], np.s_[:28, -28:], np.s_[-28:, :28]):
            part = crop[corner].astype(np.float64)
            fits.append(float(np.corrcoef(part.ravel(), clean[corner].ravel())[0, 1]) if part.std() > 1 else 0.0)
        assert sorted(fits)[0] < 0.5 < 0.7 < sorted(fits)[1]


def test_faint_dots_are_faint() -> None:
    for picture in pictures("faint", count=COUNT):
        (code,) = picture.codes
        crop = rectify(picture.image, code.corners, dimension(code.symbol.version), margin=0).astype(np.float32)
        local = crop - cv2.blur(crop, (33, 33))
        assert np.quantile(local, 0.98) - np.quantile(local, 0.02) < 60


def test_engines_beside_are_counted_by_payload() -> None:
    zxing = ZXing()
    assert count_beside([zxing], pictures("blur64", count=4)) == {"zxing": 4}
    assert count_beside([zxing], pictures("finder", count=4))["zxing"] < 4
