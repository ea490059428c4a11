"""Valid videos of every codec that is read, each of a few frames."""

import numpy as np

from tests.support.videos import ENCODERS, video
from tools.fuzz.inputs.seeds import CODE, SIDE

_SIDE = SIDE + SIDE % 2


def short_videos() -> dict[str, bytes]:
    """Videos by their kinds: a code that moves, in four frames."""
    sheet = np.full((_SIDE, _SIDE), 255, np.uint8)
    sheet[:SIDE, :SIDE] = CODE
    frames = [np.roll(sheet, 3 * number, axis=1) for number in range(4)]
    return {kind: video(frames, kind) for kind in ENCODERS} | {"turned": video(frames, turned=90)}
