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
most 2^-20. What is counted in such tests:

- Hard decisions, erasures (the choice of which is charged) and ordered statistics make three. They must also give a
  message, which random data are in less than one case of 100 (test_messages.py), so that they count as 0.03.
- Under a message end that may be part of the evidence is given away with the header. At most 4 ends are tried: 4.
- At most 2 formats that the format information speaks for are tried: 2 x 4.03.
- Where that cannot be read, any of the 32 formats may be chosen. The three tests count as 32 x 0.03. Message ends need
  5 bits more evidence, which makes up for the choice: 4.

Log-odds without a symbol are therefore read with a probability of at most 13.1 x 2^-20 = 1.25e-5, and 0.1 x 2^-20 more
where patches of one tone are left out (`occlusion`) and, at last, put back. That the patches and the formats are chosen
by the log-odds changes nothing: the bound holds for any log-odds and random codewords. Symbols of several blocks are
safer, since every block must pass.

Nothing is asked of the padding: encoders fill it as they like. A padding that is recognised helps as a hypothesis.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace
from functools import partial
from math import log2
from typing import Final

import numpy as np

from app.pipeline.qrcode.attempt import STAGES, Attempt, Decoded
from app.pipeline.qrcode.codewords import assemble, blocks
from app.pipeline.qrcode.format_search import search_formats, tighten
from app.pipeline.qrcode.log_odds import (
    FormatInformation,
    LogOdds,
    codeword_log_odds,
    format_evidence,
    rank_formats,
)
from app.pipeline.qrcode.message_ends import LEAST_EVIDENCE, rank_ends
from app.pipeline.qrcode.occlusion import leave_out_patches
from app.pipeline.qrcode.patterns import FORMATS, Bits, dimension, function_patterns
from app.pipeline.qrcode.segments import message_bits

MARGIN = 20.0
"""Bits of evidence that a block must have beyond those of its message.

With it, 132,000 attempts on noise, random bits and hopelessly damaged symbols, with lost formats, under patches and
fused, read nothing false (`training.measure.inventions`).
"""
_LEAST_AGREEMENT = 0.3  # of the function patterns' log-odds with their values; noise mostly has 0.09 in version 1
_LEAST_SEARCH_AGREEMENT = 0.6  # as above, from which formats are searched for
_LEAST_MAGNITUDE = 0.05  # mean magnitude of the data modules' log-odds; below it they say nothing
_MOST_FORMAT_ERRORS = 3  # bits of 15 that the code of the format information corrects
_SURE_FORMAT = 7.0  # bits of evidence from which only likely formats are tried; 1 in 250 of random bits has so much
_CLOSE_FORMAT = 12.0  # difference of scores below which the second best format is tried as well
_MOST_SEARCHED = 2  # formats that are tried though the format information does not speak for them
_QUICK_STAGES = ("hard", "erasures")  # where patches of one tone are taken for modules after all: they hardly ever are
_SEARCH_BITS: Final = log2(len(FORMATS))  # that the choice of one of them costs


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
    log_odds: LogOdds,
    version: int,
    *,
    stages: Collection[str] = STAGES,
    margin: float = MARGIN,
    may_search: bool = True,
) -> SoftRead | SoftRefusal:
    """As `decode_soft`, but says why it read nothing. ``may_search``: whether formats that the format information does
    not suggest are tried, too; where nothing is read this search takes most of the time."""
    if log_odds.shape != (dimension(version),) * 2:
        raise ValueError(f"version {version} has {dimension(version)} modules a side, not {log_odds.shape}")
    log_odds = np.nan_to_num(log_odds.astype(np.float32, copy=False), posinf=50, neginf=-50)
    views = [(log_odds, stages)]
    if (uncovered := leave_out_patches(log_odds)) is not None:
        views = [(uncovered, stages), (log_odds, [stage for stage in stages if stage in _QUICK_STAGES])]
    reasons = []
    for view, effort in views:
        read = _try_view(view, version, effort, margin, may_search=may_search)
        if isinstance(read, SoftRead):
            return _count_corrections(read, log_odds, version)
        reasons.append(read.reason)
    return SoftRefusal("; with patches: ".join(reasons))


def _try_view(
    log_odds: LogOdds, version: int, stages: Collection[str], margin: float, *, may_search: bool
) -> SoftRead | SoftRefusal:
    agreement = _agreement(log_odds, version)
    if lack := _lack(log_odds, version, agreement):
        return SoftRefusal(lack)
    formats = rank_formats(log_odds, version)
    likely = formats[:2] if formats[0].score - formats[1].score < _CLOSE_FORMAT else formats[:1]
    is_sure = format_evidence(log_odds, version, formats[0]) >= _SURE_FORMAT
    reasons = []
    for candidate in likely:
        if candidate.distance > _MOST_FORMAT_ERRORS:
            reasons.append(f"format information too far: distance {candidate.distance} is above {_MOST_FORMAT_ERRORS}")
            continue
        attempt = _attempt(log_odds, version, candidate, margin=margin)
        if found := attempt.read(stages):
            return _soft_read(found, version, candidate, is_sure=is_sure)
        reasons.append(attempt.refusal)
    may_search = may_search and not is_sure and "statistics" in stages
    if may_search and _may_be_searched(log_odds, version, agreement):
        others = [one for one in formats if one not in likely or one.distance > _MOST_FORMAT_ERRORS]
        least_end = LEAST_EVIDENCE + _SEARCH_BITS
        for candidate in search_formats(log_odds, version, others)[:_MOST_SEARCHED]:
            attempt = _attempt(log_odds, version, candidate, margin=margin, least_end=least_end)
            if found := attempt.read(stages):
                return _soft_read(found, version, candidate, is_sure=False)
            reasons.append(attempt.refusal)
    return SoftRefusal("; ".join(reasons))


def _attempt(
    log_odds: LogOdds,
    version: int,
    candidate: FormatInformation,
    *,
    margin: float,
    least_end: float = LEAST_EVIDENCE,
) -> Attempt:
    """An attempt at a format; message ends are tried that have more than ``least_end`` bits of evidence."""
    return Attempt(
        codeword_log_odds(log_odds, version, candidate.level, candidate.mask),
        blocks(version, candidate.level),
        name=f"level {candidate.level}, mask {candidate.mask}",
        margin=margin,
        is_message=lambda data: message_bits(data, version) is not None,
        ends=partial(rank_ends, version=version, least=least_end),
    )


def _may_be_searched(log_odds: LogOdds, version: int, agreement: float) -> bool:
    """Whether this seems to be a symbol without readable format information, and its mirror image, too."""
    if agreement <= _LEAST_SEARCH_AGREEMENT:
        return False
    mirrored = log_odds.T
    return format_evidence(mirrored, version, rank_formats(mirrored, version)[0]) < _SURE_FORMAT


def _soft_read(found: Decoded, version: int, candidate: FormatInformation, *, is_sure: bool) -> SoftRead:
    modules, level = assemble(found.data, version, candidate.level, candidate.mask), candidate.level
    if not is_sure:
        modules, level = tighten(modules, version, level, candidate.mask)
    return SoftRead(modules, level, candidate.mask, 0, 0, found.confidence, found.method)


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
