"""A true reading explains even pictures whose patterns are lost; readings of textures explain nothing."""

import cv2
import numpy as np
import pytest
from numpy.random import Generator

from app.pipeline.crops.plausibility import explained_correlation
from app.pipeline.crops.rectifying import rectify
from app.pipeline.imaging import GreyImage
from app.pipeline.locating.registering import register
from app.pipeline.qrcode.log_odds import probability
from app.pipeline.qrcode.patterns import QUIET_ZONE, dimension, render
from tests.support.codes import Modules, square_at
from tests.support.fakes import mean_reading
from training.data import degrade
from training.data.symbols import random_symbol

PIXELS = 8
BELIEVED = 0.6
"""From where a region believes a read that the known patterns do not vouch for."""


def made(version: int, seed: int) -> tuple[Generator, Modules]:
    rng = np.random.default_rng(100 * version + seed)
    return rng, random_symbol(rng, version)


def moved(modules: Modules, rng: Generator, length: float) -> GreyImage:
    """A picture of the symbol under motion blur of ``length`` modules and slight noise."""
    picture = 0.2 + 0.6 * render(modules, pixels=PIXELS).astype(np.float32) / 255
    if length:
        picture = degrade.convolve(picture, degrade.motion_kernel(rng, length=length * PIXELS))
    picture = degrade.noise(picture, rng, sigma=0.02)
    return np.rint(255 * picture).astype(np.uint8)


def place(version: int) -> np.ndarray:
    return square_at(QUIET_ZONE * PIXELS, QUIET_ZONE * PIXELS, dimension(version) * PIXELS)


def crop_of(picture: GreyImage, version: int, supposed: int | None = None) -> GreyImage:
    return rectify(picture, place(version), dimension(supposed or version))


def believed(modules: Modules) -> np.ndarray:
    return modules.astype(np.float32)


@pytest.mark.parametrize(("length", "least"), [(0, 0.98), (4, 0.92), (7, 0.88)])
@pytest.mark.parametrize("version", [2, 5, 10])
def test_the_truth_explains_a_blurred_code(version: int, length: float, least: float) -> None:
    for seed in range(3):
        rng, modules = made(version, seed)
        crop = crop_of(moved(modules, rng, length), version)
        assert explained_correlation(crop, believed(modules), version) > least
        tenth_wrong = modules ^ (rng.random(modules.shape) < 0.1)
        assert explained_correlation(crop, believed(tenth_wrong), version) > 0.8


def test_it_holds_where_agreement_with_the_patterns_fails() -> None:
    explanations, agreements = [], []
    for seed in range(6):
        rng, modules = made(2, seed)
        picture = moved(modules, rng, 10.0)
        found = [one.agreement for one in register(picture, place(2), dimension(2)) if one.version == 2]
        agreements.append(max(found, default=0.0))
        explanations.append(explained_correlation(crop_of(picture, 2), believed(modules), 2))
    assert min(explanations) > 0.8
    assert max(agreements) < 0.7
    assert np.median(agreements) < 0.55


def test_uncertain_modules_count_for_less_than_wrong_ones() -> None:
    rng, modules = made(3, 0)
    crop = crop_of(moved(modules, rng, 5.0), 3)
    unsure = rng.random(modules.shape) < 0.25
    hedged = explained_correlation(crop, np.where(unsure, 0.5, modules).astype(np.float32), 3)
    wrong = explained_correlation(crop, believed(modules ^ unsure), 3)
    assert hedged > wrong + 0.02
    assert explained_correlation(crop, believed(modules), 3) > hedged


def test_light_that_varies_over_the_code_does_not_matter() -> None:
    rng, modules = made(5, 1)
    crop = crop_of(moved(modules, rng, 4.0), 5)
    shaded = (crop * np.linspace(0.3, 1, crop.shape[1])).astype(np.uint8)
    even, uneven = (explained_correlation(one, believed(modules), 5) for one in (crop, shaded))
    assert uneven > even - 0.1


