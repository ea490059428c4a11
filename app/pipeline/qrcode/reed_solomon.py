"""Reed-Solomon codes over GF(2^8) as QR codes use them (ISO/IEC 18004:2015, 7.5 and annex B), many words at once.

The field's polynomial is 0x11D and its primitive element 2; the generator polynomial of a code with ``ec`` check
symbols has the roots 2^0 .. 2^(ec - 1). A word is (n,) uint8 with its check symbols last, n at most 255.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint8]
Flags = NDArray[np.bool_]
_ORDER = 255
_PROHIBITIVE = 1e6
_TILE = 64
_AT_ONCE = 1 << 16  # products that are faster in one array than root by root


def _tables() -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]]:
    """Powers of 2 with exponents 0 .. 509, products (256, 256), inverses (256,) with 0 in place of that of 0."""
    powers, value = [], 1
    for _ in range(_ORDER):
        powers.append(value)
        value = value << 1 ^ (0x11D if value & 0x80 else 0)
    exp = np.array(powers * 2, dtype=np.uint8)
    log = np.zeros(256, dtype=np.intp)
    log[exp[:_ORDER]] = np.arange(_ORDER)
    products = exp[log[:, None] + log]
    products[0] = products[:, 0] = 0
    inverses = exp[(_ORDER - log) % _ORDER]
    inverses[0] = 0
    return exp, products, inverses


EXP, MUL, _INV = _tables()
"""Powers of 2 with exponents 0 .. 509, and products (256, 256)."""


def _power(exponents: NDArray[np.intp]) -> Words:
    return EXP[exponents % _ORDER]


@cache
def _generator(ec: int) -> Words:
    """(ec,) coefficients of the generator polynomial below the leading one, highest power first."""
    polynomial = np.array([1], dtype=np.uint8)
    for root in range(ec):
        polynomial = np.append(polynomial, np.uint8(0)) ^ np.append(np.uint8(0), MUL[EXP[root], polynomial])
    return polynomial[1:]


def encode(data: Words, ec: int) -> Words:
    """Encodes Reed-Solomon words: data symbols (B, k) -> check symbols (B, ec)."""
    generator = _generator(ec)
    rest = np.zeros((len(data), ec), dtype=np.uint8)
    for column in data.T:
        feedback = column ^ rest[:, 0]
        rest[:, :-1], rest[:, -1] = rest[:, 1:], 0
        rest ^= MUL[feedback[:, None], generator]
    return rest


@cache
def _locators(n: int) -> NDArray[np.intp]:
    """(n,) exponents of the error locators; that of the last symbol is 0."""
    return np.arange(n - 1, -1, -1)


def syndromes(words: Words, ec: int) -> Words:
    """Evaluates words (B, n), as polynomials, at the generator's roots: (B, ec), all zero for a codeword."""
    powers = _root_powers(words.shape[1], ec)
    if words.size * ec <= _AT_ONCE:
        return np.asarray(np.bitwise_xor.reduce(MUL[words[:, :, None], powers], axis=1), dtype=np.uint8)
    return np.stack([np.bitwise_xor.reduce(MUL[words, power], axis=1) for power in powers.T], axis=1)


@cache
def _root_powers(n: int, ec: int) -> Words:
    """(n, ec): by what each symbol of a word is multiplied at each root of the generator."""
    return _power(_locators(n)[:, None] * np.arange(ec))


def decode(words: Words, ec: int, erasures: Flags, reserved: int = 0) -> tuple[Words, Flags, NDArray[np.intp]]:
    """Decodes Reed-Solomon words: corrects ``e`` errors and ``f`` erasures if 2 e + f <= ec - reserved.

    ``words`` and ``erasures`` are (B, n); values at erasures do not matter. Returns the words (B, n), corrected or
    unchanged, whether each was corrected (B,), and the number of errors outside its erasures (B,), 0 if it was not. A
    word beyond the limit may be corrected to a wrong codeword.
    """
    erased = erasures.sum(axis=1)
    power_sums = syndromes(words, ec)
    locator, length = _error_locator(power_sums, erasures)
    found = length - erased
    possible = (2 * found + erased <= ec - reserved) & (found >= 0)

    at = _locators(words.shape[1])
    value, slope = np.zeros_like(words), np.zeros_like(words)
    evaluator = np.zeros_like(words)
    for power in range(ec + 1):
        term = MUL[locator[:, power, None], _power(-at * power)]
        value ^= term
        if power % 2:
            slope ^= term
    for power in range(ec):
        coefficient = np.bitwise_xor.reduce(MUL[locator[:, : power + 1], power_sums[:, power::-1]], axis=1)
        evaluator ^= MUL[coefficient[:, None], _power(-at * power)]
    roots = value == 0
    possible &= roots.sum(axis=1) == length
    # Forney's formula; `slope` is the locator's derivative times the inverse position, which cancels.
    change = np.where(roots & possible[:, None], MUL[evaluator, _INV[slope]], 0).astype(np.uint8)
    corrected = words ^ change
    ok = possible.copy()
    ok[possible] = ~syndromes(corrected[possible], ec).any(axis=1)
    return np.where(ok[:, None], corrected, words), ok, np.where(ok, found, 0)


