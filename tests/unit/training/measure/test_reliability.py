"""Reliability tables tell a reader that knows what it does not know from one that does not."""

from pathlib import Path

import numpy as np
import pytest

from training.measure.reliability import KINDS, Reliability, bins, header, main, measure, row

WEIGHTS = Path("weights")


def calibrated(count: int, *, overstated: float = 1.0) -> Reliability:
    """Modules whose log-odds are true but for a factor."""
    rng = np.random.default_rng(0)
    true = rng.normal(0, 3, count)
    dark = rng.random(count) < 1 / (1 + np.exp(-true))
    return Reliability.of((overstated * true).astype(np.float32), dark, np.zeros(count, np.bool_))


def test_true_log_odds_are_calibrated() -> None:
    found = calibrated(40_000)
    wrong, said = found.rates()
    assert wrong == pytest.approx(said, abs=0.006)
    assert found.calibration_error < 0.01
    sure, expected = found.rates(3.0)
    assert sure == pytest.approx(expected, abs=0.004)


def test_overstated_log_odds_are_not() -> None:
    found = calibrated(40_000, overstated=3.0)
    wrong, said = found.rates(3.0)
    assert wrong > 3 * said
    assert found.calibration_error > 0.05


def test_bins_add_up() -> None:
    found = calibrated(5000)
    assert found.count.sum() == 5000
    assert (found.wrong <= found.count).all()
    assert len(list(bins(found))) == np.count_nonzero(found.count)


def test_strengths_of_hidden_modules_are_kept() -> None:
    log_odds = np.array([4.0, -1.0, 0.5, 6.0], np.float32)
    dark = np.array([True, True, False, True])
    found = Reliability.of(log_odds, dark, np.array([True, True, False, False]))
    assert found.hidden.tolist() == [4, 1]
    assert found.wrong.sum() == 2
    line = row("logo", found)
    assert line.split()[:2] == ["logo", "4"]
    assert len(line.split()) == 12
    assert line.split()[-2:] == ["2.50", "50.0"]
    assert len(header()) == len(line)


def test_a_rate_of_nothing_is_no_number() -> None:
    found = Reliability.of(np.ones(3, np.float32), np.ones(3, np.bool_), np.zeros(3, np.bool_))
    assert np.isnan(found.rates(6.0)).all()
    assert "nan" in row("x", found)


def test_the_shipped_reader_is_calibrated_on_plain_crops(capsys: pytest.CaptureFixture[str]) -> None:
    main(["plain", "--count", "12", "--bins"])
    line, *rest = capsys.readouterr().out.splitlines()[1:]
    wrong, said, error = (float(word) for word in line.split()[2:5])
    assert 0 < wrong < 20
    assert abs(wrong - said) < 3
    assert error < 4
    assert rest


def test_crops_follow_the_seed() -> None:
    class Blank:
        def __call__(self, crop: object, planes: object) -> object:
            return 0.1 - 0.2 * crop[..., 2::4, 2::4]  # type: ignore[index]

    once, again, other = (measure(Blank(), KINDS["logo"], 2, seed=seed) for seed in (1, 1, 2))  # type: ignore[arg-type]
    assert np.array_equal(once.hidden, again.hidden)
    assert once.wrong.tolist() == again.wrong.tolist()
    assert not np.array_equal(once.hidden, other.hidden)


def test_unknown_kinds_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["cats"])
    assert "no kind is named cats" in capsys.readouterr().err
