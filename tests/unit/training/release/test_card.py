"""A card says what the header says, the same at every run."""

from pathlib import Path

import pytest
import torch

from app.models.checkpoint import Checkpoint, save
from app.models.registry import NETWORKS
from tests.support.networks import TINY
from tests.support.paths import ROOT
from training.release.card import main, model_card, model_cards
from training.run.provenance import run_lengths

FIGURES = {"n": 40, "all": 0.25, "all_interval": [0.14, 0.4], "zbar": None, "wrong": 2, "psnr": 20.123, "ssim": 0.5}


def made(architecture: str = "LENet", **parts: dict[str, object]) -> Checkpoint:
    torch.manual_seed(0)
    return Checkpoint("tiny", architecture, NETWORKS[architecture](**TINY[architecture]), TINY[architecture], **parts)


def test_a_card_holds_the_header() -> None:
    provenance = {"recipe": "tiny", "seed": 1234, "samples": 5678, "loss": "some_loss", "data": {"blur": "much"}}
    measured = {"laplacian_threshold": 245.4233, "decode": {"qrdata": FIGURES}}
    text = model_card(made(provenance=provenance, measured=measured), 4321, "light")
    assert text.startswith("## tiny\n")
    assert "blocks=(1, 1, 1, 1)" in text
    assert f"{made().parameters:,} parameters, 4,321 bytes." in text
    for line in ("recipe: tiny", "seed: 1234", "samples: 5,678", "loss: some_loss", "data, blur: much"):
        assert f"- {line}\n" in text
    assert "- routing threshold (Laplacian variance): 245.423" in text
    assert "| qrdata | 40 | 25.0 [14-40] |  | 2 | 20.12 dB | 0.500 |" in text
    assert "Reads less than half of these sets: qrdata 25 %." in text
    assert "light network" in text


def test_sets_that_a_network_is_not_for_are_left_out() -> None:
    text = model_card(made("SRResNet", measured={"decode": {"qrdata": {**FIGURES, "tried": 0}}}), 1, None)
    assert "qrdata" not in text
    assert "Upscales" in text
    assert "by 4" in text


def test_what_was_not_measured_is_not_claimed() -> None:
    assert "**Measurements.** None yet." in model_card(made(), 1, None)


@pytest.mark.parametrize("architecture", NETWORKS)
def test_every_architecture_has_a_purpose_and_limits(architecture: str) -> None:
    text = model_card(made(architecture), 1, None)
    assert "**Use.**" in text
    assert "**Limits.**" in text


def test_runs_that_continue_others_add_up() -> None:
    earlier = {"training_minutes": 100.0, "samples": 10}
    assert run_lengths({"training_minutes": 5.5, "samples": 2, "continues": earlier}) == (105.5, 12)
    assert run_lengths({"training_minutes": 5.5, "continues": earlier}) == (105.5, None)
    assert run_lengths({}) == (None, None)


def test_the_command_writes_what_it_prints(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save(made(provenance={"recipe": "tiny"}), tmp_path / "tiny.safetensors")
    save(made("SRResNet"), tmp_path / "large.safetensors")
    out = tmp_path / "MODELS.md"
    for words in ([], ["--out", str(out)]):
        main(["--weights", str(tmp_path), *words])
    printed = capsys.readouterr().out
    assert out.read_text() == printed == model_cards(tmp_path, {})
    assert printed.index("## large") < printed.index("## tiny")


def test_shipped_weights_have_cards() -> None:
    text = model_cards(ROOT / "weights", {"lenet": "light"})
    for path in (ROOT / "weights").glob("*.safetensors"):
        assert f"\n## {path.stem}\n" in text
        assert f"{path.stat().st_size:,} bytes" in text
    assert "The ladder's default light network." in text


def test_the_committed_cards_are_those_of_the_shipped_weights(tmp_path: Path) -> None:
    out = tmp_path / "MODELS.md"
    main(["--weights", str(ROOT / "weights"), "--out", str(out)])
    assert out.read_text() == (ROOT / "MODELS.md").read_text(), "renew it: make cards"
