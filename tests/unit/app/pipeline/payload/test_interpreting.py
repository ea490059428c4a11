"""What messages mean: text by ECI, mode, hint and guess, and content types."""

import pytest

from app.pipeline.payload.charsets import Charset
from app.pipeline.payload.interpreting import CharsetSource, Interpretation, interpret
from app.pipeline.qrcode.segments import Message, Segment


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
