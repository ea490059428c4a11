"""Reads a QR symbol from log-odds a module where hard decisions fail, and says how sure it is.

Every block is decoded by hard decisions, then with its least reliable codewords erased (generalised minimum distance),
then by ordered statistics: the cheapest of many error patterns in its bits. What still fails is tried again on the
supposition that the message ends in a certain place: the header before it and the terminator and padding after it are
then known bits.

No codeword is taken at its word. Evidence is counted in bits: log2 of how much more likely the log-odds are under the
codeword than under fair coins. Over log-odds whose signs have nothing to do with a given codeword that likelihood ratio
is 1 in the mean, so that evidence of T bits has a chance of at most 2^-T (Markov), and a message of k bits is one of
2^k. A block counts as read where its evidence exceeds the bits of the message in it by a margin; this is Forney's test
(IEEE Trans. IT 14(2), 1968). The message must be well-formed besides, to its last bit of padding.
"""

from collections.abc import Collection
from dataclasses import dataclass
from functools import cache
from math import comb, log2

import numpy as np
from numpy.typing import NDArray

from app.pipeline.qrcode.codewords import (
    ALPHANUMERIC,
    BYTE,
    KANJI,
    NUMERIC,
    PADDING,
    Bits,
    Blocks,
    FormatInformation,
    assemble,
    blocks,
    codeword_log_odds,
    rank_formats,
)
from app.pipeline.qrcode.log_odds import LogOdds
from app.pipeline.qrcode.messages import count_bits, message_bits, payload_bits
from app.pipeline.qrcode.patterns import dimension, function_patterns
from app.pipeline.qrcode.reed_solomon import decode, least_errors, reduced_basis

STAGES = ("hard", "erasures", "statistics", "padding")
MARGIN = 20.0
"""Bits of evidence that a block must have beyond those of its message."""
_AGREEMENT = 0.3  # of the function patterns' log-odds with what they must be; noise has 0.09 in version 1, mostly
_FAINT = 0.05  # mean magnitude of log-odds that says nothing
_FORMAT_DISTANCE = 3
_CLOSE_FORMAT = 12.0  # difference of scores below which the second best format is tried, too
_SUPPOSITIONS = 4
_HINT = 12.0  # bits of evidence below which a supposition is not tried; of some thousand, chance brings one near it
_RIVAL = 10.0  # bits of evidence by which the best supposition outdoes those that are not tried beside it
_CERTAIN = 5.0  # greatest log-odds of a bit in suppositions: a few wrong ones must not outweigh the rest
_ROWS = 6000  # of parity checks reduced in one read, at some 40 microseconds each
_PAIRS, _NEAR_PAIRS, _TRIPLES = 383, 127, 32  # of the least reliable free bits
_WORTH_TRIPLES = 60.0  # bits short of the margin up to which triple errors are tried

# Bit channels whose evidence is looked at: what the log-odds are multiplied by, and then cut off at.
_SCALES = np.array([0.25, 0.5, 1, 2, 4], dtype=np.float32)[:, None, None]
_CEILINGS = np.array([1.5, 2.5, 4, 8], dtype=np.float32)[:, None]
_CHANNEL_BITS = log2(_SCALES.size * _CEILINGS.size)


