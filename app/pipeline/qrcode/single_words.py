"""Corrects one Reed-Solomon word at a time, which for a few words is ten times as fast as `reed_solomon.decode`."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.pipeline.qrcode.reed_solomon import EXP, MUL, syndromes

Words = NDArray[np.uint8]
_POWERS: Final = [int(power) for power in EXP]  # with exponents 0 to 509
_LOGARITHMS: Final = {power: exponent for exponent, power in enumerate(_POWERS[:255])}


def correct_word(word: Words, ec: int) -> Words | None:
    """Corrects a word (n,) with ``ec`` check symbols at its end; None if it has more than ec // 2 errors.

    Berlekamp-Massey algorithm, Chien search and Forney's formula, as in Blahut, Algebraic Codes for Data Transmission,
    chapter 7. A word with more errors may be corrected to a wrong codeword.
    """
    power_sums = [int(value) for value in syndromes(word[None], ec)[0]]
    locator = _error_locator(power_sums)
    errors = len(locator) - 1
    if errors > ec // 2:
        return None
    exponents = np.arange(len(word) - 1, -1, -1)
    terms = EXP[(-np.arange(errors + 1) * exponents[:, None]) % 255]
    places = np.flatnonzero(np.bitwise_xor.reduce(MUL[terms, np.array(locator)], axis=1) == 0)
    if len(places) != errors:
        return None
    corrected = word.copy()
    for place in places:
        corrected[place] ^= _magnitude(power_sums, locator, int(exponents[place]))
    return None if syndromes(corrected[None], ec).any() else corrected


def _multiply(one: int, other: int) -> int:
    return _POWERS[_LOGARITHMS[one] + _LOGARITHMS[other]] if one and other else 0


def _divide(one: int, other: int) -> int:
    return _POWERS[_LOGARITHMS[one] - _LOGARITHMS[other] + 255] if one else 0


def _error_locator(power_sums: list[int]) -> list[int]:
    """Coefficients of the error locator polynomial, lowest power first."""
    locator, previous, previous_gap = [1], [1], 1
    length, shift = 0, 1
    for step in range(len(power_sums)):
        gap = 0
        for power, coefficient in enumerate(locator):
            gap ^= _multiply(coefficient, power_sums[step - power]) if power <= step else 0
        if gap == 0:
            shift += 1
            continue
        factor = _divide(gap, previous_gap)
        updated = locator + [0] * (len(previous) + shift - len(locator))
        for power, coefficient in enumerate(previous):
            updated[power + shift] ^= _multiply(factor, coefficient)
        if 2 * length <= step:
            previous, previous_gap, length, shift = locator, gap, step + 1 - length, 1
        else:
            shift += 1
        locator = updated
    while locator[-1] == 0:
        locator.pop()
    return locator


def _magnitude(power_sums: list[int], locator: list[int], exponent: int) -> int:
    """By what the symbol with this exponent is wrong."""
    errors = len(locator) - 1
    value = slope = 0
    for power in range(errors):
        coefficient = 0
        for lower in range(power + 1):
            coefficient ^= _multiply(locator[lower], power_sums[power - lower])
        value ^= _multiply(coefficient, _POWERS[-exponent * power % 255])
    for power in range(1, errors + 1, 2):
        slope ^= _multiply(locator[power], _POWERS[-exponent * power % 255])
    return _divide(value, slope)
