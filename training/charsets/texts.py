"""Texts in the languages whose charsets are guessed, from packages with permissive licences.

Translations of programs (files NAME.po), place names of phonenumbers, words of jieba and IPADIC with their frequencies.
The packages are installed in a folder of their own, which no measured string comes from.
"""

import ast
import math
import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Final

PACKAGES: Final = (
    *("Django==5.2.19", "django-oscar==4.2.1", "wagtail==8.0.1", "djangorestframework==3.18.3"),
    *("django-allauth==65.22.1", "Sphinx==9.0.4", "WTForms==3.3.2"),
    *("phonenumbers==9.0.43", "jieba==0.42.1", "janome==0.5.0", "opencc-python-reimplemented==0.1.7"),
)
"""What to install: translations under BSD and MIT licences; Apache-2.0, MIT, Apache-2.0 with the IPADIC licence and
Apache-2.0."""

LANGUAGES: Final = {
    **{code: (code,) for code in ("en", "de", "fr", "it", "nl", "sv", "da", "fi", "is")},
    **{"es": ("es", "es_ES"), "pt": ("pt", "pt_PT", "pt_BR"), "nb": ("nb", "nn")},
    **{
        "pl": ("pl",),
        "cs": ("cs", "cs_CZ"),
        "sk": ("sk", "sk_SK"),
        "hu": ("hu",),
        "sl": ("sl", "sl_SI"),
        "ro": ("ro",),
    },
    **{"hr": ("hr", "hr_HR", "sr_Latn", "bs")},
    **{"ru": ("ru",), "uk": ("uk",), "bg": ("bg",), "sr": ("sr", "mk"), "el": ("el",), "ja": ("ja",), "ko": ("ko",)},
    **{"zh_Hans": ("zh_Hans", "zh_CN", "zh"), "zh_Hant": ("zh_Hant", "zh_TW")},
}
"""Languages, and the names of their folders and place names in the packages."""

_ENTRY: Final = re.compile(r'^msgstr(?:\[\d\])? ((?:"(?:[^"\\\n]|\\.)*"\n)+)', re.MULTILINE)
_MARKUP: Final = re.compile(r"%\(\w+\)\w|%[a-z]|\{[^{}]*\}|<[^<>]*>|&\w+;|:\w+:`|`+|\*\*|\\|https?:\S+")
_ROMANIAN: Final = str.maketrans("șțȘȚ", "şţŞŢ")  # the letters that ISO 8859-2 has

_FULL_WIDTH: Final = (
    "ヲァィゥェォャュョッーアイウエオカキクケコサシスセソタチツテトナニヌネノハヒフヘホマミムメモヤユヨラリルレロワン"
)
HALF_WIDTH: Final = {
    **{ord(wide): narrow for wide, narrow in zip(_FULL_WIDTH, map(chr, range(0xFF66, 0xFF9E)), strict=True)},
    **{ord(wide): f"{chr(0xFF66 + _FULL_WIDTH.index(chr(ord(wide) - 1)))}\uff9e" for wide in "ガギグゲゴザジズゼゾダヂヅデドバビブベボ"},
    **{ord(wide): f"{chr(0xFF66 + _FULL_WIDTH.index(chr(ord(wide) - 2)))}\uff9f" for wide in "パピプペポ"},
}  # fmt: skip
"""Katakana, and what it is in half the width."""

_FORMS_OF_ALL: Final = (
    *(
        "# °C",
        "#°C",
        "#° #'",
        "#\xa0€",
        "# €",
        "€ #",
        "€#",
        "#\xa0#,#\xa0€",
        "# £",
        "£#",
        "# kg",
        "# m²",
        "# m³",
        "#±#",
        "Ø #",
    ),
    *(
        "№ #",
        "№#",
        "n° #",
        "#\xa0#",
        "#–#",
        "# – #",
        "§ #",
        "§\xa0#",
        "© #",
        "# µm",
        "#½",
        "# · #",
        "#×#",
        "# × #",
        "#%",
        "# %",
    ),
    *("„#“", "“#”", "«#»", "‘#’", "#…", "• #", "#®", "#, #", "#: #", "#-#", "#/#", "#.#.#", "#\xa0kg", "(#)"),
)
_CHINESE: Final = (
    "#年#月#日",
    "#年#月",
    "#元",
    "#℃",
    "¥#",
    "#个",
    "#號",
    "#号",
    "第#",
    "#:#",
    "(#)",
    "#件",
    "#克",
    "#公斤",
)
_FORMS: Final = {
    "ja": (*_CHINESE[:5], "¥#", "〒#-#", "#円", "第#号", "#丁目#番#号", "#個", "(#)", "#:#", "No.#", "#様", "#℃", "㈱#"),
    "zh_Hans": _CHINESE, "zh_Hant": _CHINESE,
    "ko": ("#년 #월 #일", "#원", "₩#", "#개", "#번지", "#호", "#층", "제#", "#℃", "#㎏", "#동 #호"),
    "ru": ("# руб.", "#\xa0₽", "# шт.", "№\xa0#", "# г.", "# кг"), "uk": ("# грн", "# шт.", "# р.", "# кг"),
    "bg": ("# лв.", "# бр.", "# г.", "# кг"), "sr": ("# дин", "# ком", "# кг"), "el": ("# τεμ.", "# κιλά", "# γρ."),
    "pl": ("# zł", "#\xa0zł", "# szt."), "cs": ("# Kč", "#\xa0Kč", "č. #"), "sk": ("# ks", "č. #"), "hu": ("# Ft", "#\xa0Ft"),
    "ro": ("# lei", "nr. #"), "hr": ("# kn", "br. #"),
}  # fmt: skip


