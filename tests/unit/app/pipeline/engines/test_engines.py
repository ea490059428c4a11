"""The engines: exact bytes, positions in every rotation, structured append, and variants."""

import io
from collections.abc import Callable
from itertools import combinations
from typing import Any

import cv2
import numpy as np
import pytest
import segno

from app.pipeline.engines import zbar
from app.pipeline.engines.symbol import Engine, Symbol
from app.pipeline.engines.variants import PATCH_VARIANTS, SMALL_VARIANTS, VARIANTS, Variant, read_variants
from app.pipeline.engines.zbar import ZBar
from app.pipeline.engines.zxing import ZXing, ZXingOptions
from app.pipeline.imaging import GreyImage

SCALE, QUIET = 6, 4
ENGINES = [ZXing(), ZBar()]

STORED: dict[str, tuple[bytes, str, str]] = {
    "ascii": (b"https://example.org/?q=1", "https://example.org/?q=1", "Text"),
    "utf-8": ("café 日本".encode(), "café 日本", "Text"),
    "latin-1": ("Grüße, señor: 5 £".encode("latin-1"), "Grüße, señor: 5 £", "Text"),
    "shift-jis": ("日本語とLatin".encode("shift_jis"), "日本語とLatin", "Text"),
    "half-width kana": ("ｱｲｳ".encode("shift_jis"), "ｱｲｳ", "Text"),
    "high bytes": (b"\xff\xfe\xfd", "ÿþý", "Text"),
    "every byte": (bytes(range(256)), bytes(range(256)).decode("latin-1"), "Binary"),
    "zero bytes": (b"\0\0ab\0", "\0\0ab\0", "Binary"),
    "lines": (b"a\tb\r\nc", "a\tb\r\nc", "Text"),
}


def drawn(code: segno.QRCode) -> GreyImage:
    buffer = io.BytesIO()
    code.save(buffer, kind="png", scale=SCALE, border=QUIET)
    return np.asarray(cv2.imdecode(np.frombuffer(buffer.getvalue(), np.uint8), cv2.IMREAD_GRAYSCALE), np.uint8)


def picture(content: str | bytes, **options: Any) -> GreyImage:
    return drawn(segno.make(content, **{"micro": False, **options}))


def by_name(engine: Engine) -> str:
    return engine.name


@pytest.mark.parametrize("engine", ENGINES, ids=by_name)
@pytest.mark.parametrize("stored", STORED.values(), ids=STORED.keys())
def test_bytes_are_exact_and_text_and_type_agree(engine: Engine, stored: tuple[bytes, str, str]) -> None:
    payload, text, content_type = stored
    (symbol,) = engine.read(picture(payload, mode="byte"))
    assert (symbol.payload, symbol.text, symbol.content_type) == (payload, text, content_type)
    assert (symbol.symbology, symbol.engine) == ("QRCode", engine.name)


@pytest.mark.parametrize("engine", ENGINES, ids=by_name)
def test_kanji_segments_keep_their_shift_jis_bytes(engine: Engine) -> None:
    (symbol,) = engine.read(picture("日本語漢字", mode="kanji"))
    assert symbol.payload == "日本語漢字".encode("shift_jis")
    assert symbol.text == "日本語漢字"


