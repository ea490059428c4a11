"""Pictures for `tests.support.live.poison`."""

from typing import Final

from app.pipeline.files.decoding import encode_png
from tests.support.codes import qr_picture
from tests.support.live.moods import Mood

ENTRY: Final = ("-m", "tests.support.live.poison")


def picture(text: str, mood: Mood = Mood.GOOD, *, seconds: float = 0) -> bytes:
    """A PNG of a symbol that does this to its reader."""
    image = qr_picture(text)
    image[0, :2] = mood, round(10 * seconds)
    return encode_png(image)
