"""What the sources claim, each held against our own rows by one rule.

Two systems are compared on the pictures that both were tried on, picture by picture, so that the pictures' own
differences cancel. A part of a claim says that the first system's figure exceeds the second's by more than ``margin``;
it is confirmed where the whole 95 % interval of the mean difference lies above the margin, refuted where it lies below,
undecided where it holds the margin, and undecided, too, where one system had far more training than the other by time
and by samples, whatever their figures. A claim is confirmed if all its parts are, refuted if one is.

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

_Z95 = 1.959964
_MUCH_MORE = 1.2


class Verdict(StrEnum):
    """What the rows say of a claim."""

    CONFIRMED = "confirmed"
    REFUTED = "refuted"
    UNDECIDED = "undecided"
    NOT_MEASURED = "not measured"


@dataclass(frozen=True)
class Difference:
    """Mean of the first less the second over ``n`` pictures, with its 95 % interval."""

    mean: float
    low: float
    high: float
    n: int


def student(degrees: int) -> float:
    """97.5 % quantile of Student's t for 2 or more degrees of freedom, by its expansion about the normal one
    (Abramowitz and Stegun 26.7.5), 1 % low at worst."""
    z, v = _Z95, degrees
    return (
        z
        + (z**3 + z) / (4 * v)
        + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * v**2)
        + (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * v**3)
        + (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / (92160 * v**4)
    )


def mean_difference(first: Sequence[float], second: Sequence[float]) -> Difference | None:
    """Of values in pairs; None for fewer than three."""
    n = len(first)
    if n < 3:
        return None
    apart = [a - b for a, b in zip(first, second, strict=True)]
    mean, reach = statistics.fmean(apart), student(n - 1) * statistics.stdev(apart) / sqrt(n)
    return Difference(mean, mean - reach, mean + reach, n)


def rate_difference(first: Sequence[bool], second: Sequence[bool]) -> Difference | None:
    """Of outcomes in pairs; None for fewer than three."""
    n = len(first)
    if n < 3:
        return None
    only_first = sum(a and not b for a, b in zip(first, second, strict=True))
    only_second = sum(b and not a for a, b in zip(first, second, strict=True))
    adjusted = (only_first - only_second) / (n + 2)
    reach = _Z95 * sqrt((only_first + only_second + 1) / (n + 2) - adjusted**2) / sqrt(n + 2)
    return Difference((only_first - only_second) / n, adjusted - reach, adjusted + reach, n)


@dataclass(frozen=True)
class Measure:
    """A figure of two systems in pairs; ``show`` prints one of the differences. ``learned``: training changes it."""

    name: str
    compare: Callable[[Row, Row], Difference | None]
    show: Callable[[float], str]
    learned: bool = True


def _pairs(first: Row, second: Row) -> list[tuple[str, Trial, Trial]]:
    """The synthetic pictures that both were run on, with their set."""
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


def _straying(first: Row, second: Row) -> Difference | None:
    """How far PSNR strays from its median on the set."""
    strayed: tuple[list[float], list[float]] = [], []
    for name in first.trials:
        both = [(a, b) for where, a, b in _pairs(first, second) if where == name and a.fidelity and b.fidelity]
        for values, into in zip(zip(*both, strict=True), strayed, strict=False):
            each = [_psnr(trial) for trial in values]
            middle = statistics.median(each)
            into.extend(abs(value - middle) for value in each)
    return mean_difference(*strayed)


def _times(first: Row, second: Row) -> Difference | None:
    """Logarithms of the times of a picture on one thread."""
    each = zip(first.timed.get(1, ()), second.timed.get(1, ()), strict=True)
    both = [(a, b) for a, b in each if a.tried and b.tried]
    return mean_difference([log(a.seconds) for a, _ in both], [log(b.seconds) for _, b in both])


def _psnr(trial: Trial) -> float:
    return trial.fidelity.psnr if trial.fidelity else float("nan")


def _ssim(trial: Trial) -> float:
    return trial.fidelity.ssim if trial.fidelity else float("nan")


def _sharpness(trial: Trial) -> float:
    return trial.fidelity.sharpness if trial.fidelity else float("nan")


PSNR = Measure("PSNR", _by_fidelity(_psnr), lambda value: f"{value:+.2f} dB")
SSIM = Measure("SSIM", _by_fidelity(_ssim), lambda value: f"{value:+.4f}")
SHARPNESS = Measure("sharpness", _by_fidelity(_sharpness), lambda value: f"{value:+.3f}")
STRAYING = Measure("distance of PSNR from its median", _straying, lambda value: f"{value:+.2f} dB")
RATE = Measure("decode rate", _rates, lambda value: f"{100 * value:+.1f} points")
TIME = Measure("time of a picture", _times, lambda value: f"{100 * (exp(value) - 1):+.0f} %", learned=False)


def _unequally_trained(first: Row, second: Row) -> bool:
    """Whether one had over 1.2 times the other's training, by time and by samples, as far as either is known."""
    known = [(a, b) for a, b in ((first.minutes, second.minutes), (first.samples, second.samples)) if a and b]
    return bool(known) and all(max(pair) > _MUCH_MORE * min(pair) for pair in known)


