"""Two processes that torchrun starts, on the CPU."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from app.models.checkpoint import load
from tests.support.paths import ROOT
from training.run.parallel import Team, join_team
from training.run.progress import read_log


@pytest.mark.slow
def test_two_processes_train_one_network_on_batches_of_their_own(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command += [
        "-m",
        "training",
        "tests.support.tiny_recipes:watched",
        "--device",
        "cpu",
        "--steps",
        "20",
        "--threads",
        "1",
    ]
    done = subprocess.run(
        [*command, "--out", str(tmp_path)],
        cwd=ROOT,
        env={**os.environ, "WATCHED": str(tmp_path), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    directory = tmp_path / "watched"

    ranks = [load_file(tmp_path / f"rank{rank}.safetensors") for rank in (0, 1)]
    assert {name.split(".")[0] for name in ranks[0]} == {"start", "network", "average", "discriminator", "batches"}
    assert ranks[0].keys() == ranks[1].keys()
    batches = [rank.pop("batches") for rank in ranks]
    assert all(torch.equal(ranks[0][name], ranks[1][name]) for name in ranks[0])
    assert not any(torch.equal(ranks[0][name], ranks[0][f"start.{name}"]) for name in trained(ranks[0]))
    assert len({*batches[0].tolist(), *batches[1].tolist()}) == 40  # none twice, by neither

    state = load_file(directory / "state.safetensors")
    assert all(torch.equal(state[name], ranks[1][name]) for name in state if name.startswith("network."))
    served = load(directory / "watched.safetensors")
    assert (served.provenance["steps"], served.provenance["samples"], served.provenance["processes"]) == (20, 80, 2)
    assert [row["step"] for row in read_log(directory)] == [20]
    assert len((directory / "clock.csv").read_text().split()) == 20


def trained(rank: dict[str, torch.Tensor]) -> list[str]:
    return [name for name in rank if name.startswith("network.") and name.endswith("weight")]


def test_a_process_that_torchrun_did_not_start_is_alone() -> None:
    with join_team("cpu") as team:
        assert team == Team(rank=0, size=1, device="cpu")
        assert team.is_leader
        module = torch.nn.BatchNorm2d(1)
        assert team.wrap(module) is module
        assert team.mean({"loss": 0.1}) == {"loss": 0.1}
        assert team.broadcast(0.1) == 0.1
        team.average_buffers(module)
        assert float(module.running_var) == 1.0


@pytest.mark.parametrize("rank", [0, 1])
def test_rank_0_leads(rank: int) -> None:
    assert Team(rank=rank, size=2).is_leader is (rank == 0)
