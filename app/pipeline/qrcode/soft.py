"""Decodes a QR symbol from the log-odds of its modules where hard decisions fail, and states its confidence.

Each block is decoded from hard decisions, then with its least reliable codewords erased (generalised minimum distance),
then by ordered statistics: the cheapest of many error patterns in its bits. Modules with log-odds of 0 are erasures:
they cost nothing where they are wrong. Blocks that still fail are tried again under hypotheses on where the message
ends, which make the header before the message and the terminator and padding after it known bits. Where the format
information cannot be read, all 32 formats are tried (`format_search`).

No codeword is believed without evidence. Evidence is counted in bits: log2 of how much more likely the log-odds are
under the codeword than under fair coins. For log-odds whose signs are independent of a given codeword this likelihood
ratio has mean 1, so that evidence of T bits has a probability of at most 2^-T (Markov), and a message of k bits is one
of 2^k. A block counts as read if its evidence exceeds the bits of the message in it by a margin: Forney's test (IEEE
Trans. IT 14(2), 1968). So one test, of all codewords of a block at once, passes by accident with a probability of at
most 2^-20. Under one format there are at most 7: hard decisions, erasures (whose choice is charged), ordered
statistics, and these under each of 4 message ends. At most 2 formats that the format information speaks for are tried,
which makes 14 tests, and at most 2 of the other formats, which are chosen among 32 and charged log2 32 = 5 bits: as
much as 7 tests in all. Log-odds without a symbol are therefore read with a probability of at most 21 x 2^-20 = 2.0e-5,
twice that if both modules with and without patches (`occlusion`) are tried; that patches are chosen by the log-odds
changes nothing, because the bound holds for any log-odds and random codewords. Every block must pass, and the data must
be a message that the standard's parsers accept, which makes it rarer still.

Nothing is asked of the padding: encoders fill it as they like. A padding that is recognised helps as a hypothesis.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace
from math import log2
from typing import Final

import numpy as np

from app.pipeline.qrcode.attempt import STAGES, Attempt
from app.pipeline.qrcode.format_search import search_formats
from app.pipeline.qrcode.log_odds import FormatInformation, LogOdds, rank_formats
from app.pipeline.qrcode.occlusion import leave_out_patches
from app.pipeline.qrcode.patterns import FORMATS, Bits, dimension, function_patterns

MARGIN = 20.0
"""Bits of evidence that a block must have beyond those of its message.

