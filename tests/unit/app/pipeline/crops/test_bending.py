"""The bend of a crop is found from its modules, by a polynomial where it is smooth and locally where it is creased."""

from collections.abc import Callable

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from app.pipeline.crops.bending import LONGEST_FLOW, Field, fit_locally, fit_polynomial, flow, resemblance
from app.pipeline.crops.rectifying import PIXELS_PER_MODULE
from app.pipeline.imaging import GreyImage
from app.pipeline.qrcode.patterns import QUIET_ZONE, render
from training.data.corpus import corpus
from training.data.symbols import EncodedSymbol

MARGIN = QUIET_ZONE * PIXELS_PER_MODULE
INNER = np.s_[MARGIN:-MARGIN, MARGIN:-MARGIN]
Bend = Callable[[NDArray[np.float32]], NDArray[np.float32]]


def symbol() -> EncodedSymbol:
    return next(one for one in corpus("short") if one.version == 4 and one.level == "m")


def bow(across: NDArray[np.float32]) -> NDArray[np.float32]:
    """0 at both edges, 1 in the middle, smooth."""
    return np.sin(np.pi * across)


def fold(across: NDArray[np.float32]) -> NDArray[np.float32]:
    """0 at both edges, 1 at a crease in the middle."""
    return 1 - np.abs(2 * across - 1)


def shown(bend: Bend, amplitude: float) -> tuple[GreyImage, NDArray[np.float32], Field]:
    """A soft crop of the symbol bent along one axis by up to ``amplitude`` pixels, its modules, and what straightens
    it."""
    picture = render(symbol().modules, pixels=PIXELS_PER_MODULE)
    side = picture.shape[0]
    y, x = np.mgrid[0:side, 0:side].astype(np.float32)
    shift = (amplitude * bend(x / side)).astype(np.float32)
    crop = cv2.remap(picture, x, y - shift, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    soft = np.asarray(cv2.GaussianBlur(crop, (0, 0), 1.0), np.uint8)
    return soft, symbol().modules.astype(np.float32), np.stack([np.zeros_like(shift), shift], axis=-1)


def error(found: Field, truth: Field) -> float:
    """Mean pixels within the symbol."""
    assert found.shape == truth.shape
    return float(np.abs(found - truth)[INNER].mean())


@pytest.mark.parametrize("amplitude", [-2.0, 1.0, 2.0])
@pytest.mark.parametrize("is_local", [False, True])
def test_bend_is_found(amplitude: float, *, is_local: bool) -> None:
    crop, dark, truth = shown(bow, amplitude)
    field, weight = flow(crop, dark, 4)
    found = fit_locally(field, weight, 3.0) if is_local else fit_polynomial(field, weight, 2)
    assert error(found, truth) < 0.35 * abs(amplitude)


@pytest.mark.parametrize("is_local", [False, True])
def test_a_flat_code_stays_flat(*, is_local: bool) -> None:
    crop, dark, _ = shown(bow, 0.0)
    field, weight = flow(crop, dark, 4)
    found = fit_locally(field, weight, 2.0) if is_local else fit_polynomial(field, weight, 4)
    assert np.abs(found[INNER]).max() < 0.25


def test_a_local_fit_follows_a_crease_that_a_polynomial_rounds_off() -> None:
    crop, dark, truth = shown(fold, 2.0)
    side = truth.shape[0]
    weight = np.ones((side, side), dtype=np.float32)
    crease = np.s_[MARGIN:-MARGIN, side // 2 - PIXELS_PER_MODULE : side // 2 + PIXELS_PER_MODULE]
    missed = {
        name: float(np.abs(found - truth)[crease].mean())
        for name, found in (
            ("polynomial", fit_polynomial(truth, weight, 4)),
            ("local", fit_locally(truth, weight, 1.0)),
        )
    }
    assert missed["local"] < 0.7 * missed["polynomial"]
    assert error(fit_locally(*flow(crop, dark, 4), 2.0), truth) < 0.35 * 2.0


def test_a_fit_reaches_into_what_is_not_read() -> None:
    truth = np.zeros((132, 132, 2), dtype=np.float32)
    truth[..., 1] = np.linspace(-1.5, 1.5, 132, dtype=np.float32)[None, :]
    weight = np.ones((132, 132), dtype=np.float32)
    weight[:, 60:72] = 0
    found = fit_locally(truth, weight, 2.0)
    assert np.abs(found - truth)[20:-20, 60:72].max() < 0.3


def test_fits_are_clipped() -> None:
    field = np.full((132, 132, 2), 9.0, dtype=np.float32)
    weight = np.ones((132, 132), dtype=np.float32)
    for found in (fit_polynomial(field, weight, 2), fit_locally(field, weight, 2.0)):
        assert np.abs(found).max() <= LONGEST_FLOW


def test_what_does_not_show_the_symbol_does_not_resemble_it() -> None:
    crop, dark, _ = shown(bow, 0.0)
    spoiled = crop.copy()
    half = spoiled.shape[0] // 2
    spoiled[:half] = np.random.default_rng(0).integers(0, 256, spoiled[:half].shape)
    found = resemblance(spoiled, dark, 4)
    assert found[half + MARGIN : -MARGIN, MARGIN:-MARGIN].mean() > 0.8
    assert found[MARGIN : half - MARGIN, MARGIN:-MARGIN].mean() < 0.4
