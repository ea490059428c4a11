from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from app.errors import UnknownNetwork
from app.models.checkpoint import Checkpoint
from app.models.srresnet import SRResNet
from app.pipeline.imaging import GreyImage
from app.pipeline.ladder import LADDER, RUNGS, Effort, Ladder, Outcome, Tools
from app.pipeline.locating import Candidate, ClassicalLocator, whole_picture
from app.pipeline.reading import Corners, ZBar, ZXing
from app.pipeline.restoring import TorchRestorer
from app.pipeline.severity import PAPER_THRESHOLD, THRESHOLD_KEY
from app.pipeline.symbology import render
from tests.helpers import FakeRestorer, encode, photograph, scrambled, square_at

FIRST, SECOND = encode("the first truth", version=2), encode("the other truth", version=2)
BROKEN = {0: scrambled(FIRST, seed=1), 1: scrambled(SECOND, seed=2)}
"""Symbols whose codewords are destroyed: found and registered, but only their true modules can be read."""
PLACE = square_at(70.0, 55.0, 125.0)
OTHER_PLACE = square_at(300.0, 60.0, 125.0)
NEVER, ALWAYS = float("inf"), 0.0  # thresholds of the light network


def broken_picture() -> GreyImage:
    return photograph(BROKEN[0], PLACE, (240, 270))


def broken_pair() -> GreyImage:
    return photograph(BROKEN[1], OTHER_PLACE, (250, 500), paper=photograph(BROKEN[0], PLACE, (250, 500)))


def truth(crop: GreyImage) -> GreyImage:
    """What a perfect network makes of a canonical crop of a broken symbol."""
    likeness = [np.abs(crop.astype(int) - render(modules, pixels=4)).mean() for modules in BROKEN.values()]
    return render((FIRST, SECOND)[int(np.argmin(likeness))], pixels=4)


@dataclass
class FakeLocator:
    """Knows its quads, and counts how often it is asked."""

    quads: Sequence[NDArray[np.float64]] = ()
    asked: int = 0

    def locate(self, image: GreyImage) -> list[Candidate]:
        self.asked += 1
        return [*(Candidate(as_corners(quad), 25, 1.0) for quad in self.quads), whole_picture(image)]


def as_corners(quad: NDArray[np.float64]) -> Corners:
    first, second, third, fourth = ((float(x), float(y)) for x, y in quad)
    return first, second, third, fourth


@dataclass
class Bench:
    """A ladder on networks that leave everything as it is unless told otherwise."""

    tools: Tools
    light: FakeRestorer
    heavy: FakeRestorer
    upscaler: FakeRestorer

    def ladder(self, max_codes: int = 16) -> Ladder:
        return Ladder(tools=self.tools, max_codes=max_codes)

    def run(self, image: GreyImage, effort: Effort = Effort.BALANCED, *, max_codes: int = 16) -> Outcome:
        return self.ladder(max_codes).run(image, effort=effort)


def enlarge(crop: GreyImage) -> GreyImage:
    return np.asarray(crop.repeat(4, axis=0).repeat(4, axis=1))


def bench(threshold: float = ALWAYS, *quads: NDArray[np.float64]) -> Bench:
    light, heavy = FakeRestorer("quick"), FakeRestorer("slow")
    upscaler = FakeRestorer("large", enlarge, scale=4)
    tools = Tools(
        zxing=ZXing(),
        zbar=ZBar(),
        locator=FakeLocator(quads or (PLACE + 1.5,)),
        restorers={restorer.name: restorer for restorer in (light, heavy, upscaler)},
        light="quick",
        heavy="slow",
        upscaler="large",
        threshold=threshold,
    )
    return Bench(tools, light, heavy, upscaler)


def texts(outcome: Outcome) -> list[str]:
    return [found.symbol.text for found in outcome.codes]


def rungs(outcome: Outcome) -> set[str]:
    return {found.rung for found in outcome.codes}


def stages(outcome: Outcome) -> list[str]:
    return [stage.stage for stage in outcome.trace]


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


