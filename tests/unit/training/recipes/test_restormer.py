from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from app.models.checkpoint import load
from app.models.eg_restormer import forget_guidance
from training.data.crops import aligned_batch
from training.recipes.restormer import eg_restormer, eg_restormer_small, eg_restormer_small_as_coded, restormer_small
from training.run.config import TrainConfig
from training.run.loop import Run
from training.run.state import starting_weights

TINY = {"width": 8, "blocks": (1, 1, 1, 1), "refinement": 1}


def shortened(recipe: Callable[[], TrainConfig], *, steps: int = 12) -> TrainConfig:
    """The recipe with a network and batches that train in a second."""
    config = recipe()
    batch = partial(aligned_batch, size=2, max_version=1, size_multiple=32)
    network = {**config.network, **TINY}
    changed = replace(config, network=network, make_batch=batch, batch_size=2, learning_rate=3e-3, ema_decay=0.0)
    return changed.with_length(steps=steps)


def change_without_guidance(network: nn.Module) -> float:
    """How much the output changes at most, over four crops, if edges guide no longer."""
    inputs = aligned_batch(np.random.default_rng(5), size=4, max_version=1, size_multiple=32).inputs
    with torch.inference_mode():
        guided: Tensor = network(*inputs)
        forget_guidance(network)
        return float((guided - network(*inputs)).abs().max())


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The checkpoint of a short run of each recipe that has edges, by name."""
    files = {}
    for recipe in (eg_restormer_small, eg_restormer_small_as_coded):
        config = shortened(recipe)
        directory = tmp_path_factory.mktemp(config.name)
        Run(config, directory).train()
        files[config.name] = directory / f"{config.name}.safetensors"
    return files


def test_a_short_run_learns_guidance_by_edges_of_the_input(trained: dict[str, Path]) -> None:
    change = {name: change_without_guidance(load(path).network) for name, path in trained.items()}
    assert change["eg-restormer-small"] > 1e-5
    assert change["eg-restormer-small"] > 10 * change["eg-restormer-small-as-coded"]


def test_weights_as_coded_start_a_run_whose_guidance_is_neutral(trained: dict[str, Path]) -> None:
    former = trained["eg-restormer-small-as-coded"]
    assert any(value.any() for key, value in load(former).network.state_dict().items() if key.endswith("edge_weight"))
    start = starting_weights(former, shortened(eg_restormer_small)).network
    assert change_without_guidance(start) == 0
    again = starting_weights(former, shortened(eg_restormer_small_as_coded)).network
    assert any(value.any() for key, value in again.state_dict().items() if key.endswith("edge_weight"))


def test_recipes_state_where_edges_come_from() -> None:
    assert eg_restormer_small().network["edge_source"] == eg_restormer().network["edge_source"] == "input"
    assert eg_restormer_small_as_coded().network["edge_source"] == "normalised"


@pytest.mark.parametrize("recipe", [restormer_small, eg_restormer_small_as_coded])
def test_what_edges_are_compared_with_has_the_same_network(recipe: Callable[[], TrainConfig]) -> None:
    theirs, ours = recipe().network, eg_restormer_small().network
    assert {key for key in ours if theirs.get(key) != ours[key]} == {"edge_source"}
    assert theirs.keys() <= ours.keys()
