"""A service whose children misbehave as native decoders might, each as the first pixel of the picture says.

No picture is known that makes today's decoders hang or crash, so these stand in for the next one that is found. All
but the ladder in the children is the service as it is: `python -m tests.live.poison` serves by the same settings.
"""

from typing import Final

from app.main import serve
from app.pipeline.imaging import encode_png
from app.settings import Settings
from tests.conftest import qr_picture
from tests.live.moods import Mood, factory

ENTRY: Final = ("-m", "tests.live.poison")


def picture(text: str, mood: Mood = Mood.GOOD, *, seconds: float = 0) -> bytes:
    """A PNG of a symbol that does this to its reader."""
    image = qr_picture(text)
    image[0, :2] = mood, round(10 * seconds)
    return encode_png(image)


if __name__ == "__main__":
    serve(Settings(port=0), factory=factory)
