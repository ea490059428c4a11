"""The rungs: what each reads of a picture or a place, and which places are worth its time."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from app.pipeline.climb import Climb
from app.pipeline.crops.rectifying import rectify
from app.pipeline.engines.symbol import Symbol
from app.pipeline.imaging import GreyImage
from app.pipeline.locating.candidates import Candidate
from app.pipeline.locating.regions import Region, find_regions
from app.pipeline.place import Place
from app.pipeline.qrcode.patterns import dimension
from app.pipeline.quad import Quad
from app.pipeline.reading import Read
from app.pipeline.results import Effort
from app.pipeline.rungs import (
    LAST_RUNGS,
    QUICK_RUNGS,
    RUNGS,
    SLOW_RUNGS,
    read_crowd,
    read_direct,
    read_enlarged,
    read_modules,
    read_patch,
    read_plainly,
    read_rectified,
    read_small_picture,
    read_softly,
    read_tiles,
    shows_small_codes,
)
from tests.support.bench import FIRST, OTHER_PLACE, PLACE, bench, broken_pair, broken_picture, true_reading
from tests.support.codes import encode, photograph, scrambled, square_at
from tests.support.fakes import blank_reading
from tests.support.fakes import symbol as fake_symbol
from tests.support.scenes import label_texts, labels, sheet
from training.measure.many.sets import pictures


def climb_of(picture: GreyImage, *, effort: Effort = Effort.BALANCED) -> Climb:
    return Climb(picture, effort, bench().tools)


def place_at(climb: Climb, quad: NDArray[np.float64], *, score: float = 1.0) -> Place:
    candidate = Candidate(Quad.of(quad), 25, score)
    place = Place(candidate, find_regions(climb.image, [candidate], limit=2))
    climb.places.append(place)
    return place


def worth(climb: Climb, place: Place) -> set[str]:
    """The rungs that are worth their time at a place."""
    return {rung.name for rung in (*QUICK_RUNGS, *SLOW_RUNGS, *LAST_RUNGS) if rung.is_worth(climb, place)}


# --- the untouched picture ------------------------------------------------------------------------------------------


def test_the_direct_look_reads_and_tells_what_it_sees() -> None:
    picture = photograph(FIRST, OTHER_PLACE, (250, 500), paper=broken_pair())
    reads, sighted = read_direct(climb_of(picture))
    assert [read.symbol.text for read in reads] == ["the first truth"]
    (seen,) = sighted
    assert seen.score == 1.0
    assert seen.corners.contains((PLACE.mean(axis=0)[0], PLACE.mean(axis=0)[1]))


def test_the_plain_look_asks_zbar_only_where_zxing_reads_nothing() -> None:
    climb = climb_of(photograph(FIRST, PLACE, (240, 270)))
    (read,) = read_plainly(climb)
    assert (read.symbol.text, read.symbol.engine) == ("the first truth", "zxing")
    assert list(read_plainly(climb_of(broken_picture()))) == []


def test_sightings_do_not_push_out_what_is_readable() -> None:
    """zxing-cpp returns fewer codes where it also returns those with errors."""
    symbols = [scrambled(one) if number % 3 == 0 else one for number, one in enumerate(labels(36))]
    reads, sighted = read_direct(climb_of(sheet(symbols, 6)))
    assert sorted(read.symbol.text for read in reads) == [
        text for number, text in enumerate(label_texts(36)) if number % 3
    ]
    for one in sighted:
        assert not any(read.symbol.corners.contains(one.corners.centre) for read in reads)


def test_a_small_picture_is_read_at_other_sizes() -> None:
    """A code so small and soft that only enlarging makes it readable."""
    code = photograph(encode("lifted", version=2), square_at(60, 50, 50), (160, 180), dark=60, light=200)
    soft = np.asarray(cv2.GaussianBlur(code, (0, 0), 1.0), np.uint8)
    small = climb_of(soft)
    assert read_direct(small)[0] == []
    (read,) = read_small_picture(small)
    assert read.symbol.text == "lifted"
    assert np.abs(np.asarray(read.symbol.corners) - square_at(60, 50, 50)).max() < 4


def test_small_codes_are_read_in_the_enlarged_picture_at_their_places() -> None:
    """A page of text at 72 dpi with seven codes of little more than a pixel a module."""
    (page,) = pictures("page", start=3, count=1)
    climb = climb_of(page.image)
    reads, sighted = read_direct(climb)
    assert len(reads) < 2
    assert shows_small_codes(climb, sighted)
    enlarged = climb.take(read_enlarged(climb), "variants")
    assert len(enlarged) >= 6
    for read in enlarged:
        (code,) = (one for one in page.codes if read.symbol.corners.contains(tuple(one.corners.mean(axis=0))))
        assert read.symbol.payload == code.symbol.payload
        assert read.symbol.corners.overlap(Quad.of(code.corners)) > 0.8


def test_pictures_without_small_codes_and_large_ones_are_not_enlarged() -> None:
    climb = climb_of(photograph(FIRST, PLACE, (240, 270)))
    climb.take(read_direct(climb)[0], "direct")
    assert not shows_small_codes(climb, [])
    (page,) = pictures("page", start=3, count=1)
    large = climb_of(np.pad(page.image, ((0, 600), (0, 600)), constant_values=255))
    assert not shows_small_codes(large, read_direct(large)[1])


# --- tiles ----------------------------------------------------------------------------------------------------------


def places_of(side: int, pixels: int = 4) -> list[Quad]:
    """Where the codes of a square sheet of version 2 lie."""
    tile = 33 * pixels
    start = 4 * pixels
    return [
        Quad.of(square_at(tile * column + start, tile * row + start, 25.0 * pixels))
        for row in range(side)
        for column in range(side)
    ]


def test_tiles_read_every_code_in_its_place() -> None:
    climb, places = climb_of(sheet(labels(49), 7)), places_of(7)
    new = climb.take(read_tiles(climb, places), "direct")
    assert sorted(read.symbol.text for read in new) == label_texts(49)
    for read in new:
        place = places[int(read.symbol.text.removeprefix("label "))]
        assert read.symbol.corners.overlap(place) > 0.9


def test_tiles_without_a_candidate_are_left_out() -> None:
    climb = climb_of(sheet(labels(100), 10))
    texts = {read.symbol.text for read in read_tiles(climb, places_of(10)[:1])}
    assert "label 000" in texts
    assert len(texts) < 40


def test_a_crowd_is_read_in_tiles_and_a_few_are_not() -> None:
    climb = climb_of(sheet(labels(16), 4))
    candidates = [Candidate(quad, 25, 0.9) for quad in places_of(4)]
    assert read_crowd(climb, candidates[:3]) == candidates[:3]
    assert climb.found == []
    assert read_crowd(climb, candidates) == []
    assert len(climb.found) == 16
    assert read_crowd(climb, []) == []


def test_the_first_time_a_crowd_is_read_everywhere() -> None:
    """Even where no candidate is: as many codes as there are candidates may be hidden."""
    climb = climb_of(sheet(labels(100), 10))
    candidates = [Candidate(quad, 25, 0.9) for quad in places_of(10)[:12]]
    assert read_crowd(climb, candidates) == []
    assert sorted(found.symbol.text for found in climb.found) == label_texts(100)


def test_of_a_crowd_those_are_returned_that_are_still_not_read() -> None:
    symbols = [scrambled(one) if number == 5 else one for number, one in enumerate(labels(16))]
    climb = climb_of(sheet(symbols, 4))
    candidates = [Candidate(quad, 25, 0.9) for quad in places_of(4)]
    assert read_crowd(climb, candidates) == [candidates[5]]


# --- places ---------------------------------------------------------------------------------------------------------


def test_a_patch_is_read_with_its_place_in_the_picture() -> None:
    """At half the size grain does no harm."""
    place = square_at(200.0, 100.0, 250.0)
    clean = photograph(encode("grainy", version=2), place, (400, 500), dark=60, light=200)
    grain = np.random.default_rng(0).normal(0, 20, clean.shape)
    climb = climb_of(np.clip(clean + grain, 0, 255).astype(np.uint8))
    assert list(read_plainly(climb)) == []
    found = list(read_patch(climb, place_at(climb, place)))
    assert [read.symbol.text for read in found] == ["grainy"]
    assert np.abs(np.asarray(found[0].symbol.corners) - place).max() < 10


def test_a_patch_ends_with_the_first_variant_that_reads() -> None:
    climb = climb_of(photograph(FIRST, PLACE, (240, 270)))
    place = place_at(climb, PLACE)
    assert [read.symbol.text for read in read_patch(climb, place)] == ["the first truth"]


def test_codes_beside_a_place_in_its_patch_keep_their_own_places() -> None:
    beside = square_at(PLACE[1, 0] + 8.0, 100.0, 63.0)
    picture = photograph(encode("beside", version=1), beside, (260, 300), paper=np.full((260, 300), 220, np.uint8))
    picture[:, :198] = photograph(scrambled(FIRST), PLACE, (260, 300))[:, :198]
    climb = climb_of(picture)
    for read in read_patch(climb, place_at(climb, PLACE)):
        assert read.symbol.text == "beside"
        assert read.symbol.corners.overlap(Quad.of(beside)) > 0.7


def test_every_region_of_a_place_is_read_until_one_covers_it() -> None:
    modules = FIRST.copy()
    modules[9:12, 9:12] ^= True
    climb = climb_of(photograph(modules, PLACE, (240, 270)))
    place = place_at(climb, PLACE)
    reads = list(read_rectified(climb, place))
    assert {read.symbol.text for read in reads} == {"the first truth"}
    assert all(read.region in place.regions for read in reads)
    climb.take(reads, "rectified")
    assert list(read_rectified(climb, place)) == []


def test_readings_are_kept_with_their_place_and_decoded_softly_afterwards() -> None:
    climb = climb_of(broken_picture())
    place = place_at(climb, PLACE)
    assert list(read_modules(climb, place)) == []
    assert [reading.region for reading in place.readings] == place.regions
    assert list(read_softly(climb, place)) == []
    climb.take([Read(Symbol(b"", "", "Text", "QRCode", 2, "M", "fake", place.corners))], "direct")
    assert list(read_modules(climb, place)) == []
    assert len(place.readings) == len(place.regions)


@pytest.mark.parametrize(
    ("version", "agreement", "is_read"), [(9, 0.43, True), (10, 0.49, False), (10, 0.5, True), (25, 0.49, False)]
)
def test_regions_of_high_versions_must_agree_better_before_their_modules_are_read(
    version: int, agreement: float, is_read: bool
) -> None:
    climb = climb_of(broken_picture())
    place = place_at(climb, PLACE)
    registration = replace(place.regions[0].registration, version=version, agreement=agreement)
    place.regions = [Region(registration, rectify(climb.image, registration.corners, dimension(version)))]
    list(read_modules(climb, place))
    assert bool(place.readings) is is_read


# --- worth ----------------------------------------------------------------------------------------------------------


def test_a_credible_place_is_worth_every_rung() -> None:
    climb = climb_of(broken_picture())
    assert worth(climb, place_at(climb, PLACE)) == set(RUNGS) - {"direct"}


def test_a_place_without_regions_is_worth_variants_alone_if_it_is_large_and_sure() -> None:
    climb = climb_of(np.full((600, 1000), 220, np.uint8))
    assert worth(climb, place_at(climb, square_at(50, 50, 90))) == {"soft", "variants"}
    assert worth(climb, place_at(climb, square_at(50, 50, 90), score=0.8)) == {"soft"}
    assert worth(climb, place_at(climb, square_at(50, 50, 39))) == {"soft"}


def test_the_less_the_patterns_agree_the_less_is_tried() -> None:
    climb = climb_of(broken_picture())
    place = place_at(climb, PLACE, score=0.5)
    whole, tried = place.regions[0], [set[str]()]
    for agreement in np.linspace(0.3, 0.95, 27):
        place.regions = [replace(whole, registration=replace(whole.registration, agreement=float(agreement)))]
        tried.append(worth(climb, place))
        assert tried[-2] <= tried[-1]
    assert tried[1] == {"soft"}  # which takes no time where no modules were read
    assert tried[-1] == set(RUNGS) - {"direct"}
    assert len({frozenset(each) for each in tried[1:]}) >= 4


@pytest.mark.parametrize(("certainty", "is_read"), [(0.4, False), (9.0, True)])
def test_doubtful_middles_of_modules_are_not_decoded(
    certainty: float, is_read: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even if they are right: the middles of other codes look as doubtful."""
    made = bench()
    climb = Climb(broken_picture(), Effort.BALANCED, made.tools)
    place = place_at(climb, PLACE)
    made.reader.answer = lambda crop, version: certainty * true_reading(crop, version) / 9
    monkeypatch.setattr("app.pipeline.rungs.middles_of_modules", lambda *_, **__: place.regions[0].crop)
    halftone = next(rung for rung in LAST_RUNGS if rung.name == "halftone")
    texts = {read.symbol.text for read in halftone.read(climb, place)}
    assert texts == ({"the first truth"} if is_read else set())


