"""The comparison runs from one command, and what it prints, keeps, draws and records is the same."""

import json
import shutil
from pathlib import Path

import cv2
import pytest
import torch

from app.models.checkpoint import Checkpoint, load, save
from app.models.registry import NETWORKS
from app.settings import Settings
from tests.support.networks import TINY
from training.compare import __main__, cost
from training.compare import rows as rows_of
from training.compare.__main__ import main, record_rates
from training.compare.rows import Row, describe_origin, untrained_rows
from training.compare.scatter import draw_rates
from training.compare.systems import LADDER, RANDOM_ROUTING, READER, ROUTED, Kind
from training.compare.trials import Trial
from training.recipes.registry import RECIPES
from training.run.config import TrainConfig


def tiny_recipe() -> TrainConfig:
    """A network of the paper's size: needs a GPU."""
    lenet = RECIPES["lenet"]()
    return TrainConfig(
        name="paper-size",
        architecture="LENet",
        network=TINY["LENet"],
        make_batch=lenet.make_batch,
        loss=lenet.loss,
        data={},
        minutes=1,
        batch_size=1,
    )


@pytest.fixture
def folder(weights: Path, tmp_path: Path) -> Path:
    copy = tmp_path / "weights"
    shutil.copytree(weights, copy)
    return copy


@pytest.mark.slow
def test_the_command_prints_keeps_draws_and_records(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(rows_of, "RECIPES", {"paper-size": tiny_recipe, "lenet": tiny_recipe})
    for module in (__main__, cost, rows_of):
        monkeypatch.setattr(module, "THREADS", (1,))
    files = {key: tmp_path / f"out.{key}" for key in ("json", "markdown", "picture")}
    files["picture"] = files["picture"].with_suffix(".png")
    words = ["--weights", str(folder), "--sets", "blur64", "--count", "1", "--timed", "1", "--jobs", "1", "--record"]
    for option, file in files.items():
        words += [f"--{option}", str(file)]
    main(words)

    printed = capsys.readouterr().out
    assert files["markdown"].read_text() == printed
    figures = json.loads(files["json"].read_text())
    rows = {row["name"]: row for row in figures["rows"]}
    settings = Settings()
    assert {settings.light_network, settings.heavy_network, settings.upscale_network, "paper-size"} <= set(rows)
    assert {"zbar", "zxing", "opencv", "bicubic x4", "Lanczos x4", ROUTED, RANDOM_ROUTING, READER, LADDER} <= set(rows)
    assert rows["zxing"]["sets"]["blur64"]["n"] == 1
    assert rows["zxing"]["sets"]["blur64"]["all"] == 1
    assert set(rows[READER]["inference_ms"]) == {"1"}
    assert set(rows["zbar"]["picture_ms"]) == {"1"}
    assert rows["paper-size"]["sets"] == {}
    assert rows["paper-size"]["origin"] == "untrained: needs a GPU, recipe `paper-size`"
    assert f"| {settings.light_network} |" in printed
    small, large = rows[settings.light_network], rows[settings.heavy_network]
    assert rows[ROUTED]["parameters"] == small["parameters"] + large["parameters"]
    assert rows[ROUTED]["gmac"] == [small["gmac"][0], pytest.approx(small["gmac"][0] + large["gmac"][0])]
    assert rows[RANDOM_ROUTING]["gmac"] == [small["gmac"][0], large["gmac"][0]]
    assert [claim["verdict"] for claim in figures["claims"]].count("not measured") >= 6

    light = load(folder / f"{settings.light_network}.safetensors").measured
    assert light["decode_rate"] == 0.0  # what was measured before stays
    assert light["decode"] == {"blur64": rows[settings.light_network]["sets"]["blur64"]}
    for name in (settings.reader_network, settings.locator_network):
        assert load(folder / f"{name}.safetensors").measured["decode"] == {"blur64": rows[READER]["sets"]["blur64"]}
    assert cv2.imread(str(files["picture"])).shape[2] == 3


def test_untrained_recipes_have_rows_of_cost_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows_of, "RECIPES", {"there": tiny_recipe, "not there": tiny_recipe})
    for module in (__main__, cost, rows_of):
        monkeypatch.setattr(module, "THREADS", (1,))
    (row,) = untrained_rows(["there"])
    assert (row.name, row.kind, row.trials) == ("not there", Kind.RESTORER, {})
    assert row.parameters == sum(each.numel() for each in NETWORKS["LENet"](**TINY["LENet"]).parameters())
    assert set(row.inference_ms) == {"1"}


