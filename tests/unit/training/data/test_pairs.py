import cv2
import numpy as np
import pytest
import torch
from numpy.random import Generator

from app.pipeline.crops.redrawing import module_means
from app.pipeline.qrcode.patterns import QUIET_ZONE, dimension, function_patterns
from training.data.crops import CropBatch
from training.data.degrade import Image, resize
from training.data.pairs import code_picture, pair, pair_batch
from training.data.published_degradations import (
    Augmentation,
    BlurOrNoise,
    PublishedDegradation,
    SecondOrderDegradation,
    blur,
)
from training.data.symbols import random_symbol
from training.measure.sets import samples


def reduce_only(clean: Image, rng: Generator, *, low: int) -> tuple[Image, Image]:
    return resize(clean, low), clean


def batch(seed: int, *, degradation: PublishedDegradation = reduce_only, **changes: int) -> CropBatch:
    plain = {"size": 3, "low": 32, "scale": 4, "max_version": 2}
    return pair_batch(np.random.default_rng(seed), degradation=degradation, **{**plain, **changes})


# --- pictures of codes ----------------------------------------------------------------------------------------------


def test_codes_fill_the_picture_with_their_quiet_zone() -> None:
    modules = random_symbol(np.random.default_rng(0), 2)
    picture = code_picture(modules, 3 * 33)
    assert np.allclose(picture, np.kron(1 - np.pad(modules, QUIET_ZONE), np.ones((3, 3))), atol=1e-6)


def test_pixels_are_the_means_of_their_areas() -> None:
    modules = random_symbol(np.random.default_rng(1), 1)
    exact = 1 - np.kron(np.pad(modules, QUIET_ZONE), np.ones((64, 64))).astype(np.float32)
    expected = cv2.resize(exact, (64, 64), interpolation=cv2.INTER_AREA)
    assert np.allclose(code_picture(modules, 64), expected, atol=1e-4)


def test_quiet_zones_and_shifts_are_in_modules() -> None:
    modules = np.ones((21, 21), dtype=np.bool_)
    picture = code_picture(modules, 240, quiet=1.5, shift=(0.5, -0.25))  # 10 px a module
    dark = picture < 0.5
    assert np.flatnonzero(dark.any(axis=1))[[0, -1]].tolist() == [20, 229]
    assert picture[100, 12] == pytest.approx(0.5)  # the left edge lies in the middle of a pixel
    assert picture[100, 13] == 0
    assert picture[100, 11] == 1


def test_codes_look_as_those_of_the_synthetic_sets() -> None:
    for sample in samples("lr32", count=3):
        clean = code_picture(sample.symbol.modules, 128)
        small = reduce_only(clean, np.random.default_rng(0), low=32)[0]
        assert np.abs(small * 255 - sample.image).max() < 2


# --- pairs ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("low", [32, 64])
def test_batches_are_shaped_as_documented(low: int) -> None:
    made = batch(0, low=low, degradation=BlurOrNoise())
    assert made.degraded.shape == (3, 1, low, low)
    assert made.clean.shape == (3, 1, 4 * low, 4 * low)
    assert made.dark is None
    assert made.inputs == (made.degraded,)
    for tensor in (made.degraded, made.clean):
        assert tensor.dtype == torch.float32
        assert float(tensor.min()) == 0
        assert float(tensor.max()) == 1


@pytest.mark.parametrize("scale", [2, 3])
def test_other_scales_are_other_sizes(scale: int) -> None:
    assert batch(0, scale=scale).clean.shape == (3, 1, 32 * scale, 32 * scale)


def test_batches_depend_on_the_seed_alone() -> None:
    first, same, other = (batch(seed, degradation=SecondOrderDegradation()) for seed in (4, 4, 5))
    assert torch.equal(first.degraded, same.degraded)
    assert torch.equal(first.clean, same.clean)
    assert not torch.equal(first.clean, other.clean)
    assert not torch.equal(first.clean[0], first.clean[1])


def test_systems_differ_in_their_degradation_alone() -> None:
    """The codes of a seed are the same whichever degradation follows: the first of a batch, before it draws."""
    plain, soft = (batch(6, size=1, degradation=degradation) for degradation in (reduce_only, blur))
    assert torch.equal(plain.clean, soft.clean)
    assert not torch.equal(plain.degraded, soft.degraded)


def test_degraded_pictures_are_normalised_as_the_service_does() -> None:
    """Brightness, then, is gone but for rounding and what it clipped."""
    dim = Augmentation(rotation=0, shear=0, zoom=0, brightness=(0.5, 0.5))
    bright = Augmentation(rotation=0, shear=0, zoom=0, brightness=(1.0, 1.0))
    one, other = (batch(7, degradation=kind) for kind in (dim, bright))
    assert torch.allclose(one.degraded, other.degraded, atol=0.01)


