"""Reads the modules of a QR code: format, codewords, error correction by hard decisions, and the message.

This alone says what an answer holds, whichever engine found the code; engines state less, and not all the same.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from app.pipeline.qrcode.codewords import Blocks, assemble, blocks
from app.pipeline.qrcode.patterns import (
    FORMAT_WORDS,
    FORMATS,
    Bits,
    FunctionPatterns,
    format_positions,
    function_patterns,
    mask_pattern,
    version_of,
    zigzag,
)
from app.pipeline.qrcode.reed_solomon import Words, decode, syndromes
from app.pipeline.qrcode.segments import Message, parse_message
from app.pipeline.qrcode.single_words import correct_word

_FEW = 8  # blocks with errors up to which they are corrected one by one
_MOST_FORMAT_ERRORS = 3  # bits of 15 that the code of the format information corrects


@dataclass(frozen=True, slots=True)
class Contents:
    """What the modules of a symbol say; ``version`` is None and ``small_version`` a name for small symbols.

    ``errors``: codewords that error correction changed. ``agreement``, 0 to 1: how well the function patterns were
    seen, 0 if half of their modules are wrong. ``mirrored``: the modules are those of a mirror image. Small symbols
    have no ``version`` but a ``small_version``, a name; their ``mask`` is 0 to 3 of Micro QR codes, 4 of rMQR codes.
    """

    message: Message
    version: int | None
    level: str
    mask: int
    errors: int
    agreement: float
    mirrored: bool = False
    small_version: str | None = None


def read_contents(modules: Bits, seen: Bits | None = None) -> Contents | None:
    """Reads modules (M, M), True is dark, upright or transposed; None if they are no readable QR code of version 1 to
    40.

    Errors are counted in ``seen`` (M, M), the modules before any correction, where these differ from ``modules``. Hard
    decisions only: corrects as many codewords of each block as its check codewords allow.
    """
    return next((contents for contents, _, _ in _readings(modules, seen)), None)


def correct_modules(modules: Bits) -> tuple[Contents, Bits] | None:
    """Reads modules (M, M) as `read_contents` does; returns also the modules as they were printed, without the errors
    that were corrected, in the orientation of ``modules``."""
    for contents, version, data in _readings(modules, None):
        drawn = assemble(data, version, contents.level, contents.mask)
        return contents, drawn.T if contents.mirrored else drawn
    return None


def _readings(modules: Bits, seen: Bits | None) -> Iterator[tuple[Contents, int, Words]]:
    """Every way to read modules, the most likely first, with its version and data codewords."""
    version = version_of(len(modules)) if modules.ndim == 2 and modules.shape[0] == modules.shape[1] else None
    if version is None:
        return
    for mirrored, level, mask in _formats(modules, version):
        drawn, raw = (np.asarray(m).T if mirrored else m for m in (modules, modules if seen is None else seen))
        structure = blocks(version, level)
        words = correct(_words(drawn, version, structure, mask), structure)
        if words is None:
            continue
        data = words.ravel()[structure.message]
        message = parse_message(data, version)
        if message is not None:
            wrong = int((_words(raw, version, structure, mask) != words).sum())
            agrees = agreement(raw, function_patterns(version))
            yield Contents(message, version, level, mask, wrong, agrees, mirrored), version, data


def _formats(modules: Bits, version: int) -> Iterator[tuple[bool, str, int]]:
    """Whether mirrored, level and mask: all that the format information may mean, the most likely first."""
    positions = format_positions(version)
    found: list[tuple[int, bool, int]] = []
    for mirrored in (False, True):
        copies = (modules.T if mirrored else modules)[positions]
        distances = (FORMAT_WORDS[:, None, :] != copies).sum(axis=2).min(axis=1)
        found += ((int(distances[i]), mirrored, int(i)) for i in np.flatnonzero(distances <= _MOST_FORMAT_ERRORS))
    for _, mirrored, i in sorted(found):
        yield mirrored, *FORMATS[i]


def _words(modules: Bits, version: int, structure: Blocks, mask: int) -> Words:
    """The codewords in their blocks (count, length), unmasked; absent ones are 0."""
    at = zigzag(version)
    bits = modules[at] ^ mask_pattern(version, mask)[at]
    words = np.zeros(structure.count * structure.length, dtype=np.uint8)
    words[structure.stream] = np.packbits(bits[: 8 * len(structure.stream)])
    return words.reshape(structure.count, structure.length)


def correct(words: Words, structure: Blocks) -> Words | None:
    """Corrects every block; None if one has too many errors."""
    bad = syndromes(words, structure.ec).any(axis=1)
    if not bad.any():
        return words
    words = words.copy()
    if np.count_nonzero(bad) > _FEW:
        words[bad], ok, _ = decode(words[bad], structure.ec, structure.absent[bad] & False)
        is_whole = bool(ok.all())
    else:
        corrected = [(block, correct_word(words[block], structure.ec)) for block in np.flatnonzero(bad)]
        for block, word in corrected:
            words[block] = 0 if word is None else word
        is_whole = all(word is not None for _, word in corrected)
    return words if is_whole and not words[structure.absent].any() else None


def agreement(modules: Bits, patterns: FunctionPatterns) -> float:
    """How well modules show function patterns: 1 if all are right, 0 if half of them are."""
    right = (modules == patterns.dark)[patterns.known].mean()
    return max(0.0, 2 * float(right) - 1)
