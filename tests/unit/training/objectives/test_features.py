"""The small feature network: its layers, what it learns from, and that it learns."""

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from training.objectives import features
from training.objectives.features import (
    BLOCKS,
    KINDS,
    SIDE,
    FeatureNetwork,
    clean_patch,
    degraded_patch,
    equal_error_patches,
    feature_batch,
    layer_index,
    layer_names,
    train,
)
from training.objectives.perceptual import VGG19_BLOCKS

TINY = ((2, 1), (3, 2))


def network(layer: str, *, channels: int = 1) -> FeatureNetwork:
    torch.manual_seed(3)
    mean, deviation = (0.4, 0.5, 0.6)[:channels], (0.2, 0.3, 0.4)[:channels]
    return FeatureNetwork(channels=channels, blocks=TINY, layer=layer, mean=mean, deviation=deviation)


# --- layers ---------------------------------------------------------------------------------------------------------


def test_vgg19s_convolutions_stand_where_torchvision_has_them() -> None:
    names = layer_names(VGG19_BLOCKS)
    convolutions = [index for index, name in enumerate(names) if name.startswith("conv")]
    assert convolutions == [0, 2, 5, 7, 10, 12, 14, 16, 19, 21, 23, 25, 28, 30, 32, 34]
    assert (layer_index(VGG19_BLOCKS, "conv5_4"), layer_index(VGG19_BLOCKS, "relu5_4")) == (34, 35)
    assert names[9] == "pool2"


@pytest.mark.parametrize("layer", ["conv3_1", "conv1_2", "pool2", "fc6", ""])
def test_layers_that_are_not_there(layer: str) -> None:
    with pytest.raises(
        ValueError, match=r"unknown layer .* conv1_1, relu1_1, pool1, conv2_1, relu2_1, conv2_2, relu2_2"
    ):
        network(layer)


def by_hand(net: FeatureNetwork, picture: Tensor) -> Tensor:
    """Up to conv2_1, from the state dictionary's keys."""
    weights = net.state_dict()
    x = (picture - torch.tensor([0.4, 0.5, 0.6]).view(3, 1, 1)) / torch.tensor([0.2, 0.3, 0.4]).view(3, 1, 1)
    x = functional.conv2d(x, weights["features.0.weight"], weights["features.0.bias"], padding=1).relu()
    x = functional.max_pool2d(x, 2)
    return functional.conv2d(x, weights["features.3.weight"], weights["features.3.bias"], padding=1)


def test_features_by_hand_before_and_after_the_activation() -> None:
    picture = torch.rand(2, 3, 8, 6)
    before = network("conv2_1", channels=3)
    assert sorted(before.state_dict()) == [
        "features.0.bias",
        "features.0.weight",
        "features.3.bias",
        "features.3.weight",
    ]
    expected = by_hand(before, picture)
    assert expected.shape == (2, 3, 4, 3)
    assert (expected < 0).any()
    assert torch.allclose(before(picture), expected, atol=1e-6)
    assert torch.allclose(network("relu2_1", channels=3)(picture), expected.relu(), atol=1e-6)


def test_grey_is_repeated_for_networks_of_colour() -> None:
    net, grey = network("conv2_2", channels=3), torch.rand(2, 1, 8, 8)
    assert torch.equal(net(grey), net(grey.repeat(1, 3, 1, 1)))


# --- what it learns from --------------------------------------------------------------------------------------------


def test_patches_are_parts_of_symbols() -> None:
    made = [clean_patch(np.random.default_rng(seed)) for seed in range(30)]
    for patch, module in made:
        assert patch.shape == (SIDE, SIDE)
        assert patch.dtype == np.float32
        assert 0 <= patch.min() <= patch.max() <= 1
        assert 3 <= module <= 12
    whole = np.stack([patch for patch, _ in made])
    assert 0.2 < (whole < 0.5).mean() < 0.6
    assert ((whole < 0.1) | (whole > 0.9)).mean() > 0.75
    assert np.array_equal(clean_patch(np.random.default_rng(4))[0], made[4][0])


