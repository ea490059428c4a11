"""Short strings as labels, forms and business cards have them, in many languages, for measuring guesses of charsets.

Names, places and companies are Faker's, countries, dates, amounts and units are those of Unicode's CLDR in Babel; the
phrases around them stand here. None of it is what the guess of the service was trained on.
"""

import itertools
import random
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
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
_WESTERN: Final = ("windows-1252", "ISO-8859-1")
_CENTRAL: Final = ("windows-1250", "ISO-8859-2")
_CYRILLIC: Final = ("windows-1251", "ISO-8859-5")
_BOMS: Final = {UTF_16_LE: b"\xff\xfe", UTF_16_BE: b"\xfe\xff"}
_CODECS: Final = {"GB18030": "gb18030", UTF_16_LE: "utf-16-le", UTF_16_BE: "utf-16-be"}


@dataclass(frozen=True, slots=True)
class Language:
    """A language: Faker's locale for it, its currency, charsets and phrases. Fields in braces are filled in."""

    locale: str
    currency: str
    charsets: tuple[str, ...]
    phrases: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Sample:
    """A string, and its bytes in a charset; ``charset`` is one of `CHARSETS`."""

    language: str
    charset: str
    text: str
    payload: bytes


LANGUAGES: Final = (
    Language("ja_JP", "JPY", ("Shift_JIS",), (
        "{name} 様", "{city}", "{address}", "注文番号:{n}", "お届け先 {name}", "{company}", "品名 ﾎﾞﾙﾄ {unit}",
        "{halfwidth}", "TEL {n} ご担当 {name}", "{date}発行", "合計 {money}(税込)", "賞味期限:{date}", "原産国 {country}",
    )),
    Language("zh_CN", "CNY", ("GB18030",), (
        "{name}", "{address}", "收货人:{name}", "订单号 {n}", "{company}", "生产日期:{date}", "数量 {n}件", "{unit}",
        "联系电话:{n}", "{city}", "合计 {money}", "产地:{country}", "保质期至{date}",
    )),
    Language("zh_TW", "TWD", ("Big5",), (
        "{name} 先生", "{address}", "收件人:{name}", "訂單編號 {n}", "{company}", "製造日期:{date}", "數量 {n}個", "{city}",
        "電話:{n}", "{unit}", "總計 {money}", "原產地:{country}", "有效期限{date}",
    )),
    Language("ko_KR", "KRW", ("EUC-KR",), (
        "{name}", "{address}", "받는 사람: {name}", "주문번호 {n}", "{company}", "제조일자 {date}", "수량 {n}개", "{city}",
        "전화 {n}", "합계 {money}", "원산지: {country}", "유통기한 {date}까지", "{unit}",
    )),
    Language("pl_PL", "PLN", _CENTRAL, (
        "{name}", "{address}", "Zamówienie nr {n}", "{company}", "Ilość: {n} szt.", "Data ważności {date}", "{city}",
        "Odbiorca: {name}", "Do zapłaty {money}", "Kraj: {country}", "{unit}", "Przesyłka {n}", "{street}",
    )),
    Language("cs_CZ", "CZK", _CENTRAL, (
        "{name}", "{address}", "Objednávka č. {n}", "{company}", "Množství {n} ks", "Spotřebujte do {date}", "{city}",
        "Příjemce: {name}", "Celkem {money}", "Země původu {country}", "{unit}", "{street}",
    )),
    Language("hu_HU", "HUF", _CENTRAL, (
        "{name}", "{address}", "Rendelés {n}", "{company}", "Mennyiség: {n} db", "Minőségét megőrzi: {date}", "{city}",
        "Címzett: {name}", "Fizetendő {money}", "{country}", "{unit}", "{street}",
    )),
    Language("hr_HR", "EUR", _CENTRAL, (
        "{name}", "{address}", "Narudžba br. {n}", "{company}", "Količina {n} kom", "Rok trajanja {date}", "{city}",
        "Primatelj: {name}", "Za uplatu {money}", "Zemlja podrijetla {country}", "{unit}", "Račun br. {n}",
    )),
    Language("ru_RU", "RUB", _CYRILLIC, (
        "{name}", "{address}", "Заказ № {n}", "{company}", "Кол-во: {n} шт.", "Годен до {date}", "{city}", "{unit}",
        "Получатель {name}", "Итого {money}", "Страна: {country}", "{street}", "Артикул {n}",
    )),
    Language("uk_UA", "UAH", _CYRILLIC, (
        "{name}", "{address}", "Замовлення № {n}", "Кількість: {n} шт.", "Вжити до {date}", "{city}", "{unit}",
        "Одержувач {name}", "Усього {money}", "Країна: {country}", "{street}",
    )),
    Language("bg_BG", "BGN", _CYRILLIC, (
        "{name}", "Поръчка № {n}", "Количество: {n} бр.", "Годно до {date}", "{unit}", "Получател {name}",
        "Общо {money}", "Държава: {country}", "ул. „{name}“ {n}",
    )),
    Language("el_GR", "EUR", ("ISO-8859-7",), (
        "{name}", "{address}", "Παραγγελία {n}", "{company}", "Ποσότητα: {n} τεμ.", "Ημ. λήξης {date}", "{city}",
        "Παραλήπτης: {name}", "Σύνολο {money}", "Χώρα {country}", "{unit}", "ΑΦΜ {n}", "{street}",
    )),
    Language("de_DE", "EUR", _WESTERN, (
        "{name}", "{address}", "Bestellung für {name}", "{company}", "Stückzahl: {n}", "Mindestens haltbar bis {date}",
        "{city}", "Empfänger: {name}", "Betrag {money}", "{country}", "{unit}", "Straße {n}", "„{city}“ Größe {n}",
    )),
    Language("fr_FR", "EUR", _WESTERN, (
        "{name}", "{address}", "Commande n° {n}", "{company}", "Quantité : {n}", "À consommer avant le {date}",
        "{city}", "Destinataire : {name}", "Total payé {money}", "{country}", "{unit}", "Expédié le {date}",
    )),
    Language("es_ES", "EUR", _WESTERN, (
        "{name}", "{address}", "Pedido n.º {n}", "{company}", "Artículo {n}", "Fecha de caducidad: {date} (año)",
        "{city}", "Destinatario: {name}", "Importe {money}", "País {country}", "{unit}", "Teléfono {n}",
    )),
    Language("pt_PT", "EUR", _WESTERN, (
        "{name}", "{address}", "Encomenda n.º {n}", "{company}", "Referência {n}", "Válido até {date}", "{city}",
        "Destinatário: {name}", "Total {money}", "País: {country}", "{unit}", "São {n} peças",
    )),
    Language("sv_SE", "SEK", _WESTERN, (
        "{name}", "{address}", "Beställning {n}", "{company}", "Antal {n} st på pall", "Bäst före {date}", "{city}",
        "Mottagare {name}, {street}", "Att betala {money}", "{country}", "{unit}", "Vår ref. {n}",
    )),
    Language("da_DK", "DKK", _WESTERN, (
        "{name}", "{address}", "Ordre {n} på lager", "{company}", "Mængde {n} stk.", "Mindst holdbar til {date} (uåbnet)",
        "{city}", "Modtager: {name}", "Beløb {money}", "{country}", "{unit}", "Køb {n}",
    )),
)  # fmt: skip
"""The languages, and for each the charsets that its strings are written in apart from those of Unicode."""

