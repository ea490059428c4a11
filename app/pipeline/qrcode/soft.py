"""Decodes a QR symbol from the log-odds of its modules where hard decisions fail, and states its confidence.

Each block is decoded from hard decisions, then with its least reliable codewords erased (generalised minimum distance),
then by ordered statistics: the cheapest of many error patterns in its bits. Blocks that still fail are tried again
under hypotheses on where the message ends, which make the header before the message and the terminator and padding
after it known bits.

No codeword is believed without evidence. Evidence is counted in bits: log2 of how much more likely the log-odds are
under the codeword than under fair coins. For log-odds whose signs are independent of a given codeword this likelihood
ratio has mean 1, so that evidence of T bits has a probability of at most 2^-T (Markov), and a message of k bits is one
of 2^k. A block counts as read if its evidence exceeds the bits of the message in it by a margin: Forney's test (IEEE
Trans. IT 14(2), 1968). The message must also be well-formed, down to its last bit of padding.
"""

from collections.abc import Collection
from dataclasses import dataclass
from functools import cache
from math import comb, log2

import numpy as np
from numpy.typing import NDArray

from app.pipeline.qrcode.codewords import ALPHANUMERIC, BYTE, KANJI, NUMERIC, PADDING, Blocks, assemble, blocks
from app.pipeline.qrcode.log_odds import FormatInformation, LogOdds, codeword_log_odds, rank_formats
from app.pipeline.qrcode.messages import count_bits, message_bits, payload_bits
from app.pipeline.qrcode.patterns import Bits, dimension, function_patterns
from app.pipeline.qrcode.reed_solomon import decode, least_errors, reduced_basis

STAGES = ("hard", "erasures", "statistics", "padding")
MARGIN = 20.0
"""Bits of evidence that a block must have beyond those of its message.

With it, 130,000 attempts on noise, random bits and hopelessly damaged symbols read nothing
(`training.measure.inventions`).
"""
_LEAST_AGREEMENT = 0.3  # of the function patterns' log-odds with their values; noise mostly has 0.09 in version 1
_LEAST_MAGNITUDE = 0.05  # mean magnitude of the data modules' log-odds; below it they say nothing
_MOST_FORMAT_ERRORS = 3  # bits of 15 that the code of the format information corrects
_CLOSE_FORMAT = 12.0  # difference of scores below which the second best format is tried as well
_MOST_ENDS = 4  # message ends that are tried
_LEAST_EVIDENCE = 12.0  # bits for a message end to be tried; among some thousand ends, chance brings one near it
_RIVAL_EVIDENCE = 10.0  # bits by which a message end may fall behind the best one and still be tried
_CERTAIN = 5.0  # largest log-odds of a bit when ends are compared: a few wrong bits must not outweigh the rest
_MOST_ROWS = 6000  # parity checks reduced in one read, at some 40 microseconds each
_PAIRS, _NEAR_PAIRS, _TRIPLES = 383, 127, 32  # least reliable free bits that error patterns combine
_WORTH_TRIPLES = 60.0  # bits short of the margin up to which triple errors are tried

# Bit channels that `evidence` compares: log-odds are multiplied by a scale and then clipped at a ceiling.
_SCALES = np.array([0.25, 0.5, 1, 2, 4], dtype=np.float32)[:, None, None]
_CEILINGS = np.array([1.5, 2.5, 4, 8], dtype=np.float32)[:, None]
_CHANNEL_BITS = log2(_SCALES.size * _CEILINGS.size)


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
    if lack := _lack(log_odds, version):
        return SoftRefusal(lack)
    reasons = []
    for candidate in _formats(log_odds, version):
        if candidate.distance > _MOST_FORMAT_ERRORS:
            reasons.append(f"format information too far: distance {candidate.distance} is above {_MOST_FORMAT_ERRORS}")
            continue
        attempt = _Attempt(log_odds, version, candidate, margin)
        if found := attempt.read(stages):
            return found
        reasons.append(attempt.refusal)
    return SoftRefusal("; ".join(reasons))


