"""Between two trainings: the arithmetic, what the header says, and what a sweep measures."""

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from app.models.checkpoint import Checkpoint, load, save
from app.models.registry import NETWORKS
from app.pipeline.imaging import normalise, psnr
from app.pipeline.qrcode.patterns import render
from tests.support.networks import TINY
from training.compare.fidelity import Fidelity, ssim
from training.compare.interpolate import Point, draw_sweep, main, sweep, sweep_table
from training.compare.rows import Row
from training.compare.systems import Kind
from training.compare.trials import Trial
from training.compare.weight_interpolation import interpolate_weights
from training.measure.rates import Rate
from training.measure.sets import samples


def trained(name: str, seed: int, *, architecture: str = "SRResNet", **config: object) -> Checkpoint:
    torch.manual_seed(seed)
    whole = {**TINY[architecture], **config}
    network = NETWORKS[architecture](**whole).eval()
    return Checkpoint(name, architecture, network, whole, {"recipe": name, "seed": seed})


def bicubic(name: str = "plain") -> Checkpoint:
    """An SRResNet that adds nothing to its bicubic skip."""
    card = trained(name, 0)
    for parameter in card.network.get_submodule("tail").parameters():
        torch.nn.init.zeros_(parameter)
    return card


# --- mixing ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("share", [0.0, 0.2, 0.5, 1.0])
def test_every_value_is_mixed(share: float) -> None:
    first, second = trained("a", 1), trained("b", 2)
    mixed = interpolate_weights(first, second, share, name="mixed").network.state_dict()
    ends = first.network.state_dict(), second.network.state_dict()
    assert mixed.keys() == ends[0].keys()
    for key, tensor in mixed.items():
        expected = (1 - share) * ends[0][key] + share * ends[1][key]
        assert torch.allclose(tensor, expected, rtol=0, atol=1e-7)
        if share in {0, 1}:
            assert torch.equal(tensor, ends[int(share)][key])


def test_the_trainings_themselves_stay_as_they_are() -> None:
    first, second = trained("a", 1), trained("b", 2)
    before = first.network.get_parameter("tail.weight").clone()
    mixed = interpolate_weights(first, second, 0.5, name="mixed").network
    torch.nn.init.zeros_(mixed.get_parameter("tail.weight"))
    assert torch.equal(first.network.get_parameter("tail.weight"), before)
    assert not mixed.training
    assert not any(parameter.requires_grad for parameter in mixed.parameters())


def test_counts_are_not_mixed() -> None:
    first, second = (trained(name, seed, batch_norm=True) for name, seed in (("a", 1), ("b", 2)))
    key = "body.0.body.1.num_batches_tracked"
    first.network.get_buffer(key).fill_(10)
    second.network.get_buffer(key).fill_(30)
    assert int(interpolate_weights(first, second, 0.5, name="mixed").network.get_buffer(key)) == 10


def test_the_header_says_where_both_come_from(tmp_path: Path) -> None:
    mixed = interpolate_weights(trained("a", 1), trained("b", 2), 0.2, name="mixed")
    save(mixed, tmp_path / "mixed.safetensors")
    kept = load(tmp_path / "mixed.safetensors")
    assert (kept.architecture, kept.config) == (mixed.architecture, mixed.config)
    assert kept.provenance == {
        "recipe": "network interpolation",
        "share": 0.2,
        "first": {"name": "a", "recipe": "a", "seed": 1},
        "second": {"name": "b", "recipe": "b", "seed": 2},
    }
    assert torch.equal(kept.network.get_parameter("tail.weight"), mixed.network.get_parameter("tail.weight"))


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan")])
def test_shares_outside_are_refused(share: float) -> None:
    with pytest.raises(ValueError, match=r"the share must be in \[0, 1\]"):
        interpolate_weights(trained("a", 1), trained("b", 2), share, name="mixed")


@pytest.mark.parametrize(
    "other", [trained("b", 2, width=8), trained("b", 2, architecture="LENet")], ids=["configuration", "architecture"]
)
def test_two_networks_are_not_mixed(other: Checkpoint) -> None:
    with pytest.raises(ValueError, match=r"a is SRResNet .* b is .* only two trainings of one network"):
        interpolate_weights(trained("a", 1), other, 0.5, name="mixed")


# --- sweeping -------------------------------------------------------------------------------------------------------