@pytest.mark.parametrize(("version", "beside", "is_tried"), [(9, True, True), (10, True, False), (10, False, True)])
def test_halftones_of_high_versions_are_not_looked_for_beside_a_code(
    version: int, beside: bool, is_tried: bool
) -> None:
    climb = climb_of(broken_pair())
    place = place_at(climb, PLACE)
    whole = place.regions[0]
    place.regions = [replace(whole, registration=replace(whole.registration, version=version))]
    if beside:
        climb.take([Read(fake_symbol("beside").at(Quad.of(OTHER_PLACE)))], "direct")
    assert ("halftone" in worth(climb, place)) is is_tried
    climb.effort = Effort.THOROUGH
    assert "halftone" in worth(climb, place)


def test_small_modules_are_enlarged_and_large_ones_are_not() -> None:
    made = bench()
    made.reader.answer = blank_reading
    upscale = LAST_RUNGS[-1]
    for side, times in ((62.0, 1), (125.0, 0)):
        made.upscaler.calls.clear()
        climb = Climb(photograph(scrambled(FIRST), square_at(70, 55, side), (240, 270)), Effort.BALANCED, made.tools)
        assert list(upscale.read(climb, place_at(climb, square_at(70, 55, side)))) == []
        assert len(made.upscaler.calls) == times
