"""How long a run is, what its rate does meanwhile, and what its state says of it."""

from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch
from numpy.random import Generator
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import nn

from app.models.checkpoint import load
from tests.support.tiny_recipes import blocks, plain
from training.data.crops import CropBatch, upscaling_batch
from training.data.progressive_patches import ProgressivePatches
from training.run.config import BatchSchedule, MakeBatch, TrainConfig
from training.run.loop import Run
from training.run.progress import read_log


def started(directory: Path, chosen: TrainConfig) -> Run:
    run = Run(chosen, directory)
    run.clock.bfloat16 = False
    return run


# --- steps and minutes ----------------------------------------------------------------------------------------------


def rates(run: Run, steps: int) -> list[float]:
    found = []
    for _ in range(steps):
        run.train(stop_after=1)
        found.append(float(run.optimizer.param_groups[0]["lr"]))
    return found


def test_a_rate_that_counts_steps_falls_over_them(tmp_path: Path) -> None:
    run = started(tmp_path, replace(plain(), steps=4, warmup_steps=0, learning_rate=0.01))
    assert rates(run, 4) == pytest.approx([0.01, 0.008536, 0.005, 0.001464], rel=1e-3)
    assert run.finished()


def test_a_rate_may_fall_to_another_than_zero(tmp_path: Path) -> None:
    run = started(tmp_path, replace(plain(), steps=2, warmup_steps=0, learning_rate=0.01, final_learning_rate=0.002))
    assert rates(run, 2) == pytest.approx([0.01, 0.006])


def test_no_warmup_is_none(tmp_path: Path) -> None:
    run = started(tmp_path, replace(plain(), minutes=1e9, warmup_steps=0, learning_rate=0.01))
    assert rates(run, 2) == pytest.approx([0.01, 0.01])


def test_two_runs_of_so_many_steps_are_alike_stopped_or_not(tmp_path: Path) -> None:
    chosen = replace(plain(), steps=25)
    started(tmp_path / "whole", chosen).train()
    started(tmp_path / "parts", chosen).train(stop_after=7)
    Run(chosen, tmp_path / "parts").train()
    logs = [read_log(tmp_path / name) for name in ("whole", "parts")]
    assert [{**row, "seconds": 0} for row in logs[0]] == [{**row, "seconds": 0} for row in logs[1]]
    one, other = (load_file(tmp_path / name / "state.safetensors") for name in ("whole", "parts"))
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert load(tmp_path / "whole" / "plain.safetensors").provenance["planned_steps"] == 25


@pytest.mark.parametrize(
    ("minutes", "steps", "warmup"),
    [(None, None, 100), (2.5, None, 25), (20.0, None, 100), (None, 50, 5), (None, 5000, 100)],
)
def test_a_shorter_run_warms_up_shorter(minutes: float | None, steps: int | None, warmup: int) -> None:
    usual = replace(plain(), minutes=10, warmup_steps=100)
    changed = usual.with_length(minutes=minutes, steps=steps)
    assert changed == replace(usual, minutes=minutes or 10, steps=steps, warmup_steps=warmup)


def test_a_budget_replaces_steps() -> None:
    assert replace(plain(), steps=10).with_length(minutes=3).steps is None


# --- batches --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Growing:
    """Batches of one picture, and of both when half the run is over."""

    def __call__(self, rng: Generator) -> CropBatch:
        return self.at(0.0)(rng)

    def at(self, share: float) -> MakeBatch:
        def make(rng: Generator) -> CropBatch:
            whole, count = blocks(rng), 2 if share >= 0.5 else 1
            return CropBatch(degraded=whole.degraded[:count], clean=whole.clean[:count], dark=None)

        return make


def test_batches_may_change_along_the_run(tmp_path: Path) -> None:
    run = started(tmp_path, replace(plain(), steps=4, make_batch=Growing()))
    run.train(stop_after=2)
    assert run.clock.samples == 2
    run.train()
    assert run.clock.samples == 6
    assert load(tmp_path / "plain.safetensors").provenance["samples"] == 6


