"""The sources' claims, tested on our own rows by one rule.

Two systems are compared picture by picture on the pictures that both were tried on, so differences between pictures
cancel. A part of a claim says that the first system's figure exceeds the second's by more than ``margin``. It is
confirmed if the whole 95 % interval of the mean difference lies above the margin, refuted if it lies below, and
undecided otherwise. It is also undecided if one system had far more training than the other, both in time and in
samples. A claim is confirmed if all its parts are, and refuted if one part is.

Intervals: Student's t for means; for rates that of Agresti and Min (Statistics in Medicine 24, 2005, "Simple improved
confidence intervals for comparing matched proportions"), which adds half a picture to each of the four outcomes.
"""

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import exp, log, sqrt

from training.compare.rows import Row
from training.compare.systems import ROUTED
from training.compare.trials import GAN_TRAINED, HALFWAY, PHOTOGRAPHS, PSNR_TRAINED, Trial
from training.measure.rates import Z95

_MUCH_MORE = 1.2  # times the training of the other system
_Z80 = 0.841621  # quantile of the normal distribution at 80 %


class Verdict(StrEnum):
    """The verdict on a claim."""

    CONFIRMED = "confirmed"
    REFUTED = "refuted"
    UNDECIDED = "undecided"
    NOT_MEASURED = "not measured"


@dataclass(frozen=True)
class Difference:
    """Mean difference between two systems that tests a claim: first minus second, over ``n`` pairs, with its 95 %
    interval. ``detectable``: the smallest true difference, beyond the margin, that as many pairs show at the level of
    5 % with a power of 80 %. Pairs are of pictures, or of trainings."""

    mean: float
    low: float
    high: float
    n: int
    detectable: float


def student_quantile(degrees: int, z: float = Z95) -> float:
    """97.5 % quantile of Student's t for 2 or more degrees of freedom, at most 1 % too low; or, with another ``z``, the
    quantile that is ``z`` in the normal distribution.

    Abramowitz and Stegun 26.7.5: an expansion about the normal quantile.
    """
    v = degrees
    return (
        z
        + (z**3 + z) / (4 * v)
        + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * v**2)
        + (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * v**3)
        + (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / (92160 * v**4)
    )


def mean_difference(first: Sequence[float], second: Sequence[float]) -> Difference | None:
    """The difference of the means of paired values, to test a claim; None for fewer than three pairs."""
    n = len(first)
    if n < 3:
        return None
    differences = [a - b for a, b in zip(first, second, strict=True)]
    mean, error = statistics.fmean(differences), statistics.stdev(differences) / sqrt(n)
    reach = student_quantile(n - 1) * error
    return Difference(mean, mean - reach, mean + reach, n, reach + student_quantile(n - 1, _Z80) * error)


def rate_difference(first: Sequence[bool], second: Sequence[bool]) -> Difference | None:
    """The difference of the rates of paired outcomes, to test a claim; None for fewer than three pairs."""
    n = len(first)
    if n < 3:
        return None
    only_first = sum(a and not b for a, b in zip(first, second, strict=True))
    only_second = sum(b and not a for a, b in zip(first, second, strict=True))
    adjusted = (only_first - only_second) / (n + 2)
    reach = Z95 * sqrt((only_first + only_second + 1) / (n + 2) - adjusted**2) / sqrt(n + 2)
    # A difference d needs d of the pairs to be discordant, at least; with a share p of them its variance is p - d^2.
    pairs = (Z95 + _Z80) ** 2
    discordant = (only_first + only_second) / n
    detectable = max(pairs / (n + pairs), sqrt(pairs * discordant / (n + pairs)))
    return Difference((only_first - only_second) / n, adjusted - reach, adjusted + reach, n, detectable)


@dataclass(frozen=True)
class Measure:
    """A figure in which a claim compares two systems.

    ``show`` formats a difference. ``depends_on_training``: whether unequal training makes the comparison unfair.
    """

    name: str
    compare: Callable[[Row, Row], Difference | None]
    show: Callable[[float], str]
    depends_on_training: bool = True


def _pairs(first: Row, second: Row) -> list[tuple[str, Trial, Trial]]:
    """The trials of both systems on the same synthetic pictures, with their set."""
    return [
        (name, a, b)
        for name in first.trials
        if name in second.trials and name != PHOTOGRAPHS
        for a, b in zip(first.trials[name], second.trials[name], strict=True)
    ]


def _by_fidelity(figure: Callable[[Trial], float]) -> Callable[[Row, Row], Difference | None]:
    def compare(first: Row, second: Row) -> Difference | None:
        both = [(a, b) for _, a, b in _pairs(first, second) if a.fidelity and b.fidelity]
        return mean_difference([figure(a) for a, _ in both], [figure(b) for _, b in both])

    return compare


