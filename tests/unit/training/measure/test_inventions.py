import numpy as np
import pytest

from app.pipeline.qrcode.log_odds import rank_formats
from app.pipeline.qrcode.occlusion import leave_out_patches
from app.pipeline.qrcode.patterns import dimension, function_patterns
from app.pipeline.qrcode.segments import message_bits
from app.pipeline.qrcode.soft import SoftRead
from training.measure import inventions
from training.measure.inventions import KINDS, Count, count_reads


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("version", [1, 3, 8])
def test_inputs_are_what_a_reader_may_be_handed(kind: str, version: int) -> None:
    made = KINDS[kind](np.random.default_rng(version), version)
    assert made.version == version
    assert made.log_odds.shape == (dimension(version),) * 2
    assert made.log_odds.dtype == np.float32
    assert np.isfinite(made.log_odds).all()
    assert made.truth is None or kind in ("damaged", "lost format", "covered", "fused")
    assert made.truth is not None or kind != "damaged"


def test_every_other_noise_has_the_patterns_of_a_symbol() -> None:
    patterns = function_patterns(2)
    rng = np.random.default_rng(0)
    right = [
        np.array_equal((KINDS["noise"](rng, 2).log_odds > 0)[patterns.known], patterns.dark[patterns.known])
        for _ in range(60)
    ]
    assert 15 < sum(right) < 45


def test_damage_is_between_its_bounds_and_spares_the_patterns() -> None:
    rng = np.random.default_rng(1)
    shares = []
    for _ in range(60):
        made = KINDS["damaged"](rng, 4)
        wrong = (made.log_odds > 0) != made.truth
        assert not wrong[function_patterns(4).known].any()
        shares.append(wrong[function_patterns(4).data].mean())
    assert 0.1 < min(shares) < 0.2
    assert 0.45 < max(shares) < 0.55


def test_nothing_is_invented() -> None:
    counts = count_reads(120, seed=1)
    assert [tally.n for tally in counts.values()] == [20] * 6
    assert [tally.false for tally in counts.values()] == [0] * 6
    assert counts["noise"].right == counts["random bits"].right == 0


def test_a_reader_that_invents_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    def credulous(log_odds: inventions.LogOdds, version: int) -> SoftRead:
        assert version in range(1, 11)
        return SoftRead(log_odds > 0, "M", 0, 0, 0, 0.0, "hard")

    monkeypatch.setattr(inventions, "decode_soft", credulous)
    assert [tally.false for tally in count_reads(60).values()] == [10] * 6


def test_rows_say_what_was_counted() -> None:
    assert Count(n=100, right=7, false=0, seconds=2.0).row("damaged").split() == [
        "damaged",
        "100",
        "7",
        "0",
        "3.7e-02",
        "20.0",
    ]


def test_the_command_adds_up(capsys: pytest.CaptureFixture[str]) -> None:
    inventions.main(["--count", "12", "--seed", "3"])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[1:]] == ["noise", "random", "damaged", "lost", "covered", "fused", "all"]
    assert lines[-1].split()[1] == "12"


def test_a_lost_format_is_lost() -> None:
    rng = np.random.default_rng(4)
    distances = [rank_formats(KINDS["lost format"](rng, 3).log_odds, 3)[0].distance for _ in range(80)]
    assert sum(distance > 3 for distance in distances) > 30
    assert 0 not in distances


def test_a_cover_is_of_one_tone() -> None:
    rng = np.random.default_rng(5)
    assert all(leave_out_patches(KINDS["covered"](rng, 4).log_odds) is not None for _ in range(40))


def test_chosen_kinds_alone_are_tried() -> None:
    counts = count_reads(10, seed=6, kinds=["fused"])
    assert {name: tally.n for name, tally in counts.items()} == {"fused": 10}
    assert counts["fused"].false == 0


def test_random_bits_hold_no_message() -> None:
    rng = np.random.default_rng(2)
    held = [message_bits(rng.integers(0, 256, 19, dtype=np.uint8), 1) for _ in range(3000)]
    assert sum(bits is not None for bits in held) < 40
