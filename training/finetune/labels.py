"""Reads labels of photographs: JSONL, CSV, this project's manifests, COCO and YOLO."""

import csv
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from app.pipeline.quad import Quad
from training.finetune.folder import BadLabels, CodeLabel, Photograph, attach, list_pictures, split_named

_BOX, _QUAD = 5, 9  # numbers in a line of YOLO: class, then centre and size, or four corners
_CORNERS = tuple(f"{axis}{number}" for number in range(1, 5) for axis in "xy")  # columns of a CSV


def load_folder(directory: Path, labels: Path | None = None) -> list[Photograph]:
    """The photographs of a folder with their labels, those without any included.

    ``labels``: a file of labels; without it every ``*.jsonl``, ``*.csv``, ``manifest.json`` and COCO file in the folder
    itself is read, and YOLO's ``.txt`` beside the pictures or in a ``labels`` folder. Raises BadLabels, also for a
    folder without pictures.
    """
    pictures = list_pictures(directory)
    if not pictures:
        raise BadLabels(f"{directory} holds no pictures")
    files = [labels] if labels else _label_files(directory)
    known = [one for file in files for one in read_labels(file)]
    return attach(pictures, [*known, *(() if labels else _yolo(directory, pictures))])


def _label_files(directory: Path) -> list[Path]:
    return sorted(path for path in directory.iterdir() if path.suffix.lower() in (".jsonl", ".csv", ".json"))


def read_labels(file: Path) -> list[Photograph]:
    """What a file of labels says: photographs whose ``path`` means nothing. Raises BadLabels."""
    readers: dict[str, Callable[[str], Iterator[Photograph]]] = {".jsonl": _jsonl, ".csv": _csv, ".json": _json}
    reader = readers.get(file.suffix.lower())
    if reader is None:
        raise BadLabels(f"{file.name}: labels are .jsonl, .csv or .json")
    try:
        return list(reader(file.read_text(encoding="utf-8-sig")))
    except (OSError, UnicodeDecodeError) as error:
        raise BadLabels(f"{file.name}: {error}") from error
    except BadLabels as error:
        raise BadLabels(f"{file.name}: {error}") from error


# --- a line a picture -----------------------------------------------------------------------------------------------


def _jsonl(text: str) -> Iterator[Photograph]:
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip():
            yield _understood(f"line {number}", lambda row: _row(json.loads(row)), line)


def _csv(text: str) -> Iterator[Photograph]:
    lines = text.splitlines()
    dialect = csv.Sniffer().sniff(lines[0], ",;\t") if lines and any(mark in lines[0] for mark in ",;\t") else "excel"
    rows = list(csv.reader(lines, dialect))
    head = [cell.strip().lower() for cell in rows[0]] if rows else []
    if "file" not in head:  # no header: file name, payload
        head, rows = ["file", "payload"], [["file", "payload"], *rows]
    for number, row in enumerate(rows[1:], start=2):
        if row:
            cells = {key: value for key, value in zip(head, row, strict=False) if value != ""}
            yield _understood(f"row {number}", lambda cells: _row(_with_corners(cells)), cells)


def _with_corners(cells: Mapping[str, str]) -> dict[str, Any]:
    row: dict[str, Any] = dict(cells)
    if all(column in cells for column in _CORNERS):
        row["corners"] = [float(cells[column]) for column in _CORNERS]
    return row


def _understood(where: str, understand: Callable[[Any], Photograph], row: Any) -> Photograph:
    try:
        return understand(row)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        reason = f"it has no {error}" if isinstance(error, KeyError) else str(error)
        raise BadLabels(f"{where}: {reason}") from error


def _row(row: Mapping[str, Any]) -> Photograph:
    codes = row.get("codes")
    labels = [row] if not isinstance(codes, list) else codes
    known = tuple(label for label in map(_code, labels) if label != CodeLabel())
    split = split_named(row["split"]) if row.get("split") else None
    group = str(row["group"]) if row.get("group") not in (None, "") else None
    return Photograph(Path(), str(row["file"]), group, split, known)


def _code(label: Mapping[str, Any]) -> CodeLabel:
    """The label of a code: ``payload`` or ``payload_hex``, ``corners`` (eight numbers), ``box`` (left, top, width,
    height)."""
    corners, box = label.get("corners"), label.get("box")
    return CodeLabel(
        payload=_payload(label),
        corners=None if corners is None else Quad.of(corners),
        box=None if box is None else _box(box),
    )


def _payload(label: Mapping[str, Any]) -> bytes | None:
    if label.get("payload_hex") is not None:
        return bytes.fromhex(label["payload_hex"])
    payload = label.get("payload")
    return None if payload is None else str(payload).encode()


def _box(values: Sequence[float]) -> tuple[float, float, float, float]:
    left, top, width, height = map(float, values)
    return left, top, left + width, top + height


