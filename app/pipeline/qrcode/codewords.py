"""Where the bits of a QR code are (ISO/IEC 18004:2015, sections 7.3 to 7.10): format and version information, masks,
the order of codewords and their blocks, and which data codewords form a message.

Log-odds are (M, M) float32 arrays with M = dimension(version): the natural logarithm of P(dark) / P(light), so that
positive means dark. They belong to an upright symbol; callers transpose those of a mirrored one.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from app.pipeline.qrcode.log_odds import LogOdds
from app.pipeline.qrcode.patterns import dimension, function_patterns
from app.pipeline.qrcode.reed_solomon import encode

Bits = NDArray[np.bool_]
LEVELS = ("L", "M", "Q", "H")
MASKS = range(8)
PADDING = (0xEC, 0x11)
# Mode indicators (7.4).
TERMINATOR, NUMERIC, ALPHANUMERIC, STRUCTURED_APPEND, BYTE, FNC1_FIRST = range(6)
ECI, KANJI, FNC1_SECOND = 7, 8, 9
CHARACTER_MODES = (NUMERIC, ALPHANUMERIC, BYTE, KANJI)
_LEVEL_INDICATOR = {"L": 0b01, "M": 0b00, "Q": 0b11, "H": 0b10}
_FORMAT_GENERATOR, _FORMAT_MASK = 0b10100110111, 0x5412
_VERSION_GENERATOR = 0b1111100100101

# Table 9, versions 1 to 40: error correction codewords per block, then number of blocks.
_EC = {
    "L": "7 10 15 20 26 18 20 24 30 18 20 24 26 30 22 24 28 30 28 28"
    " 28 28 30 30 26 28 30 30 30 30 30 30 30 30 30 30 30 30 30 30",
    "M": "10 16 26 18 24 16 18 22 22 26 30 22 22 24 24 28 28 26 26 26"
    " 26 28 28 28 28 28 28 28 28 28 28 28 28 28 28 28 28 28 28 28",
    "Q": "13 22 18 26 18 24 18 22 20 24 28 26 24 20 30 24 28 28 26 30"
    " 28 30 30 30 30 28 30 30 30 30 30 30 30 30 30 30 30 30 30 30",
    "H": "17 28 22 16 22 28 26 26 24 28 24 28 22 24 24 30 28 28 26 28"
    " 30 24 30 30 30 30 30 30 30 30 30 30 30 30 30 30 30 30 30 30",
}
_BLOCKS = {
    "L": "1 1 1 1 1 2 2 2 2 4 4 4 4 4 6 6 6 6 7 8 8 9 9 10 12 12 12 13 14 15 16 17 18 19 19 20 21 22 24 25",
    "M": "1 1 1 2 2 4 4 4 5 5 5 8 9 9 10 10 11 13 14 16 17 17 18 20 21 23 25 26 28 29 31 33 35 37 38 40 43 45 47 49",
    "Q": "1 1 2 2 4 4 6 6 8 8 8 10 12 16 12 17 16 18 21 20 23 23 25 27 29 34 34 35 38 40 43 45 48 51 53 56 59 62 65 68",
    "H": "1 1 2 4 4 4 5 6 8 8 11 11 16 16 18 16 19 21 25 25"
    " 25 34 30 32 35 37 40 42 45 48 51 54 57 60 63 66 70 74 77 81",
}
_RESERVED = {(1, "L"): 3, (1, "M"): 2, (1, "Q"): 1, (1, "H"): 1, (2, "L"): 2, (3, "L"): 1}


@dataclass(frozen=True, slots=True)
class Blocks:
    """The blocks of a version and level, laid out as a (count, length) array of codewords; the longest block has
    ``length``.

    Shorter blocks are aligned right: their first codeword is ``absent``, a zero that is never drawn. ``stream`` and
    ``message`` are flat indices into that array: of all codewords in drawing order, and of data codewords in reading
    order. Of each block's ``ec`` error correction codewords, ``reserved`` serve to detect misdecodes (p of table 9).
    """

    count: int
    length: int
    ec: int
    reserved: int
    absent: NDArray[np.bool_]
    stream: NDArray[np.intp]
    message: NDArray[np.intp]

    @property
    def data_codewords(self) -> int:
        """Number of data codewords of all blocks."""
        return len(self.message)


@cache
def blocks(version: int, level: str) -> Blocks:
    """The block structure of a version and level. Raises KeyError for an unknown level."""
    total = int(function_patterns(version).data.sum()) // 8
    ec, count = (int(table[level].split()[version - 1]) for table in (_EC, _BLOCKS))
    short, long_blocks = divmod(total, count)
    length = short + (long_blocks > 0)
    index = np.arange(count * length, dtype=np.intp).reshape(count, length)
    absent = np.zeros((count, length), dtype=np.bool_)
    absent[: count - long_blocks, 0] = long_blocks > 0
    data = np.where(absent[:, :1], np.roll(index, -1, axis=1), index)[:, : length - ec]
    present = np.ones(data.shape, dtype=np.bool_)
    present[:, -1] = ~absent[:, 0]
    stream = np.concatenate([data.T[present.T], index[:, length - ec :].T.ravel()])
    message = data[present]
    for array in (absent, stream, message):
        array.setflags(write=False)
    return Blocks(count, length, ec, _RESERVED.get((version, level), 0), absent, stream, message)


@cache
def zigzag(version: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows and columns of the modules that carry codewords, first bit first, remainder bits at the end (7.7.3)."""
    size, data = dimension(version), function_patterns(version).data
    right = np.array([*range(size - 1, 6, -2), *range(5, 0, -2)])
    upward = (np.arange(len(right)) % 2 == 0)[:, None]
    lines = np.where(upward, np.arange(size - 1, -1, -1), np.arange(size))
    rows = np.repeat(lines.ravel(), 2)
    columns = (right[:, None, None] - np.arange(2) + np.zeros((1, size, 1), dtype=np.intp)).ravel()
    carries = data[rows, columns]
    rows, columns = rows[carries], columns[carries]
    for array in (rows, columns):
        array.setflags(write=False)
    return rows, columns


