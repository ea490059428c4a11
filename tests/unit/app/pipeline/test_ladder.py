"""The ladder on real engines and fake networks: which rungs it climbs, and what each of them gets."""

from collections.abc import Callable
from dataclasses import replace

import cv2
import numpy as np
import pytest

from app.errors import UnknownNetwork
from app.pipeline.engines.zbar import ZBar
from app.pipeline.engines.zxing import ZXing
from app.pipeline.imaging import GreyImage
from app.pipeline.inference.module_reader import LogOdds
from app.pipeline.ladder import DOTS, Ladder
from app.pipeline.locating.finder_patterns import FinderLocator
from app.pipeline.micro import MICRO
from app.pipeline.qrcode.patterns import function_patterns, render
from app.pipeline.results import SOFT, Effort, Outcome
from app.pipeline.rungs import RUNGS
from tests.support.bench import (
    ALWAYS,
    BROKEN,
    FIRST,
    NEVER,
    OTHER_PLACE,
    PLACE,
    SECOND,
    Bench,
    bench,
    broken_pair,
    broken_picture,
    rungs,
    stages,
    texts,
    true_reading,
    truth,
    without_a_core,
)
from tests.support.codes import photograph, square_at
from tests.support.fakes import blank_reading, mean_reading


def climbed(outcome: Outcome) -> list[str]:
    """The rungs that were tried, in the order of their first try."""
    return [stage for stage in stages(outcome) if stage != "locate"]


BESIDE = 260  # column between the two places

# --- order ----------------------------------------------------------------------------------------------------------


def test_rungs_are_cheapest_first() -> None:
    assert RUNGS == (
        "direct",
        "rectified",
        "modules",
        "soft",
        "variants",
        "halftone",
        "flattened",
        "light",
        "heavy",
        "upscale",
    )


@pytest.mark.parametrize(("shape", "looks"), [((240, 270), []), ((240, 370), [640])])
def test_a_clean_picture_is_read_by_the_first_rung_and_searched_once_where_there_is_room(
    shape: tuple[int, int], looks: list[int]
) -> None:
    made = bench()
    outcome = made.run(photograph(FIRST, PLACE, shape))
    assert texts(outcome) == ["the first truth"]
    assert rungs(outcome) == {"direct"}
    assert climbed(outcome) == ["direct", *([MICRO] if looks else [])]
    assert outcome.route is None
    assert (outcome.height, outcome.width) == shape
    assert (outcome.complete, outcome.unread) == (True, ())
    assert made.windows.sizes == looks
    assert made.locator.asked == made.stretched.asked == made.spare.asked == 0
    assert made.reader.calls == []
    assert made.light.calls == made.heavy.calls == made.upscaler.calls == []


def test_an_unreadable_picture_climbs_every_rung() -> None:
    outcome = bench().run(broken_picture())
    assert outcome.codes == ()
    assert stages(outcome)[:3] == ["direct", "variants", "locate"]  # the picture is small
    first, _, *others = climbed(outcome)
    quick, last = ["rectified", "modules", "soft"], ["halftone", "light", "heavy", "upscale"]
    assert [first, *others] == ["direct", *quick, "flattened", MICRO, DOTS, *last]
    assert all(stage.codes == 0 and stage.seconds >= 0 for stage in outcome.trace)
    assert not outcome.truncated


def test_each_locator_is_called_once() -> None:
    made = bench()
    made.run(broken_picture())
    assert (made.locator.asked, made.spare.asked) == (1, 1)


def test_a_region_is_read_module_by_module_once() -> None:
    """However many rungs ask for it; flattening reads it again because it changes the crop."""
    made = bench()
    read: list[GreyImage] = []

    def remember(crop: GreyImage, version: int) -> LogOdds:
        read.append(crop)
        return np.zeros((17 + 4 * version,) * 2, np.float32)

    made.reader.answer = remember
    made.run(broken_picture())
    regions = {crop.tobytes() for crop in read}
    assert len(regions) == len(read)


def test_a_region_that_reads_straightened_needs_no_network() -> None:
    """Without the core of a finder pattern no engine sees the code; redrawing restores the pattern."""
    made = bench()
    outcome = made.run(photograph(without_a_core(FIRST), PLACE, (240, 270)))
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


@pytest.mark.parametrize("effort", [Effort.BALANCED, Effort.THOROUGH])
def test_a_sharp_code_does_not_hide_an_unreadable_one(effort: Effort) -> None:
    picture = photograph(SECOND, OTHER_PLACE, (250, 500), paper=photograph(BROKEN[0], PLACE, (250, 500)))
    made = bench(ALWAYS, PLACE, OTHER_PLACE)
    made.light.answer = truth
    outcome = made.run(picture, effort)
    assert [(found.symbol.text, found.rung) for found in outcome.codes] == [
        ("the other truth", "direct"),
        ("the first truth", "light"),
    ]
    assert made.light.calls == [(132, 132)]  # not on what was read before
    assert made.heavy.calls == []
    assert outcome.unread == ()


def test_codes_of_one_picture_are_read_by_different_rungs() -> None:
    """The reader knows one of them only, so that the network is left with the other."""
    picture = photograph(FIRST, square_at(550, 60, 125), (250, 730), paper=np.pad(broken_pair(), ((0, 0), (0, 230))))
    made = bench(ALWAYS, PLACE, OTHER_PLACE)
    made.light.answer = truth

    def reading(crop: GreyImage, version: int) -> LogOdds:
        is_second = np.array_equal(truth(crop), render(SECOND, pixels=4))
        return true_reading(crop, version) if is_second else blank_reading(crop, version)

    made.reader.answer = reading
    outcome = made.run(picture)
    assert [(found.symbol.text, found.rung) for found in outcome.codes] == [
        ("the first truth", "direct"),
        ("the other truth", "modules"),
        ("the first truth", "light"),
    ]
    assert made.light.calls.count((132, 132)) == 1


