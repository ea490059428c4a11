from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import pytest

from app.pipeline.climb import Climb, Read, Reading, Rung
from app.pipeline.engines.symbol import Symbol
from app.pipeline.engines.zxing import ZXing
from app.pipeline.imaging import GreyImage
from app.pipeline.inference.severity import Route, laplacian_variance
from app.pipeline.locating.candidates import Candidate
from app.pipeline.locating.regions import Region
from app.pipeline.locating.registering import Registration
from app.pipeline.qrcode.patterns import render
from app.pipeline.quad import Quad
from app.pipeline.results import SOFT, Effort, Stage
from app.pipeline.rungs import LADDER
from tests.support.bench import ALWAYS, FIRST, NEVER, OTHER_PLACE, PLACE, bench, broken_pair, truth
from tests.support.codes import Modules, encode, photograph, square_at
from tests.support.fakes import FakeLocator


@dataclass
class Untouchable:
    """A locator that must not be called."""

    def locate(self, image: GreyImage) -> list[Candidate]:
        raise AssertionError("asked without need")


NEAR = PLACE + np.array([[4.0, 0.0], [4.0, 0.0], [0.0, 0.0], [0.0, 0.0]])
"""A rival idea of the first place: registration brings it back to where the code is."""


def climb(*locators: object, effort: Effort = Effort.BALANCED, threshold: float = ALWAYS, **more: object) -> Climb:
    """A climb of a picture with broken codes at ``PLACE`` and ``OTHER_PLACE``."""
    tools = replace(bench(threshold).tools, locators=locators or (FakeLocator([PLACE]),), **more)
    return Climb(broken_pair(), effort, tools)


def symbol_at(region_or_quad: Region | np.ndarray, text: str = "x") -> Symbol:
    corners = region_or_quad.corners if isinstance(region_or_quad, Region) else Quad.of(region_or_quad)
    return Symbol(text.encode(), text, "Text", "QRCode", 2, "M", "fake", corners)


def places(regions: list[Region]) -> list[str]:
    return ["first" if region.corners.as_tuple[0][0] < 200 else "other" for region in regions]


# --- regions --------------------------------------------------------------------------------------------------------


def test_locators_are_called_lazily_and_once() -> None:
    first, second = FakeLocator([PLACE]), FakeLocator([OTHER_PLACE])
    one = climb(first, second, Untouchable())
    assert (first.asked, second.asked) == (0, 0)
    assert places(one.regions_of(0)) == ["first"]
    assert (first.asked, second.asked) == (1, 0)
    assert places(one.regions_of(1)) == ["other"]
    one.regions_of(0)
    one.regions_of(1)
    assert (first.asked, second.asked) == (1, 1)
    assert [line.stage for line in one.trace] == ["locate", "locate"]


def test_a_later_locator_comes_after_those_before_it() -> None:
    first, second = FakeLocator([PLACE]), FakeLocator([PLACE + 1.0, OTHER_PLACE])
    assert places(climb(first, second).regions_of(1)) == ["other"]
    assert first.asked == 1


def test_places_of_earlier_locators_are_not_repeated() -> None:
    one = climb(FakeLocator([PLACE, OTHER_PLACE]), FakeLocator([NEAR, OTHER_PLACE + 1.0]))
    assert sorted(places(one.regions_of(0))) == ["first", "other"]
    assert one.regions_of(1) == []


def test_regions_that_were_read_are_left_out() -> None:
    one = climb(FakeLocator([PLACE, OTHER_PLACE]))
    one.run(reading_rung("direct", symbol_at(PLACE)))
    assert places(list(one.regions())) == ["other"]
    one.run(reading_rung("modules", symbol_at(OTHER_PLACE)))
    assert list(one.regions()) == []
    assert [found.rung for found in one.found] == ["direct", "modules"]


@pytest.mark.parametrize(("effort", "most"), [(Effort.FAST, 0), (Effort.BALANCED, 4), (Effort.THOROUGH, 12)])
def test_effort_bounds_the_regions_of_a_locator(effort: Effort, most: int) -> None:
    tile = render(FIRST, pixels=3)
    quads = [square_at(12.0 + 99 * column, 12.0 + 99 * row, 75.0) for row in range(3) for column in range(5)]
    tools = replace(bench().tools, locators=(FakeLocator(quads),))
    assert len(Climb(np.tile(tile, (3, 5)), effort, tools).regions_of(0)) == most


def test_slow_locators_need_thorough_effort() -> None:
    quick, slow = FakeLocator([PLACE]), FakeLocator([OTHER_PLACE])
    assert list(climb(quick, slow_locators=(slow,)).locators) == [quick]
    thorough = climb(quick, effort=Effort.THOROUGH, slow_locators=(slow,))
    assert list(thorough.locators) == [quick, slow]
    assert places(thorough.regions_of(1)) == ["other"]