With it, 130,000 attempts on noise, random bits and hopelessly damaged symbols read nothing
(`training.measure.inventions`).
"""
_LEAST_AGREEMENT = 0.3  # of the function patterns' log-odds with their values; noise mostly has 0.09 in version 1
_LEAST_SEARCH_AGREEMENT = 0.6  # as above, from which formats are searched for
_LEAST_MAGNITUDE = 0.05  # mean magnitude of the data modules' log-odds; below it they say nothing
_MOST_FORMAT_ERRORS = 3  # bits of 15 that the code of the format information corrects
_SURE_FORMAT_ERRORS = 1  # bits of 15 up to which one copy is enough; chance brings 3 % of random bits so near a word
_CLOSE_FORMAT = 12.0  # difference of scores below which the second best format is tried as well
_MOST_SEARCHED = 2  # formats that are tried though the format information does not speak for them
_SEARCH_BITS: Final = log2(len(FORMATS))


@dataclass(frozen=True, slots=True)
class SoftRead:
    """A symbol that soft decoding read.

    ``modules`` (M, M), True is dark, is the whole symbol without errors. ``corrected_modules`` counts the modules that
    differ from the signs of the log-odds, ``flips`` those among them that carry codewords. ``confidence`` is the
    evidence beyond the bits of the message, in bits, of the block with the least; ``method`` is the costliest stage
    that was needed, one of ``STAGES``.
    """

    modules: Bits
    level: str
    mask: int
    corrected_modules: int
    flips: int
    confidence: float
    method: str


@dataclass(frozen=True, slots=True)
class SoftRefusal:
    """Why soft decoding read nothing: ``reason``, in words."""

    reason: str


def decode_soft(
    log_odds: LogOdds, version: int, *, stages: Collection[str] = STAGES, margin: float = MARGIN
) -> SoftRead | None:
    """Decodes the symbol of an assumed version from log-odds (M, M), positive is dark; None if that fails.

    Only these ``stages`` run, besides "hard". Raises ValueError unless the log-odds have the version's shape.
    """
    read = try_soft(log_odds, version, stages=stages, margin=margin)
    return read if isinstance(read, SoftRead) else None


def try_soft(
    log_odds: LogOdds, version: int, *, stages: Collection[str] = STAGES, margin: float = MARGIN
) -> SoftRead | SoftRefusal:
    """As `decode_soft`, but says why it read nothing."""
    if log_odds.shape != (dimension(version),) * 2:
        raise ValueError(f"version {version} has {dimension(version)} modules a side, not {log_odds.shape}")
    log_odds = np.nan_to_num(log_odds.astype(np.float32, copy=False), posinf=50, neginf=-50)
    uncovered = leave_out_patches(log_odds)
    views = [log_odds] if uncovered is None else [uncovered, log_odds]
    reasons = []
    for view in views:
        read = _try_view(view, version, stages, margin)
        if isinstance(read, SoftRead):
            return _count_corrections(read, log_odds, version)
        reasons.append(read.reason)
    return SoftRefusal("; with patches: ".join(reasons))


def _try_view(log_odds: LogOdds, version: int, stages: Collection[str], margin: float) -> SoftRead | SoftRefusal:
    agreement = _agreement(log_odds, version)
    if lack := _lack(log_odds, version, agreement):
        return SoftRefusal(lack)
    formats = rank_formats(log_odds, version)
    likely = formats[:2] if formats[0].score - formats[1].score < _CLOSE_FORMAT else formats[:1]
    reasons = []
    for candidate in likely:
        if candidate.distance > _MOST_FORMAT_ERRORS:
            reasons.append(f"format information too far: distance {candidate.distance} is above {_MOST_FORMAT_ERRORS}")
            continue
        read = _try_format(log_odds, version, candidate, stages, margin)
        if isinstance(read, SoftRead):
            return read
        reasons.append(read.reason)
    if agreement > _LEAST_SEARCH_AGREEMENT and not _is_sure(formats[0]):
        others = [one for one in formats if one not in likely or one.distance > _MOST_FORMAT_ERRORS]
        for candidate in search_formats(log_odds, version, others)[:_MOST_SEARCHED]:
            read = _try_format(log_odds, version, candidate, stages, margin + _SEARCH_BITS)
            if isinstance(read, SoftRead):
                return read
            reasons.append(read.reason)
    return SoftRefusal("; ".join(reasons))


def _try_format(
    log_odds: LogOdds, version: int, candidate: FormatInformation, stages: Collection[str], margin: float
) -> SoftRead | SoftRefusal:
    attempt = Attempt(log_odds, version, candidate, margin)
    if found := attempt.read(stages):
        return SoftRead(found.modules, candidate.level, candidate.mask, 0, 0, found.confidence, found.method)
    return SoftRefusal(attempt.refusal)


def _is_sure(best: FormatInformation) -> bool:
    """Whether the format information says by itself which format it is, though not every bit is right."""
    return best.distance <= _SURE_FORMAT_ERRORS or best.other_distance <= _MOST_FORMAT_ERRORS


def _count_corrections(read: SoftRead, log_odds: LogOdds, version: int) -> SoftRead:
    differs = read.modules != (log_odds > 0)
    flips = int(differs[function_patterns(version).data].sum())
    return replace(read, corrected_modules=int(differs.sum()), flips=flips)


def _agreement(log_odds: LogOdds, version: int) -> float:
    """Of the function patterns' log-odds with their values, -1 to 1; 0 if they say nothing."""
    patterns = function_patterns(version)
    known = log_odds[patterns.known]
    most = np.abs(known).sum(dtype=np.float64)
    return float(np.where(patterns.dark[patterns.known], known, -known).sum() / most) if most else 0.0


def _lack(log_odds: LogOdds, version: int, agreement: float) -> str:
    """Why the log-odds cannot be a symbol: they say nothing, or show no function patterns; empty if they can."""
    magnitude = np.abs(log_odds[function_patterns(version).data]).mean()
    if not magnitude > _LEAST_MAGNITUDE:
        return f"the log-odds say nothing: mean magnitude {magnitude:.2f} is not above {_LEAST_MAGNITUDE}"
    if not agreement > _LEAST_AGREEMENT:
        return f"function patterns do not agree: {agreement:.2f} is not above {_LEAST_AGREEMENT}"
    return ""
