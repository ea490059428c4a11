"""Short strings as labels, forms and business cards have them, in many languages, for measuring guesses of charsets.

Names, places and companies are Faker's, countries, dates, amounts and units are those of Unicode's CLDR in Babel; the
phrases around them stand here. None of it is what the guess of the service was trained on.
"""

import itertools
import random
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Final

from babel import Locale
from babel.dates import format_date
from babel.numbers import format_currency
from babel.units import format_unit
from faker import Faker

from training.charsets.texts import HALF_WIDTH

SHORTEST, LONGEST = 4, 60
"""Bytes of a string."""

UTF_8, UTF_16_LE, UTF_16_BE = "UTF-8", "UTF-16LE with BOM", "UTF-16BE with BOM"
UTF_8_MARKED = "UTF-8 with BOM"
_WESTERN: Final = ("windows-1252", "ISO-8859-1")
_CENTRAL: Final = ("windows-1250", "ISO-8859-2")
_CYRILLIC: Final = ("windows-1251", "ISO-8859-5")
_BOMS: Final = {UTF_16_LE: b"\xff\xfe", UTF_16_BE: b"\xfe\xff", UTF_8_MARKED: b"\xef\xbb\xbf"}
_CODECS: Final = {
    "GB18030": "gb18030",
    "windows-874": "cp874",
    UTF_8_MARKED: "utf-8",
    UTF_16_LE: "utf-16-le",
    UTF_16_BE: "utf-16-be",
}


@dataclass(frozen=True, slots=True)
class Language:
    """A language: Faker's locale for it, its currency, charsets and phrases. Fields in braces are filled in."""

    locale: str
    currency: str
    charsets: tuple[str, ...]
    phrases: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Sample:
    """A string, and its bytes in a charset; ``charset`` is one of `CHARSETS` or `RARER_CHARSETS`."""

    language: str
    charset: str
    text: str
    payload: bytes


def _languages() -> tuple[Language, ...]:
    table = tomllib.loads(Path(__file__).with_name("phrases.toml").read_text("utf-8"))
    return tuple(
        Language(locale, one["currency"], tuple(one["charsets"]), tuple(one["phrases"]))
        for locale, one in table.items()
    )


LANGUAGES: Final = _languages()

CHARSETS: Final = (
    *("Shift_JIS", "GB18030", "Big5", "EUC-KR", *_CENTRAL, *_CYRILLIC, "ISO-8859-7", *_WESTERN, UTF_8),
    *(UTF_16_LE, UTF_16_BE),
)
RARER_CHARSETS: Final = (
    *("EUC-JP", "ISO-2022-JP", "KOI8-R", "KOI8-U", "IBM866", "windows-1253", "windows-1254", "windows-1255"),
    *("windows-1256", "windows-874", UTF_8_MARKED),
)
_COMMON_LANGUAGES: Final = tuple(one for one in LANGUAGES if set(one.charsets) & set(CHARSETS))

_UNITS: Final = ("mass-kilogram", "mass-gram", "volume-liter", "length-meter", "duration-day", "temperature-celsius")


def draw_samples(count: int, seed: int, charsets: Sequence[str] = CHARSETS) -> list[Sample]:
    """Draws strings that differ, ``count`` in all: charset after charset, and of each language after language."""
    fakers = {language.locale: Faker(language.locale) for language in LANGUAGES}
    for number, faker in enumerate(fakers.values()):
        faker.seed_instance(seed + number)
    rng = random.Random(seed)
    streams = {charset: _stream(charset, fakers, rng) for charset in charsets}
    seen: set[bytes] = set()
    samples: list[Sample] = []
    for charset in itertools.cycle(charsets):
        if len(samples) == count:
            return samples
        sample = next(one for one in streams[charset] if one.payload not in seen)
        seen.add(sample.payload)
        samples.append(sample)
    raise AssertionError("a cycle does not end")


