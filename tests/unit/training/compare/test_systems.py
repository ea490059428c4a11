"""Each compared system sees what it is for, pays for what it uses, and is asked the same way every time."""

from collections.abc import Sequence

import cv2
import numpy as np
import pytest

from app.pipeline.engines.zbar import ZBar
from app.pipeline.engines.zxing import ZXing
from app.pipeline.imaging import GreyImage
from app.pipeline.locating.locators import SightingLocator, WholePicture
from app.pipeline.tools import Tools
from tests.support.fakes import FakeLocator, FakeReader, FakeRestorer, FakeWindows
from training.compare import systems
from training.compare.systems import (
    LADDER,
    RANDOM_ROUTING,
    READER,
    RECTIFIED,
    ROUTED,
    WITH_SOFT,
    Interpolation,
    Kind,
    SharedPicture,
    System,
    SystemResult,
    all_systems,
    ladder_systems,
    network_system,
    run_system,
)
from training.compare.trials import seed_of
from training.measure.sets import Sample, samples


def white(crop: GreyImage) -> GreyImage:
    return np.full_like(crop, 255)


def four_times(crop: GreyImage) -> GreyImage:
    return crop.repeat(4, axis=0).repeat(4, axis=1)


def tools(light: FakeRestorer, heavy: FakeRestorer, *, threshold: float = 0, locators: Sequence[object] = ()) -> Tools:
    large = FakeRestorer("large", four_times, scale=4)
    return Tools(
        zxing=ZXing(),
        zbar=ZBar(),
        windows=FakeWindows(),
        evened=FakeLocator(),
        stretched=FakeLocator(),
        locators=locators or (SightingLocator(), WholePicture()),
        reader=FakeReader(),
        restorers={restorer.name: restorer for restorer in (light, heavy, large)},
        light=light.name,
        heavy=heavy.name,
        upscaler="large",
        threshold=threshold,
    )


def at(sample: Sample) -> tuple[FakeLocator]:
    """One locator, which knows where the code is."""
    return (FakeLocator([sample.corners], 17 + 4 * sample.symbol.version),)


def plain_tools() -> Tools:
    return tools(FakeRestorer("quick"), FakeRestorer("slow", white))


def sample_of(name: str, index: int = 0) -> Sample:
    return next(samples(name, start=index, count=1))


def through(system: System, sample: Sample, made: Tools, *, seed: int = 0) -> SystemResult:
    return run_system(system, SharedPicture(sample.image, made, seed=(seed,)))


def named(made: Tools) -> dict[str, System]:
    return {system.name: system for system in all_systems(made)}


# --- a look ---------------------------------------------------------------------------------------------------------


def test_what_is_made_once_is_charged_every_time(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(100))
    monkeypatch.setattr(systems, "perf_counter", lambda: float(next(clock)))
    picture = SharedPicture(np.zeros((30, 30), np.uint8), plain_tools(), seed=(0,))
    made = []
    for _ in range(3):
        assert picture.cached("key", lambda: made.append(1) or "value") == "value"
    assert made == [1]
    assert picture.spent == 3.0  # a tick each


def test_surveys_are_made_as_far_as_a_system_goes() -> None:
    """What zxing-cpp sees but cannot read comes first: a network that makes it readable needs no locator."""
    sample, locator = sample_of("jpeg10"), FakeLocator([])
    made = tools(FakeRestorer("quick"), FakeRestorer("slow", white), locators=(locator,))
    picture = SharedPicture(sample.image, made, seed=(0,))
    asked = []
    for name in ("quick", "slow", "quick", "slow"):
        run_system(network_system(made.restorers[name]), picture)
        asked.append(locator.asked)
    assert asked == [0, 1, 1, 1]


def test_rungs_climb_the_places_that_every_system_sees() -> None:
    """What one system reads leaves the others' places unread, and the shared climb without a code."""
    sample = sample_of("jpeg10")
    made = tools(FakeRestorer("quick"), FakeRestorer("slow", white), locators=at(sample))
    picture = SharedPicture(sample.image, made, seed=(0,))
    every = {system.name: system for system in ladder_systems(made)}
    alone, softly = (run_system(every[name], picture) for name in (READER, WITH_SOFT))
    assert [symbol.payload for symbol in alone.by_all] == [sample.symbol.payload]
    assert softly.by_all == alone.by_all
    assert picture.climb.found == []
    assert picture.climb.places
    assert not any(place.readings for place in picture.climb.places)


def test_time_includes_locating_whoever_located(monkeypatch: pytest.MonkeyPatch) -> None:
    made = plain_tools()
    picture = SharedPicture(sample_of("jpeg10").image, made, seed=(0,))
    network = network_system(made.restorers["quick"])
    once, again = run_system(network, picture), run_system(network, picture)
    assert once.seconds == again.seconds > 0


# --- kinds ----------------------------------------------------------------------------------------------------------


