"""`qrestore inspect`: what each step saw, and why it read nothing."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from app.cli import terminal
from app.cli.inspect import inspect
from app.cli.inspection import Inspection
from app.cli.inspection_records import StepRecord
from app.cli.inspection_report import Report
from app.cli.main import main
from app.pipeline.files.png import encode_png
from app.pipeline.locating.regions import PROMISING
from app.pipeline.qrcode.patterns import dimension
from app.pipeline.results import Effort
from tests.support.bench import FIRST, OTHER_PLACE, PLACE, bench, broken_pair, broken_picture, true_reading
from tests.support.codes import square_at
from tests.support.paths import ROOT

LABEL = "https://example.org/parcel/7F3K-2291-0C"
PAPER = square_at(4.0, 4.0, 40.0)
BOW_TIE = PAPER[[0, 2, 1, 3]]
QUADS = (PLACE + 1.5, PAPER, BOW_TIE, PLACE[[1, 2, 3, 0]], PLACE)


@pytest.fixture(scope="module")
def label(tmp_path_factory: pytest.TempPathFactory) -> tuple[int, Path]:
    """The exit status for the code of `docs/label.jpg` with the shipped networks, and the folder."""
    folder = tmp_path_factory.mktemp("label")
    picture = cv2.imread(str(ROOT / "docs/label.jpg"), cv2.IMREAD_GRAYSCALE)
    (folder / "label.png").write_bytes(encode_png(np.asarray(picture, np.uint8)[190:490, 90:390]))
    return main(["inspect", str(folder / "label.png"), "--out", str(folder / "seen")]), folder / "seen"


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> tuple[Report, Path]:
    """The report on a code that nothing reads, among places without a code, and its folder."""
    folder = tmp_path_factory.mktemp("broken")
    made = bench(0.0, *QUADS)
    made.spare.quads = [PLACE]
    return inspect(broken_picture(), made.ladder(), folder, effort=Effort.BALANCED, file="broken.png"), folder


def loaded(folder: Path) -> dict[str, Any]:
    report: dict[str, Any] = json.loads((folder / "report.json").read_text())
    return report


def files_of(report: dict[str, Any]) -> list[str]:
    steps = [*report["steps"], *(step for region in report["regions"] for step in region["steps"])]
    pictures = [report["picture"], *(locator["picture"] for locator in report["locators"])]
    return [*pictures, *(file for step in steps for file in step["files"])]


def refusals(report: Report) -> dict[str, str]:
    return {step.name: step.refusal for step in report.regions[0].steps}


# --- a code that is read ----------------------------------------------------------------------------------------------


def test_a_code_that_the_ladder_reads(label: tuple[int, Path]) -> None:
    status, folder = label
    report = loaded(folder)
    assert status == terminal.SUCCESS
    assert [(one["text"], one["rung"]) for one in report["answer"]] == [(LABEL, "modules")]
    region = report["regions"][0]
    assert (region["version"], region["inverted"]) == (3, False)
    assert region["ladder"] == f"place was read by modules: {LABEL!r}"
    read = {step["name"]: [one["text"] for one in step["read"]] for step in region["steps"]}
    assert read["modules"] == read["soft"] == read["flattened 1, modules"] == [LABEL]
    assert all(bool(step["read"]) != bool(step["refusal"]) for step in [*report["steps"], *region["steps"]])


def test_every_file_opens(label: tuple[int, Path]) -> None:
    _, folder = label
    names = files_of(loaded(folder))
    assert len(set(names)) == len(names)
    written = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert written == {*names, "report.json", "report.txt"}
    arrays = [name for name in names if name.endswith(".npy")]
    assert arrays
    assert all(np.load(folder / name).shape == (dimension(3),) * 2 for name in arrays if "region-01" in name)
    assert all(cv2.imread(str(folder / name)) is not None for name in names if name not in arrays)


def test_the_text_says_the_same(label: tuple[int, Path]) -> None:
    _, folder = label
    text, report = (folder / "report.txt").read_text(), loaded(folder)
    for step in report["regions"][0]["steps"]:
        assert f"  {step['name']}: {step['refusal'] or 'READ'}" in text
    assert all(f"LOCATOR {one['number']} {one['name']}" in text for one in report["locators"])


def test_candidates_are_outlined(broken: tuple[Report, Path]) -> None:
    report, folder = broken
    picture = cv2.imread(str(folder / report.locators[0].picture))
    assert picture is not None
    factor = picture.shape[1] / report.width
    edges = [np.rint(quad.mean(axis=0, where=[[True], [True], [False], [False]]) * factor) for quad in (PLACE, PAPER)]
    # Halfway along the first edge of each: the registered region's blue, and the red of a candidate without one.
    for (x, y), channel in zip(edges, (0, 2), strict=True):
        around = picture[int(y) - 3 : int(y) + 4, int(x) - 3 : int(x) + 4].astype(int)
        assert (around[..., channel] - around.min(axis=-1)).max() > 150


# --- a code that nothing reads ----------------------------------------------------------------------------------------


def test_every_candidate_has_an_outcome(broken: tuple[Report, Path]) -> None:
    report, _ = broken
    first, spare = report.locators
    fates = [[one.refusal for one in candidate.registrations] for candidate in first.candidates]
    assert len(fates) == len(QUADS)
    assert fates[0][0] == fates[3][0] == ""
    assert all(refusal.startswith("agreement 0.") and "below 0.3" in refusal for refusal in fates[1])
    assert fates[2][0].startswith("no registration")
    assert fates[4] == [f"over the limit of {Effort.BALANCED.max_regions} candidates a locator"]
    assert [(one.refusal, one.twin) for one in spare.candidates[0].registrations] == [
        ("resembles an earlier region", 1)
    ]
    assert first.candidates[0].corners[0] == tuple(QUADS[0][0])


def test_every_step_says_why_it_read_nothing(broken: tuple[Report, Path]) -> None:
    report, folder = broken
    assert not report.answer
    assert not report.has_read
    assert report.regions[0].ladder == "looked and read nothing"
    reasons = refusals(report)
    assert {"rectified", "modules", "soft", "light", "heavy", "upscale", "flattened 1, soft"} <= reasons.keys()
    for name in ("rectified", "modules", "light", "heavy", "flattened 1, modules"):
        assert reasons[name] == "the engines read nothing"
    assert "not enough evidence" in reasons["soft"]
    assert reasons["upscale"].startswith("not small: 5.")
    assert reasons["soft"] in (folder / "report.txt").read_text()


def test_small_modules_are_upscaled(tmp_path: Path) -> None:
    small = np.asarray(cv2.resize(broken_picture(), None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA), np.uint8)
    ladder = bench(0.0, PLACE / 2).ladder()
    report = inspect(small, ladder, tmp_path, effort=Effort.BALANCED, file="small.png")
    (upscaled,) = (step for step in report.regions[0].steps if step.name == "upscale")
    picture = cv2.imread(str(tmp_path / upscaled.files[0]))
    assert picture is not None
    assert picture.shape[0] > 4 * 60


def with_agreement(agreement: float, folder: Path) -> Report:
    """The report on the broken code with a reader that invents it, for a region of this agreement."""
    made = bench(0.0)
    climb = made.ladder().climb(broken_picture(), effort=Effort.BALANCED)
    made.reader.answer = lambda crop, version: np.where(FIRST, np.float32(9), np.float32(-9))
    (hypothesis,) = climb.hypotheses[0]
    region = hypothesis.region
    assert region is not None
    doubtful = replace(region, registration=replace(region.registration, agreement=agreement))
    climb.hypotheses[0][:] = [replace(hypothesis, region=doubtful)]
    climb.regions_of(0)[:] = [doubtful]
    return Inspection(climb, folder).report("doubtful.png")


def step_of(report: Report, name: str, region: int = 0) -> StepRecord:
    return next(step for step in report.regions[region].steps if step.name == name)


def test_rejected_reads_are_shown(tmp_path: Path) -> None:
    report = with_agreement(0.45, tmp_path)
    step = step_of(report, "modules")
    assert not step.read
    assert step.refusal.startswith("read but not believed: agreement 0.45 is below 0.5 and explained")
    assert [symbol.text for symbol in step.doubted] == ["the first truth"]
    assert "doubted: 'the first truth'" in report.as_text()
    assert not report.has_read


def test_regions_that_promise_nothing_are_not_restored(tmp_path: Path) -> None:
    reasons = refusals(with_agreement(0.35, tmp_path))
    assert {reasons[name] for name in ("flattened", "light", "heavy", "upscale")} == {
        f"not promising: agreement 0.35 is below {PROMISING}"
    }


def test_places_that_the_ladder_left_out_are_looked_at(tmp_path: Path) -> None:
    """The code of the first locator reads, so the ladder never calls the second."""
    made = bench(0.0)
    made.reader.answer, made.spare.quads = true_reading, [OTHER_PLACE]
    report = inspect(broken_pair(), made.ladder(), tmp_path, effort=Effort.BALANCED, file="pair.png")
    assert [symbol.text for symbol in report.answer] == ["the first truth"]
    assert [locator.asked for locator in report.locators] == [True, False]
    assert report.regions[1].ladder == "did not look here: it ended before it asked this locator"
    assert [[symbol.text for symbol in step_of(report, "modules", region).read] for region in (0, 1)] == [
        ["the first truth"],
        ["the other truth"],
    ]


def test_fast_effort_has_no_regions(tmp_path: Path) -> None:
    report = inspect(broken_picture(), bench(0.0).ladder(), tmp_path, effort=Effort.FAST, file="fast.png")
    assert report.regions == ()
    (candidate,) = report.locators[0].candidates
    assert candidate.registrations[0].refusal == "over the limit of 0 candidates a locator"


# --- pictures without a code, and errors ------------------------------------------------------------------------------


def test_nothing_to_read(blank_file: Path, tmp_path: Path, configured: None) -> None:
    out = tmp_path / "deep" / "seen"
    assert main(["inspect", str(blank_file), "--out", str(out), "--effort", "balanced"]) == terminal.NOT_ALL_READ
    report = loaded(out)
    assert report["answer"] == report["regions"] == []
    assert (report["width"], report["height"]) == (64, 48)
    assert {step["refusal"] for step in report["steps"]} == {"the engine read nothing"}
    assert "THE LADDER reads nothing" in (out / "report.txt").read_text()


@pytest.mark.parametrize("name", ["absent.png", "notes.png", "folder"])
def test_files_that_cannot_be_read(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], configured: None
) -> None:
    (tmp_path / "notes.png").write_text("no image")
    (tmp_path / "folder").mkdir()
    assert main(["inspect", str(tmp_path / name), "--out", str(tmp_path / "seen")]) == terminal.BAD_FILE
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"qrestore: {tmp_path / name}: ")
    assert not (tmp_path / "seen").exists()


def test_limits_of_the_service_apply(
    code_png: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("QRESTORE_MAX_UPLOAD_BYTES", "10")
    assert main(["inspect", str(code_png), "--out", str(tmp_path / "seen")]) == terminal.BAD_FILE
    assert "larger than 10 bytes" in capsys.readouterr().err


def test_a_folder_that_is_in_use(code_png: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    assert main(["inspect", str(code_png), "--out", str(tmp_path)]) == terminal.CANNOT_START
    assert capsys.readouterr().err == f"qrestore: {tmp_path}: The folder is not empty.\n"
    assert main(["inspect", str(code_png), "--out", str(tmp_path / "notes.txt")]) == terminal.CANNOT_START
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_weights_that_are_missing(
    code_png: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("QRESTORE_WEIGHTS", str(tmp_path))
    assert main(["inspect", str(code_png), "--out", str(tmp_path / "seen")]) == terminal.CANNOT_START
    (line,) = capsys.readouterr().err.splitlines()
    assert "cannot load weights" in line
