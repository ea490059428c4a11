"""Draws README's picture, a label as it was taken beside what `/restore` makes of it, from a running service.

python -m tools.draw.before_after --url http://127.0.0.1:8000
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import cv2
import httpx
import numpy as np
from numpy.typing import NDArray

from tests.support.paths import ROOT

LABEL: Final = ROOT / "docs" / "label.jpg"
PICTURE: Final = ROOT / "docs" / "before-after.jpg"
SHOWN: Final = np.s_[110:530, 60:860]
"""The part of the label's picture that is drawn: rows, columns."""
_WIDTH: Final = 560  # pixels of each half
_GAP: Final = 8
_QUALITY: Final = 80
_SECONDS: Final = 60


def draw(before: bytes, after: bytes) -> bytes:
    """Two encoded pictures of one size, left and right, as a JPEG file."""
    halves = [_shown(encoded) for encoded in (before, after)]
    gap = np.full((halves[0].shape[0], _GAP), 255, np.uint8)
    together = np.hstack([halves[0], gap, halves[1]])
    return cv2.imencode(".jpg", together, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])[1].tobytes()


def _shown(encoded: bytes) -> NDArray[np.uint8]:
    whole = cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_GRAYSCALE)
    part = whole[SHOWN]
    height = round(_WIDTH * part.shape[0] / part.shape[1])
    return np.asarray(cv2.resize(part, (_WIDTH, height), interpolation=cv2.INTER_AREA), dtype=np.uint8)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="tools.draw.before_after", description="Draw README's picture.")
    parser.add_argument("--url", default="http://127.0.0.1:8000", help="a running service")
    parser.add_argument("--out", type=Path, default=PICTURE, help="file to write (default: docs/before-after.jpg)")
    options = parser.parse_args(argv)
    label = LABEL.read_bytes()
    answer = httpx.post(
        f"{options.url}/restore", params={"view": "original"}, files={"file": label}, timeout=_SECONDS
    ).raise_for_status()
    options.out.write_bytes(draw(label, answer.content))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
