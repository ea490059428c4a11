"""Writes rMQR codes (ISO/IEC 23941:2022), and decodes them softly from log-odds.

Evidence is counted as in `qrcode.soft`: every block must exceed the bits of its message by ``MARGIN``, so that one test
of a block on noise passes with a probability of at most 2^-20. The formats of a version are two, levels M and H, and
both may be tried. The format information is no part of the evidence: that of a true symbol would speak for a block
which is wrong.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.pipeline.qrcode.attempt import Attempt
from app.pipeline.qrcode.log_odds import LogOdds
from app.pipeline.qrcode.patterns import Bits
from app.pipeline.qrcode.reed_solomon import Words, encode
from app.pipeline.qrcode.segments import parse_bits
from app.pipeline.qrcode.small.contents import small_blocks
from app.pipeline.qrcode.small.patterns import (
    RECTANGULAR_MASK,
    format_information,
    small_mask,
    small_patterns,
    small_zigzag,
)
from app.pipeline.qrcode.small.soft import SmallRead, finite, function_agreement
from app.pipeline.qrcode.small.versions import (
    RECTANGULAR_VERSIONS,
    SmallSymbol,
    modules_of,
    rectangular_symbol,
    small_syntax,
)

MARGIN: Final = 20.0
"""Bits of evidence that each block must have beyond those of its message."""
_STAGES: Final = ("hard", "erasures", "statistics")
_CLOSE: Final = 14.0  # difference of scores up to which the other level is tried, too
_LEAST_AGREEMENT: Final = 0.4  # of the function patterns' log-odds with their values
_HIGH: Final = len(RECTANGULAR_VERSIONS)  # what level H adds to a version indicator


def assemble_rectangular(data: Words, symbol: SmallSymbol) -> Bits:
    """Assembles the symbol, modules (H, W), True is dark, that holds these data codewords, which are in reading order.

    Raises ValueError unless their number is that of the symbol.
    """
    structure, at = small_blocks(symbol), small_zigzag(symbol.version)
    if data.shape != structure.message.shape:
        raise ValueError(f"{symbol.version}-{symbol.level} holds {structure.message.shape} codewords, not {data.shape}")
    words = np.zeros((structure.count, structure.length), dtype=np.uint8)
    words.ravel()[structure.message] = data
    words[:, -structure.ec :] = encode(words[:, : -structure.ec], structure.ec)
    bits = np.unpackbits(words.ravel()[structure.stream])
    modules = small_patterns(symbol.version).dark.copy()
    modules[at] = np.pad(bits, (0, len(at[0]) - len(bits))).astype(np.bool_)
    modules ^= small_mask(symbol.version, RECTANGULAR_MASK)
    information = format_information(symbol.version)
    value = RECTANGULAR_VERSIONS.index(symbol.version) + _HIGH * (symbol.level == "H")
    modules[information.rows, information.columns] = information.words[value]
    return modules


def likely_versions(beside_finder: LogOdds, height: int) -> list[tuple[str, float]]:
    """Versions of a height, the likeliest first, by the log-odds (18,) of the format information beside the finder
    pattern; with the score of each, the sum of the log-odds of its bits at its likelier level."""
    words = format_information(RECTANGULAR_VERSIONS[0]).words[:, 0]
    scores = np.where(words, 1, -1) @ beside_finder
    likelier = np.maximum(scores[:_HIGH], scores[_HIGH:])
    found = [
        (version, float(score))
        for version, score in zip(RECTANGULAR_VERSIONS, likelier, strict=True)
        if (modules_of(version) or (0,))[0] == height
    ]
    return sorted(found, key=lambda one: -one[1])


def decode_rectangular(log_odds: LogOdds, version: str) -> SmallRead | None:
    """Decodes the upright symbol of an assumed version, "R7x43" to "R17x139", from log-odds (H, W), positive is dark;
    None if that fails.

    Raises ValueError unless the log-odds have the version's shape.
    """
    log_odds = finite(log_odds, version)
    if function_agreement(log_odds, version) < _LEAST_AGREEMENT:
        return None
    scores = _level_scores(log_odds, version)
    for level in np.argsort(-scores, kind="stable"):
        if scores.max() - scores[level] > _CLOSE:
            break
        if found := _decode(log_odds, rectangular_symbol(RECTANGULAR_VERSIONS.index(version), high=bool(level))):
            return found
    return None


def _level_scores(log_odds: LogOdds, version: str) -> NDArray[np.float64]:
    """Sums of the log-odds of the bits of both copies of the format information, at level M and at level H."""
    information, indicator = format_information(version), RECTANGULAR_VERSIONS.index(version)
    seen = log_odds[information.rows, information.columns]
    words = information.words[[indicator, indicator + _HIGH]]
    return np.asarray(np.where(words, seen, -seen).sum(axis=(1, 2)), dtype=np.float64)


def _decode(log_odds: LogOdds, symbol: SmallSymbol) -> SmallRead | None:
    """The likeliest symbol of a level, if there is evidence enough for each of its blocks."""
    structure, syntax = small_blocks(symbol), small_syntax(symbol.version)
    attempt = Attempt(
        _codeword_log_odds(log_odds, symbol),
        structure,
        name=f"{symbol.version}, level {symbol.level}",
        margin=MARGIN,
        is_message=lambda data: parse_bits(data.tobytes(), 8 * len(data), syntax) is not None,
    )
    found = attempt.read(_STAGES)
    return SmallRead(assemble_rectangular(found.data, symbol), found.confidence) if found else None


def _codeword_log_odds(log_odds: LogOdds, symbol: SmallSymbol) -> LogOdds:
    """(count, length, 8): log-odds that each bit of each codeword is 1, mask removed; 0 in absent codewords."""
    structure, at = small_blocks(symbol), small_zigzag(symbol.version)
    drawn = np.where(small_mask(symbol.version, RECTANGULAR_MASK)[at], -log_odds[at], log_odds[at])
    bits = np.zeros((structure.count * structure.length, 8), dtype=np.float32)
    bits[structure.stream] = drawn[: 8 * len(structure.stream)].reshape(-1, 8)
    return bits.reshape(structure.count, structure.length, 8)
