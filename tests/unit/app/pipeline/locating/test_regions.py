from dataclasses import dataclass, replace

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from app.pipeline.crops.rectifying import rectify
from app.pipeline.crops.redrawing import repaint_quiet_zone
from app.pipeline.engines.symbol import Symbol
from app.pipeline.engines.zbar import ZBar
from app.pipeline.engines.zxing import ZXing
from app.pipeline.imaging import GreyImage
from app.pipeline.locating.candidates import Candidate
from app.pipeline.locating.regions import Region, find_regions, weigh_candidates
from app.pipeline.locating.registering import Registration
from app.pipeline.qrcode.patterns import render
from app.pipeline.quad import Quad
from tests.support.codes import encode, photograph, scrambled, square_at
from tests.support.fakes import mean_reading
from tests.support.scenes import label_texts, labels, sheet

SYMBOL = encode("in this region", version=2)
CORNERS = square_at(60, 40, 125)


def place(quad: NDArray[np.float64], dimension: int | None = 25) -> Candidate:
    return Candidate(Quad.of(quad), dimension, 0.5)


def picture(*, inverted: bool = False) -> GreyImage:
    levels = {"dark": 220, "light": 35} if inverted else {"dark": 35, "light": 220}
    return photograph(SYMBOL, CORNERS, (220, 260), **levels)


def region(crop: GreyImage | None = None, corners: NDArray[np.float64] = CORNERS, *, inverted: bool = False) -> Region:
    registration = Registration(corners=corners, version=2, agreement=1.0, inverted=inverted)
    return Region(registration=registration, crop=render(SYMBOL, pixels=4) if crop is None else crop)


@dataclass
class FakeEngine:
    """An engine that reads its answers in every picture."""

    answers: list[Symbol]
    name: str = "fake"
    seen: int = 0

    def read(self, image: GreyImage) -> list[Symbol]:
        self.seen += 1
        return self.answers


def symbol(version: int | None) -> Symbol:
    """A symbol in the region's own place in a canonical crop."""
    return Symbol(b"x", "x", "Text", "QRCode", version, "M", "fake", Quad.of(square_at(16, 16, 100)))


# --- finding --------------------------------------------------------------------------------------------------------


def test_a_region_is_the_rectified_registration() -> None:
    (found,) = find_regions(picture(), [place(CORNERS + 2.0)], limit=1)
    assert found.registration.version == 2
    assert np.abs(found.registration.corners - CORNERS).max() < 1.0  # a fifth of a module
    assert np.array_equal(found.crop, rectify(picture(), found.registration.corners, 25))
    assert found.crop.shape == (132, 132)
    assert np.array_equal(found.crop[2::4, 2::4] > 127, render(SYMBOL, pixels=4)[2::4, 2::4] > 127)


def test_inverted_symbols_become_dark_on_light() -> None:
    (found,) = find_regions(picture(inverted=True), [place(CORNERS)], limit=1)
    assert found.registration.inverted
    assert np.array_equal(found.crop[2::4, 2::4] > 127, render(SYMBOL, pixels=4)[2::4, 2::4] > 127)


def test_most_credible_come_first_whatever_the_locators_order() -> None:
    clutter = np.hstack([np.random.default_rng(0).integers(60, 255, (220, 200), dtype=np.uint8), picture()])
    noisy = photograph(SYMBOL, square_at(40, 45, 125), clutter.shape, paper=clutter)
    grain = np.random.default_rng(1).normal(0, 250, noisy[:, :200].shape)
    noisy[:, :200] = np.clip(noisy[:, :200] + grain, 0, 255).astype(np.uint8)
    places = [place(square_at(40, 45, 125)), place(square_at(260, 40, 125))]
    regions = find_regions(noisy, places, limit=9)
    agreements = [found.registration.agreement for found in regions]
    assert agreements == sorted(agreements, reverse=True)
    assert regions[0].registration.corners[0, 0] > 200
    assert any(found.registration.corners[0, 0] < 100 for found in regions)
    assert len(find_regions(noisy, places, limit=1)) == 1


def test_the_first_candidates_are_looked_at() -> None:
    """Only as many as there may be regions: the others cost time and score lower."""
    places = [place(square_at(900, 900, 125)), place(CORNERS)]
    wide = np.full((1100, 1100), 220, np.uint8)
    wide[:220, :260] = picture()
    assert find_regions(wide, places, limit=1) == []
    assert find_regions(wide, places, limit=2) != []
    assert find_regions(wide, places, limit=0) == []


def test_a_candidate_of_unknown_size_is_measured() -> None:
    off = np.array([[3.0, -2.0], [-2.0, -3.0], [2.0, 3.0], [-3.0, 1.0]])
    found = find_regions(picture(), [place(CORNERS + off, None)], limit=9)[0]
    assert found.version == 2
    assert np.abs(found.registration.corners - CORNERS).max() < 1.0