def errors(kind: str, level: float) -> float:
    """Mean squared error of twelve patches degraded in one way."""
    total = 0.0
    levels = tuple(level * (name == kind) for name in KINDS)
    for seed in range(12):
        patch, module = clean_patch(np.random.default_rng(seed))
        degraded = degraded_patch(patch, np.random.default_rng(seed), module=module, levels=levels)
        assert degraded.shape == patch.shape
        assert 0 <= degraded.min() <= degraded.max() <= 1
        total += float(np.mean((degraded - patch) ** 2)) / 12
    return total


@pytest.mark.parametrize("kind", KINDS)
def test_strengths_are_in_order(kind: str) -> None:
    assert errors(kind, 0.0) == 0
    weak, strong = errors(kind, 0.3), errors(kind, 1.0)
    assert 0 < weak < 0.7 * strong


def test_a_lesson_says_how_strong_each_kind_is() -> None:
    made = feature_batch(np.random.default_rng(5), size=200)
    assert made.degraded.shape == made.clean.shape == (200, 1, SIDE, SIDE)
    assert made.levels.shape == (200, len(KINDS))
    present = (made.levels > 0).float()
    assert present.mean(dim=0).tolist() == pytest.approx([0.4] * len(KINDS), abs=0.12)
    assert float(made.levels.sum() / present.sum()) == pytest.approx(0.5, abs=0.05)
    untouched = present.sum(dim=1) == 0
    assert untouched.any()
    assert torch.equal(made.degraded[untouched], made.clean[untouched])
    assert (made.degraded != made.clean).flatten(1).any(dim=1)[~untouched].float().mean() > 0.97


def greys(patches: Tensor) -> float:
    return float(((patches > 0.2) & (patches < 0.8)).float().mean())


def test_equal_errors_are_equal_and_one_is_soft() -> None:
    clean, soft, crisp = equal_error_patches(np.random.default_rng(6), count=8)
    ratios = (soft - clean).square().mean(dim=(1, 2, 3)) / (crisp - clean).square().mean(dim=(1, 2, 3))
    assert ratios.tolist() == pytest.approx([1.0] * 8, abs=0.011)
    assert greys(soft) > 1.5 * greys(crisp)


# --- learning -------------------------------------------------------------------------------------------------------


def test_it_learns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(features, "_BATCH", 4)
    monkeypatch.setattr(features, "_LEARNING_RATE", 6e-3)
    torch.manual_seed(0)
    network = features._TrainingNetwork(blocks=((4, 1), (8, 1)))
    unseen = feature_batch(np.random.default_rng(77), size=64)
    before = float(features._loss(network, unseen).detach())
    features._optimise(network, steps=60)
    assert float(features._loss(network, unseen).detach()) < 0.75 * before


def test_training_repeats_itself_and_says_what_it_did() -> None:
    first, second = (train(steps=2, blocks=TINY, held_out=16) for _ in range(2))
    for key, tensor in first.network.state_dict().items():
        assert torch.equal(tensor, second.network.state_dict()[key])
    assert first.measured == second.measured
    assert first.config["layer"] == "conv2_2"
    assert (first.provenance["steps"], first.provenance["samples"]) == (2, 32)
    assert set(first.measured) == {"n", "pixels_wrong", "pixels_wrong_before", "strength_correlation", "soft_to_crisp"}
    assert isinstance(first.network, FeatureNetwork)
    assert not any("pixels" in key or "levels" in key for key in first.network.state_dict())


def test_the_shipped_network_has_few_values() -> None:
    trunk = FeatureNetwork(channels=1, blocks=BLOCKS, layer="conv3_3", mean=(0.5,), deviation=(0.5,))
    assert sum(parameter.numel() for parameter in trunk.parameters()) == 108_720
