from dataclasses import replace
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from numpy.random import Generator
from safetensors.torch import load_file
from torch import Tensor

from app.models.checkpoint import load
from tests.support.networks import TINY
from training.data.crops import CropBatch, aligned_batch
from training.objectives.losses import decoding_loss, pixel_loss
from training.recipes.registry import RECIPES
from training.run.config import TrainConfig
from training.run.loop import Run
from training.run.progress import Progress, read_log

_FOREVER = 1e9
"""Minutes so many that the learning rate, which falls with the clock, does not fall within a test."""


def config(**changes: object) -> TrainConfig:
    plain = TrainConfig(
        name="tiny",
        architecture="LENet",
        network={"base": 4, "blocks": (1, 1, 1, 1), "stem": 4, "residual_init": 0.1},
        make_batch=partial(aligned_batch, size=2, max_version=1, size_multiple=32),
        loss=decoding_loss,
        data={"sample": "made up"},
        minutes=_FOREVER,
        batch_size=2,
        warmup_steps=1,
        seed=5,
    )
    return replace(plain, **changes)


def started(directory: Path, chosen: TrainConfig | None = None) -> Run:
    """A run in 32-bit floats, which a new run would choose by timing."""
    run = Run(chosen or config(), directory)
    run.clock.bfloat16 = False
    return run


def weights(run: Run) -> list[Tensor]:
    return [*run.network.state_dict().values(), *run.average.state_dict().values()]


def test_a_resumed_run_is_the_undisturbed_run(tmp_path: Path) -> None:
    undisturbed = started(tmp_path / "whole")
    expected = undisturbed.train(stop_after=6)
    started(tmp_path / "parts").train(stop_after=2)
    for more in (1, 3):
        resumed = Run(config(), tmp_path / "parts")
        loss = resumed.train(stop_after=more)
    assert loss == expected
    assert resumed.clock.step == 6
    assert all(torch.equal(one, other) for one, other in zip(weights(resumed), weights(undisturbed), strict=True))


def small(recipe: str) -> TrainConfig:
    """A recipe with a tiny network and two samples a batch; all else is its own."""
    whole = RECIPES[recipe]()
    return replace(
        whole, network=TINY[whole.architecture], make_batch=partial(whole.make_batch, size=2), picture_every=2
    )


@pytest.mark.parametrize("recipe", ["module-reader", "quad-locator"])
def test_recipes_of_every_kind_run_and_resume(recipe: str, tmp_path: Path) -> None:
    chosen = replace(small(recipe), minutes=_FOREVER)
    undisturbed = started(tmp_path / "whole", chosen)
    expected = undisturbed.train(stop_after=4)
    started(tmp_path / "parts", chosen).train(stop_after=3)
    resumed = Run(chosen, tmp_path / "parts")
    assert resumed.train(stop_after=1) == expected
    assert np.isfinite(expected)
    assert all(torch.equal(one, other) for one, other in zip(weights(resumed), weights(undisturbed), strict=True))
    served = load(tmp_path / "whole" / f"{recipe}.safetensors")
    assert served.architecture == chosen.architecture
    assert served.provenance["loss"] == {"module-reader": "reading_loss", "quad-locator": "quad_loss"}[recipe]
    for name in ("0000002", "0000004"):
        assert (tmp_path / "whole" / "samples" / f"{name}.png").stat().st_size > 1000


def test_another_seed_is_another_run(tmp_path: Path) -> None:
    losses = [started(tmp_path / str(seed), config(seed=seed)).train(stop_after=1) for seed in (1, 2)]
    assert losses[0] != losses[1]


def test_each_step_has_a_batch_of_its_own(tmp_path: Path) -> None:
    drawn: list[int] = []

    def watched(rng: Generator) -> CropBatch:
        drawn.append(int(rng.integers(1 << 40)))
        return fixed_batch(rng)

    run = started(tmp_path, config(make_batch=watched))
    drawn.clear()  # the first batch was drawn for timing
    run.train(stop_after=4)
    resumed = Run(config(make_batch=watched), tmp_path)
    resumed.train(stop_after=2)
    assert len(drawn) == len(set(drawn)) == 6


def fixed_batch(_: Generator) -> CropBatch:
    return aligned_batch(np.random.default_rng(1), size=2, max_version=1, size_multiple=32)


def test_what_decides_a_run_is_restored_with_it(tmp_path: Path) -> None:
    first = started(tmp_path)
    first.clock.bfloat16 = True
    first.clock.seconds = 77.5
    first.clock.step = 9
    first.save()
    resumed = Run(config(), tmp_path)
    assert (resumed.clock.step, resumed.clock.seconds, resumed.clock.bfloat16) == (9, 77.5, True)