def _rates(first: Row, second: Row) -> Difference | None:
    both = _pairs(first, second)
    return rate_difference([a.by_all for _, a, _ in both], [b.by_all for _, _, b in both])


def _deviations(first: Row, second: Row) -> Difference | None:
    """Absolute deviations of PSNR from its median on the set."""
    deviations: tuple[list[float], list[float]] = [], []
    for name in first.trials:
        both = [(a, b) for where, a, b in _pairs(first, second) if where == name and a.fidelity and b.fidelity]
        for trials, into in zip(zip(*both, strict=True), deviations, strict=False):
            values = [psnr_of(trial) for trial in trials]
            middle = statistics.median(values)
            into.extend(abs(value - middle) for value in values)
    return mean_difference(*deviations)


def _times(first: Row, second: Row) -> Difference | None:
    """Logarithms of the times per picture on one thread."""
    pairs = zip(first.timings.get(1, ()), second.timings.get(1, ()), strict=True)
    both = [(a, b) for a, b in pairs if a.applicable and b.applicable]
    return mean_difference([log(a.seconds) for a, _ in both], [log(b.seconds) for _, b in both])


def psnr_of(trial: Trial) -> float:
    """PSNR of a trial's picture, dB; NaN where the truth is not known."""
    return trial.fidelity.psnr if trial.fidelity else float("nan")


def ssim_of(trial: Trial) -> float:
    """SSIM of a trial's picture; NaN where the truth is not known."""
    return trial.fidelity.ssim if trial.fidelity else float("nan")


def _sharpness(trial: Trial) -> float:
    return trial.fidelity.sharpness if trial.fidelity else float("nan")


PSNR = Measure("PSNR", _by_fidelity(psnr_of), lambda value: f"{value:+.2f} dB")
SSIM = Measure("SSIM", _by_fidelity(ssim_of), lambda value: f"{value:+.4f}")
SHARPNESS = Measure("sharpness", _by_fidelity(_sharpness), lambda value: f"{value:+.3f}")
DEVIATION = Measure("deviation of PSNR from its median", _deviations, lambda value: f"{value:+.2f} dB")
RATE = Measure("decode rate", _rates, lambda value: f"{100 * value:+.1f} points")
TIME = Measure("time per picture", _times, lambda value: f"{100 * (exp(value) - 1):+.0f} %", depends_on_training=False)


def _unequally_trained(first: Row, second: Row) -> bool:
    """Whether one had over 1.2 times the other's training, both in time and in samples as far as these are known."""
    known = [(a, b) for a, b in ((first.minutes, second.minutes), (first.samples, second.samples)) if a and b]
    return bool(known) and all(max(pair) > _MUCH_MORE * min(pair) for pair in known)


@dataclass(frozen=True)
class Part:
    """A part of a claim: ``measure`` of ``first`` exceeds that of ``second`` by more than ``margin``."""

    measure: Measure
    first: str
    second: str
    margin: float = 0.0

    def judge(self, rows: Mapping[str, Row]) -> tuple[Verdict, str]:
        """The verdict and the figures behind it."""
        missing = [name for name in (self.first, self.second) if name not in rows or not rows[name].trials]
        if missing:
            return Verdict.NOT_MEASURED, f"not trained: {', '.join(f'`{name}`' for name in sorted(missing))}"
        first, second = rows[self.first], rows[self.second]
        difference = self.measure.compare(first, second)
        if difference is None:
            return Verdict.NOT_MEASURED, f"too few pictures for {self.measure.name}"
        low, high = self.measure.show(difference.low), self.measure.show(difference.high)
        required = f", required: above {self.measure.show(self.margin)}" if self.margin else ""
        figures = (
            f"{self.measure.name} of `{self.first}` minus `{self.second}`:"
            f" {self.measure.show(difference.mean)} [{low} to {high}]"
            f" (n = {difference.n}{required}, detectable: {self.measure.show(difference.detectable)})"
        )
        if self.measure.depends_on_training and _unequally_trained(first, second):
            training = " and ".join(
                f"{row.minutes or 0:.0f} min, {row.samples or 0:,} samples" for row in (first, second)
            )
            return Verdict.UNDECIDED, f"{figures}; unequal training: {training}"
        if difference.low > self.margin:
            return Verdict.CONFIRMED, figures
        return (Verdict.REFUTED if difference.high < self.margin else Verdict.UNDECIDED), figures


@dataclass(frozen=True)
class Claim:
    """A source's statement, in parts that can be measured."""

    statement: str
    parts: tuple[Part, ...]

    def judge(self, rows: Mapping[str, Row]) -> "Judgement":
        """The verdict on all parts together."""
        verdicts, figures = zip(*(part.judge(rows) for part in self.parts), strict=True)
        order = (Verdict.NOT_MEASURED, Verdict.REFUTED, Verdict.UNDECIDED, Verdict.CONFIRMED)
        worst = next(verdict for verdict in order if verdict in verdicts)
        return Judgement(self.statement, worst, tuple(dict.fromkeys(figures)))


