"""Readings of modules: how confident they are, and what soft decoding makes of them."""

from dataclasses import replace

import numpy as np
import pytest

from app.pipeline.climb import Climb
from app.pipeline.engines.symbol import Symbol
from app.pipeline.engines.zxing import ZXing
from app.pipeline.locating.candidates import Candidate
from app.pipeline.locating.regions import Region, find_regions
from app.pipeline.locating.registering import Registration
from app.pipeline.place import Place
from app.pipeline.qrcode.patterns import format_positions, render
from app.pipeline.quad import Quad
from app.pipeline.reading import Read, Reading
from app.pipeline.results import SOFT, Effort
from tests.support.bench import OTHER_PLACE, PLACE, bench, broken_pair
from tests.support.codes import Modules, encode, square_at


def climb(*places: np.ndarray) -> Climb:
    """A climb whose places, without readings, are in this order."""
    one = Climb(broken_pair(), Effort.BALANCED, bench().tools)
    for quad in places:
        candidate = Candidate(Quad.of(quad), 25, 1.0)
        one.places.append(Place(candidate, find_regions(one.image, [candidate], limit=1)))
    return one


def reading(region: Region, sure: float) -> Reading:
    """A reading whose modules all have the log-odds ``sure``."""
    return Reading(region, region.crop, np.full((25, 25), sure, np.float32))


def test_the_most_confident_readings_come_first_one_for_each_region() -> None:
    one = climb(PLACE, OTHER_PLACE)
    first, other = one.places
    first.readings = [reading(first.regions[0], 1.0), reading(first.regions[0], 4.0)]
    other.readings = [reading(other.regions[0], 2.0), reading(other.regions[0], 0.5)]
    assert one.best_readings(9) == [first.readings[1], other.readings[0]]
    assert one.best_readings(1) == [first.readings[1]]
    assert one.best_readings(0) == []
    assert first.best_reading is first.readings[1]
    one.take([Read(Symbol(b"", "", "Text", "QRCode", 2, "M", "fake", first.corners))], "modules")
    assert one.best_readings(9) == [other.readings[0]]


def test_readings_count_for_less_where_the_patterns_agree_less() -> None:
    one = climb(PLACE)
    (clear,) = one.places[0].regions
    vague = replace(clear, registration=replace(clear.registration, agreement=clear.registration.agreement / 2))
    one.places[0].readings = [reading(vague, 4.0), reading(clear, 3.0)]
    assert [found.region for found in one.best_readings(2)] == [clear, vague]
    expected = np.tanh(1.5) * clear.registration.agreement
    assert one.places[0].readings[1].confidence == pytest.approx(expected, rel=1e-5)


SOUND = encode("softly, softly", version=2, error="m")


def spoilt(modules: Modules) -> np.ndarray:
    """Log-odds with 40 wrong data modules of lower confidence: more than error correction repairs."""
    log_odds = np.where(modules, 4.0, -4.0)
    rows, columns = np.unravel_index(np.random.default_rng(5).choice(16 * 14, 40, replace=False), (16, 14))
    log_odds[rows + 9, columns + 9] *= -0.1
    return np.asarray(log_odds, np.float32)


def soft_reading(log_odds: np.ndarray) -> Reading:
    registration = Registration(corners=square_at(10, 10, 100), version=2, agreement=1.0, inverted=False)
    return Reading(Region(registration, render(SOUND, pixels=4)), render(SOUND, pixels=4), log_odds)


@pytest.mark.parametrize("mirrored", [False, True])
def test_readings_are_decoded_softly_mirrored_too(mirrored: bool) -> None:
    log_odds = spoilt(SOUND).T if mirrored else spoilt(SOUND)
    one = soft_reading(log_odds)
    assert one.region.read_modules(one.crop, log_odds, (ZXing(),)) == []
    assert one.soft_modules is not None
    assert np.array_equal(one.soft_modules, SOUND.T if mirrored else SOUND)
    (read,) = one.read_corrected((ZXing(),))
    assert (read.text, read.engine) == ("softly, softly", SOFT)
    assert read.corners == one.region.corners


def test_only_readings_of_the_regions_crop_are_searched_for_a_lost_format() -> None:
    log_odds = np.where(SOUND, np.float32(4), np.float32(-4))
    log_odds[format_positions(2)] = 0
    registration = Registration(corners=square_at(10, 10, 100), version=2, agreement=1.0, inverted=False)
    region = Region(registration, render(SOUND, pixels=4))
    own, straighter = Reading(region, region.crop, log_odds), Reading(region, region.crop.copy(), log_odds)
    assert np.array_equal(own.soft_modules, SOUND)
    assert straighter.soft_modules is None


def test_undecodable_readings_give_nothing() -> None:
    one = soft_reading(np.random.default_rng(6).normal(0, 3, (25, 25)).astype(np.float32))
    assert one.soft_modules is None
    assert one.read_corrected((ZXing(),)) == []