def test_polarity_is_left_to_the_caller() -> None:
    """The fitted kernel may be negative, so a crop that is still inverted is explained as well."""
    rng, modules = made(4, 0)
    crop = crop_of(moved(modules, rng, 3.0), 4)
    assert explained_correlation(~crop, believed(modules), 4) == pytest.approx(
        explained_correlation(crop, believed(modules), 4), abs=0.01
    )
    assert explained_correlation(~crop, believed(~modules), 4) < 0.3


# --- what is no code ------------------------------------------------------------------------------------------------


def fine_noise(rng: Generator, side: int) -> GreyImage:
    return rng.integers(0, 256, (side, side), dtype=np.uint8)


def soft_noise(rng: Generator, side: int) -> GreyImage:
    soft = cv2.GaussianBlur(rng.normal(128, 400, (side, side)).astype(np.float32), (0, 0), 3)
    return np.clip(soft, 0, 255).astype(np.uint8)


def other_matrix(rng: Generator, side: int) -> GreyImage:
    """Random modules of the same size without function patterns."""
    cells = (rng.random((side // 4 + 1,) * 2) < 0.5).astype(np.uint8) * 200 + 20
    return np.kron(cells, np.ones((4, 4), np.uint8))[:side, :side]


def text(rng: Generator, side: int) -> GreyImage:
    picture = np.full((side, side), 230, np.uint8)
    for y in range(14, side, 16):
        letters = "".join(chr(code) for code in rng.integers(33, 123, 30))
        cv2.putText(picture, letters, (0, y), cv2.FONT_HERSHEY_SIMPLEX, 0.5, 20, 1, cv2.LINE_AA)
    return picture


def board(rng: Generator, side: int) -> GreyImage:
    along = np.arange(side) // 6 % 2
    return np.asarray((along[:, None] ^ along) * 200 + 20, np.uint8)


@pytest.mark.parametrize(
    ("texture", "most"), [(fine_noise, 0.2), (soft_noise, 0.4), (other_matrix, 0.3), (text, 0.2), (board, 0.45)]
)
@pytest.mark.parametrize("version", [1, 2, 5])
def test_readings_of_textures_explain_nothing(version: int, texture, most: float) -> None:
    """Even though the modules come from the crop and fit it well."""
    for seed in range(2):
        rng = np.random.default_rng(seed)
        crop = texture(rng, 4 * (dimension(version) + 2 * QUIET_ZONE))
        log_odds = mean_reading(crop, version)
        assert explained_correlation(crop, probability(log_odds), version) < most
        assert explained_correlation(crop, believed(log_odds > 0), version) < most
        assert explained_correlation(crop, believed(random_symbol(rng, version)), version) < most
    assert most < BELIEVED - 0.1


def test_flat_crops_are_explained_by_nothing() -> None:
    crop = np.full((132, 132), 90, np.uint8)
    assert explained_correlation(crop, np.full((25, 25), 0.5, np.float32), 2) == pytest.approx(0, abs=1e-3)
    assert explained_correlation(crop, believed(made(2, 0)[1]), 2) == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize("step", [-2, -1, 1, 2])
@pytest.mark.parametrize("version", [3, 5])
def test_readings_of_another_version_are_implausible(version: int, step: int) -> None:
    for seed in range(3):
        rng, modules = made(version, seed)
        supposed = version + step
        crop = crop_of(moved(modules, rng, 3.0), version, supposed)
        assert explained_correlation(crop, probability(mean_reading(crop, supposed)), supposed) < BELIEVED - 0.1


def test_a_code_is_not_explained_by_another_code_nor_by_itself_turned() -> None:
    others, turned = [], []
    for seed in range(8):
        rng, modules = made(5, seed)
        crop = crop_of(moved(modules, rng, 4.0), 5)
        others.append(explained_correlation(crop, believed(random_symbol(rng, 5)), 5))
        turned.append(explained_correlation(np.ascontiguousarray(np.rot90(crop)), believed(modules), 5))
        mirrored = np.ascontiguousarray(crop.T)  # mirrored codes are codes
        assert explained_correlation(mirrored, believed(modules.T), 5) > 0.9
    for explanations in (others, turned):
        assert max(explanations) < BELIEVED
        assert np.median(explanations) < 0.4
