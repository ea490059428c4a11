import re
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tests.support.tiny_recipes import plain
from training.run.loop import Run
from training.run.progress import Journal, Progress, Window, read_log

FIGURES = {"loss": 1.0, "module_error": 0.25, "gradient_norm": 1.0, "rate": 0.1}


def progress(directory: Path, **where: object) -> Progress:
    return Progress(directory, **{"total_seconds": 100.0, **where})


def go(log: Progress, first: int, last: int, **figures: float) -> None:
    for step in range(first, last + 1):
        log.update(step=step, seconds=step / 2, samples=16 * step, **{**FIGURES, **figures})


# --- clock ----------------------------------------------------------------------------------------------------------


def test_a_step_taken_again_has_the_time_of_the_first_attempt(tmp_path: Path) -> None:
    first = Journal(tmp_path / "clock.csv")
    times = [first.record(step, seconds) for step, seconds in ((1, 0.1), (2, 1 / 3))]
    second = Journal(tmp_path / "clock.csv")
    assert [second.record(step, 9.0) for step in (1, 2, 3)] == [*times, 9.0] == [0.1, 1 / 3, 9.0]
    assert (tmp_path / "clock.csv").read_text().split() == ["1,0.1", f"2,{1 / 3!r}", "3,9.0"]
    first.close()
    second.close()


def test_half_a_line_is_no_time(tmp_path: Path) -> None:
    (tmp_path / "clock.csv").write_text("1,0.5\n2,0.7")
    journal = Journal(tmp_path / "clock.csv")
    assert journal.record(2, 0.75) == 0.75
    journal.close()
    assert (tmp_path / "clock.csv").read_text() == "1,0.5\n2,0.75\n"


# --- log ------------------------------------------------------------------------------------------------------------


def test_a_row_is_the_mean_of_twenty_steps(tmp_path: Path) -> None:
    log = progress(tmp_path)
    go(log, 1, 10, loss=1.0)
    go(log, 11, 30, loss=3.0)
    log.close()
    (row,) = read_log(tmp_path)
    assert (row["step"], row["loss"], row["module_error"]) == (20, 2.0, 0.25)


def test_rows_beyond_the_step_that_a_run_resumes_from_are_dropped(tmp_path: Path) -> None:
    log = progress(tmp_path)
    go(log, 1, 60)
    log.close()
    log = progress(tmp_path, step=45)
    assert [row["step"] for row in read_log(tmp_path)] == [20, 40]
    go(log, 46, 60)
    log.close()
    assert [row["step"] for row in read_log(tmp_path)] == [20, 40, 60]


def test_a_torn_row_is_dropped(tmp_path: Path) -> None:
    log = progress(tmp_path)
    go(log, 1, 40)
    log.close()
    whole = (tmp_path / "log.csv").read_text()
    (tmp_path / "log.csv").write_text(whole + "5,1")
    progress(tmp_path, step=50).close()
    assert (tmp_path / "log.csv").read_text() == whole


def test_a_window_goes_on_where_it_stopped(tmp_path: Path) -> None:
    window: Window = {}
    log = progress(tmp_path, window=window)
    go(log, 1, 15, loss=2.0)
    log.close()
    log = progress(tmp_path, step=15, window=window)
    go(log, 16, 20, loss=6.0)
    log.close()
    assert read_log(tmp_path)[0]["loss"] == 3.0
    assert not window


def test_a_figure_without_value_is_nan_and_an_older_log_gains_columns(tmp_path: Path) -> None:
    log = progress(tmp_path)
    go(log, 1, 20)
    log.close()
    log = progress(tmp_path, step=20, columns=["validation_loss"])
    go(log, 21, 39)
    go(log, 40, 40, validation_loss=0.5)
    log.close()
    rows = read_log(tmp_path)
    assert np.isnan(rows[0]["validation_loss"])
    assert rows[1]["validation_loss"] == 0.5
    assert [row["loss"] for row in rows] == [1.0, 1.0]


# --- bar and TensorBoard --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("steps", "shown"), [(None, r"10/100 s"), (40, r"20/40 steps")])
def test_the_bar_tells_pace_and_time_left(
    steps: int | None, shown: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = progress(tmp_path, total_steps=steps)
    go(log, 1, 20)
    log.close()
    last = capsys.readouterr().err.split("\r")[-1]
    assert re.search(shown, last)
    assert re.search(r"\[\d\d:\d\d left\]", last)
    assert "step 20, 32.0 samples/s, loss 1.0000, error 25.00%" in last


def test_a_resumed_bar_does_not_begin_at_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    progress(tmp_path, step=100, seconds=50.0).close()
    assert "50%" in capsys.readouterr().err


def test_tensorboard_has_scalars_and_pictures(tmp_path: Path) -> None:
    run = Run(replace(plain(), steps=40, picture_every=20), tmp_path)
    run.train()
    events = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    rows = read_log(tmp_path)
    for column in ("loss", "module_error", "gradient_norm", "rate"):
        scalars = events.Scalars(column)
        assert [scalar.step for scalar in scalars] == [20, 40]
        assert [scalar.value for scalar in scalars] == pytest.approx([row[column] for row in rows], rel=1e-5)
    pictures = events.Images("samples")
    assert [picture.step for picture in pictures] == [20, 40]
    assert (pictures[0].height, pictures[0].width) == (3 * 192, 2 * 192)


def test_coloured_pictures_keep_their_colours_on_tensorboard(tmp_path: Path) -> None:
    log = progress(tmp_path)
    log.picture(np.full((4, 6, 3), (255, 0, 0), dtype=np.uint8), step=1)  # blue as OpenCV has it
    log.close()
    events = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    shown = cv2.imdecode(np.frombuffer(events.Images("samples")[0].encoded_image_string, np.uint8), cv2.IMREAD_COLOR)
    assert shown is not None
    assert shown[0, 0].tolist() == [255, 0, 0]