# --- restoring ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("threshold", "reads", "network", "rung"),
    [
        (ALWAYS, "light", "quick", "light"),
        (ALWAYS, "heavy", "slow", "heavy"),
        (NEVER, "light", "slow", None),
        (NEVER, "heavy", "slow", "heavy"),
    ],
)
def test_auto_restores_as_the_ladder_would(threshold: float, reads: str, network: str, rung: str | None) -> None:
    made = bench(threshold)
    (made.light if reads == "light" else made.heavy).answer = truth
    restoration = made.ladder().restore(broken_picture())
    assert restoration.network == network
    assert rungs(restoration.outcome) == ({rung} if rung else set())
    assert restoration.image.shape == (132, 132)
    if rung:
        assert np.array_equal(restoration.image, render(FIRST, pixels=4))
        (found,) = restoration.outcome.codes
        assert np.abs(np.array(found.symbol.corners) - PLACE).max() < 1.0


@pytest.mark.parametrize(("network", "rung"), [("quick", "light"), ("slow", "heavy")])
def test_a_named_network_runs_whatever_the_route(network: str, rung: str) -> None:
    for threshold in (ALWAYS, NEVER):
        made = bench(threshold)
        made.light.answer = made.heavy.answer = truth
        restoration = made.ladder().restore(broken_picture(), network=network)
        assert restoration.network == network
        assert rungs(restoration.outcome) == {rung}
        assert len(made.light.calls) + len(made.heavy.calls) == 1
        assert stages(restoration.outcome) == ["locate", network]


def test_unknown_networks_are_refused() -> None:
    with pytest.raises(UnknownNetwork, match="large, quick, slow"):
        bench().ladder().restore(broken_picture(), network="medium")


def test_scale_four_is_the_upscalers_work() -> None:
    made = bench()
    made.light.answer = truth
    restoration = made.ladder().restore(broken_picture(), scale=4)
    assert np.array_equal(restoration.image, render(FIRST, pixels=16))
    assert restoration.network == "quick"
    assert made.upscaler.calls == [(132, 132)]
    assert texts(restoration.outcome) == ["the first truth"]


@pytest.mark.parametrize(("scale", "side"), [(1, 132), (4, 528)])
def test_the_upscaler_alone_gives_either_scale(scale: int, side: int) -> None:
    made = bench()
    made.upscaler.answer = lambda crop: enlarge(truth(crop))
    restoration = made.ladder().restore(broken_picture(), network="large", scale=scale)
    assert restoration.image.shape == (side, side)
    assert len(made.upscaler.calls) == 1
    assert rungs(restoration.outcome) == {"upscale"}


@pytest.mark.parametrize("scale", [1, 4])
def test_binary_redraws_the_symbol(scale: int) -> None:
    def faint(crop: GreyImage) -> GreyImage:
        return (truth(crop) // 2 + 60).astype(np.uint8)

    made = bench()
    made.light.answer = faint
    grey = made.ladder().restore(broken_picture(), scale=scale)
    assert set(np.unique(grey.image)) == {60, 187}
    binary = made.ladder().restore(broken_picture(), scale=scale, binary=True)
    assert np.array_equal(binary.image, render(FIRST, pixels=4 * scale))


def flat_scene() -> GreyImage:
    """Nothing that registers as a code."""
    return np.tile(np.linspace(20, 230, 900).astype(np.uint8), (600, 1))


@pytest.mark.parametrize(("scale", "shape"), [(1, (341, 512)), (4, (1364, 2048))])
def test_without_a_region_the_whole_picture_is_restored(scale: int, shape: tuple[int, int]) -> None:
    made = bench(NEVER)
    restoration = made.ladder().restore(flat_scene(), scale=scale)
    assert restoration.image.shape == shape
    assert made.heavy.calls == [(341, 512)]
    assert restoration.outcome.codes == ()
    assert (restoration.outcome.width, restoration.outcome.height) == (900, 600)


def test_without_a_region_small_pictures_keep_their_size_and_binary_thresholds() -> None:
    made = bench(NEVER)
    picture = flat_scene()[:90, ::9]
    restored = made.ladder().restore(picture)
    assert np.array_equal(restored.image, picture)
    binary = made.ladder().restore(picture, binary=True).image
    assert set(np.unique(binary)) == {0, 255}
    assert (np.diff(binary[0].astype(int)) >= 0).all()


def test_what_reads_in_a_whole_picture_is_at_its_place_in_the_original() -> None:
    truth_at = square_at(300.0, 150.0, 250.0)
    made = bench(NEVER)
    made.heavy.answer = lambda _: photograph(FIRST, truth_at * 512 / 900, (341, 512))
    restoration = made.ladder().restore(flat_scene())
    (found,) = restoration.outcome.codes
    assert found.symbol.text == "the first truth"
    assert np.abs(np.array(found.symbol.corners) - truth_at).max() < 4.0


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
