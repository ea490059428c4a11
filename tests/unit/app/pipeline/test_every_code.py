"""Every code of a picture is answered once, in its own place, whatever else it holds; networks are as shipped."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from app.pipeline.engines.zxing import ZXing
from app.pipeline.imaging import GreyImage
from app.pipeline.qrcode.patterns import format_positions, render
from app.pipeline.results import Effort, Outcome
from tests.support.bench import shipped_ladder, texts
from tests.support.codes import encode, photograph, scrambled, square_at
from tests.support.paths import ROOT
from tests.support.scenes import camera, label_texts, labels, row_of, sheet
from training.release.sample import PAYLOAD

SHAPE = (300, 640)
SHARP, OTHER = encode("a sharp one", version=2), encode("harder to read", version=2)
SHARP_PLACE = square_at(40.0, 60.0, 125.0)
OTHER_PLACE = square_at(350.0, 60.0, 150.0)
SEAM = 230  # column between the two


def read(picture: GreyImage, effort: Effort = Effort.BALANCED) -> Outcome:
    return shipped_ladder().run(picture, effort=effort)


def soft(picture: GreyImage, sigma: float) -> GreyImage:
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), sigma), np.uint8)


def turned(quad: NDArray[np.float64], degrees: float) -> NDArray[np.float64]:
    angle = np.deg2rad(degrees)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    return np.asarray((quad - quad.mean(axis=0)) @ turn + quad.mean(axis=0))


def beside_a_sharp_one(other: GreyImage) -> GreyImage:
    """A picture whose left part shows the sharp code instead."""
    picture = other.copy()
    picture[:, :SEAM] = photograph(SHARP, SHARP_PLACE, SHAPE)[:, :SEAM]
    return picture


def drawn(place: NDArray[np.float64] = OTHER_PLACE, **levels: int) -> GreyImage:
    return photograph(OTHER, place, SHAPE, **levels)


def off_by(outcome: Outcome, text: str, centre: tuple[float, float]) -> float:
    """Pixels between the centre of the code with this text and where it should be."""
    (found,) = (one for one in outcome.codes if one.symbol.text == text)
    return float(np.hypot(*(np.array(found.symbol.corners.centre) - centre)))


# --- beside a sharp code --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "other",
    [
        soft(drawn(), 4.0),
        soft(drawn(turned(OTHER_PLACE, 20)), 4.0),
        drawn(turned(OTHER_PLACE, 45)),
        soft(drawn(turned(OTHER_PLACE, 45)), 3.5),
        drawn(square_at(400.0, 100.0, 33.0)),
        soft(drawn(square_at(400.0, 100.0, 42.0)), 0.7),
        drawn(dark=220, light=30),
        soft(drawn(dark=220, light=30), 3.0),
    ],
    ids=[
        "blurred",
        "turned and blurred",
        "on its corner",
        "on its corner and blurred",
        "small",
        "small and soft",
        "inverted",
        "inverted and blurred",
    ],
)
def test_a_sharp_code_hides_no_other(other: GreyImage) -> None:
    outcome = read(beside_a_sharp_one(other))
    assert sorted(texts(outcome)) == ["a sharp one", "harder to read"]
    assert (outcome.unread, outcome.complete, outcome.truncated) == ((), True, False)


def test_codes_of_one_picture_may_need_different_rungs() -> None:
    outcome = read(beside_a_sharp_one(soft(drawn(), 4.0)))
    by_rung = {found.rung: found.symbol.text for found in outcome.codes}
    assert by_rung.pop("direct") == "a sharp one"
    assert list(by_rung.values()) == ["harder to read"]


@pytest.mark.parametrize("effort", [Effort.BALANCED, Effort.THOROUGH])
def test_a_sharp_sticker_does_not_hide_the_sample(effort: Effort) -> None:
    label = np.asarray(cv2.imread(str(ROOT / "docs" / "label.jpg"), cv2.IMREAD_GRAYSCALE), np.uint8)
    sticker = render(SHARP, pixels=4)
    label[60:192, 700:832] = sticker
    outcome = read(label, effort)
    assert sorted(texts(outcome)) == ["a sharp one", PAYLOAD]
    assert off_by(outcome, "a sharp one", (766, 126)) < 3


def test_thorough_effort_reads_what_balanced_effort_reads() -> None:
    picture = beside_a_sharp_one(soft(drawn(turned(OTHER_PLACE, 45)), 3.5))
    assert set(texts(read(picture))) == {"a sharp one", "harder to read"}
    assert set(texts(read(picture, Effort.THOROUGH))) == {"a sharp one", "harder to read"}


def test_fast_effort_is_one_plain_look() -> None:
    outcome = read(beside_a_sharp_one(soft(drawn(), 4.0)), Effort.FAST)
    assert texts(outcome) == ["a sharp one"]
    assert [stage.stage for stage in outcome.trace] == ["direct"]
    assert (outcome.unread, outcome.complete) == ((), True)


@pytest.mark.parametrize(
    ("text", "turns"),
    [("torn at a corner", 0), ("torn at a corner", 1), ("torn at a corner", 2)],
)
def test_a_code_without_one_of_its_finder_patterns_is_read(text: str, turns: int) -> None:
    """Torn off with its separator; no engine sees such a code."""
    modules = np.rot90(encode(text, version=2), -turns).copy()
    modules[:8, :8] = False
    assert texts(read(photograph(modules, square_at(70, 55, 125), (240, 270)))) == [text]


@pytest.mark.parametrize(("count", "place", "pixels", "sigma"), [(2, 1, 4, 3.4), (2, 1, 5, 4.25), (4, 6, 5, 3.5)])
def test_sharp_codes_around_a_blurred_one_do_not_hide_it(count: int, place: int, pixels: int, sigma: float) -> None:
    """The locator sees none beside sharp ones; these are painted over once they are read."""
    payloads = [f"label {row}{column}" for row in range(count) for column in range(count)]
    drawings = [render(encode(payload, version=2), pixels=pixels) for payload in payloads]
    drawings[place] = soft(drawings[place], sigma)
    rows = [np.hstack(drawings[start : start + count]) for start in range(0, count**2, count)]
    picture = soft(np.asarray(40 + np.vstack(rows) * (195 / 255), np.uint8), 0.8)
    assert sorted(texts(read(picture))) == sorted(payloads)


# --- neighbours -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("blur", [0.0, 2.5])
@pytest.mark.parametrize("gap", [0, 1, 2])
def test_codes_that_touch_are_both_answered_in_their_places(gap: int, blur: float) -> None:
    """One module is a quarter of the quiet zone that the standard demands."""
    picture = row_of([encode("left code", version=2), encode("right code", version=2)], gap=gap, pixels=6)
    outcome = read(soft(picture, blur) if blur else picture)
    assert sorted(texts(outcome)) == ["left code", "right code"]
    assert off_by(outcome, "left code", (99, 99)) < 6
    assert off_by(outcome, "right code", (99 + 6 * (25 + gap), 99)) < 6
    assert outcome.unread == ()


@pytest.mark.parametrize("degrees", [-8, 3, 9])
@pytest.mark.parametrize("pixels", [5, 8])
def test_a_turned_row_of_codes_that_touch_is_read_to_the_last_in_their_places(pixels: int, degrees: float) -> None:
    names = [f"g/v/30{i}-85185{i}" for i in range(4)]
    row = row_of([encode(name, version=2) for name in names], gap=0, pixels=pixels)
    height, width = row.shape
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1)
    turn[:, 2] += (0, (width - height) / 2)
    picture = cv2.warpAffine(row, turn, (width, width), flags=cv2.INTER_AREA, borderValue=255)
    outcome = read(soft(np.asarray(picture, np.uint8), 0.2 * pixels))
    assert sorted(texts(outcome)) == names
    for i, name in enumerate(names):
        x, y = turn @ (pixels * (4 + 25 * i + 12.5), height / 2, 1)
        assert off_by(outcome, name, (x, y)) < pixels


@pytest.mark.parametrize("is_on_black", [False, True])
@pytest.mark.parametrize(("count", "version", "pixels"), [(5, 2, 4), (4, 1, 5), (6, 2, 3)])
def test_rows_in_which_the_engine_reads_hardly_any_code_are_read(
    count: int, version: int, pixels: int, is_on_black: bool
) -> None:
    """Without gaps, and without the quiet zone either on a black page."""
    names = [f"row {number}" for number in range(count)]
    row = row_of([encode(name, version=version) for name in names], gap=0, pixels=pixels)
    if is_on_black:
        row = np.pad(row[3 * pixels : -3 * pixels, 3 * pixels : -3 * pixels], 4 * pixels)
    assert len(ZXing().read(row)) <= count // 2
    assert sorted(texts(read(row))) == names


@pytest.mark.parametrize("is_inverted", [False, True])
@pytest.mark.parametrize("degrees", [0, 4, 9])
def test_round_finder_patterns_on_a_page_of_their_own_tone_are_read(degrees: float, is_inverted: bool) -> None:
    """They agree with square ones only by half, and nothing else tells version 1."""
    pixels = 5
    code = render(encode("round eyes 0", version=1), pixels=pixels, quiet_zone=0).copy()
    for row, column in ((0, 0), (0, 14), (14, 0)):
        top, left = row * pixels, column * pixels
        code[top : top + 7 * pixels, left : left + 7 * pixels] = 255
        for radius, tone in ((3.5, 0), (2.5, 255), (1.5, 0)):
            centre = round(left + 3.5 * pixels), round(top + 3.5 * pixels)
            cv2.circle(code, centre, int(radius * pixels), tone, -1, cv2.LINE_AA)
    page = np.pad(code, 4 * pixels)
    turn = cv2.getRotationMatrix2D((len(page) / 2, len(page) / 2), degrees, 0.9)
    picture = np.asarray(cv2.warpAffine(page, turn, page.shape, flags=cv2.INTER_AREA, borderValue=0), np.uint8)
    assert texts(read(~picture if is_inverted else picture)) == ["round eyes 0"]


@pytest.mark.parametrize(
    ("first", "second", "shift"),
    [((2, 7), (3, 9), 0), ((1, 10), (1, 5), 62), ((1, 8), (4, 4), 18), ((4, 7), (4, 5), 17)],
)
def test_codes_of_two_sizes_that_touch_are_both_read(
    first: tuple[int, int], second: tuple[int, int], shift: int
) -> None:
    """Their versions and pixels a module; the second one ``shift`` pixels below the first one's top."""
    left = render(encode("the first one", version=first[0]), pixels=first[1], quiet_zone=0)
    right = render(encode("another one", version=second[0]), pixels=second[1], quiet_zone=0)
    quiet = 4 * first[1]
    height, width = max(len(left), len(right) + shift), len(left) + len(right)
    picture = np.full((height + 2 * quiet, width + 2 * quiet), 255, np.uint8)
    picture[quiet : quiet + len(left), quiet : quiet + len(left)] = left
    picture[quiet + shift : quiet + shift + len(right), quiet + len(left) : -quiet] = right
    assert sorted(texts(read(picture))) == ["another one", "the first one"]