def test_state_is_replaced_in_one_step(tmp_path: Path) -> None:
    started(tmp_path).train(stop_after=1)
    assert not list(tmp_path.rglob("*.partial"))


def test_a_run_may_begin_with_given_weights(tmp_path: Path) -> None:
    first = started(tmp_path / "first")
    first.train(stop_after=2)
    given = load(tmp_path / "first" / "tiny.safetensors")
    second = Run(config(seed=6), tmp_path / "second", start=given)
    for key, value in given.network.state_dict().items():
        assert torch.equal(second.network.state_dict()[key], value)
        assert torch.equal(second.average.state_dict()[key], value)
    assert second.clock.step == 0
    second.clock.bfloat16 = False
    second.train(stop_after=1)
    assert load(tmp_path / "second" / "tiny.safetensors").provenance["continues"] == given.provenance
    assert "continues" not in given.provenance


def test_a_run_that_resumes_ignores_given_weights(tmp_path: Path) -> None:
    started(tmp_path / "first", config(seed=6)).train(stop_after=1)
    given = load(tmp_path / "first" / "tiny.safetensors")
    expected = started(tmp_path / "whole").train(stop_after=3)
    started(tmp_path / "parts").train(stop_after=2)
    assert Run(config(), tmp_path / "parts", start=given).train(stop_after=1) == expected


# --- time and rate --------------------------------------------------------------------------------------------------


def rate_at(directory: Path, *, step: int, seconds: float, **changes: object) -> float:
    run = started(directory, config(minutes=1, learning_rate=0.01, **changes))
    run.clock.step, run.clock.seconds = step, seconds
    run.train(stop_after=1)
    return float(run.optimizer.param_groups[0]["lr"])


@pytest.mark.parametrize(
    ("step", "seconds", "expected"),
    [(0, 0.0, 0.001), (4, 0.0, 0.005), (9, 0.0, 0.01), (500, 30.0, 0.005), (500, 45.0, 0.001464), (4, 30.0, 0.0025)],
)
def test_rate_warms_up_by_steps_and_falls_on_a_cosine_of_time(
    tmp_path: Path, step: int, seconds: float, expected: float
) -> None:
    assert rate_at(tmp_path, step=step, seconds=seconds, warmup_steps=10) == pytest.approx(expected, rel=1e-3)


def test_a_run_ends_when_its_minutes_are_used_up(tmp_path: Path) -> None:
    brief = config(minutes=1e-9)
    run = started(tmp_path, brief)
    run.train()
    assert run.clock.step == 1
    finished = Run(brief, tmp_path)
    assert np.isnan(finished.train())
    assert finished.clock.step == 1
    assert all(torch.equal(one, other) for one, other in zip(weights(finished), weights(run), strict=True))


def test_the_log_bears_a_last_step_beyond_the_planned_time(tmp_path: Path) -> None:
    log = Progress(tmp_path, total_seconds=1.0)
    log.update(step=20, seconds=4.0, loss=1.0, module_error=0.5, gradient_norm=1.0, rate=0.0)
    log.close()
    assert [row["seconds"] for row in read_log(tmp_path)] == [4.0]


# --- spikes ---------------------------------------------------------------------------------------------------------


def moved_in(directory: Path, steps: int, **changes: object) -> bool:
    """Whether the weights move in the step after so many."""
    run = started(directory, config(**changes))
    if steps:
        run.train(stop_after=steps)
    before = [value.clone() for value in weights(run)]
    run.train(stop_after=1)
    return not all(torch.equal(one, other) for one, other in zip(before, weights(run), strict=True))


@pytest.mark.parametrize(
    ("steps", "spike", "moves"), [(0, 1e-9, True), (1, 1e-9, True), (2, 1e-9, False), (2, 1e9, True)]
)
def test_after_the_warmup_a_gradient_that_is_too_long_moves_nothing(
    tmp_path: Path, steps: int, spike: float, moves: bool
) -> None:
    assert moved_in(tmp_path, steps, spike=spike, warmup_steps=2) is moves


def test_after_the_warmup_a_gradient_that_is_not_finite_moves_nothing(tmp_path: Path) -> None:
    factors = iter([1.0] * 9 + [float("nan")])  # eight passes are for timing

    def breaking(restored: Tensor, batch: CropBatch) -> Tensor:
        return decoding_loss(restored, batch) * next(factors)

    assert not moved_in(tmp_path, 1, loss=breaking, warmup_steps=1)