def _lack(log_odds: LogOdds, version: int) -> str:
    """Why the log-odds cannot be a symbol: they say nothing, or show no function patterns; empty if they can."""
    patterns = function_patterns(version)
    known = log_odds[patterns.known]
    agreement = np.where(patterns.dark[patterns.known], known, -known).sum()
    magnitude = np.abs(log_odds[patterns.data]).mean()
    if not magnitude > _LEAST_MAGNITUDE:
        return f"the log-odds say nothing: mean magnitude {magnitude:.2f} is not above {_LEAST_MAGNITUDE}"
    most = np.abs(known).sum(dtype=np.float64)
    if not agreement > _LEAST_AGREEMENT * most:
        share = agreement / most if most else 0.0
        return f"function patterns do not agree: {share:.2f} is not above {_LEAST_AGREEMENT}"
    return ""


def _formats(log_odds: LogOdds, version: int) -> list[FormatInformation]:
    """The formats to try, the most likely first: one or two."""
    best, second, *_ = rank_formats(log_odds, version)
    return [best, second] if best.score - second.score < _CLOSE_FORMAT else [best]


def evidence(agreement: NDArray[np.float32]) -> float:
    """Evidence, in bits, that soft decoding has for given bits against fair coins; ``agreement`` (n,) has their
    log-odds, positive if they agree.

    That of the bit channel with the most evidence, less the bits that name the channel.
    """
    seen = np.clip(_SCALES * agreement, -_CEILINGS, _CEILINGS)
    return float((1 - np.logaddexp2(0, -seen / np.float32(np.log(2)))).sum(axis=-1).max()) - _CHANNEL_BITS


@cache
def _byte_evidence(length: int, ec: int, erased: int, errors: int) -> float:
    """Evidence, in bits beyond those of the data, for a codeword of which ``erased`` bytes were erased and ``errors``
    others were wrong."""
    return 8 * (ec - erased - errors) - log2(comb(length - erased, errors))


@dataclass(frozen=True, slots=True)
class _MessageEnd:
    """A hypothesis on where the message ends: the ``known`` bits (D, 8) of the data codewords are ``ones``."""

    known: Bits
    ones: Bits