def _error_locator(power_sums: Words, erasures: Flags) -> tuple[Words, NDArray[np.intp]]:
    """Berlekamp-Massey algorithm, started from the erasure locator (Blahut, Algebraic Codes for Data Transmission,
    chapter 7).

    Returns coefficients (B, ec + 1), lowest power first, and the lengths of the shift registers (B,).
    """
    batch, ec = power_sums.shape
    erased = np.minimum(erasures.sum(axis=1), ec)
    locator = np.zeros((batch, ec + 1), dtype=np.uint8)
    locator[:, 0] = 1
    at = _locators(erasures.shape[1])
    for column in np.flatnonzero(erasures.any(axis=0)):
        factor = np.where(erasures[:, column], EXP[at[column]], 0).astype(np.uint8)
        locator[:, 1:] ^= MUL[locator[:, :-1], factor[:, None]]
    previous, length = locator.copy(), erased.copy()
    for step in range(1, ec + 1):
        active = step > erased
        if not active.any():
            continue
        gap = np.bitwise_xor.reduce(MUL[locator[:, :step], power_sums[:, step - 1 :: -1][:, :step]], axis=1)
        shifted = np.zeros_like(previous)
        shifted[:, 1:] = previous[:, :-1]
        updated = locator ^ MUL[gap[:, None], shifted]
        grows = active & (gap != 0) & (2 * length <= step + erased - 1)
        kept = np.where(grows[:, None], MUL[_INV[gap][:, None], locator], shifted)
        previous = np.where(active[:, None], kept, previous)
        locator = np.where(active[:, None], updated, locator)
        length = np.where(grows, step + erased - length, length)
    return locator, length


@cache
def parity_check(n: int, ec: int) -> NDArray[np.uint8]:
    """Binary parity-check matrix (8 ec, 8 n) of the code; words as bits, most significant bit of each symbol first."""
    values = np.uint8(1) << np.arange(7, -1, -1, dtype=np.uint8)
    roots = _power(np.arange(ec)[:, None] * _locators(n))
    columns = np.unpackbits(MUL[values, roots[:, :, None]], axis=-1).reshape(ec, n, 8, 8)
    matrix = np.ascontiguousarray(columns.transpose(0, 3, 1, 2).reshape(8 * ec, 8 * n))
    matrix.setflags(write=False)
    return matrix


@dataclass(frozen=True, slots=True)
class Basis:
    """All error patterns of one received word, in terms of its bits (Fossorier and Lin, IEEE Trans. IT 41(5), 1995).

    ``dependent`` (R,) are the least reliable bits whose parity-check columns are independent; errors in the other
    unknown bits, ``free`` (F,), the least reliable first, determine theirs. If no free bit is wrong, the dependent bits
    are wrong by ``gap`` (R,); each wrong free bit changes that by its column of ``effect`` (R, F). ``cost`` (8 n,) is
    the cost of an error in each bit.
    """

    dependent: NDArray[np.intp]
    free: NDArray[np.intp]
    gap: NDArray[np.uint8]
    effect: NDArray[np.uint8]
    cost: NDArray[np.float32]


def reduced_basis(hard: Flags, cost: NDArray[np.float32], ec: int) -> Basis:
    """The basis for hard bits (8 n,) whose errors cost ``cost`` (8 n,) >= 0; the cost is infinite if a bit is known.

    Known bits are never free. If one is dependent, patterns that make it wrong cost infinitely much.
    """
    return reduced_bases(hard[None], cost, ec)[0]


