"""Comparisons over trainings: the table's arithmetic, and what the command makes of real networks."""

from pathlib import Path

import pytest
import torch

from app.models.checkpoint import Checkpoint, save
from app.models.registry import NETWORKS
from tests.support.networks import TINY
from training.compare.fidelity import Fidelity
from training.compare.trainings import main, trainings_table, try_trainings
from training.compare.trials import Trial


def network(name: str, *, tone: float) -> Checkpoint:
    """An SRResNet that is plain bicubic interpolation, made lighter by ``tone``."""
    config = dict(TINY["SRResNet"])
    built = NETWORKS["SRResNet"](**config).eval()
    for parameter in built.get_submodule("tail").parameters():
        torch.nn.init.zeros_(parameter)
    with torch.no_grad():
        built.get_parameter("tail.bias").fill_(tone)
    return Checkpoint(name, "SRResNet", built, config, {"recipe": name})


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """Three trainings of `plain`, and of `light`, which gets lighter with every seed."""
    for place, seed in enumerate(("1", "2", "3")):
        for name, tone in (("plain", 0.0), ("light", 0.1 * (place + 1))):
            folder = tmp_path / seed / name
            folder.mkdir(parents=True)
            save(network(name, tone=tone), folder / f"{name}.safetensors")
    (tmp_path / "4" / "plain").mkdir(parents=True)  # not finished
    (tmp_path / "notes.txt").write_text("of a person")
    return tmp_path


def trial(psnr: float, ssim: float, *, read: bool = True) -> Trial:
    return Trial(
        applicable=True, by_all=read, by_zbar=read, wrong=False, seconds=0.1, fidelity=Fidelity(psnr, ssim, 1.0)
    )


def test_the_interval_is_over_trainings() -> None:
    """Differences of 1, 2 and 3 dB: 2 +- 4.3 / sqrt(3), however many pictures there are."""
    for pictures in (1, 50):
        trials = {
            str(seed): {"a": [trial(20.0 + seed, 0.9)] * pictures, "b": [trial(20.0, 0.8)] * pictures}
            for seed in (1, 2, 3)
        }
        lines = trainings_table(trials, "a", "b").splitlines()
        assert lines[2] == "| 1 | 21.00 | 20.00 | 0.9000 | 0.8000 | 100.0 | 100.0 |"
        assert "| PSNR, dB | +2.00 [-0.47 to +4.47] | 3.08 | 3 |" in lines
        assert "| read, % | +0.0 each time | - | 3 |" in lines


def test_what_was_read_is_compared() -> None:
    reads = ((True, True), (True, False), (False, True))
    trials = {
        str(seed): {"a": [trial(20, 0.5, read=first)], "b": [trial(20, 0.5, read=second)]}
        for seed, (first, second) in enumerate(reads)
    }
    table = trainings_table(trials, "a", "b")
    assert "| 1 | 20.00 | 20.00 | 0.5000 | 0.5000 | 100.0 | 0.0 |" in table
    assert "| read, % | +0.0 [-" in table


def test_finished_trainings_are_tried_on_the_same_pictures(runs: Path) -> None:
    trials = try_trainings(runs, ("plain", "light"), sets=("blur64",), count=2)
    assert list(trials) == ["1", "2", "3"]
    psnr = {
        seed: {name: [one.fidelity.psnr for one in tried if one.fidelity] for name, tried in by_name.items()}
        for seed, by_name in trials.items()
    }
    assert psnr["1"]["plain"] == psnr["2"]["plain"] == psnr["3"]["plain"]
    assert len(psnr["1"]["plain"]) == 2
    assert psnr["1"]["light"][0] > psnr["2"]["light"][0] > psnr["3"]["light"][0]


def test_the_command_prints_both_tables(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main([str(runs), "plain", "light", "--sets", "blur64", "--count", "1"])
    printed = capsys.readouterr().out
    assert "blur64: n = 1 each" in printed
    assert "| plain minus light | over trainings | smallest detectable difference | seeds |" in printed


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["missing", "plain", "light"], "missing is no folder"),
        ([".", "plain", "other"], "holds 0 folder(s) with finished trainings of plain and other, at least 3"),
        ([".", "plain", "light", "--count", "0"], "--count must be in"),
        ([".", "plain", "light", "--sets", "scene"], "invalid choice: 'scene'"),
    ],
)
def test_what_cannot_be_compared_is_refused(
    runs: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    reason: str,
) -> None:
    monkeypatch.chdir(runs)
    with pytest.raises(SystemExit):
        main(words)
    assert reason in capsys.readouterr().err
