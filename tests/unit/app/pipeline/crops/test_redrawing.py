import numpy as np
import pytest

from app.pipeline.crops.redrawing import clean_symbol, module_means, repaint_quiet_zone
from app.pipeline.qrcode.patterns import dimension, function_patterns, render
from tests.support.codes import Modules, encode

SYMBOL = encode("grid", version=2)


def shades(version: int) -> Modules:
    size = dimension(version) + 8
    return np.random.default_rng(0).integers(0, 256, (size, size))


def test_module_means_are_of_each_modules_inner_half() -> None:
    grey = shades(2)
    crop = np.kron(grey, np.ones((4, 4))).astype(np.uint8)
    crop[::4], crop[3::4], crop[:, ::4], crop[:, 3::4] = 0, 0, 0, 0  # rims belong to neighbours as much
    assert np.array_equal(module_means(crop, 2), grey)


def test_module_means_average_what_is_inside() -> None:
    crop = np.zeros((29 * 4, 29 * 4), np.uint8)
    crop[1, 1], crop[2, 2] = 100, 50
    means = module_means(crop, 1)
    assert means[0, 0] == 37.5
    assert means.sum() == 37.5


@pytest.mark.parametrize("local", [False, True])
@pytest.mark.parametrize("pixels", [3, 4, 16])
def test_a_clean_symbol_is_unchanged(local: bool, pixels: int) -> None:
    drawn = clean_symbol(render(SYMBOL, pixels=16), 2, local=local, pixels=pixels)
    assert np.array_equal(drawn, render(SYMBOL, pixels=pixels))


def test_padding_behind_the_symbol_is_ignored() -> None:
    padded = np.pad(render(SYMBOL, pixels=4), ((0, 3), (0, 3)))
    assert np.array_equal(clean_symbol(padded, 2, local=False, pixels=4), render(SYMBOL, pixels=4))


def test_local_level_follows_shading_that_a_fixed_one_does_not() -> None:
    clean = render(SYMBOL, pixels=4)
    light = np.linspace(0.25, 1, clean.shape[1])
    shaded = np.rint((40 + clean * (180 / 255)) * light).astype(np.uint8)
    assert np.array_equal(clean_symbol(shaded, 2, local=True, pixels=4), clean)
    assert not np.array_equal(clean_symbol(shaded, 2, local=False, pixels=4), clean)


@pytest.mark.parametrize("grey", [0, 255])
def test_function_patterns_are_those_of_the_standard(grey: int) -> None:
    drawn = clean_symbol(np.full((33 * 4, 33 * 4), grey, np.uint8), 2, local=False, pixels=1)
    dark = drawn[4:-4, 4:-4] == 0
    patterns = function_patterns(2)
    assert np.array_equal(dark[patterns.known], patterns.dark[patterns.known])
    assert (dark[~patterns.known] == (grey == 0)).all()
    assert (drawn[:4] == 255).all()


def test_with_quiet_zone_paints_the_margin_as_light_as_the_lightest_parts() -> None:
    crop = (render(SYMBOL, pixels=4) * 0.5 + 60).astype(np.uint8)
    expected = crop.copy()
    crop[:16] = crop[-16:] = 5
    crop[:, :16] = crop[:, -16:] = 9
    assert np.array_equal(repaint_quiet_zone(crop, 2), expected)
