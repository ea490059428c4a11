"""How plausible characters follow each other in the languages of a charset, in bits: fewer are more plausible.

A character costs what its kind costs after the kind before it, in the language that makes the text cheapest. Kinds are
letters without their case, signs, and scripts of many characters, each of which has costs of its own as well. The costs
are negative logarithms of probabilities, so that those of one payload under several charsets can be compared.
`training.charsets` counts them; ``plausibility.npz`` has the tables, read once when this module is imported.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isqrt
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

BINARY: Final = "binary"
"""Stands among the languages for bytes that are no text: those beyond ASCII are all as likely."""
_UPPER: Final = 2


@dataclass(frozen=True, slots=True)
class Tables:
    """``kinds``: uint16 of each character below U+10000; ``cases``: uint8, 0 none, 1 lower, 2 upper, likewise.
    ``pairs``: uint8 (languages, kinds squared), costs of a kind after a kind, the number of kinds x the former + the
    latter; ``characters``: uint8 (sets, 65536) of a character among those of its kind, and ``sets`` the row of each
    language in it. ``case_pairs``: uint8 (12,) of 3 x the case before (3: the second capital or a later one) + the
    case. Kind and case at either end are 0. ``steps``: the parts of a bit that costs are counted in."""

    languages: tuple[str, ...]
    kinds: NDArray[np.uint16]
    cases: NDArray[np.uint8]
    pairs: NDArray[np.uint8]
    characters: NDArray[np.uint8]
    sets: NDArray[np.uint8]
    case_pairs: NDArray[np.uint8]
    steps: int


def _load() -> Tables:
    with np.load(Path(__file__).with_name("plausibility.npz"), allow_pickle=False) as stored:
        arrays = {name: stored[name] for name in stored.files}
    names, steps = arrays.pop("languages"), arrays.pop("steps")
    return Tables(languages=tuple(map(str, names)), steps=int(steps), **arrays)


_TABLES: Final = _load()
STEPS: Final = _TABLES.steps
"""Costs are counted in this many parts of a bit."""
_KINDS: Final = isqrt(_TABLES.pairs.shape[1])


class Language:
    """A language whose charset takes several bytes for a character."""

    def __init__(self, name: str) -> None:
        row = _TABLES.languages.index(name)
        self._pairs, self._characters = _TABLES.pairs[row], _TABLES.characters[_TABLES.sets[row]]

    def cost(self, text: str) -> int:
        """What a text costs in this language, in parts of a bit."""
        codes = np.minimum(np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32), 0xFFFF)
        pairs = self._pairs[_pairs_of(_TABLES.kinds[codes])]
        cost = pairs.sum(dtype=np.int64) + self._characters[codes].sum(dtype=np.int64)
        return int(cost + _case_costs(_TABLES.cases[codes]))


class SingleByteCharsets:
    """Charsets of one byte a character, each with the languages that it is for: scored all at once, for speed."""

    def __init__(self, charsets: Sequence[tuple[str, Sequence[str]]]) -> None:
        """``charsets``: Python's codec and the names of languages."""
        stored = bytes(range(256))
        codes = np.array([[ord(one) for one in stored.decode(codec, "replace")] for codec, _ in charsets])
        self._kinds, self._cases = _TABLES.kinds[codes], _TABLES.cases[codes]
        self._characters = _TABLES.characters[0][codes]
        rows = [(i, _TABLES.languages.index(name)) for i, (_, names) in enumerate(charsets) for name in names]
        self._charset_of, languages = np.array(rows).T
        self._starts = np.flatnonzero(np.diff(self._charset_of, prepend=-1))
        self._pairs, self._offsets = _TABLES.pairs.ravel(), languages[:, None] * _TABLES.pairs.shape[1]

    def costs(self, payload: bytes) -> NDArray[np.int64]:
        """What bytes cost in each charset, in that of its languages that makes them cheapest, in parts of a bit.
        Bytes that a charset has not make it dear, not impossible."""
        stored = np.frombuffer(payload, np.uint8)
        pairs = _pairs_of(self._kinds[:, stored])
        costs = self._pairs[self._offsets + pairs[self._charset_of]].sum(1, dtype=np.int64)
        cheapest = np.minimum.reduceat(costs, self._starts)
        within = self._characters[:, stored].sum(1, dtype=np.int64) + _case_costs(self._cases[:, stored])
        return np.asarray(cheapest + within, np.int64)


def _pairs_of(kinds: NDArray[np.uint16]) -> NDArray[np.intp]:
    """(..., n) kinds to (..., n + 1) indices of pairs, with the boundaries."""
    pairs = np.zeros((*kinds.shape[:-1], kinds.shape[-1] + 1), np.intp)
    pairs[..., :-1] = kinds
    pairs[..., 1:] += kinds.astype(np.intp) * _KINDS
    return pairs


def _case_costs(cases: NDArray[np.uint8]) -> NDArray[np.int64]:
    """(..., n) cases to their costs (...)."""
    before = np.zeros(cases.shape, np.intp)
    before[..., 1:] = cases[..., :-1]
    capitals = before == _UPPER
    before[..., 1:] += capitals[..., 1:] & capitals[..., :-1]
    total: NDArray[np.int64] = _TABLES.case_pairs[3 * before + cases].sum(-1, dtype=np.int64)
    return total