@pytest.mark.parametrize("gap", [0, 1, 2, 4])
def test_an_unreadable_code_does_not_take_its_neighbours_payload(gap: int) -> None:
    picture = row_of([scrambled(encode("left code", version=2)), encode("right code", version=2)], gap=gap, pixels=6)
    outcome = read(picture)
    for found in outcome.codes:
        assert found.symbol.text == "right code"
        assert found.symbol.corners.contains((99 + 6 * (25 + gap), 99))
        assert not found.symbol.corners.contains((99, 99))
    assert len(outcome.codes) <= 1
    assert all(not one.corners.contains((99 + 6 * (25 + gap), 99)) for one in outcome.unread)


def test_a_code_within_another_and_the_other_are_answered() -> None:
    outer, inner = render(encode("the outer code", version=10, error="h"), pixels=8), encode("in", version=1, error="l")
    patch = render(inner, pixels=5)
    start = (outer.shape[0] - patch.shape[0]) // 2
    outer[start : start + patch.shape[0], start : start + patch.shape[0]] = patch
    assert [symbol.text for symbol in ZXing().read(outer)] == ["in"]
    outcome = read(outer)
    assert sorted(texts(outcome)) == ["in", "the outer code"]
    sides = {found.symbol.text: found.symbol.corners.area**0.5 for found in outcome.codes}
    assert sides["in"] == pytest.approx(105, abs=5)
    assert sides["the outer code"] == pytest.approx(57 * 8, abs=8)


