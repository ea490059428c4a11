"""Readings of a region's modules, and what rungs read."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from app.pipeline.engines.symbol import Engine, Symbol
from app.pipeline.imaging import GreyImage
from app.pipeline.locating.regions import Region, Verdict
from app.pipeline.qrcode.contents import read_contents
from app.pipeline.qrcode.log_odds import LogOdds, confidence
from app.pipeline.qrcode.soft import SoftRead, SoftRefusal, try_soft
from app.pipeline.results import SOFT


@dataclass(frozen=True, eq=False)
class Reading:
    """A reading that a climb made and keeps: log-odds (M, M) of a region's modules.

    ``crop`` is what the module reader saw; it may be straighter than the region's own crop.
    """

    region: Region
    crop: GreyImage
    log_odds: LogOdds

    @cached_property
    def confidence(self) -> float:
        """Mean confidence of the modules times the agreement of the function patterns with the picture, 0 to 1."""
        return confidence(self.log_odds) * self.region.registration.agreement

    @property
    def has_other_crop(self) -> bool:
        """Whether the reading has a crop other than the region's: it comes from flattening, or from the middles of
        modules."""
        return self.crop is not self.region.crop

    @cached_property
    def soft_attempts(self) -> tuple[SoftRead | SoftRefusal, ...]:
        """What soft decoding makes of the log-odds and, if it refuses them, of their mirror image. All formats are
        tried only if the reading is of the region's crop: all 43 creased codes that flattening alone read in the set
        ``creased``, n = 200, are read without this search."""
        attempts: list[SoftRead | SoftRefusal] = []
        for log_odds in (self.log_odds, self.log_odds.T):
            view = np.ascontiguousarray(log_odds)
            attempts.append(try_soft(view, self.region.version, may_search=not self.has_other_crop))
            if isinstance(attempts[-1], SoftRead):
                break
        return tuple(attempts)

    @cached_property
    def soft_modules(self) -> NDArray[np.bool_] | None:
        """The symbol (M, M), True is dark, that soft decoding makes of the log-odds, upright or mirrored; None if it
        refuses both."""
        last = self.soft_attempts[-1]
        if isinstance(last, SoftRefusal):
            return None
        return last.modules if len(self.soft_attempts) == 1 else last.modules.T

    def read_corrected(self, engines: Sequence[Engine]) -> list[Symbol]:
        """Parses the corrected symbol: one symbol, or none if it is not believed. ``engine`` is "soft", whichever
        engine parsed it."""
        return self.judge_corrected(engines).symbols

    def judge_corrected(self, engines: Sequence[Engine]) -> Verdict:
        """As `read_corrected`, and says why nothing was read."""
        if self.soft_modules is None:
            reasons = (one.reason for one in self.soft_attempts if isinstance(one, SoftRefusal))
            return Verdict([], "; mirrored: ".join(reasons))
        verdict = self.region.judge(self.region.show_symbol(self.crop, self.soft_modules), engines)
        symbols = [replace(self.stating(symbol, self.soft_modules), engine=SOFT) for symbol in verdict.symbols]
        return replace(verdict, symbols=symbols)

    def stating(self, symbol: Symbol, modules: NDArray[np.bool_]) -> Symbol:
        """A symbol that an engine read in ``modules`` (M, M), made of this reading, with what they say; errors are
        those of the reading."""
        contents = read_contents(modules, self.log_odds > 0)
        return symbol.stating(contents) if contents else symbol


@dataclass(frozen=True, eq=False)
class Read:
    """What a rung yields to the climb that runs it: a symbol that it read.

    Rungs that read regions set ``region``. Rungs that read modules set ``modules`` (M, M), True is dark, which the
    engines were shown, and ``reading``, from which it was made.
    """

    symbol: Symbol
    region: Region | None = None
    modules: NDArray[np.bool_] | None = None
    reading: Reading | None = None
