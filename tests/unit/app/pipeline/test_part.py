"""Parts of pictures: what names one, which pixels it has, and what is refused."""

import pytest

from app.errors import RegionOutside
from app.pipeline.part import Part


@pytest.mark.parametrize(
    ("text", "rows", "columns"),
    [
        ("0,0,200,100", (0, 100), (0, 200)),
        ("120,80,1,20", (80, 100), (120, 121)),
        (" 1, 2 ,3,4 ", (2, 6), (1, 4)),
        ("0.0,0,1,1", (0, 100), (0, 200)),
        ("0.5,0.25,.5,.75", (25, 100), (100, 200)),
        ("0.1,0.2,0.3,0.4", (20, 60), (20, 80)),
        ("0.333,0.7,0.667,0.3", (70, 100), (66, 200)),
        ("0.999,0.999,0.0001,0.0001", (99, 100), (199, 200)),
        ("1.,0.5,0.1,0.1", None, None),
    ],
)
def test_the_pixels_of_a_part(text: str, rows: tuple[int, int] | None, columns: tuple[int, int] | None) -> None:
    if rows is None or columns is None:
        with pytest.raises(ValueError, match="must"):
            Part.parse(text)
    else:
        assert Part.parse(text).of(100, 200) == (slice(*rows), slice(*columns))


@pytest.mark.parametrize(
    "text",
    [
        "", "1,2,3", "1,2,3,4,5", "a,b,c,d", "-1,0,5,5", "0,0,0,5", "0,0,5,0", "0.0,0,0,1", "0,0,1e3,5", "0,0,nan,5",
        "0,0,inf,5", "1.5,0,2,2", "0.5,0,0.6,1", "0.0,0.5,1,0.500002", "0x1,0,5,5", "\u0661,0,5,5", "9999999999,0,1,1",
        "0,0,5,5px", "0.1.1,0,1,1", "+1,0,5,5",
    ],
)  # fmt: skip
def test_no_part(text: str) -> None:
    with pytest.raises(ValueError, match=r"must"):
        Part.parse(text)


@pytest.mark.parametrize("text", ["0,0,201,100", "0,0,200,101", "200,0,1,1", "150,50,51,1", "999999999,0,1,1"])
def test_pixels_outside_the_picture_are_refused(text: str) -> None:
    with pytest.raises(RegionOutside, match="200 x 100 pixels"):
        Part.parse(text).of(100, 200)


def test_every_share_has_a_pixel_of_the_smallest_picture() -> None:
    for text in ("0.0,0,0.1,0.1", "0.9,0.9,0.1,0.1", "0.0,0,1,1"):
        assert Part.parse(text).of(1, 1) == (slice(0, 1), slice(0, 1))
