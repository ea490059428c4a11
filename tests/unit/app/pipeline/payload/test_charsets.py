"""Guesses of the charset of bytes that name none."""

import random
import time

import pytest

from app.pipeline.payload.charsets import GB18030, SHIFT_JIS, Charset, guess_charset, guess_charset_of_parts

TEXTS = {
    "Shift_JIS": ("東京都港区芝公園4-2-8", "ﾔﾏﾀﾞ ﾀﾛｳ", "ｱｲｳ", "品番 A-17 ねじ", "ボルト M6×20", "カ", "ｶﾞｽ管", "お客様"),
    "GB18030": ("北京市朝阳区建国路88号", "李明", "发票号码:0043", "有限公司", "规格:10×20毫米", "重庆火锅底料"),
    "Big5": ("臺北市信義區松高路11號", "林志明", "發票號碼 0043", "統一編號:12345678", "鳳梨酥", "營業時間"),
    "EUC-KR": ("서울특별시 중구 세종대로 110", "이영희", "품명: 볼트", "대한민국", "송장번호 0043", "커피"),
    "windows-1250": ("Żółć i gęś", "ul. Świętokrzyska 12, Łódź", "Jiří Dvořák", "Šumava – Železná Ruda", "Győr"),
    "ISO-8859-2": ("Świętokrzyska 12", "Jiří Dvořák", "Poľná 3, Žilina", "Kőszeg", "Žižkov"),
    "windows-1251": ("Москва, ул. Тверская, д. 7", "Да", "Счёт № 43", "Київ, вул. Хрещатик", "Хлеб ржаной", "СЧЁТ 12"),
    "ISO-8859-5": ("Санкт-Петербург", "Накладная 43", "Львів", "Иванов И. И."),
    "ISO-8859-7": ("Αθήνα, Οδός Ερμού 12", "Θεσσαλονίκη", "Ελιές 500 γρ.", "ΓΑΛΑ", "Νίκος"),
    "windows-1252": ("Preis: 12,50 €", "„Müller“ – Söhne", "l\u2019été", "cœur de bœuf"),
    "ISO-8859-1": ("Straße", "Müller", "café", "Ålesund", "Smørrebrød", "25 °C", "São Paulo", "1½ m²", "ÄPFEL"),
    "UTF-8": ("Grüße", "日本", "Привет", "€", "plain"),
    "EUC-JP": ("冷蔵庫で保存してください", "出荷日 11月3日 ねじ", "お届け先: 山田太郎 様"),
    "KOI8-R": ("Хранить в сухом месте", "Поставка 88", "Екатеринбург"),
    "KOI8-U": ("Зберігати в сухому місці", "Лічильник енергії 12", "Київ, вул. Лесі Українки"),
    "IBM866": ("Хрупкое, не кантовать", "Партия 88", "Тула"),
    "windows-1253": ("Άγιος Νικόλαος, 5 €", "Άνω Λιόσια – Αχαρνές"),
    "windows-1254": ("I\u015f\u0131k Eczanesi, Beşiktaş", "Eğitim kitaplar\u0131", "Kargo şubesi: Muğla", "İĞNE"),
    "windows-1255": ("ירושלים עיר הבירה", "נא לשמור בקירור", "חיפה, רחוב הרצל 12"),
    "windows-1256": ("يحفظ في مكان بارد", "القاهرة، مصر", "رقم الفاتورة 88"),
    "windows-874": ("เก็บในที่แห้ง", "กรุงเทพมหานคร 10110", "ราคา 25 บาท"),
    "ISO-2022-JP": ("冷蔵庫", "品番 A-17 ねじ", "ﾔﾏﾀﾞ 様"),
}  # fmt: skip
CODECS = {"Shift_JIS": "cp932", "EUC-KR": "cp949", "windows-874": "cp874", "ISO-2022-JP": "iso2022_jp_ext"}
CASES = [(name, text) for name, texts in TEXTS.items() for text in texts]


def stored(text: str, name: str) -> bytes:
    return text.encode(CODECS.get(name, name))


@pytest.mark.parametrize(("name", "text"), CASES)
def test_short_texts(name: str, text: str) -> None:
    """Of charsets that have the same bytes for a text, any will do."""
    guess = guess_charset(stored(text, name))
    assert guess.decode(stored(text, name)) == text


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("Shift_JIS", "東京都港区芝公園4-2-8"),
        ("GB18030", "北京市朝阳区建国路88号"),
        ("Big5", "臺北市信義區松高路11號"),
        ("EUC-KR", "서울특별시 중구 세종대로 110"),
        ("windows-1250", "ul. Świętokrzyska 12, Łódź"),
        ("ISO-8859-2", "ul. Świętokrzyska 12, Łódź"),
        ("windows-1251", "Москва, ул. Тверская, д. 7"),
        ("ISO-8859-5", "Москва, ул. Тверская, д. 7"),
        ("ISO-8859-7", "Αθήνα, Οδός Ερμού 12"),
        ("windows-1252", "„Müller“ – Söhne"),
        ("ISO-8859-1", "Müller & Söhne"),
        ("UTF-8", "Müller & Söhne"),
        ("EUC-JP", "冷蔵庫で保存してください"),
        ("KOI8-R", "Хранить в сухом месте"),
        ("KOI8-U", "Зберігати в сухому місці"),
        ("IBM866", "Хрупкое, не кантовать"),
        ("windows-1254", "I\u015f\u0131k Eczanesi, Beşiktaş"),
        ("windows-1255", "נא לשמור בקירור"),
        ("windows-1256", "يحفظ في مكان بارد"),
        ("windows-874", "เก็บในที่แห้ง"),
        ("ISO-2022-JP", "冷蔵庫"),
    ],
)
def test_names_of_charsets(name: str, text: str) -> None:
    assert guess_charset(stored(text, name)).name == name


