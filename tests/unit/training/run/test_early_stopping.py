from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from app.models.checkpoint import load
from tests.support.tiny_recipes import blocks, plain
from training.data.crops import CropBatch
from training.objectives.losses import pixel_loss
from training.run.config import TrainConfig
from training.run.loop import Run
from training.run.progress import read_log


def rising_after(steps: int) -> Any:
    """A loss whose value, not its gradient, rises in each validation after so many; validation carries no gradient."""
    seen = 0

    def loss(restored: Tensor, batch: CropBatch) -> Tensor:
        nonlocal seen
        if torch.is_grad_enabled():
            return pixel_loss(restored, batch)
        seen += 1
        return torch.tensor(1.0 / seen if seen <= steps else float(seen))

    return loss


def config(**changes: object) -> TrainConfig:
    usual = replace(plain(), steps=100, patience=3, validate_every=4, validation_batches=1)
    return replace(usual, **changes)


def started(directory: Path, chosen: TrainConfig) -> Run:
    run = Run(chosen, directory)
    run.clock.bfloat16 = False
    return run


def test_a_run_ends_when_its_patience_does_and_serves_the_best_weights(tmp_path: Path) -> None:
    """Best at the second validation, after step 8; three more that are worse end the run after step 20."""
    run = started(tmp_path, config(loss=rising_after(2)))
    run.train(stop_after=8)
    best = {key: value.clone() for key, value in run.average.state_dict().items()}
    assert not run.finished()
    run.train()
    assert run.clock.step == 20
    assert run.finished()
    served = load(tmp_path / "plain.safetensors")
    assert all(torch.equal(value, best[key]) for key, value in served.network.state_dict().items())
    assert not all(torch.equal(value, best[key]) for key, value in run.average.state_dict().items())
    assert served.provenance["validation"] == {"loss": 0.5, "step": 8, "batches": 1, "stopped_early": True}
    assert served.provenance["steps"] == 20


def test_a_run_that_gets_better_does_not_end_early(tmp_path: Path) -> None:
    run = started(tmp_path, config(steps=30, patience=1, loss=rising_after(1000)))
    run.train()
    assert run.clock.step == 30
    validation = load(tmp_path / "plain.safetensors").provenance["validation"]
    assert (validation["step"], validation["stopped_early"]) == (30, False)  # the last weights are looked at too


def test_patience_and_the_best_weights_outlast_a_stop(tmp_path: Path) -> None:
    run = started(tmp_path, config(loss=rising_after(2)))
    run.train(stop_after=16)  # two of three worse validations
    best = {name: value for name, value in load_file(tmp_path / "state.safetensors").items() if name[:5] == "best."}
    resumed = Run(config(loss=rising_after(0)), tmp_path)
    resumed.train()
    assert resumed.clock.step == 20
    served = load(tmp_path / "plain.safetensors").network.state_dict()
    assert {f"best.{key}" for key in served} == set(best)
    assert all(torch.equal(value, best[f"best.{key}"]) for key, value in served.items())


def test_a_run_that_ended_early_stays_ended(tmp_path: Path) -> None:
    started(tmp_path, config(loss=rising_after(2))).train()
    again = Run(config(), tmp_path)
    again.train()
    assert again.clock.step == 20


def test_the_same_batches_are_looked_at_every_time_and_none_is_trained_on(tmp_path: Path) -> None:
    drawn: list[bytes] = []
    looked: list[bytes] = []

    def watched(rng: Any) -> CropBatch:
        batch = blocks(rng)
        drawn.append(batch.degraded.numpy().tobytes())
        return batch

    def loss(restored: Tensor, batch: CropBatch) -> Tensor:
        if not torch.is_grad_enabled():
            looked.append(batch.degraded.numpy().tobytes())
        return pixel_loss(restored, batch)

    run = started(tmp_path, config(make_batch=watched, loss=loss, validation_batches=2))
    run.train(stop_after=8)
    resumed = Run(config(make_batch=watched, loss=loss, validation_batches=2), tmp_path)
    resumed.train(stop_after=4)
    assert len(looked) == 6
    assert looked[:2] == looked[2:4] == looked[4:]
    assert looked[0] != looked[1]
    assert all(drawn.count(batch) == 2 for batch in looked)  # once by each of the two, for validation alone


def test_the_log_has_the_validation_loss_of_the_averaged_network(tmp_path: Path) -> None:
    run = started(tmp_path, config(validate_every=20, validation_batches=1))
    run.train(stop_after=20)
    (row,) = read_log(tmp_path)
    (batch,) = run._validation
    with torch.no_grad():
        expected = float(pixel_loss(run.average.eval()(batch.degraded), batch))
    assert row["validation_loss"] == pytest.approx(expected, rel=1e-5)


def test_without_patience_nothing_is_validated(tmp_path: Path) -> None:
    started(tmp_path, config(patience=None)).train(stop_after=20)
    assert "validation_loss" not in read_log(tmp_path)[0]
    assert "validation" not in load(tmp_path / "plain.safetensors").provenance
