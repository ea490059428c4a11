import json
from pathlib import Path

import numpy as np
import pytest

from app.models.checkpoint import load
from app.pipeline.climbing import Tools
from app.pipeline.loading import load_networks
from app.pipeline.locating import FinderLocator, SightingLocator
from app.pipeline.reading import Symbol, ZBar, ZXing
from app.settings import Settings
from tests.helpers import FakeReader, FakeRestorer
from training.evaluate import Tally, evaluate, main
from training.sets import samples


def symbol(payload: bytes, engine: str = "zxing") -> Symbol:
    corners = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0))
    return Symbol(payload, "", "Text", "QRCode", 1, "M", engine, corners)


# --- tallies --------------------------------------------------------------------------------------------------------


def test_a_tally_counts_exact_payloads_only() -> None:
    tally = Tally()
    right, wrong = symbol(b"yes"), symbol(b"Yes")
    tally.count(b"yes", [right], [right], 0.2)
    tally.count(b"yes", [], [right], 0.1)
    tally.count(b"yes", [], [wrong, right], 0.1)
    tally.count(b"yes", [wrong], [], 0.4)
    tally.count(b"yes", [], [], 0.2)
    assert (tally.n, tally.by_zbar, tally.by_all, tally.wrong) == (5, 1, 3, 2)
    figures = tally.figures()
    assert (figures["zbar"], figures["all"], figures["wrong"]) == (0.2, 0.6, 2)
    assert figures["milliseconds"] == pytest.approx(200)
    assert figures["psnr"] is None
    assert json.loads(json.dumps(figures))["n"] == 5


def test_a_tally_of_which_zbar_was_not_asked_alone_does_not_say_it_read_nothing() -> None:
    tally = Tally()
    tally.count(b"yes", None, [symbol(b"yes")], 0.1)
    assert (tally.by_zbar, tally.figures()["zbar"], tally.figures()["zbar_interval"]) == (None, None, None)
    assert tally.row("method").split()[1:3] == ["-", "100.0"]


def test_a_tallys_row_shows_rates_and_fidelity() -> None:
    tally = Tally(n=4, by_zbar=1, by_all=2, seconds=0.1, psnr=[10.0, 20.0], ssim=[0.5, 0.7])
    row = tally.row("method")
    assert row.startswith("method ")
    assert [part for part in row.split() if part[0].isdigit() or part[0] == "["] == [
        *("25.0", "[5-70]", "50.0", "[15-85]", "0", "15.00", "0.6000", "25.0"),
    ]


# --- on samples -----------------------------------------------------------------------------------------------------


def fake_tools(light: FakeRestorer, heavy: FakeRestorer, threshold: float) -> Tools:
    large = FakeRestorer("large", lambda crop: crop.repeat(4, axis=0).repeat(4, axis=1), scale=4)
    return Tools(
        zxing=ZXing(),
        zbar=ZBar(),
        locators=(SightingLocator(), FinderLocator()),
        reader=FakeReader(),
        restorers={restorer.name: restorer for restorer in (light, heavy, large)},
        light="quick",
        heavy="slow",
        upscaler="large",
        threshold=threshold,
    )


def white(crop: np.ndarray) -> np.ndarray:
    return np.full_like(crop, 255)


def test_each_network_is_measured_by_itself_and_in_its_route() -> None:
    """The light network leaves the code as it is, which reads; the heavy one destroys it."""
    light, heavy = FakeRestorer("quick"), FakeRestorer("slow", white)
    tallies = evaluate(fake_tools(light, heavy, threshold=0), "jpeg10", 2)
    assert {tally.n for tally in tallies.values()} == {2}
    read = {name: tally.by_all for name, tally in tallies.items()}
    assert (read["quick"], read["slow"], read["adnet"]) == (2, 0, 2)
    assert all(tally.wrong == 0 for tally in tallies.values())
    routed = evaluate(fake_tools(light, heavy, threshold=float("inf")), "jpeg10", 2)
    assert routed["adnet"].by_all == 0
    assert "zbar" in tallies
    assert "zxing" in tallies
    assert "whole ladder" in tallies
    fidelity = {name: len(tally.psnr) for name, tally in tallies.items() if tally.psnr}
    assert fidelity == {"quick": 2, "slow": 2}
    assert np.mean(tallies["quick"].psnr) > np.mean(tallies["slow"].psnr)


def test_engines_are_measured_without_networks() -> None:
    light, heavy = FakeRestorer("quick", white), FakeRestorer("slow", white)
    tallies = evaluate(fake_tools(light, heavy, threshold=0), "jpeg10", 2)
    truth = list(samples("jpeg10", count=2))
    expected = sum(
        any(found.payload == sample.symbol.payload for found in ZXing().read(sample.image)) for sample in truth
    )
    assert tallies["zxing"].by_all == expected
    assert tallies["zbar"].by_zbar == tallies["zbar"].by_all
    apart = {name for name, tally in tallies.items() if tally.by_zbar is not None}
    assert apart == {"zbar", "quick", "slow", "adnet", "random routing"}  # the rungs choose their engines


# --- command --------------------------------------------------------------------------------------------------------


def test_the_command_prints_keeps_and_records(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = Settings()
    light = settings.light_network
    folder = tmp_path / "weights"
    folder.mkdir()
    for file in weights.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    names = ["--light", light, "--heavy", settings.heavy_network, "--upscaler", settings.upscale_network]
    names += ["--reader", settings.reader_network, "--locator", settings.locator_network]
    options = ["--sets", "blur64", "--count", "2", "--json", str(tmp_path / "figures.json"), "--record"]
    monkeypatch.setattr("sys.argv", ["evaluate", "--weights", str(folder), *names, *options])
    main()
    printed = capsys.readouterr().out
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert set(figures) == {"blur64"}
    assert {"zbar", "zxing", "adnet", light, "whole ladder"} <= set(figures["blur64"])
    for method, values in figures["blur64"].items():
        assert values["n"] == 2
        assert any(method in line and line.startswith("blur64") for line in printed.splitlines())
    recorded = load(folder / f"{light}.safetensors").measured
    assert recorded["decode_rate"] == 0.0  # what was measured before stays
    assert recorded["decode"] == {"blur64": figures["blur64"][light]}
    assert len(load_networks(folder, "cpu").cards) == 5