def test_progressive_patches_are_scheduled() -> None:
    def patches(rng: Generator, *, size: int, side: int) -> CropBatch:
        return upscaling_batch(rng, size=size, patch=side)

    assert isinstance(ProgressivePatches(make=patches), BatchSchedule)
    assert not isinstance(blocks, BatchSchedule)


class Noisy(nn.Module):
    """A loss that draws random numbers of torch's."""

    def forward(self, restored: torch.Tensor, batch: CropBatch) -> torch.Tensor:
        return ((restored - batch.clean) * torch.rand(())).square().mean()


def test_random_numbers_of_a_step_are_the_same_after_a_stop(tmp_path: Path) -> None:
    chosen = replace(plain(), steps=100, loss=Noisy())
    whole = started(tmp_path / "whole", chosen).train(stop_after=3)
    started(tmp_path / "parts", chosen).train(stop_after=2)
    torch.rand(5)
    assert Run(chosen, tmp_path / "parts").train(stop_after=1) == whole


def test_timing_leaves_no_trace_in_the_network(tmp_path: Path) -> None:
    run = started(tmp_path, plain())
    counters = [value for key, value in run.network.state_dict().items() if key.endswith("num_batches_tracked")]
    assert counters == [0] * len(counters) != []


# --- what the state says --------------------------------------------------------------------------------------------


def begun_with_weights(directory: Path) -> tuple[Run, dict[str, object]]:
    started(directory / "first", replace(plain(), seed=8, steps=10)).train(stop_after=1)
    given = load(directory / "first" / "plain.safetensors")
    run = Run(plain(), directory / "second", start=given)
    run.train(stop_after=1)
    return run, dict(given.provenance)


def test_what_a_run_began_with_is_not_forgotten_when_it_resumes(tmp_path: Path) -> None:
    _, origin = begun_with_weights(tmp_path)
    Run(plain(), tmp_path / "second").train(stop_after=1)
    assert load(tmp_path / "second" / "plain.safetensors").provenance["continues"] == origin


def test_a_run_does_not_claim_weights_that_it_did_not_begin_with(tmp_path: Path) -> None:
    started(tmp_path / "first", replace(plain(), seed=8)).train(stop_after=1)
    started(tmp_path / "second", plain()).train(stop_after=1)
    Run(plain(), tmp_path / "second", start=load(tmp_path / "first" / "plain.safetensors")).train(stop_after=1)
    assert "continues" not in load(tmp_path / "second" / "plain.safetensors").provenance


@pytest.mark.parametrize("begun", [True, False])
def test_the_first_states_are_understood(begun: bool, tmp_path: Path) -> None:
    """They had five entries in their header; what the run began with stood in the served weights alone."""
    if begun:
        run, origin = begun_with_weights(tmp_path)
    else:
        run, origin = started(tmp_path / "second", plain()), None
        run.train(stop_after=1)
    path = run.directory / "state.safetensors"
    with safe_open(path, framework="pt") as file:
        header = {key: file.metadata()[key] for key in ("step", "seconds", "bfloat16", "threads", "device")}
    save_file(load_file(path), path, metadata=header)
    (run.directory / "clock.csv").unlink()
    resumed = Run(plain(), run.directory)
    assert (resumed.clock.step, resumed.clock.samples) == (1, 2)
    assert resumed.clock.seconds == run.clock.seconds
    resumed.train(stop_after=1)
    assert load(run.directory / "plain.safetensors").provenance.get("continues") == origin


def test_a_run_whose_state_was_removed_begins_anew(tmp_path: Path) -> None:
    started(tmp_path, plain()).train(stop_after=40)
    (tmp_path / "state.safetensors").unlink()
    again = started(tmp_path, plain())
    again.train(stop_after=20)
    assert [row["step"] for row in read_log(tmp_path)] == [20]
    assert len((tmp_path / "clock.csv").read_text().split()) == 20