def test_origin_adds_up_runs_that_continue_others() -> None:
    provenance = {
        "training_minutes": 27.0,
        "samples": 300,
        "loss": "pixel_loss",
        "continues": {"training_minutes": 105.0, "samples": 900},
    }
    made = Checkpoint(
        "a", "LENet", torch.nn.Identity(), {}, {**provenance, "adversary": {"discriminator": "ConvDiscriminator"}}
    )
    assert describe_origin(made) == "132 min, 1,200 samples, pixel_loss, against ConvDiscriminator"
    middle = Checkpoint("a", "LENet", torch.nn.Identity(), {}, {"recipe": "network interpolation", "share": 0.5})
    assert describe_origin(middle) == "between two networks, 50 % of the way"
    assert describe_origin(Checkpoint("a", "LENet", torch.nn.Identity(), {})) == "training time unknown"


def test_the_chart_has_the_times_of_one_thread_and_for_photographs_those_of_the_trials() -> None:
    def trials(*reads: bool, seconds: float, applicable: bool = True) -> list[Trial]:
        return [Trial(applicable, read, None, False, seconds) for read in reads]

    system = Row(
        name="system",
        kind=Kind.RESTORER,
        trials={
            "qrdata": trials(True, False, seconds=9.0),
            "lr32": trials(True, True, seconds=9.0),
            "photographs": trials(True, seconds=0.5),
        },
        timings={1: trials(True, seconds=0.2), 2: trials(True, seconds=9.0)},
    )
    inapplicable = Row(name="none", kind=Kind.UPSCALER, trials={"qrdata": trials(False, seconds=9.0, applicable=False)})
    sets, photographs = draw_rates([system, inapplicable], ["qrdata", "lr32"], ["photographs"]).axes
    assert (sets.get_title(), photographs.get_title()) == ("all of qrdata, lr32, n = 4", "photographs, n = 1")
    for panel, point in ((sets, [200, 75]), (photographs, [500, 100])):
        ((line, _, _),) = panel.containers
        assert line.get_xydata().tolist() == [pytest.approx(point)]


@pytest.mark.parametrize("option", ["--count", "--timed", "--photo-count", "--jobs"])
def test_numbers_below_one_are_refused(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main([option, "0"])
    assert "must be 1 or more" in capsys.readouterr().err


BEFORE = {"lr32": {"all": 0.5, "n": 2}, "scene": {"all": 0.5, "n": 1}, "qrdata": {"all": 0.0, "n": 1}}


@pytest.mark.parametrize("half", [True, False])
def test_recording_keeps_sets_and_precision(tmp_path: Path, half: bool) -> None:
    torch.manual_seed(0)
    network = NETWORKS["LENet"](**TINY["LENet"])
    path = tmp_path / "tiny.safetensors"
    save(Checkpoint("tiny", "LENet", network, TINY["LENet"], {}, {"decode": BEFORE}), path, half=half)
    before, size = load(path).network.state_dict(), path.stat().st_size
    trials = {"qrdata": [Trial(True, True, True, False, 0.1)]}
    trials["lr32"] = trials["qrdata"]
    rows = [Row(name="tiny", kind=Kind.RESTORER, trials=trials), Row(name="tiny", kind=Kind.RESTORER)]
    record_rates(rows, tmp_path, {})
    made = load(path)
    assert made.measured["decode"]["lr32"] == BEFORE["lr32"]  # of more pictures
    assert made.measured["decode"]["scene"] == BEFORE["scene"]
    assert made.measured["decode"]["qrdata"]["all"] == 1
    assert all(torch.equal(value, before[key]) for key, value in made.network.state_dict().items())
    assert abs(path.stat().st_size - size) < 2000
    written = path.stat().st_mtime_ns
    record_rates(rows, tmp_path, {})
    assert path.stat().st_mtime_ns == written  # nothing new, so the file is left alone
