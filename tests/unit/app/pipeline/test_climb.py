from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch

from app.errors import UnknownNetwork
from app.models.checkpoint import Checkpoint
from app.models.registry import NETWORKS
from app.pipeline.climb import Climb, Reading
from app.pipeline.engines.symbol import Symbol, covered, merged, moved
from app.pipeline.engines.zxing import ZXing
from app.pipeline.imaging import GreyImage
from app.pipeline.inference.networks import Networks
from app.pipeline.inference.severity import PAPER_THRESHOLD, THRESHOLD_KEY, Route, laplacian_variance
from app.pipeline.inference.window_locator import StretchedLocator, WindowLocator
from app.pipeline.locating.locators import Candidate, FinderLocator, SightingLocator, WholePicture
from app.pipeline.locating.regions import Region
from app.pipeline.locating.registering import Registration
from app.pipeline.qrcode.patterns import render
from app.pipeline.results import SOFT, Effort, Stage
from app.pipeline.tools import Tools
from tests.support.bench import ALWAYS, FIRST, NEVER, OTHER_PLACE, PLACE, bench, broken_pair, truth
from tests.support.helpers import TINY, FakeLocator, Modules, as_corners, encode, photograph, square_at
from tests.support.networks import locator_of, reader_of, restorer_of


@dataclass
class Untouchable:
    """A locator that nobody may ask."""

    def locate(self, image: GreyImage) -> list[Candidate]:
        raise AssertionError("asked without need")


NEAR = PLACE + np.array([[4.0, 0.0], [4.0, 0.0], [0.0, 0.0], [0.0, 0.0]])
"""A rival idea of the first place: registration brings it back to where the code is."""


def climb(*locators: object, effort: Effort = Effort.BALANCED, threshold: float = ALWAYS, **more: object) -> Climb:
    """Of a picture with a broken code at ``PLACE`` and another at ``OTHER_PLACE``."""
    tools = replace(bench(threshold).tools, locators=locators or (FakeLocator([PLACE]),), **more)
    return Climb(broken_pair(), effort, tools)


def symbol_at(region_or_quad: Region | np.ndarray, text: str = "x") -> Symbol:
    corners = region_or_quad.corners if isinstance(region_or_quad, Region) else as_corners(region_or_quad)
    return Symbol(text.encode(), text, "Text", "QRCode", 2, "M", "fake", corners)


def places(regions: list[Region]) -> list[str]:
    return ["first" if region.corners[0][0] < 200 else "other" for region in regions]


# --- waves ----------------------------------------------------------------------------------------------------------


def test_locators_are_asked_when_their_wave_is() -> None:
    first, second = FakeLocator([PLACE]), FakeLocator([OTHER_PLACE])
    one = climb(first, second, Untouchable())
    assert (first.asked, second.asked) == (0, 0)
    assert places(one.wave(0)) == ["first"]
    assert (first.asked, second.asked) == (1, 0)
    assert places(one.wave(1)) == ["other"]
    one.wave(0)
    one.wave(1)
    assert (first.asked, second.asked) == (1, 1)
    assert [line.stage for line in one.trace] == ["locate", "locate"]


def test_a_later_wave_asks_those_before_it_first() -> None:
    first, second = FakeLocator([PLACE]), FakeLocator([PLACE + 1.0, OTHER_PLACE])
    assert places(climb(first, second).wave(1)) == ["other"]
    assert first.asked == 1


def test_what_an_earlier_wave_saw_is_not_seen_again() -> None:
    one = climb(FakeLocator([PLACE, OTHER_PLACE]), FakeLocator([NEAR, OTHER_PLACE + 1.0]))
    assert sorted(places(one.wave(0))) == ["first", "other"]
    assert one.wave(1) == []


def test_regions_that_were_read_are_left_out() -> None:
    one = climb(FakeLocator([PLACE, OTHER_PLACE]), FakeLocator([OTHER_PLACE]))
    one.add([symbol_at(PLACE)], "direct")
    assert places(one.wave(0)) == ["other"]
    one.add([symbol_at(OTHER_PLACE)], "modules")
    assert one.wave(0) == []
    assert [found.rung for found in one.found] == ["direct", "modules"]


@pytest.mark.parametrize(("effort", "most"), [(Effort.FAST, 0), (Effort.BALANCED, 4), (Effort.THOROUGH, 12)])
def test_effort_bounds_the_regions_of_a_wave(effort: Effort, most: int) -> None:
    tile = render(FIRST, pixels=3)
    quads = [square_at(12.0 + 99 * column, 12.0 + 99 * row, 75.0) for row in range(3) for column in range(5)]
    tools = replace(bench().tools, locators=(FakeLocator(quads),))
    assert len(Climb(np.tile(tile, (3, 5)), effort, tools).wave(0)) == most


def test_slow_locators_are_for_the_thorough() -> None:
    quick, slow = FakeLocator([PLACE]), FakeLocator([OTHER_PLACE])
    assert list(climb(quick, slow_locators=(slow,)).locators) == [quick]
    thorough = climb(quick, effort=Effort.THOROUGH, slow_locators=(slow,))
    assert list(thorough.locators) == [quick, slow]
    assert places(thorough.wave(1)) == ["other"]


