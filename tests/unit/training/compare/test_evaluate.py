import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from app.models.checkpoint import load
from app.pipeline.engines.zbar import ZBar
from app.pipeline.engines.zxing import ZXing
from app.pipeline.imaging import GreyImage
from app.pipeline.inference.loading import load_networks
from app.pipeline.inference.networks import Networks
from app.pipeline.locating.finder_patterns import FinderLocator
from app.pipeline.locating.locators import SightingLocator
from app.pipeline.tools import Tools
from app.settings import Settings
from tests.support.fakes import FakeLocator, FakeReader, FakeRestorer, FakeWindows
from training.compare.evaluate import evaluate, main, result_line
from training.compare.fidelity import Fidelity
from training.compare.rows import Row
from training.compare.systems import LADDER, READER, ROUTED, WITH_FLATTENING, WITH_SOFT, Kind, ladder_systems
from training.compare.trials import Bench, Trial
from training.measure.sets import samples


def white(crop: GreyImage) -> GreyImage:
    return crop | 255


def fake_bench(light: FakeRestorer, heavy: FakeRestorer, threshold: float) -> Bench:
    large = FakeRestorer("large", lambda crop: crop.repeat(4, axis=0).repeat(4, axis=1), scale=4)
    tools = Tools(
        zxing=ZXing(),
        zbar=ZBar(),
        windows=FakeWindows(),
        evened=FakeLocator(),
        stretched=FakeLocator(),
        locators=(SightingLocator(), FinderLocator()),
        reader=FakeReader(),
        restorers={restorer.name: restorer for restorer in (light, heavy, large)},
        light="quick",
        heavy="slow",
        upscaler="large",
        threshold=threshold,
    )
    return Bench(Networks({}, {}, {}), tools, ladder_systems(tools))


def measured(bench: Bench, name: str, count: int) -> dict[str, dict[str, object]]:
    return {row.name: row.decode_figures(name) for row in evaluate(bench, name, count)}


def test_each_network_is_measured_by_itself_and_in_its_route() -> None:
    """The light network leaves the code as it is, which reads; the heavy one destroys it."""
    light, heavy = FakeRestorer("quick"), FakeRestorer("slow", white)
    found = measured(fake_bench(light, heavy, threshold=0), "jpeg10", 2)
    assert {figures["n"] for figures in found.values()} == {2}
    assert (found["quick"]["all"], found["slow"]["all"], found[ROUTED]["all"]) == (1, 0, 1)
    assert all(figures["wrong"] == 0 for figures in found.values())
    routed = measured(fake_bench(light, heavy, threshold=float("inf")), "jpeg10", 2)
    assert routed[ROUTED]["all"] == 0
    assert {"zbar", "zxing", LADDER} <= found.keys()
    assert {name for name, figures in found.items() if figures["psnr"]} == {"quick", "slow", "large"}
    assert found["quick"]["psnr"] > found["slow"]["psnr"]


def test_rungs_add_to_the_module_reader() -> None:
    """A reader that knows nothing reads nothing, and nobody makes anything of its answer."""
    made = fake_bench(FakeRestorer("quick"), FakeRestorer("slow"), threshold=0)
    names = (READER, WITH_SOFT, WITH_FLATTENING)
    assert [measured(made, "jpeg10", 1)[name]["all"] for name in names] == [1, 1, 1]
    made.tools.reader.answer = lambda crop, version: np.zeros(2 * (17 + 4 * version,), np.float32)
    found = measured(made, "jpeg10", 1)
    assert [found[name]["all"] for name in names] == [0, 0, 0]
    spent = [found[name]["milliseconds"] for name in names]
    assert spent == sorted(spent)
    assert spent[0] > 0


def test_engines_are_measured_without_networks() -> None:
    light, heavy = FakeRestorer("quick", white), FakeRestorer("slow", white)
    found = measured(fake_bench(light, heavy, threshold=0), "jpeg10", 2)
    expected = [
        any(symbol.payload == sample.symbol.payload for symbol in ZXing().read(sample.image))
        for sample in samples("jpeg10", count=2)
    ]
    assert found["zxing"]["all"] == sum(expected) / 2
    assert found["zbar"]["zbar"] == found["zbar"]["all"]


def test_zbar_alone_is_told_only_where_it_was_asked_alone() -> None:
    """Rungs ask their engines themselves, zxing-cpp before ZBar, so that what ZBar would read is not known."""
    found = measured(fake_bench(FakeRestorer("quick"), FakeRestorer("slow"), threshold=0), "jpeg10", 1)
    apart = {name for name, figures in found.items() if figures["zbar"] is not None}
    assert apart == {"zbar", "quick", "slow", "large", ROUTED, "random routing"}
    trials = [Trial(True, True, None, False, 0.1)]
    row = Row(name="rung", kind=Kind.READER, trials={"jpeg10": trials})
    assert result_line(row, "jpeg10").split() == ["jpeg10", "rung", "-", "100.0", "[21-100]", "0", "100.0"]


def test_a_line_shows_rates_fidelity_and_time() -> None:
    hits = [(True, True, 10.0), (False, True, 20.0), (False, False, 15.0), (False, False, 15.0)]
    trials = [Trial(True, by_all, by_zbar, False, 0.025, Fidelity(psnr, 0.6, 1.0)) for by_zbar, by_all, psnr in hits]
    row = Row(name="method", kind=Kind.RESTORER, trials={"scene": trials})
    assert result_line(row, "scene").split() == [
        *("scene", "method", "25.0", "[5-70]", "50.0", "[15-85]", "0", "15.00", "0.6000", "25.0"),
    ]
    wrong = replace(row, trials={"scene": [replace(trial, wrong=True) for trial in trials]})
    assert result_line(wrong, "scene").split()[6] == "4"


# --- command --------------------------------------------------------------------------------------------------------


def test_the_command_prints_keeps_and_records(
    weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
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
    main(["--weights", str(folder), *names, *options])
    printed = capsys.readouterr().out
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert set(figures) == {"blur64"}
    assert {"zbar", "zxing", ROUTED, light, LADDER} <= set(figures["blur64"])
    for method, values in figures["blur64"].items():
        assert values["n"] == 2
        assert any(method in line and line.startswith("blur64") for line in printed.splitlines())
    recorded = load(folder / f"{light}.safetensors").measured
    assert recorded["decode_rate"] == 0.0  # what was measured before stays
    assert recorded["decode"] == {"blur64": figures["blur64"][light]}
    for name in (settings.reader_network, settings.locator_network):
        assert load(folder / f"{name}.safetensors").measured["decode"] == {"blur64": figures["blur64"][READER]}
    assert len(load_networks(folder, "cpu").cards) == 5
