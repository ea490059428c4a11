"""What messages mean: text by ECI, mode, hint and guess, and content types."""

import pytest

from app.pipeline.payload.charsets import Charset
from app.pipeline.payload.interpreting import CharsetSource, Interpretation, interpret, interpret_parts
from app.pipeline.qrcode.segments import Message, Segment, StructuredAppend


def message(*segments: Segment, fnc1: int = 0, application: bytes = b"") -> Message:
    return Message(segments, None, fnc1, application, 0)


def byte(payload: bytes, eci: int | None = None) -> Segment:
    return Segment("byte", eci, payload)


def meaning(*segments: Segment, hint: Charset | None = None) -> Interpretation:
    return interpret([message(*segments)], hint)


@pytest.mark.parametrize(
    ("eci", "codec", "text", "name"),
    [
        (3, "latin-1", "Grüße", "ISO-8859-1"),
        (4, "iso8859-2", "Łódź", "ISO-8859-2"),
        (7, "iso8859-5", "Москва", "ISO-8859-5"),
        (9, "iso8859-7", "Αθήνα", "ISO-8859-7"),
        (17, "iso8859-15", "5 €", "ISO-8859-15"),
        (20, "shift_jis", "日本語ｶﾅ", "Shift_JIS"),
        (21, "cp1250", "Łódź", "windows-1250"),
        (22, "cp1251", "Привет", "windows-1251"),
        (23, "cp1252", "“œuvre”", "windows-1252"),
        (25, "utf-16-be", "日本 ok", "UTF-16BE"),
        (26, "utf-8", "日本 ok", "UTF-8"),
        (28, "big5", "臺北", "Big5"),
        (29, "gb2312", "北京", "GB2312"),
        (30, "euc-kr", "서울", "EUC-KR"),
        (32, "gb18030", "北京㐀", "GB18030"),
    ],
)
def test_bytes_under_an_eci(eci: int, codec: str, text: str, name: str) -> None:
    found = meaning(byte(text.encode(codec), eci), hint=Charset("KOI8-R", "koi8-r"))
    assert (found.text, found.charset, found.source, found.content_type) == (text, name, CharsetSource.ECI, "Text")


def test_a_kanji_segment_is_shift_jis_whatever_eci_stands_before_it() -> None:
    kanji = Segment("kanji", 26, "日本".encode("shift_jis"))
    found = meaning(byte("Straße – ".encode(), 26), kanji)
    assert (found.text, found.charset) == ("Straße – 日本", "UTF-8")
    hanzi = Segment("hanzi", 22, "汉字".encode("gb2312"))
    assert meaning(byte("Да".encode("cp1251"), 22), hanzi).text == "Да汉字"


def test_charsets_that_the_modes_fix() -> None:
    assert meaning(Segment("numeric", None, b"42")) == Interpretation("42", "Text", "US-ASCII", CharsetSource.MODE)
    kanji = meaning(Segment("numeric", None, b"42"), Segment("kanji", None, "日".encode("shift_jis")))
    assert (kanji.text, kanji.charset, kanji.source) == ("42日", "Shift_JIS", CharsetSource.MODE)


def test_a_hint_is_for_bytes_without_an_eci() -> None:
    hint = Charset("KOI8-R", "koi8-r")
    found = meaning(
        byte("Привет".encode("koi8-r")), Segment("numeric", None, b"1"), byte(" мир".encode("koi8-r")), hint=hint
    )
    assert (found.text, found.charset, found.source) == ("Привет" + "1" + " мир", "KOI8-R", CharsetSource.HINT)
    assert meaning(byte(b"\xff\x80ok"), hint=Charset("EUC-KR", "cp949")).text.endswith("ok")


def test_the_guess_is_one_for_all_byte_segments_of_a_symbol() -> None:
    """The second one alone would pass for another charset."""
    found = meaning(byte("日本語の".encode()), Segment("numeric", None, b"1"), byte("é".encode()))
    assert (found.text, found.charset, found.source) == ("日本語の1é", "UTF-8", CharsetSource.GUESSED)
    latin = meaning(byte(b"Stra\xdfe "), Segment("numeric", None, b"12"), byte("é".encode("latin-1")))
    assert latin.text == "Straße 12é"


