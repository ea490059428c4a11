"""Counts which characters follow each other, and turns the counts into costs in eighths of a bit."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
import unicodedata
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from training.charsets.kinds import ASCII, NAMES, NUMBERS, case_of, kind_of

KINDS: Final = np.array([kind_of(code) for code in range(1 << 16)], np.uint8)
CASES: Final = np.array([case_of(code) for code in range(1 << 16)], np.uint8)
_STEPS: Final = 4
_ASCII: Final = np.array(sorted(ASCII))
_BAD_BITS: Final = 40
_SHARE_OF_CAPITALS, _SHARE_OF_TITLES, _SHARE_OF_HALF_WIDTH = 0.15, 0.1, 0.2
_FINE_BITS: Final = 10
"""Higher costs are whole bits, which makes the file smaller."""
_MIXED_BITS: Final = 20
"""What a letter of another alphabet costs in a word."""
_SIGN_BITS: Final = 12
_PRIOR: Final = 12.0
"""How many times, as often as its language has it, a kind counts as seen after every other."""
_SHARE_OF_ALL: Final = 0.1
"""How much of a text that is ASCII is as if in any language."""


def _mixed() -> NDArray[np.bool_]:
    """Which kinds are letters of different alphabets."""
    names = [unicodedata.name(name).split()[0] if len(name) == 1 and name.isalpha() else "" for name in NAMES]
    scripts = np.array(
        [name if name in ("LATIN", "GREEK", "CYRILLIC") else "" for name in names] + [""] * (256 - len(names))
    )
    return (scripts[:, None] != scripts) & (scripts[:, None] != "") & (scripts != "")


_MIXED: Final = _mixed()
_SIGN_IN_WORD: Final = np.isin(np.arange(256), [NUMBERS[one] for one in ("sign", *"©®±²³°£½¼µ¥§€")])[
    :, None
] & np.array([len(name) == 1 and name.isalpha() for name in NAMES] + [False] * (256 - len(NAMES)))
"""Letters after signs that begin no word."""


@dataclass(frozen=True, slots=True)
class Counts:
    """What was counted in the texts of a language: pairs of kinds (256, 256), characters (65536), cases after
    cases (4, 3): see `case_states`."""

    pairs: NDArray[np.float64]
    characters: NDArray[np.float64]
    cases: NDArray[np.float64]


def count(texts: Iterable[tuple[str, float]], half_width: Mapping[int, str]) -> Counts:
    """Counts texts as they are, and for a share in capitals, with capitals at the beginning of words, and with
    katakana of half the width."""
    lines = [variant for text, weight in texts for variant in _variants(text, weight, half_width)]
    codes = np.frombuffer("".join(f"\n{text}" for text, _ in lines).encode("utf-32-le"), np.uint32)
    codes = np.append(np.minimum(codes, 0xFFFF), 0x0A)
    weights = np.repeat([weight for _, weight in lines], [len(text) + 1 for text, _ in lines])
    kinds, cases = KINDS[codes].astype(np.int64), CASES[codes].astype(np.int64)
    states = cases + np.append(False, (cases[1:] == 2) & (cases[:-1] == 2))
    return Counts(
        np.bincount(kinds[:-1] * 256 + kinds[1:], weights, 1 << 16).reshape(256, 256),
        np.bincount(codes[:-1], weights, 1 << 16),
        np.bincount(states[:-1] * 3 + cases[1:], weights, 12).reshape(4, 3),
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


def make_tables(
    languages: Mapping[str, Counts], sets: Mapping[str, str], codecs: Mapping[str, tuple[str, ...]]
) -> dict[str, NDArray[Any]]:
    """The arrays that the service loads. ``sets``: languages whose characters have costs of their own, and the codecs
    that say which these are."""
    shared = sum((_normalised(counts.pairs) for counts in languages.values()), np.zeros((256, 256)))
    pairs = [_pair_costs(counts.pairs, shared, _known(codecs[name])) for name, counts in languages.items()]
    wide = [_character_costs(languages[name].characters, codec) for name, codec in sets.items()]
    rows = {name: row for row, name in enumerate(sets, 1)}
    case_counts = sum((counts.cases for counts in languages.values()), np.ones((4, 3)))
    return {
        "steps": np.array(_STEPS),
        "languages": np.array([*languages, "binary"]),
        "kinds": KINDS,
        "cases": CASES,
        "pairs": _quantised(np.stack([*pairs, _binary_costs(shared)])).reshape(-1, 1 << 16),
        "characters": _quantised(np.stack([_narrow_costs(), *wide])),
        "sets": np.array([rows.get(name, 0) for name in (*languages, "binary")], np.uint8),
        "case_pairs": _quantised(_case_costs(case_counts)).ravel(),
    }


def _normalised(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    return counts / counts.sum()


def _smooth(counts: NDArray[np.float64], base: NDArray[np.float64]) -> NDArray[np.float64]:
    """Probabilities of kinds after kinds; where few were counted, those of ``base``."""
    return (counts + _PRIOR * base) / (counts.sum(1, keepdims=True) + _PRIOR)


def _base(counts: NDArray[np.float64], floor: float) -> NDArray[np.float64]:
    """Probabilities of kinds wherever they stand, none below ``floor``."""
    single = _normalised(counts.sum(0)) + floor
    single[len(NAMES) :] = 0
    single[NUMBERS["bad"]] = 0
    single[NUMBERS["digit"]] += 0.08  # labels have more of them than programs
    return single / single.sum()


def _pair_costs(
    counts: NDArray[np.float64], shared: NDArray[np.float64], known: NDArray[np.bool_]
) -> NDArray[np.float64]:
    own = _smooth(counts, _base(counts, 2e-4))
    everywhere = _smooth(1e6 * shared * _mask(), _base(shared * _mask(), 1e-6))
    mixed = (1 - _SHARE_OF_ALL) * own + _SHARE_OF_ALL * everywhere
    bits = -np.log2(np.maximum(mixed, 2.0**-31))
    bits[:, NUMBERS["bad"]] = _BAD_BITS
    bits = np.where(_MIXED, np.maximum(bits, _MIXED_BITS), bits)
    bits = np.where(_SIGN_IN_WORD, np.maximum(bits, _SIGN_BITS), bits)
    return np.where(known[:, None] & known, bits, np.inf)


def _known(codecs: Iterable[str]) -> NDArray[np.bool_]:
    """The kinds of which a charset has characters."""
    known = np.zeros(256, bool)
    for codec in codecs:
        for code in range(1 << 16):
            try:
                chr(code).encode(codec)
            except UnicodeEncodeError:
                continue
            known[KINDS[code]] = True
    known[NUMBERS["bad"]] = True
    return known


def _mask() -> NDArray[np.float64]:
    mask = np.zeros((256, 256))
    mask[np.ix_(_ASCII, _ASCII)] = 1
    return mask


def _binary_costs(shared: NDArray[np.float64]) -> NDArray[np.float64]:
    """Bytes that are no text in any of the languages: those beyond ASCII come as they will."""
    everywhere = _smooth(1e6 * shared * _mask(), _base(shared * _mask(), 1e-6))
    bits = -np.log2(np.maximum(everywhere, 2.0**-31))
    beyond = np.ones(256, bool)
    beyond[_ASCII] = False
    bits[:, beyond] = 8
    bits[np.ix_(beyond, _ASCII)] = 1 + bits[0, _ASCII]
    return bits


def _narrow_costs() -> NDArray[np.float64]:
    costs = np.zeros(1 << 16)
    costs[KINDS == NUMBERS["digit"]] = np.log2(10)
    costs[KINDS == NUMBERS["ascii sign"]] = 3.5
    costs[KINDS == NUMBERS["sign"]] = 4
    return costs


def _character_costs(counts: NDArray[np.float64], codec: str) -> NDArray[np.float64]:
    """Costs of characters among those of their kind. Those that the codec writes in its first and most common rows count
    as seen more often than the others."""
    costs = _narrow_costs()
    for name in (
        "hiragana",
        "katakana",
        "half-width",
        "han",
        "hangul",
        "cjk sign",
        "wide digit",
        "wide letter",
        "wide sign",
        "rare",
        "sign",
    ):
        members = np.flatnonzero(NUMBERS[name] == KINDS)
        weights = np.array([_level(chr(code), codec) for code in members])
        seen = counts[members]
        prior = weights / weights.sum() * max(0.03 * seen.sum(), 20.0)
        costs[members] = -np.log2((seen + prior) / (seen + prior).sum())
    return costs


_COMMON: Final = {"cp932": (0x81, 0x98), "gb18030": (0xA1, 0xD7), "big5hkscs": (0xA1, 0xC6), "cp949": (0xA1, 0xC8)}


def _level(character: str, codec: str) -> float:
    """How common a character is by its place in the charset: 1, 1/10 for the second level, 1/1000 beyond."""
    try:
        stored = character.encode(codec)
    except UnicodeEncodeError:
        return 1e-6
    if len(stored) == 1:
        return 1.0
    if len(stored) > 2 or (codec in ("gb18030", "cp949") and min(stored) < 0xA1):
        return 1e-3 if codec != "cp949" else 0.02
    first, last = _COMMON[codec]
    return 1.0 if first <= stored[0] <= last else 0.1


def _case_costs(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Costs of a letter's case after the case before it; none for what has no case."""
    costs = np.zeros((4, 3))
    costs[:, 1:] = -np.log2(counts[:, 1:] / counts[:, 1:].sum(1, keepdims=True))
    return costs


def _quantised(bits: NDArray[np.float64]) -> NDArray[np.uint8]:
    coarse = np.where(bits > _FINE_BITS, np.rint(bits), bits)
    return np.clip(np.rint(coarse * _STEPS), 0, 255).astype(np.uint8)
