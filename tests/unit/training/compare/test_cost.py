"""Costs are counted as by hand and timed as said."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from app.models.checkpoint import Checkpoint
from app.models.registry import NETWORKS
from tests.support.networks import TINY, reader_of, restorer_of
from training.compare import cost
from training.compare.cost import (
    CROP_SIDE,
    MODULES,
    PATCH_SIDE,
    input_side,
    macs,
    measure_cost,
    median_ms,
    reader_inference,
    restorer_inference,
)


def card(architecture: str, **config: object) -> Checkpoint:
    torch.manual_seed(0)
    chosen = {**TINY[architecture], **config}
    return Checkpoint("tiny", architecture, NETWORKS[architecture](**chosen).eval(), chosen)


def convolution_macs(made: Checkpoint, *inputs: Tensor) -> int:
    """By hooks, for networks that are nothing but convolutions."""
    total = 0

    def count(layer: nn.Conv2d, _: tuple[Tensor, ...], output: Tensor) -> None:
        nonlocal total
        rows, columns = layer.kernel_size
        total += output.numel() * layer.in_channels // layer.groups * rows * columns

    hooks = [each.register_forward_hook(count) for each in made.network.modules() if isinstance(each, nn.Conv2d)]
    with torch.inference_mode():
        made.network(*inputs)
    for hook in hooks:
        hook.remove()
    return total


@pytest.mark.parametrize("architecture", ["LENet", "SRResNet"])
def test_macs_are_those_of_the_convolutions(architecture: str) -> None:
    made = card(architecture)
    assert macs(architecture, made.config, 32) == convolution_macs(made, torch.rand(1, 1, 32, 32))


def test_macs_of_a_module_reader() -> None:
    made = card("ModuleReader")
    inputs = torch.rand(1, 1, CROP_SIDE, CROP_SIDE), torch.rand(1, 4, MODULES, MODULES)
    assert macs("ModuleReader", made.config, CROP_SIDE) == convolution_macs(made, *inputs)


def test_macs_include_attention() -> None:
    made = card("EGRestormer")
    assert macs("EGRestormer", made.config, 32) > convolution_macs(made, torch.rand(1, 1, 32, 32))


@pytest.mark.parametrize(
    ("architecture", "config", "side"),
    [("LENet", {"stem": 4}, 160), ("LENet", {}, 152), ("SRResNet", {}, PATCH_SIDE), ("ModuleReader", {}, CROP_SIDE)],
)
def test_the_input_is_a_code_padded_as_the_network_needs_it(
    architecture: str, config: dict[str, object], side: int
) -> None:
    assert input_side(architecture, {**TINY[architecture], **config}) == side


@pytest.mark.parametrize(("seconds", "runs"), [(0.001, 10), (0.5, 5), (30, 2)])
def test_slow_networks_are_timed_less_often(monkeypatch: pytest.MonkeyPatch, seconds: float, runs: int) -> None:
    """A clock that moves on with every run."""
    ran: list[int] = []
    monkeypatch.setattr(cost, "perf_counter", lambda: seconds * len(ran))
    assert median_ms(lambda: ran.append(1), threads=1) == pytest.approx(1000 * seconds)
    assert len(ran) == runs  # the first warms up


def test_threads_are_set_for_every_measurement() -> None:
    before = torch.get_num_threads()
    seen = []
    for number in (2, 1):
        median_ms(lambda: seen.append(torch.get_num_threads()), threads=number)
    assert set(seen[:5]) == {2}
    assert set(seen[-5:]) == {1}
    assert before == 1


def test_a_restorer_is_measured_on_every_device() -> None:
    made = card("LENet", stem=4)
    run = restorer_inference(restorer_of(made))
    found = measure_cost(made, {"cpu": run, "cuda": run}, threads=(1,))
    assert set(found.milliseconds) == {"1", "cuda"}
    assert all(spent > 0 for spent in found.milliseconds.values())
    assert (found.side, found.parameters) == (160, made.parameters)


def test_a_module_reader_is_measured() -> None:
    made = card("ModuleReader")
    found = measure_cost(made, {"cpu": reader_inference(reader_of(made))}, threads=(1,))
    assert found.side == CROP_SIDE
    assert np.isfinite(list(found.milliseconds.values())).all()