def test_restorers_see_canonical_crops() -> None:
    sample, quick = sample_of("qrdata"), FakeRestorer("quick")
    made = tools(quick, FakeRestorer("slow", white), locators=at(sample))
    result = through(network_system(quick), sample, made)
    assert result.applicable
    side = 4 * (17 + 4 * sample.symbol.version + 8)
    assert set(quick.calls) == {(side, side)}


@pytest.mark.parametrize("restorer", [FakeRestorer("large", four_times, scale=4), None], ids=["network", "bicubic"])
def test_enlargers_see_small_codes_as_they_lie_and_no_large_ones(restorer: FakeRestorer | None) -> None:
    made = plain_tools()
    system = network_system(restorer or Interpolation(name="bicubic x4", method=cv2.INTER_CUBIC))
    small = through(system, sample_of("blur64"), made)
    assert small.applicable
    assert [symbol.payload for symbol in small.by_all] == [sample_of("blur64").symbol.payload]
    large = through(system, sample_of("qrdata"), made)
    assert not large.applicable
    assert large.by_all == []
    if restorer:
        assert restorer.calls == [(64, 64)]


def test_decoders_and_the_ladder_choose_their_engines_themselves() -> None:
    made, sample = plain_tools(), sample_of("blur64")
    every = named(made)
    assert through(every["zxing"], sample, made).by_zbar is None
    assert through(every[LADDER], sample, made).by_zbar is None
    zbar = through(every["zbar"], sample, made)
    assert zbar.by_zbar == zbar.by_all
    assert {symbol.engine for symbol in through(every["quick"], sample, made).by_zbar or ()} == {"zbar"}
    assert {symbol.engine for symbol in through(every[READER], sample, made).by_zbar or ()} == {"zbar"}


def test_zbar_need_not_be_asked() -> None:
    made, sample = plain_tools(), sample_of("blur64")
    picture = SharedPicture(sample.image, made, seed=(0,))
    assert run_system(named(made)["quick"], picture, zbar_alone=False).by_zbar is None


def test_every_system_is_there_once() -> None:
    every = all_systems(plain_tools())
    names = [system.name for system in every]
    assert len(set(names)) == len(names)
    assert {"zbar", "zxing", "opencv", RECTIFIED, "bicubic x4", "Lanczos x4", "quick", "slow", "large"} <= set(names)
    assert {ROUTED, RANDOM_ROUTING, READER, LADDER} <= set(names)
    kinds = {system.name: system.kind for system in every}
    assert (kinds["quick"], kinds["large"], kinds["bicubic x4"]) == (Kind.RESTORER, Kind.UPSCALER, Kind.INTERPOLATION)


def test_interpolation_enlarges_and_stretches_contrast() -> None:
    grey = np.linspace(100, 140, 400).reshape(20, 20).astype(np.uint8)
    (large,) = Interpolation(name="cubic", method=cv2.INTER_CUBIC).restore([grey])
    assert large.shape == (80, 80)
    assert (large.min(), large.max()) == (0, 255)
    (same,) = Interpolation(name="none", method=cv2.INTER_NEAREST, scale=1).restore([grey])
    assert same.shape == grey.shape
    assert (np.diff(same.astype(int).ravel()) >= 0).all()


# --- routing --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("threshold", "read"), [(0, True), (float("inf"), False)])
def test_the_routed_pair_takes_the_light_network_above_the_threshold_only(threshold: float, read: bool) -> None:
    light, heavy, sample = FakeRestorer("quick"), FakeRestorer("slow", white), sample_of("jpeg10")
    made = tools(light, heavy, threshold=threshold, locators=at(sample))
    assert bool(through(named(made)[ROUTED], sample, made).by_all) is read
    assert bool(light.calls) is read


def test_the_routed_pair_asks_the_heavy_network_where_the_light_one_fails() -> None:
    sample = sample_of("jpeg10")
    made = tools(FakeRestorer("quick", white), FakeRestorer("slow"), locators=at(sample))
    assert through(named(made)[ROUTED], sample, made).by_all
    assert through(named(made)["quick"], sample, made).by_all == []


def test_random_routing_draws_by_its_seed() -> None:
    def drawn(seed: int) -> tuple[int, ...]:
        light, heavy = FakeRestorer("quick", white), FakeRestorer("slow", white)
        made = tools(light, heavy, locators=at(sample))
        through(named(made)[RANDOM_ROUTING], sample, made, seed=seed)
        return len(light.calls), len(heavy.calls)

    sample = sample_of("jpeg10")
    results = [drawn(seed) for seed in range(6)]
    assert results == [drawn(seed) for seed in range(6)]
    assert len(set(results)) > 1
    assert len({sum(result) for result in results}) == 1  # each region is seen by one of the two


def test_seeds_tell_pictures_apart() -> None:
    assert len({seed_of(name, index) for name in ("qrdata", "scene") for index in range(3)}) == 6
