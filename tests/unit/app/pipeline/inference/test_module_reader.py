from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from app.models.checkpoint import Checkpoint
from app.models.contract import Kind
from app.models.registry import NETWORKS
from app.pipeline.imaging import GreyImage, normalise
from app.pipeline.inference.module_reader import NetworkModuleReader, planes
from app.pipeline.qrcode.log_odds import confidence, probability, rebuild_modules
from app.pipeline.qrcode.patterns import QUIET_ZONE, VERSIONS, dimension, function_patterns, render
from tests.support.networks import TINY, reader_of
from training.data.symbols import random_symbol


class FunctionNetwork(nn.Module):
    """A network that applies a function; ``seen`` are its inputs."""

    kind, scale, size_multiple = Kind.MODULE_READER, 1, 4

    def __init__(self, answer: Callable[[Tensor, Tensor], Tensor]) -> None:
        super().__init__()
        self.answer = answer
        self.seen: list[tuple[Tensor, Tensor]] = []

    def forward(self, crop: Tensor, planes: Tensor) -> Tensor:
        self.seen.append((crop, planes))
        return self.answer(crop, planes)


def means(crop: Tensor, _: Tensor) -> Tensor:
    """The log-odds of each module from its mean."""
    return 8 * (0.5 - nn.functional.avg_pool2d(crop, 4))


def reader(network: nn.Module) -> NetworkModuleReader:
    return reader_of(Checkpoint("function", "FunctionNetwork", network, {}))


def crops_of(version: int, count: int) -> list[GreyImage]:
    side = 4 * (dimension(version) + 2 * QUIET_ZONE)
    return [np.random.default_rng(seed).integers(0, 256, (side, side), dtype=np.uint8) for seed in range(count)]


# --- what the standard says -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", VERSIONS)
def test_planes_hold_what_the_standard_fixes(version: int) -> None:
    known, value, x, y = planes(version)
    patterns = function_patterns(version)
    side = dimension(version) + 2 * QUIET_ZONE
    inner = np.s_[QUIET_ZONE:-QUIET_ZONE, QUIET_ZONE:-QUIET_ZONE]
    assert planes(version).shape == (4, side, side)
    assert np.array_equal(known[inner], patterns.known)
    assert np.array_equal(value[inner][patterns.known], np.where(patterns.dark, 1, -1)[patterns.known])
    assert (value[inner][~patterns.known] == 0).all()
    quiet = np.ones((side, side), dtype=np.bool_)
    quiet[inner] = False
    assert (known[quiet] == 1).all()
    assert (value[quiet] == -1).all()
    assert np.array_equal(x, y.T)
    assert x[0, 0] == -1
    assert x[0, -1] == 1
    assert np.ptp(x, axis=0).max() == 0


def test_planes_are_shared_and_cannot_be_written_to() -> None:
    assert planes(3) is planes(3)
    with pytest.raises(ValueError, match="read-only"):
        planes(3)[0, 0, 0] = 0


# --- log-odds -------------------------------------------------------------------------------------------------------


def test_log_odds_are_natural() -> None:
    log_odds = np.array([[0.0, np.log(3), -np.log(3)], [500.0, -500.0, np.log(99)]], dtype=np.float32)
    assert np.allclose(probability(log_odds), [[0.5, 0.75, 0.25], [1, 0, 0.99]], atol=1e-6)
    assert probability(log_odds).dtype == np.float32


@pytest.mark.parametrize(("odds", "sure"), [(1, 0.0), (3, 0.5), (1 / 3, 0.5), (1e9, 1.0)])
def test_confidence_is_how_far_odds_are_from_even(odds: float, sure: float) -> None:
    """For the probability p it is |2 p - 1|."""
    assert confidence(np.full((5, 5), np.log(odds), dtype=np.float32)) == pytest.approx(sure, abs=1e-6)
    halves = np.array([[0.0, np.log(odds)]], dtype=np.float32)
    assert confidence(halves) == pytest.approx(sure / 2, abs=1e-6)


@pytest.mark.parametrize("version", [1, 2, 7, 20])
def test_known_modules_are_set_to_what_they_are(version: int) -> None:
    modules = random_symbol(np.random.default_rng(version), version)
    patterns = function_patterns(version)
    log_odds = np.where(modules ^ patterns.known, 2, -2).astype(np.float32)  # wrong wherever the standard knows better
    assert np.array_equal(rebuild_modules(log_odds, version), modules)
    assert not np.array_equal(log_odds > 0, modules)


# --- reading --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [1, 2, 7])
def test_only_modules_inside_the_quiet_zone_are_read(version: int) -> None:
    modules = random_symbol(np.random.default_rng(1), version)
    dim = (render(modules, pixels=4) // 3 + 40).astype(np.uint8)
    (log_odds,) = reader(FunctionNetwork(means)).read([dim], version)
    assert log_odds.shape == (dimension(version),) * 2
    assert log_odds.dtype == np.float32
    assert log_odds.flags.c_contiguous
    assert np.allclose(log_odds, np.where(modules, 4, -4), atol=0.05)


def test_networks_get_normalised_crops_and_the_planes_of_the_version() -> None:
    network = FunctionNetwork(means)
    network.train()
    crops = crops_of(2, 3)
    reader(network).read(crops, 2)
    ((seen, network_planes),) = network.seen
    assert np.array_equal(seen[:, 0].numpy(), np.stack([normalise(crop) for crop in crops]))
    assert torch.equal(network_planes, torch.from_numpy(planes(2).copy()).expand(3, -1, -1, -1))
    assert seen.is_inference()
    assert not network.training


@pytest.mark.parametrize("version", [1, 5])
def test_a_batch_equals_single_calls(version: int) -> None:
    torch.manual_seed(3)
    runner = reader(NETWORKS["ModuleReader"](**TINY["ModuleReader"]))
    crops = crops_of(version, 3)
    together = runner.read(crops, version)
    assert len(together) == 3
    spread = np.abs(together[0] - together[1]).max()
    for crop, batched in zip(crops, together, strict=True):
        (alone,) = runner.read([crop], version)
        assert np.abs(alone - batched).max() < 0.1 * spread  # processors may calculate in 16 bits


def test_warm_up_runs_the_network_once() -> None:
    network = FunctionNetwork(means)
    reader(network).warm_up()
    assert len(network.seen) == 1