_NAMES_IN: Final[dict[tuple[str, ...], tuple[str, ...]]] = {
    _WESTERN[:1]: ("de", "fr", "es", "pt", "it", "nl", "sv", "da", "nb", "fi", "ca", "is"),
    _CENTRAL: ("pl", "cs", "hu", "hr", "sk", "sl"),
    _CYRILLIC: ("ru", "uk", "bg", "mk", "sr"),
    ("Shift_JIS",): ("ja",),
    ("EUC-KR",): ("ko",),
    ("GB18030",): ("zh_Hans",),
    ("Big5",): ("zh_Hant",),
    ("ISO-8859-7",): ("el",),
}


def draw_names(most: int, seed: int) -> list[Sample]:
    """Draws names of languages, currencies, countries and scripts that stand alone, 4 bytes at least: at most ``most``
    in each of 27 languages and each of its charsets. Many are foreign to the language."""
    rng = random.Random(seed)
    samples: list[Sample] = []
    for charset, language in (
        (one, name) for charsets, names in _NAMES_IN.items() for one in charsets for name in names
    ):
        locale = Locale.parse(language)
        every = {*locale.languages.values(), *locale.currencies.values(), *locale.territories.values()}
        texts = sorted({str(text) for text in (*every, *locale.scripts.values())})
        found = [Sample(language, charset, text, encode(text, charset)) for text in texts if not text.isascii()]
        found = [sample for sample in found if len(sample.payload) >= SHORTEST]
        samples += rng.sample(found, min(most, len(found)))
    return samples


def _stream(charset: str, fakers: Mapping[str, Faker], rng: random.Random) -> Iterator[Sample]:
    spoken = [one for one in LANGUAGES if charset in one.charsets] or _COMMON_LANGUAGES
    for language in itertools.cycle(spoken):
        fields = _fields(language, fakers[language.locale], rng)
        payload, text = b"", ""
        while not SHORTEST <= len(payload) <= LONGEST or text.isascii():
            text = "".join(_filled(rng.choice(language.phrases), fields))
            text = text[: rng.randrange(8, LONGEST + 1)].strip() if len(text) > LONGEST else text
            payload = encode(text, charset)
        yield Sample(language.locale, charset, text, payload)


def _filled(phrase: str, fields: Mapping[str, Callable[[], str]]) -> Iterator[str]:
    for part in re.split(r"\{|\}", phrase):
        yield fields[part]() if part in fields else part


def encode(text: str, charset: str) -> bytes:
    """The bytes of a text; none if the charset lacks one of its characters."""
    try:
        return _BOMS.get(charset, b"") + text.encode(_CODECS.get(charset, charset))
    except UnicodeEncodeError:
        return b""


def _fields(language: Language, faker: Faker, rng: random.Random) -> dict[str, Callable[[], str]]:
    locale = Locale.parse(language.locale)
    countries = sorted(str(code) for code in locale.territories if len(str(code)) == 2)

    def money() -> str:
        return format_currency(rng.randrange(100, 1_000_000) / 100, language.currency, locale=locale)

    def day() -> str:
        form = rng.choice(("medium", "long", "full", "MMMM yyyy", "EEEE"))
        return format_date(date(2020, 1, 1) + timedelta(days=rng.randrange(3000)), form, locale)

    def unit() -> str:
        return format_unit(rng.randrange(2, 900), rng.choice(_UNITS), rng.choice(("long", "short")), locale=locale)

    return {
        "name": faker.name,
        "address": lambda: " ".join(str(faker.address()).split()),
        "street": lambda: str(faker.street_address()),
        "city": faker.city,
        "company": faker.company,
        "n": lambda: str(rng.randrange(1, 10 ** rng.randrange(1, 9))),
        "money": money,
        "date": day,
        "country": lambda: locale.territories[rng.choice(countries)],
        "unit": unit,
        "halfwidth": lambda: str(faker.kana_name()).translate(HALF_WIDTH),
    }