@cache
def mask_pattern(version: int, mask: int) -> Bits:
    """(M, M), True where data mask ``mask`` inverts a module (table 10); False outside the codewords."""
    i, j = np.indices((dimension(version),) * 2)
    zero = (
        (i + j) % 2,
        i % 2,
        j % 3,
        (i + j) % 3,
        (i // 2 + j // 3) % 2,
        i * j % 2 + i * j % 3,
        (i * j % 2 + i * j % 3) % 2,
        ((i + j) % 2 + i * j % 3) % 2,
    )[mask]
    pattern = np.asarray((zero == 0) & function_patterns(version).data)
    pattern.setflags(write=False)
    return pattern


def _bch(value: int, generator: int) -> int:
    """Appends the check bits to ``value``: the remainder of its division by the generator polynomial."""
    degree = generator.bit_length() - 1
    rest = value << degree
    while rest.bit_length() > degree:
        rest ^= generator << (rest.bit_length() - 1 - degree)
    return value << degree | rest


def _bits(value: int, count: int) -> list[bool]:
    """The ``count`` low bits of ``value``, most significant first."""
    return [bool(value >> i & 1) for i in reversed(range(count))]


_FORMATS = tuple((level, mask) for level in LEVELS for mask in MASKS)
_FORMAT_WORDS = np.array(
    [_bits(_bch(_LEVEL_INDICATOR[level] << 3 | mask, _FORMAT_GENERATOR) ^ _FORMAT_MASK, 15) for level, mask in _FORMATS]
)


def format_word(level: str, mask: int) -> Bits:
    """(15,) bits of the format information as drawn, most significant first (7.9.1)."""
    return np.array(_FORMAT_WORDS[_FORMATS.index((level, mask))])


@cache
def format_positions(version: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows and columns, (2, 15) each, of the two copies of the format information, most significant bit first."""
    last = dimension(version) - 1
    rows = [*[8] * 8, 7, *range(5, -1, -1)], [*range(last, last - 7, -1), *[8] * 8]
    columns = [*range(6), 7, *[8] * 8], [*[8] * 7, *range(last - 7, last + 1)]
    return np.array(rows, dtype=np.intp), np.array(columns, dtype=np.intp)


@cache
def version_positions(version: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows and columns, (2, 18) each, of the two copies of the version information, most significant bit first."""
    i = np.arange(17, -1, -1)
    along, across = i // 3, dimension(version) - 11 + i % 3
    return np.stack([along, across]), np.stack([across, along])


def version_word(version: int) -> Bits:
    """(18,) bits of the version information of versions 7 to 40, most significant first (7.10)."""
    return np.array(_bits(_bch(version, _VERSION_GENERATOR), 18))


@dataclass(frozen=True, slots=True)
class FormatInformation:
    """How well a format word fits.

    ``score`` is the sum of the log-odds of its 30 bits; the difference of two scores is twice that of the
    log-likelihoods. ``distance`` is the number of wrong hard bits, of 15, in the copy that fits better; the code
    corrects 3.
    """

    level: str
    mask: int
    score: float
    distance: int


def rank_formats(log_odds: LogOdds, version: int) -> list[FormatInformation]:
    """All 32 formats by the log-odds of both copies together, the most likely first."""
    copies = log_odds[format_positions(version)]
    scores = np.where(_FORMAT_WORDS, 1, -1) @ copies.sum(axis=0)
    distances = (_FORMAT_WORDS[:, None, :] != (copies > 0)).sum(axis=2).min(axis=1)
    fits = [
        FormatInformation(level, mask, float(score), int(distance))
        for (level, mask), score, distance in zip(_FORMATS, scores, distances, strict=True)
    ]
    return sorted(fits, key=lambda fit: -fit.score)


def version_distance(log_odds: LogOdds, version: int) -> int | None:
    """Number of wrong hard bits, of 18, in the better copy of the version information; None below version 7.

    The code corrects 3; the words of two versions differ in at least 8 bits.
    """
    if version < 7:
        return None
    return int((version_word(version) != (log_odds[version_positions(version)] > 0)).sum(axis=1).min())


def codeword_log_odds(log_odds: LogOdds, version: int, level: str, mask: int) -> LogOdds:
    """(count, length, 8): log-odds that each bit of each codeword is 1, mask removed; 0 in absent codewords."""
    structure = blocks(version, level)
    at = zigzag(version)
    drawn = np.where(mask_pattern(version, mask)[at], -log_odds[at], log_odds[at])
    bits = np.zeros((structure.count * structure.length, 8), dtype=np.float32)
    bits[structure.stream] = drawn[: 8 * len(structure.stream)].reshape(-1, 8)
    return bits.reshape(structure.count, structure.length, 8)


def assemble(data: NDArray[np.uint8], version: int, level: str, mask: int) -> Bits:
    """Modules (M, M), True is dark, of the symbol that holds these data codewords, which are in reading order.

    Raises ValueError unless their number is that of the version and level.
    """
    structure = blocks(version, level)
    if data.shape != (structure.data_codewords,):
        raise ValueError(f"version {version}-{level} holds {structure.data_codewords} data codewords, not {data.shape}")
    words = np.zeros((structure.count, structure.length), dtype=np.uint8)
    words.ravel()[structure.message] = data
    words[:, -structure.ec :] = encode(words[:, : -structure.ec], structure.ec)
    patterns, at = function_patterns(version), zigzag(version)
    modules = patterns.dark.copy()
    bits = np.unpackbits(words.ravel()[structure.stream])
    modules[at] = np.pad(bits, (0, len(at[0]) - len(bits))).astype(np.bool_)
    modules ^= mask_pattern(version, mask)
    modules[format_positions(version)] = format_word(level, mask)
    if version >= 7:
        modules[version_positions(version)] = version_word(version)
    return modules
