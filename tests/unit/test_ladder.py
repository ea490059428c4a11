from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch

from app.errors import UnknownNetwork
from app.models.checkpoint import Checkpoint
from app.models.srresnet import SRResNet
from app.pipeline.imaging import GreyImage
from app.pipeline.ladder import LADDER, RUNGS, Effort, Ladder, Tools
from app.pipeline.locating import ClassicalLocator
from app.pipeline.reading import ZBar, ZXing
from app.pipeline.restoring import TorchRestorer
from app.pipeline.severity import PAPER_THRESHOLD, THRESHOLD_KEY
from app.pipeline.symbology import render
from tests.bench import (
    ALWAYS,
    BROKEN,
    FIRST,
    NEVER,
    OTHER_PLACE,
    PLACE,
    SECOND,
    bench,
    broken_pair,
    broken_picture,
    rungs,
    stages,
    texts,
    truth,
)
from tests.helpers import photograph, square_at

# --- order ----------------------------------------------------------------------------------------------------------


def test_rungs_are_cheapest_first() -> None:
    assert RUNGS == ("direct", "variants", "rectified", "light", "heavy", "flattened", "upscale")
    assert tuple(rung.name for rung in LADDER) == RUNGS


def test_a_clean_picture_is_read_by_the_first_rung_alone() -> None:
    made = bench()
    outcome = made.run(photograph(FIRST, PLACE, (240, 270)))
    assert texts(outcome) == ["the first truth"]
    assert rungs(outcome) == {"direct"}
    assert stages(outcome) == ["direct"]
    assert outcome.route is None
    assert (outcome.width, outcome.height) == (270, 240)
    assert made.tools.locator.asked == 0
    assert made.light.calls == made.heavy.calls == made.upscaler.calls == []


def test_what_never_reads_has_climbed_every_rung() -> None:
    outcome = bench().run(broken_picture())
    assert outcome.codes == ()
    assert [stage for stage in stages(outcome) if stage != "locate"] == list(RUNGS)
    assert stages(outcome).index("locate") == RUNGS.index("rectified")
    assert all(stage.codes == 0 and stage.seconds >= 0 for stage in outcome.trace)
    assert not outcome.truncated


def test_locating_is_done_once() -> None:
    made = bench()
    made.run(broken_picture())
    assert made.tools.locator.asked == 1


def test_a_region_that_reads_straightened_needs_no_network() -> None:
    """Without one of its finder patterns no engine sees the code; redrawn, it has it again."""
    modules = FIRST.copy()
    modules[:8, :8] = False
    made = bench()
    outcome = made.run(photograph(modules, PLACE, (240, 270)))
    assert texts(outcome) == ["the first truth"]
    assert rungs(outcome) == {"rectified"}
    assert outcome.route is None
    assert made.light.calls == made.heavy.calls == []


# --- effort ---------------------------------------------------------------------------------------------------------


def test_fast_stays_on_the_first_rung() -> None:
    made = bench()
    made.light.answer = truth
    outcome = made.run(broken_picture(), Effort.FAST)
    assert stages(outcome) == ["direct"]
    assert outcome.codes == ()


@pytest.mark.parametrize(("effort", "most"), [(Effort.BALANCED, 4), (Effort.THOROUGH, 12)])
def test_effort_bounds_the_regions(effort: Effort, most: int) -> None:
    tile = render(BROKEN[0], pixels=3)
    places = [
        square_at(12.0 + tile.shape[0] * column, 12.0 + tile.shape[0] * row, 75.0)
        for row in range(3)
        for column in range(5)
    ]
    picture = np.tile(tile, (3, 5))
    made = bench(NEVER, *places)
    made.heavy.answer = truth
    outcome = made.run(picture, effort)
    assert len(made.heavy.calls) == most
    assert texts(outcome) == ["the first truth"] * most


