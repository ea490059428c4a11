"""Structured append of real encoders is put together, whichever engine reads the parts."""

from functools import reduce
from operator import xor

import numpy as np
import pytest
import segno

from app.pipeline.finishing import finish
from app.pipeline.ladder import Ladder
from app.pipeline.payload.appending import AppendedMessage
from app.pipeline.qrcode.patterns import render
from app.pipeline.results import Effort
from tests.conformance.cells import draw
from tests.conformance.encoders.encoder import Modules
from tests.conformance.reading import tools_of
from tests.conformance.wanted import Part, Wanted

TEXT = "Größe 42, 日本語 und Ελλάδα: one message in three symbols"


def messages(symbols: list[Modules], engine: str) -> tuple[AppendedMessage, ...]:
    """What symbols in one row say together."""
    pictures = [render(modules, pixels=4) for modules in symbols]
    height = max(len(picture) for picture in pictures)
    row = [np.pad(one, ((0, height - len(one)), (0, 0)), constant_values=255) for one in pictures]
    outcome = Ladder(tools=tools_of(engine), max_codes=16).run(np.concatenate(row, axis=1), effort=Effort.FAST)
    return finish(outcome).messages


def cut(payload: bytes, encoder: str, *, eci: int | None = None) -> list[Modules]:
    """Three symbols; characters are cut between them."""
    third = len(payload) // 3
    pieces = payload[:third], payload[third : 2 * third], payload[2 * third :]
    parity = reduce(xor, payload)
    drawn = [
        draw(encoder, Wanted(f"cut-{index}", (Part("byte", "", eci, piece),), append=(index, 3, parity), is_text=False))
        for index, piece in enumerate(pieces)
    ]
    return [modules for modules in drawn if modules is not None]


@pytest.mark.parametrize("engine", ["zxing", "zbar"])
@pytest.mark.parametrize("encoder", ["qrcodegen", "qrencode", "zint"])
@pytest.mark.parametrize("eci", [None, 26])
def test_characters_cut_between_symbols_come_out_whole(encoder: str, engine: str, eci: int | None) -> None:
    symbols = cut(TEXT.encode(), encoder, eci=eci)
    for order in ((0, 1, 2), (2, 0, 1)):
        (message,) = messages([symbols[place] for place in order], engine)
        assert (message.text, message.payload, message.complete) == (TEXT, TEXT.encode(), True)


@pytest.mark.parametrize("engine", ["zxing", "zbar"])
@pytest.mark.parametrize("text", [TEXT, "日本語のテキストです", "Größe, Straße", "plain ASCII"])
def test_sequences_of_segno(text: str, engine: str) -> None:
    """It states the parity of the text in Latin-1 or Shift JIS, even if it writes UTF-8."""
    sequence = segno.make_sequence(text, symbol_count=3, encoding="utf-8", mode="byte", error="m", boost_error=False)
    symbols = [np.array([list(row) for row in code.matrix], dtype=np.bool_) for code in sequence]
    (message,) = messages(symbols, engine)
    assert (message.text, message.payload, message.complete) == (text, text.encode(), True)
    assert not messages(symbols[1:], engine)[0].complete


def test_what_is_missing_is_named() -> None:
    (message,) = messages(cut(TEXT.encode(), "qrcodegen")[::2], "zxing")
    assert (message.complete, message.missing) == (False, (1,))
