"""Labels of every format say the same of the same photographs."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from app.pipeline.quad import Quad
from training.finetune.folder import HELD_OUT, TRAIN, BadLabels, CodeLabel, Photograph
from training.finetune.labels import load_folder

CORNERS = [[10, 20], [40, 22], [39, 50], [11, 48]]


def put(directory: Path, *names: str) -> None:
    for name in names:
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(directory / name), np.zeros((60, 80), np.uint8))


def load(directory: Path) -> dict[str, Photograph]:
    return {one.name: one for one in load_folder(directory)}


def test_pictures_without_labels_are_listed_with_their_folder_as_group(tmp_path: Path) -> None:
    put(tmp_path, "a.png", "day 1/b.jpg", "images/train/c.png", "images/val/day 2/d.png")
    (tmp_path / "notes.md").write_text("not a picture")
    found = load(tmp_path)
    assert {name: (one.group, one.split) for name, one in found.items()} == {
        "a.png": (None, None),
        "day 1/b.jpg": ("day 1", None),
        "images/train/c.png": (None, TRAIN),
        "images/val/day 2/d.png": ("day 2", HELD_OUT),
    }
    assert not any(one.codes for one in found.values())


def test_jsonl_states_codes_groups_and_splits(tmp_path: Path) -> None:
    put(tmp_path, "a.png", "images/b.png")
    rows = [
        {"file": "a.png", "payload": "Grüße", "corners": CORNERS, "group": 7},
        {"file": "b.png", "codes": [{"payload_hex": "00ff"}, {"box": [1, 2, 30, 40]}], "split": "val"},
    ]
    (tmp_path / "labels.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n\n")
    found = load(tmp_path)
    assert found["a.png"].codes == (CodeLabel("Grüße".encode(), Quad.of(CORNERS)),)
    assert found["a.png"].group == "7"
    assert found["images/b.png"].codes == (CodeLabel(b"\x00\xff"), CodeLabel(box=(1, 2, 31, 42)))
    assert found["images/b.png"].split == HELD_OUT
    assert found["a.png"].payloads == {"Grüße".encode()}


@pytest.mark.parametrize(
    "text",
    [
        'file,payload\na.png,"one, two"\nb.png,three\n',
        'a.png,"one, two"\nb.png,three\n',
        "file;payload;group\na.png;one, two;\nb.png;three;\n",
        "\ufefffile\tpayload\r\na.png\tone, two\r\nb.png\tthree\r\n",
    ],
    ids=["header", "none", "semicolons", "tabs"],
)
def test_csv_of_file_names_to_payloads(tmp_path: Path, text: str) -> None:
    put(tmp_path, "a.png", "b.png", "c.png")
    (tmp_path / "labels.csv").write_text(text, encoding="utf-8", newline="")
    found = load(tmp_path)
    assert [found[name].payloads for name in ("a.png", "b.png", "c.png")] == [{b"one, two"}, {b"three"}, set()]


def test_csv_with_corners(tmp_path: Path) -> None:
    put(tmp_path, "a.png")
    columns = ",".join(f"{axis}{number}" for number in range(1, 5) for axis in "xy")
    numbers = ",".join(str(value) for corner in CORNERS for value in corner)
    (tmp_path / "labels.csv").write_text(f"file,payload,{columns}\na.png,x,{numbers}\n")
    assert load(tmp_path)["a.png"].codes == (CodeLabel(b"x", Quad.of(CORNERS)),)


def test_manifests_of_the_measuring_command(tmp_path: Path) -> None:
    put(tmp_path, "a.png", "b.png")
    rows = [
        {"file": "a.png", "set": "one", "codes": 1, "payloads_hex": ["78"], "quads": [CORNERS]},
        {"file": "b.png", "set": "two", "codes": 2, "payloads_hex": ["78", "79"], "quads": []},
    ]
    (tmp_path / "manifest.json").write_text(json.dumps(rows))
    found = load(tmp_path)
    assert found["a.png"].codes == (CodeLabel(b"x", Quad.of(CORNERS)),)
    assert found["b.png"].codes == (CodeLabel(b"x"), CodeLabel(b"y"))
    assert found["b.png"].group == "two"


def test_coco_boxes_polygons_and_categories(tmp_path: Path) -> None:
    put(tmp_path, "a.png", "b.png")
    flat = [value for corner in CORNERS for value in corner]
    content = {
        "images": [{"id": 5, "file_name": "a.png"}, {"id": 6, "file_name": "b.png"}],
        "categories": [{"id": 1, "name": "QR code"}, {"id": 2, "name": "person"}],
        "annotations": [
            {"image_id": 5, "category_id": 1, "bbox": [1, 2, 3, 4], "attributes": {"payload": "x"}},
            {"image_id": 5, "category_id": 2, "bbox": [9, 9, 9, 9]},
            {"image_id": 6, "category_id": 1, "bbox": [5, 6, 7, 8], "segmentation": [flat]},
        ],
    }
    (tmp_path / "annotations.json").write_text(json.dumps(content))
    found = load(tmp_path)
    assert found["a.png"].codes == (CodeLabel(b"x", None, (1, 2, 4, 6)),)
    assert found["b.png"].codes == (CodeLabel(None, Quad.of(CORNERS), (5, 6, 12, 14)),)


@pytest.mark.parametrize("where", ["images/train/a.txt", "labels/images/train/a.txt", "labels/train/a.txt"])
def test_yolo_boxes_and_corners_in_shares_of_the_picture(tmp_path: Path, where: str) -> None:
    put(tmp_path, "images/train/a.png")
    (tmp_path / "classes.txt").write_text("face\nqrcode\n")
    (tmp_path / where).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / where).write_text("1 0.5 0.5 0.25 0.5\n0 0.5 0.5 1 1\n1 0.1 0.2 0.3 0.2 0.3 0.4 0.1 0.4\n")
    box, corners = load(tmp_path)["images/train/a.png"].codes
    assert box.in_pixels(80, 60).box == pytest.approx((30, 15, 50, 45))
    outline = corners.in_pixels(80, 60).outline
    assert outline is not None
    assert np.allclose(outline.array, [[8, 12], [24, 12], [24, 24], [8, 24]])


def test_labels_of_one_picture_add_up(tmp_path: Path) -> None:
    put(tmp_path, "a.png")
    (tmp_path / "one.csv").write_text("a.png,x\n")
    (tmp_path / "a.txt").write_text("0 0.5 0.5 0.5 0.5\n")
    payload, box = load(tmp_path)["a.png"].codes
    assert payload == CodeLabel(b"x")
    assert box.in_pixels(80, 60).box == (20, 15, 60, 45)


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("labels.jsonl", '{"file": "a.png"', "labels.jsonl: line 1"),
        ("labels.jsonl", '{"payload": "x"}', "it has no 'file'"),
        ("labels.jsonl", '{"file": "a.png", "corners": [1, 2]}', "line 1"),
        ("labels.jsonl", '{"file": "a.png", "split": "perhaps"}', "'perhaps' is no split"),
        ("labels.csv", "file,payload\nelsewhere.png,x\n", "'elsewhere.png', which is no picture"),
        ("labels.csv", "file,payload_hex\na.png,xyz\n", "row 2"),
        ("labels.json", '{"a": 1}', "neither a list of pictures nor COCO's"),
        ("a.txt", "0 0.5 0.5", "has 3 numbers"),
        ("a.txt", "a text", "is no line of YOLO's"),
    ],
)
def test_labels_that_cannot_be_understood_are_named(tmp_path: Path, name: str, text: str, words: str) -> None:
    put(tmp_path, "a.png")
    (tmp_path / name).write_text(text)
    with pytest.raises(BadLabels, match=words):
        load_folder(tmp_path)


def test_a_folder_without_pictures_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadLabels, match="holds no pictures"):
        load_folder(tmp_path)


def test_a_file_of_labels_may_lie_elsewhere(tmp_path: Path) -> None:
    put(tmp_path, "pictures/a.png")
    (tmp_path / "pictures" / "other.json").write_text("{}")
    (tmp_path / "mine.csv").write_text("a.png,x\n")
    (one,) = load_folder(tmp_path / "pictures", tmp_path / "mine.csv")
    assert one.payloads == {b"x"}
