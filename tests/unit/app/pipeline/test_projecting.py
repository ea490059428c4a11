"""Projections: colours that grey hides become plain, and pictures whose greys show as much have none."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from app.pipeline.engines.zxing import ZXing
from app.pipeline.imaging import Colours, GreyImage
from app.pipeline.projecting import Ink, find_ink, find_projection, find_shades, hides_square, is_textured
from tests.support.codes import qr_picture
from tests.support.colours import BLACK, PAIRS, PALE, WHITE, coloured, taken


def grey(picture: NDArray[np.uint8]) -> GreyImage:
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), np.uint8)


@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.parametrize("scale", [3, 6, 20])
def test_a_code_of_hidden_colours_is_read_along_its_projection(name: str, scale: int) -> None:
    picture = coloured("hidden", *PAIRS[name], scale=scale)
    projection = find_projection(picture)
    assert projection is not None
    shown = projection.apply(picture)
    assert np.ptp(shown) > 150
    (symbol,) = ZXing().read(shown)
    assert symbol.payload == b"hidden"


def test_modules_become_dark_on_light() -> None:
    for name in PAIRS:
        picture = coloured("hidden", *PAIRS[name])
        projection = find_projection(picture)
        assert projection is not None
        shown = projection.apply(picture)
        is_negative = name == "blue on black"  # there brightness tells
        assert (shown[0, 0] > 128) is not is_negative, name


def test_finder_patterns_of_another_colour() -> None:
    picture = coloured("hidden", (0, 0, 0), (255, 255, 255), finders=(59, 235, 255))
    assert ZXing().read(np.asarray(cv2.threshold(grey(picture), 128, 255, cv2.THRESH_BINARY)[1], np.uint8)) == []
    projection = find_projection(picture)
    assert projection is not None
    (symbol,) = ZXing().read(projection.apply(picture))
    assert symbol.payload == b"hidden"


@pytest.mark.parametrize("name", PALE)
def test_pale_finder_patterns_become_dark_and_modules_stay_darker(name: str) -> None:
    picture = taken(coloured("pale", BLACK, WHITE, finders=PALE[name], scale=8), angle=0, noise=1)
    ink = find_ink(picture)
    assert ink is not None
    assert ink.pale == pytest.approx(min(PALE[name]), abs=8)
    assert ink.paper > 245
    shown = ink.apply(np.array([[BLACK, PALE[name], WHITE]], np.uint8))[0]
    assert shown[0] == 0
    assert shown[1] == pytest.approx(90, abs=12)
    assert shown[2] > 230


def test_ink_of_several_colours_is_seen_at_once() -> None:
    colours = np.array([[(59, 235, 255), (255, 240, 120), (180, 180, 255)]], np.uint8)
    assert Ink(150.0, 250.0).apply(colours).max() < 150


@pytest.mark.parametrize(
    "picture",
    [
        cv2.cvtColor(qr_picture("plain"), cv2.COLOR_GRAY2BGR),
        coloured("plain", (0, 0, 120), (255, 255, 255)),
        coloured("plain", (120, 40, 0), (200, 240, 255)),
        np.random.default_rng(1).normal(128, 12, (400, 400, 3)).clip(0, 255).astype(np.uint8),
        np.full((300, 300, 3), (0, 0, 255), np.uint8),
        coloured("plain", (60, 60, 60), (140, 180, 255), finders=(90, 150, 255)),
        coloured("plain", (180, 0, 0), WHITE, finders=(0, 0, 200)),
        np.zeros((1, 1, 3), np.uint8),
        np.zeros((70, 63, 3), np.uint8),
    ],
    ids=[
        "grey",
        "dark red on white",
        "dark blue on cream",
        "noise",
        "flat",
        "brown paper",
        "dark finders",
        "one pixel",
        "narrow",
    ],
)
def test_pictures_that_grey_shows_as_well_have_none(picture: NDArray[np.uint8]) -> None:
    assert find_shades(picture, Colours.ALL) == []


def test_the_edge_of_a_coloured_thing_is_no_texture() -> None:
    picture = np.full((320, 320, 3), (0, 130, 0), np.uint8)
    cv2.circle(picture, (160, 160), 100, (0, 0, 255), -1)
    assert find_shades(picture, Colours.ALL) == []
    assert not is_textured(picture[:, :, 2])
    yellow = np.full((320, 320, 3), 255, np.uint8)
    cv2.circle(yellow, (160, 160), 100, (59, 235, 255), -1)
    assert find_shades(yellow, Colours.ALL) == []


@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.parametrize("angle", [0, 20, 45])
@pytest.mark.parametrize("scale", [4, 9])
def test_a_code_of_hidden_colours_is_a_square(name: str, angle: float, scale: int) -> None:
    picture = taken(coloured("hidden", *PAIRS[name], scale=scale), angle=angle, blur=scale / 4)
    assert hides_square(picture)
    assert len(find_shades(picture, Colours.SQUARES)) == len(find_shades(picture, Colours.ALL))


def test_a_line_of_hidden_colours_or_a_code_that_grey_shows_is_no_hidden_square() -> None:
    strip = np.hstack([coloured("hidden", *PAIRS["green on red"])[80:130]] * 3)
    picture = np.full((400, 700, 3), 255, np.uint8)
    picture[100:150, 50 : 50 + strip.shape[1]] = strip
    assert find_shades(picture, Colours.ALL)
    assert find_shades(picture, Colours.SQUARES) == []
    assert not hides_square(coloured("plain", (120, 40, 0), WHITE))


def test_opacity_that_varies_as_modules_do_is_texture() -> None:
    assert is_textured(qr_picture("plain"))
    assert is_textured(qr_picture("plain", scale=1)[4:-4, 4:-4])
    assert not is_textured(np.pad(np.full((20, 20), 255, np.uint8), 5))
    assert not is_textured(np.full((200, 200), 255, np.uint8))
    assert not is_textured(np.pad(np.full((200, 200), 255, np.uint8), 50))
