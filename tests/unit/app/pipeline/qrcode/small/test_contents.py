"""Micro QR and rMQR codes: what encoders write is read, with errors up to the capacity, and never read as another."""

import numpy as np
import pytest
import segno
import zxingcpp

from app.pipeline.engines.zxing import ZXing
from app.pipeline.qrcode.patterns import render
from app.pipeline.qrcode.small.contents import read_small_contents
from app.pipeline.qrcode.small.patterns import format_information, small_patterns, small_zigzag
from app.pipeline.qrcode.small.versions import MICRO_VERSIONS, RECTANGULAR_VERSIONS, modules_of, rectangular_symbol
from tests.support.codes import Modules

MICRO = [
    *((version, level) for version in ("M2", "M3") for level in "LM"),
    *(("M4", level) for level in "LMQ"),
]
SAID = {
    "numeric": "24681",
    "alphanumeric": "A-Z1",
    "byte": "a é".encode("latin-1"),
    "kanji": "日本".encode("shift_jis"),
}


def micro(
    content: str | bytes, version: str, level: str | None, mask: int | None = None, mode: str | None = None
) -> Modules:
    code = segno.make(content, version=version, error=level, mask=mask, mode=mode, boost_error=False)
    return np.array([list(row) for row in code.matrix], dtype=np.bool_)


def rectangular(text: str, level: str = "M") -> Modules:
    code = zxingcpp.create_barcode(text, zxingcpp.RMQRCode, ec_level=level)
    return np.asarray(code.to_image(scale=1, add_quiet_zones=False)) == 0


def spoil(modules: Modules, version: str, codewords: int) -> Modules:
    """Inverts one module of each of the first codewords."""
    rows, columns = small_zigzag(version)
    spoiled = modules.copy()
    spoiled[rows[: 8 * codewords : 8], columns[: 8 * codewords : 8]] ^= True
    return spoiled


@pytest.mark.parametrize("mask", range(4))
@pytest.mark.parametrize(("version", "level"), MICRO)
def test_every_micro_symbol_and_mask(version: str, level: str, mask: int) -> None:
    for mode in list(SAID)[: 2 if version == "M2" else 4]:
        content = SAID[mode]
        contents = read_small_contents(micro(content, version, level, mask, mode))
        assert contents is not None
        assert contents.message.payload == (content.encode() if isinstance(content, str) else content)
        assert [segment.mode for segment in contents.message.segments] == [mode]
        assert (contents.small_version, contents.version) == (version, None)
        assert (contents.level, contents.mask, contents.errors, contents.agreement) == (level, mask, 0, 1.0)


def test_m1_has_digits_only() -> None:
    contents = read_small_contents(micro("12345", "M1", None))
    assert contents is not None
    assert (contents.message.payload, contents.small_version) == (b"12345", "M1")
    assert read_small_contents(spoil(micro("12345", "M1", None), "M1", 2)) is None


@pytest.mark.parametrize(
    "text", ["7", "0123456789" * 3, "AB-CD/EF", "https://example.org/", "é日 and more " * 4, "x" * 140]
)
@pytest.mark.parametrize("level", "MH")
def test_rectangular_symbols(text: str, level: str) -> None:
    if len(text) > 70 and level == "H":
        text = text[:70]
    modules = rectangular(text, level)
    contents = read_small_contents(modules)
    assert contents is not None
    assert contents.message.payload == text.encode()
    height, width = modules.shape
    version = f"R{height}x{width}"
    assert (contents.small_version, contents.mask, contents.errors) == (version, 4, 0)
    patterns = small_patterns(version)
    np.testing.assert_array_equal(modules[patterns.known], patterns.dark[patterns.known])


@pytest.mark.parametrize(("version", "level", "most"), [("M2", "L", 2), ("M3", "M", 4), ("M4", "L", 4), ("M4", "Q", 7)])
def test_errors_up_to_the_capacity(version: str, level: str, most: int) -> None:
    modules = micro("24681", version, level)
    contents = read_small_contents(spoil(modules, version, most))
    assert contents is not None
    assert (contents.message.payload, contents.errors) == (b"24681", most)
    worse = read_small_contents(spoil(modules, version, most + 1))
    assert worse is None or worse.message.payload != b"24681"


def test_mirrored_micro_symbols() -> None:
    contents = read_small_contents(micro("mirror", "M4", "M").T)
    assert contents is not None
    assert (contents.message.payload, contents.mirrored) == (b"mirror", True)


@pytest.mark.parametrize("version", [*MICRO_VERSIONS, *RECTANGULAR_VERSIONS])
def test_every_module_is_of_one_kind(version: str) -> None:
    """Those that carry codewords and format information are none that the version fixes; all codewords have room."""
    patterns, information = small_patterns(version), format_information(version)
    assert not (patterns.known & patterns.data).any()
    assert not patterns.known[information.rows, information.columns].any()
    assert patterns.known.sum() + patterns.data.sum() + information.rows.size == patterns.known.size
    assert patterns.known.shape == modules_of(version)
    if version in RECTANGULAR_VERSIONS:
        for high in (False, True):
            symbol = rectangular_symbol(RECTANGULAR_VERSIONS.index(version), high=high)
            assert symbol.ec * symbol.blocks < len(small_zigzag(version)[0]) // 8


@pytest.mark.parametrize("version", ["M4", "R11x43"])
def test_noise_is_no_symbol(version: str) -> None:
    shape = modules_of(version)
    assert shape is not None
    noise = np.random.default_rng(5)
    assert not any(read_small_contents(noise.random(shape) < 0.5) for _ in range(200))


def test_other_sizes_are_none() -> None:
    assert read_small_contents(np.zeros((12, 12), np.bool_)) is None
    assert read_small_contents(np.zeros((7, 7, 7), np.bool_)) is None


@pytest.mark.parametrize(
    "modules", [micro("a é".encode("latin-1"), "M4", "M"), rectangular("a é日")], ids=["M4", "rMQR"]
)
def test_the_engine_states_what_the_codewords_say(modules: Modules) -> None:
    picture = render(modules, pixels=4)
    (symbol,) = ZXing().read(picture)
    assert symbol.contents is not None
    assert symbol.payload == symbol.contents.message.payload
    assert symbol.version is None
    assert symbol.small_version == symbol.contents.small_version
    assert not symbol.differs
