"""Decodes Micro QR codes: from modules by hard decisions, and from log-odds by ordered statistics.

The evidence is counted as in `soft`, but of the format information and the codewords together, which are one code: a
version has 4 to 12 formats, and the data bits of its one block. So even M1, whose check codewords alone could not tell
a symbol from noise, has 27 bits to spare. A codeword is believed if its evidence exceeds the bits that name the format
and the message by ``MARGIN``, so that one attempt on noise passes with a probability of at most 2^-20 for each of the
``_TRIED`` formats.
"""

from dataclasses import dataclass
from math import log2
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.pipeline.qrcode import micro
from app.pipeline.qrcode.contents import Contents
from app.pipeline.qrcode.evidence import evidence
from app.pipeline.qrcode.log_odds import LogOdds
from app.pipeline.qrcode.patterns import Bits
from app.pipeline.qrcode.reed_solomon import decode, least_errors, reduced_basis

MARGIN: Final = 20.0
"""Bits of evidence that a symbol must have beyond those that name its format and its message."""
_TRIED: Final = 3  # formats, the likeliest first
_CLOSE: Final = 14.0  # difference of scores up to which another format is tried
_LEAST_AGREEMENT: Final = 0.4  # of the function patterns' log-odds with their values
_MOST_FORMAT_ERRORS: Final = 3  # bits of 15 that the code of the format information corrects
_PAIRS, _TRIPLES = 127, 32  # least reliable free bits that error patterns combine


@dataclass(frozen=True, slots=True)
class MicroRead:
    """A symbol that soft decoding read: ``modules`` (M, M) without errors, True is dark; ``surplus``: the evidence
    beyond the bits of format and message, in bits."""

    modules: Bits
    surplus: float


def read_contents(modules: Bits, seen: Bits | None = None) -> Contents | None:
    """Reads modules (M, M), True is dark, upright or transposed; None if they are no readable Micro QR code.

    Errors are counted in ``seen`` (M, M), the modules before any correction, where these differ from ``modules``.
    Unlike `decode_micro` this asks for no evidence beyond a word that error correction accepts.
    """
    version = micro.version_of(len(modules)) if modules.ndim == 2 and modules.shape[0] == modules.shape[1] else None
    if version is None:
        return None
    raw = modules if seen is None else seen
    tried = [
        (int((one.word != drawn[micro.FORMAT_POSITIONS]).sum()), mirrored, one)
        for mirrored, drawn in enumerate((modules, modules.T))
        for one in micro.formats(version)
    ]
    for wrong_bits, mirrored, one in sorted(tried, key=lambda each: each[0]):
        if wrong_bits > _MOST_FORMAT_ERRORS:
            break
        drawn, shown = (modules.T, raw.T) if mirrored else (modules, raw)
        structure = micro.block(version, one.level)
        words, ok, errors = decode(
            _words(drawn, version, one)[None], structure.ec, np.zeros((1, structure.length), dtype=np.bool_)
        )
        if not ok[0] or errors[0] > structure.capacity or (np.unpackbits(words[0]) & ~structure.drawn.ravel()).any():
            continue
        message = micro.parse_message(words[0, : -structure.ec], version, one.level)
        if message is None:
            continue
        patterns = micro.function_patterns(version)
        agreement = max(0.0, 2 * float((shown == patterns.dark)[patterns.known].mean()) - 1)
        wrong = int((_words(shown, version, one) != words[0]).sum())
        margin = max(0.0, 1 - wrong / max(structure.capacity, 1))
        small = f"M{version}"
        return Contents(message, None, one.level, one.mask, wrong, margin, agreement, bool(mirrored), small)
    return None


def decode_micro(log_odds: LogOdds, version: int) -> MicroRead | None:
    """Decodes the upright symbol of an assumed version from log-odds (M, M), positive is dark; None if that fails.

    Raises ValueError unless the log-odds have the version's shape.
    """
    if log_odds.shape != (micro.dimension(version),) * 2:
        raise ValueError(f"M{version} has {micro.dimension(version)} modules a side, not {log_odds.shape}")
    log_odds = np.nan_to_num(log_odds.astype(np.float32, copy=False), posinf=50, neginf=-50)
    if _agreement(log_odds, version) < _LEAST_AGREEMENT:
        return None
    seen = log_odds[micro.FORMAT_POSITIONS]
    scored = sorted(((float(np.where(one.word, seen, -seen).sum()), i) for i, one in _numbered(version)), reverse=True)
    for score, number in scored[:_TRIED]:
        if scored[0][0] - score > _CLOSE:
            break
        one = micro.formats(version)[number]
        if found := _decode(log_odds, version, one):
            return found
    return None


def _numbered(version: int) -> enumerate[micro.Format]:
    return enumerate(micro.formats(version))


def _decode(log_odds: LogOdds, version: int, one: micro.Format) -> MicroRead | None:
    """The likeliest symbol of a format, if there is evidence enough for it."""
    structure = micro.block(version, one.level)
    soft = np.zeros((structure.length, 8), dtype=np.float32)
    at = micro.places(version)
    soft[structure.drawn] = np.where(micro.mask_bits(version, one.mask), -log_odds[at], log_odds[at])
    drawn, flat = structure.drawn.ravel(), soft.ravel()
    hard = drawn & (flat > 0)
    costs = np.where(drawn, np.abs(flat), np.inf).astype(np.float32)
    wrong, cost = least_errors(reduced_basis(hard, costs, structure.ec), pairs=_PAIRS, triples=_TRIPLES)
    if not np.isfinite(cost):
        return None
    bits = hard ^ wrong
    seen = log_odds[micro.FORMAT_POSITIONS]
    agreement = np.concatenate([np.where(bits, flat, -flat)[drawn], np.where(one.word, seen, -seen)])
    surplus = evidence(agreement) - structure.data_bits - log2(len(micro.formats(version)))
    data = np.packbits(bits)[: -structure.ec]
    if surplus < MARGIN or micro.parse_message(data, version, one.level) is None:
        return None
    return MicroRead(micro.assemble(data, version, one.level, one.mask), surplus)


def _words(modules: Bits, version: int, one: micro.Format) -> NDArray[np.uint8]:
    """The codewords (length,) of a symbol, unmasked."""
    bits = np.zeros(micro.block(version, one.level).drawn.shape, dtype=np.bool_)
    bits[micro.block(version, one.level).drawn] = modules[micro.places(version)] ^ micro.mask_bits(version, one.mask)
    return np.packbits(bits)


def _agreement(log_odds: LogOdds, version: int) -> float:
    """Of the function patterns' log-odds with their values, -1 to 1; 0 if they say nothing."""
    patterns = micro.function_patterns(version)
    known = log_odds[patterns.known]
    most = np.abs(known).sum(dtype=np.float64)
    return float(np.where(patterns.dark[patterns.known], known, -known).sum() / most) if most else 0.0