@dataclass(frozen=True)
class Judgement:
    """A claim's verdict, with the figures behind it."""

    statement: str
    verdict: Verdict
    figures: tuple[str, ...]


_EQUAL = -0.02  # a rate counts as kept if it falls by less than two points
_GAN, _CNN = "papergen", "advanced-simple-qr"
_LIGHT_FIRST, _HEAVY = ROUTED, "eg-restormer-small"
_UNGUIDED = "eg-restormer-small-as-coded"  # Restormer by another name: its edges are 0; trained on the same samples
CLAIMS = (
    Claim("The GAN is sharper than the residual CNN but slower", (Part(SHARPNESS, _GAN, _CNN), Part(TIME, _GAN, _CNN))),
    Claim("The residual CNN is steadier than the GAN: its PSNR varies less", (Part(DEVIATION, _GAN, _CNN),)),
    Claim("PixelShuffle restores better than transposed convolution", (Part(PSNR, _GAN, "papergen-transposed"),)),
    Claim(
        "Training with MSE wins PSNR, with L1 SSIM",
        (Part(PSNR, "srresnet-mse", "srresnet-l1"), Part(SSIM, "srresnet-l1", "srresnet-mse")),
    ),
    Claim("Edge guidance raises the decode rate over Restormer", (Part(RATE, _HEAVY, _UNGUIDED),)),
    Claim(
        "The routed pair keeps the heavy network's rate in less time",
        (Part(RATE, _LIGHT_FIRST, _HEAVY, _EQUAL), Part(TIME, _HEAVY, _LIGHT_FIRST)),
    ),
    Claim(
        "Interpolating from the PSNR-trained to the GAN-trained network trades PSNR for sharpness, also halfway",
        (
            Part(PSNR, PSNR_TRAINED, HALFWAY),
            Part(PSNR, HALFWAY, GAN_TRAINED),
            Part(SHARPNESS, HALFWAY, PSNR_TRAINED),
            Part(SHARPNESS, GAN_TRAINED, HALFWAY),
        ),
    ),
)
"""Claims of student projects (three), SRResNet's comparison of losses, ADNet (two) and QR-ESRGAN."""


def judge_all(rows: Sequence[Row]) -> list[Judgement]:
    """Tests every claim on the comparison's rows."""
    by_name = {row.name: row for row in rows}
    return [claim.judge(by_name) for claim in CLAIMS]


@dataclass(frozen=True)
class PublishedFigure:
    """A figure that a source claims for its own data; ``size``: parameters and multiply-accumulates."""

    source: str
    system: str
    size: str
    time: str
    quality: str


_ADNET = "Li et al., arXiv 2510.12098 (ADNet), 150 pictures, ZBar"
_JPEG = "Four-times super-resolution of JPEG-10 codes of 128 px, OpenCV decoding"
PUBLISHED_FIGURES = (
    PublishedFigure(_ADNET, "LENet", "0.28 M, 3.87 G", "0.23 s", "49.33 % decoded"),
    PublishedFigure(_ADNET, "NAFNet-32", "17.11 M, 64.44 G", "0.794 s", "81.33 % decoded"),
    PublishedFigure(_ADNET, "Restormer", "26.13 M, 564.96 G", "0.838 s", "88.67 % decoded"),
    PublishedFigure(_ADNET, "EG-Restormer", "26.13 M, 565.14 G", "0.910 s", "90.00 % decoded"),
    PublishedFigure(_ADNET, "ADNet (routed)", "", "0.737 s", "90 % decoded"),
    PublishedFigure(_ADNET, "random routing", "", "0.457 s", "72 % decoded"),
    PublishedFigure(_JPEG, "bicubic", "", "", "22.78 % decoded"),
    PublishedFigure(_JPEG, "WeChat", "", "", "68.71 % decoded"),
    PublishedFigure(_JPEG, "RRDB-GAN", "", "", "53.66 % decoded"),
    PublishedFigure(_JPEG, "the originals", "", "", "85.99 % decoded"),
    PublishedFigure("SRResNet, natural images", "trained with L1", "", "", "29.96 dB, SSIM 0.8307"),
    PublishedFigure("SRResNet, natural images", "trained with MSE", "", "", "30.51 dB, SSIM 0.8282"),
    PublishedFigure(
        "PeerJ Computer Science e2841 (2025), 4,593 scans that OpenCV could not read", "EDSR", "", "", "92.8 % decoded"
    ),
)
