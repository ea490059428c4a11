"""Pictures of many codes hold what their labels say, where they say it."""

import itertools
from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray

from app.pipeline.crops.rectifying import rectify
from app.pipeline.crops.redrawing import clean_symbol
from app.pipeline.engines.zxing import ZXing
from app.pipeline.qrcode.patterns import QUIET_ZONE, dimension, render
from app.pipeline.quad import Quad, homography, side_length
from training.data.labels import transform
from training.measure.many.kinds import KINDS
from training.measure.many.micro import MICRO_SETS
from training.measure.many.pallet import HEIGHT, MODULE, WIDTH
from training.measure.many.picture import Picture, PlacedCode
from training.measure.many.rectangular import RECTANGULAR_SETS
from training.measure.many.sets import MANY_SETS, NAMES, pictures
from training.measure.sets import SETS, samples

CODES = {
    "pallet": [10, 18],
    "sheet": [64, 100, 144],
    "clean": [100, 196, 250],
    "clean40": [12],
    "page": [7, 7],
    "distant": [120],
    "strips": [50],
    "pair": [2, 2],
}


@cache
def first(name: str) -> Picture:
    return next(pictures(name, count=1))


def module_of(code: PlacedCode) -> float:
    return side_length(code.corners) / dimension(code.symbol.version)


def likeness(picture: Picture, code: PlacedCode, corners: NDArray[np.float64]) -> float:
    """Correlation of the crop at ``corners`` with the true symbol, negative for inverse labels."""
    crop = rectify(picture.image, corners, dimension(code.symbol.version))
    return float(np.corrcoef(crop.ravel(), render(code.symbol.modules, pixels=4).ravel())[0, 1])


def with_quiet_zone(code: PlacedCode) -> Quad:
    modules = dimension(code.symbol.version)
    low, high = -QUIET_ZONE, modules + QUIET_ZONE
    frame = np.array([[low, low], [high, low], [high, high], [low, high]], dtype=np.float64)
    return Quad.of(transform(frame, homography(code.corners, modules)))


def test_every_set_is_held_to_account() -> None:
    assert set(CODES) == set(MANY_SETS)
    assert (*MANY_SETS, *KINDS, *MICRO_SETS, *RECTANGULAR_SETS, *SETS) == NAMES


@pytest.mark.parametrize("name", MANY_SETS)
def test_numbers_of_codes(name: str) -> None:
    assert [len(picture.codes) for picture in pictures(name, count=len(CODES[name]))] == CODES[name]


@pytest.mark.parametrize("name", MANY_SETS)
def test_pictures_are_the_same_each_time_and_by_their_index(name: str) -> None:
    whole = list(pictures(name, count=2))
    (second,) = pictures(name, start=1, count=1)
    assert np.array_equal(second.image, whole[1].image)
    for code, other in zip(second.codes, whole[1].codes, strict=True):
        assert code.symbol.payload == other.symbol.payload
        assert np.array_equal(code.corners, other.corners)
    assert {code.symbol.payload for code in whole[0].codes} != {code.symbol.payload for code in whole[1].codes}
    assert whole[0].image.dtype == np.uint8


@pytest.mark.parametrize("name", MANY_SETS)
def test_payloads_tell_the_codes_of_a_picture_apart(name: str) -> None:
    codes = first(name).codes
    assert len({code.symbol.payload for code in codes}) == len(codes)


@pytest.mark.parametrize("name", MANY_SETS)
def test_labels_lie_inside_and_overlap_no_other(name: str) -> None:
    picture = first(name)
    height, width = picture.image.shape
    labels = [with_quiet_zone(code) for code in picture.codes]
    for label in labels:
        assert label.array.min() > -0.5
        assert (label.array < (width + 0.5, height + 0.5)).all()
    near = 0.03 if name == "strips" else 1e-4  # a plane through the corners of a curved label is not its paper
    assert all(one.overlap(other) <= near for one, other in itertools.combinations(labels, 2))


@pytest.mark.parametrize("name", MANY_SETS)
def test_the_symbols_lie_at_their_corners(name: str) -> None:
    """Clockwise from their own top left: no shift by a module and no turn fits better."""
    picture = first(name)
    reach = 3 if name == "strips" else 1  # modules between curved corners are off by more than one
    for code in picture.codes[:: max(1, len(picture.codes) // 12)]:
        sign = -1 if "inverse" in code.traits else 1
        at_place = sign * likeness(picture, code, code.corners)
        assert at_place > 0.4
        module = module_of(code)
        beside = [code.corners + reach * module * np.array(step) for step in ((1, 0), (0, 1), (-1, 0), (0, -1))]
        turned = [np.roll(code.corners, steps, axis=0) for steps in (1, 2, 3)]
        assert max(sign * likeness(picture, code, corners) for corners in beside + turned) < at_place


@pytest.mark.parametrize(("name", "least"), [("pallet", 6), ("sheet", 12), ("clean", 12), ("distant", 12), ("page", 5)])
def test_redrawn_at_their_corners_symbols_decode(name: str, least: int) -> None:
    reader, picture, decoded = ZXing(), first(name), 0
    for code in picture.codes[:: max(1, len(picture.codes) // 12)][:12]:
        version = code.symbol.version
        image = 255 - picture.image if "inverse" in code.traits else picture.image
        crop = rectify(image, code.corners, dimension(version))
        read = reader.read(clean_symbol(crop, version, local=True, pixels=4))
        decoded += any(symbol.payload == code.symbol.payload for symbol in read)
    assert decoded >= least


def test_pallets_mix_sizes_and_degradations() -> None:
    traits: set[str] = set()
    for picture in pictures("pallet", count=4):
        assert picture.image.shape == (HEIGHT, WIDTH)
        assert 10 <= len(picture.codes) <= 25
        modules = [module_of(code) for code in picture.codes]
        assert 0.85 * MODULE[0] < min(modules) < max(modules) < 1.15 * MODULE[1]
        assert max(modules) > 1.3 * min(modules)
        traits.update(trait for code in picture.codes for trait in code.traits)
    assert traits == {"sharp", "defocus", "motion", "soft", "dots", "dark paper", "inverse", "glare"}


def test_modules_of_the_sheets() -> None:
    assert all(abs(module_of(code) - 4) < 0.3 for code in first("sheet").codes)
    assert all(module_of(code) == 4 and code.symbol.version == 2 for code in first("clean").codes)
    assert all(module_of(code) == 2 and code.symbol.version == 40 for code in first("clean40").codes)
    assert all(abs(module_of(code) - 3) < 0.2 for code in first("distant").codes)
    assert all(22 < side_length(code.corners) < 32 for code in first("page").codes)  # 8 mm at 72-100 dpi


def test_sets_of_one_code_are_pictures_too() -> None:
    (sample,), (picture,) = samples("scene", start=3, count=1), pictures("scene", start=3, count=1)
    (code,) = picture.codes
    assert np.array_equal(picture.image, sample.image)
    assert np.array_equal(code.corners, sample.corners)
    assert code.symbol.payload == sample.symbol.payload


def test_unknown_sets_are_refused() -> None:
    with pytest.raises(KeyError):
        next(pictures("palette", count=1))
