"""Draws the examples of docs/kinds.md, one small picture of each hard kind: python -m tools.draw.kinds."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from tests.support.paths import ROOT
from training.measure.many.kinds import KINDS
from training.measure.many.sets import pictures

FOLDER: Final = ROOT / "docs" / "kinds"
_INDICES: Final = {"dark": 0}  # of their sets; of most kinds every second picture is the harder sort, the photograph
_SIDE: Final = 200  # pixels, at most


def example(kind: str) -> NDArray[np.uint8]:
    """The picture of a kind that is shown, at most ``_SIDE`` pixels a side. Raises KeyError for an unknown kind."""
    picture = next(iter(pictures(kind, start=_INDICES.get(kind, 1), count=1))).image
    factor = min(1.0, _SIDE / max(picture.shape))
    size = round(picture.shape[1] * factor), round(picture.shape[0] * factor)
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="tools.draw.kinds", description="Draw the examples of docs/kinds.md.")
    parser.add_argument("--out", type=Path, default=FOLDER, help="folder to write to (default: docs/kinds)")
    options = parser.parse_args(argv)
    options.out.mkdir(parents=True, exist_ok=True)
    for kind in KINDS:
        encoded = cv2.imencode(".png", example(kind), [cv2.IMWRITE_PNG_COMPRESSION, 9])[1]
        (options.out / f"{kind}.png").write_bytes(encoded.tobytes())
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