# --- sheets ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("side", [10, 14])
def test_a_clean_sheet_is_read_to_the_last_label(side: int) -> None:
    outcome = read(sheet(labels(side * side), side))
    assert sorted(texts(outcome)) == label_texts(side * side)
    assert (outcome.unread, outcome.complete, outcome.truncated) == ((), True, False)


@pytest.mark.parametrize("seed", [0, 1])
def test_a_mild_photograph_of_a_sheet_is_read_to_the_last_label(seed: int) -> None:
    picture, _ = camera(sheet(labels(64), 8, pixels=5), seed=seed)
    outcome = read(picture)
    assert sorted(texts(outcome)) == label_texts(64)
    assert outcome.unread == ()


@pytest.mark.parametrize(("pixels", "gap"), [(8, 3), (8, 4), (10, 3)])
def test_what_is_left_beside_a_code_is_searched_as_if_nothing_were_read(pixels: int, gap: int) -> None:
    """Of modules drawn apart the locator sees a code only in the negative or without the shading, where it looks for
    other codes only if texture is left."""
    apart = np.kron(encode("modules apart", version=1), np.pad(np.ones((pixels - gap,) * 2, np.bool_), (0, gap)))
    picture = np.full((330, 640), 230, np.uint8)
    picture[20 : 20 + len(apart), 340 : 340 + len(apart)][apart] = 0
    place = np.s_[40:235, 40:235]
    picture[place] = np.minimum(render(SHARP, pixels=6, quiet_zone=4), 230)[:195, :195]
    outcome = read(picture)
    assert sorted(texts(outcome)) == ["a sharp one", "modules apart"]
    assert texts(read(picture, Effort.FAST)) == ["a sharp one"]


