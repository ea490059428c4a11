import numpy as np
import pytest

from app.errors import UnknownNetwork
from app.pipeline.imaging import GreyImage
from app.pipeline.symbology import render
from tests.bench import ALWAYS, FIRST, NEVER, PLACE, bench, broken_picture, enlarge, rungs, stages, texts, truth
from tests.helpers import photograph, square_at


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
