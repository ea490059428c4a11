"""A folder of photographs of one's own, with what is known of the codes on them."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from app.pipeline.quad import Quad

PICTURES = frozenset(
    f".{suffix}"
    for suffix in (
        *("avif", "bmp", "gif", "heic", "heif", "jp2", "jpeg", "jpg"),
        *("pbm", "pgm", "png", "pnm", "ppm", "tif", "tiff", "webp"),
    )
)
"""Suffixes of the files that are taken for photographs."""
TRAIN, HELD_OUT = "train", "held_out"
_SPLITS = {
    "train": TRAIN,
    "training": TRAIN,
    **dict.fromkeys(("held_out", "test", "val", "valid", "validation"), HELD_OUT),
}
_NEUTRAL = {"images", "data", "obj_train_data"}  # folders that the layouts of YOLO and COCO call for


class BadLabels(ValueError):
    """Labels that cannot be understood; the text names file and line."""


@dataclass(frozen=True)
class CodeLabel:
    """What a label says of one code, each None if it says nothing.

    ``payload``: bytes, a text as UTF-8. ``corners`` (4, 2): the symbol's outer corners, in any order. ``box``: left,
    top, right and bottom of an upright box around it. Both in pixels as stored or, if ``relative``, in shares of the
    picture's width and height.
    """

    payload: bytes | None = None
    corners: Quad | None = None
    box: tuple[float, float, float, float] | None = None
    relative: bool = False

    def in_pixels(self, width: int, height: int) -> "CodeLabel":
        """The label in pixels of a picture of this size."""
        if not self.relative:
            return self
        corners = Quad.of(self.corners.array * (width, height)) if self.corners else None
        box = self.box and (self.box[0] * width, self.box[1] * height, self.box[2] * width, self.box[3] * height)
        return CodeLabel(self.payload, corners, box)

    @property
    def outline(self) -> Quad | None:
        """Its corners, or those of its box."""
        if self.corners or self.box is None:
            return self.corners
        left, top, right, bottom = self.box
        return Quad.of([[left, top], [right, top], [right, bottom], [left, bottom]])


@dataclass(frozen=True)
class Photograph:
    """A photograph and what is known of it.

    ``group``: pictures of one group, such as those of one day, camera or roll of labels, are never split; None if
    nothing says so. ``split``: `TRAIN`, `HELD_OUT`, or None if that is to be decided. ``codes`` is empty if the picture
    has no label.
    """

    path: Path
    name: str
    group: str | None = None
    split: str | None = None
    codes: tuple[CodeLabel, ...] = ()

    @property
    def payloads(self) -> frozenset[bytes]:
        """The payloads that labels state, without outer white space."""
        return frozenset(code.payload.strip() for code in self.codes if code.payload is not None)


def split_named(word: str) -> str:
    """The split that a label's word means. Raises BadLabels."""
    if (split := _SPLITS.get(word.strip().lower().replace("-", "_"))) is None:
        raise BadLabels(f"{word!r} is no split; there are {TRAIN} and {HELD_OUT}")
    return split


def list_pictures(directory: Path) -> list[Photograph]:
    """Every picture below a folder, without labels, by name.

    Its group is the folder that it lies in. Folders that common layouts call for (``images``, ``train``, ``val``) are
    no groups; the latter two say the split.
    """
    paths = (path for path in sorted(directory.rglob("*")) if path.suffix.lower() in PICTURES and path.is_file())
    return [_placed(path, directory) for path in paths]


def _placed(path: Path, directory: Path) -> Photograph:
    name = path.relative_to(directory).as_posix()
    folders = name.split("/")[:-1]
    splits = [_SPLITS[folder.lower()] for folder in folders if folder.lower() in _SPLITS]
    group = "/".join(folder for folder in folders if folder.lower() not in _SPLITS and folder.lower() not in _NEUTRAL)
    return Photograph(path, name, group or None, splits[-1] if splits else None)


def attach(pictures: Iterable[Photograph], labels: Iterable[Photograph]) -> list[Photograph]:
    """The pictures with what labels say of them; several labels of one picture add up.

    ``labels`` need only a ``name``, as written: relative to the folder or to an ``images`` folder in it, or, if it is
    unique, the bare name of the file. Raises BadLabels for a name that is no picture's.
    """
    found = {picture.name: picture for picture in pictures}
    places = dict(_names(found))
    for label in labels:
        if (name := places.get(label.name.replace("\\", "/").removeprefix("./"))) is None:
            raise BadLabels(f"the labels name {label.name!r}, which is no picture in the folder")
        picture = found[name]
        found[name] = replace(
            picture,
            group=label.group or picture.group,
            split=label.split or picture.split,
            codes=(*picture.codes, *label.codes),
        )
    return list(found.values())


def _names(names: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Every way to write each name, the full names last, so that they win."""
    full = list(names)
    for short in ([name.rpartition("/")[2] for name in full], [name.removeprefix("images/") for name in full]):
        yield from ((one, name) for one, name in zip(short, full, strict=True) if short.count(one) == 1)
    yield from ((name, name) for name in full)
