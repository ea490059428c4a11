"""Decodes the blocks of a symbol under one format, with more and more effort."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from math import log2
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.pipeline.qrcode.codewords import Blocks
from app.pipeline.qrcode.evidence import byte_evidence, evidence
from app.pipeline.qrcode.log_odds import LogOdds
from app.pipeline.qrcode.message_ends import MessageEnd
from app.pipeline.qrcode.patterns import Bits
from app.pipeline.qrcode.reed_solomon import Words, decode, least_errors, reduced_basis

STAGES: Final = ("hard", "erasures", "statistics", "padding")
_CERTAIN = 5.0  # log-odds of the bits of blocks that are read, when message ends are compared
_MOST_ROWS = 6000  # parity checks reduced in one read, at some 40 microseconds each
_PAIRS, _NEAR_PAIRS, _TRIPLES = 383, 127, 32  # least reliable free bits that error patterns combine
_WORTH_TRIPLES = 60.0  # bits short of the margin up to which triple errors are tried


@dataclass(frozen=True, slots=True)
class Decoded:
    """The ``data`` codewords (D,) of a symbol in reading order, without errors; ``confidence`` is the evidence beyond
    the bits of the message, in bits, of the block with the least; ``method`` is the costliest of the ``STAGES`` that
    was needed."""

    data: Words
    confidence: float
    method: str


class Attempt:
    """Decodes a symbol under one format, which ``name`` names.

    ``soft`` (count, length, 8): log-odds that each bit of each codeword is 1, mask removed, 0 in absent codewords. A
    block is read if its evidence exceeds its message by ``margin`` bits. ``is_message`` says whether data codewords are
    well formed. ``ends``, of symbols that have "padding" among their stages, gives the message ends that are tried, the
    likeliest first, for log-odds (D, 8) of the data codewords.
    """

    def __init__(
        self,
        soft: LogOdds,
        structure: Blocks,
        *,
        name: str,
        margin: float,
        is_message: Callable[[Words], bool],
        ends: Callable[[LogOdds], list[MessageEnd]] = lambda _: [],
    ) -> None:
        self._name, self._margin, self._is_message, self._ends = name, margin, is_message, ends
        self._blocks, self._soft = structure, soft
        self._words = np.packbits(self._soft > 0, axis=2)[:, :, 0]
        self._surplus = np.full(self._blocks.count, -np.inf)
        self._rows = _MOST_ROWS
        self._method = "hard"
        self._nearest = np.full(self._blocks.count, -np.inf)  # surplus of the best words that were not accepted
        self._malformed = False

    @property
    def refusal(self) -> str:
        """Why `read` found nothing, in words."""
        under = f"({self._name})"
        if self._malformed:
            return f"every block is read, but not as a message {under}"
        nearest = self._nearest[~self._read].max(initial=-np.inf)
        best = f"{nearest:.1f} bits beyond its message" if np.isfinite(nearest) else "no codeword near"
        return (
            f"not enough evidence {under}: {self._read.sum()} of {self._blocks.count} blocks are read, the best of the "
            f"others has {best}, {self._margin:g} are needed"
        )

    def read(self, stages: Collection[str]) -> Decoded | None:
        """The message, if "hard" or one of these stages reads it."""
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
        """Decodes with the 2, 4, 6, ... codewords of each block erased that are the likeliest to be wrong."""
        structure = self._blocks
        counts = np.arange(2, structure.ec - structure.reserved - 1, 2)
        rest = np.flatnonzero(~self._read)
        doubt = np.logaddexp(0, -np.abs(self._soft[rest])).sum(axis=2)  # minus log of the probability of being right
        doubt[structure.absent[rest]] = -1
        rank = (-doubt).argsort(axis=1, kind="stable").argsort(axis=1)
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
            surplus = byte_evidence(structure.length, structure.ec, int(erased[i]), int(errors[i])) - choice
            if surplus >= max(self._margin, self._surplus[index[i]]):
                self._surplus[index[i]], self._words[index[i]] = surplus, words[i]
            elif surplus < self._margin:
                self._nearest[index[i]] = max(self._nearest[index[i]], surplus)

    def _decode_statistics(self, end: MessageEnd | None) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
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
        unknown = int((~known[: -8 * self._blocks.ec]).sum())
        magnitudes = np.abs(soft)
        if (most := evidence(magnitudes[~known]) - unknown) < self._margin:
            return np.packbits(hard), most  # even if no bit were wrong
        self._rows -= 8 * self._blocks.ec
        basis = reduced_basis(hard, np.where(known, np.inf, magnitudes).astype(np.float32), self._blocks.ec)
        surplus, bits = -np.inf, hard
        for pairs, triples in ((_PAIRS, 0), (_NEAR_PAIRS, _TRIPLES)):
            wrong, cost = least_errors(basis, pairs=pairs, triples=triples)
            if np.isfinite(cost):
                bits = hard ^ wrong
                surplus = evidence(np.where(bits, soft, -soft)[~known]) - unknown
            if not self._margin - _WORTH_TRIPLES <= surplus < self._margin:
                break
        return np.packbits(bits), surplus

    def _check(self, words: NDArray[np.uint8], surplus: NDArray[np.float64]) -> Decoded | None:
        """The data of corrected words, if every block is read and they hold a well-formed message."""
        if surplus.min() < self._margin:
            return None
        data = words.ravel()[self._blocks.message]
        if not self._is_message(data):
            self._malformed = True
            return None
        return Decoded(data, float(surplus.min()), self._method)

    def _rank_ends(self) -> list[MessageEnd]:
        """Where the message may end, the likeliest first; blocks already read count as certain."""
        structure = self._blocks
        certain = np.where(np.unpackbits(self._words, axis=1).astype(np.bool_), _CERTAIN, -_CERTAIN).reshape(
            self._soft.shape
        )
        soft = np.where(self._read[:, None, None], certain, self._soft).reshape(-1, 8)[structure.message]
        return self._ends(soft.astype(np.float32))
