"""Symbols and places: which symbol covers a place."""

from app.pipeline.engines.symbol import Symbol, is_covered, merge_symbols
from app.pipeline.quad import Quad
from tests.support.codes import square_at


def symbol_at(quad: Quad, text: str = "x") -> Symbol:
    return Symbol(text.encode(), text, "Text", "QRCode", 2, "M", "fake", quad)


def test_a_place_is_covered_where_its_centre_lies_in_a_symbol() -> None:
    symbol = symbol_at(Quad.of(square_at(10, 10, 100)))
    assert is_covered(Quad.of(square_at(40, 40, 100)), [symbol])
    assert not is_covered(Quad.of(square_at(70, 10, 100)), [symbol])
    assert is_covered(Quad.of(square_at(-500, -500, 1120)), [symbol])
    assert not is_covered(Quad.of(square_at(10, 10, 100)), [])


def test_the_first_of_several_symbols_in_a_place_counts() -> None:
    places = ((0, "a"), (10, "b"), (90, "c"))
    here, again, there = (symbol_at(Quad.of(square_at(x, 0, 50)), name) for x, name in places)
    assert merge_symbols([here], [again, there]) == [here, there]
    assert merge_symbols([], [again], [here]) == [again]
    assert merge_symbols() == []


def test_a_symbol_moves_as_a_whole() -> None:
    symbol, elsewhere = symbol_at(Quad.of(square_at(0, 0, 50))), Quad.of(square_at(9, 9, 5))
    moved = symbol.at(elsewhere)
    assert moved.corners == elsewhere
    assert (moved.payload, moved.engine) == (symbol.payload, symbol.engine)
