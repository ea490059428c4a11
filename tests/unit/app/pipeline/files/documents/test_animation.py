"""Animations: every different frame once, within bounds."""

import contextlib
import io
import struct

import numpy as np
import pytest
from PIL import Image

from app.errors import ImageTooLarge, InvalidImage, UnsupportedImage
from app.pipeline.files.documents.animation import Animation
from app.pipeline.imaging import GreyImage

BIG = 1_000_000
KINDS = {"GIF": {}, "WEBP": {"lossless": True}, "PNG": {}, "AVIF": {"quality": 100}}


def frame(level: int) -> GreyImage:
    """A picture unlike those of other levels: a dark square of its own size on white."""
    picture = np.full((48, 64), 255, np.uint8)
    picture[4 : 8 + 4 * level, 4 : 8 + 4 * level] = 0
    return picture


def animation(kind: str, levels: list[int], **options: object) -> bytes:
    first, *others = (Image.fromarray(frame(level)).convert("RGB") for level in levels)
    out = io.BytesIO()
    first.save(out, kind, save_all=True, append_images=others, duration=50, **KINDS[kind] | options)
    return out.getvalue()


def shown(opened: Animation) -> list[int]:
    """The levels of the frames."""
    levels = []
    for number in range(opened.count):
        image = opened.page(number).image
        (level,) = [n for n in range(9) if np.abs(image.astype(int) - frame(n)).mean() < 2]
        levels.append(level)
    return levels


@pytest.mark.parametrize("kind", KINDS)
def test_every_frame(kind: str) -> None:
    opened = Animation(animation(kind, [1, 2, 3, 4]), most=9, max_pixels=BIG)
    assert shown(opened) == [1, 2, 3, 4]
    assert [opened.page(number).index for number in range(4)] == [0, 1, 2, 3]
    assert not opened.is_cut


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP"])
def test_a_frame_that_comes_back_counts_once(kind: str) -> None:
    opened = Animation(animation(kind, [1, 2, 1, 3, 2, 1]), most=9, max_pixels=BIG)
    assert shown(opened) == [1, 2, 3]
    assert [opened.page(number).index for number in range(3)] == [0, 1, 3]


@pytest.mark.parametrize("kind", KINDS)
def test_bounds(kind: str) -> None:
    data = animation(kind, [1, 2, 3, 4, 5])
    opened = Animation(data, most=3, max_pixels=BIG)
    assert shown(opened) == [1, 2, 3]
    assert opened.is_cut
    by_pixels = Animation(data, most=9, max_pixels=3 * 48 * 64)
    assert shown(by_pixels) == [1, 2]
    assert by_pixels.is_cut
    with pytest.raises(ImageTooLarge):
        Animation(data, most=9, max_pixels=48 * 64 - 1)


def test_the_still_picture_of_an_apng_is_a_frame_of_its_own() -> None:
    data = animation("PNG", [5, 1, 2], default_image=True)
    assert shown(Animation(data, most=9, max_pixels=BIG)) == [5, 1, 2]


def test_frames_are_composed_as_viewers_do() -> None:
    """A frame that changes a corner shows the rest of the one before it."""
    data = animation("GIF", [3, 4])
    second = data.rindex(b"\x2c")  # its descriptor: left, top, width, height
    assert struct.unpack_from("<HH", data, second + 5) < (64, 48)
    assert shown(Animation(data, most=9, max_pixels=BIG)) == [3, 4]


@pytest.mark.parametrize("kind", KINDS)
def test_damage(kind: str) -> None:
    data = animation(kind, [1, 2, 3])
    generator = np.random.default_rng(3)
    for _ in range(30):
        broken = bytearray(data)
        for _ in range(4):
            broken[generator.integers(len(broken))] = generator.integers(256)
        with contextlib.suppress(InvalidImage, UnsupportedImage):
            Animation(bytes(broken), most=9, max_pixels=BIG)


def test_ten_thousand_frames() -> None:
    data = animation("GIF", [1, 2])
    many = data[:-1] + data[data.index(b"\x21\xf9", 20) : -1] * 5000 + b";"
    opened = Animation(many, most=5, max_pixels=BIG)
    assert opened.is_cut
    assert opened.count <= 5
