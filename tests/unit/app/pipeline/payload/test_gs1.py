"""GS1 element strings and Digital Links taken apart."""

import pytest

from app.pipeline.payload.gs1 import parse_digital_link, parse_element_strings

GTIN = "09521234543213"


def test_element_strings() -> None:
    elements, hri = parse_element_strings(f"01{GTIN}10AB%C\x1d17250100")
    assert elements == (("01", GTIN), ("10", "AB%C"), ("17", "250100"))
    assert hri == f"(01){GTIN}(10)AB%C(17)250100"


@pytest.mark.parametrize("text", ["", "no identifier", "01123", "\x1d\x1d", "10" + "A" * 21, "1" * 5000])
def test_what_is_no_element_string(text: str) -> None:
    assert parse_element_strings(text) == ((), None)


@pytest.mark.parametrize(
    ("text", "elements"),
    [
        (f"https://id.gs1.org/01/{GTIN}/10/ABC?17=250101", (("01", GTIN), ("10", "ABC"), ("17", "250101"))),
        (f"HTTPS://EXAMPLE.COM/shop/01/{GTIN}", (("01", GTIN),)),
        ("https://example.com/00/106141412345678908", (("00", "106141412345678908"),)),
        ("https://id.gs1.org/8004/AB12", (("8004", "AB12"),)),
    ],
)
def test_digital_links(text: str, elements: tuple[tuple[str, str], ...]) -> None:
    found, hri = parse_digital_link(text)
    assert found == elements
    assert hri == "".join(f"({ai}){value}" for ai, value in elements)


@pytest.mark.parametrize(
    "text",
    [
        "https://example.org/parcel/7F3K-2291-0C",
        "https://example.org/01/09521234543210",  # wrong check digit
        "https://example.org/8004/about",
        "https://example.org/blog/01/07",
        f"ftp://id.gs1.org/01/{GTIN}",
        f"id.gs1.org/01/{GTIN}",
        "https://[::1/01/" + GTIN,
        f"https://id.gs1.org/01/{GTIN}?q=" + "x" * 3000,
        "http",
        "",
    ],
)
def test_other_addresses_are_no_digital_links(text: str) -> None:
    assert parse_digital_link(text) == ((), None)