def test_the_first_region_comes_from_the_first_locator_that_finds_one() -> None:
    one = climb(FakeLocator(), FakeLocator([square_at(900, 900, 90)]), FakeLocator([OTHER_PLACE]), Untouchable())
    assert places([next(one.regions())]) == ["other"]
    assert list(climb(FakeLocator(), FakeLocator()).regions()) == []


# --- rungs ----------------------------------------------------------------------------------------------------------


def reading_rung(name: str, *symbols: Symbol) -> Rung:
    """A rung that reads these symbols wherever they are."""
    return Rung(name, lambda _: map(Read, symbols))


def region_rung(reads: Callable[[Region], bool], seen: list[Region], locators: slice = slice(None)) -> Rung:
    """A rung that records every region that it gets and reads some of them."""

    def read(one: Climb) -> Iterator[Read]:
        for region in one.regions(locators):
            seen.append(region)
            if reads(region):
                yield Read(symbol_at(region), region)

    return Rung("modules", read)


def test_reading_stops_with_the_locator_whose_regions_read() -> None:
    one, seen = climb(FakeLocator([PLACE]), FakeLocator([OTHER_PLACE]), Untouchable()), []
    (read,) = one.run(region_rung(lambda region: places([region]) == ["other"], seen))
    assert read.region is not None
    assert places([read.region]) == ["other"]
    assert places(seen) == ["first", "other"]


def test_the_regions_of_a_locator_are_read_to_the_last() -> None:
    one, seen = climb(FakeLocator([PLACE, OTHER_PLACE]), Untouchable()), []
    assert len(one.run(region_rung(lambda _: True, seen))) == 2
    assert sorted(places(seen)) == ["first", "other"]


def test_thorough_effort_calls_every_locator() -> None:
    last, seen = FakeLocator([OTHER_PLACE]), []
    one = climb(FakeLocator([PLACE]), FakeLocator(), last, effort=Effort.THOROUGH)
    assert len(one.run(region_rung(lambda _: True, seen))) == 2
    assert last.asked == 1


@pytest.mark.parametrize(
    ("locators", "asked"), [(slice(0, 1), 1), (slice(1, 2), 2), (slice(0, 9), 3), (slice(None), 3), (slice(3, None), 0)]
)
def test_the_number_of_locators_is_bounded(locators: slice, asked: int) -> None:
    those = [FakeLocator([PLACE]), FakeLocator(), FakeLocator([OTHER_PLACE])]
    assert climb(*those).run(region_rung(lambda _: False, [], locators)) == []
    assert sum(locator.asked for locator in those) == asked


def test_overlapping_regions_of_a_place_that_was_read_are_left_out() -> None:
    (registered,) = climb(FakeLocator([PLACE])).regions_of(0)
    rival = replace(registered, registration=replace(registered.registration, version=3))
    one, seen = climb(FakeLocator([PLACE]), effort=Effort.THOROUGH), []
    one.regions_by_locator = [[registered, rival]]
    assert len(one.run(region_rung(lambda _: True, seen))) == 1
    assert [region.version for region in seen] == [2]


def test_a_place_is_found_once_whichever_rungs_read_it() -> None:
    one = climb(effort=Effort.THOROUGH)
    reads = one.run(reading_rung("direct", symbol_at(PLACE, "a"), symbol_at(PLACE + 3.0, "b")))
    assert [read.symbol.text for read in reads] == ["a", "b"]
    assert len(one.run(reading_rung("variants", symbol_at(PLACE, "c"), symbol_at(OTHER_PLACE, "d")))) == 2
    assert [(found.symbol.text, found.rung) for found in one.found] == [("a", "direct"), ("d", "variants")]
    assert [(line.stage, line.codes) for line in one.trace] == [("direct", 2), ("variants", 2)]


def test_more_codes_than_an_answer_holds_are_cut_off_and_reported() -> None:
    one = climb()
    one.run(reading_rung("direct", symbol_at(PLACE, "a"), symbol_at(OTHER_PLACE, "d")))
    assert [found.symbol.text for found in one.outcome(max_codes=1).codes] == ["a"]
    assert one.outcome(max_codes=1).truncated
    assert not one.outcome(max_codes=2).truncated


# --- readings -------------------------------------------------------------------------------------------------------


def reading(region: Region, sure: float) -> Reading:
    """A reading whose modules all have the log-odds ``sure``."""
    return Reading(region, region.crop, np.full((25, 25), sure, np.float32))