@pytest.mark.parametrize("engine", ENGINES, ids=by_name)
@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("quarter_turns", range(4))
def test_corners_run_clockwise_from_the_symbols_own_top_left(
    engine: Engine, quarter_turns: int, mirrored: bool
) -> None:
    upright = picture("corners")
    (symbol,) = engine.read(_turned(upright, quarter_turns, mirrored))
    marker = np.zeros_like(upright)
    marker[: upright.shape[0] // 3, : upright.shape[1] // 3] = 255
    rows, columns = np.nonzero(_turned(marker, quarter_turns, mirrored))
    low, high = QUIET * SCALE, upright.shape[0] - QUIET * SCALE
    clockwise = [(low, low), (high, low), (high, high), (low, high)]
    first = min(range(4), key=lambda i: abs(clockwise[i][0] - columns.mean()) + abs(clockwise[i][1] - rows.mean()))
    np.testing.assert_allclose(symbol.corners, clockwise[first:] + clockwise[:first], atol=2)


def _turned(image: GreyImage, quarter_turns: int, mirrored: bool) -> GreyImage:
    turned = np.rot90(image, quarter_turns)
    return turned[:, ::-1] if mirrored else turned


@pytest.mark.parametrize("engine", ENGINES, ids=by_name)
@pytest.mark.parametrize("shape", [(0, 0), (0, 9), (1, 1), (1, 3000), (5, 5)])
def test_pictures_without_a_code_give_nothing(engine: Engine, shape: tuple[int, int]) -> None:
    blank = np.full(shape, 200, np.uint8)
    assert engine.read(blank) == []
    assert not any(symbols for _, symbols in read_variants(blank))


def test_zxing_reports_version_and_level_and_reads_small_symbols_on_request() -> None:
    (symbol,) = ZXing().read(picture("version", version=7, error="q", boost_error=False))
    assert (symbol.version, symbol.ec_level) == (7, "Q")
    micro = drawn(segno.make_micro("12345", version="M2"))
    (symbol,) = ZXing().read(micro)
    assert (symbol.symbology, symbol.version, symbol.small_version, symbol.payload) == (
        *("MicroQRCode", None, "M2", b"12345"),
    )
    assert ZXing(ZXingOptions(small_symbols=False)).read(micro) == []


def test_small_symbols_without_spare_error_correction_are_rejected() -> None:
    micro = drawn(segno.make_micro("12", version="M1"))
    assert [symbol.payload for symbol in ZXing().read(micro)] == [b"12"]
    one_module = slice((QUIET + 9) * SCALE, (QUIET + 10) * SCALE)
    micro[one_module, one_module] = 255 - micro[one_module, one_module]
    assert ZXing().read(micro) == []


def test_zxing_reports_symbols_that_it_cannot_decode() -> None:
    image = picture("a checksum that cannot be right", version=5, error="l", boost_error=False)
    inner = slice(16 * SCALE, -16 * SCALE)
    image[inner, inner] = 255 - image[inner, inner]
    symbols, sightings = ZXing().look(image)
    assert symbols == []
    assert [sighting.dimension for sighting in sightings] == [37]
    low, high = QUIET * SCALE, image.shape[0] - QUIET * SCALE
    expected = [(low, low), (high, low), (high, high), (low, high)]
    np.testing.assert_allclose(sightings[0].corners, expected, atol=SCALE)


SERIES = list(segno.make_sequence("A" * 25 + "b" * 24 + "\0" + "c" * 25 + "d" * 22, version=2))


@pytest.mark.parametrize("present", [c for n in range(1, len(SERIES) + 1) for c in combinations(range(len(SERIES)), n)])
def test_zbar_reads_each_part_of_a_structured_append(present: tuple[int, ...]) -> None:
    tiles = [drawn(SERIES[i]) for i in present] + [picture("bystander", version=2)]
    image = np.asarray(cv2.hconcat(tiles), np.uint8)
    read = {symbol.payload: symbol.corners for symbol in ZBar.read_once(image)}
    wanted = {symbol.payload: symbol.corners for symbol in ZXing().read(image)}
    assert len(wanted) == len(tiles)
    assert read.keys() == wanted.keys()
    for payload, corners in read.items():
        np.testing.assert_allclose(corners, wanted[payload], atol=4)


def test_zbar_maps_a_reduced_picture_back() -> None:
    image = np.asarray(cv2.resize(picture("large"), None, fx=8, fy=8, interpolation=cv2.INTER_NEAREST), np.uint8)
    (symbol,) = ZBar(longest_sides=(400,)).read(image)
    low, high = 8 * QUIET * SCALE, image.shape[0] - 8 * QUIET * SCALE
    np.testing.assert_allclose(symbol.corners, [(low, low), (high, low), (high, high), (low, high)], atol=16)


def test_zbar_refuses_a_library_that_cannot_hand_out_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zbar.libzbar, "zbar_image_scanner_set_config", lambda *_: 1)
    with pytest.raises(RuntimeError, match=r"0\.23\.1"):
        ZBar()


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: variant.name)
def test_every_variant_reads_a_plain_code_where_it_lies(variant: Variant) -> None:
    image = np.full((700, 740), 230, np.uint8)
    code = cv2.resize(picture("where it lies"), None, fx=2, fy=2, interpolation=cv2.INTER_NEAREST)
    image[140 : 140 + code.shape[0], 180 : 180 + code.shape[1]] = code
    ((tried, symbols),) = read_variants(image, [variant])
    assert tried is variant
    assert [symbol.payload for symbol in symbols] == [b"where it lies"]
    left, top, side = 180 + 2 * QUIET * SCALE, 140 + 2 * QUIET * SCALE, code.shape[0] - 4 * QUIET * SCALE
    expected = [(left, top), (left + side, top), (left + side, top + side), (left, top + side)]
    np.testing.assert_allclose(symbols[0].corners, expected, atol=8)


