"""Finishes an outcome: decodes texts by the charset that a request names, takes GS1 data apart, puts structured appends
together."""

from dataclasses import replace

from app.pipeline.engines.symbol import Symbol
from app.pipeline.payload.appending import put_together
from app.pipeline.payload.charsets import Charset
from app.pipeline.payload.gs1 import parse_digital_link, parse_element_strings
from app.pipeline.payload.interpreting import ContentType
from app.pipeline.results import Outcome


def finish(outcome: Outcome, hint: Charset | None = None) -> Outcome:
    """The outcome with ``hint`` applied to bytes without an ECI, GS1 elements, and messages of several symbols."""
    codes = tuple(replace(found, symbol=_finish(found.symbol, hint)) for found in outcome.codes)
    contents = [found.symbol.contents for found in codes]
    messages = put_together([one.message if one else None for one in contents], hint)
    return replace(outcome, codes=codes, messages=tuple(messages))


def _finish(symbol: Symbol, hint: Charset | None) -> Symbol:
    if hint and symbol.contents:
        symbol = symbol.stating(symbol.contents, hint=hint)
    if symbol.content_type == ContentType.GS1:
        elements, hri = parse_element_strings(symbol.text)
    else:
        elements, hri = parse_digital_link(symbol.text)
    return replace(symbol, gs1=elements, hri=hri) if elements else symbol
