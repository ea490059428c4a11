"""Makes text that strangers wrote safe to print: no terminal obeys it, and one line stays one line."""

import unicodedata
from typing import Final

_SHORT: Final = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
_LINES: Final = {"Zl", "Zp"}


def escape(text: str, *, keep: str = "") -> str:
    """The text with its control, format and unassigned characters and its line separators as escapes: \\n, \\x1b,
    \\u202e. Characters in ``keep`` and backslashes stay as they are, so the text cannot be restored from it."""
    if text.isprintable():
        return text
    return "".join(each if each in keep or not is_unsafe(each) else _escaped(each) for each in text)


def escape_json(document: str) -> str:
    """A JSON document with the same characters as escapes of JSON: it means what it did."""
    if document.isprintable():
        return document
    return "".join(_in_json(each) if is_unsafe(each) else each for each in document)


def is_unsafe(character: str) -> bool:
    """Whether a character moves, hides or reorders others, or is a command to a terminal."""
    category = unicodedata.category(character)
    return category.startswith("C") or category in _LINES


def _escaped(character: str) -> str:
    return _SHORT.get(character) or character.encode("unicode_escape", "surrogatepass").decode("ascii")


def _in_json(character: str) -> str:
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))
