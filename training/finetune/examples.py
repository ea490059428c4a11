"""Codes cut out of photographs, with their truth, kept on disk between commands."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from app.pipeline.crops.realigning import realign
from app.pipeline.crops.rectifying import rectify, surroundings
from app.pipeline.imaging import GreyImage
from app.pipeline.locating.regions import Region
from app.pipeline.locating.registering import Registration
from app.pipeline.qrcode.patterns import QUIET_ZONE, Bits, dimension
from training.finetune.truth import Truth, explains

_SPARE = 6  # modules around a code that are kept, beyond the quiet zone of crops
_FINEST = 12.0  # pixels a module, above which patches are reduced: crops have 4
_ROUNDS = 2  # of alignment by the truth


@dataclass(frozen=True)
class Example:
    """A code of a photograph with its truth.

    ``file``: the photograph's name. ``source``: "label" if a label says the payload, "read" if only the service
    does. ``patch``: the file of the part of the photograph around the code, grey, beside the list of examples.
    ``corners`` (4, 2), in pixels of the patch: where the service registers the code; ``aligned``: where the truth lies.
    ``modules``: the truth's bits, row by row, in hexadecimal digits.
    """

    file: str
    source: str
    payload: str
    version: int
    inverted: bool
    agreement: float
    explained: float
    patch: str
    corners: list[list[float]]
    aligned: list[list[float]]
    modules: str

    @cached_property
    def dark(self) -> Bits:
        """The modules (M, M), True is dark, as the patch shows them."""
        side = dimension(self.version)
        bits = np.unpackbits(np.frombuffer(bytes.fromhex(self.modules), dtype=np.uint8), count=side * side)
        return bits.astype(np.bool_).reshape(side, side)

    def load(self, folder: Path) -> GreyImage:
        """The patch. Raises OSError if it is not there."""
        picture = cv2.imread(str(folder / self.patch), cv2.IMREAD_GRAYSCALE)
        if picture is None:
            raise OSError(f"{folder / self.patch} is missing or damaged; label the photographs anew")
        return np.asarray(picture, dtype=np.uint8)

    def region(self, patch: GreyImage) -> Region:
        """The code as the service registers it."""
        corners = np.array(self.corners)
        registration = Registration(corners, self.version, self.agreement, self.inverted)
        return Region(registration, self.cut(patch, corners))

    def cut(self, patch: GreyImage, corners: NDArray[np.float64]) -> GreyImage:
        """The canonical crop (S, S) by these corners, dark on light."""
        return cut_out(patch, corners, self.version, inverted=self.inverted)


def cut_out(image: GreyImage, corners: NDArray[np.float64], version: int, *, inverted: bool) -> GreyImage:
    """The canonical crop (S, S) of a code with these corners (4, 2), dark on light."""
    crop = rectify(image, corners, dimension(version))
    return ~crop if inverted else crop


def align(image: GreyImage, region: Region, truth: Truth) -> tuple[NDArray[np.float64], float]:
    """Moves a region's corners (4, 2) to where its truth, blurred as the picture is, lies in the picture; returns them
    and how well the truth explains the picture then."""
    dark = truth.modules.astype(np.float32)
    corners, crop = region.registration.corners, region.crop
    best = explains(crop, truth, region.version)
    for _ in range(_ROUNDS):
        moved = realign(corners, crop, dark, region.version)
        if moved is None:
            break
        cut = cut_out(image, moved, region.version, inverted=region.registration.inverted)
        explained = explains(cut, truth, region.version)
        if explained <= best:
            break
        corners, crop, best = moved, cut, explained
    return corners, best


def make_example(
    image: GreyImage, region: Region, truth: Truth, *, file: str, source: str, folder: Path, number: int
) -> Example | None:
    """Cuts a code out, writes its patch into a folder, and returns it; None if the truth does not lie there.

    ``number`` tells the codes of one photograph apart.
    """
    aligned, explained = align(image, region, truth)
    if not truth.lies_there(region.registration.agreement, explained):
        return None
    patch, offset = surroundings(image, region.registration.corners, (QUIET_ZONE + _SPARE) * region.module)
    size = np.array(patch.shape[::-1])
    reduced = np.maximum(1, np.round(size * min(1.0, _FINEST / region.module))).astype(int)
    if (reduced < size).any():
        patch = np.asarray(cv2.resize(patch, reduced.tolist(), interpolation=cv2.INTER_AREA), dtype=np.uint8)
    scale = reduced / size
    name = f"{file.replace('/', '__')}.{number}.png"
    if not cv2.imwrite(str(folder / name), patch):
        raise OSError(f"cannot write {folder / name}")
    return Example(
        file=file,
        source=source,
        payload=truth.payload.hex(),
        version=region.version,
        inverted=region.registration.inverted,
        agreement=region.registration.agreement,
        explained=explained,
        patch=name,
        corners=((region.registration.corners - offset) * scale).tolist(),
        aligned=((aligned - offset) * scale).tolist(),
        modules=np.packbits(truth.modules).tobytes().hex(),
    )


def append_row(path: Path, row: Any) -> None:
    """Adds a dataclass to a file as a line of JSON."""
    with path.open("a") as file:
        file.write(json.dumps(asdict(row)) + "\n")


def read_rows(path: Path) -> Iterator[dict[str, Any]]:
    """The rows of a file; a last line that was cut off, as by a killed process, is none, and is removed."""
    text = path.read_text()
    whole = text[: text.rfind("\n") + 1]
    if whole != text:
        path.write_text(whole)
    return (json.loads(line) for line in whole.splitlines())
