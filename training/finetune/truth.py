"""Finds out which modules were printed where a photograph shows a code: the truth that a network learns from.

Where the code is read, its codewords say so. Where only a label says what it holds, the payload is encoded in every way
and compared with the log-odds of the module reader.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from app.pipeline.crops.plausibility import explained_correlation
from app.pipeline.crops.redrawing import dark_modules
from app.pipeline.imaging import GreyImage
from app.pipeline.qrcode.contents import Contents, correct_modules
from app.pipeline.qrcode.log_odds import LogOdds
from app.pipeline.qrcode.patterns import Bits, function_patterns, zigzag
from app.pipeline.reading import Reading
from training.finetune.encoding import symbols_of

_LEAST_AGREEMENT, _LEAST_EXPLAINED = 0.5, 0.7  # as the ladder asks of reads, see `Region.judge`
_LEAST_ALIKE = 0.85  # share of modules that the module reader sees as the truth has them; elsewhere it is about half
_CLIPPED = 3.0  # log-odds beyond which a module tells no more
# In standard deviations of what wrong symbols have; some hundred are tried in each place.
_LEAST_EVIDENCE = 6.0  # that the log-odds give for a symbol
_LEAST_LEAD = 3.0  # that modules in which it differs from the next best one give
_LEAST_QUARTER = 2.0  # that each quarter of its codewords gives: one with other padding is wrong in the last


@dataclass(frozen=True, eq=False)
class Truth:
    """The ``modules`` (M, M) of a code, True is dark, as its region shows them, and the ``payload`` that they hold.

    ``alike``: the share of them, of those that the version leaves open, that the module reader sees so.
    """

    modules: Bits
    payload: bytes
    alike: float

    @classmethod
    def of(cls, reading: Reading, modules: Bits, payload: bytes) -> Self:
        open_modules = ~function_patterns(reading.region.version).known
        return cls(modules, payload, float(((reading.log_odds > 0) == modules)[open_modules].mean()))

    def lies_there(self, agreement: float, explained: float) -> bool:
        """Whether the truth lies where the region does: the picture agrees with the function patterns, is explained by
        the truth (see `explains`), or its modules are seen as the truth has them."""
        return agreement >= _LEAST_AGREEMENT or explained >= _LEAST_EXPLAINED or self.alike >= _LEAST_ALIKE


def read_truth(reading: Reading, payload: bytes, contents: Contents | None) -> Truth | None:
    """The truth of a code whose ``payload`` was read somewhere; ``contents``, what its codewords say, if known.

    None if the region of the reading shows another code, or none that can be told.
    """
    region = reading.region
    looks = [*(dark_modules(region.crop, region.version, local=local) for local in (True, False))]
    looks.append(reading.log_odds > 0)
    if reading.soft_modules is not None:
        looks.append(reading.soft_modules)
    for corrected in map(correct_modules, looks):
        if corrected and corrected[0].message.payload == payload:
            return Truth.of(reading, corrected[1], payload)
    if contents is None:
        return match_truth(reading, [payload])
    if contents.version != region.version:
        return None
    return match_truth(reading, [payload], formats={(contents.level, contents.mask)})


def match_truth(
    reading: Reading, payloads: Collection[bytes], *, formats: Collection[tuple[str, int]] | None = None
) -> Truth | None:
    """The truth of a code that holds one of these payloads but could not be read: the symbol that the log-odds fit far
    better than any other; None if there is none."""
    symbols = [
        (drawn, payload)
        for payload in payloads
        for upright in symbols_of(payload, reading.region.version, formats=formats)
        for drawn in (upright, upright.T)
    ]
    if not symbols:
        return None
    evidence = _Evidence(reading.log_odds, reading.region.version)
    scores = [evidence.of(drawn) for drawn, _ in symbols]
    best = int(np.argmax(scores))
    drawn, payload = symbols[best]
    if scores[best] < _LEAST_EVIDENCE or min(evidence.quarters(drawn)) < _LEAST_QUARTER:
        return None
    rivals = (other for other, _ in symbols if not np.array_equal(other, drawn))
    is_clear = all(evidence.lead(drawn, other) >= _LEAST_LEAD for other in rivals)
    return Truth.of(reading, drawn, payload) if is_clear else None


class _Evidence:
    """How well log-odds (M, M) fit symbols, by the modules of codewords, in standard deviations of wrong ones."""

    def __init__(self, log_odds: LogOdds, version: int) -> None:
        self._at = zigzag(version)
        self._values = np.clip(log_odds, -_CLIPPED, _CLIPPED)[self._at].astype(np.float64)

    def of(self, drawn: Bits) -> float:
        return self._sum(drawn[self._at])

    def lead(self, drawn: Bits, other: Bits) -> float:
        """What the modules in which two symbols differ say for the first."""
        one = drawn[self._at]
        return self._sum(one, np.flatnonzero(one != other[self._at]))

    def quarters(self, drawn: Bits) -> list[float]:
        """The evidence of the first to the last codewords."""
        return [self._sum(drawn[self._at], part) for part in np.array_split(np.arange(len(self._values)), 4)]

    def _sum(self, dark: Bits, counted: NDArray[np.intp] | slice = np.s_[:]) -> float:
        values = np.where(dark, self._values, -self._values)[counted]
        return float(values.sum() / max(float(np.sqrt((values**2).sum())), 1e-9))


def explains(crop: GreyImage, truth: Truth, version: int) -> float:
    """How well a truth explains a canonical crop, -1 to 1."""
    return explained_correlation(crop, truth.modules.astype(np.float32), version)
