"""Every network on one code: what the contact sheet and its figures say."""

from dataclasses import replace

import numpy as np
import pytest

from app.pipeline import comparing, restoration
from app.pipeline.climb import Climb
from app.pipeline.comparing import compare
from app.pipeline.imaging import GreyImage
from app.pipeline.inference.restorer import Restorer
from app.pipeline.qrcode.patterns import render
from app.pipeline.results import COMPARE, Compared, Effort, Restoration
from tests.support.bench import FIRST, SECOND, Bench, bench, broken_picture, texts, true_reading, truth


def reading_bench() -> Bench:
    """A bench whose module reader reads the broken picture."""
    made = bench()
    made.reader.answer = true_reading
    return made


def compared(made: Bench, *, budget: float = float("inf")) -> Restoration:
    return made.ladder().restore(broken_picture(), network=COMPARE, budget=budget)


def by_name(restoration: Restoration) -> dict[str, Compared]:
    return {one.network: one for one in restoration.comparison}


def test_every_network_is_compared_with_the_redrawn_symbol() -> None:
    made = reading_bench()
    made.light.answer = truth
    result = compared(made)
    assert (result.network, result.located) == (COMPARE, True)
    assert set(by_name(result)) == set(made.tools.restorers)
    quick, slow = by_name(result)["quick"], by_name(result)["slow"]
    assert (quick.text, quick.agrees, quick.psnr) == ("the first truth", True, 100.0)
    assert (slow.text, slow.agrees) == (None, None)
    assert slow.psnr is not None
    assert slow.psnr < 20
    assert texts(result.outcome) == ["the first truth"]
    stages = {stage.stage: stage.codes for stage in result.outcome.trace}
    assert (stages["quick"], stages["slow"]) == (1, 0)


def test_a_network_that_reads_otherwise_is_marked() -> None:
    made = reading_bench()
    made.heavy.answer = lambda crop: render(SECOND, pixels=4) if crop.shape == (132, 132) else crop
    slow = by_name(compared(made))["slow"]
    assert (slow.text, slow.agrees) == ("the other truth", False)


def test_without_a_redrawn_symbol_there_is_no_psnr_and_the_first_read_counts() -> None:
    made = bench()
    made.heavy.answer = truth
    result = compared(made)
    assert {one.psnr for one in result.comparison} == {None}
    assert {one.agrees for one in result.comparison} == {None}
    assert by_name(result)["slow"].text == "the first truth"
    assert texts(result.outcome) == ["the first truth"]


def test_without_a_code_nothing_is_run() -> None:
    made = bench()
    blank = np.full((90, 120), 128, np.uint8)
    result = made.ladder().restore(blank, network=COMPARE)
    assert (result.located, result.network, result.comparison) == (False, None, ())
    assert np.array_equal(result.image, blank)
    assert made.light.calls == made.heavy.calls == []


def test_networks_that_would_not_end_in_time_are_named_and_not_run(monkeypatch: pytest.MonkeyPatch) -> None:
    made = reading_bench()

    def predict(restorer: Restorer, crop: GreyImage) -> float:
        return 1000.0 if restorer.name == "slow" else 0.001

    monkeypatch.setattr(comparing, "predict_seconds", predict)
    made.light.answer = truth
    result = compared(made, budget=100.0)
    assert result.comparison[-1] == Compared("slow")
    assert by_name(result)["quick"].seconds is not None
    assert made.heavy.calls == []
    assert not result.outcome.complete
    assert "slow" not in {stage.stage for stage in result.outcome.trace}


def test_the_sheet_shows_a_tile_for_each() -> None:
    made = reading_bench()
    made.light.answer = truth
    with_truth = compared(made).image
    rows = -(-(2 + len(made.tools.restorers)) // 4)
    assert with_truth.shape == (rows * (296 + 3 * 17 + 12) + 12, 4 * (296 + 12) + 12)
    second = with_truth[12 + 16 : 12 + 16 + 264, 12 + 308 + 16 : 12 + 308 + 16 + 264]  # 132 pixels, twice as large
    assert np.array_equal(second, render(FIRST, pixels=8))


@pytest.mark.parametrize("budget", [0.5, float("inf")])
def test_on_a_whole_picture_a_network_that_enlarges_is_bounded(budget: float, monkeypatch: pytest.MonkeyPatch) -> None:
    made = bench()
    name = made.tools.upscaler
    monkeypatch.setattr(restoration, "predict_seconds", lambda restorer, crop: 12.0)
    climb = Climb(np.full((90, 120), 128, np.uint8), Effort.BALANCED, made.tools, budget=budget)
    calls = made.upscaler.calls
    restoration.restore(climb, network=name, scale=1, binary=False, view=restoration.View.STRAIGHTENED)
    assert bool(calls) is (budget == float("inf"))
    assert climb.is_complete is (budget == float("inf"))


def test_predictions_follow_the_size_of_the_crop() -> None:
    made = bench()
    made.light.calls.clear()
    restoration.predict_seconds(made.light, np.zeros((132, 132), np.uint8))
    assert made.light.calls == 3 * [(64, 64)]
    slow = replace(made.light, answer=_busy)
    small, large = (restoration.predict_seconds(slow, np.zeros((side, side), np.uint8)) for side in (64, 640))
    assert large > 20 * small


def _busy(crop: GreyImage) -> GreyImage:
    for _ in range(20):
        np.linalg.eigvalsh(np.eye(90))
    return crop


def test_compare_is_no_network_of_its_own() -> None:
    climb = Climb(broken_picture(), Effort.BALANCED, bench().tools)
    assert compare(climb).made_by == COMPARE
