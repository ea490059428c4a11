"""The measurement of confidence: what it fits, what it calls calibrated, and real trials."""

import json
from dataclasses import asdict, replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.support.bench import shipped_ladder
from training.measure.confidence import Calibration, Trial, fit, load, main, rows, trials

TRUE = np.array([3.0, 1.0, -0.5, 2.0])


def drawn(count: int, *, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Features, and outcomes with exactly the chances that `TRUE` gives."""
    rng = np.random.default_rng(seed)
    features = np.zeros((count, 4))
    features[np.arange(count), rng.integers(3, size=count)] = 1
    features[:, 3] = rng.random(count)
    return features, (rng.random(count) < 1 / (1 + np.exp(-features @ TRUE))).astype(float)


def trial(said: tuple[float, ...] | None, *, again: bool, **fields: object) -> Trial:
    plain = {"seed": 2, "index": 0, "small": False, "source": "balanced", "rung": "soft", "right": True}
    return Trial(**(plain | {"features": said, "again": again} | fields))  # type: ignore[arg-type]


def some_trials(count: int = 400) -> list[Trial]:
    features, again = drawn(count)
    return [trial(tuple(one), again=bool(hit)) for one, hit in zip(features.tolist(), again, strict=True)]


def test_a_fit_finds_the_chances_again() -> None:
    features, again = drawn(30_000)
    said = 1 / (1 + np.exp(-features @ fit(features, again)))
    assert np.abs(said - 1 / (1 + np.exp(-features @ TRUE))).max() < 0.02


def test_a_fit_to_what_never_fails_stays_finite() -> None:
    weights = fit(np.tile([1.0, 0.0, 0.0, 0.9], (200, 1)), np.ones(200))
    assert np.isfinite(weights).all()
    assert 0.98 < 1 / (1 + np.exp(-weights @ [1.0, 0.0, 0.0, 0.9])) < 1


def test_true_chances_are_calibrated() -> None:
    rng = np.random.default_rng(1)
    said = rng.uniform(0.3, 1, 5000)
    found = Calibration(said, rng.random(5000) < said)
    assert found.error < 0.03
    low, high = found.interval(rng)
    assert low <= found.error + 0.01
    assert high < 0.05
    assert found.by_chance(rng) == pytest.approx(found.error, abs=0.015)


def test_overstated_chances_are_not() -> None:
    rng = np.random.default_rng(2)
    said = rng.uniform(0.3, 1, 5000)
    found = Calibration(np.sqrt(said), rng.random(5000) < said)
    assert found.error == pytest.approx(float((np.sqrt(said) - said).mean()), abs=0.02)
    assert found.interval(rng)[0] > 3 * found.by_chance(rng)


def test_bins_hold_every_code_once() -> None:
    rng = np.random.default_rng(3)
    said = rng.uniform(0, 1, 500)
    found = Calibration(said, rng.random(500) < said)
    bins = list(found.bins())
    assert sum(rate.n for _, rate in bins) == found.rate.n == 500
    assert sum(rate.hits for _, rate in bins) == found.rate.hits
    assert [mean for mean, _ in bins] == sorted(mean for mean, _ in bins)


def test_the_table_tells_sources_and_small_symbols_apart() -> None:
    measured = some_trials()
    measured += [replace(one, source="fast", rung="direct") for one in measured[:30]]
    measured += [trial((0.0, 1.0, 0.9), again=True, small=True, rung="micro")] * 7
    measured += [trial(None, again=False), trial((1.0, 0.0, 0.0, 1.0), again=True, right=False)]
    lines = list(rows(measured, {False: TRUE, True: np.array([1.0, 2.0, 0.5])}))
    at = lines.index("Micro QR, rMQR")
    counts, small = (
        {line[:20].strip(): int(line[20:27]) for line in part[2 : part.index("")]} for part in (lines[:at], lines[at:])
    )
    assert lines[0] == "QR"
    assert counts["balanced"] == counts["soft"] == 400
    assert counts["fast"] == 30
    assert small == {"balanced": 7, "micro": 7}
    assert lines[at - 1] == "1 reads of which nothing is said; 1 with another payload"
    assert lines[-1] == "0 reads of which nothing is said; 0 with another payload"


@pytest.mark.parametrize(("small", "indices"), [(False, (0, 4, 9)), (True, (1, 2, 3))], ids=["large", "small"])
def test_real_trials_of_a_code(small: bool, indices: tuple[int, ...]) -> None:
    ladder = shipped_ladder(8)
    measured = [one for index in indices for one in trials(ladder, 1, index, small=small)]
    assert {one.source for one in measured} >= {"balanced"}
    assert all(one.right and one.small is small for one in measured)
    for one in measured:
        assert one.features is not None
        *groups, agreement = one.features
        assert sum(groups) == 1
        assert 0 <= agreement <= 1
    again = [one for index in indices for one in trials(ladder, 1, index, small=small)]
    assert again == measured


def test_trials_are_kept_fitted_and_drawn(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kept, chart = tmp_path / "trials.jsonl", tmp_path / "chart.png"
    measured = some_trials()
    measured += [replace(one, small=True, features=(*one.features[:2], one.features[3])) for one in measured]
    kept.write_text("".join(json.dumps(asdict(one)) + "\n" for one in measured))
    assert load(kept) == measured
    main(["--read", str(kept), "--fit", "--chart", str(chart)])
    first, second, name, head, *_ = capsys.readouterr().out.splitlines()
    features, again = drawn(400)
    for line, kind, columns, ridge in ((first, "QR", [0, 1, 2, 3], 0.01), (second, "Micro QR, rMQR", [0, 1, 3], 0.003)):
        weights = [float(word) for word in line.removeprefix(f"weights, {kind}: ").split(", ")]
        assert weights == pytest.approx(fit(features[:, columns], again, ridge=ridge).tolist(), abs=1e-3)
    assert name == "QR"
    assert head.startswith("read by")
    picture = cv2.imread(str(chart))
    assert picture is not None
    assert min(picture.shape[:2]) > 300
