"""Claims are judged by the stated rule, whatever the rows say."""

from collections.abc import Sequence

import numpy as np
import pytest

from training.compare.claims import (
    CLAIMS,
    DEVIATION,
    PSNR,
    RATE,
    SHARPNESS,
    TIME,
    Claim,
    Part,
    Verdict,
    judge_all,
    mean_difference,
    rate_difference,
    student_quantile,
)
from training.compare.fidelity import Fidelity
from training.compare.rows import Row
from training.compare.systems import ROUTED, Kind
from training.compare.trials import HALFWAY, PHOTOGRAPHS, Trial
from training.recipes.registry import RECIPES


def trial(*, read: bool = True, psnr: float | None = None, sharpness: float = 1.0, seconds: float = 0.1) -> Trial:
    fidelity = None if psnr is None else Fidelity(psnr, psnr / 40, sharpness)
    return Trial(applicable=True, by_all=read, by_zbar=read, wrong=False, seconds=seconds, fidelity=fidelity)


def row(name: str, on_qrdata: Sequence[Trial] = (), **more: object) -> Row:
    chosen = {"trials": {"qrdata": on_qrdata} if on_qrdata else {}, **more}
    return Row(name=name, kind=Kind.RESTORER, **chosen)


def verdict(part: Part, *rows: Row) -> Verdict:
    return part.judge({each.name: each for each in rows})[0]


# --- intervals ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("degrees", "value"), [(2, 4.3027), (5, 2.5706), (9, 2.2622), (30, 2.0423), (1000, 1.9623)])
def test_students_quantiles(degrees: int, value: float) -> None:
    assert student_quantile(degrees) == pytest.approx(value, rel=0.01 if degrees == 2 else 0.001)


@pytest.mark.parametrize(("degrees", "value"), [(2, 1.0607), (9, 0.8834), (1000, 0.8420)])
def test_students_quantiles_at_80_percent(degrees: int, value: float) -> None:
    assert student_quantile(degrees, 0.841621) == pytest.approx(value, rel=0.002)


def test_few_pairs_show_large_differences_alone() -> None:
    """By Student's t with two degrees of freedom, (4.3027 + 1.0607) standard errors."""
    difference = mean_difference([1.0, 2.0, 3.0], [0.0, 0.0, 0.0])
    assert difference is not None
    assert difference.detectable == pytest.approx((4.3027 + 1.0607) / 3**0.5, rel=0.01)


def test_mean_difference_is_of_pairs() -> None:
    difference = mean_difference([10.0, 20.0, 30.0, 40.0], [9.0, 19.1, 28.9, 39.0])
    assert difference is not None
    assert difference.mean == pytest.approx(1.0)
    assert 0.85 < difference.low < 1 < difference.high < 1.15
    assert mean_difference([1.0, 2.0], [1.0, 1.0]) is None


def test_rate_difference_has_the_interval_of_agresti_and_min() -> None:
    """(6 - 1) / 22 and its standard error by hand."""
    first = [True] * 6 + [False] + [True] * 8 + [False] * 5
    second = [False] * 6 + [True] + [True] * 8 + [False] * 5
    difference = rate_difference(first, second)
    assert difference is not None
    assert difference.mean == pytest.approx(5 / 20)
    error = ((8 - 25 / 22) ** 0.5) / 22
    assert difference.low == pytest.approx(5 / 22 - 1.959964 * error)
    assert difference.high == pytest.approx(5 / 22 + 1.959964 * error)


def test_four_of_five_repetitions_tell_the_detectable_difference() -> None:
    rng = np.random.default_rng(5)
    told, planned = 0, 0.56  # 2.8 standard errors of 0.2
    for _ in range(600):
        difference = mean_difference((planned + 2 * rng.standard_normal(100)).tolist(), [0.0] * 100)
        assert difference is not None
        assert difference.detectable == pytest.approx(planned, rel=0.35)
        told += difference.low > 0
    assert 0.75 < told / 600 < 0.85