# --- averaged weights -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("decay", "kept"), [(0.0, 0.0), (0.05, 0.05), (0.999, 0.1)])
def test_averaged_weights_follow_faster_in_the_first_steps(tmp_path: Path, decay: float, kept: float) -> None:
    """One step: min(decay, (1 + 0) / (10 + 0)) of the start is kept."""
    run = started(tmp_path, config(ema_decay=decay))
    start = {key: value.clone() for key, value in run.network.state_dict().items()}
    run.train(stop_after=1)
    now = run.network.state_dict()
    assert any(not torch.equal(now[key], start[key]) for key in now)
    for key, value in run.average.state_dict().items():
        assert torch.allclose(value, kept * start[key] + (1 - kept) * now[key], atol=1e-7)


def upscaling(rng: Generator) -> CropBatch:
    degraded = torch.from_numpy(rng.random((2, 1, 8, 8), dtype=np.float32))
    return CropBatch(degraded=degraded, clean=torch.zeros(2, 1, 32, 32), dark=None)


def test_averages_take_counters_as_they_are(tmp_path: Path) -> None:
    chosen = config(
        architecture="SRResNet",
        network={"width": 4, "blocks": 1, "batch_norm": True},
        make_batch=upscaling,
        loss=pixel_loss,
    )
    run = started(tmp_path, chosen)
    run.train(stop_after=2)
    counters = {key: value for key, value in run.network.state_dict().items() if key.endswith("num_batches_tracked")}
    assert counters
    for key, value in counters.items():
        assert torch.equal(run.average.state_dict()[key], value)
    assert load(tmp_path / "tiny.safetensors").config == chosen.network


# --- what a run leaves behind ---------------------------------------------------------------------------------------


def test_log_has_a_row_every_twenty_steps_and_goes_on_after_a_stop(tmp_path: Path) -> None:
    chosen = config(make_batch=fixed_batch, learning_rate=3e-3)
    started(tmp_path, chosen).train(stop_after=20)
    Run(chosen, tmp_path).train(stop_after=25)
    rows = read_log(tmp_path)
    assert [row["step"] for row in rows] == [20, 40]
    assert set(rows[0]) == {"step", "seconds", "loss", "module_error", "gradient_norm", "rate"}
    assert 0 < rows[0]["seconds"] < rows[1]["seconds"]
    assert rows[1]["loss"] < rows[0]["loss"]  # one batch over and over is learned
    assert all(0 <= row["module_error"] <= 1 for row in rows)
    assert [row["rate"] for row in rows] == [0.003, 0.003]


def test_the_served_checkpoint_is_the_averaged_network_with_its_history(tmp_path: Path) -> None:
    chosen = config()
    run = started(tmp_path, chosen)
    run.train(stop_after=3)
    made = load(tmp_path / "tiny.safetensors")
    assert (made.name, made.architecture, made.config) == ("tiny", "LENet", chosen.network)
    stored = made.network.state_dict()
    assert all(torch.equal(value, stored[key]) for key, value in run.average.state_dict().items())
    history = made.provenance
    assert {key: history[key] for key in ("recipe", "seed", "steps", "samples", "device", "bfloat16", "loss")} == {
        "recipe": "tiny",
        "seed": 5,
        "steps": 3,
        "samples": 6,
        "device": "cpu",
        "bfloat16": False,
        "loss": "decoding_loss",
    }
    assert history["data"] == {"sample": "made up"}
    assert history["torch"] == torch.__version__
    assert history["planned_minutes"] == _FOREVER
    assert made.measured == {}


def test_state_holds_network_average_and_moments(tmp_path: Path) -> None:
    run = started(tmp_path)
    run.train(stop_after=1)
    state = load_file(tmp_path / "state.safetensors")
    names = list(run.network.state_dict())
    count = len(list(run.network.parameters()))
    expected = {f"{part}.{name}" for part in ("network", "average") for name in names}
    expected |= {f"optimizer.{i}.{key}" for i in range(count) for key in ("step", "exp_avg", "exp_avg_sq")}
    assert set(state) == expected


def test_samples_are_pictured_every_so_many_steps(tmp_path: Path) -> None:
    started(tmp_path, config(picture_every=2)).train(stop_after=5)
    pictures = sorted((tmp_path / "samples").iterdir())
    assert [picture.name for picture in pictures] == ["0000002.png", "0000004.png"]
    picture = cv2.imread(str(pictures[0]), cv2.IMREAD_GRAYSCALE)
    assert picture is not None
    assert picture.shape == (3 * 192, 2 * 192)  # degraded, restored and clean of two samples
    clean = picture[384:]
    assert set(np.unique(clean)) == {0, 255}