def test_the_most_confident_readings_come_first_one_for_each_region() -> None:
    one = climb(FakeLocator([PLACE, OTHER_PLACE]))
    first, other = sorted(one.regions_of(0), key=lambda region: region.corners.as_tuple[0][0])
    one.readings = [reading(first, 1.0), reading(other, 2.0), reading(first, 4.0), reading(other, 0.5)]
    assert one.best_readings(9) == [one.readings[2], one.readings[1]]
    assert one.best_readings(1) == [one.readings[2]]
    assert one.best_readings(0) == []
    one.run(reading_rung("modules", symbol_at(first)))
    assert one.best_readings(9) == [one.readings[1]]


def test_readings_count_for_less_where_the_patterns_agree_less() -> None:
    one = climb(FakeLocator([PLACE]))
    (clear,) = one.regions_of(0)
    vague = replace(clear, registration=replace(clear.registration, agreement=clear.registration.agreement / 2))
    one.readings = [reading(vague, 4.0), reading(clear, 3.0)]
    assert [found.region for found in one.best_readings(2)] == [clear, vague]
    expected = np.tanh(1.5) * clear.registration.agreement
    assert one.readings[1].confidence == pytest.approx(expected, rel=1e-5)


SOUND = encode("softly, softly", version=2, error="m")


def spoilt(modules: Modules) -> np.ndarray:
    """Log-odds with 40 wrong data modules of lower confidence: more than error correction repairs."""
    log_odds = np.where(modules, 4.0, -4.0)
    rows, columns = np.unravel_index(np.random.default_rng(5).choice(16 * 14, 40, replace=False), (16, 14))
    log_odds[rows + 9, columns + 9] *= -0.1
    return np.asarray(log_odds, np.float32)


def soft_reading(log_odds: np.ndarray) -> Reading:
    registration = Registration(corners=square_at(10, 10, 100), version=2, agreement=1.0, inverted=False)
    return Reading(Region(registration, render(SOUND, pixels=4)), render(SOUND, pixels=4), log_odds)


@pytest.mark.parametrize("mirrored", [False, True])
def test_readings_are_decoded_softly_mirrored_too(mirrored: bool) -> None:
    log_odds = spoilt(SOUND).T if mirrored else spoilt(SOUND)
    one = soft_reading(log_odds)
    assert one.region.read_modules(one.crop, log_odds, (ZXing(),)) == []
    assert one.soft_modules is not None
    assert np.array_equal(one.soft_modules, SOUND.T if mirrored else SOUND)
    (read,) = one.read_corrected((ZXing(),))
    assert (read.text, read.engine) == ("softly, softly", SOFT)
    assert read.corners == one.region.corners


def test_undecodable_readings_give_nothing() -> None:
    one = soft_reading(np.random.default_rng(6).normal(0, 3, (25, 25)).astype(np.float32))
    assert one.soft_modules is None
    assert one.read_corrected((ZXing(),)) == []


# --- routes and networks --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("threshold", "network"), [(ALWAYS, "quick"), (NEVER, "slow")])
def test_the_blur_of_the_crop_decides_the_route(threshold: float, network: str) -> None:
    one = climb(FakeLocator([PLACE]), threshold=threshold)
    (region,) = one.regions_of(0)
    assert one.route_of(region) == Route(laplacian_variance(region.crop), threshold, network)


def test_the_stated_route_is_that_of_the_region_that_was_read_or_the_first() -> None:
    made = bench(NEVER)
    tools = replace(made.tools, locators=(FakeLocator([PLACE, OTHER_PLACE]),))
    one = Climb(broken_pair(), Effort.BALANCED, tools)
    first, second = one.regions_of(0)
    heavy = next(rung for rung in LADDER if rung.name == "heavy")
    assert one.run(heavy) == []
    assert one.route == one.route_of(first)
    calls = iter(["still broken", "read"])
    made.heavy.answer = lambda crop: truth(crop) if next(calls) == "read" else crop
    (read,) = one.run(heavy)
    assert read.region is second
    assert one.route == one.route_of(second)
    assert made.heavy.calls == [(132, 132)] * 4
    assert made.light.calls == []


def test_time_for_locating_does_not_count_for_a_rung(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = iter([100.0, 101.0, 104.0, 110.0])
    monkeypatch.setattr("app.pipeline.climb.perf_counter", lambda: next(ticks))
    one = climb(FakeLocator([PLACE]))
    assert len(one.run(region_rung(lambda _: True, []))) == 1
    assert one.trace == [Stage("locate", 3.0, 0), Stage("modules", 7.0, 1)]


def test_a_clean_picture_has_no_unread_regions() -> None:
    picture = photograph(FIRST, PLACE, (250, 500))
    one = Climb(picture, Effort.BALANCED, replace(bench().tools, locators=(FakeLocator([PLACE]),)))
    one.run(reading_rung("direct", *ZXing().read(picture)))
    assert list(one.regions()) == []