def _message_ends(soft: LogOdds, version: int) -> list[_MessageEnd]:
    """Message ends with enough evidence in the log-odds (D, 8) of the data codewords, the likeliest first.

    For a message of one segment the hypothesis includes the header; for any other message, the padding only.
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
        headed = np.where(header, for_one.ravel()[: 4 + width], for_zero.ravel()[: 4 + width]).sum(axis=1)
        for extra in (0, 1):
            begins = -(-np.minimum(ends + 4, total) // 8) + extra
            fits = (begins <= codewords) & ((extra == 0) | ((ends + 4) % 8 == 0))
            scores = headed[fits] + zeros[8 * begins[fits]] - zeros[ends[fits]] + padded[begins[fits]]
            found += [
                (float(scores[i]), mode, int(counts[fits][i]), int(ends[fits][i]), int(begins[fits][i]))
                for i in np.argsort(-scores)[:_MOST_ENDS]
            ]
    found.sort(key=lambda one: -one[0])
    enough = max(_LEAST_EVIDENCE, found[0][0] - _RIVAL_EVIDENCE)
    return [_message_end(version, codewords, *rest) for score, *rest in found[:_MOST_ENDS] if score > enough]


def _padding_evidence(for_one: LogOdds, for_zero: LogOdds) -> NDArray[np.float64]:
    """(D + 1,) bits of evidence that the padding begins with each data codeword and fills the rest."""
    sums = np.zeros((2, len(for_one) + 1))
    patterns = np.unpackbits(np.array(PADDING, dtype=np.uint8)[:, None], axis=1).astype(np.bool_)
    first, second = (np.where(pattern, for_one, for_zero).sum(axis=1) for pattern in patterns)
    for i in reversed(range(len(for_one))):
        sums[0, i] = first[i] + sums[1, i + 1]
        sums[1, i] = second[i] + sums[0, i + 1]
    return np.asarray(sums[0], dtype=np.float64)


def _message_end(version: int, codewords: int, mode: int, count: int, end: int, begin: int) -> _MessageEnd:
    """The message ends before bit ``end`` and its padding begins with codeword ``begin``; mode 0 stands for any."""
    known, ones = np.zeros((2, 8 * codewords), dtype=np.bool_)
    known[end:] = True
    padding = np.resize(np.array(PADDING, dtype=np.uint8), codewords - begin)
    ones[8 * begin :] = np.unpackbits(padding)
    if mode:
        width = count_bits(version, mode)
        known[: 4 + width] = True
        ones[: 4 + width] = _binary(np.array([mode << width | count]), 4 + width)[0]
    return _MessageEnd(known.reshape(-1, 8), ones.reshape(-1, 8))


def _binary(values: NDArray[np.intp], width: int) -> Bits:
    """(K,) -> (K, width), most significant bit first."""
    return (values[:, None] >> np.arange(width - 1, -1, -1) & 1).astype(np.bool_)


class _Attempt:
    """Decodes a symbol under one format."""

    def __init__(self, log_odds: LogOdds, version: int, candidate: FormatInformation, margin: float) -> None:
        self._log_odds, self._version, self._format, self._margin = log_odds, version, candidate, margin
        self._blocks: Blocks = blocks(version, candidate.level)
        self._soft = codeword_log_odds(log_odds, version, candidate.level, candidate.mask)
        self._words = np.packbits(self._soft > 0, axis=2)[:, :, 0]
        self._surplus = np.full(self._blocks.count, -np.inf)
        self._rows = _MOST_ROWS
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
        """The symbol, if "hard" or one of these stages reads it."""
        self._decode_hard()
        if "erasures" in stages and not self._read.all():
            self._method = "erasures"
            self._decode_erasures()
        if "statistics" in stages and not self._read.all():
            self._method = "statistics"
            self._words, self._surplus = self._decode_statistics(None)
        if self._read.all() or "padding" not in stages:
            return self._check(self._words, self._surplus)
        self._method = "padding"
        for end in self._rank_ends():
            if found := self._check(*self._decode_statistics(end)):
                return found
        return None

    @property
    def _read(self) -> Bits:
        """(count,): which blocks are read without a hypothesis on the message's end."""
        return self._surplus >= self._margin

    def _decode_hard(self) -> None:
        structure = self._blocks
        words, ok, errors = decode(self._words, structure.ec, structure.absent & False, structure.reserved)
        self._accept(np.arange(structure.count), words, ok, np.zeros_like(errors), errors)

    def _decode_erasures(self) -> None:
        """Decodes with the 2, 4, 6, ... least reliable codewords of each block erased."""
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
        """Accepts corrected words of the blocks ``index`` whose evidence, less ``choice`` bits, is enough."""
        structure = self._blocks
        for i in np.flatnonzero(ok & ~((words != 0) & structure.absent[index]).any(axis=1)):
            surplus = _byte_evidence(structure.length, structure.ec, int(erased[i]), int(errors[i])) - choice
            if surplus >= max(self._margin, self._surplus[index[i]]):
                self._surplus[index[i]], self._words[index[i]] = surplus, words[i]
            elif surplus < self._margin:
                self._nearest[index[i]] = max(self._nearest[index[i]], surplus)

    def _decode_statistics(self, end: _MessageEnd | None) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
        """Corrects further blocks by ordered statistics; returns the words and surplus of all blocks.

        Gives up on a message end that contradicts a block already read, or does not help with the first block that it
        could help with; without one, after two blocks that fail.
        """
        structure, read = self._blocks, self._read
        words, surplus = self._words.copy(), self._surplus.copy()
        known, ones = np.zeros((2, structure.count * structure.length, 8), dtype=np.bool_)
        known |= structure.absent.reshape(-1, 1)
        if end:
            known[structure.message], ones[structure.message] = end.known, end.ones
        known, ones = (bits.reshape(structure.count, -1) for bits in (known, ones))
        if (known & (ones != np.unpackbits(words, axis=1)))[read].any():
            return words, surplus
        failures = 1 if end else 2
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
        """The likeliest word found for a block with these known bits, and its evidence beyond the data bits.

        Known bits count on neither side: even if they are right, they say nothing about the others.
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

    def _check(self, words: NDArray[np.uint8], surplus: NDArray[np.float64]) -> SoftRead | None:
        """The symbol of corrected words, if every block is read and they hold a well-formed message."""
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

    def _rank_ends(self) -> list[_MessageEnd]:
        """Where the message may end, the likeliest first; blocks already read count as certain."""
        structure = self._blocks
        certain = np.where(np.unpackbits(self._words, axis=1).astype(np.bool_), _CERTAIN, -_CERTAIN).reshape(
            self._soft.shape
        )
        soft = np.where(self._read[:, None, None], certain, self._soft).reshape(-1, 8)[structure.message]
        return _message_ends(np.clip(soft, -_CERTAIN, _CERTAIN).astype(np.float32), self._version)
