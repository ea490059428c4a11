"""Finishes an outcome: decodes texts by the charset that a request names or other parts of a message show, takes GS1
data apart, puts structured appends together."""

from collections.abc import Hashable
from dataclasses import replace

from app.pipeline.engines.symbol import Symbol
from app.pipeline.payload.appending import put_together
from app.pipeline.payload.charsets import Charset
from app.pipeline.payload.gs1 import parse_digital_link, parse_element_strings
from app.pipeline.payload.interpreting import ContentType, Interpretation, interpret, interpret_parts
from app.pipeline.results import Outcome


def finish(outcome: Outcome, hint: Charset | None = None) -> Outcome:
    """The outcome with ``hint`` applied to bytes without an ECI, GS1 elements, and messages of several symbols, whose
    parts are decoded together."""
    symbols = [found.symbol for found in outcome.codes]
    stated = [symbol.contents.message if symbol.contents else None for symbol in symbols]
    messages = put_together(stated, hint)
    meanings: dict[Hashable, Interpretation] = {}
    for message in messages:
        if message.complete or message.missing:  # else parts of different messages may have been mixed
            parts = [part for number in message.parts if (part := stated[number])]
            identities = (symbols[number].identity for number in message.parts)
            meanings.update(zip(identities, interpret_parts(parts, hint), strict=True))
    finished = [_finish(symbol, meanings.get(symbol.identity), hint) for symbol in symbols]
    codes = tuple(replace(found, symbol=symbol) for found, symbol in zip(outcome.codes, finished, strict=True))
    return replace(outcome, codes=codes, messages=tuple(messages))


def _finish(symbol: Symbol, meaning: Interpretation | None, hint: Charset | None) -> Symbol:
    if symbol.contents and (meaning or hint):
        symbol = symbol.stating(symbol.contents, meaning=meaning or interpret([symbol.contents.message], hint))
    if symbol.content_type == ContentType.GS1:
        elements, hri = parse_element_strings(symbol.text)
    else:
        elements, hri = parse_digital_link(symbol.text)
    return replace(symbol, gs1=elements, hri=hri) if elements else symbol
