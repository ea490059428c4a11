"""The modules that were printed are found from readings and from payloads."""

import numpy as np
import pytest
import segno

from app.pipeline.crops.rectifying import rectify
from app.pipeline.locating.regions import Region
from app.pipeline.locating.registering import Registration
from app.pipeline.qrcode.contents import read_contents
from app.pipeline.qrcode.patterns import dimension, function_patterns
from app.pipeline.reading import Reading
from tests.support.codes import Modules, encode, photograph, square_at
from training.finetune.encoding import symbols_of
from training.finetune.truth import Truth, match_truth, read_truth

TEXT = "https://example.com/p/4711"


def reading(modules: Modules, log_odds: np.ndarray | None = None, *, seen: Modules | None = None) -> Reading:
    """A reading of a symbol whose picture shows ``seen``."""
    version = (len(modules) - 17) // 4
    corners = square_at(40, 40, 4 * len(modules))
    image = photograph(modules if seen is None else seen, corners, (240, 240))
    crop = rectify(image, corners, dimension(version))
    made = np.where(modules, 4.0, -4.0).astype(np.float32) if log_odds is None else log_odds
    return Reading(Region(Registration(corners, version, 0.9, False), crop), crop, made)


def doubtful(modules: Modules, *, wrong: float, seed: int = 0) -> np.ndarray:
    """Log-odds of which a share ``wrong`` points the wrong way."""
    rng = np.random.default_rng(seed)
    flipped = modules ^ (rng.random(modules.shape) < wrong)
    return (np.where(flipped, 1, -1) * rng.uniform(0.2, 2, modules.shape)).astype(np.float32)


def unreadable(modules: Modules) -> Modules:
    """The function patterns alone: grey values tell no codeword."""
    return modules & function_patterns((len(modules) - 17) // 4).known


@pytest.mark.parametrize(
    "content",
    ["0123456789", "HELLO WORLD 42", TEXT, "Grüße", "x" * 30],
    ids=["digits", "letters", "bytes", "latin", "x"],
)
@pytest.mark.parametrize("error", ["l", "h"])
def test_what_an_encoder_draws_is_among_the_symbols_of_its_payload(content: str, error: str) -> None:
    for mask in (0, 5):
        code = segno.make(content, error=error, mask=mask, micro=False, boost_error=False)
        modules = np.array([list(row) for row in code.matrix], dtype=np.bool_)
        drawn = list(symbols_of(content.encode(), int(code.version)))
        assert any(np.array_equal(one, modules) for one in drawn)
        for one in drawn:  # and every other says the same
            contents = read_contents(one)
            assert contents is not None
            assert contents.message.payload in (content.encode(), content.encode("latin-1"))


def test_modes_are_mixed_where_that_is_shorter() -> None:
    payload = b"abc" + b"1234567890123456789012345678901234567890"
    assert not any(len(one) != dimension(2) for one in symbols_of(payload, 2))
    names = {tuple(part.mode for part in read_contents(one).message.segments) for one in symbols_of(payload, 2)}  # type: ignore[union-attr]
    assert names == {("byte", "numeric")}  # 43 bytes do not fit at any level


def test_only_the_stated_formats_are_drawn() -> None:
    drawn = list(symbols_of(TEXT.encode(), 3, formats={("M", 2)}))
    assert drawn
    assert {(contents.level, contents.mask) for one in drawn if (contents := read_contents(one))} == {("M", 2)}


def test_the_truth_of_a_read_code_has_its_errors_corrected() -> None:
    modules = encode(TEXT, error="h", mask=3)
    damaged = modules.copy()
    damaged[10:13, 10:14] ^= True
    truth = read_truth(reading(damaged), TEXT.encode(), read_contents(damaged))
    assert truth is not None
    assert np.array_equal(truth.modules, modules)
    assert 0.9 < truth.alike < 1


def test_the_truth_of_a_mirrored_code_is_mirrored() -> None:
    modules = encode(TEXT, error="h").T
    truth = read_truth(reading(modules), TEXT.encode(), None)
    assert truth is not None
    assert np.array_equal(truth.modules, modules)


def test_there_is_no_truth_where_the_region_shows_another_code() -> None:
    assert read_truth(reading(encode("another payload")), TEXT.encode(), None) is None


@pytest.mark.parametrize("wrong", [0.0, 0.2, 0.3])
def test_a_label_finds_the_modules_of_a_code_that_nothing_reads(wrong: float) -> None:
    modules = encode(TEXT, error="m", mask=6)
    seen = reading(modules, doubtful(modules, wrong=wrong), seen=unreadable(modules))
    truth = match_truth(seen, [b"something else", TEXT.encode()])
    assert truth is not None
    assert np.array_equal(truth.modules, modules)
    assert truth.payload == TEXT.encode()


@pytest.mark.parametrize("seed", range(5))
def test_a_wrong_label_finds_nothing(seed: int) -> None:
    modules = encode(TEXT, error="m", mask=6)
    seen = reading(modules, doubtful(modules, wrong=0.1, seed=seed), seen=unreadable(modules))
    assert match_truth(seen, [b"https://example.org/q/0815", b"typing mistake"]) is None


@pytest.mark.parametrize("seed", range(5))
def test_log_odds_that_say_nothing_find_nothing(seed: int) -> None:
    modules = encode(TEXT, error="m", mask=6)
    noise = np.random.default_rng(seed).normal(0, 1, modules.shape).astype(np.float32)
    assert match_truth(reading(modules, noise), [TEXT.encode()]) is None


def test_a_truth_lies_there_if_anything_bears_it_out() -> None:
    modules = encode(TEXT)
    assert Truth(modules, b"x", alike=0.6).lies_there(agreement=0.55, explained=0.2)
    assert Truth(modules, b"x", alike=0.6).lies_there(agreement=0.3, explained=0.75)
    assert Truth(modules, b"x", alike=0.9).lies_there(agreement=0.3, explained=0.2)
    assert not Truth(modules, b"x", alike=0.6).lies_there(agreement=0.4, explained=0.5)
