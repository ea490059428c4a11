"""Encodes a known payload in every way that printers' software does: which modules may have been printed.

A payload does not say how it was printed. Its version is known where a code was registered; level, mask, and how the
bytes were divided into segments are tried.
"""

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from app.pipeline.qrcode.codewords import ALPHANUMERIC, BYTE, ECI, NUMERIC, PADDING, assemble, blocks
from app.pipeline.qrcode.messages import count_bits
from app.pipeline.qrcode.patterns import LEVELS, MASKS, Bits

Segments = tuple[tuple[int, bytes], ...]
"""A payload divided into (mode, bytes)."""

_DIGITS = b"0123456789"
_LETTERS = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"
_CHARACTERS = {NUMERIC: _DIGITS, ALPHANUMERIC: _LETTERS, BYTE: bytes(range(256))}
_UTF_8 = 26  # its assignment number
_SIXTHS = {NUMERIC: 20, ALPHANUMERIC: 33, BYTE: 48}  # of a bit that a character takes: 10 of three, 11 of two, 8 of one


def symbols_of(payload: bytes, version: int, *, formats: Iterable[tuple[str, int]] | None = None) -> Iterator[Bits]:
    """Yields the modules (M, M), True is dark, of every symbol of this version that holds a payload, as a text also in
    Latin-1; of ``formats``, pairs of level and mask, or all.

    None are yielded where the payload does not fit. Kanji, FNC1 and structured append are not tried.
    """
    tried = set(formats) if formats is not None else {(level, mask) for level in LEVELS for mask in MASKS}
    for bits in dict.fromkeys(_messages(payload, version)):
        for level in LEVELS:
            masks = [mask for mask in MASKS if (level, mask) in tried]
            for data in _codewords(bits, version, level) if masks else ():
                yield from (assemble(data, version, level, mask) for mask in masks)


def _messages(payload: bytes, version: int) -> Iterator[str]:
    """The bits of every way to write a payload, without terminator."""
    for stored in dict.fromkeys((payload, *_latin(payload))):
        whole = [((mode, stored),) for mode in _CHARACTERS if _fits(stored, mode)]
        for segments in dict.fromkeys((*whole, _shortest(stored, version))):
            bits = "".join(_segment(mode, part, version) for mode, part in segments)
            yield bits
            if not stored.isascii():
                yield f"{ECI:04b}{_UTF_8:08b}{bits}"


def _latin(payload: bytes) -> Iterator[bytes]:
    try:
        yield payload.decode().encode("latin-1")
    except UnicodeError:
        return


def _fits(payload: bytes, mode: int) -> bool:
    return set(payload) <= set(_CHARACTERS[mode])


def _segment(mode: int, payload: bytes, version: int) -> str:
    """Mode, count and characters (7.4.3 to 7.4.5)."""
    head = f"{mode:04b}{len(payload):0{count_bits(version, mode)}b}"
    if mode == BYTE:
        return head + "".join(f"{byte:08b}" for byte in payload)
    if mode == NUMERIC:
        groups = [payload[start : start + 3] for start in range(0, len(payload), 3)]
        return head + "".join(f"{int(group):0{3 * len(group) + 1}b}" for group in groups)
    values = [_LETTERS.index(byte) for byte in payload]
    pairs = [values[start : start + 2] for start in range(0, len(values), 2)]
    return head + "".join(f"{45 * pair[0] + pair[1]:011b}" if len(pair) == 2 else f"{pair[0]:06b}" for pair in pairs)


def _shortest(payload: bytes, version: int) -> Segments:
    """The division into segments that takes the fewest bits, by dynamic programming over the characters."""
    paths: dict[int, tuple[int, Segments]] = {}
    for byte in payload:
        letter = bytes([byte])
        cheapest = min(paths.values(), key=lambda path: path[0], default=(0, ()))
        grown: dict[int, tuple[int, Segments]] = {}
        for mode in (mode for mode in _CHARACTERS if _fits(letter, mode)):
            cost, segments = cheapest
            starts = (-(-cost // 6) * 6 + 6 * (4 + count_bits(version, mode)), (*segments, (mode, letter)))
            options = [starts]
            if mode in paths:
                cost, segments = paths[mode]
                options.append((cost, (*segments[:-1], (mode, segments[-1][1] + letter))))
            cost, segments = min(options, key=lambda option: option[0])
            grown[mode] = cost + _SIXTHS[mode], segments
        paths = grown
    return min(paths.values(), key=lambda path: path[0], default=(0, ()))[1]


def _codewords(bits: str, version: int, level: str) -> Iterator[NDArray[np.uint8]]:
    """Data codewords with terminator and padding, in every way; none if the bits are too many.

    Where the terminator ends with a codeword, segno adds one of zeros before the padding.
    """
    total = blocks(version, level).data_codewords
    if len(bits) > 8 * total:
        return
    ended = bits + "0" * min(4, 8 * total - len(bits))
    whole = ended + "0" * (-len(ended) % 8)
    for message in (whole, whole + "0" * 8) if whole == ended and len(whole) < 8 * total else (whole,):
        used = np.packbits(np.frombuffer(message.encode(), dtype=np.uint8) - ord("0"))
        yield np.concatenate([used, np.resize(np.array(PADDING, dtype=np.uint8), total - len(used))])