class Recorder:
    """An engine that reads nothing and remembers its pictures."""

    name = "recorder"

    def __init__(self) -> None:
        self.shapes: list[tuple[int, ...]] = []

    def read(self, image: GreyImage) -> list[Symbol]:
        self.shapes.append(image.shape)
        return []


@pytest.mark.parametrize(
    ("scale", "size", "expected"),
    [
        (1, (60, 80), (60, 80)),
        (0.5, (60, 80), (30, 40)),
        (0.5, (400, 400), (100, 100)),
        (2, (40, 50), (80, 100)),
        (2, (60, 80), None),
    ],
    ids=["as it is", "reduced", "reduced to the limit", "enlarged", "too large to enlarge"],
)
def test_variants_keep_to_their_pixel_limit(
    scale: float, size: tuple[int, int], expected: tuple[int, int] | None
) -> None:
    engine = Recorder()
    list(read_variants(np.zeros(size, np.uint8), [Variant("tried", scale, engine, max_pixels=10_000)]))
    assert engine.shapes == ([expected] if expected else [])


def test_variants_are_lazy() -> None:
    engines = [Recorder(), Recorder()]
    looks = read_variants(
        np.zeros((50, 50), np.uint8), [Variant(str(i), 1, engine) for i, engine in enumerate(engines)]
    )
    next(looks)
    assert [len(engine.shapes) for engine in engines] == [1, 0]


def _dim(image: GreyImage) -> GreyImage:
    """A code half in deep shade and half in glaring light: one threshold for both loses it."""
    shaded = np.full((image.shape[0], 2 * image.shape[1]), 255, np.uint8)
    shaded[:, : image.shape[1]] = image // 12 + 4
    return shaded


def _speckled(image: GreyImage) -> GreyImage:
    noise = np.random.default_rng(5).normal(0, 110, image.shape)
    return np.clip(image + noise, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("spoil", [_dim, _speckled], ids=["shade", "noise"])
def test_variants_read_what_direct_decoding_misses(spoil: Callable[[GreyImage], GreyImage]) -> None:
    image = spoil(picture("a second look", error="m", boost_error=False))
    assert ZXing().read(image) == []
    first = next((symbols for _, symbols in read_variants(image) if symbols), [])
    assert [symbol.payload for symbol in first] == [b"a second look"]


@pytest.mark.parametrize("some", [PATCH_VARIANTS, SMALL_VARIANTS], ids=["patch", "small"])
def test_patches_and_small_pictures_get_some_of_the_variants_in_their_order(some: tuple[Variant, ...]) -> None:
    order = [VARIANTS.index(variant) for variant in some]
    assert order == sorted(set(order))
    assert 3 <= len(some) < len(VARIANTS)
