"""Which of the 32 formats a symbol has where its format information cannot tell: the one under which its codewords
hold together.

Levels and masks change which bits form a codeword, not how reliable they are. So the parity checks are reduced once a
level, not once a format, and all eight masks are tried on them.
"""

from itertools import groupby
from typing import Final

import numpy as np

from app.pipeline.qrcode.codewords import Blocks, assemble, blocks
from app.pipeline.qrcode.evidence import byte_evidence, evidence, likelihood_bits
from app.pipeline.qrcode.log_odds import FormatInformation, LogOdds, codeword_log_odds
from app.pipeline.qrcode.message_ends import channels, padding_evidence
from app.pipeline.qrcode.patterns import LEVELS, Bits
from app.pipeline.qrcode.reed_solomon import decode, least_errors, reduced_bases, syndromes
from app.pipeline.qrcode.segments import message_bits

_PAIRS: Final = 63  # least reliable free bits whose errors are tried, for each format: one tile of `least_errors`
_LEAST_DECODED: Final = 20.0  # evidence from which a block counts as decoded; chance brings decoders near some word
_PADDING_BITS: Final = 20.0  # evidence for a padding that chance hardly reaches among 32 formats with some 100 ends
_CERTAIN: Final = 5.0  # largest log-odds of a bit when blocks are compared


def search_formats(log_odds: LogOdds, version: int, formats: list[FormatInformation]) -> list[FormatInformation]:
    """Those of the formats for which the codewords of log-odds (M, M) speak, the best first; perhaps none.

    What speaks for a format is a block that decodes, or else a padding, or else the likeliest word found in the most
    reliable block. Tighter codes gain more from the same word, so that a format wins over those whose codes contain its
    own.
    """
    by_level = groupby(sorted(formats, key=lambda one: one.level), key=lambda one: one.level)
    levels = [_Level(log_odds, version, list(group)) for _, group in by_level]
    for weigh in (_Level.decoded_bits, _Level.padding_bits, _Level.statistics_bits):
        weighed = [(bits, one) for level in levels for one, bits in zip(level.formats, weigh(level), strict=True)]
        if found := sorted((pair for pair in weighed if pair[0] > 0), key=lambda pair: -pair[0]):
            return [one for _, one in found]
    return []


class _Level:
    """The codewords of a symbol under the formats of one level."""

    def __init__(self, log_odds: LogOdds, version: int, formats: list[FormatInformation]) -> None:
        level = formats[0].level
        self.formats = formats
        self._blocks: Blocks = blocks(version, level)
        self._soft = np.stack([codeword_log_odds(log_odds, version, level, one.mask) for one in formats])

    def decoded_bits(self) -> list[float]:
        """Evidence of the blocks that decode from hard decisions, in bits beyond their data; 0 where none does."""
        structure, count = self._blocks, len(self.formats)
        words = np.packbits(self._soft > 0, axis=3).reshape(-1, structure.length)
        absent = np.tile(structure.absent, (count, 1))
        corrected, ok, errors = decode(words, structure.ec, absent & False, structure.reserved)
        bits = np.zeros(len(words))
        for i in np.flatnonzero(ok & ~((corrected != 0) & absent).any(axis=1)):
            bits[i] = byte_evidence(structure.length, structure.ec, 0, int(errors[i]))
        found: list[float] = bits.reshape(count, -1).max(axis=1).tolist()
        return [one if one >= _LEAST_DECODED else 0.0 for one in found]

    def padding_bits(self) -> list[float]:
        """Evidence of the likeliest padding beyond what chance may bring, in bits."""
        soft = self._soft.reshape(len(self.formats), -1, 8)[:, self._blocks.message]
        gained = [padding_evidence(likelihood_bits(bits), likelihood_bits(-bits)) for bits in channels(soft)]
        found: list[float] = (np.stack(gained)[..., 2:].max(axis=(0, 1, 3)) - _PADDING_BITS).tolist()
        return found

    def statistics_bits(self) -> list[float]:
        """Evidence of ordered statistics for the most reliable block, in bits beyond its data; 0 where there can be
        none."""
        structure = self._blocks
        block = np.abs(self._soft[0]).clip(max=_CERTAIN).sum(axis=(1, 2)).argmax()
        soft = self._soft[:, block].reshape(len(self.formats), -1)
        absent = np.repeat(structure.absent[block], 8)
        data = int((~absent[: -8 * structure.ec]).sum())
        magnitudes = np.abs(soft[0])
        found = [0.0] * len(soft)
        if evidence(magnitudes[~absent]) <= data:
            return found
        cost = np.where(absent, np.inf, magnitudes).astype(np.float32)
        for i, basis in enumerate(reduced_bases(soft > 0, cost, structure.ec)):
            wrong, total = least_errors(basis, pairs=_PAIRS)
            if np.isfinite(total):
                found[i] = evidence(np.where((soft[i] > 0) ^ wrong, soft[i], -soft[i])[~absent]) - data
        return found


def tighten(modules: Bits, version: int, level: str, mask: int) -> tuple[Bits, str]:
    """The symbol (M, M) of this level and mask at the level with the most check codewords of which it is a codeword,
    and that level.

    Where levels divide the codewords alike, a tighter code is part of a looser one: what was written at level M decodes
    at level L as well.
    """
    log_odds = np.where(modules, np.float32(1), np.float32(-1))
    for tighter in reversed(LEVELS[LEVELS.index(level) + 1 :]):
        structure = blocks(version, tighter)
        words = np.packbits(codeword_log_odds(log_odds, version, tighter, mask) > 0, axis=2)[:, :, 0]
        data = words.ravel()[structure.message]
        if not syndromes(words, structure.ec).any() and message_bits(data, version) is not None:
            return assemble(data, version, tighter, mask), tighter
    return modules, level