def test_regions_of_noise_agree_too_little_to_be_trusted() -> None:
    noise = np.random.default_rng(2).integers(0, 256, (220, 260), dtype=np.uint8)
    assert all(found.registration.agreement < 0.4 for found in find_regions(noise, [place(CORNERS)], limit=9))


def test_nothing_credible_gives_no_region() -> None:
    assert find_regions(np.full((220, 260), 90, np.uint8), [place(CORNERS)], limit=9) == []
    assert find_regions(picture(), [], limit=9) == []


@pytest.mark.parametrize("shape", [(20, 300), (300, 20), (40, 33_000)])
def test_pictures_too_narrow_or_too_long_have_no_regions(shape: tuple[int, int]) -> None:
    noise = np.random.default_rng(3).integers(0, 256, shape, dtype=np.uint8)
    assert find_regions(noise, [place(square_at(2, 2, 30))], limit=9) == []


def test_every_candidate_is_a_region_or_has_a_reason() -> None:
    bow_tie = CORNERS[[0, 2, 1, 3]]
    places = [place(square_at(2, 2, 36)), place(bow_tie), place(CORNERS), place(CORNERS)]
    first, *others = weigh_candidates(picture(), places, limit=3)
    assert (first.rank, first.refusal) == (2, "")
    assert first.region is not None
    assert [one.region for one in others] == [None] * len(others)
    reasons = {one.rank: one.refusal for one in others}
    assert reasons[0].startswith("no registration")
    assert reasons[1].startswith("no registration")
    assert reasons[3] == "over the limit of 3 candidates a locator"
    (found,) = find_regions(picture(), places, limit=3)
    assert np.array_equal(found.crop, first.region.crop)


def test_a_candidate_that_agrees_too_little_has_the_figure_for_a_reason() -> None:
    """So much noise that the coarse picture shows a code and the fine one does not."""
    noisy = picture() + np.random.default_rng(3).normal(0, 1000, picture().shape)
    hopeless = weigh_candidates(np.clip(noisy, 0, 255).astype(np.uint8), [place(CORNERS)], limit=3)
    assert [one.region for one in hopeless] == [None] * len(hopeless)
    assert hopeless[0].refusal.startswith("agreement 0.2")
    assert hopeless[0].registration is not None


def test_a_region_that_was_known_before_is_refused() -> None:
    (known,) = find_regions(picture(), [place(CORNERS)], limit=1)
    (again,) = weigh_candidates(picture(), [place(CORNERS + 1.0)], limit=1, known=[known])
    assert (again.region, again.refusal, again.twin) == (None, "resembles an earlier region", known)


# --- reading --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", [ZXing(), ZBar()], ids=lambda engine: engine.name)
def test_reads_get_the_corners_of_the_registration(engine: ZXing | ZBar) -> None:
    (read,) = region().read(render(SYMBOL, pixels=4), [engine], restored=True)
    assert read.payload == b"in this region"
    assert read.engine == engine.name
    assert read.corners == Quad.of(CORNERS)


