from dataclasses import replace

import numpy as np
import pytest

from app.errors import UnknownNetwork
from app.pipeline.engines.zxing import ZXing
from app.pipeline.gates import Gates
from app.pipeline.imaging import GreyImage, resize
from app.pipeline.inference.module_reader import LogOdds
from app.pipeline.qrcode.patterns import function_patterns, render
from app.pipeline.results import SOFT, View
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
    enlarge,
    rungs,
    stages,
    texts,
    true_reading,
    truth,
)
from tests.support.codes import photograph, square_at


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
        assert stages(restoration.outcome) == ["locate", "modules", network]


@pytest.mark.parametrize("clear", [0, 1])
def test_networks_get_the_region_that_is_read_most_confidently(clear: int) -> None:
    """The answer holds nothing of the reads that found the region."""

    def reading(crop: GreyImage, version: int) -> LogOdds:
        right = np.array_equal(truth(crop), render((FIRST, SECOND)[clear], pixels=4))
        return true_reading(crop, version) / (1 if right else 20)

    made = bench(ALWAYS, PLACE, OTHER_PLACE)
    made.reader.answer = reading
    restoration = made.ladder().restore(broken_pair(), network="quick")
    assert np.array_equal(truth(restoration.image), render((FIRST, SECOND)[clear], pixels=4))
    assert restoration.outcome.codes == ()


def test_unknown_networks_are_refused() -> None:
    with pytest.raises(UnknownNetwork, match="large, modules, quick, slow"):
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
    made.upscaler.answer = lambda crop: enlarge(resize(truth(resize(crop, 2)), 0.5))
    restoration = made.ladder().restore(broken_picture(), network="large", scale=scale)
    assert restoration.image.shape == (side, side)
    assert made.upscaler.calls == [(66, 66)]  # two pixels a module: it is for small ones
    assert rungs(restoration.outcome) == {"upscale"}


@pytest.mark.parametrize("scale", [1, 4])
def test_the_upscaler_gets_half_of_a_whole_picture(scale: int) -> None:
    made = blind()
    restoration = made.ladder().restore(flat_scene(), network="large", scale=scale)
    assert made.upscaler.calls == [(170, 256)]
    assert np.array_equal(restoration.image, reduced_scene())


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
    """A picture without a code."""
    return np.tile(np.linspace(20, 230, 900).astype(np.uint8), (600, 1))


def blind() -> Bench:
    """A bench whose locators find nothing and that routes to the slow network."""
    made = bench(NEVER)
    made.windows.quads = ()
    return made


def reduced_scene() -> GreyImage:
    return resize(flat_scene(), 512 / 900)


@pytest.mark.parametrize("binary", [False, True])
@pytest.mark.parametrize("scale", [1, 4])
def test_without_a_region_nothing_is_restored(scale: int, binary: bool) -> None:
    made = blind()
    restoration = made.ladder().restore(flat_scene(), scale=scale, binary=binary)
    assert made.heavy.calls == [(341, 512)]  # it had a chance
    assert not restoration.located
    assert restoration.network is None
    assert np.array_equal(restoration.image, reduced_scene())
    assert restoration.outcome.codes == ()
    assert restoration.outcome.route is None
    assert (restoration.outcome.width, restoration.outcome.height) == (900, 600)


def test_without_a_region_small_pictures_keep_their_size() -> None:
    picture = flat_scene()[:90, ::9]
    restored = blind().ladder().restore(picture)
    assert np.array_equal(restored.image, picture)


@pytest.mark.parametrize("network", ["auto", "slow", "modules"])
@pytest.mark.parametrize("view", list(View))
def test_a_region_without_credit_is_no_code(network: str, view: View) -> None:
    made = doubtful()
    restoration = made.ladder().restore(broken_picture(), network=network, view=view)
    assert not restoration.located
    assert restoration.network is None
    assert np.array_equal(restoration.image, broken_picture())
    assert restoration.outcome.codes == ()


def test_a_region_without_credit_is_a_code_if_it_decodes() -> None:
    made = doubtful()
    made.heavy.answer = truth
    restoration = made.ladder().restore(broken_picture())
    assert restoration.located
    assert restoration.network == "slow"
    assert texts(restoration.outcome) == ["the first truth"]

    made = doubtful()
    made.reader.answer = true_reading
    restoration = made.ladder().restore(broken_picture(), network="slow")
    assert restoration.located
    assert restoration.network == "slow"


def doubtful() -> Bench:
    """A bench on which no agreement is enough to believe that a region is a code; it routes to the slow network."""
    made = bench(NEVER)
    made.tools = replace(made.tools, gates=Gates(credible=1.01))
    return made


def test_reads_of_a_whole_picture_have_places_in_the_original() -> None:
    truth_at = square_at(300.0, 150.0, 250.0)
    made = blind()
    made.heavy.answer = lambda _: photograph(FIRST, truth_at * 512 / 900, (341, 512))
    restoration = made.ladder().restore(flat_scene())
    (found,) = restoration.outcome.codes
    assert found.symbol.text == "the first truth"
    assert np.abs(np.array(found.symbol.corners) - truth_at).max() < 4.0
    assert restoration.located
    assert restoration.network == "slow"


# --- modules --------------------------------------------------------------------------------------------------------


