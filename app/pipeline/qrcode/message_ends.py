"""Hypotheses on where a message ends. They make the header before it, and the terminator and padding after it, known
bits, which soft decoding need not guess."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.pipeline.qrcode.codewords import (
    ALPHANUMERIC,
    BYTE,
    ECI,
    FNC1_FIRST,
    GB_2312,
    HANZI,
    KANJI,
    NUMERIC,
    PADDING,
)
from app.pipeline.qrcode.evidence import likelihood_bits
from app.pipeline.qrcode.log_odds import LogOdds
from app.pipeline.qrcode.messages import count_bits, payload_bits
from app.pipeline.qrcode.patterns import Bits

MOST_ENDS: Final = 4
"""Message ends that are tried."""
PADDINGS: Final = (PADDING, (0x00,), (PADDING[0],), (0xFF,))
"""Codewords that encoders repeat after a message: those of the standard first, then others that are met."""
LEAST_EVIDENCE: Final = 12.0
"""Bits for a message end to be tried: among some thousand ends, chance brings one near it."""
_RIVAL_EVIDENCE = 10.0  # bits by which a message end may fall behind the best one and still be tried
_CHANNELS = ((1.0, 5.0), (0.25, 1.5))
"""Scales of log-odds, and their largest values after that: a few wrong bits must not outweigh the rest."""
_NO_HEADER = np.zeros(0, dtype=np.bool_)
_UTF_8 = 26  # the ECI assignment that encoders write most

# What may come before the count of a message's only segment: mode, value and width of the bits.
_HEADERS = (
    (BYTE, BYTE, 4),
    (ALPHANUMERIC, ALPHANUMERIC, 4),
    (NUMERIC, NUMERIC, 4),
    (KANJI, KANJI, 4),
    (HANZI, HANZI << 4 | GB_2312, 8),
    (BYTE, (ECI << 8 | _UTF_8) << 4 | BYTE, 16),
    (BYTE, FNC1_FIRST << 4 | BYTE, 8),
    (ALPHANUMERIC, FNC1_FIRST << 4 | ALPHANUMERIC, 8),
)


@dataclass(frozen=True, slots=True)
class MessageEnd:
    """A hypothesis on where the message ends: the ``known`` bits (D, 8) of the data codewords are ``ones``."""

    known: Bits
    ones: Bits


@dataclass(frozen=True, slots=True, eq=False)
class _Hypothesis:
    """The message ends before bit ``end``; codeword ``begin`` and those after it repeat the padding number
    ``padding``; the first bits are ``header`` (W,), which is empty for a message of unknown segments."""

    evidence: float
    header: Bits
    end: int
    begin: int
    padding: int

    def on(self, codewords: int) -> MessageEnd:
        known, ones = np.zeros((2, 8 * codewords), dtype=np.bool_)
        known[self.end :] = True
        fill = np.resize(np.array(PADDINGS[self.padding], dtype=np.uint8), codewords - self.begin)
        ones[8 * self.begin :] = np.unpackbits(fill)
        known[: len(self.header)] = True
        ones[: len(self.header)] = self.header
        return MessageEnd(known.reshape(-1, 8), ones.reshape(-1, 8))


@dataclass(frozen=True, slots=True)
class _Counts:
    """All messages of one segment that fit: their headers (K, W), which end before the bits ``ends`` (K,), and the
    codewords ``begins`` (K,) with which their padding may begin."""

    headers: Bits
    ends: NDArray[np.intp]
    begins: NDArray[np.intp]


@lru_cache(maxsize=64)
def _counts(version: int, codewords: int, header: tuple[int, int, int]) -> _Counts:
    mode, value, lead = header
    width = count_bits(version, mode)
    counts = np.arange(1, 1 << width)
    ends = lead + width + payload_bits(mode, counts)
    counts, ends = counts[ends <= 8 * codewords], ends[ends <= 8 * codewords]
    bits = _binary(value << width | counts, lead + width)
    begins = -(-np.minimum(ends + 4, 8 * codewords) // 8)
    # segno writes one more zero codeword if the terminator ends with a codeword.
    idle = ((ends + 4) % 8 == 0) & (begins < codewords)
    return _Counts(
        np.concatenate([bits, bits[idle]]),
        np.concatenate([ends, ends[idle]]),
        np.concatenate([begins, begins[idle] + 1]),
    )


def _binary(values: NDArray[np.intp], width: int) -> Bits:
    """(K,) -> (K, width), most significant bit first."""
    return (values[:, None] >> np.arange(width - 1, -1, -1) & 1).astype(np.bool_)


def rank_ends(soft: LogOdds, version: int, least: float = LEAST_EVIDENCE) -> list[MessageEnd]:
    """At most ``MOST_ENDS`` message ends with more than ``least`` bits of evidence in the log-odds (D, 8) of the data
    codewords, the likeliest first.

    For a message of one segment, with UTF-8 or FNC1 declared or not, the hypothesis includes the header; for any other
    message, the padding only, and the likeliest of these is among the ends. As padding may be grey all over where the
    rest is clear, log-odds are compared as they are and damped.
    """
    best: dict[tuple[bytes, int, int, int], _Hypothesis] = {}
    for damped in channels(soft):
        for one in _likeliest(damped, version):
            key = (one.header.tobytes(), one.end, one.begin, one.padding)
            if key not in best or best[key].evidence < one.evidence:
                best[key] = one
    ranked = sorted((one for one in best.values() if one.evidence > least), key=lambda one: -one.evidence)
    found = [one for one in ranked if one.evidence > ranked[0].evidence - _RIVAL_EVIDENCE][:MOST_ENDS]
    if plain := [one for one in ranked if not len(one.header) and one not in found][:1]:
        found = [*found[: MOST_ENDS - 1], *plain]  # a message of several segments has a header to mislead
    return [one.on(len(soft)) for one in found]


def channels(soft: LogOdds) -> list[LogOdds]:
    """Log-odds of any shape as they are, and damped; both bounded."""
    return [np.clip(np.float32(scale) * soft, -ceiling, ceiling).astype(np.float32) for scale, ceiling in _CHANNELS]


def _likeliest(soft: LogOdds, version: int) -> list[_Hypothesis]:
    """``MOST_ENDS`` hypotheses of each kind, or a few more."""
    codewords = len(soft)
    for_one, for_zero = likelihood_bits(soft), likelihood_bits(-soft)
    by_padding = padding_evidence(for_one, for_zero)
    padding = by_padding.argmax(axis=0)
    padded = by_padding.max(axis=0)
    zeros = np.concatenate([[0], np.cumsum(for_zero)])
    begins = 2 + np.argsort(-padded[2:codewords])[:MOST_ENDS]
    found = [_Hypothesis(float(padded[i]), _NO_HEADER, 8 * int(i), int(i), int(padding[i])) for i in begins]
    for header in _HEADERS:
        counts = _counts(version, codewords, header)
        width, begins, ends = counts.headers.shape[1], counts.begins, counts.ends
        headed = np.where(counts.headers, for_one.ravel()[:width], for_zero.ravel()[:width]).sum(axis=1)
        scores = headed + zeros[8 * begins] - zeros[ends] + padded[begins]
        found += [
            _Hypothesis(float(scores[i]), counts.headers[i], int(ends[i]), int(begins[i]), int(padding[begins[i]]))
            for i in np.argsort(-scores)[:MOST_ENDS]
        ]
    return found


def padding_evidence(for_one: LogOdds, for_zero: LogOdds) -> NDArray[np.float64]:
    """Bits of evidence (P, ..., D + 1) that each of the ``PADDINGS`` begins with each data codeword and fills the rest.

    ``for_one``, ``for_zero``: bits of evidence (..., D, 8) that each bit is 1 or 0.
    """
    return np.stack([_evidence_of(padding, for_one, for_zero) for padding in PADDINGS])


def _evidence_of(padding: tuple[int, ...], for_one: LogOdds, for_zero: LogOdds) -> NDArray[np.float64]:
    """(..., D + 1)."""
    period, codewords = len(padding), for_one.shape[-2]
    patterns = np.unpackbits(np.array(padding, dtype=np.uint8)[:, None], axis=1).astype(np.bool_)
    sums = np.zeros((period, *for_one.shape[:-2], codewords + 1))
    for begin in range(period):
        fill = np.resize(np.roll(patterns, begin, axis=0), (codewords, 8))
        each = np.where(fill, for_one, for_zero).sum(axis=-1, dtype=np.float64)
        sums[begin, ..., :-1] = np.flip(np.flip(each, -1).cumsum(axis=-1), -1)
    at = np.arange(codewords + 1)
    return np.asarray(np.moveaxis(sums[at % period, ..., at], 0, -1))
