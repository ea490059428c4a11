"""Runs that are killed for real, while their rates follow the clock, and go on as if nothing had been."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from app.models.checkpoint import load
from tests.support import tiny_recipes
from tests.support.paths import ROOT
from training.run.config import TrainConfig
from training.run.loop import Run
from training.run.progress import read_log

pytestmark = pytest.mark.slow

RECIPES = {"plain": tiny_recipes.plain, "adversarial": tiny_recipes.adversarial}
MORE: dict[str, set[str]] = {"plain": set(), "adversarial": {"discriminator", "discriminator_optimizer", "best"}}
"""Parts of the state beside those of every run."""


def saved_step(directory: Path) -> int:
    with safe_open(directory / "state.safetensors", framework="pt") as file:
        return int(file.metadata()["step"])


def parts(directory: Path) -> set[str]:
    return {name.split(".")[0] for name in load_file(directory / "state.safetensors")}


def last_step(directory: Path) -> int:
    lines = (directory / "clock.csv").read_text().split()
    return int(lines[-1].split(",")[0]) if lines else 0


def kill_in_the_middle(recipe: str, out: Path) -> Path:
    """Starts a run and kills it when it has shown a row, has saved, and has taken steps since; the run's folder."""
    command = [
        sys.executable,
        "-m",
        "training",
        f"tests.support.tiny_recipes:{recipe}",
        "--out",
        str(out),
        "--threads",
        "1",
    ]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    directory = out / recipe
    try:
        while process.poll() is None:
            time.sleep(0.003)
            if not (directory / "clock.csv").exists() or not (directory / "log.csv").exists():
                continue
            process.send_signal(signal.SIGSTOP)  # what it has done does not change while it is looked at
            if read_log(directory) and 0 < saved_step(directory) < last_step(directory) - 2:
                break
            process.send_signal(signal.SIGCONT)
        process.kill()
        _, errors = process.communicate()
    finally:
        process.kill()
    assert process.returncode == -signal.SIGKILL, errors
    return directory


def repeat(config: TrainConfig, directory: Path, killed: Path, *, steps: int) -> Run:
    """The undisturbed run: one go from the first step to the last, by the clock of the killed one."""
    run = Run(config, directory)
    with safe_open(killed / "state.safetensors", framework="pt") as file:
        run.clock.bfloat16 = file.metadata()["bfloat16"] == "True"
    run.save()
    shutil.copy(killed / "clock.csv", directory)
    run.train(stop_after=steps)
    return run


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_killed_run_goes_on_to_the_same_curve_and_weights_as_an_undisturbed_one(recipe: str, tmp_path: Path) -> None:
    killed = kill_in_the_middle(recipe, tmp_path)
    config = RECIPES[recipe]()
    lost = last_step(killed)
    steps = lost + 60
    assert parts(killed) == {"network", "average", "optimizer", *MORE[recipe]}
    shown, clock = ((killed / name).read_text() for name in ("log.csv", "clock.csv"))

    resumed = Run(config, killed)
    assert 0 < resumed.clock.step < lost
    resumed.train(stop_after=steps - resumed.clock.step)

    assert (killed / "log.csv").read_text().startswith(shown)
    assert (killed / "clock.csv").read_text().startswith(clock)
    rows = read_log(killed)
    assert [row["step"] for row in rows] == list(range(20, steps + 1, 20))
    assert rows[-1]["rate"] < rows[1]["rate"]  # the clock was felt

    undisturbed = repeat(config, tmp_path / "undisturbed", killed, steps=steps)
    for name in ("log.csv", "clock.csv"):
        assert (undisturbed.directory / name).read_text() == (killed / name).read_text()
    one, other = (load_file(directory / "state.safetensors") for directory in (killed, undisturbed.directory))
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)
    served = [load(directory / f"{recipe}.safetensors").provenance for directory in (killed, undisturbed.directory)]
    assert served[0] == served[1]
