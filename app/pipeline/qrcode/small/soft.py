"""Decodes Micro QR codes from log-odds by ordered statistics.

The evidence is counted as in `qrcode.soft`, but of the format information and the codewords together, which are one
code: a version has 4 to 12 formats, and the data bits of its one block. So even M1, whose check codewords alone could
not tell a symbol from noise, has 27 bits to spare. A codeword is believed if its evidence exceeds the bits that name
the format and the message by ``MARGIN``, so that one attempt on noise passes with a probability of at most 2^-20 for
each of the ``_TRIED`` formats.
"""

from dataclasses import dataclass
from functools import cache
from math import log2
from typing import Final

import numpy as np

from app.pipeline.qrcode.evidence import evidence
from app.pipeline.qrcode.log_odds import LogOdds
from app.pipeline.qrcode.patterns import Bits
from app.pipeline.qrcode.reed_solomon import least_errors, reduced_basis
from app.pipeline.qrcode.segments import parse_bits
from app.pipeline.qrcode.small.contents import drawn_bits, small_blocks
from app.pipeline.qrcode.small.patterns import (
    MICRO_MASKS,
    format_information,
    small_mask,
    small_patterns,
    small_zigzag,
)
from app.pipeline.qrcode.small.versions import SmallSymbol, micro_symbol, modules_of, small_syntax

MARGIN: Final = 20.0
"""Bits of evidence that a symbol must have beyond those that name its format and its message."""
_TRIED: Final = 3  # formats, the likeliest first
_CLOSE: Final = 14.0  # difference of scores up to which another format is tried
_LEAST_AGREEMENT: Final = 0.4  # of the function patterns' log-odds with their values
_PAIRS, _TRIPLES = 127, 32  # least reliable free bits that error patterns combine


@dataclass(frozen=True, slots=True)
class SmallRead:
    """A symbol that soft decoding read: ``modules`` (M, M) without errors, True is dark; ``surplus``: the evidence
    beyond the bits of format and message, in bits."""

    modules: Bits
    surplus: float


@dataclass(frozen=True, eq=False)
class _Format:
    """What the format information may say: a symbol and a mask, 0 to 7 as of QR codes, and the ``word`` (15,) drawn."""

    symbol: SmallSymbol
    mask: int
    word: Bits


@cache
def _formats(version: str) -> tuple[_Format, ...]:
    """All that the format information of a version of Micro QR may say."""
    words = format_information(version).words[:, 0]
    every = (_Format(micro_symbol(value // 4), MICRO_MASKS[value % 4], word) for value, word in enumerate(words))
    return tuple(one for one in every if one.symbol.version == version)


def decode_micro(log_odds: LogOdds, version: str) -> SmallRead | None:
    """Decodes the upright symbol of an assumed version, "M1" to "M4", from log-odds (M, M), positive is dark; None if
    that fails.

    Raises ValueError unless the log-odds have the version's shape.
    """
    log_odds = finite(log_odds, version)
    if function_agreement(log_odds, version) < _LEAST_AGREEMENT:
        return None
    seen = _format_bits(log_odds, version)
    formats = _formats(version)
    scores = np.array([np.where(one.word, seen, -seen).sum() for one in formats])
    for number in np.argsort(-scores, kind="stable")[:_TRIED]:
        if scores.max() - scores[number] > _CLOSE:
            break
        if found := _decode(log_odds, formats[number]):
            return found
    return None


def _decode(log_odds: LogOdds, one: _Format) -> SmallRead | None:
    """The likeliest symbol of a format, if there is evidence enough for it."""
    version, structure, drawn = one.symbol.version, small_blocks(one.symbol), drawn_bits(one.symbol)
    at, data_bits = small_zigzag(version), one.symbol.data_bits or 0
    inverts = small_mask(version, one.mask)[at]
    flat = np.zeros(len(drawn), dtype=np.float32)
    flat[drawn] = np.where(inverts, -log_odds[at], log_odds[at])
    hard = drawn & (flat > 0)
    costs = np.where(drawn, np.abs(flat), np.inf).astype(np.float32)
    wrong, cost = least_errors(reduced_basis(hard, costs, structure.ec), pairs=_PAIRS, triples=_TRIPLES)
    if not np.isfinite(cost):
        return None
    bits = hard ^ wrong
    seen = _format_bits(log_odds, version)
    agreement = np.concatenate([np.where(bits, flat, -flat)[drawn], np.where(one.word, seen, -seen)])
    surplus = evidence(agreement) - data_bits - log2(len(_formats(version)))
    message = np.packbits(bits[drawn][:data_bits]).tobytes()
    if surplus < MARGIN or parse_bits(message, data_bits, small_syntax(version)) is None:
        return None
    modules = small_patterns(version).dark.copy()
    modules[at] = bits[drawn] ^ inverts
    information = format_information(version)
    modules[information.rows, information.columns] = one.word
    return SmallRead(modules, surplus)


def _format_bits(log_odds: LogOdds, version: str) -> LogOdds:
    information = format_information(version)
    return np.asarray(log_odds[information.rows[0], information.columns[0]])


def finite(log_odds: LogOdds, version: str) -> LogOdds:
    """Log-odds of a symbol of a version without infinities and NaN. Raises ValueError unless they have its shape."""
    if log_odds.shape != (shape := modules_of(version)):
        raise ValueError(f"{version} has {shape} modules, not {log_odds.shape}")
    return np.nan_to_num(log_odds.astype(np.float32, copy=False), posinf=50, neginf=-50)


def function_agreement(log_odds: LogOdds, version: str) -> float:
    """Agreement of the function patterns' log-odds with their values, -1 to 1; 0 if they say nothing. The log-odds
    (H, W) may be of the symbol's first columns only."""
    patterns, part = small_patterns(version), np.s_[:, : log_odds.shape[1]]
    known, dark = patterns.known[part], patterns.dark[part]
    seen = np.where(dark, log_odds, -log_odds)[known]
    most = np.abs(seen).sum(dtype=np.float64)
    return float(seen.sum() / most) if most else 0.0