def test_the_best_region_is_of_the_first_wave_that_has_one() -> None:
    one = climb(FakeLocator(), FakeLocator([square_at(900, 900, 90)]), FakeLocator([OTHER_PLACE]), Untouchable())
    best = one.best_region()
    assert best is not None
    assert places([best]) == ["other"]
    assert climb(FakeLocator(), FakeLocator()).best_region() is None


# --- reading regions ------------------------------------------------------------------------------------------------


def reads_at(place: str) -> Callable[[Region], list[Symbol]]:
    return lambda region: [symbol_at(region)] if places([region]) == [place] else []


def test_reading_stops_with_the_wave_that_reads() -> None:
    one = climb(FakeLocator([PLACE]), FakeLocator([OTHER_PLACE]), Untouchable())
    symbols = one.read_each(reads_at("other"))
    assert [symbol.corners[0][0] > 200 for symbol in symbols] == [True]


def test_a_wave_that_reads_is_read_to_its_end() -> None:
    seen: list[Region] = []

    def read(region: Region) -> list[Symbol]:
        seen.append(region)
        return [symbol_at(region)]

    one = climb(FakeLocator([PLACE, OTHER_PLACE]), Untouchable())
    assert len(one.read_each(read)) == 2
    assert sorted(places(seen)) == ["first", "other"]


def test_the_thorough_read_every_wave() -> None:
    last = FakeLocator([OTHER_PLACE])
    one = climb(FakeLocator([PLACE]), FakeLocator(), last, effort=Effort.THOROUGH)
    assert len(one.read_each(lambda region: [symbol_at(region)])) == 2
    assert last.asked == 1


@pytest.mark.parametrize(("waves", "asked"), [(1, 1), (2, 2), (9, 3), (None, 3)])
def test_no_more_waves_than_wanted(waves: int | None, asked: int) -> None:
    locators = [FakeLocator([PLACE]), FakeLocator(), FakeLocator([OTHER_PLACE])]
    one = climb(*locators)
    assert one.read_each(lambda region: [], waves=waves) == []
    assert sum(locator.asked for locator in locators) == asked


def test_rivals_of_a_place_that_was_read_are_left_out() -> None:
    registered = climb(FakeLocator([PLACE])).wave(0)[0]
    rival = replace(registered, registration=replace(registered.registration, version=3))
    one = climb(FakeLocator([PLACE]), effort=Effort.THOROUGH)
    one.waves = [[registered, rival]]
    seen: list[int] = []

    def read(region: Region) -> list[Symbol]:
        seen.append(region.version)
        return [symbol_at(region)]

    assert len(one.read_each(read)) == 1
    assert seen == [2]


# --- readings -------------------------------------------------------------------------------------------------------


def reading(region: Region, sure: float) -> Reading:
    """A reading whose every module has odds of e to the ``sure``."""
    return Reading(region, region.crop, np.full((25, 25), sure, np.float32))


def test_the_surest_readings_come_first_one_a_region() -> None:
    one = climb(FakeLocator([PLACE, OTHER_PLACE]))
    first, other = sorted(one.wave(0), key=lambda region: region.corners[0][0])
    one.readings = [reading(first, 1.0), reading(other, 2.0), reading(first, 4.0), reading(other, 0.5)]
    assert one.best_readings(9) == [one.readings[2], one.readings[1]]
    assert one.best_readings(1) == [one.readings[2]]
    assert one.best_readings(0) == []
    one.add([symbol_at(first)], "modules")
    assert one.best_readings(9) == [one.readings[1]]


def test_readings_count_for_less_where_the_patterns_agree_less() -> None:
    one = climb(FakeLocator([PLACE]))
    (clear,) = one.wave(0)
    vague = replace(clear, registration=replace(clear.registration, agreement=clear.registration.agreement / 2))
    one.readings = [reading(vague, 4.0), reading(clear, 3.0)]
    assert [found.region for found in one.best_readings(2)] == [clear, vague]
    expected = np.tanh(1.5) * clear.registration.agreement
    assert one.readings[1].surety == pytest.approx(expected, rel=1e-5)


SOUND = encode("softly, softly", version=2, error="m")


def spoilt(modules: Modules) -> np.ndarray:
    """Log-odds with 40 modules of the data wrong, and less sure than the others: more than error correction mends."""
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
    modules = one.decoded()
    assert modules is not None
    assert np.array_equal(modules, SOUND.T if mirrored else SOUND)
    (read,) = one.read_decoded(modules, (ZXing(),))
    assert (read.text, read.engine) == ("softly, softly", SOFT)
    assert read.corners == one.region.corners


def test_what_cannot_be_decoded_is_not() -> None:
    assert soft_reading(np.random.default_rng(6).normal(0, 3, (25, 25)).astype(np.float32)).decoded() is None


