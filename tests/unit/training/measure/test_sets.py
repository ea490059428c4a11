import itertools

import numpy as np
import pytest
from numpy.typing import NDArray

from app.pipeline.crops.rectifying import rectify
from app.pipeline.crops.redrawing import clean_symbol
from app.pipeline.engines.zxing import ZXing
from app.pipeline.locating.registering import register
from app.pipeline.qrcode.patterns import dimension, render
from app.pipeline.quad import side_length
from training.data.corpus import corpus
from training.measure.sets import SETS, VALIDATION, Sample, samples

SHAPES = {
    "qrdata": (512, 512),
    "jpeg10": (128, 128),
    "blur64": (64, 64),
    "noise64": (64, 64),
    "lr32": (32, 32),
    "scene": (960, 1280),
}
STEPS = ((1, 0), (0, 1), (-1, 0), (0, -1))


def likeness(sample: Sample, corners: NDArray[np.float64]) -> float:
    """Correlation of the crop at ``corners`` with the true symbol."""
    crop = rectify(sample.image, corners, dimension(sample.symbol.version))
    return float(np.corrcoef(crop.ravel(), render(sample.symbol.modules, pixels=4).ravel())[0, 1])


def test_every_set_is_held_to_account() -> None:
    assert set(SHAPES) == set(SETS)


@pytest.mark.parametrize("name", SETS)
def test_samples_are_the_same_each_time_and_by_their_index(name: str) -> None:
    whole = list(samples(name, count=3))
    (third,) = samples(name, start=2, count=1)
    assert np.array_equal(third.image, whole[2].image)
    assert np.array_equal(third.corners, whole[2].corners)
    assert third.symbol.payload == whole[2].symbol.payload
    for sample in whole:
        assert sample.image.dtype == np.uint8
        assert sample.image.shape == SHAPES[name]
        assert sample.corners.shape == (4, 2)
    for one, other in itertools.combinations(whole, 2):
        assert not np.array_equal(one.image, other.image)


def test_choosing_and_measuring_never_share_a_picture() -> None:
    """The symbols come round again, what happens to them does not."""
    chosen = next(iter(samples("noise64", start=VALIDATION + 100, count=1)))
    measured = next(iter(samples("noise64", count=1)))
    assert chosen.symbol.payload == measured.symbol.payload
    assert not np.array_equal(chosen.image, measured.image)


@pytest.mark.parametrize("name", SETS)
def test_the_symbol_lies_at_its_corners(name: str) -> None:
    for sample in samples(name, count=8):
        module = side_length(sample.corners) / dimension(sample.symbol.version)
        at_place = likeness(sample, sample.corners)
        assert at_place > 0.5
        beside = [likeness(sample, sample.corners + module * np.array(step)) for step in STEPS]
        assert max(beside) < at_place
        assert np.mean(beside) < at_place - 0.15


@pytest.mark.parametrize(("name", "least"), [("jpeg10", 8), ("blur64", 8), ("noise64", 8), ("scene", 2)])
def test_redrawn_at_its_corners_the_symbol_decodes(name: str, least: int) -> None:
    reader, decoded = ZXing(), 0
    for sample in samples(name, count=8):
        version = sample.symbol.version
        crop = rectify(sample.image, sample.corners, dimension(version))
        read = reader.read(clean_symbol(crop, version, local=True, pixels=4))
        decoded += any(symbol.payload == sample.symbol.payload for symbol in read)
    assert decoded >= least


@pytest.mark.parametrize("name", ["jpeg10", "blur64", "noise64", "scene"])
def test_corners_are_true_to_a_fraction_of_a_pixel(name: str) -> None:
    """Registration errs to all sides alike, so its mean offset tells whether the corners themselves are off."""
    offsets = []
    for sample in samples(name, count=16):
        found = register(sample.image, sample.corners, dimension(sample.symbol.version))
        if found and found[0].version == sample.symbol.version and found[0].agreement > 0.8:
            offsets.append((found[0].corners - sample.corners).mean(axis=0))
    assert len(offsets) >= 8
    assert np.abs(np.median(offsets, axis=0)).max() < 0.2


def test_low_resolution_is_about_a_pixel_a_module() -> None:
    for sample in samples("lr32", count=6):
        assert sample.symbol.version <= 2
        assert 0.9 < side_length(sample.corners) / dimension(sample.symbol.version) < 1.2


def test_pools_are_gone_through_in_order() -> None:
    payloads = [sample.symbol.payload for sample in samples("jpeg10", start=299, count=3)]
    pool = corpus("long")
    assert payloads == [pool[299].payload, pool[0].payload, pool[1].payload]
