"""Registration of Micro QR codes: which version lies where around a finder pattern."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from app.pipeline.imaging import GreyImage
from app.pipeline.locating.micro import LEAST_AGREEMENT, MicroPlace, micro_side, register_micro
from app.pipeline.locating.surroundings import Surroundings
from app.pipeline.quad import square
from tests.support.micro_codes import micro_modules, micro_picture
from tests.support.surroundings import blots, surroundings

CODES = {"M1": "12345", "M2": "AB12C", "M3": "LOT 4711", "M4": "part 0815 b"}
PIXELS = 6


def photograph(version: str, *, blur: float, turn: float = 0.0) -> GreyImage:
    modules = micro_modules(version, None if version == "M1" else "L", CODES[version])
    return micro_picture(modules, pixels=PIXELS, blur=blur, noise=5, turn=turn)


def truth(picture: GreyImage, version: str, turn: float) -> NDArray[np.float64]:
    """The corners of the code in the middle of a picture, turned counter-clockwise by degrees."""
    side, angle = micro_side(version), np.deg2rad(turn)
    turned = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return np.asarray((square(side) - side / 2) * PIXELS @ turned + len(picture) / 2, dtype=np.float64)


def best(picture: GreyImage) -> MicroPlace:
    """The best place at the strongest finder pattern."""
    return register_micro(picture, surroundings(picture)[0])[0]


@pytest.mark.parametrize("turn", [0, 3, 33, 90, 135, 178, 270])
@pytest.mark.parametrize("blur", [0.05, 0.35, 0.6])
@pytest.mark.parametrize("version", CODES)
def test_corners_are_found_within_half_a_module(version: str, blur: float, turn: float) -> None:
    picture = photograph(version, blur=blur, turn=turn)
    place = best(picture)
    assert (place.version, place.inverted) == (version, False)
    assert np.abs(place.corners - truth(picture, version, turn)).max() < PIXELS / 2
    assert place.module == pytest.approx(PIXELS, rel=0.03)


@pytest.mark.parametrize("version", CODES)
def test_sharp_codes_agree_as_well_as_blurred_ones(version: str) -> None:
    for blur in (0.05, 0.6):
        assert best(photograph(version, blur=blur, turn=2)).agreement > LEAST_AGREEMENT + 0.05


@pytest.mark.parametrize("version", CODES)
def test_a_slight_perspective_is_followed(version: str) -> None:
    picture = photograph(version, blur=0.4)
    side = len(picture)
    towards = np.array([[0, 0.03], [1, 0], [0.95, 1], [0.04, 0.96]], dtype=np.float32) * side
    matrix = cv2.getPerspectiveTransform(square(side).astype(np.float32), towards)
    tilted = cv2.warpPerspective(picture, matrix, (side, side), borderMode=cv2.BORDER_REPLICATE)
    expected = cv2.perspectiveTransform(truth(picture, version, 0)[None], matrix)[0]
    place = best(np.asarray(tilted, dtype=np.uint8))
    assert place.version == version
    assert np.abs(place.corners - expected).max() < 0.7 * PIXELS


def test_light_on_dark_is_told() -> None:
    place = best(np.bitwise_not(photograph("M3", blur=0.5)))
    assert (place.version, place.inverted) == ("M3", True)


def test_whatever_a_picture_shows_is_survived() -> None:
    """Noise and blots, at their edges and beyond: no error and no warning."""
    rng = np.random.default_rng(5)
    for picture, finder in blots(rng, 60):
        around = Surroundings.of(picture, finder)
        places = register_micro(picture, around) if around else []
        assert all(place.agreement >= LEAST_AGREEMENT for place in places)
