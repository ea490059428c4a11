"""Weights that lose are refused, and intervals say what is decided."""

import pytest

from training.finetune.measuring import Outcome
from training.finetune.verdict import Line, judge


def outcomes(read: int, n: int, *, wrong: int = 0) -> list[Outcome]:
    return [Outcome(None, index < read, index >= n - wrong) for index in range(n)]


def errors(before: float, after: float, n: int = 12) -> Line:
    return Line.of_errors(
        "wrong", [before + 0.001 * (i % 3) for i in range(n)], [after + 0.001 * (i % 2) for i in range(n)]
    )


def test_weights_that_lose_nothing_are_accepted() -> None:
    verdict = judge([errors(0.1, 0.05)], {"qrdata": (outcomes(40, 50), outcomes(41, 50))}, margin=2, wrong=0)
    assert verdict.refusals == ()
    assert [line.name for line in verdict.lines] == ["wrong", "qrdata, read", "older sets, read"]


@pytest.mark.parametrize(("after", "refused"), [(49, False), (48, True)])
def test_the_margin_is_of_all_older_sets_together(after: int, refused: bool) -> None:
    older = {"qrdata": (outcomes(50, 50), outcomes(after, 50)), "lr32": (outcomes(0, 50), outcomes(0, 50))}
    verdict = judge([errors(0.1, 0.05)], older, margin=1.5, wrong=0)
    assert bool(verdict.refusals) is refused
    if refused:
        assert "they read 2.00 points less of the older sets; the margin is 1.5" in verdict.refusals


def test_a_new_wrong_payload_is_refused_and_an_old_one_is_not() -> None:
    clean, false = outcomes(40, 50), outcomes(40, 50, wrong=1)
    assert judge([], {"scene": (false, false)}, margin=2, wrong=0).refusals == ()
    (refusal,) = judge([], {"scene": (clean, false)}, margin=2, wrong=0).refusals
    assert "they read 1 payload(s) wrong" in refusal
    assert judge([errors(0.1, 0.05)], {}, margin=2, wrong=2).refusals


def test_a_higher_error_on_what_is_held_out_is_refused() -> None:
    (refusal,) = judge([errors(0.05, 0.08)], {}, margin=2, wrong=0).refusals
    assert "held-out" in refusal


def test_a_difference_is_decided_if_its_interval_leaves_zero_out() -> None:
    assert errors(0.10, 0.05).gain == "better"
    assert errors(0.05, 0.10).gain == "worse"
    reads = Line.of_rates("read", [True] * 5 + [False] * 5, [True] * 6 + [False] * 4)
    assert reads.gain == "undecided"
    assert (reads.before, reads.after) == (50.0, 60.0)
    assert Line.of_rates("read", [False] * 40, [True] * 40).gain == "better"
    assert Line.of_errors("wrong", [0.1], [0.0]).gain == "undecided"  # too few


def test_the_table_says_everything() -> None:
    verdict = judge([errors(0.1, 0.05)], {"qrdata": (outcomes(50, 50), outcomes(40, 50))}, margin=2, wrong=0)
    table = list(verdict.table())
    assert "better" in table[1]
    assert table[-1].startswith("refused: they read 20.00 points less")
    figures = verdict.figures()["wrong"]
    assert isinstance(figures, dict)
    assert figures["before"] == pytest.approx(10.1)
    assert figures["interval"][1] < 0