@dataclass(frozen=True, slots=True)
class SoftRead:
    """A symbol read softly.

    ``modules`` (M, M) is the whole symbol, drawn perfectly. ``corrected_modules`` of its modules were decided otherwise
    by the signs of the log-odds; ``flips`` are those among them that carry codewords. ``confidence`` is the evidence in
    bits beyond the message's in the block that has least of it, and ``method`` the costliest stage that was needed.
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
    """Why soft decoding reads nothing: ``reason`` in words."""

    reason: str


def decode_soft(
    log_odds: LogOdds, version: int, *, stages: Collection[str] = STAGES, margin: float = MARGIN
) -> SoftRead | None:
    """The symbol of a supposed version in log-odds (M, M) of its modules (positive is dark), or None.

    Raises ValueError where the log-odds are not the version's (M, M).
    """
    read = try_soft(log_odds, version, stages=stages, margin=margin)
    return read if isinstance(read, SoftRead) else None


def try_soft(
    log_odds: LogOdds, version: int, *, stages: Collection[str] = STAGES, margin: float = MARGIN
) -> SoftRead | SoftRefusal:
    """As `decode_soft`, but says why there is no symbol."""
    if log_odds.shape != (dimension(version),) * 2:
        raise ValueError(f"version {version} has {dimension(version)} modules a side, not {log_odds.shape}")
    log_odds = np.nan_to_num(log_odds.astype(np.float32, copy=False), posinf=50, neginf=-50)
    if lack := _lack(log_odds, version):
        return SoftRefusal(lack)
    reasons = []
    for candidate in _formats(log_odds, version):
        if candidate.distance > _FORMAT_DISTANCE:
            reasons.append(f"format information too far: distance {candidate.distance} is above {_FORMAT_DISTANCE}")
            continue
        attempt = _Attempt(log_odds, version, candidate, margin)
        if found := attempt.read(stages):
            return found
        reasons.append(attempt.refusal)
    return SoftRefusal("; ".join(reasons))


def _lack(log_odds: LogOdds, version: int) -> str:
    """What is missing for a symbol: function patterns, or data that says anything at all; empty where nothing is."""
    patterns = function_patterns(version)
    known = log_odds[patterns.known]
    agreement = np.where(patterns.dark[patterns.known], known, -known).sum()
    magnitude = np.abs(log_odds[patterns.data]).mean()
    if not magnitude > _FAINT:
        return f"the log-odds say nothing: mean magnitude {magnitude:.2f} is not above {_FAINT}"
    most = np.abs(known).sum(dtype=np.float64)
    if not agreement > _AGREEMENT * most:
        share = agreement / most if most else 0.0
        return f"function patterns do not agree: {share:.2f} is not above {_AGREEMENT}"
    return ""


def _formats(log_odds: LogOdds, version: int) -> list[FormatInformation]:
    best, second, *_ = rank_formats(log_odds, version)
    return [best, second] if best.score - second.score < _CLOSE_FORMAT else [best]


def evidence(agreement: NDArray[np.float32]) -> float:
    """Bits by which log-odds speak for certain bits, (n,) each positive where it agrees, rather than for fair coins.

    Taken from the bit channel that speaks most for them, less the bits that name the channel.
    """
    seen = np.clip(_SCALES * agreement, -_CEILINGS, _CEILINGS)
    return float((1 - np.logaddexp2(0, -seen / np.float32(np.log(2)))).sum(axis=-1).max()) - _CHANNEL_BITS


@cache
def _byte_evidence(length: int, ec: int, erased: int, errors: int) -> float:
    """Bits that speak for a codeword with so many wrong bytes outside the erased ones, beyond those of its data."""
    return 8 * (ec - erased - errors) - log2(comb(length - erased, errors))


@dataclass(frozen=True, slots=True)
class _Supposition:
    """That the ``known`` bits (D, 8) of the data codewords have the values ``ones``."""

    known: Bits
    ones: Bits


def _suppositions(soft: LogOdds, version: int) -> list[_Supposition]:
    """Suppositions on the message in data codewords with log-odds (D, 8) that these speak for, the likeliest first.

    A message of one segment fixes its header too; of any other message only the padding is supposed.
    """
    codewords, total = len(soft), soft.size
    for_one = 1 - np.logaddexp2(0, -soft / np.float32(np.log(2)))
    for_zero = 1 - np.logaddexp2(0, soft / np.float32(np.log(2)))
    padded = _padding_evidence(for_one, for_zero)
    zeros = np.concatenate([[0], np.cumsum(for_zero)])
    found: list[tuple[float, int, int, int, int]] = [
        (float(padded[begin]), 0, 0, 8 * begin, begin) for begin in range(2, codewords)
    ]
    for mode in (BYTE, ALPHANUMERIC, NUMERIC, KANJI):
        width = count_bits(version, mode)
        counts = np.arange(1, 1 << width)
        ends = 4 + width + payload_bits(mode, counts)
        counts, ends = counts[ends <= total], ends[ends <= total]
        header = _binary(mode << width | counts, 4 + width)
        spoken = np.where(header, for_one.ravel()[: 4 + width], for_zero.ravel()[: 4 + width]).sum(axis=1)
        for extra in (0, 1):
            begins = -(-np.minimum(ends + 4, total) // 8) + extra
            fits = (begins <= codewords) & ((extra == 0) | ((ends + 4) % 8 == 0))
            scores = spoken[fits] + zeros[8 * begins[fits]] - zeros[ends[fits]] + padded[begins[fits]]
            found += [
                (float(scores[i]), mode, int(counts[fits][i]), int(ends[fits][i]), int(begins[fits][i]))
                for i in np.argsort(-scores)[:_SUPPOSITIONS]
            ]
    found.sort(key=lambda one: -one[0])
    enough = max(_HINT, found[0][0] - _RIVAL)
    return [_supposition(version, codewords, *rest) for score, *rest in found[:_SUPPOSITIONS] if score > enough]


def _padding_evidence(for_one: LogOdds, for_zero: LogOdds) -> NDArray[np.float64]:
    """(D + 1,) bits of evidence that the padding begins with each data codeword and fills the rest."""
    spoken = np.zeros((2, len(for_one) + 1))
    patterns = np.unpackbits(np.array(PADDING, dtype=np.uint8)[:, None], axis=1).astype(np.bool_)
    first, second = (np.where(pattern, for_one, for_zero).sum(axis=1) for pattern in patterns)
    for i in reversed(range(len(for_one))):
        spoken[0, i] = first[i] + spoken[1, i + 1]
        spoken[1, i] = second[i] + spoken[0, i + 1]
    return np.asarray(spoken[0], dtype=np.float64)


def _supposition(version: int, codewords: int, mode: int, count: int, end: int, begin: int) -> _Supposition:
    """A message that ends before bit ``end`` and whose padding begins with codeword ``begin``; mode 0 is any."""
    known, ones = np.zeros((2, 8 * codewords), dtype=np.bool_)
    known[end:] = True
    padding = np.resize(np.array(PADDING, dtype=np.uint8), codewords - begin)
    ones[8 * begin :] = np.unpackbits(padding)
    if mode:
        width = count_bits(version, mode)
        known[: 4 + width] = True
        ones[: 4 + width] = _binary(np.array([mode << width | count]), 4 + width)[0]
    return _Supposition(known.reshape(-1, 8), ones.reshape(-1, 8))


def _binary(values: NDArray[np.intp], width: int) -> Bits:
    """(K,) -> (K, width), most significant bit first."""
    return (values[:, None] >> np.arange(width - 1, -1, -1) & 1).astype(np.bool_)


class _Attempt:
    """One read of a symbol under one format."""

    def __init__(self, log_odds: LogOdds, version: int, candidate: FormatInformation, margin: float) -> None:
        self._log_odds, self._version, self._format, self._margin = log_odds, version, candidate, margin
        self._blocks: Blocks = blocks(version, candidate.level)
        self._soft = codeword_log_odds(log_odds, version, candidate.level, candidate.mask)
        self._words = np.packbits(self._soft > 0, axis=2)[:, :, 0]
        self._surplus = np.full(self._blocks.count, -np.inf)
        self._rows = _ROWS
        self._method = "hard"
        self._nearest = np.full(self._blocks.count, -np.inf)  # surplus of the best words that were not accepted
        self._malformed = False

    @property
    def refusal(self) -> str:
        """Why `read` found nothing, in words."""
        under = f"(level {self._format.level}, mask {self._format.mask})"
        if self._malformed:
            return f"every block is read, but not as a message {under}"
        nearest = self._nearest[~self._read].max(initial=-np.inf)
        best = f"{nearest:.1f} bits beyond its message" if np.isfinite(nearest) else "no codeword near"
        return (
            f"not enough evidence {under}: {self._read.sum()} of {self._blocks.count} blocks are read, the best of the "
            f"others has {best}, {self._margin:g} are needed"
        )

    def read(self, stages: Collection[str]) -> SoftRead | None:
        """The symbol, if one of these stages reads it."""
        self._hard()
        if "erasures" in stages and not self._read.all():
            self._method = "erasures"
            self._with_erasures()
        if "statistics" in stages and not self._read.all():
            self._method = "statistics"
            self._words, self._surplus = self._with_statistics(None)
        if self._read.all() or "padding" not in stages:
            return self._checked(self._words, self._surplus)
        self._method = "padding"
        for supposition in self._supposed():
            if found := self._checked(*self._with_statistics(supposition)):
                return found
        return None

    @property
    def _read(self) -> Bits:
        """(count,): blocks that are read whatever the message's end."""
        return self._surplus >= self._margin

    def _hard(self) -> None:
        structure = self._blocks
        words, ok, errors = decode(self._words, structure.ec, structure.absent & False, structure.reserved)
        self._accept(np.arange(structure.count), words, ok, np.zeros_like(errors), errors)

    def _with_erasures(self) -> None:
        """Decodes with 2, 4, 6, ... of the least reliable codewords of a block erased."""
        structure = self._blocks
        counts = np.arange(2, structure.ec - structure.reserved - 1, 2)
        rest = np.flatnonzero(~self._read)
        reliability = np.abs(self._soft[rest]).min(axis=2)
        reliability[structure.absent[rest]] = np.inf
        rank = reliability.argsort(axis=1).argsort(axis=1)
        erased = (rank[:, None, :] < counts[:, None]).reshape(-1, structure.length)
        index = np.repeat(rest, len(counts))
        words, ok, errors = decode(self._words[index], structure.ec, erased, structure.reserved)
        self._accept(index, words, ok, erased.sum(axis=1), errors, log2(len(counts)))

    def _accept(
        self,
        index: NDArray[np.intp],
        words: NDArray[np.uint8],
        ok: Bits,
        erased: NDArray[np.intp],
        errors: NDArray[np.intp],
        choice: float = 0.0,
    ) -> None:
        """Takes those corrected words of the blocks ``index`` with evidence enough, less ``choice`` bits."""
        structure = self._blocks
        for i in np.flatnonzero(ok & ~((words != 0) & structure.absent[index]).any(axis=1)):
            surplus = _byte_evidence(structure.length, structure.ec, int(erased[i]), int(errors[i])) - choice
            if surplus >= max(self._margin, self._surplus[index[i]]):
                self._surplus[index[i]], self._words[index[i]] = surplus, words[i]
            elif surplus < self._margin:
                self._nearest[index[i]] = max(self._nearest[index[i]], surplus)

    def _with_statistics(self, supposition: _Supposition | None) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
        """The words with those of further blocks that ordered statistics correct, and every block's surplus.

        A supposition that contradicts what is read, or does not help with the first block that it could, is given up.
        """
        structure, read = self._blocks, self._read
        words, surplus = self._words.copy(), self._surplus.copy()
        known, ones = np.zeros((2, structure.count * structure.length, 8), dtype=np.bool_)
        known |= structure.absent.reshape(-1, 1)
        if supposition:
            known[structure.message], ones[structure.message] = supposition.known, supposition.ones
        known, ones = (bits.reshape(structure.count, -1) for bits in (known, ones))
        if (known & (ones != np.unpackbits(words, axis=1)))[read].any():
            return words, surplus
        failures = 1 if supposition else 2
        for block in np.flatnonzero(~read):
            self._rows -= 8 * structure.ec
            if self._rows < 0 or failures == 0:
                break
            word, gained = self._ordered_statistics(block, known[block], ones[block])
            if gained < self._margin:
                failures -= 1
                self._nearest[block] = max(self._nearest[block], gained)
            else:
                words[block], surplus[block] = word, gained
        return words, surplus

    def _ordered_statistics(self, block: np.intp, known: Bits, ones: Bits) -> tuple[NDArray[np.uint8], float]:
        """The likeliest word found of a block with certain known bits, and what the evidence exceeds the data bits by.

        Known bits count on neither side: however true, they say nothing of the others.
        """
        soft = self._soft[block].ravel()
        hard = np.where(known, ones, soft > 0)
        basis = reduced_basis(hard, np.where(known, np.inf, np.abs(soft)).astype(np.float32), self._blocks.ec)
        unknown = int((~known[: -8 * self._blocks.ec]).sum())
        surplus, bits = -np.inf, hard
        for pairs, triples in ((_PAIRS, 0), (_NEAR_PAIRS, _TRIPLES)):
            wrong, cost = least_errors(basis, pairs=pairs, triples=triples)
            if np.isfinite(cost):
                bits = hard ^ wrong
                surplus = evidence(np.where(bits, soft, -soft)[~known]) - unknown
            if not self._margin - _WORTH_TRIPLES <= surplus < self._margin:
                break
        return np.packbits(bits), surplus

    def _checked(self, words: NDArray[np.uint8], surplus: NDArray[np.float64]) -> SoftRead | None:
        """The symbol of corrected words, if every block is read and they hold a message."""
        if surplus.min() < self._margin:
            return None
        data = words.ravel()[self._blocks.message]
        if message_bits(data, self._version) is None:
            self._malformed = True
            return None
        level, mask = self._format.level, self._format.mask
        modules = assemble(data, self._version, level, mask)
        differs = modules != (self._log_odds > 0)
        flips = int(differs[function_patterns(self._version).data].sum())
        return SoftRead(modules, level, mask, int(differs.sum()), flips, float(surplus.min()), self._method)

    def _supposed(self) -> list[_Supposition]:
        """Where the message may end, the likeliest first; blocks already read are certain."""
        structure = self._blocks
        certain = np.where(np.unpackbits(self._words, axis=1).astype(np.bool_), _CERTAIN, -_CERTAIN).reshape(
            self._soft.shape
        )
        soft = np.where(self._read[:, None, None], certain, self._soft).reshape(-1, 8)[structure.message]
        return _suppositions(np.clip(soft, -_CERTAIN, _CERTAIN).astype(np.float32), self._version)