@pytest.mark.parametrize("discordant", [0.0, 0.1])
def test_so_do_they_for_rates(discordant: float) -> None:
    """``discordant``: share of the pairs that differ whichever is better."""
    rng = np.random.default_rng(6)
    n, told, planned = 400, 0, []
    settled = rate_difference(
        [index < n * discordant / 2 for index in range(n)], [index >= n * (1 - discordant / 2) for index in range(n)]
    )
    assert settled is not None
    gain = settled.detectable
    for _ in range(400):
        chance = rng.random(n)
        more = (max(discordant, gain) + gain) / 2
        less = (max(discordant, gain) - gain) / 2
        difference = rate_difference((chance < more).tolist(), (chance >= 1 - less).tolist())
        assert difference is not None
        told += difference.low > 0
        planned.append(difference.detectable)
    assert 0.7 < told / 400 < 0.9
    assert np.median(planned) == pytest.approx(gain, rel=0.4)


@pytest.mark.parametrize(("lead", "told"), [(4, False), (6, True)])
def test_a_lead_counts_as_an_exact_test_would(lead: int, told: bool) -> None:
    """Four of four discordant pictures have p = 0.125 by the sign test, six of six 0.03."""
    difference = rate_difference([True] * 100, [False] * lead + [True] * (100 - lead))
    assert difference is not None
    assert (difference.low > 0) is told


# --- parts ----------------------------------------------------------------------------------------------------------


def test_a_part_is_confirmed_refuted_or_undecided() -> None:
    levels = [20.0, 24.0, 31.0, 26.0, 22.0]
    worse = row("worse", [trial(psnr=level) for level in levels])
    better = row(
        "better", [trial(psnr=level + extra) for level, extra in zip(levels, (2, 2.1, 1.9, 2, 2), strict=True)]
    )
    mixed = row("mixed", [trial(psnr=level + extra) for level, extra in zip(levels, (2, -2, 2, -2, 0), strict=True)])
    assert verdict(Part(PSNR, "better", "worse"), worse, better) is Verdict.CONFIRMED
    assert verdict(Part(PSNR, "worse", "better"), worse, better) is Verdict.REFUTED
    assert verdict(Part(PSNR, "mixed", "worse"), worse, mixed) is Verdict.UNDECIDED
    assert verdict(Part(PSNR, "better", "worse", margin=5), worse, better) is Verdict.REFUTED


def test_equal_rates_are_undecided_but_kept() -> None:
    one, other = (row(name, [trial(read=index % 3 > 0) for index in range(300)]) for name in ("one", "other"))
    assert verdict(Part(RATE, "one", "other"), one, other) is Verdict.UNDECIDED
    assert verdict(Part(RATE, "one", "other", margin=-0.02), one, other) is Verdict.CONFIRMED


def test_what_is_missing_is_not_measured() -> None:
    full = row("full", [trial(psnr=20.0) for _ in range(5)])
    assert verdict(Part(PSNR, "full", "absent"), full) is Verdict.NOT_MEASURED
    assert verdict(Part(PSNR, "full", "untrained"), full, row("untrained")) is Verdict.NOT_MEASURED
    assert verdict(Part(PSNR, "full", "brief"), full, row("brief", [trial()] * 5)) is Verdict.NOT_MEASURED
    assert "`absent`" in Part(PSNR, "full", "absent").judge({"full": full})[1]


def test_time_is_compared_as_a_ratio_on_one_thread() -> None:
    slow, quick = (
        row(name, [trial()], timings={1: [trial(seconds=factor * 0.01 * each) for each in (1, 3, 2, 9)], 2: []})
        for name, factor in (("slow", 3), ("quick", 1))
    )
    found, figures = Part(TIME, "slow", "quick").judge({"slow": slow, "quick": quick})
    assert found is Verdict.CONFIRMED
    assert "+200 %" in figures


def test_straying_is_about_the_median_of_each_set() -> None:
    """Far apart sets are no unsteadiness."""
    steady = row("steady", trials={"qrdata": [trial(psnr=20.0 + each / 10) for each in range(5)]})
    steady = row("steady", trials={**steady.trials, "lr32": [trial(psnr=40.0 + each / 10) for each in range(5)]})
    wild = row("wild", trials={name: [trial(psnr=30.0 + 4 * each) for each in range(5)] for name in ("qrdata", "lr32")})
    assert verdict(Part(DEVIATION, "wild", "steady"), steady, wild) is Verdict.CONFIRMED


