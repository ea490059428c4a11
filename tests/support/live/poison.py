"""Pictures that make the children of `tests.support.live.misbehaving_service` misbehave."""

from typing import Final

from app.pipeline.files.png import encode_png
from tests.support.codes import qr_picture
from tests.support.live.behaviours import Behaviour

MISBEHAVING: Final = ("-m", "tests.support.live.misbehaving_service")
"""The entry for `running`."""


def picture(text: str, behaviour: Behaviour = Behaviour.GOOD, *, seconds: float = 0) -> bytes:
    """A PNG of a symbol that makes its reader behave like this; ``seconds`` are for `Behaviour.SLOW`."""
    image = qr_picture(text)
    image[0, :2] = behaviour, round(10 * seconds)
    return encode_png(image)