def test_restored_crops_are_redrawn_at_mid_grey_and_others_at_their_own_level() -> None:
    dim = (render(SYMBOL, pixels=4) // 4).astype(np.uint8)  # black on 63
    dim[0] = 0  # print at the rim
    seen: list[GreyImage] = []

    class Watching(FakeEngine):
        def read(self, image: GreyImage) -> list[Symbol]:
            seen.append(image)
            return super().read(image)

    region().read(dim, [Watching([])], restored=False)
    assert np.array_equal(seen[0], render(SYMBOL, pixels=4))
    assert np.array_equal(seen[1], repaint_quiet_zone(dim, 2))
    assert np.array_equal(seen[2], dim)
    seen.clear()
    region().read(dim, [Watching([])], restored=True)
    assert not np.array_equal(seen[0], render(SYMBOL, pixels=4))


@pytest.mark.parametrize(("version", "believed"), [(2, True), (None, True), (1, False), (3, False)])
def test_symbols_of_another_version_are_not_believed(version: int | None, believed: bool) -> None:
    crop = render(SYMBOL, pixels=4)
    assert bool(region().read(crop, [FakeEngine([symbol(version)])], restored=True)) is believed


def test_other_kinds_of_symbol_are_not_believed() -> None:
    micro = replace(symbol(2), symbology="MicroQRCode")
    assert region().read(render(SYMBOL, pixels=4), [FakeEngine([micro])], restored=True) == []
    assert region().read(render(SYMBOL, pixels=4), [FakeEngine([micro, symbol(2)])], restored=True) != []


def test_a_verdict_says_why_nothing_is_read() -> None:
    exhibit = region().show(render(SYMBOL, pixels=4), restored=True)
    assert region().judge(exhibit, [FakeEngine([])]).refusal == "the engines read nothing"
    verdict = region().judge(exhibit, [FakeEngine([symbol(3)])])
    assert verdict.refusal == "read a symbol of another version or kind than 2"
    assert set(verdict.doubted) == {symbol(3)}
    assert region().judge(exhibit, [FakeEngine([symbol(2)])]).refusal == ""


def test_the_first_engine_that_reads_is_enough() -> None:
    silent, first, second = FakeEngine([]), FakeEngine([symbol(2)]), FakeEngine([symbol(2)])
    read = region().read(render(SYMBOL, pixels=4), [silent, first, second], restored=True)
    assert read == [replace(symbol(2), corners=Quad.of(CORNERS))]
    assert (silent.seen, first.seen, second.seen) == (1, 1, 0)


@pytest.mark.parametrize("engine", [ZXing(), ZBar()], ids=lambda engine: engine.name)
@pytest.mark.parametrize("stretch", [1.1, 1.3])
def test_a_code_that_a_photographed_crop_shows_elsewhere_has_the_corners_that_the_engine_saw(
    engine: ZXing | ZBar, stretch: float
) -> None:
    """A registration took a code and a part of what touches it for one."""
    true = Quad.of(CORNERS)
    too_wide = CORNERS * (stretch, 1) + (60 * (1 - stretch), 0)
    one = region(rectify(picture(), too_wide, 25), too_wide)
    (read,) = one.judge(
        replace(one.show(one.crop, restored=False), pictures=(one.crop,), photographed=1), [engine]
    ).symbols
    assert read.payload == b"in this region"
    assert read.corners.overlap(true) > (0.85 if stretch < 1.2 else 0.9)


def test_a_drawn_code_has_the_corners_of_the_registration_wherever_it_is_seen() -> None:
    shifted = replace(symbol(2), corners=Quad.of(square_at(32, 16, 100)))
    (drawn,) = region().read(render(SYMBOL, pixels=4), [FakeEngine([shifted])], restored=True)
    assert drawn.corners == Quad.of(CORNERS)


# --- neighbours -----------------------------------------------------------------------------------------------------


def neighbours() -> tuple[GreyImage, Region]:
    """A picture of four small codes, and a region that takes all of them for one large code, from their finder
    patterns."""
    four = sheet(labels(4), 2)
    side = float(four.shape[0])
    corners = square_at(16.0, 16.0, side - 32)
    registration = Registration(corners=corners, version=10, agreement=0.9, inverted=False)
    return four, Region(registration, rectify(four, corners, 57))


@pytest.mark.parametrize("engine", [ZXing(), ZBar()], ids=lambda engine: engine.name)
def test_codes_in_a_crop_that_are_not_its_own_are_read_at_their_own_places(engine: ZXing | ZBar) -> None:
    four, phantom = neighbours()
    truth = {one.text: one.corners for one in ZXing().read(four)}
    assert sorted(truth) == label_texts(4)
    read = phantom.read(phantom.crop, [engine], restored=False)
    assert len(read) >= 2
    for one in read:
        assert np.abs(np.array(one.corners.centre) - truth[one.text].centre).max() < 4.0  # a module
        assert one.corners.overlap(truth[one.text]) > 0.8


@pytest.mark.parametrize("version", [2, None])
def test_a_code_in_half_of_the_crop_is_a_neighbour(version: int | None) -> None:
    """Two codes side by side, squeezed into one crop. ZBar tells no version by which to reject them."""
    half = replace(symbol(version), corners=Quad.of([(16, 16), (66, 16), (66, 116), (16, 116)]))
    wide = np.array([[60.0, 40.0], [310.0, 40.0], [310.0, 165.0], [60.0, 165.0]])
    for one in region(corners=wide).read(render(SYMBOL, pixels=4), [FakeEngine([half])], restored=True):
        assert np.abs(np.asarray(one.corners) - square_at(60, 40, 125)).max() < 1e-6


def test_neighbours_are_not_believed_in_pictures_that_were_drawn() -> None:
    beside = replace(symbol(1), payload=b"beside", corners=Quad.of(square_at(118, 40, 13)))
    (own,) = region().read(render(SYMBOL, pixels=4), [FakeEngine([beside, symbol(2)])], restored=True)
    assert (own.payload, own.corners) == (b"x", Quad.of(CORNERS))


def test_a_neighbour_in_the_photograph_is_read_at_its_own_place() -> None:
    beside = replace(symbol(1), payload=b"beside", corners=Quad.of(square_at(118, 40, 13)))
    other, *_ = region().read(render(SYMBOL, pixels=4), [FakeEngine([beside])], restored=False)
    assert other.payload == b"beside"
    assert np.abs(np.asarray(other.corners) - square_at(187.5, 70, 16.25)).max() < 1e-6


def test_a_small_symbol_inside_the_region_is_not_believed() -> None:
    """In the remains of a larger code noise sometimes reads as a Micro QR code."""
    micro = replace(symbol(1), symbology="MicroQRCode", corners=Quad.of(square_at(30, 30, 44)))
    assert region().read(render(SYMBOL, pixels=4), [FakeEngine([micro])], restored=True) == []


# --- reading modules ------------------------------------------------------------------------------------------------


def test_a_reading_is_rebuilt_and_read() -> None:
    log_odds = mean_reading(render(SYMBOL, pixels=4), 2)
    log_odds[:8, :8] = -9  # a finder pattern that the reader did not see: the standard knows it
    (read,) = region().read_modules(render(SYMBOL, pixels=4), log_odds, [ZXing()])
    assert (read.payload, read.corners) == (b"in this region", Quad.of(CORNERS))
    assert region().read_modules(render(SYMBOL, pixels=4), -log_odds, [ZXing()]) == []


def test_corrected_modules_are_read_as_they_are() -> None:
    (read,) = region().judge(region().show_symbol(render(SYMBOL, pixels=4), SYMBOL), [ZBar()]).symbols
    assert (read.payload, read.engine) == (b"in this region", "zbar")
    assert (
        region().judge(region().show_symbol(render(SYMBOL, pixels=4), scrambled(SYMBOL)), [ZXing(), ZBar()]).symbols
        == []
    )


# --- believing ------------------------------------------------------------------------------------------------------


def doubtful(agreement: float) -> Region:
    registration = replace(region().registration, agreement=agreement)
    return replace(region(), registration=registration)


def smeared() -> GreyImage:
    """The symbol under motion blur of five modules: its patterns are faint, but its modules explain every pixel."""
    return np.asarray(cv2.blur(render(SYMBOL, pixels=4), (20, 1)), np.uint8)


def grain() -> GreyImage:
    return np.random.default_rng(4).integers(0, 256, smeared().shape, dtype=np.uint8)


@pytest.mark.parametrize(
    ("agreement", "crop", "believed"),
    [(0.3, smeared(), True), (0.3, grain(), False), (0.49, grain(), False), (0.51, grain(), True)],
    ids=["explained", "noise", "noise below", "noise above"],
)
def test_a_read_that_patterns_do_not_vouch_for_must_explain_the_picture(
    agreement: float, crop: GreyImage, believed: bool
) -> None:
    """Reads of noise are accidents of error correction; registration alone is sometimes deceived."""
    engines = [FakeEngine([symbol(2)])]
    one = doubtful(agreement)
    truth = mean_reading(render(SYMBOL, pixels=4), 2)
    assert bool(one.read_modules(crop, truth, engines)) is believed
    assert bool(one.judge(one.show_symbol(crop, SYMBOL), engines).symbols) is believed
    assert bool(replace(one, crop=crop).read(render(SYMBOL, pixels=4), engines, restored=True)) is believed


# --- shape ----------------------------------------------------------------------------------------------------------


def test_module_size_decides_what_is_small() -> None:
    assert region().module == 5.0
    assert not region(corners=square_at(0, 0, 75.0)).is_small
    assert region(corners=square_at(0, 0, 74.9)).is_small


@pytest.mark.parametrize(
    ("shift", "version", "alike"), [(0.0, 2, True), (2.4, 2, True), (2.6, 2, False), (0.0, 3, False)]
)
def test_regions_within_half_a_module_of_one_version_are_alike(shift: float, version: int, alike: bool) -> None:
    other = region(corners=CORNERS + np.array([0.0, shift]))
    other = replace(other, registration=replace(other.registration, version=version))
    assert region().resembles(other) is alike


@pytest.mark.parametrize("pixels", [4, 16])
def test_binarised_keeps_the_scale(pixels: int) -> None:
    soft = (render(SYMBOL, pixels=pixels) * 0.4 + 70).astype(np.uint8)
    assert np.array_equal(region().binarise(soft), render(SYMBOL, pixels=pixels))


def test_cut_out_has_four_modules_to_spare() -> None:
    whole = picture()
    patch, offset = region().cut_out(whole)
    assert offset == (40, 20)
    assert np.array_equal(patch, whole[20:185, 40:205])


def test_cut_out_ends_with_the_picture_and_is_dark_on_light() -> None:
    whole = picture(inverted=True)
    patch, offset = region(corners=square_at(-10, 150, 125), inverted=True).cut_out(whole)
    assert offset == (0, 130)
    assert np.array_equal(patch, 255 - whole[130:, :135])
