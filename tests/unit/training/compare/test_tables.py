"""The tables print what was measured."""

from collections.abc import Sequence

import pytest

from training.compare import tables
from training.compare.claims import PUBLISHED_FIGURES, judge_all
from training.compare.rows import Row, rank
from training.compare.systems import Kind
from training.compare.trials import Fidelity, Trial
from training.measure.quality import Rate


def trials(
    hits: Sequence[int], *, applicable: bool = True, zbar: bool = True, wrong: int = 0, psnr: float | None = None
) -> list[Trial]:
    fidelity = None if psnr is None else Fidelity(psnr, 0.9, 0.5)
    return [
        Trial(applicable, bool(hit), bool(hit) if zbar else None, index < wrong, 0.1, fidelity)
        for index, hit in enumerate(hits)
    ]


GOOD = Row(
    name="good",
    kind=Kind.RESTORER,
    origin="30 min",
    minutes=30.0,
    parameters=1_234_567,
    macs=(2_500_000_000, 2_500_000_000),
    side=160,
    inference_ms={"1": 12.34, "2": 7.0},
    trials={"qrdata": trials([1, 1, 1, 0], psnr=20.0), "lr32": trials([1, 1, 1, 1], wrong=1, psnr=30.0)},
    timings={1: trials([1, 1]), 2: trials([1, 1])},
)
SMALL = Row(
    name="small codes only",
    kind=Kind.UPSCALER,
    trials={"qrdata": trials([0, 0, 0, 0], applicable=False), "lr32": trials([1, 0, 0, 0])},
    timings={1: trials([1, 1]), 2: trials([1, 1])},
)
DECODER = Row(
    name="decoder",
    kind=Kind.DECODER,
    trials={"qrdata": trials([0, 0, 0, 0], zbar=False), "lr32": trials([1, 1, 0, 0], zbar=False)},
)
UNTRAINED = Row(name="paper size", kind=Kind.RESTORER, origin="untrained: needs a GPU", parameters=26_130_000)
ROWS = [UNTRAINED, DECODER, SMALL, GOOD]
SETS = ("qrdata", "lr32")


def lines(text: str, name: str) -> list[list[str]]:
    """Cells of the rows of a system."""
    return [
        [cell.strip() for cell in line.strip("| ").split("|")] for line in text.splitlines() if f"| {name} |" in line
    ]


def test_rows_rank_by_rate_and_untrained_ones_come_last() -> None:
    assert [row.name for row in rank(ROWS, SETS)] == ["good", "decoder", "small codes only", "paper size"]


def test_rates() -> None:
    text = tables.rates(ROWS, SETS, (), by_zbar=False)
    assert lines(text, "good") == [["good", "75.0 [30-95]", "100.0 [51-100]", "87.5 [53-98]", "1"]]
    assert lines(text, "small codes only") == [["small codes only", "-", "25.0 [5-70]", "12.5 [2-47]", "0"]]
    assert lines(text, "paper size") == []
    alone = tables.rates(ROWS, SETS, (), by_zbar=True)
    assert lines(alone, "decoder") == []
    assert len(lines(alone, "good")) == 1


def test_photographs_have_a_column_of_their_own() -> None:
    both = Row(name="both", kind=Kind.RESTORER, trials={**GOOD.trials, "photographs": trials([1, 0])})
    (cells,) = lines(tables.rates([both], SETS, ["photographs"], by_zbar=False), "both")
    assert cells[3:] == ["87.5 [53-98]", "50.0 [9-91]", "1"]


def test_fidelities_are_means() -> None:
    (cells,) = lines(tables.fidelities(ROWS, SETS), "good")
    assert cells[1:] == ["20.00 / 0.900", "30.00 / 0.900", "25.00 / 0.900 / 0.50"]
    assert lines(tables.fidelities(ROWS, SETS), "decoder") == []


def test_costs() -> None:
    text = tables.costs(ROWS, (1, 2))
    assert lines(text, "good") == [["good", "1.23 M", "2.50 (160²)", "12 / 7.0", "100 / 100", "30 min"]]
    assert lines(text, "paper size") == [["paper size", "26.13 M", "-", "-", "-", "untrained: needs a GPU"]]
    assert "cuda" not in text
    on_gpu = Row(
        name="gpu", kind=Kind.RESTORER, inference_ms={"1": 3.0, "2": 2.0, "cuda": 0.5}, macs=(10**9, 3 * 10**9)
    )
    (cells,) = lines(tables.costs([on_gpu], (1, 2)), "gpu")
    assert cells[2:4] == ["1.00 to 3.00", "3.0 / 2.0 / 0.5"]


def test_the_summary_has_a_line_a_system() -> None:
    text = tables.summary(ROWS, SETS, (), (1, 2))
    assert lines(text, "good") == [
        ["good", "1.23 M", "2.50 (160²)", "100 / 100", "25.00 / 0.900", "87.5 [53-98]", "87.5 [53-98]"]
    ]
    assert lines(text, "decoder") == [["decoder", "-", "-", "-", "-", "-", "25.0 [7-59]"]]
    assert lines(text, "paper size") == [["paper size", "26.13 M", "-", "-", "-", "-", "-"]]
    both = Row(name="both", kind=Kind.RESTORER, trials={**GOOD.trials, "photographs": trials([1, 0])})
    (cells,) = lines(tables.summary([both], SETS, ["photographs"], (1, 2)), "both")
    assert cells[6:] == ["87.5 [53-98]", "50.0 [9-91]"]


def test_the_report_has_every_part_and_says_whose_figures_are_whose() -> None:
    text = tables.report(ROWS, judge_all(ROWS), names=SETS, photographs=(), threads=(1, 2), measured="n = 4 a set.")
    assert text.startswith("n = 4 a set.")
    assert text.count("**not measured**") == 7
    theirs = text[text.index("**Published figures**") :]
    assert all(one.system in theirs and one.quality in theirs for one in PUBLISHED_FIGURES)
    assert all(line.count("|") == 6 for line in theirs.splitlines() if line.startswith("|"))


def test_a_ragged_table_is_refused() -> None:
    with pytest.raises(ValueError, match="as many cells as the head"):
        tables.table(["a", "b"], [["1"]])


# --- figures --------------------------------------------------------------------------------------------------------


def test_figures_of_a_row() -> None:
    figures = GOOD.figures()
    assert figures["picture_ms"] == {"1": pytest.approx(100), "2": pytest.approx(100)}
    assert figures["gmac"] == [2.5, 2.5]
    told = GOOD.decode_figures("lr32")
    assert (told["n"], told["tried"], told["all"], told["zbar"], told["wrong"], told["psnr"]) == (4, 4, 1, 1, 1, 30)
    assert told["all_interval"] == Rate(4, 4).interval
    nothing = SMALL.decode_figures("qrdata")
    assert (nothing["tried"], nothing["psnr"]) == (0, None)
    assert DECODER.decode_figures("lr32")["zbar"] is None