def test_a_sweep_measures_what_the_network_gives() -> None:
    """Between a network that is plain bicubic interpolation and itself nothing changes, and all is known."""
    first, last = sweep(bicubic(), bicubic("same"), name="blur64", count=3, shares=(0, 1))
    for point in (first, last):
        figures = point.figures()
        assert {figures[key] for key in ("n", "wrong")} == {3, 0}
        expected = []
        for sample in samples("blur64", count=3):
            size = (256, 256)
            stretched = torch.from_numpy(normalise(sample.image))[None, None]
            large = torch.nn.functional.interpolate(stretched, size=size, mode="bicubic", align_corners=False)
            restored = np.rint(255 * large[0, 0].clamp(0, 1).numpy()).astype(np.uint8)
            fine = render(sample.symbol.modules, pixels=64)
            clean = np.asarray(cv2.resize(fine, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
            expected.append((psnr(restored, clean), ssim(restored, clean)))
        assert figures["psnr"] == pytest.approx(np.mean([pair[0] for pair in expected]), abs=0.02)
        assert figures["ssim"] == pytest.approx(np.mean([pair[1] for pair in expected]), abs=1e-3)
        assert 0 < point.fidelity.sharpness < 0.5  # soft
    assert first.figures()["all"] == last.figures()["all"] == 1.0  # zxing-cpp reads blur64 as it is


def test_a_sweep_sees_what_a_bad_training_loses() -> None:
    bad = bicubic("bad")
    with torch.no_grad():
        bad.network.get_parameter("tail.bias").fill_(2.0)  # white, whatever it sees
    first, middle, last = sweep(bicubic(), bad, name="blur64", count=2, shares=(0, 0.1, 1))
    assert first.rates[1] == Rate(2, 2)
    assert last.rates == (Rate(0, 2), Rate(0, 2))
    assert first.fidelity.psnr > middle.fidelity.psnr > last.fidelity.psnr
    assert last.fidelity.sharpness == 0


def test_networks_of_scale_one_see_canonical_crops() -> None:
    light = trained("a", 1, architecture="LENet")
    (point,) = sweep(light, replace(light, name="b"), name="jpeg10", count=1, shares=(0.3,))
    assert point.figures()["n"] == 1
    assert 0 < point.fidelity.psnr < 60


def made_up(share: float, psnr: float, by_zbar: int, by_all: int, sharpness: float) -> Point:
    fidelity = Fidelity(psnr, psnr / 40, sharpness)
    trials = [Trial(True, each < by_all, each < by_zbar, False, 0.1, fidelity) for each in range(10)]
    return Point(share, "blur64", Row(name="made up", kind=Kind.UPSCALER, trials={"blur64": trials}))


def test_the_table_has_a_row_per_share() -> None:
    points = [made_up(0, 30, 9, 10, 0.4), made_up(0.5, 28, 8, 10, 0.7), made_up(1, 24, 5, 8, 0.9)]
    lines = sweep_table(points).splitlines()
    assert len({line.count("|") for line in lines}) == 1
    assert lines[2].startswith("| 0 | 30.00 | 0.7500 | 0.40 |")
    assert "80.0 [49-94]" in lines[4]


def test_the_chart_shows_every_measure_against_the_share() -> None:
    points = [made_up(0, 30, 9, 10, 0.4), made_up(0.5, 28, 8, 10, 0.7), made_up(1, 24, 5, 8, 0.9)]
    figure = draw_sweep(points, "from a to b")
    assert figure.get_suptitle() == "from a to b"
    *single, rates = figure.axes
    for panel, title, values in zip(
        single,
        ("PSNR, dB", "SSIM", "sharpness (clean picture = 1)"),
        ([30, 28, 24], [0.75, 0.7, 0.6], [0.4, 0.7, 0.9]),
        strict=True,
    ):
        assert panel.get_title() == title
        (line,) = panel.lines
        assert line.get_xdata().tolist() == [0, 0.5, 1]
        assert line.get_ydata() == pytest.approx(values)
    assert [container.get_label() for container in rates.containers] == ["ZBar", "all engines"]
    for (line, _, (bars,)), hits in zip(rates.containers, ((9, 8, 5), (10, 10, 8)), strict=True):
        assert line.get_ydata() == pytest.approx([10 * hit for hit in hits])
        for segment, hit in zip(bars.get_segments(), hits, strict=True):
            assert segment[:, 1] == pytest.approx([100 * bound for bound in Rate(hit, 10).interval])


def test_one_share_and_equal_figures_can_be_drawn() -> None:
    figure = draw_sweep([made_up(0.5, 30, 0, 0, 0.0)], "one")
    assert [panel.lines[0].get_xdata().tolist() for panel in figure.axes] == [[0.5]] * 4


# --- the command ----------------------------------------------------------------------------------------------------


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str]:
    paths = tmp_path / "a.safetensors", tmp_path / "b.safetensors"
    save(bicubic(), paths[0])
    save(trained("b", 2), paths[1])
    return str(paths[0]), str(paths[1])


def test_end_to_end(tmp_path: Path, files: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    mixed, kept, drawn = (str(tmp_path / name) for name in ("mixed.safetensors", "sweep.json", "sweep.png"))
    words = ["--sweep", "--set", "blur64", "--count", "2", "--shares", "1", "0", "--json", kept, "--picture", drawn]
    main([*files, "--share", "0.25", "--out", mixed, "--half", *words])
    printed = capsys.readouterr().out
    assert "0.75 a + 0.25 b" in printed
    assert "blur64, n = 2" in printed
    assert load(Path(mixed)).provenance["share"] == 0.25
    figures = json.loads(Path(kept).read_text())
    assert [figures[key] for key in ("set", "psnr", "gan")] == ["blur64", "a", "b"]
    assert [point["share"] for point in figures["shares"]] == [0, 1]
    assert figures["shares"][0]["all"] == 1.0
    assert cv2.imread(drawn) is not None


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ([], "--share and --out, or --sweep"),
        (["--share", "0.5"], "--share and --out"),
        (["--sweep", "--out", "x.safetensors"], "--share and --out"),
        (["--share", "0.5", "--out", "x.pth"], "must end in .safetensors"),
        (["--share", "1.5", "--out", "x.safetensors"], "the share must be in [0, 1], not 1.5"),
        (["--sweep", "--shares", "0", "2"], "the share must be in [0, 1], not 2"),
        (["--sweep", "--set", "scene"], "invalid choice"),
    ],
)
def test_words_that_make_no_sense(
    files: tuple[str, str],
    words: list[str],
    reason: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as left:
        main([*files, *words])
    assert left.value.code == 2
    assert reason in capsys.readouterr().err


def test_files_of_two_networks_are_refused_before_anything_is_written(
    tmp_path: Path, files: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    other, out = tmp_path / "other.safetensors", tmp_path / "out.safetensors"
    save(trained("other", 3, width=8), other)
    with pytest.raises(SystemExit):
        main([files[0], str(other), "--share", "0.5", "--out", str(out)])
    assert "only two trainings of one network" in capsys.readouterr().err
    assert not out.exists()