def test_half_width_katakana_beside_a_kanji_segment_are_shift_jis() -> None:
    """As encoders write them that switch modes; alone these two bytes pass for one Chinese character."""
    kanji, kana = Segment("kanji", None, "日".encode("shift_jis")), byte("ﾃﾗ".encode("shift_jis"))
    assert meaning(kana).charset != "Shift_JIS"
    found = meaning(kanji, kana)
    assert (found.text, found.charset, found.source) == ("日ﾃﾗ", "Shift_JIS", CharsetSource.GUESSED)
    hanzi = meaning(Segment("hanzi", None, "汉".encode("gb2312")), byte("个".encode("gb2312")))
    assert (hanzi.text, hanzi.charset) == ("汉个", "GB18030")


def test_utf_16_is_text_though_it_has_zero_bytes() -> None:
    found = meaning(byte(b"\xff\xfe" + "Größe 5".encode("utf-16-le")))
    assert (found.text, found.charset, found.content_type) == ("Größe 5", "UTF-16LE", "Text")
    assert meaning(byte(b"\xff\xfe\x00\x00\x01\x00")).content_type == "Binary"
    hinted = meaning(byte("Größe".encode("utf-16-be")), hint=Charset("UTF-16BE", "utf-16-be"))
    assert (hinted.text, hinted.content_type) == ("Größe", "Text")


def test_binary_bytes_stay_latin_1() -> None:
    found = meaning(byte(bytes.fromhex("00b1b1bea9ca d0bad5b5edc7f80102")))
    assert (found.charset, found.content_type) == ("ISO-8859-1", "Binary")


def test_a_part_of_a_structured_append_may_begin_and_end_within_characters() -> None:
    cut = "東京都港区".encode()[1:-1]
    assert meaning(byte(cut)).charset == "UTF-8"


def test_characters_cut_between_segments_are_whole() -> None:
    first, second = "日".encode()[:2], "日".encode()[2:]
    assert meaning(byte(first), byte(second)).text == "日"
    assert meaning(byte(first, 26), byte(second, 26)).text == "日"
    whole = interpret([message(byte(b"a" + first)), message(byte(second))])
    assert whole.text == "a日"


@pytest.mark.parametrize(
    ("segments", "kind"),
    [
        ([byte(b"a\tb\r\nc")], "Text"),
        ([byte(b"a\0b")], "Binary"),
        ([byte(b"plain", 899)], "Binary"),
        ([byte(b"\0a", 25)], "Text"),
        ([Segment("alphanumeric", None, b"A"), byte(b"\0")], "Binary"),
        ([Segment("alphanumeric", None, b"A"), byte(b"\0", 3)], "Mixed"),
        ([byte(b"\xff\xfe", 900)], "UnknownECI"),
        ([byte(b"[)>\x1e06\x1dP123")], "ISO15434"),
    ],
)
def test_content_types(segments: list[Segment], kind: str) -> None:
    assert meaning(*segments).content_type == kind


def test_gs1_is_what_fnc1_in_first_position_says() -> None:
    elements = Segment("numeric", None, b"0109521234543213")
    assert interpret([message(elements, fnc1=1)]).content_type == "GS1"
    second = interpret([message(elements, fnc1=2, application=b"37")])
    assert (second.content_type, second.text) == ("Text", "370109521234543213")


def test_an_unknown_eci_becomes_latin_1() -> None:
    found = meaning(byte(b"\xe9", 900))
    assert (found.text, found.charset, found.source) == ("é", "ECI 900", CharsetSource.ECI)


def parts(*payloads: bytes, first: int = 0, total: int | None = None, eci: int | None = None) -> list[Message]:
    total = total or first + len(payloads)
    return [
        Message((byte(payload, eci),), StructuredAppend(first + number, total, 0), 0, b"", 0)
        for number, payload in enumerate(payloads)
    ]