@pytest.mark.parametrize(
    ("codec", "mark", "name"), [("utf-16-le", b"\xff\xfe", "UTF-16LE"), ("utf-16-be", b"\xfe\xff", "UTF-16BE")]
)
@pytest.mark.parametrize("text", ["Grüße\r\n", "日本語", "12 €", "Да"])
def test_utf_16_says_so_by_its_mark(codec: str, mark: bytes, name: str, text: str) -> None:
    guess = guess_charset(mark + text.encode(codec))
    assert (guess.name, guess.decode(mark + text.encode(codec))) == (name, text)


@pytest.mark.parametrize("payload", [b"\xff\xfe\x00\x01\x02\x00", b"\xff\xfea", b"\xff\xfe\x00\xd8\x00\x00"])
def test_a_mark_alone_makes_no_utf_16(payload: bytes) -> None:
    assert guess_charset(payload).name == "ISO-8859-1"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("windows-1250", "guyanský dolar"),
        ("windows-1251", "йемба"),
        ("windows-1251", "дирхам ОАЭ"),
        ("ISO-8859-5", "ханьб"),
        ("ISO-8859-7", "να ΑΦΜ 41918 ΑΦΜ 7"),
        ("Shift_JIS", "ｻｻｷ ｶﾅ"),
        ("Big5", "扎扎文"),
        ("GB18030", "立陶宛塔咯呐司"),
    ],
)
def test_rarer_charsets_take_no_text_from_the_others(name: str, text: str) -> None:
    """Those that come nearest to it."""
    assert guess_charset(stored(text, name)).decode(stored(text, name)) == text


@pytest.mark.parametrize("codec", ["utf-8", "utf-16-le", "utf-16-be", "gb18030"])
def test_a_byte_order_mark_is_no_part_of_the_text(codec: str) -> None:
    payload = "\ufeffKäse 日本".encode(codec)
    assert guess_charset(payload).decode(payload) == "Käse 日本"


@pytest.mark.parametrize(
    "payload",
    [
        *(b"\x1b$Bplain", b"\x1b$B\x7f\x7f\x1b(B", b"\x1b$@\x01\x02\x1b(J", b"costs $B (B"),
        "\x1b$B日\x1b(B".encode(),
    ],
)
def test_escapes_alone_make_no_iso_2022_jp(payload: bytes) -> None:
    assert guess_charset(payload).name == "UTF-8"


@pytest.mark.parametrize(
    ("codec", "text", "cuts", "texts"),
    [
        ("utf-8", "año", (2,), ["a\ufffd", "\ufffdo"]),
        ("utf-8", "日本", (1, 2, 4), ["\ufffd", "\ufffd", "\ufffd\ufffd", "\ufffd"]),
        ("utf-8", "日本", (3,), ["日", "本"]),
        ("cp932", "表示ソ", (1, 3), ["\ufffd", "\ufffd\ufffd", "\ufffdソ"]),
        ("gb18030", "€㐀a", (3,), ["€\ufffd", "\ufffda"]),
        ("utf-16-be", "ab", (1,), ["\ufffd", "\ufffdb"]),
        ("iso2022_jp", "日本x", (5,), ["日", "本x"]),
        ("latin-1", "año", (2,), ["añ", "o"]),
    ],
)
def test_a_character_cut_between_pieces_is_replaced_in_either(
    codec: str, text: str, cuts: tuple[int, ...], texts: list[str]
) -> None:
    payload = text.encode(codec)
    pieces = [payload[begin:end] for begin, end in zip((0, *cuts), (*cuts, len(payload)), strict=True)]
    assert Charset(codec, codec).decode_pieces(pieces) == texts


def test_what_follows_the_beginning_of_a_character_without_its_end_is_kept() -> None:
    utf_8 = Charset("UTF-8", "utf-8")
    assert utf_8.decode_pieces([b"a\xe6\x97", b"bc", b"\xc3", "é".encode()]) == [
        *("a\ufffd", "bc", "\ufffd", "é"),
    ]
    assert utf_8.decode_pieces([]) == []
    assert utf_8.decode_pieces([b"\xef\xbb\xbfa", b"b"]) == ["a", "b"]