def test_photographs_decide_nothing() -> None:
    one, other = (
        row(name, trials={"qrdata": [trial()] * 40, PHOTOGRAPHS: [trial(read=read)] * 40})
        for name, read in (("one", True), ("other", False))
    )
    assert verdict(Part(RATE, "one", "other"), one, other) is Verdict.UNDECIDED


# --- claims ---------------------------------------------------------------------------------------------------------


def test_a_claim_is_as_good_as_its_worst_part() -> None:
    soft = row("soft", [trial(psnr=20.0 + each / 10, sharpness=0.2) for each in range(6)])
    sharp = row("sharp", [trial(psnr=19.0 + each / 10, sharpness=0.9) for each in range(6)])
    rows = {"soft": soft, "sharp": sharp}
    sharper, better = Part(SHARPNESS, "sharp", "soft"), Part(PSNR, "sharp", "soft")
    assert Claim("sharper", (sharper,)).judge(rows).verdict is Verdict.CONFIRMED
    judged = Claim("sharper and better", (sharper, better)).judge(rows)
    assert judged.verdict is Verdict.REFUTED
    assert Claim("and more", (sharper, better, Part(PSNR, "sharp", "none"))).judge(rows).verdict is Verdict.NOT_MEASURED


@pytest.mark.parametrize(
    ("minutes", "samples", "equal"),
    [
        ((90.0, 30.0), (9_000, 3_000), False),
        ((90.0, 30.0), (3_100, 3_000), True),  # two machines
        ((30.0, 33.0), (9_000, 3_000), True),  # the same time, to each at its own pace
        ((90.0, 30.0), (None, None), False),
        ((90.0, None), (3_000, None), True),
        ((None, None), (None, None), True),
    ],
)
def test_what_had_far_more_training_decides_nothing_but_of_time(
    minutes: tuple[float | None, float | None], samples: tuple[int | None, int | None], equal: bool
) -> None:
    spent = [trial(psnr=20.0 + each / 10, seconds=0.1 + each / 100) for each in range(6)]
    quick = [trial(psnr=19.0 + each / 10, seconds=0.05 + each / 200) for each in range(6)]
    one = row("one", spent, minutes=minutes[0], samples=samples[0], timings={1: spent})
    other = row("other", quick, minutes=minutes[1], samples=samples[1], timings={1: quick})
    rows = {"one": one, "other": other}
    found, figures = Part(PSNR, "one", "other").judge(rows)
    assert found is (Verdict.CONFIRMED if equal else Verdict.UNDECIDED)
    assert ("unequal training: 90 min" in figures) == (not equal)
    assert Part(TIME, "one", "other").judge(rows)[0] is Verdict.CONFIRMED


def test_claims_are_about_systems_that_there_are() -> None:
    named = {name for claim in CLAIMS for part in claim.parts for name in (part.first, part.second)}
    assert named <= {*RECIPES, ROUTED, HALFWAY}


def test_interpolation_must_hold_at_half_way_too() -> None:
    """Of PSNR and sharpness of the three; a middle network as sharp as the last decides nothing."""

    def judged(*figures: tuple[float, float]) -> Verdict:
        rows = [
            row(name, [trial(psnr=psnr + each / 9, sharpness=sharpness + each / 99) for each in (0, 1, 0, 2, 1)])
            for name, (psnr, sharpness) in zip(("qr-esrgan-psnr", HALFWAY, "qr-esrgan"), figures, strict=True)
        ]
        return next(claim for claim in judge_all(rows) if "Interpolating" in claim.statement).verdict

    assert judged((30, 0.4), (29, 0.5), (27, 0.8)) is Verdict.CONFIRMED
    assert judged((30, 0.4), (31, 0.5), (27, 0.8)) is Verdict.REFUTED
    assert judged((30, 0.4), (29, 0.8), (27, 0.8)) is Verdict.UNDECIDED


def test_without_rows_no_claim_is_decided() -> None:
    judged = judge_all([])
    assert len(judged) == len(CLAIMS) == 7
    assert {each.verdict for each in judged} == {Verdict.NOT_MEASURED}
    assert all(each.figures for each in judged)
