"""Reads the modules of Micro QR and rMQR codes, as `contents` does those of QR codes."""

from collections.abc import Iterator
from functools import cache
from typing import Final

import numpy as np

from app.pipeline.qrcode.codewords import Blocks, lay_out
from app.pipeline.qrcode.contents import Contents, agreement, correct
from app.pipeline.qrcode.patterns import Bits
from app.pipeline.qrcode.reed_solomon import Words
from app.pipeline.qrcode.segments import parse_bits
from app.pipeline.qrcode.small.patterns import (
    MICRO_MASKS,
    RECTANGULAR_MASK,
    format_information,
    small_mask,
    small_patterns,
    small_zigzag,
)
from app.pipeline.qrcode.small.versions import (
    MICRO_VERSIONS,
    RECTANGULAR_VERSIONS,
    SmallSymbol,
    micro_symbol,
    modules_of,
    rectangular_symbol,
    small_syntax,
)

_BY_SIZE: Final = {modules_of(name): name for name in (*MICRO_VERSIONS, *RECTANGULAR_VERSIONS)}
_MOST_FORMAT_ERRORS: Final = 3  # bits, of 15 or 18, that the code of the format information corrects


def read_small_contents(modules: Bits, seen: Bits | None = None) -> Contents | None:
    """Reads modules, True is dark, (M, M) of a Micro QR code, upright or transposed, or (H, W) of an upright rMQR code;
    None if they are none, or have more errors than hard decisions correct.

    Errors are counted in ``seen``, of the same shape, the modules before any correction, where these differ from
    ``modules``.
    """
    version = _BY_SIZE.get(modules.shape) if modules.ndim == 2 else None
    if version is None:
        return None
    for mirrored, symbol, mask, reference in _formats(modules, version):
        drawn, raw = (np.asarray(m).T if mirrored else m for m in (modules, modules if seen is None else seen))
        structure = small_blocks(symbol)
        words = correct(_words(drawn, symbol, structure, mask), structure)
        if words is None or np.unpackbits(words.ravel()[structure.stream])[~drawn_bits(symbol)].any():
            continue
        data = words.ravel()[structure.message].tobytes()
        message = parse_bits(data, symbol.data_bits or 8 * len(data), small_syntax(version))
        if message is not None:
            wrong = int((_words(raw, symbol, structure, mask) != words).sum())
            agrees = agreement(raw, small_patterns(version))
            return Contents(
                message,
                None,
                symbol.level,
                reference,
                wrong,
                agrees,
                mirrored,
                small_version=version,
            )
    return None


def _formats(modules: Bits, version: str) -> Iterator[tuple[bool, SmallSymbol, int, int]]:
    """Whether mirrored, symbol, mask and mask reference: all that the format information may mean, the most likely
    first."""
    information = format_information(version)
    is_micro = version in MICRO_VERSIONS
    found: list[tuple[int, bool, int]] = []
    for mirrored in (False, True) if is_micro else (False,):
        copies = (modules.T if mirrored else modules)[information.rows, information.columns]
        distances = (information.words != copies).sum(axis=2).min(axis=1)
        found += ((int(distances[i]), mirrored, int(i)) for i in np.flatnonzero(distances <= _MOST_FORMAT_ERRORS))
    for _, mirrored, value in sorted(found):
        if is_micro:
            number, reference = divmod(value, 4)
            symbol, mask = micro_symbol(number), MICRO_MASKS[reference]
        else:
            symbol = rectangular_symbol(value % 32, high=value >= 32)
            mask = reference = RECTANGULAR_MASK
        if symbol.version == version:
            yield mirrored, symbol, mask, reference


@cache
def small_blocks(symbol: SmallSymbol) -> Blocks:
    """How a symbol divides its codewords into blocks."""
    bits = len(small_zigzag(symbol.version)[0])
    if symbol.data_bits is None:
        return lay_out(bits // 8, symbol.ec, symbol.blocks)
    return lay_out(-(-symbol.data_bits // 8) + symbol.ec, symbol.ec, 1)


@cache
def drawn_bits(symbol: SmallSymbol) -> Bits:
    """Which bits of a symbol's codewords are drawn, (8 N,) in drawing order: all, but that the last data codeword of M1
    and M3 has 4 bits, which stand at the top of its byte."""
    drawn = np.ones(8 * len(small_blocks(symbol).stream), dtype=np.bool_)
    if symbol.data_bits is not None:
        drawn[symbol.data_bits : -(-symbol.data_bits // 8) * 8] = False
    drawn.setflags(write=False)
    return drawn


def _words(modules: Bits, symbol: SmallSymbol, structure: Blocks, mask: int) -> Words:
    """The codewords in their blocks (count, length), unmasked; bits that are not drawn are 0."""
    at, drawn = small_zigzag(symbol.version), drawn_bits(symbol)
    bits = np.zeros(len(drawn), dtype=np.bool_)
    bits[drawn] = (modules[at] ^ small_mask(symbol.version, mask)[at])[: np.count_nonzero(drawn)]
    words = np.zeros(structure.count * structure.length, dtype=np.uint8)
    words[structure.stream] = np.packbits(bits)
    return words.reshape(structure.count, structure.length)