CHARSETS: Final = (
    *("Shift_JIS", "GB18030", "Big5", "EUC-KR", *_CENTRAL, *_CYRILLIC, "ISO-8859-7", *_WESTERN, UTF_8),
    *(UTF_16_LE, UTF_16_BE),
)

_UNITS: Final = ("mass-kilogram", "mass-gram", "volume-liter", "length-meter", "duration-day", "temperature-celsius")


def draw_samples(count: int, seed: int) -> list[Sample]:
    """Draws strings that differ, ``count`` in all: charset after charset, and of each language after language."""
    fakers = {language.locale: Faker(language.locale) for language in LANGUAGES}
    for number, faker in enumerate(fakers.values()):
        faker.seed_instance(seed + number)
    rng = random.Random(seed)
    streams = {charset: _stream(charset, fakers, rng) for charset in CHARSETS}
    seen: set[bytes] = set()
    samples: list[Sample] = []
    for charset in itertools.cycle(CHARSETS):
        if len(samples) == count:
            return samples
        sample = next(one for one in streams[charset] if one.payload not in seen)
        seen.add(sample.payload)
        samples.append(sample)
    raise AssertionError("a cycle does not end")


def _stream(charset: str, fakers: Mapping[str, Faker], rng: random.Random) -> Iterator[Sample]:
    spoken = [one for one in LANGUAGES if charset in one.charsets] or LANGUAGES
    for language in itertools.cycle(spoken):
        fields = _fields(language, fakers[language.locale], rng)
        payload, text = b"", ""
        while not SHORTEST <= len(payload) <= LONGEST or text.isascii():
            phrase = rng.choice(language.phrases)
            text = re.sub(r"\{(\w+)\}", lambda found: fields[found[1]](), phrase)
            text = text[: rng.randrange(8, LONGEST + 1)].strip() if len(text) > LONGEST else text
            payload = encode(text, charset)
        yield Sample(language.locale, charset, text, payload)


def encode(text: str, charset: str) -> bytes:
    """The bytes of a text; none if the charset lacks one of its characters."""
    try:
        return _BOMS.get(charset, b"") + text.encode(_CODECS.get(charset, charset))
    except UnicodeEncodeError:
        return b""


def _fields(language: Language, faker: Faker, rng: random.Random) -> dict[str, Callable[[], str]]:
    locale = Locale.parse(language.locale)
    countries = sorted(code for code in locale.territories if len(code) == 2)

    def money() -> str:
        return format_currency(rng.randrange(100, 1_000_000) / 100, language.currency, locale=locale)

    def day() -> str:
        form = rng.choice(("medium", "long", "full", "MMMM yyyy", "EEEE"))
        return format_date(date(2020, 1, 1) + timedelta(days=rng.randrange(3000)), form, locale)

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
        "unit": lambda: format_unit(rng.randrange(2, 900), rng.choice(_UNITS), rng.choice(("long", "short")), locale=locale),
        "halfwidth": lambda: str(faker.kana_name()).translate(HALF_WIDTH),
    }  # fmt: skip