def weighted_texts(language: str, packages: Path) -> Iterator[tuple[str, float]]:
    """The texts of a language, and how often each counts. ``packages``: the folder where `PACKAGES` are installed."""
    names = LANGUAGES[language]
    for text in sorted(_translations(names, packages)):
        yield from _with_hard_spaces(text)
    for text in sorted(set().union(*(_places(packages).get(name, set()) for name in names))):
        yield from _with_hard_spaces(text)
    yield from _label_lines(language)
    if language in _WORDS:
        yield from _WORDS[language](packages)


def _with_hard_spaces(text: str) -> Iterator[tuple[str, float]]:
    text = text.translate(_ROMANIAN)
    yield text, 1.0
    if " " in text:
        yield text.replace(" ", "\xa0"), 0.03


def _label_lines(language: str) -> Iterator[tuple[str, float]]:
    """Amounts, measures and numbers as labels have them and programs do not, each worth so many lines of a program."""
    for number in range(1, 400):
        for form in _FORMS.get(language, ()) + _FORMS_OF_ALL:
            yield form.replace("#", str(number * number % 9973)), 0.1


def _translations(names: tuple[str, ...], packages: Path) -> set[str]:
    found = set()
    for name in names:
        for path in _catalogues(packages).get(name, []):
            for quoted in _ENTRY.findall(path.read_text("utf-8")):
                text = "".join(line[1:-1] for line in quoted.splitlines()).replace("\\n", "\n")
                found.update(line.strip() for line in _MARKUP.sub(" ", text).splitlines())
    return found - {""}


@cache
def _catalogues(packages: Path) -> dict[str, list[Path]]:
    """The catalogues of translations by the name of their language's folder."""
    found: defaultdict[str, list[Path]] = defaultdict(list)
    for path in sorted(packages.rglob("LC_MESSAGES/*.po")):
        found[path.parts[-3]].append(path)
    return found


@cache
def _places(packages: Path) -> dict[str, set[str]]:
    """Names of places by language."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    name = re.compile(r"""u?'(\w+)': (u?(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"))""")
    for path in sorted(packages.glob("phonenumbers/geodata/data*.py")):
        for language, quoted in name.findall(path.read_text("utf-8")):
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
    folder = packages / "opencc" / "dictionary"
    table: dict[str, str] = {}
    for name in ("STCharacters.txt", "STPhrases.txt"):
        for line in (folder / name).read_text("utf-8").splitlines():
            simplified, _, traditional = line.partition("\t")
            table[simplified] = traditional.split(" ")[0]
    for word, weight in _jieba(packages):
        yield table.get(word, "".join(table.get(one, one) for one in word)), weight


def _ipadic(packages: Path) -> Iterator[tuple[str, float]]:
    """Words, by the costs that the dictionary gives them: 700 of these are a factor of e."""
    entry = re.compile(r"\(u'((?:[^'\\]|\\.)*)',\d+,\d+, ?(-?\d+)\)")
    for path in sorted((packages / "janome" / "sysdic").glob("entries_compact?.py")):
        for word, cost in entry.findall(path.read_text("utf-8")):
            plain = word.encode().decode("unicode_escape")
            if not plain.isascii():
                yield plain, 20 * math.exp(-int(cost) / 1500)


_WORDS: Final[dict[str, Callable[[Path], Iterator[tuple[str, float]]]]] = {
    "ja": _ipadic,
    "zh_Hans": _jieba,
    "zh_Hant": _traditional,
}
