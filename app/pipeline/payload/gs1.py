"""Takes GS1 element strings and GS1 Digital Link URIs apart, by biip."""

from typing import Final
from urllib.parse import urlsplit

from biip import ParseConfig, ParseError
from biip.gs1_digital_link_uris import GS1DigitalLinkURI
from biip.gs1_element_strings import GS1ElementStrings
from biip.gs1_messages import GS1Message

Elements = tuple[tuple[str, str], ...]
"""Application identifiers, each with its value, in the order of the payload."""
_CONFIG: Final = ParseConfig(gs1_element_strings_verify_date=False)
_RESOLVER: Final = "id.gs1.org"
_LONGEST: Final = 2048
"""Characters: no element string or link that is meant is longer."""


def parse_element_strings(text: str) -> tuple[Elements, str | None]:
    """The elements of a GS1 message, separated by group separators, and its human-readable form ("HRI"); no elements
    and None if it cannot be taken apart."""
    if len(text) > _LONGEST:
        return (), None
    try:
        message = GS1Message.parse(text, config=_CONFIG)
    except (ParseError, ValueError):
        return (), None
    return _elements(message.element_strings), message.as_hri() or None


def parse_digital_link(text: str) -> tuple[Elements, str | None]:
    """As `parse_element_strings`, of a web address that is a GS1 Digital Link.

    Other addresses have numbers in their paths, too: the first element must be a key whose check digit is right, unless
    the host is GS1's own resolver.
    """
    if len(text) > _LONGEST or text[:4].lower() != "http":
        return (), None
    try:
        host = urlsplit(text).hostname
        elements = GS1DigitalLinkURI.parse(text, config=_CONFIG).element_strings
    except (ParseError, ValueError):
        return (), None
    if not elements:
        return (), None
    key = elements[0]
    if host != _RESOLVER and not (key.gtin or key.sscc or key.gln):
        return (), None
    return _elements(elements), "".join(one.as_hri() for one in elements)


def _elements(strings: GS1ElementStrings) -> Elements:
    return tuple((one.ai.ai, one.value) for one in strings)