# --- routes and networks --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("threshold", "network"), [(ALWAYS, "quick"), (NEVER, "slow")])
def test_the_route_is_by_the_blur_of_the_crop(threshold: float, network: str) -> None:
    one = climb(FakeLocator([PLACE]), threshold=threshold)
    (region,) = one.wave(0)
    assert one.route_of(region) == Route(laplacian_variance(region.crop), threshold, network)


def test_the_route_told_is_of_the_region_that_was_read_else_of_the_first() -> None:
    made = bench()
    tools = replace(made.tools, locators=(FakeLocator([PLACE, OTHER_PLACE]),))
    one = Climb(broken_pair(), Effort.BALANCED, tools)
    regions = one.wave(0)
    routes = [Route(score, 0.0, "quick") for score in (1.0, 2.0, 3.0)]
    assert one.read_restored(regions[0], routes[0], "quick") == []
    assert one.read_restored(regions[1], routes[1], "quick") == []
    assert one.route == routes[0]
    made.light.answer = truth
    (read,) = one.read_restored(regions[1], routes[2], "quick")
    assert read.corners == regions[1].corners
    assert one.route == routes[2]
    assert made.light.calls == [(132, 132)] * 3
    assert made.heavy.calls == []


def test_time_spent_on_locating_is_not_the_rungs(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = iter([100.0, 101.0, 104.0, 110.0])
    monkeypatch.setattr("app.pipeline.climb.perf_counter", lambda: next(ticks))
    one = climb(FakeLocator([PLACE]))
    assert one.timed("modules", lambda: [symbol_at(one.wave(0)[0])]) != []
    assert one.trace == [Stage("locate", 3.0, 0), Stage("modules", 7.0, 1)]


# --- places ---------------------------------------------------------------------------------------------------------


def test_a_place_is_covered_where_its_centre_lies_in_a_symbol() -> None:
    symbol = symbol_at(square_at(10, 10, 100))
    assert covered(as_corners(square_at(40, 40, 100)), [symbol])
    assert not covered(as_corners(square_at(70, 10, 100)), [symbol])
    assert covered(as_corners(square_at(-500, -500, 1120)), [symbol])
    assert not covered(as_corners(square_at(10, 10, 100)), [])


def test_of_several_readings_of_a_place_the_first_counts() -> None:
    here, again, there = (symbol_at(square_at(x, 0, 50), name) for x, name in ((0, "a"), (10, "b"), (90, "c")))
    assert merged([here], [again, there]) == [here, there]
    assert merged([], [again], [here]) == [again]
    assert merged() == []


def test_moved_scales_before_it_shifts() -> None:
    assert moved(symbol_at(square_at(8, 4, 12)), 0.25, (100, 50)).corners == as_corners(square_at(102, 51, 3))


# --- tools ----------------------------------------------------------------------------------------------------------


def card(name: str, architecture: str, **measured: object) -> Checkpoint:
    torch.manual_seed(0)
    return Checkpoint(name, architecture, NETWORKS[architecture](**TINY[architecture]), {}, {}, measured)


def networks(**measured: object) -> Networks:
    return Networks(
        restorers={"quick": restorer_of(card("quick", "LENet", **measured))},
        readers={"reads": reader_of(card("reads", "ModuleReader"))},
        locators={"finds": locator_of(card("finds", "QuadLocator"))},
    )


ROLES = {"light": "quick", "heavy": "slow", "upscaler": "large", "reader": "reads", "locator": "finds"}


@pytest.mark.parametrize(
    ("measured", "threshold"), [({THRESHOLD_KEY: 42.5}, 42.5), ({}, PAPER_THRESHOLD), ({THRESHOLD_KEY: "x"}, 100.0)]
)
def test_standard_tools_take_the_calibrated_threshold(measured: dict[str, object], threshold: float) -> None:
    tools = Tools.standard(networks(**measured), **ROLES)
    assert tools.threshold == threshold
    assert (tools.light, tools.heavy, tools.upscaler) == ("quick", "slow", "large")


def test_standard_tools_ask_the_network_before_slower_searches() -> None:
    loaded = networks()
    tools = Tools.standard(loaded, **ROLES)
    kinds = [type(locator) for locator in tools.locators]
    assert kinds == [SightingLocator, WindowLocator, WholePicture, WindowLocator, StretchedLocator, FinderLocator]
    assert tools.locators[1] is loaded.locators["finds"]
    assert tools.reader is loaded.readers["reads"]
    assert [type(locator) for locator in tools.slow_locators] == [WindowLocator]


@pytest.mark.parametrize("role", ["reader", "locator"])
def test_standard_tools_need_a_reader_and_a_locator(role: str) -> None:
    with pytest.raises(UnknownNetwork, match="absent"):
        Tools.standard(networks(), **{**ROLES, role: "absent"})


def test_a_sound_picture_has_no_unread_regions() -> None:
    picture = photograph(FIRST, PLACE, (250, 500))
    one = Climb(picture, Effort.BALANCED, replace(bench().tools, locators=(FakeLocator([PLACE]),)))
    one.add(ZXing().read(picture), "direct")
    assert one.wave(0) == []