# --- manifests and COCO ---------------------------------------------------------------------------------------------


def _json(text: str) -> Iterator[Photograph]:
    try:
        content = json.loads(text)
    except ValueError as error:
        raise BadLabels(str(error)) from error
    if isinstance(content, dict) and {"images", "annotations"} <= content.keys():
        yield from _coco(content)
    elif isinstance(content, list):
        for number, row in enumerate(content, start=1):
            yield _understood(f"entry {number}", _manifest_row if "payloads_hex" in row else _row, row)
    else:
        raise BadLabels("it is neither a list of pictures nor COCO's object of images and annotations")


def _manifest_row(row: Mapping[str, Any]) -> Photograph:
    """A row of the manifests of `training.measure.photos`; outlines and payloads belong together only if there is one
    code."""
    payloads = [bytes.fromhex(payload) for payload in row["payloads_hex"]]
    quads = [Quad.of(quad) for quad in row.get("quads", ())]
    if len(payloads) == len(quads) == 1:
        codes = [CodeLabel(payloads[0], quads[0])]
    else:
        codes = [*(CodeLabel(payload) for payload in payloads), *(CodeLabel(corners=quad) for quad in quads)]
    return Photograph(Path(), row["file"], row["set"], None, tuple(codes))


def _coco(content: Mapping[str, Any]) -> Iterator[Photograph]:
    wanted = _wanted({one["id"]: str(one["name"]) for one in content.get("categories", ())})
    labels: dict[Any, list[CodeLabel]] = {image["id"]: [] for image in content["images"]}
    for number, annotation in enumerate(content["annotations"], start=1):
        try:
            if wanted is None or annotation["category_id"] in wanted:
                labels[annotation["image_id"]].append(_coco_code(annotation))
        except (KeyError, TypeError, ValueError) as error:
            raise BadLabels(f"annotation {number}: {error}") from error
    for image in content["images"]:
        yield Photograph(Path(), image["file_name"], codes=tuple(labels[image["id"]]))


def _coco_code(annotation: Mapping[str, Any]) -> CodeLabel:
    """A polygon of four points is the symbol's outline; a payload may stand in the annotation or its attributes."""
    polygons = annotation.get("segmentation")
    outline = polygons[0] if isinstance(polygons, list) and len(polygons) == 1 and len(polygons[0]) == 8 else None
    return CodeLabel(
        payload=_payload({**annotation.get("attributes", {}), **annotation}),
        corners=None if outline is None else Quad.of(outline),
        box=_box(annotation["bbox"]),
    )


def _wanted(names: Mapping[Any, str]) -> set[Any] | None:
    """The classes that are QR codes by their name; None, for all, if no name says so."""
    return {key for key, name in names.items() if "qr" in name.lower()} or None


# --- YOLO -----------------------------------------------------------------------------------------------------------


def _yolo(directory: Path, pictures: Iterable[Photograph]) -> Iterator[Photograph]:
    wanted = _wanted(dict(enumerate(_yolo_names(directory))))
    for picture in pictures:
        for file in _yolo_files(directory, picture):
            if file.is_file():
                lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
                codes = [_understood_line(file, line) for line in lines if line.strip()]
                kept = tuple(code for kind, code in codes if wanted is None or kind in wanted)
                yield Photograph(picture.path, picture.name, codes=kept)
                break


def _yolo_names(directory: Path) -> list[str]:
    for name in ("classes.txt", "obj.names"):
        if (file := directory / name).is_file():
            return file.read_text(encoding="utf-8", errors="replace").splitlines()
    return []


def _yolo_files(directory: Path, picture: Photograph) -> Iterator[Path]:
    """Where the boxes of a picture may stand."""
    yield picture.path.with_suffix(".txt")
    folders = picture.name.split("/")
    yield directory / "labels" / Path(picture.name).with_suffix(".txt")
    if "images" in folders:
        swapped = "/".join("labels" if folder == "images" else folder for folder in folders)
        yield (directory / swapped).with_suffix(".txt")


def _understood_line(file: Path, line: str) -> tuple[int, CodeLabel]:
    try:
        values = [float(word) for word in line.split()]
    except ValueError as error:
        raise BadLabels(f"{file.name}: {line!r} is no line of YOLO's: {error}") from error
    if len(values) == _QUAD:
        return int(values[0]), CodeLabel(corners=Quad.of(values[1:]), relative=True)
    if len(values) in (_BOX, _BOX + 1):  # a sixth number is a detector's confidence
        _, x, y, width, height = values[:_BOX]
        box = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
        return int(values[0]), CodeLabel(box=box, relative=True)
    raise BadLabels(f"{file.name}: {line!r} has {len(values)} numbers; YOLO's lines have {_BOX} or {_QUAD}")