def with_errors(crop: GreyImage, version: int) -> LogOdds:
    """A reading with as many wrong modules as error correction repairs."""
    log_odds = true_reading(crop, version)
    rows, columns = np.nonzero(function_patterns(version).data)
    log_odds[rows[100:104], columns[100:104]] *= -1
    return log_odds


@pytest.mark.parametrize("network", ["auto", "modules"])
@pytest.mark.parametrize(("scale", "binary"), [(1, False), (4, False), (1, True)])
def test_modules_that_decode_are_drawn_without_their_errors(network: str, scale: int, binary: bool) -> None:
    made = bench(ALWAYS)
    made.reader.answer = with_errors
    restoration = made.ladder().restore(broken_picture(), network=network, scale=scale, binary=binary)
    assert restoration.network == "modules"
    assert np.array_equal(restoration.image, render(FIRST, pixels=4 * scale))
    assert texts(restoration.outcome) == ["the first truth"]
    assert rungs(restoration.outcome) == {"modules"}
    assert restoration.outcome.route is None
    assert made.light.calls == made.heavy.calls == made.upscaler.calls == []


def test_modules_that_decode_softly_are_drawn_whole() -> None:
    def unsure(crop: GreyImage, version: int) -> LogOdds:
        log_odds = true_reading(crop, version)
        wrong = function_patterns(version).data & (np.random.default_rng(5).random(log_odds.shape) < 0.12)
        return np.where(wrong, -0.2 * np.sign(log_odds), log_odds).astype(np.float32)

    made = bench()
    made.reader.answer = unsure
    restoration = made.ladder().restore(broken_picture())
    assert np.array_equal(restoration.image, render(FIRST, pixels=4))
    (found,) = restoration.outcome.codes
    assert (found.symbol.text, found.symbol.engine, found.rung) == ("the first truth", SOFT, "soft")


def test_a_mirrored_code_is_drawn_as_it_lies() -> None:
    made = bench()
    made.reader.answer = lambda crop, version: np.ascontiguousarray(true_reading(crop, version).T)
    restoration = made.ladder().restore(broken_picture())
    assert np.array_equal(restoration.image, render(FIRST.T, pixels=4))
    assert texts(restoration.outcome) == ["the first truth"]


def test_of_several_codes_one_is_restored() -> None:
    made = bench(ALWAYS, PLACE, OTHER_PLACE)
    made.reader.answer = true_reading
    restoration = made.ladder().restore(broken_pair())
    (text,) = texts(restoration.outcome)
    assert np.array_equal(
        restoration.image, render({"the first truth": FIRST, "the other truth": SECOND}[text], pixels=4)
    )


def test_modules_that_do_not_decode_are_drawn_as_read_on_request() -> None:
    restoration = bench().ladder().restore(broken_picture(), network="modules")
    assert restoration.network == "modules"
    assert np.array_equal(restoration.image, render(BROKEN[0], pixels=4))
    assert restoration.outcome.codes == ()


@pytest.mark.parametrize("scale", [1, 4])
def test_without_a_code_the_mode_modules_runs_no_network(scale: int) -> None:
    made = blind()
    restoration = made.ladder().restore(flat_scene(), network="modules", scale=scale)
    assert restoration.network is None
    assert not restoration.located
    assert np.array_equal(restoration.image, reduced_scene())
    assert made.heavy.calls == []


# --- in the original ------------------------------------------------------------------------------------------------


def test_the_original_view_changes_only_the_code() -> None:
    made = bench()
    made.reader.answer = true_reading
    picture = broken_pair()
    restoration = made.ladder().restore(picture, view=View.ORIGINAL)
    assert restoration.image.shape == picture.shape
    assert [symbol.text for symbol in ZXing().read(restoration.image)] == ["the first truth"]
    outside = np.ones(picture.shape, bool)
    outside[48:188, 63:203] = False  # one module of 5 pixels around the code, and the edges of pixels cut through
    assert np.array_equal(restoration.image[outside], picture[outside])
    (found,) = restoration.outcome.codes
    assert np.abs(np.array(found.symbol.corners) - PLACE).max() < 1.0


@pytest.mark.parametrize("binary", [False, True])
def test_the_output_of_a_network_is_painted_too(binary: bool) -> None:
    made = bench(ALWAYS)
    made.light.answer = lambda crop: (truth(crop) // 2 + 60).astype(np.uint8)
    restoration = made.ladder().restore(broken_picture(), binary=binary, view=View.ORIGINAL)
    assert restoration.network == "quick"
    assert [symbol.text for symbol in ZXing().read(restoration.image)] == ["the first truth"]
    middle = restoration.image[60:170, 75:185]
    assert (np.ptp(middle) > 150) == binary


def test_the_original_view_paints_nothing_without_a_code() -> None:
    made = blind()
    for network in ("auto", "modules", "slow"):
        restoration = made.ladder().restore(flat_scene(), network=network, binary=True, view=View.ORIGINAL)
        assert np.array_equal(restoration.image, flat_scene())
        assert restoration.network is None
        assert not restoration.located
        assert restoration.outcome.codes == ()
    assert made.heavy.calls == []


def test_the_original_view_keeps_the_size_of_the_picture() -> None:
    with pytest.raises(ValueError, match="size of its own"):
        bench().ladder().restore(broken_picture(), scale=4, view=View.ORIGINAL)
