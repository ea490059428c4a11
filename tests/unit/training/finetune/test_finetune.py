"""The commands on photographs: labels are checked, what is held out stays untouched, weights are judged."""

import csv
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from app.models.checkpoint import load
from app.pipeline.files.decoding import decode_image
from tests.support.paths import ROOT
from tools.draw.glossy_labels import draw_shot
from training.__main__ import main
from training.data.degrade import to_uint8
from training.finetune import command
from training.finetune.examples import Example, read_rows
from training.finetune.mixing import PhotoCrops

WEIGHTS = ["--weights", str(ROOT / "weights")]
SHORT = ["--steps", "2", "--count", "0", *WEIGHTS]
LABELS = (0, 2, 4, 6, 7)  # of the drawn ones, those that are read


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six photographs of as many labels: three are labelled, one wrongly, one has a box alone, one is no picture."""
    directory = tmp_path_factory.mktemp("photographs")
    rows = [("file", "payload", "group")]
    for number, label in enumerate(LABELS):
        shot = draw_shot(label, 0)
        cv2.imwrite(str(directory / f"{number}.png"), to_uint8(shot.image))
        if number < 3:
            rows.append(
                (f"{number}.png", "another label" if number == 2 else shot.symbol.payload.decode(), f"g{number}")
            )
    with (directory / "labels.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    (directory / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 cut off")
    return directory


@pytest.fixture(scope="module")
def out(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("out")
    main(
        [
            "evaluate",
            "--data",
            str(folder),
            "--out",
            str(directory),
            "--json",
            str(directory / "figures.json"),
            *WEIGHTS,
        ]
    )
    return directory


def labelled(out: Path) -> dict[str, dict[str, object]]:
    return {str(row["file"]): row for row in read_rows(out / "photographs" / "labelled.jsonl")}


def test_labels_are_checked_and_what_has_none_is_read(out: Path) -> None:
    rows = labelled(out)
    assert [(row["right"], row["wrong"]) for row in rows.values()][:3] == [(1, 0), (1, 0), (0, 1)]
    sources = {name: [one["source"] for one in row["examples"]] for name, row in rows.items()}  # type: ignore[attr-defined]
    assert sources["0.png"] == sources["1.png"] == ["label"]
    assert sources["2.png"] == []  # the picture contradicts its label
    assert sources["3.png"] == sources["4.png"] == ["read"]
    assert rows["broken.jpg"]["problem"]


def test_module_truth_is_what_was_printed(out: Path) -> None:
    for row in labelled(out).values():
        for one in row["examples"]:  # type: ignore[attr-defined]
            example = Example(**one)
            shot = draw_shot(LABELS[int(example.file[0])], 0)
            assert np.array_equal(example.dark, shot.symbol.modules)
            assert bytes.fromhex(example.payload) == shot.symbol.payload


def test_evaluating_states_reads_and_module_errors(out: Path) -> None:
    figures = json.loads((out / "figures.json").read_text())
    assert figures["photographs"] == len(LABELS)
    assert figures["read"]["value"] == 1.0
    assert figures["contradicted"] == 1
    assert set(figures["wrong_modules"]) == {"module-reader", "lenet", "eg-restormer-small"}
    assert all(0 < value < 0.5 for value in figures["wrong_modules"].values())


def test_a_run_trains_on_nothing_that_is_held_out(
    folder: Path, out: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    drawn: list[str] = []
    plain = PhotoCrops._crop

    def watched(self: PhotoCrops, rng: np.random.Generator, example: Example) -> object:
        drawn.append(example.file)
        return plain(self, rng, example)

    monkeypatch.setattr(PhotoCrops, "_crop", watched)
    monkeypatch.setattr(command, "judge", lambda own, older, **_: command.Verdict(tuple(own)))
    words = ["finetune", "--data", str(folder), "--out", str(out), "--share", "1", "--seed", "2", "--most-false", "90"]
    main([*words, *SHORT])
    printed = capsys.readouterr().out
    assert "of 3 reads that labels could check 1 are wrong" in printed
    assert "contradicts its label: 2.png" in printed
    assert "cannot be decoded: broken.jpg" in printed
    table = json.loads((out / "module-reader" / "table.json").read_text())
    held_out = table["figures"]["held out, wrong modules"]["n"]
    assert held_out > 0
    assert drawn
    assert len(set(drawn)) + held_out == 4
    made = load(out / "tuned" / "module-reader.safetensors")
    assert made.provenance["continues"] == load(ROOT / "weights" / "module-reader.safetensors").provenance
    assert "labelled by reading alone (1 of 3 reads" in str(made.provenance["data"])
    assert made.measured["finetuned"]
    assert "decode" not in made.measured


def test_other_photographs_do_not_resume_a_run(folder: Path, out: Path) -> None:
    (out / "module-reader" / "data.sha256").write_text("of another folder")
    words = ["finetune", "--data", str(folder), "--out", str(out), "--seed", "2", "--most-false", "90", *SHORT]
    with pytest.raises(SystemExit, match="a run on other photographs"):
        main(words)


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["finetune", "papergen"], "does not train on crops"),
        (["finetune", "no-such-recipe"], "unknown recipe"),
        (["finetune", "--share", "0"], "--share must be"),
        (["finetune", "--start", str(ROOT / "weights" / "lenet.safetensors")], "holds a LENet"),
        (["evaluate", "--labels", "no-such.csv"], "no-such.csv"),
    ],
)
def test_bad_words_end_with_one_line(
    folder: Path, tmp_path: Path, words: list[str], reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main([*words, "--data", str(folder), "--out", str(tmp_path), *WEIGHTS])
    assert ended.value.code == 2
    assert reason in capsys.readouterr().err


def test_drawn_labels_are_the_same_each_time() -> None:
    assert np.array_equal(draw_shot(3, 1).image, draw_shot(3, 1).image)
    assert not np.array_equal(draw_shot(3, 0).image, draw_shot(3, 1).image)
    assert decode_image(cv2.imencode(".png", to_uint8(draw_shot(0, 0).image))[1].tobytes(), max_pixels=10**6).any()
