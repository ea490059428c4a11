"""What ZBar finds is answered as if zxing-cpp had found it: by the codewords of the place."""

from dataclasses import replace

import numpy as np
import pytest

from app.pipeline.engines.symbol import Symbol
from app.pipeline.engines.zbar import ZBar
from app.pipeline.engines.zxing import ZXing
from app.pipeline.imaging import GreyImage
from app.pipeline.quad import Quad
from app.pipeline.stating import state
from tests.support.bench import shipped_tools
from tests.support.codes import bits_of, encode, modules_of_bits, photograph, square_at

CONTENTS: dict[str, list[tuple[str, bytes | str | int]]] = {
    "plain": [("byte", b"https://example.org/")],
    "gs1": [("fnc1", 1), ("numeric", "0109521234543213"), ("alphanumeric", "10AB%21C")],
    "shift-jis": [("eci", 20), ("byte", "日本ｶﾅ".encode("shift_jis"))],
    "windows-1251": [("eci", 22), ("byte", "Привет".encode("cp1251"))],
    "utf-8": [("eci", 26), ("byte", "Grüße 日".encode())],
    "appended": [("append", 1 << 12 | 2 << 8 | 77), ("byte", b"part")],
    "application": [("fnc1", 2), ("application", 165), ("byte", b"abc")],
}
PLACE = np.array([[40.0, 36.0], [205.0, 45.0], [196.0, 210.0], [34.0, 200.0]])


def taken(modules: np.ndarray, turns: int = 0) -> GreyImage:
    return np.ascontiguousarray(np.rot90(photograph(modules, PLACE, (250, 250)), turns))


def without_place(symbol: Symbol) -> Symbol:
    return replace(symbol, corners=Quad.of(square_at(0, 0, 1)), engine="", differs=False)


@pytest.mark.parametrize("turns", [0, 2])
@pytest.mark.parametrize("contents", CONTENTS.values(), ids=CONTENTS.keys())
def test_the_same_answer_as_by_zxing(contents: list[tuple[str, bytes | str | int]], turns: int) -> None:
    image = taken(modules_of_bits(bits_of(*contents)), turns)
    (by_zxing,), (found,) = ZXing().read(image), ZBar().read(image)
    assert not found.exact
    stated = state(image, found, shipped_tools().reader)
    assert stated.exact
    assert stated.corners == found.corners
    assert by_zxing.contents
    assert stated.contents
    assert stated.contents.errors <= by_zxing.contents.errors + 2
    same = replace(stated, contents=replace(stated.contents, errors=0, agreement=1))
    wanted = replace(by_zxing, contents=replace(by_zxing.contents, errors=0, agreement=1))
    assert without_place(same) == without_place(wanted)


def test_the_modules_say_which_corner_is_the_first() -> None:
    image = taken(modules_of_bits(bits_of(("byte", b"upside down"))))
    (found,) = ZBar().read(image)
    for turns in range(4):
        upset = found.at(Quad.of(np.roll(found.corners.array, turns, axis=0)))
        assert state(image, upset, shipped_tools().reader).corners == found.corners


def test_mirrored_symbols_are_stated_as_mirrored() -> None:
    image = np.ascontiguousarray(taken(modules_of_bits(bits_of(("byte", b"mirror"))))[:, ::-1])
    stated = state(image, ZBar().read(image)[0], shipped_tools().reader)
    assert (stated.payload, stated.mirrored, stated.exact) == (b"mirror", True, True)


def test_the_module_reader_states_what_grey_values_do_not() -> None:
    """ZBar reads the picture as it was, the place is looked up in a blurred one, which hard decisions cannot read."""
    modules = modules_of_bits(bits_of(("eci", 22), ("byte", "Привет".encode("cp1251"))), level="L")
    clear = taken(modules)
    noise = np.random.default_rng(4).normal(0, 60, clear.shape)
    spoilt = np.clip(clear + noise, 0, 255).astype(np.uint8)
    (found,) = ZBar().read(clear)
    stated = state(spoilt, found, shipped_tools().reader)
    assert (stated.text, stated.charset, stated.exact) == ("Привет", "windows-1251", True)


def test_what_is_not_there_is_not_exact() -> None:
    image = taken(modules_of_bits(bits_of(("byte", b"x"))))
    (found,) = ZBar().read(image)
    assert state(np.full_like(image, 200), found, shipped_tools().reader) == found
    assert not found.exact


def test_an_engine_that_says_something_else_is_told() -> None:
    image = taken(modules_of_bits(bits_of(("eci", 22), ("byte", "Привет".encode("cp1251")))))
    (found,) = ZBar().read(image)
    reader = shipped_tools().reader
    assert state(image, found, reader).differs == (found.payload not in ("Привет".encode("cp1251"), "Привет".encode()))
    assert state(image, replace(found, payload=b"other"), reader).differs
    plain = taken(modules_of_bits(bits_of(("byte", b"plain"))))
    assert not state(plain, ZBar().read(plain)[0], reader).differs


def test_the_largest_symbol_is_stated_from_rough_corners() -> None:
    modules = encode("the largest", version=40)
    corners = square_at(20, 20, 3.0 * len(modules))
    image = photograph(modules, corners, (571, 571))
    (found,) = ZXing().read(image)
    rough = replace(found.at(Quad.of(corners + 1.8)), exact=False, contents=None, version=None)
    stated = state(image, rough, shipped_tools().reader)
    assert (stated.text, stated.version, stated.exact) == ("the largest", 40, True)
