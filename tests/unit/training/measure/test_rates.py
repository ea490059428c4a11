import math

import pytest

from training.measure.rates import Rate


@pytest.mark.parametrize(
    ("hits", "n", "low", "high"),
    [
        (81, 263, 0.2553, 0.3662),  # Newcombe, Statistics in Medicine 17 (1998), table I, method 3
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0000, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_interval_as_published(hits: int, n: int, low: float, high: float) -> None:
    assert Rate(hits, n).interval == pytest.approx((low, high), abs=5e-5)


def test_intervals_mirror_and_stay_within_bounds() -> None:
    low, high = Rate(20, 20).interval
    mirrored = Rate(0, 20).interval
    assert (low, high) == pytest.approx((1 - mirrored[1], 1.0))
    assert Rate(0, 0).interval == (0.0, 1.0)
    assert math.isnan(Rate(0, 0).value)


def test_rates_print_as_percentages() -> None:
    assert str(Rate(81, 263)) == " 30.8 [26-37]"