def reduced_bases(hard: Flags, cost: NDArray[np.float32], ec: int) -> list[Basis]:
    """The bases of several words, hard bits (K, 8 n), whose errors cost the same (8 n,), for the price of one; see
    `reduced_basis`."""
    order = np.argsort(cost, kind="stable")
    check = parity_check(len(cost) // 8, ec)
    gaps = (check @ hard.T.astype(np.uint8)) & 1
    rows, words = len(check), len(hard)
    packed = np.packbits(np.concatenate([check[:, order], gaps], axis=1), axis=1)
    packed = np.ascontiguousarray(np.pad(packed, ((0, 0), (0, -packed.shape[1] % 8)))).view(np.uint64)
    as_bytes = packed.view(np.uint8)
    pivots: list[int] = []
    for column in range(len(order)):
        bits = as_bytes[:, column >> 3] & (0x80 >> (column & 7))
        rank = len(pivots)
        candidates = bits[rank:].nonzero()[0]
        if not len(candidates):
            continue
        if candidates[0]:
            found = rank + int(candidates[0])
            packed[[rank, found]] = packed[[found, rank]]
            bits[found] = bits[rank]
        bits[rank] = 0
        packed[bits.nonzero()[0]] ^= packed[rank]
        pivots.append(column)
        if len(pivots) == rows:
            break
    reduced = np.unpackbits(as_bytes, axis=1, count=len(order) + words)
    is_free = np.isfinite(cost[order])
    is_free[pivots] = False
    effect = reduced[:, : len(order)][:, is_free]
    return [Basis(order[pivots], order[is_free], gap, effect, cost) for gap in reduced[:, len(order) :].T]


def least_errors(basis: Basis, *, pairs: int, triples: int = 0) -> tuple[Flags, float]:
    """The cheapest error pattern (8 n,) of a Reed-Solomon word, among those with few errors in free bits, and its cost;
    infinite if there is none.

    Tries no error, each of the ``pairs`` least reliable free bits and every two of them, and each of the ``triples``
    least reliable ones together with all of those. The time grows in steps of 64 bits, "no error" counted as one.
    """
    cost = np.where(np.isfinite(basis.cost), basis.cost, _PROHIBITIVE).astype(np.float32)
    weight = cost[basis.dependent]
    reach = min(pairs, len(basis.free))
    # Column 0 is "no error", so that pairs include single errors and none.
    signs = np.ones((len(weight), reach + 1), dtype=np.float32)
    signs[:, 1:] -= 2 * basis.effect[:, :reach].astype(np.float32)
    tiles = _tiles(signs)
    single = np.full(tiles.shape[0] * _TILE, _PROHIBITIVE, dtype=np.float32)
    single[0], single[1 : reach + 1] = 0, cost[basis.free[:reach]]
    # Pairs are symmetric: half of the tiles are enough.
    above, beside = np.triu_indices(len(tiles))
    double = 2 * (single.reshape(-1, _TILE, 1)[above] + single.reshape(-1, 1, _TILE)[beside])
    left = tiles.swapaxes(2, 3)[above]
    right = weight * (1 - 2 * basis.gap.astype(np.float32))
    least, best = np.inf, (0, 0, 0)
    for third in range(min(triples, reach) + 1):
        weighted = tiles * _tiles((right * signs[:, third])[:, None])[..., :1]
        costs = double - (left @ weighted[beside]).sum(axis=1)
        place = np.unravel_index(costs.argmin(), costs.shape)
        total = float(costs[place] + 2 * single[third])
        if total < least:
            pair, row, column = (int(i) for i in place)
            least, best = total, (third, _TILE * int(above[pair]) + row, _TILE * int(beside[pair]) + column)
    wrong = np.zeros(len(cost), dtype=np.bool_)
    pattern = basis.gap.copy()
    for column in best:
        if column:
            wrong[basis.free[column - 1]] ^= True
            pattern ^= basis.effect[:, column - 1]
    wrong[basis.dependent] = pattern.astype(np.bool_)
    total = float(cost[wrong].sum())
    return wrong, total if total < _PROHIBITIVE else np.inf


def _tiles(matrix: NDArray[np.float32]) -> NDArray[np.float32]:
    """Cuts a matrix (R, C), padded with zeros, into (tiles of columns, tiles of rows, 64, 64).

    Products of tiles are small enough for OpenBLAS to run them on one thread. With more threads, short products wait
    for threads that other work keeps from running, which takes a hundred times as long on a busy machine.
    """
    rows, columns = (-(-side // _TILE) for side in matrix.shape)
    whole = np.zeros((rows * _TILE, columns * _TILE), dtype=np.float32)
    whole[: matrix.shape[0], : matrix.shape[1]] = matrix
    return np.ascontiguousarray(whole.reshape(rows, _TILE, columns, _TILE).transpose(2, 0, 1, 3))