def test_clean_codes_are_codes_of_the_versions_allowed() -> None:
    rng = np.random.default_rng(8)
    for version in (1, 2, 4):
        for _ in range(6):
            clean = pair(rng, version=version, low=64, scale=4, degradation=reduce_only)[1]
            rows = np.flatnonzero((clean < 0.5).any(axis=1))
            columns = np.flatnonzero((clean < 0.5).any(axis=0))
            found = clean[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
            size = dimension(version)
            module = found.shape[0] / size
            whole = cv2.resize(found, (4 * size, 4 * size), interpolation=cv2.INTER_AREA)
            padded = np.pad(whole, 4 * QUIET_ZONE, constant_values=1)
            dark = module_means(np.rint(padded * 255).astype(np.uint8), version)[4:-4, 4:-4] < 128
            patterns = function_patterns(version)
            assert np.array_equal(dark[patterns.known], patterns.dark[patterns.known])
            assert 256 / (size + 8) - 0.2 < module < 256 / (size + 4) + 0.2


def test_versions_come_from_one_to_the_highest_small_ones_more_often(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[int] = []

    def watched(rng: np.random.Generator, version: int) -> np.ndarray:
        drawn.append(version)
        return random_symbol(rng, version)

    monkeypatch.setattr("training.data.pairs.random_symbol", watched)
    batch(9, size=300, max_version=4)
    assert set(drawn) == {1, 2, 3, 4}
    assert drawn.count(1) > drawn.count(4)


def test_small_pictures_lie_where_their_targets_do() -> None:
    made = batch(10, size=12, degradation=BlurOrNoise(), low=64)
    for degraded, clean in zip(made.degraded[:, 0].numpy(), made.clean[:, 0].numpy(), strict=True):
        small = cv2.resize(clean, (64, 64), interpolation=cv2.INTER_AREA)
        at_place = np.corrcoef(degraded.ravel(), small.ravel())[0, 1]
        for moved in (np.roll(small, 1, axis=0), np.roll(small, -1, axis=0), np.roll(small, 1, axis=1)):
            assert at_place > np.corrcoef(degraded.ravel(), moved.ravel())[0, 1]


# --- crops ----------------------------------------------------------------------------------------------------------


def test_crops_are_parts_of_both_pictures() -> None:
    made = batch(11, low=64, crop=24, size=8, degradation=reduce_only)
    assert made.degraded.shape == (8, 1, 24, 24)
    assert made.clean.shape == (8, 1, 96, 96)
    for degraded, clean in zip(made.degraded[:, 0].numpy(), made.clean[:, 0].numpy(), strict=True):
        small = cv2.resize(clean, (24, 24), interpolation=cv2.INTER_AREA)
        assert np.corrcoef(degraded.ravel(), small.ravel())[0, 1] > 0.99


def test_crops_lie_anywhere_in_the_code() -> None:
    """Some reach into the quiet zone on each side, some lie within the symbol."""
    touched = []
    for seed in range(60):
        clean = batch(seed, low=64, crop=32, size=1).clean[0, 0]
        touched.append([bool((line == 1).all()) for line in (clean[0], clean[-1], clean[:, 0], clean[:, -1])])
    counts = np.sum(touched, axis=0)
    assert all(5 < count < 40 for count in counts)
    assert [False] * 4 in touched


def test_a_crop_sees_what_the_whole_picture_would_show_it() -> None:
    """The halo: a constant degradation gives the crop the same pixels, border included."""
    (whole, clean), (part, target) = (
        pair(np.random.default_rng(12), version=1, low=96, scale=4, degradation=_soft, crop=crop) for crop in (None, 48)
    )
    places = [
        (row, column)
        for row in range(49)
        for column in range(49)
        if np.array_equal(clean[4 * row : 4 * row + 192, 4 * column : 4 * column + 192], target)
    ]
    assert len(places) == 1
    row, column = places[0]
    assert np.abs(whole[row : row + 48, column : column + 48] - part).max() < 0.02


def _soft(clean: np.ndarray, rng: np.random.Generator, *, low: int) -> tuple[np.ndarray, np.ndarray]:
    return cv2.resize(cv2.GaussianBlur(clean, (11, 11), 1.6), (low, low), interpolation=cv2.INTER_AREA), clean


def test_a_crop_must_fit() -> None:
    assert batch(13, low=32, crop=32).degraded.shape == (3, 1, 32, 32)
    with pytest.raises(ValueError, match="40 px does not fit"):
        batch(13, low=32, crop=40)
