"""The coarse pass leaves out windows that show nothing new: flat ones, and those whose texture was read already."""

from dataclasses import dataclass, field

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from app.models.contract import MAPS, STRIDE
from app.pipeline.imaging import GreyImage
from app.pipeline.inference.window_locator import LEAST_SIDE, Levels, WindowLocator, texture
from app.pipeline.qrcode.patterns import render
from app.pipeline.quad import Quad
from tests.support.codes import encode, photograph, square_at

SYMBOL = encode("some texture", version=2)


@dataclass
class Counting:
    """A runner that sees nothing and keeps its windows."""

    windows: list[NDArray[np.float32]] = field(default_factory=list)

    def __call__(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        self.windows += list(batch[:, 0])
        side = batch.shape[-1] // STRIDE
        return np.full((len(batch), MAPS, side, side), -9, np.float32)


def seen(picture: GreyImage, size: int, *covered: Quad) -> int:
    """The number of windows that the network sees in a coarse pass."""
    runner = Counting()
    assert WindowLocator(None, runner).glance(Levels(picture), size, covered=covered) == []  # type: ignore[arg-type]
    return len(runner.windows)


def wall(*places: NDArray[np.float64]) -> GreyImage:
    """A white wall with codes at these places."""
    picture = np.full((900, 1400), 235, np.uint8)
    for place in places:
        left, top = place[0].astype(int)
        picture[top : top + 100, left : left + 100] = 40 + render(SYMBOL, pixels=4, quiet_zone=0) * (195 / 255)
    return picture


LEFT, RIGHT = square_at(60, 60, 100), square_at(1150, 650, 100)

# --- texture --------------------------------------------------------------------------------------------------------


def test_texture_is_where_a_code_is() -> None:
    textured = texture(wall(LEFT))
    assert textured.shape == (900, 1400)
    assert textured[70:150, 70:150].all()
    assert not textured[200:, :].any()
    assert not textured[:, 200:].any()


@pytest.mark.parametrize("side", [LEAST_SIDE, 50, 90])
@pytest.mark.parametrize("contrast", [50, 200])
def test_a_faint_and_blurred_code_of_any_size_is_textured(side: int, contrast: int) -> None:
    place = square_at(50, 50, side)
    code = photograph(SYMBOL, place, (220, 220), dark=230 - contrast, light=230)
    blurred = cv2.GaussianBlur(code, (0, 0), 0.6 * side / 25)
    assert texture(np.asarray(blurred, np.uint8)).any()


def test_flat_and_dim_places_are_not_textured() -> None:
    assert not texture(np.full((300, 400), 128, np.uint8)).any()
    grain = np.random.default_rng(0).normal(128, 2.5, (300, 400))
    assert not texture(np.rint(grain).astype(np.uint8)).any()
    shade = np.tile(np.linspace(0, 255, 400).astype(np.uint8), (300, 1))
    assert not texture(shade).any()


def test_an_edge_is_no_texture_of_a_code() -> None:
    halves = np.repeat(np.array([[40, 220]], np.uint8), 200, axis=1).repeat(300, axis=0)
    assert not texture(halves).any()


def test_covered_places_are_not_textured_nor_their_margin() -> None:
    picture = wall(LEFT, RIGHT)
    textured = texture(picture, [Quad.of(LEFT)])
    assert not textured[:300, :300].any()
    assert textured[700:740, 1200:1240].all()
    assert not texture(picture, [Quad.of(LEFT), Quad.of(RIGHT)]).any()


def test_a_neighbour_of_a_covered_place_stays_textured() -> None:
    """Its quiet zone touches the covered one's."""
    beside = square_at(192, 60, 100)
    assert texture(wall(LEFT, beside), [Quad.of(LEFT)])[90:130, 220:270].all()


# --- windows --------------------------------------------------------------------------------------------------------


def test_flat_windows_are_left_out() -> None:
    everything = seen(np.random.default_rng(0).integers(0, 256, (900, 1400), dtype=np.uint8), 1400)
    assert everything == 7 * 4
    assert seen(wall(), 1400) == 0
    assert seen(wall(LEFT), 1400) == 1
    assert seen(wall(LEFT, RIGHT), 1400) == 5  # the right one lies in four windows


def test_windows_with_nothing_but_codes_that_were_read_are_left_out() -> None:
    assert seen(wall(LEFT, RIGHT), 1400, Quad.of(RIGHT)) == 1
    assert seen(wall(LEFT, RIGHT), 1400, Quad.of(LEFT), Quad.of(RIGHT)) == 0


def test_codes_that_were_read_are_painted_over() -> None:
    runner = Counting()
    picture = wall(LEFT, square_at(170, 60, 100))
    WindowLocator(None, runner).glance(Levels(picture), 1400, covered=[Quad.of(LEFT)])  # type: ignore[arg-type]
    window = runner.windows[0]
    assert np.ptp(window[65:155, 65:155]) == 0
    assert np.ptp(window[65:155, 175:256]) > 1


def test_covered_places_are_scaled_with_the_picture() -> None:
    assert seen(wall(LEFT, RIGHT), 700) > seen(wall(LEFT, RIGHT), 700, Quad.of(RIGHT)) >= 1
    assert seen(wall(LEFT, RIGHT), 700, Quad.of(LEFT), Quad.of(RIGHT)) == 0


def test_inverted_codes_are_looked_for_in_the_negative() -> None:
    """Each window is what it would be in the picture's negative; which windows are looked at stays the same."""
    picture = wall(LEFT, RIGHT)
    plain, negative, of_negative = Counting(), Counting(), Counting()
    WindowLocator(None, plain).glance(Levels(picture), 1400)  # type: ignore[arg-type]
    WindowLocator(None, negative).glance(Levels(picture), 1400, inverted=True)  # type: ignore[arg-type]
    WindowLocator(None, of_negative).glance(Levels(255 - picture), 1400)  # type: ignore[arg-type]
    assert len(plain.windows) == len(negative.windows) == len(of_negative.windows) == 5
    for one, other, expected in zip(plain.windows, negative.windows, of_negative.windows, strict=True):
        assert np.array_equal(one, -other)
        assert np.allclose(other, expected, atol=1e-5)


# --- suspicion ------------------------------------------------------------------------------------------------------


class Suspecting:
    """A runner that sees a chance of 0.1 where a window is dark, else hardly any, and counts its windows."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        self.count += len(batch)
        cells = np.stack(
            [cv2.resize(one, None, fx=1 / STRIDE, fy=1 / STRIDE, interpolation=cv2.INTER_AREA) for one in batch[:, 0]]
        )
        maps = np.full((len(batch), MAPS, *cells.shape[1:]), -9, np.float32)
        maps[:, 0] = np.where(cells < -1, -2.2, -9)
        return maps


def second_pass(
    picture: GreyImage, first: int, second: int, *covered: Quad, suspicion: float, inverted: bool = False
) -> int:
    """How many windows are seen at the ``second`` size, after a pass at the ``first``; what is ``covered`` was read in
    between."""
    runner, levels = Suspecting(), Levels(picture)
    locator = WindowLocator(None, runner)  # type: ignore[arg-type]
    locator.glance(levels, first)
    before = runner.count
    locator.glance(levels, second, covered=covered, suspicion=suspicion, inverted=inverted)
    return runner.count - before


def page(*, dark: bool) -> GreyImage:
    """Texture everywhere, with a darker place to the right, below, if ``dark``."""
    picture = np.random.default_rng(1).integers(120, 256, (900, 1400), dtype=np.uint8)
    if dark:
        picture[700:760, 1200:1260] //= 4
    return picture


def test_of_a_finer_pass_only_windows_around_a_suspicion_are_seen() -> None:
    assert second_pass(page(dark=False), 640, 1400, suspicion=0.05) == 0
    assert 1 <= second_pass(page(dark=True), 640, 1400, suspicion=0.05) <= 4
    assert second_pass(page(dark=True), 640, 1400, suspicion=0.2) == 0


def test_what_was_read_is_no_suspicion() -> None:
    dark_place = Quad.of(np.array([[1200, 700], [1260, 700], [1260, 760], [1200, 760]], np.float64))
    assert second_pass(page(dark=True), 640, 1400, dark_place, suspicion=0.05) == 0


def test_without_a_suspicion_asked_for_all_windows_are_seen() -> None:
    assert second_pass(page(dark=False), 640, 1400, suspicion=0.0) == 7 * 4


def test_in_the_negative_and_after_much_too_coarse_a_pass_all_windows_are_seen() -> None:
    """Neither says anything of the codes that a finer pass shows."""
    assert second_pass(page(dark=False), 640, 1400, suspicion=0.05, inverted=True) == 7 * 4
    assert second_pass(page(dark=False), 256, 1400, suspicion=0.05) == 7 * 4


def test_where_the_pass_before_did_not_look_anything_is_suspected() -> None:
    """A tiny, faint code has no texture that a coarse pass would look at."""
    picture = wall()
    symbol = cv2.resize(render(SYMBOL, pixels=4, quiet_zone=0), (30, 30), interpolation=cv2.INTER_AREA)
    picture[100:130, 100:130] = 215 + symbol * (20 / 255)
    assert second_pass(picture, 640, 1400, suspicion=0.9) == 1


# --- levels ---------------------------------------------------------------------------------------------------------


def test_levels_are_made_once_and_never_enlarge_more_than_a_window_needs() -> None:
    levels = Levels(wall())
    assert levels.at(640) is levels.at(640)
    assert levels.at(640).picture.shape == (411, 640)
    assert levels.at(5000).picture is levels.image
    small = Levels(render(SYMBOL, pixels=2))
    assert small.image.shape == (66, 66)
    assert small.at(1500).picture.shape == (256, 256)
    assert small.at(1500).factor == 256 / 66


def test_a_closer_look_uses_the_smallest_level_that_shows_enough() -> None:
    levels = Levels(wall())
    for size in (256, 640):
        levels.at(size)
    assert levels.showing(1200).factor == 256 / 1400
    assert levels.showing(700).factor == 640 / 1400
    assert levels.showing(300).factor == 1.0
    assert levels.showing(30).factor == 1.0