@pytest.mark.parametrize("text", ["日本語の文字列", "東京タワー", "Привет, мир"])
@pytest.mark.parametrize(("skipped", "left_off"), [(1, 0), (0, 1), (1, 1)])
def test_utf_8_may_be_cut_within_characters(text: str, skipped: int, left_off: int) -> None:
    """As in parts of a structured append."""
    payload = text.encode()
    cut = payload[skipped : len(payload) - left_off]
    with pytest.raises(UnicodeDecodeError):
        cut.decode()
    assert guess_charset(cut).name == "UTF-8"


@pytest.mark.parametrize(
    "runs",
    [
        ["4 kg Müsli f".encode() + b"\xc3"],
        [b"\xa4tze: 7 St\xc3\xbcck f\xc3"],
        [b"\x9f81 bl\xc3\xa4tter", b"\xa4rkte 5"],
        [b"\x96\x87 \xf0\x9f\x93\xa6 \xf0\x9f"],
        ["Łódź 5".encode()[1:]],
        ["합계 ₩5".encode()[:-3], "받는 사람".encode()[2:-1], "박".encode()[1:]],
    ],
)
def test_parts_of_utf_8_may_be_cut_within_characters(runs: list[bytes]) -> None:
    """One whole character beyond ASCII may do."""
    assert guess_charset_of_parts(runs).name == "UTF-8"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("ISO-8859-1", "12 Stück, café"),
        ("ISO-8859-1", "café"),
        ("Shift_JIS", "号 TEL 12"),
        ("Shift_JIS", "ｱﾅｶ"),
        ("windows-1250", "Sirotić"),
        ("Big5", "號 81300"),
        ("EUC-KR", "주문번호 12"),
    ],
)
def test_parts_in_other_charsets_are_no_utf_8(name: str, text: str) -> None:
    payload = stored(text, name)
    assert guess_charset_of_parts([payload]).decode(payload) == text


def test_the_charset_of_other_segments_is_likelier() -> None:
    assert guess_charset("ﾃﾗ".encode("cp932")) != SHIFT_JIS
    assert guess_charset("ﾃﾗ".encode("cp932"), SHIFT_JIS) == SHIFT_JIS
    assert guess_charset("个".encode("gb18030"), GB18030) == GB18030
    assert guess_charset("Straße 12".encode("latin-1"), SHIFT_JIS).name == "ISO-8859-1"


@pytest.mark.parametrize("length", [12, 40, 300, 3000])
def test_bytes_with_control_characters_stay_latin_1(length: int) -> None:
    """Random ones, which would decode as double-byte text now and then."""
    rng = random.Random(length)
    for _ in range(100):
        payload = bytes([*rng.randbytes(length), 0x00, 0x01, 0xFF])
        assert guess_charset(payload).name == "ISO-8859-1", payload


def test_random_bytes_are_seldom_taken_for_other_text() -> None:
    rng = random.Random(7)
    guesses = [guess_charset(bytes(rng.randrange(0x20, 0x100) for _ in range(24))).name for _ in range(300)]
    assert sum(name not in ("ISO-8859-1", "windows-1252") for name in guesses) < 15


def test_fields_with_separators_are_text_still() -> None:
    payload = "[)>\x1e06\x1dP品番\x1dQ25\x1e\x04".encode("cp932")
    assert guess_charset(payload) == SHIFT_JIS


def test_every_byte_string_has_a_guess() -> None:
    rng = random.Random(11)
    for payload in (
        b"",
        b"\xff",
        b"\xfe\xff",
        b"\x80" * 5,
        b"\xed\xa0\x80",
        b"\x84\x31\xa4\x37",
        *map(rng.randbytes, range(200)),
    ):
        guess = guess_charset(payload)
        assert isinstance(guess.decode(payload), str)
        assert guess_charset(payload) == guess


@pytest.mark.parametrize(
    ("name", "text"), [("Shift_JIS", "東京都港区芝公園"), ("windows-1251", "Москва, ул. Тверская "), ("Big5", "臺北")]
)
def test_messages_of_several_symbols_are_guessed_by_their_beginning(name: str, text: str) -> None:
    assert guess_charset(b"a" + stored(text * 1500, name)).name == name


@pytest.mark.parametrize(("length", "most"), [(60, 0.0002), (3000, 0.005)])
@pytest.mark.parametrize(
    ("text", "codec"),
    [("東京都港区芝公園", "cp932"), ("Москва, ул. Тверская ", "cp1251"), ("Größe Straße Müller ", "latin-1")],
)
def test_guesses_are_quick(text: str, codec: str, length: int, most: float) -> None:
    payload = (text.encode(codec) * 300)[:length]
    spent = []
    for _ in range(20):
        began = time.process_time()
        for _ in range(5):
            guess_charset(payload)
        spent.append((time.process_time() - began) / 5)
    assert min(spent) < 4 * most  # a margin for slow and busy machines
