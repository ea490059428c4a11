"""Strings for measuring guesses of charsets, and the measurement."""

from collections import Counter

import pytest

from training.measure.charsets.__main__ import (
    SEED,
    report,
    report_names,
    report_parts,
    right_guesses,
    taken_for_text,
)
from training.measure.charsets.detectors import CODECS, decode, detectors
from training.measure.charsets.parts import Part, draw_parts
from training.measure.charsets.strings import (
    CHARSETS,
    LANGUAGES,
    LONGEST,
    RARER_CHARSETS,
    SHORTEST,
    Sample,
    draw_names,
    draw_samples,
)


@pytest.fixture(scope="module")
def samples() -> list[Sample]:
    return draw_samples(700, SEED)


def test_strings_are_short_differ_and_take_turns(samples: list[Sample]) -> None:
    assert len({sample.payload for sample in samples}) == 700
    assert Counter(sample.charset for sample in samples) == dict.fromkeys(CHARSETS, 50)
    rarer = draw_samples(220, SEED, RARER_CHARSETS)
    assert Counter(sample.charset for sample in rarer) == dict.fromkeys(RARER_CHARSETS, 20)
    spoken = {sample.language for sample in (*samples, *rarer)}
    assert spoken == {language.locale for language in LANGUAGES}
    assert all(SHORTEST <= len(sample.payload) <= LONGEST and not sample.text.isascii() for sample in samples)


def test_the_same_seed_draws_the_same_strings(samples: list[Sample]) -> None:
    assert draw_samples(60, SEED) == samples[:60]
    assert draw_samples(60, SEED + 1) != samples[:60]


def test_the_service_is_right_nearly_always(samples: list[Sample]) -> None:
    name, detector = next(detectors())
    assert name == "qrestore"
    right, _ = right_guesses(samples, detector)
    assert right.total() >= 0.98 * len(samples)
    assert min(right.values()) >= 45


def test_rarer_charsets_are_right_mostly() -> None:
    _, detector = next(detectors())
    samples = draw_samples(1100, SEED, RARER_CHARSETS)
    right, _ = right_guesses(samples, detector)
    assert right.total() >= 0.92 * len(samples)
    assert min(right.values()) >= 80


def test_a_guess_is_right_if_it_gives_the_text() -> None:
    sample = Sample("de_DE", "windows-1252", "Öl", b"\xd6l")
    assert right_guesses([sample], lambda _: "latin-1")[0] == {"windows-1252": 1}
    assert right_guesses([sample], lambda _: "cp1251")[0] == {"windows-1252": 0}
    assert decode(b"\xd6l", None) == decode(b"\xd6l", "no such codec") == "Öl"


def test_every_installed_detector_is_reported(samples: list[Sample]) -> None:
    lines = list(report(samples[:28]))
    assert lines[2].startswith("| qrestore |")
    assert len(lines) == 2 + len(list(detectors()))
    assert all(line.count("|") == 4 + len(CHARSETS) for line in lines)
    rarer = list(report(draw_samples(22, SEED, RARER_CHARSETS)))
    assert rarer[2].startswith("| qrestore |")
    assert all(line.count("|") == 4 + len(RARER_CHARSETS) and "told" not in line for line in rarer)


def test_codecs_are_pythons() -> None:
    assert all(isinstance("a".encode(codec), bytes) for codec in CODECS)


def test_names_alone_are_right_mostly() -> None:
    names = draw_names(20, SEED)
    assert draw_names(20, SEED) == names
    assert len({(name.language, name.charset) for name in names}) == 39
    assert len(names) == 39 * 20
    first, *rest = report_names(names)
    assert float(first.split()[2]) > 95
    assert len(rest) == 10


def test_parts_alone_are_right_mostly(samples: list[Sample]) -> None:
    parts = list(draw_parts(samples, 20, SEED))
    assert parts == list(draw_parts(samples, 20, SEED))
    utf_8 = [part for part in parts if part.charset == "UTF-8"]
    assert len(utf_8) == 20 * len(CHARSETS)
    assert sum(part.payload.decode(errors="replace") != part.text for part in utf_8) > 50  # are cut
    assert sum(part.is_right for part in utf_8) >= 0.95 * len(utf_8)
    assert {part.charset for part in parts} == {*CHARSETS} - {"UTF-16LE with BOM", "UTF-16BE with BOM"}
    assert not Part("UTF-8", b"\xe9", "\u20ac").is_right
    first, second = report_parts(parts)
    assert first.endswith(f"of {len(utf_8)}")
    assert float(second.split()[7]) > 90


def test_random_bytes_of_some_length_are_no_text() -> None:
    assert taken_for_text(64, count=100, seed=1).hits == 0