def test_thorough_climbs_on_for_codes_that_lower_rungs_left_unread() -> None:
    picture = photograph(SECOND, OTHER_PLACE, (250, 500), paper=photograph(BROKEN[0], PLACE, (250, 500)))
    made = bench(ALWAYS, PLACE, OTHER_PLACE)
    made.light.answer = truth
    assert texts(made.run(picture)) == ["the other truth"]
    assert made.light.calls == []
    outcome = made.run(picture, Effort.THOROUGH)
    assert [(found.symbol.text, found.rung) for found in outcome.codes] == [
        ("the other truth", "direct"),
        ("the first truth", "light"),
    ]
    assert made.light.calls == [(132, 132)]  # not on what was read before
    assert made.heavy.calls == []
    assert [stage for stage in stages(outcome) if stage != "locate"] == list(RUNGS)


# --- routing --------------------------------------------------------------------------------------------------------


def test_above_the_threshold_the_light_network_reads() -> None:
    made = bench(ALWAYS)
    made.light.answer = truth
    outcome = made.run(broken_picture())
    assert texts(outcome) == ["the first truth"]
    assert rungs(outcome) == {"light"}
    assert outcome.route is not None
    assert (outcome.route.network, outcome.route.threshold) == ("quick", ALWAYS)
    assert outcome.route.laplacian_variance > 100
    assert made.light.calls == [(132, 132)]
    assert made.heavy.calls == []
    assert stages(outcome)[-1] == "light"
    assert outcome.trace[-1].codes == 1


def test_below_the_threshold_only_the_heavy_network_runs() -> None:
    made = bench(NEVER)
    made.light.answer = made.heavy.answer = truth
    outcome = made.run(broken_picture())
    assert texts(outcome) == ["the first truth"]
    assert rungs(outcome) == {"heavy"}
    assert outcome.route is not None
    assert outcome.route.network == "slow"
    assert made.light.calls == []


def test_what_the_light_network_leaves_unread_goes_to_the_heavy_one() -> None:
    made = bench(ALWAYS)
    made.heavy.answer = truth
    outcome = made.run(broken_picture())
    assert texts(outcome) == ["the first truth"]
    assert rungs(outcome) == {"heavy"}
    assert outcome.route is not None
    assert outcome.route.network == "quick"  # where the region was sent first
    assert len(made.light.calls) == len(made.heavy.calls) == 1


def test_the_threshold_is_of_the_crop_that_the_networks_get() -> None:
    score = bench().run(broken_picture()).route
    assert score is not None
    for threshold, network in ((score.laplacian_variance - 1, "quick"), (score.laplacian_variance + 1, "slow")):
        route = bench(threshold).run(broken_picture()).route
        assert route is not None
        assert route.network == network


def test_positions_are_in_pixels_of_the_picture() -> None:
    made = bench(ALWAYS)
    made.light.answer = truth
    (found,) = made.run(broken_picture()).codes
    assert np.abs(np.array(found.symbol.corners) - PLACE).max() < 1.0


def test_the_classical_locator_finds_what_networks_then_read() -> None:
    made = bench(ALWAYS)
    made.light.answer = truth
    tools = replace(made.tools, locator=ClassicalLocator())
    outcome = Ladder(tools=tools, max_codes=16).run(broken_pair(), effort=Effort.BALANCED)
    assert sorted(texts(outcome)) == ["the first truth", "the other truth"]


def test_what_both_networks_leave_unread_is_flattened_along_what_the_light_one_makes_of_it() -> None:
    made = bench(ALWAYS)
    made.light.answer = lambda crop: truth(crop) if len(made.light.calls) > 1 else crop
    outcome = made.run(broken_picture())
    assert texts(outcome) == ["the first truth"]
    assert rungs(outcome) == {"flattened"}
    assert np.abs(np.array(outcome.codes[0].symbol.corners) - PLACE).max() < 1.0
    assert len(made.heavy.calls) == 1


# --- several codes --------------------------------------------------------------------------------------------------


def test_several_codes_are_all_read_once_each() -> None:
    made = bench(ALWAYS, PLACE, OTHER_PLACE, PLACE + 2.0)
    made.light.answer = truth
    outcome = made.run(broken_pair())
    assert sorted(texts(outcome)) == ["the first truth", "the other truth"]
    assert outcome.trace[-1].codes == 2