@dataclass(frozen=True)
class Part:
    """``measure`` of ``first`` exceeds that of ``second`` by more than ``margin``."""

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
        apart = self.measure.compare(first, second)
        if apart is None:
            return Verdict.NOT_MEASURED, f"too few pictures for {self.measure.name}"
        low, high = self.measure.show(apart.low), self.measure.show(apart.high)
        more = f", wanted above {self.measure.show(self.margin)}" if self.margin else ""
        figures = (
            f"{self.measure.name} of `{self.first}` less `{self.second}`:"
            f" {self.measure.show(apart.mean)} [{low} to {high}] (n = {apart.n}{more})"
        )
        if self.measure.learned and _unequally_trained(first, second):
            trained = " against ".join(f"{row.minutes or 0:.0f} min, {row.samples or 0:,}" for row in (first, second))
            return Verdict.UNDECIDED, f"{figures}; unequally trained: {trained} samples"
        if apart.low > self.margin:
            return Verdict.CONFIRMED, figures
        return (Verdict.REFUTED if apart.high < self.margin else Verdict.UNDECIDED), figures


@dataclass(frozen=True)
class Claim:
    """A sentence of a source, in parts that can be measured."""

    statement: str
    parts: tuple[Part, ...]

    def judge(self, rows: Mapping[str, Row]) -> "Judged":
        """The verdict on all parts together."""
        verdicts, figures = zip(*(part.judge(rows) for part in self.parts), strict=True)
        order = (Verdict.NOT_MEASURED, Verdict.REFUTED, Verdict.UNDECIDED, Verdict.CONFIRMED)
        worst = next(verdict for verdict in order if verdict in verdicts)
        return Judged(self.statement, worst, tuple(dict.fromkeys(figures)))


@dataclass(frozen=True)
class Judged:
    """A claim with what our rows say of it."""

    statement: str
    verdict: Verdict
    figures: tuple[str, ...]


_EQUAL = -0.02  # a rate that falls by less than two points is kept
_GAN, _CNN = "papergen", "advanced-simple-qr"
_LIGHT_FIRST, _HEAVY = ROUTED, "eg-restormer-small"

CLAIMS = (
    Claim("The GAN is sharper than the residual CNN but slower", (Part(SHARPNESS, _GAN, _CNN), Part(TIME, _GAN, _CNN))),
    Claim("The residual CNN is steadier than the GAN: its PSNR strays less", (Part(STRAYING, _GAN, _CNN),)),
    Claim("PixelShuffle restores better than transposed convolution", (Part(PSNR, _GAN, "papergen-transposed"),)),
    Claim(
        "Training with MSE wins PSNR, with L1 SSIM",
        (Part(PSNR, "srresnet-mse", "srresnet-l1"), Part(SSIM, "srresnet-l1", "srresnet-mse")),
    ),
    Claim("Edge guidance raises the decode rate over Restormer", (Part(RATE, _HEAVY, "restormer-small"),)),
    Claim(
        "The routed pair keeps the heavy network's rate, at less time",
        (Part(RATE, _LIGHT_FIRST, _HEAVY, _EQUAL), Part(TIME, _HEAVY, _LIGHT_FIRST)),
    ),
    Claim(
        "Interpolating from the PSNR-trained to the GAN-trained network trades PSNR for sharpness, at half way too",
        (
            Part(PSNR, PSNR_TRAINED, HALFWAY),
            Part(PSNR, HALFWAY, GAN_TRAINED),
            Part(SHARPNESS, HALFWAY, PSNR_TRAINED),
            Part(SHARPNESS, GAN_TRAINED, HALFWAY),
        ),
    ),
)
"""The claims of the sources: student projects (three), SRResNet's comparison of losses, ADNet (two), QR-ESRGAN."""


def judge_all(rows: Sequence[Row]) -> list[Judged]:
    """Every claim against the rows."""
    by_name = {row.name: row for row in rows}
    return [claim.judge(by_name) for claim in CLAIMS]


@dataclass(frozen=True)
class Published:
    """One line of a source, as its authors give it; sizes are parameters and multiply-accumulates."""

    source: str
    system: str
    size: str
    time: str
    quality: str


_ADNET = "Li et al., arXiv 2510.12098 (ADNet), 150 pictures, ZBar"
_JPEG = "Four-times super-resolution of JPEG-10 codes of 128 px, OpenCV decoding"

PUBLISHED_FIGURES = (
    Published(_ADNET, "LENet", "0.28 M, 3.87 G", "0.23 s", "49.33 % decoded"),
    Published(_ADNET, "NAFNet-32", "17.11 M, 64.44 G", "0.794 s", "81.33 % decoded"),
    Published(_ADNET, "Restormer", "26.13 M, 564.96 G", "0.838 s", "88.67 % decoded"),
    Published(_ADNET, "EG-Restormer", "26.13 M, 565.14 G", "0.910 s", "90.00 % decoded"),
    Published(_ADNET, "ADNet (routed)", "", "0.737 s", "90 % decoded"),
    Published(_ADNET, "random routing", "", "0.457 s", "72 % decoded"),
    Published(_JPEG, "bicubic", "", "", "22.78 % decoded"),
    Published(_JPEG, "WeChat", "", "", "68.71 % decoded"),
    Published(_JPEG, "RRDB-GAN", "", "", "53.66 % decoded"),
    Published(_JPEG, "the originals", "", "", "85.99 % decoded"),
    Published("SRResNet, natural images", "trained with L1", "", "", "29.96 dB, SSIM 0.8307"),
    Published("SRResNet, natural images", "trained with MSE", "", "", "30.51 dB, SSIM 0.8282"),
    Published(
        "PeerJ Computer Science e2841 (2025), 4,593 scans that OpenCV could not read", "EDSR", "", "", "92.8 % decoded"
    ),
)