def test_thorough_effort_asks_every_locator_whatever_was_read() -> None:
    made = bench()
    clean = photograph(FIRST, PLACE, (240, 270))
    made.run(clean, Effort.THOROUGH)
    assert (made.locator.asked, made.stretched.asked, made.spare.asked) == (1, 1, 1)


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


def test_the_heavy_network_gets_what_the_light_one_leaves_unread() -> None:
    made = bench(ALWAYS)
    made.heavy.answer = truth
    outcome = made.run(broken_picture())
    assert texts(outcome) == ["the first truth"]
    assert rungs(outcome) == {"heavy"}
    assert outcome.route is not None
    assert outcome.route.network == "quick"  # where the region was sent first
    assert len(made.light.calls) == len(made.heavy.calls) == 1


def test_the_threshold_applies_to_the_crop_that_networks_get() -> None:
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


def test_the_finder_locator_finds_what_networks_then_read() -> None:
    made = bench(ALWAYS)
    made.light.answer = lambda crop: truth(crop) if crop.shape == (132, 132) else crop
    made.windows.quads = ()
    tools = replace(made.tools, locators=(FinderLocator(),))
    outcome = Ladder(tools=tools, max_codes=16).run(broken_pair(), effort=Effort.BALANCED)
    assert sorted(texts(outcome)) == ["the first truth", "the other truth"]


# --- module by module -----------------------------------------------------------------------------------------------


def test_the_module_reader_saves_the_restorers() -> None:
    made = bench()
    made.reader.answer = true_reading
    outcome = made.run(broken_picture())
    assert texts(outcome) == ["the first truth"]
    assert rungs(outcome) == {"modules"}
    assert outcome.codes[0].symbol.engine == "zxing"
    assert np.abs(np.array(outcome.codes[0].symbol.corners) - PLACE).max() < 1.0
    assert outcome.route is None
    assert made.light.calls == made.heavy.calls == []
    assert made.locator.asked == made.spare.asked == 0


def unsure(crop: GreyImage, version: int) -> LogOdds:
    """Too many wrong modules for error correction, but the wrong ones have the lowest confidence."""
    log_odds = true_reading(crop, version)
    wrong = function_patterns(version).data & (np.random.default_rng(5).random(log_odds.shape) < 0.12)
    return np.where(wrong, -0.2 * np.sign(log_odds), log_odds).astype(np.float32)


def test_doubtful_readings_are_decoded_softly() -> None:
    made = bench()
    made.reader.answer = unsure
    outcome = made.run(broken_picture())
    assert texts(outcome) == ["the first truth"]
    assert rungs(outcome) == {"soft"}
    assert outcome.codes[0].symbol.engine == SOFT
    assert [name for name in stages(outcome) if name in RUNGS][-2:] == ["modules", "soft"]


def first_then(made: Bench, later: Callable[[GreyImage, int], LogOdds]) -> Callable[[GreyImage, int], LogOdds]:
    """A faint true reading at the first call, another one after that."""

    def read(crop: GreyImage, version: int) -> LogOdds:
        return mean_reading(crop, version) / 20 if len(made.reader.calls) == 1 else later(crop, version)

    return read


@pytest.mark.parametrize(("later", "engine"), [(true_reading, "zxing"), (unsure, SOFT)])
def test_undecodable_readings_are_flattened_and_read_again(
    later: Callable[[GreyImage, int], LogOdds], engine: str
) -> None:
    made = bench()
    made.reader.answer = first_then(made, later)
    outcome = made.run(broken_picture())
    assert texts(outcome) == ["the first truth"]
    assert [(found.rung, found.symbol.engine) for found in outcome.codes] == [("flattened", engine)]
    assert np.abs(np.array(outcome.codes[0].symbol.corners) - PLACE).max() < 1.0


def test_what_a_slow_locator_finds_climbs_like_any_other_place() -> None:
    made = bench(ALWAYS, PLACE)
    made.reader.answer = lambda crop, version: (
        true_reading(crop, version) if made.spare.asked else blank_reading(crop, version)
    )
    made.spare.quads = [OTHER_PLACE]
    picture = broken_pair()
    picture[:, BESIDE:] = np.clip(picture[:, BESIDE:].astype(int) + 10, 0, 255)
    outcome = made.run(picture)
    assert ("the other truth", "modules") in [(found.symbol.text, found.rung) for found in outcome.codes]
    assert made.spare.asked == 1


# --- several codes --------------------------------------------------------------------------------------------------


def test_several_codes_are_all_read_once_each() -> None:
    made = bench(ALWAYS, PLACE, OTHER_PLACE, PLACE + 2.0)
    made.light.answer = truth
    outcome = made.run(broken_pair())
    assert sorted(texts(outcome)) == ["the first truth", "the other truth"]
    assert [stage.codes for stage in outcome.trace if stage.codes] == [2]


def test_equal_payloads_at_two_places_are_two_codes() -> None:
    picture = photograph(FIRST, OTHER_PLACE, (250, 500), paper=photograph(FIRST, PLACE, (250, 500)))
    outcome = bench().run(picture)
    assert texts(outcome) == ["the first truth"] * 2
    assert sorted(found.symbol.corners.centre[0] < 250 for found in outcome.codes) == [False, True]


def test_too_many_codes_are_cut_off_and_reported() -> None:
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


def test_the_broken_symbols_are_broken() -> None:
    """Guards this file: neither engine reads the pictures that the fakes restore."""
    for modules in BROKEN.values():
        picture = render(modules, pixels=6)
        assert ZXing().read(picture) == []
        assert ZBar().read(picture) == []
