"""Other looks at files: on black, along colours, never at what no viewer shows, and only where they may show more."""

import cv2
import numpy as np
import pytest

from app.errors import InvalidImage
from app.pipeline.engines.zxing import ZXing
from app.pipeline.files.decoding import decode_image
from app.pipeline.files.looks import other_looks
from app.pipeline.imaging import Colours, GreyImage
from tests.support.codes import qr_picture
from tests.support.colours import BLACK, PAIRS, PALE, WHITE, coloured, file, on_nothing, taken
from tests.support.live import pictures

BIG = 10_000_000


def looks(data: bytes, *, colours: Colours = Colours.ALL) -> list[GreyImage]:
    found = list(other_looks(data, colours=colours))
    assert all(look.shape == decode_image(data, max_pixels=BIG).shape for look in found)
    return found


def texts(*shown: GreyImage) -> set[str]:
    return {symbol.text for look in shown for symbol in ZXing().read(look)}


@pytest.mark.parametrize("suffix", [".png", ".webp"])
def test_light_modules_on_nothing_are_shown_on_black(suffix: str) -> None:
    data = file(on_nothing("light", WHITE), suffix, *((cv2.IMWRITE_WEBP_QUALITY, 101) if suffix == ".webp" else ()))
    assert texts(decode_image(data, max_pixels=BIG)) == set()
    for colours in Colours:
        assert texts(*looks(data, colours=colours)) == {"light"}


@pytest.mark.parametrize("scale", [1, 2, 3])
def test_small_pictures_of_light_modules_on_nothing(scale: int) -> None:
    picture = on_nothing("light", WHITE, scale=scale)
    for margin in (0, 2, 4):
        cut = (4 - margin) * scale
        data = file(picture[cut : len(picture) - cut, cut : len(picture) - cut])
        assert len(looks(data, colours=Colours.NONE)) == 1
        assert scale == 1 or margin == 0 or texts(*looks(data, colours=Colours.NONE)) == {"light"}


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
@pytest.mark.parametrize("name", PALE)
@pytest.mark.parametrize("scale", [5, 9])
def test_pale_finder_patterns_are_shown(name: str, scale: int, suffix: str) -> None:
    picture = coloured("pale", BLACK, WHITE, finders=PALE[name], scale=scale)
    data = file(taken(picture, blur=0.25 * scale), suffix)
    assert texts(*looks(data)) == {"pale"}
    assert looks(data, colours=Colours.NONE) == []


def test_a_large_jpeg_with_pale_finder_patterns_is_judged_by_a_reduced_one() -> None:
    sheet = np.full((2400, 3000, 3), 255, np.uint8)
    code = taken(coloured("pale", BLACK, WHITE, finders=PALE["pink"], scale=30), blur=6)
    sheet[500 : 500 + code.shape[0], 700 : 700 + code.shape[1]] = code
    assert texts(*looks(file(sheet, ".jpg"))) == {"pale"}


def test_small_pictures_of_hidden_colours() -> None:
    for scale in (1, 2):
        data = file(
            coloured("hidden", *PAIRS["green on red"], scale=scale)[3 * scale : -3 * scale, 3 * scale : -3 * scale]
        )
        assert len(looks(data)) == 1
        assert scale == 1 or texts(*looks(data)) == {"hidden"}


def test_sixteen_bits_and_a_transparent_grey() -> None:
    deep = file(on_nothing("light", WHITE).astype(np.uint16) * 257)
    assert texts(*looks(deep, colours=Colours.NONE)) == {"light"}
    grey = 255 - qr_picture("keyed")  # its paper, 0, is transparent
    keyed = pictures.png_of(
        pictures.ihdr(grey.shape[1], grey.shape[0], colour=pictures.GREY),
        (b"tRNS", b"\0\0"),
        pictures.idat(grey),
        (b"IEND", b""),
    )
    assert texts(decode_image(keyed, max_pixels=BIG)) == set()
    assert texts(*looks(keyed)) == {"keyed"}


def test_colours_of_transparent_pixels_stay_hidden() -> None:
    """A viewer on white shows the dark code, a viewer on black the paper of the other; the hidden layer, none."""
    hidden = coloured("secret", BLACK, WHITE)
    both = on_nothing("shown", BLACK, hidden=hidden)
    alone = both.copy()
    alone[:, :, 3] = np.where(np.indices(alone.shape[:2]).sum(axis=0) % 12 < 6, 0, 1)
    alone[:, :, :3] = hidden[: alone.shape[0], : alone.shape[1]]
    for picture in (both, alone):
        data = file(picture)
        seen = texts(decode_image(data, max_pixels=BIG), *looks(data))
        assert seen <= {"shown"}


@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.parametrize("suffix", [".png", ".jpg", ".bmp", ".webp"])
def test_hidden_colours_are_shown_by_every_format(name: str, suffix: str) -> None:
    data = file(coloured("hidden", *PAIRS[name], scale=10), suffix)
    assert texts(*looks(data)) == {"hidden"}
    assert looks(data, colours=Colours.NONE) == []


def test_a_large_jpeg_is_judged_by_a_reduced_one() -> None:
    sheet = np.full((2400, 3000, 3), 255, np.uint8)
    code = coloured("hidden", *PAIRS["green on red"], scale=30)
    plain = file(sheet, ".jpg")
    sheet[500 : 500 + code.shape[0], 700 : 700 + code.shape[1]] = code
    assert texts(*looks(file(sheet, ".jpg"))) == {"hidden"}
    assert looks(plain) == []


def test_transparent_paper_and_hidden_colours_together() -> None:
    data = file(on_nothing("yellow", (59, 255, 255)))
    assert "yellow" in texts(*looks(data))


@pytest.mark.parametrize(
    "data",
    [
        file(qr_picture("plain")),
        file(qr_picture("plain"), ".jpg"),
        file(cv2.cvtColor(qr_picture("plain"), cv2.COLOR_GRAY2BGR), ".jpg"),
        file(cv2.cvtColor(qr_picture("plain"), cv2.COLOR_GRAY2BGRA)),
        file(np.dstack([np.zeros((90, 90, 3), np.uint8), np.pad(np.full((50, 50), 255, np.uint8), 20)])),
        pictures.gif((8, 8), (2, 1)),
        file(np.zeros((1, 1, 3), np.uint8)),
        file(np.zeros((1, 5000, 4), np.uint8)),
    ],
    ids=["grey png", "grey jpeg", "jpeg without colour", "opaque", "a margin", "gif", "one pixel", "a line"],
)
def test_nothing_is_looked_at_again_that_shows_no_more(data: bytes) -> None:
    assert looks(data) == []


def test_a_part_is_looked_at_alone() -> None:
    left, right = (coloured(text, *PAIRS["green on red"]) for text in ("left", "right"))
    data = file(np.hstack([left, right]))
    part = (slice(0, left.shape[0]), slice(left.shape[1], 2 * left.shape[1]))
    (look,) = other_looks(data, colours=Colours.ALL, part=part)
    assert look.shape == right.shape[:2]
    assert texts(look) == {"right"}


def test_what_would_need_too_much_memory_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    data = file(coloured("hidden", *PAIRS["green on red"]))
    monkeypatch.setattr("app.pipeline.files.looks._MOST_BYTES", 1000)
    assert looks(data) == []


def test_a_damaged_file_is_refused() -> None:
    data = file(coloured("hidden", *PAIRS["green on red"]))
    with pytest.raises(InvalidImage):
        list(other_looks(data[: len(data) // 2], colours=Colours.ALL))
