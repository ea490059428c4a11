"""Log-odds that modules are dark: the output of a module reader and the input of soft decoding."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.pipeline.qrcode.codewords import blocks
from app.pipeline.qrcode.evidence import evidence
from app.pipeline.qrcode.patterns import (
    FORMAT_WORDS,
    FORMATS,
    format_positions,
    format_word,
    function_patterns,
    mask_pattern,
    version_positions,
    version_word,
    zigzag,
)

LogOdds = NDArray[np.float32]
"""Natural logarithm of the odds that each module is dark, (M, M): positive is dark, 0 says nothing."""


def probability(log_odds: LogOdds) -> NDArray[np.float32]:
    """Turns log-odds into probabilities, 0 to 1, that each module is dark."""
    return np.asarray(1 / (1 + np.exp(-np.clip(log_odds, -30, 30))), dtype=np.float32)


def confidence(log_odds: LogOdds) -> float:
    """Confidence of log-odds: the modules' mean distance from even odds, 0 to 1."""
    return float(np.tanh(np.abs(log_odds) / 2).mean())


def rebuild_modules(log_odds: LogOdds, version: int) -> NDArray[np.bool_]:
    """Rebuilds modules (M, M), True is dark, by the signs of the log-odds; function patterns as the standard fixes
    them."""
    patterns = function_patterns(version)
    return np.where(patterns.known, patterns.dark, log_odds > 0)


@dataclass(frozen=True, slots=True)
class FormatInformation:
    """How well a format word fits log-odds.

    ``score`` is the sum of the log-odds of its 30 bits; the difference of two scores is twice that of the
    log-likelihoods. ``distance`` is the number of wrong hard bits, of 15, in the copy that fits better; the code
    corrects 3.
    """

    level: str
    mask: int
    score: float
    distance: int


def rank_formats(log_odds: LogOdds, version: int) -> list[FormatInformation]:
    """All 32 formats by the log-odds of both copies together, the most likely first."""
    copies = log_odds[format_positions(version)]
    scores = np.where(FORMAT_WORDS, 1, -1) @ copies.sum(axis=0)
    distances = (FORMAT_WORDS[:, None, :] != (copies > 0)).sum(axis=2).min(axis=1)
    fits = [
        FormatInformation(level, mask, float(score), int(distance))
        for (level, mask), score, distance in zip(FORMATS, scores, distances, strict=True)
    ]
    return sorted(fits, key=lambda fit: -fit.score)


def format_evidence(log_odds: LogOdds, version: int, best: FormatInformation) -> float:
    """Evidence, in bits, of the format information for a format: of the copy, or both together, that has more."""
    word, copies = format_word(best.level, best.mask), log_odds[format_positions(version)]
    agreement = np.where(word, copies, -copies)
    return max(evidence(bits) for bits in (*agreement, agreement.ravel()))


def version_distance(log_odds: LogOdds, version: int) -> int | None:
    """How far log-odds are from a version: wrong hard bits, of 18, in the better copy of the version information; None
    below version 7.

    The code corrects 3; the words of two versions differ in at least 8 bits.
    """
    if version < 7:
        return None
    return int((version_word(version) != (log_odds[version_positions(version)] > 0)).sum(axis=1).min())


def codeword_log_odds(log_odds: LogOdds, version: int, level: str, mask: int) -> LogOdds:
    """(count, length, 8): log-odds that each bit of each codeword is 1, mask removed; 0 in absent codewords."""
    structure = blocks(version, level)
    at = zigzag(version)
    drawn = np.where(mask_pattern(version, mask)[at], -log_odds[at], log_odds[at])
    bits = np.zeros((structure.count * structure.length, 8), dtype=np.float32)
    bits[structure.stream] = drawn[: 8 * len(structure.stream)].reshape(-1, 8)
    return bits.reshape(structure.count, structure.length, 8)
