from dataclasses import replace

import numpy as np
import pytest

from app.pipeline.engines.zbar import ZBar
from app.pipeline.engines.zxing import ZXing
from app.pipeline.locating.finder_patterns import FinderLocator
from app.pipeline.locating.locators import SightingLocator
from app.pipeline.tools import Tools
from tests.support.fakes import FakeLocator, FakeReader, FakeRestorer, FakeWindows
from training.measure import calibrate
from training.measure.calibrate import RoutingTrial, best_threshold, expected_seconds, run_trials


def made(seed: int, count: int = 40) -> list[RoutingTrial]:
    """Regions that the light network reads the more likely the sharper they are."""
    rng = np.random.default_rng(seed)
    scores = rng.uniform(5, 2000, count)
    return [
        RoutingTrial(
            score=float(score),
            light_reads=bool(rng.random() < (score / 2000) ** rng.uniform(0.2, 3)),
            heavy_reads=True,
            light_seconds=float(rng.uniform(0.5, 1.5)),
            heavy_seconds=float(rng.uniform(2, 8)),
        )
        for score in scores
    ]


def test_expected_seconds_by_hand() -> None:
    trials = [
        RoutingTrial(score=100, light_reads=True, heavy_reads=True, light_seconds=1, heavy_seconds=6),
        RoutingTrial(score=200, light_reads=False, heavy_reads=True, light_seconds=3, heavy_seconds=8),
        RoutingTrial(score=300, light_reads=True, heavy_reads=False, light_seconds=2, heavy_seconds=4),
    ]  # mean light 2, mean heavy 6
    assert expected_seconds(trials, 0) == pytest.approx((2 + 8 + 2) / 3)
    assert expected_seconds(trials, 100) == pytest.approx((6 + 8 + 2) / 3)  # at the threshold: heavy
    assert expected_seconds(trials, 250) == pytest.approx((6 + 6 + 2) / 3)
    assert expected_seconds(trials, 1000) == pytest.approx(6)


@pytest.mark.parametrize("seed", range(12))
def test_no_threshold_is_better_than_the_best(seed: int) -> None:
    trials = made(seed)
    best = expected_seconds(trials, best_threshold(trials))
    tried = np.concatenate([[0.0], np.geomspace(0.1, 10_000, 3000), [region.score for region in trials]])
    assert best == pytest.approx(min(expected_seconds(trials, float(threshold)) for threshold in tried))


@pytest.mark.parametrize(("light_reads", "above_all"), [(True, False), (False, True)])
def test_one_sided_cases_go_to_one_network(light_reads: bool, above_all: bool) -> None:
    trials = [replace(region, light_reads=light_reads) for region in made(1)]
    threshold = best_threshold(trials)
    scores = [region.score for region in trials]
    assert threshold > max(scores) if above_all else threshold < min(scores)


def test_thresholds_lie_between_neighbouring_scores() -> None:
    trials = [
        RoutingTrial(score=100, light_reads=False, heavy_reads=True, light_seconds=1, heavy_seconds=5),
        RoutingTrial(score=400, light_reads=True, heavy_reads=True, light_seconds=1, heavy_seconds=5),
    ]
    assert best_threshold(trials) == pytest.approx(200)


def test_judging_runs_both_networks_on_validation_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    light, heavy = FakeRestorer("quick"), FakeRestorer("slow", lambda crop: np.full_like(crop, 255))
    tools = Tools(
        zxing=ZXing(),
        zbar=ZBar(),
        windows=FakeWindows(),
        evened=FakeLocator(),
        stretched=FakeLocator(),
        locators=(SightingLocator(), FinderLocator()),
        reader=FakeReader(),
        restorers={"quick": light, "slow": heavy},
        light="quick",
        heavy="slow",
        upscaler="none",
        threshold=0,
    )
    asked: list[tuple[str, int]] = []
    samples = calibrate.samples

    def watched(name: str, *, start: int, count: int) -> object:
        asked.append((name, start))
        return samples(name, start=start, count=count)

    monkeypatch.setattr(calibrate, "samples", watched)
    monkeypatch.setattr(calibrate, "_SETS", ("jpeg10", "blur64"))
    trials = run_trials(tools, count=2)
    assert [name for name, _ in asked] == ["jpeg10", "blur64"]
    assert all(start >= 200 for _, start in asked)
    assert len(trials) == 4
    assert len(light.calls) == len(heavy.calls) == 4
    assert sum(region.light_reads for region in trials) >= 3  # what is there reads as it is
    assert not any(region.heavy_reads for region in trials)  # a white crop does not
    assert all(region.score > 0 and region.light_seconds > 0 and region.heavy_seconds > 0 for region in trials)