def test_equal_payloads_at_two_places_are_two_codes() -> None:
    picture = photograph(FIRST, OTHER_PLACE, (250, 500), paper=photograph(FIRST, PLACE, (250, 500)))
    outcome = bench().run(picture)
    assert texts(outcome) == ["the first truth"] * 2
    assert sorted(found.symbol.corners[0][0] < 250 for found in outcome.codes) == [False, True]


def test_a_code_beside_an_unreadable_one_does_not_hide_it_from_zbar() -> None:
    """zxing-cpp reads one and sees another: the direct rung asks ZBar too and keeps each place once."""
    picture = photograph(SECOND, OTHER_PLACE, (250, 500), paper=photograph(BROKEN[0], PLACE, (250, 500)))
    outcome = bench().run(picture)
    assert texts(outcome) == ["the other truth"]


def test_too_many_codes_are_cut_off_and_said_so() -> None:
    picture = photograph(SECOND, OTHER_PLACE, (250, 500), paper=photograph(FIRST, PLACE, (250, 500)))
    cut = bench().run(picture, max_codes=1)
    assert len(cut.codes) == 1
    assert cut.truncated
    whole = bench().run(picture, max_codes=2)
    assert len(whole.codes) == 2
    assert not whole.truncated


# --- super-resolution -----------------------------------------------------------------------------------------------


SMALL_PLACE = np.array([[40.0, 30.0], [102.0, 35.0], [98.0, 96.0], [36.0, 92.0]])  # 2.5 pixels a module


def test_small_modules_are_read_from_the_enlarged_picture_at_their_place() -> None:
    small = photograph(BROKEN[0], SMALL_PLACE, (130, 150))
    large = photograph(FIRST, 4 * SMALL_PLACE, (520, 600))
    made = bench(ALWAYS, SMALL_PLACE)

    def clairvoyant(patch: GreyImage) -> GreyImage:
        _, _, _, (x, y) = cv2.minMaxLoc(cv2.matchTemplate(small, patch, cv2.TM_CCOEFF_NORMED))
        height, width = patch.shape
        return large[4 * y : 4 * (y + height), 4 * x : 4 * (x + width)]

    made.upscaler.answer = clairvoyant
    outcome = made.run(small)
    (found,) = outcome.codes
    assert found.symbol.text == "the first truth"
    assert found.rung == "upscale"
    assert np.abs(np.array(found.symbol.corners) - SMALL_PLACE).max() < 1.0
    assert len(made.heavy.calls) == 1


def test_large_modules_are_not_enlarged() -> None:
    made = bench()
    made.run(broken_picture())
    assert made.upscaler.calls == []


# --- assembling -----------------------------------------------------------------------------------------------------


def test_a_ladder_without_its_networks_is_refused() -> None:
    tools = replace(bench().tools, heavy="absent")
    with pytest.raises(UnknownNetwork, match="absent"):
        Ladder(tools=tools, max_codes=1)


@pytest.mark.parametrize(
    ("measured", "threshold"), [({THRESHOLD_KEY: 42.5}, 42.5), ({}, PAPER_THRESHOLD), ({THRESHOLD_KEY: "x"}, 100.0)]
)
def test_standard_tools_take_the_calibrated_threshold(measured: dict[str, object], threshold: float) -> None:
    torch.manual_seed(0)
    card = Checkpoint("quick", "SRResNet", SRResNet(width=2, blocks=1), {}, {}, measured)
    tools = Tools.standard({"quick": TorchRestorer(card)}, light="quick", heavy="slow", upscaler="large")
    assert tools.threshold == threshold
    assert (tools.light, tools.heavy, tools.upscaler) == ("quick", "slow", "large")


def test_the_broken_symbols_are_broken() -> None:
    """Guards this file: neither engine reads what the fakes are there to restore."""
    for modules in BROKEN.values():
        picture = render(modules, pixels=6)
        assert ZXing().read(picture) == []
        assert ZBar().read(picture) == []
