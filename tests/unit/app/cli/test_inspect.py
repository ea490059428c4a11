"""`qrestore inspect`: what each step saw, and why it read nothing."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from app.cli import inspection, terminal
from app.cli.inspect import inspect
from app.cli.inspection import Inspection
from app.cli.inspection_records import PlaceRecord, StepRecord, SurveyRecord
from app.cli.inspection_report import Report
from app.cli.main import main
from app.pipeline.files.png import encode_png
from app.pipeline.locating.regions import PROMISING
from app.pipeline.qrcode.patterns import dimension
from app.pipeline.results import Effort
from app.pipeline.rungs import DIRECT, RUNGS
from tests.support.bench import FIRST, OTHER_PLACE, PLACE, Bench, bench, broken_pair, broken_picture, true_reading
from tests.support.codes import photograph, square_at
from tests.support.fakes import FakeLocator
from tests.support.micro_codes import micro_modules, micro_picture
from tests.support.paths import ROOT
from tests.support.pdfs import PdfWriter

LABEL = "https://example.org/parcel/7F3K-2291-0C"
PAPER = square_at(4.0, 4.0, 40.0)
BOW_TIE = PAPER[[0, 2, 1, 3]]
QUADS = (PLACE + 1.5, PAPER, BOW_TIE, PLACE[[1, 2, 3, 0]], PLACE)


class SlowLocator(FakeLocator):
    """A locator with a name of its own: surveys are told apart by their names."""


def bench_with_spare(*quads: np.ndarray, spare: np.ndarray) -> Bench:
    """A bench whose slow locator sees ``spare``."""
    made = bench(0.0, *quads)
    made.spare = SlowLocator([spare])
    made.tools = replace(made.tools, slow_locators=(made.spare,))
    return made


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
    ladder = bench_with_spare(*QUADS, spare=PLACE).ladder()
    return inspect(broken_picture(), ladder, folder, effort=Effort.BALANCED, file="broken.png"), folder


def loaded(folder: Path) -> dict[str, Any]:
    report: dict[str, Any] = json.loads((folder / "report.json").read_text())
    return report


def files_of(report: dict[str, Any]) -> list[str]:
    parts = [report, *report["places"], *report["regions"]]
    pictures = [report["picture"], *(survey["picture"] for survey in report["surveys"] if survey["picture"])]
    return [*pictures, *(file for part in parts for step in part["steps"] for file in step["files"])]


def refusals(report: Report) -> dict[str, str]:
    return {step.name: step.refusal for step in report.regions[0].steps}


def survey_of(report: Report, name: str) -> SurveyRecord:
    return next(survey for survey in report.surveys if survey.name == name)


def rungs_of(place: PlaceRecord) -> dict[str, str]:
    return {rung.name: rung.done for rung in place.ladder}


# --- a code that is read ----------------------------------------------------------------------------------------------


def test_a_code_that_the_ladder_reads(label: tuple[int, Path]) -> None:
    status, folder = label
    report = loaded(folder)
    assert status == terminal.SUCCESS
    assert [(one["text"], one["rung"]) for one in report["answer"]] == [(LABEL, "modules")]
    assert report["unread"] == []
    assert report["complete"]
    region, place = report["regions"][0], report["places"][0]
    assert (region["version"], region["inverted"], region["place"]) == (3, False, 1)
    assert place["result"] == f"read by modules: {LABEL!r}"
    assert [rung["name"] for rung in place["ladder"]] == [name for name in RUNGS if name != DIRECT]
    done = {rung["name"]: rung["done"] for rung in place["ladder"]}
    assert (done["rectified"], done["modules"]) == ("tried", "read it")
    assert {done[name] for name in RUNGS[3:]} == {"not tried: modules read it before"}
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
    for one in report["surveys"]:
        whose = "made by the ladder" if one["by_ladder"] else "not made by the ladder"
        assert f"SURVEY {one['number']} {one['name']}, {whose}" in text
    assert all(f"  {place['result']}" in text for place in report["places"])
    assert "    modules: read it" in text


def test_candidates_are_outlined(broken: tuple[Report, Path]) -> None:
    report, folder = broken
    sighted, located = (survey_of(report, name) for name in ("zxing-cpp", "quad locator at 256 px"))
    # Halfway along the first edge of each: the registered region's blue, and the red of a candidate without one.
    for survey, quad, channel in ((sighted, PLACE, 0), (located, PAPER, 2)):
        picture = cv2.imread(str(folder / survey.picture))
        assert picture is not None
        x, y = np.rint(quad[:2].mean(axis=0) * picture.shape[1] / report.width)
        around = picture[int(y) - 3 : int(y) + 4, int(x) - 3 : int(x) + 4].astype(int)
        assert (around[..., channel] - around.min(axis=-1)).max() > 150


# --- a code that nothing reads ----------------------------------------------------------------------------------------


def test_every_candidate_has_an_outcome(broken: tuple[Report, Path]) -> None:
    report, _ = broken
    sighted, located, spare = (
        survey_of(report, name) for name in ("zxing-cpp", "quad locator at 256 px", "SlowLocator")
    )
    assert [(one.region, one.refusal) for one in sighted.candidates[0].registrations] == [(1, "")]
    fates = [[(one.refusal, one.twin) for one in candidate.registrations] for candidate in located.candidates]
    twin, unregistered = ("resembles an earlier region", 1), ("no registration: no version fits this outline", None)
    assert fates == [[twin], [unregistered], [unregistered], [twin], [twin]]
    assert [candidate.place for candidate in located.candidates] == [None, 2, 3, None, None]
    assert [(one.refusal, one.twin) for one in spare.candidates[0].registrations] == [twin]
    assert located.candidates[0].corners[0] == tuple(QUADS[0][0])
    assert all(survey.by_ladder for survey in report.surveys)
    assert [(place.survey, place.candidate) for place in report.places] == [(1, 1), (3, 2), (3, 3)]


def test_what_the_ladder_leaves_unread_is_told(broken: tuple[Report, Path]) -> None:
    report, folder = broken
    (unread,) = report.unread
    assert (unread.place, unread.reason, unread.version) == (1, "unreadable", 2)
    assert unread.corners == report.regions[0].corners
    assert report.places[0].result == "seen but not read: unreadable"
    assert "  not read: place 1, unreadable, agreement 0.9" in (folder / "report.txt").read_text()
    assert report.places[1].result == "not read, and not told: no region, told from 0.57"


def test_gates_that_keep_rungs_away_are_named(broken: tuple[Report, Path]) -> None:
    report, folder = broken
    code, paper, *_ = map(rungs_of, report.places)
    assert {code[name] for name in RUNGS if name not in (DIRECT, "upscale")} == {"tried"}
    assert code["upscale"] == "had nothing to do: no region has small modules"
    shut = "kept away by a gate: no region, score 1.00"
    assert {name for name in paper if paper[name] == shut} == {*RUNGS} - {DIRECT, "soft", "variants"}
    assert paper["soft"] == "had nothing to do: the ladder did not read the modules"
    assert (
        f"rectified, modules, halftone, flattened, light, heavy, upscale: {shut}" in (folder / "report.txt").read_text()
    )


def test_every_step_says_why_it_read_nothing(broken: tuple[Report, Path]) -> None:
    report, folder = broken
    assert not report.answer
    assert not report.has_read
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
    (place,), (_, hypotheses) = climb.places, climb.surveys[0]
    (region,), (hypothesis,) = place.regions, hypotheses
    doubtful = replace(region, registration=replace(region.registration, agreement=agreement))
    hypotheses[:], place.regions[:] = [replace(hypothesis, region=doubtful)], [doubtful]
    place.readings.clear()
    for _, others in climb.surveys[1:]:
        others.clear()  # they resemble the region that is gone
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
    assert {reasons[name] for name in ("halftone", "flattened", "light", "heavy", "upscale")} == {
        f"not promising: agreement 0.35 is below {PROMISING}"
    }


def test_only_the_best_regions_get_every_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inspection, "_MOST_DEAR", 1)
    report = inspect(broken_pair(), bench(0.0, PLACE, OTHER_PLACE).ladder(), tmp_path, effort=Effort.BALANCED, file="")
    best, *others = sorted(report.regions, key=lambda region: -region.agreement)
    assert others
    left_out = [[step.refusal.startswith("left out: ") for step in one.steps if step.name == "light"] for one in others]
    assert left_out == [[True]] * len(others)
    assert all(step.refusal != "left out: 1 regions agree better" for step in best.steps)


def test_places_that_the_ladder_left_out_are_looked_at(tmp_path: Path) -> None:
    """The code that the quad locator sees reads, and the other one is too faint to be looked for, so the ladder never
    asks the slow locator."""
    made = bench_with_spare(PLACE, spare=OTHER_PLACE)
    made.reader.answer = true_reading
    picture = broken_pair()
    picture[:, picture.shape[1] // 2 :] = 200 + picture[:, picture.shape[1] // 2 :] // 16
    report = inspect(picture, made.ladder(), tmp_path, effort=Effort.BALANCED, file="pair.png")
    assert [symbol.text for symbol in report.answer] == ["the first truth"]
    survey = survey_of(report, "SlowLocator")
    assert not survey.by_ladder
    place = report.places[(survey.candidates[0].place or 0) - 1]
    assert place.result == "not seen by the ladder: it did not make this survey"
    assert place.ladder == ()
    region = report.regions[place.regions[0] - 1]
    step = next(step for step in region.steps if step.name == "modules")
    assert [symbol.text for symbol in step.read] == ["the other truth"]
    assert [unread.place for unread in report.unread if unread.place == place.number] == []


def test_fast_effort_makes_no_survey_itself(tmp_path: Path) -> None:
    made = bench(0.0)
    made.reader.answer = true_reading
    report = inspect(broken_picture(), made.ladder(), tmp_path, effort=Effort.FAST, file="fast.png")
    assert report.answer == report.unread == ()
    assert [stage for stage, _, _ in report.trace] == [DIRECT]
    assert report.surveys
    assert not any(survey.by_ladder for survey in report.surveys)
    assert [symbol.text for symbol in step_of(report, "modules").read] == ["the first truth"]
    assert report.has_read


def test_what_lies_on_a_code_that_was_read_is_no_place(tmp_path: Path) -> None:
    report = inspect(
        photograph(FIRST, PLACE, (240, 270)),
        bench_with_spare(spare=PLACE).ladder(),
        tmp_path,
        effort=Effort.BALANCED,
        file="clean.png",
    )
    assert [symbol.rung for symbol in report.answer] == [DIRECT]
    (candidate,) = survey_of(report, "SlowLocator").candidates
    assert [one.refusal for one in candidate.registrations] == ["lies on a code that was read"]
    assert candidate.place is None
    assert report.places == report.regions == ()


# --- pictures without a code, and errors ------------------------------------------------------------------------------


def test_nothing_to_read(blank_file: Path, tmp_path: Path, configured: None) -> None:
    out = tmp_path / "deep" / "seen"
    assert main(["inspect", str(blank_file), "--out", str(out), "--effort", "balanced"]) == terminal.NOT_ALL_READ
    report = loaded(out)
    assert report["answer"] == report["unread"] == report["regions"] == []
    assert (report["width"], report["height"]) == (64, 48)
    refusals = {step["refusal"] for step in report["steps"]}
    assert refusals == {"the engine read nothing", "none at 0 lone finder patterns"}
    assert "THE LADDER reads nothing" in (out / "report.txt").read_text()


def test_a_micro_code_is_a_step_on_the_whole_picture(tmp_path: Path) -> None:
    picture = micro_picture(micro_modules("M4", "M", "hello wor"), pixels=6, blur=0.6, noise=10)
    (tmp_path / "micro.png").write_bytes(encode_png(picture))
    assert main(["inspect", str(tmp_path / "micro.png"), "--out", str(tmp_path / "seen")]) == terminal.SUCCESS
    (step,) = (one for one in loaded(tmp_path / "seen")["steps"] if one["name"] == "micro")
    assert [symbol["text"] for symbol in step["read"]] == ["hello wor"]


def test_what_is_seen_but_not_read_is_printed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], configured: None
) -> None:
    (tmp_path / "broken.png").write_bytes(encode_png(broken_picture()))
    out = tmp_path / "seen"
    assert main(["inspect", str(tmp_path / "broken.png"), "--out", str(out)]) == terminal.NOT_ALL_READ
    report, line = capsys.readouterr().out.splitlines()
    assert report == f"{out}/report.txt"
    assert line.startswith("not read: place 1, unreadable, agreement 0.9")


def test_of_a_document_the_first_page_is_seen(tmp_path: Path, configured: None) -> None:
    writer = PdfWriter()
    for size in ((480, 240), (240, 240)):
        writer.page(b"", size=size)
    (tmp_path / "sheet.pdf").write_bytes(writer.written())
    assert main(["inspect", str(tmp_path / "sheet.pdf"), "--out", str(tmp_path / "seen")]) == terminal.NOT_ALL_READ
    report = loaded(tmp_path / "seen")
    assert report["width"] == 2 * report["height"]


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
