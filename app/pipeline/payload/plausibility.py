"""How plausible characters follow each other in the languages of a charset, in bits: fewer are more plausible.

A character costs what its kind costs after the kind before it, in the language that makes the text cheapest. Kinds are
letters without their case, classes of signs, and scripts with many characters, of which each has costs of its own, too.
`training.charsets` counts them; ``plausibility.npz`` has the tables, read once when this module is imported.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

_BOUNDARY: Final = 0
"""The kind of what stands before the first and after the last character: that of a space."""
_STEPS: Final = 8
"""Parts of a bit in which the tables count."""


@dataclass(frozen=True, slots=True)
class Tables:
    """``kinds``: uint8 of each character below U+10000; ``cases``: 0 none, 1 lower, 2 upper, likewise. ``pairs``: uint8
    (languages, 256, 256) of a kind after a kind; ``characters``: uint8 (sets, 65536) of a character among those of its
    kind; ``sets``: the row of these, of each language. ``case_pairs``: uint8 (3, 3). All but kinds and cases are costs
    in eighths of a bit."""

    languages: tuple[str, ...]
    kinds: NDArray[np.uint8]
    cases: NDArray[np.uint8]
    pairs: NDArray[np.uint8]
    characters: NDArray[np.uint8]
    sets: NDArray[np.uint8]
    case_pairs: NDArray[np.uint8]


def _load() -> Tables:
    with np.load(Path(__file__).with_name("plausibility.npz"), allow_pickle=False) as stored:
        arrays = {name: stored[name] for name in stored.files}
    arrays["pairs"] = arrays["pairs"].reshape(len(arrays["pairs"]), -1)
    arrays["case_pairs"] = arrays["case_pairs"].ravel()
    return Tables(languages=tuple(str(one) for one in arrays.pop("languages")), **arrays)


_TABLES: Final = _load()


def rows_of(first: str, last: str | None = None) -> slice:
    """The rows of a language in the tables, or of one to another, for `costs`."""
    languages = _TABLES.languages
    return slice(languages.index(first), languages.index(last or first) + 1)


def costs(text: str, rows: slice) -> NDArray[np.int64]:
    """Eighths of a bit of a text in each of the languages, which share their set of characters."""
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
    codes = np.minimum(codes, 0xFFFF)
    kinds = np.zeros(len(codes) + 2, np.intp)
    cases = np.zeros(len(codes) + 1, np.intp)
    kinds[1:-1] = _TABLES.kinds[codes]
    cases[1:] = _TABLES.cases[codes]
    pairs = _TABLES.pairs[rows].take(kinds[:-1] * 256 + kinds[1:], axis=1).sum(1, dtype=np.int64)
    shared = _TABLES.characters[_TABLES.sets[rows.start]][codes].sum(dtype=np.int64)
    states = cases[:-1].copy(); states[1:] += (cases[1:-1] == 2) & (cases[:-2] == 2)
    shared += _TABLES.case_pairs[states * 3 + cases[1:]].sum(dtype=np.int64)
    return pairs + shared
