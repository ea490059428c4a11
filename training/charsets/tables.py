"""Counts which characters follow each other, and turns the counts into costs: negative logarithms of probabilities."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from training.charsets.kinds import ASCII, NAMES, NUMBERS, SCRIPTS, SETS, case_of, kind_of

Floats = NDArray[np.float64]
Bits = NDArray[np.uint8]

_KINDS: Final = np.array([kind_of(code) for code in range(1 << 16)], np.uint16)
_CASES: Final = np.array([case_of(code) for code in range(1 << 16)], np.uint8)
_COUNT: Final = len(NAMES)
_UPPER: Final = 2

_SHARE_OF_CAPITALS, _SHARE_OF_TITLES, _SHARE_OF_HALF_WIDTH = 0.15, 0.1, 0.3
_PRIOR: Final = 12.0
"""Each kind counts as seen so many times after every other, shared out as it is frequent in the language."""
_SHARE_OF_ALL: Final = 0.1
"""How much of a text that is ASCII is as if in any of the languages."""
_RARER: Final = ("cp1254", "cp1255", "cp1256", "cp874")
"""Codecs whose languages do not count in what all share: with them, 2 of 16,000 strings and 16 of 30,457 names in other
charsets, which are right without them, are wrong (seeds 2 and 201 to 207 of `training.measure.charsets`)."""
_DIGITS: Final = 0.08
"""How many more digits labels have than programs."""

# Bits that were set by hand, where texts of programs say nothing.
_BAD_BITS: Final = 40
_OTHER_ALPHABET_BITS: Final = 20
_LETTER_AFTER_SIGN_BITS: Final = 12
_UNSEEN_BITS: Final = 31

_STEPS: Final = 4
_FINE_BITS: Final = 10
"""Higher costs are whole bits, which makes the file smaller."""

_LEVELS: Final = {"cp932": (0x81, 0x98), "gb18030": (0xA1, 0xD7), "big5hkscs": (0xA1, 0xC6), "cp949": (0xA1, 0xC8)}
"""Codecs of several bytes, and from which to which first byte their more common characters have."""


@dataclass(frozen=True, slots=True)
class Counts:
    """What was counted in the texts of a language: ``pairs`` of kinds (kinds, kinds), ``characters`` (65536), ``cases``
    (4, 3): of cases after cases, in which 3 is a capital after another."""

    pairs: Floats
    characters: Floats
    cases: Floats


def count(texts: Iterable[tuple[str, float]], half_width: Mapping[int, str]) -> Counts:
    """Counts texts by their weights as they are, and for a share in capitals, with capitals at the beginning of words,
    and with katakana of half the width."""
    lines = [variant for text, weight in texts for variant in _variants(text, weight, half_width)]
    codes = np.frombuffer("".join(f"\n{text}" for text, _ in lines).encode("utf-32-le"), np.uint32)
    codes = np.append(np.minimum(codes, 0xFFFF), ord("\n"))
    weights = np.repeat([weight for _, weight in lines], [len(text) + 1 for text, _ in lines])
    kinds, cases = _KINDS[codes].astype(np.int64), _CASES[codes].astype(np.int64)
    before = cases + np.append(False, (cases[1:] == _UPPER) & (cases[:-1] == _UPPER))
    return Counts(
        pairs=_sums(kinds[:-1] * _COUNT + kinds[1:], weights, _COUNT**2).reshape(_COUNT, _COUNT),
        characters=_sums(codes[:-1].astype(np.int64), weights, 1 << 16),
        cases=_sums(before[:-1] * 3 + cases[1:], weights, 12).reshape(4, 3),
    )


def _variants(text: str, weight: float, half_width: Mapping[int, str]) -> Iterator[tuple[str, float]]:
    narrow = text.translate(half_width)
    if narrow != text:
        yield narrow, _SHARE_OF_HALF_WIDTH * weight
    if text.lower() == text.upper():
        yield text, weight
        return
    yield text, (1 - _SHARE_OF_CAPITALS - _SHARE_OF_TITLES) * weight
    yield text.upper(), _SHARE_OF_CAPITALS * weight
    yield text.title(), _SHARE_OF_TITLES * weight


def _sums(places: NDArray[np.int64], weights: Floats, length: int) -> Floats:
    return np.bincount(places, weights, length).astype(np.float64)


def make_tables(languages: Mapping[str, Counts], codecs: Mapping[str, tuple[str, ...]]) -> dict[str, NDArray[Any]]:
    """The arrays that the service loads: see `Tables` there. ``codecs``: those of each language; one of several bytes
    has characters with costs of their own."""
    common = [counts for name, counts in languages.items() if codecs[name][0] not in _RARER]
    shared = np.sum([counts.pairs / counts.pairs.sum() for counts in common], axis=0)
    shared = _probabilities(1e6 * shared * _both(_is(ASCII)), 1e-6, _is(range(_COUNT)))
    pairs = [_pair_costs(counts.pairs, shared, _known(codecs[name])) for name, counts in languages.items()]
    wide = [name for name in languages if codecs[name][0] in _LEVELS]
    characters = [_character_costs(languages[name].characters, codecs[name][0]) for name in wide]
    return {
        "steps": np.array(_STEPS),
        "languages": np.array([*languages, "binary"]),
        "kinds": _KINDS,
        "cases": _CASES,
        "pairs": _quantised(np.stack([*pairs, _binary_costs(shared)])).reshape(-1, _COUNT**2),
        "characters": _quantised(np.stack([_narrow_costs(), *characters])),
        "sets": np.array([wide.index(name) + 1 if name in wide else 0 for name in (*languages, "binary")], np.uint8),
        "case_pairs": _quantised(_case_costs(np.sum([counts.cases for counts in languages.values()], axis=0))).ravel(),
    }


def _is(kinds: Iterable[int]) -> NDArray[np.bool_]:
    return np.isin(np.arange(_COUNT), list(kinds))


def _both(kinds: NDArray[np.bool_]) -> NDArray[np.bool_]:
    return np.logical_and.outer(kinds, kinds)


def _probabilities(counts: Floats, floor: float, known: NDArray[np.bool_]) -> Floats:
    """Probabilities (kinds, kinds) of kinds after kinds. Where few were counted they are those of the kind wherever it
    stands, of which none of the ``known`` ones is below about ``floor``."""
    alone = counts.sum(0) / counts.sum() + floor
    alone[NUMBERS["bad"]] = 0
    alone[~known] = 0
    alone[NUMBERS["digit"]] += _DIGITS
    smooth = (counts + _PRIOR * alone / alone.sum()) / (counts.sum(1, keepdims=True) + _PRIOR)
    return np.asarray(smooth, np.float64)


def _pair_costs(counts: Floats, shared: Floats, known: NDArray[np.bool_]) -> Floats:
    own = _probabilities(counts, 2e-4, known)
    bits = _bits((1 - _SHARE_OF_ALL) * own + _SHARE_OF_ALL * shared)
    bits[:, NUMBERS["bad"]] = _BAD_BITS
    bits = np.where(_of_different_alphabets(), np.maximum(bits, _OTHER_ALPHABET_BITS), bits)
    signs = _is(NUMBERS[one] for one in ("sign", *"©®±²³°£½¼µ¥§€"))  # no word begins with them
    bits = np.where(np.logical_and.outer(signs, _is(SCRIPTS)), np.maximum(bits, _LETTER_AFTER_SIGN_BITS), bits)
    return np.where(_both(known), bits, np.inf)


def _of_different_alphabets() -> NDArray[np.bool_]:
    """Which pairs of kinds are letters of different alphabets."""
    scripts = np.array([SCRIPTS.get(kind, "") for kind in range(_COUNT)])
    return np.asarray(np.not_equal.outer(scripts, scripts) & _both(scripts != ""), bool)


def _known(codecs: Iterable[str]) -> NDArray[np.bool_]:
    """The kinds of which the charsets have characters."""
    every = "".join(chr(code) for code in range(1 << 16) if not 0xD800 <= code < 0xE000)
    kept = {one for codec in codecs for one in every.encode(codec, "ignore").decode(codec)}
    return _is({NUMBERS["bad"], *(int(_KINDS[ord(one)]) for one in kept)})


def _binary_costs(shared: Floats) -> Floats:
    """Bytes that are no text in any of the languages: those beyond ASCII come as they will."""
    bits = _bits(shared)
    ascii_kinds = _is(ASCII)
    bits[:, ~ascii_kinds] = 8
    bits[~ascii_kinds] = np.where(ascii_kinds, 1 + bits[NUMBERS["space"]], 8)
    return bits


def _narrow_costs() -> Floats:
    """Costs (65536,) of characters among those of their kind in ASCII and its extensions of one byte."""
    costs = np.zeros(_COUNT)
    costs[[NUMBERS["digit"], NUMBERS["ascii sign"], NUMBERS["sign"]]] = np.log2(10), 3.5, 4
    return np.asarray(costs[_KINDS], np.float64)


def _character_costs(counts: Floats, codec: str) -> Floats:
    """The same for a charset of several bytes. The characters that it has in its first rows, which are the more common
    ones, count as seen more often than the others."""
    costs = _narrow_costs()
    for kind in SETS:
        members = np.flatnonzero(NUMBERS[kind] == _KINDS)
        levels = np.array([_level(chr(code), codec) for code in members])
        seen = counts[members] + levels / levels.sum() * max(0.03 * counts[members].sum(), 20.0)
        costs[members] = -np.log2(seen / seen.sum())
    return costs


def _level(character: str, codec: str) -> float:
    """How common a character is by its place in the charset, the most common ones 1."""
    try:
        stored = character.encode(codec)
    except UnicodeEncodeError:
        return 1e-6
    if len(stored) == 1:
        return 1.0
    if len(stored) > 2 or (codec in ("gb18030", "cp949") and min(stored) < 0xA1):  # not of GB 2312 or KS X 1001
        return 0.02 if codec == "cp949" else 1e-3
    first, last = _LEVELS[codec]
    return 1.0 if first <= stored[0] <= last else 0.1


def _case_costs(counts: Floats) -> Floats:
    """Costs (4, 3) of a letter's case after the case before it; none for what has no case."""
    costs = np.zeros((4, 3))
    costs[:, 1:] = -np.log2((counts[:, 1:] + 1) / (counts[:, 1:] + 1).sum(1, keepdims=True))
    return costs


def _bits(probabilities: Floats) -> Floats:
    return np.asarray(-np.log2(np.maximum(probabilities, 2.0**-_UNSEEN_BITS)), np.float64)


def _quantised(bits: Floats) -> Bits:
    coarse = np.where(bits > _FINE_BITS, np.rint(bits), bits)
    return np.asarray(np.clip(np.rint(coarse * _STEPS), 0, 255), np.uint8)