def test_labels_are_where_they_were_printed() -> None:
    """However many codes there are, each text stays with its place."""
    picture, matrix = camera(sheet(labels(36), 6, pixels=5), blur=1.2)
    outcome = read(picture)
    assert len(outcome.codes) == 36
    for number, text in enumerate(label_texts(36)):
        row, column = divmod(number, 6)
        printed = np.array([[[165.0 * column + 82.5, 165.0 * row + 82.5]]])
        assert off_by(outcome, text, cv2.perspectiveTransform(printed, matrix)[0, 0]) < 5


def test_unreadable_labels_of_a_sheet_are_told_one_by_one() -> None:
    """No place made of parts of their neighbours is."""
    symbols = [scrambled(one) if number in (3, 8) else one for number, one in enumerate(labels(16))]
    outcome = read(sheet(symbols, 4, pixels=5))
    assert sorted(texts(outcome)) == [text for number, text in enumerate(label_texts(16)) if number not in (3, 8)]
    centres = [one.corners.centre for one in outcome.unread]
    assert sorted((round(x / 165 - 0.5), round(y / 165 - 0.5)) for x, y in centres) == [(0, 2), (3, 0)]
    assert {one.version for one in outcome.unread} == {2}


def test_more_codes_than_an_answer_holds_are_reported() -> None:
    outcome = shipped_ladder(max_codes=5).run(sheet(labels(9), 3), effort=Effort.BALANCED)
    assert len(outcome.codes) == 5
    assert outcome.truncated


@pytest.mark.parametrize(("version", "error"), [(1, "M"), (2, "L"), (2, "H"), (7, "Q")])
def test_three_wrong_bits_in_both_copies_of_the_format_are_corrected(version: int, error: str) -> None:
    """zxing-cpp reads fewer than half of such symbols (findings/zxing-seldom-corrects-three-bits-of-format.sh)."""
    symbol = encode("FORMAT", version=version, error=error)
    rows, columns = format_positions(version)
    for bits in ([0, 5, 11], [1, 2, 3], [4, 9, 14], [6, 12, 13]):
        damaged = symbol.copy()
        for copy in range(len(rows)):
            damaged[rows[copy][bits], columns[copy][bits]] ^= True
        assert texts(read(render(damaged, pixels=5))) == ["FORMAT"]