def texts(messages: list[Message], hint: Charset | None = None) -> list[str]:
    return [one.text for one in interpret_parts(messages, hint)]


def test_parts_are_in_the_charset_of_their_message() -> None:
    stored = "Kühlen bei 4 °C, Größe ñ".encode()
    found = interpret_parts(parts(stored[:2], stored[2:24], stored[24:]))
    assert [one.text for one in found] == ["K\ufffd", "\ufffdhlen bei 4 °C, Grö\ufffd", "\ufffde ñ"]
    assert {(one.charset, one.source) for one in found} == {("UTF-8", CharsetSource.GUESSED)}


@pytest.mark.parametrize(
    ("codec", "eci", "hint"),
    [("cp932", None, None), ("cp932", 20, None), ("euc_jp", None, Charset("EUC-JP", "euc_jp"))],
)
def test_what_is_cut_off_of_a_character_is_not_taken_for_the_beginning_of_another(
    codec: str, eci: int | None, hint: Charset | None
) -> None:
    stored = "常温保存できます".encode(codec)
    messages = parts(stored[:3], stored[3:9], stored[9:], eci=eci)
    assert texts(messages, hint) == ["常\ufffd", "\ufffd保存\ufffd", "\ufffdきます"]
    assert interpret(messages, hint).text == "常温保存できます"


def test_escapes_of_one_part_hold_in_the_next() -> None:
    stored = "冷蔵庫 A".encode("iso2022_jp")
    found = interpret_parts(parts(stored[:5], stored[5:]))
    assert [(one.text, one.charset, one.content_type) for one in found] == [
        ("冷", "ISO-2022-JP", "Text"), ("蔵庫 A", "ISO-2022-JP", "Text"),
    ]  # fmt: skip


def test_characters_are_never_made_of_pieces_of_two() -> None:
    """The middle part is missing: c3 and a9 would be an é."""
    first, last = parts(b"12 St\xc3\xbcck f\xc3", b"\xbcr die", b"\xa9rkte", total=3)[::2]
    assert interpret([first, last]).text == "12 Stück f\ufffd\ufffdrkte"
    assert texts([first, last]) == ["12 Stück f\ufffd", "\ufffdrkte"]


def test_a_part_alone_may_be_cut() -> None:
    (part,) = parts(b"\x9f4 \xc3\xa4pfel\xc3", first=1, total=4)
    assert interpret([part]).text == "\ufffd4 äpfel\ufffd"
    (part,) = parts(b"\x83\x86 \xc3\xa4", first=2, total=3)
    assert interpret([part]).text == "\ufffd ä"
    assert meaning(byte(b"\x9f4 \xc3\xa4pfel\xc3")).charset != "UTF-8"


def test_digits_between_bytes_stand_in_their_part() -> None:
    stored = "für".encode()
    one = Message((byte(stored[:2]),), StructuredAppend(0, 2, 0), 2, b"37", 0)
    other = Message((byte(stored[2:]), Segment("numeric", None, b"42")), StructuredAppend(1, 2, 0), 0, b"", 0)
    assert texts([one, other]) == ["37f\ufffd", "\ufffdr42"]
    assert interpret([one, other]).text == "37für42"


def test_a_byte_order_mark_is_no_text() -> None:
    marked = "\ufeffKäse".encode()
    assert (meaning(byte(marked)).text, meaning(byte(marked, 26)).text) == ("Käse", "Käse")
    assert meaning(byte(marked), hint=Charset("UTF-8", "utf-8")).text == "Käse"
    assert texts(parts(marked[:5], marked[5:])) == ["K\ufffd", "\ufffdse"]


def test_iso_2022_jp_is_text_though_it_has_escapes() -> None:
    found = meaning(byte("品番 A-17".encode("iso2022_jp")))
    assert (found.text, found.charset, found.content_type) == ("品番 A-17", "ISO-2022-JP", "Text")
