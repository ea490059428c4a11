"""Feature losses, and the two files that features come from."""

import hashlib
import json
import os
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from app.errors import InvalidCheckpoint
from app.models.checkpoint import FORMAT
from training.data.crops import CropBatch
from training.objectives.features import FeatureNetwork, equal_error_patches
from training.objectives.losses import WeightedSum, loss_name, mean_squared_loss
from training.objectives.perceptual import (
    FEATURES,
    VGG19_BLOCKS,
    VGG19_SHA256,
    VGG19_URL,
    FeatureLoss,
    PerceptualLoss,
    feature_loss,
    load_small,
    load_vgg19,
    main,
)

IMAGENET = ((0.485, 0.229), (0.456, 0.224), (0.406, 0.225))


def sha256_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


# --- the losses -----------------------------------------------------------------------------------------------------


class Doubled(nn.Module):
    """A network whose features are the picture, times a weight of 2."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(2.0))

    def forward(self, picture: Tensor) -> Tensor:
        return self.weight * picture


def test_distances_by_hand() -> None:
    restored, clean = torch.tensor([[[[0.0, 1.0]]]]), torch.tensor([[[[0.5, 0.75]]]])
    assert float(FeatureLoss(network=Doubled(), name="")(restored, clean)) == pytest.approx((1 + 0.5) / 2)
    assert float(FeatureLoss(network=Doubled(), name="", distance="l2")(restored, clean)) == pytest.approx(1.25 / 2)


def test_only_the_restored_picture_learns() -> None:
    network = Doubled()
    restored, clean = torch.zeros(1, 1, 2, 2, requires_grad=True), torch.ones(1, 1, 2, 2, requires_grad=True)
    FeatureLoss(network=network, name="")(restored, clean).backward()
    assert restored.grad is not None
    assert (restored.grad < 0).all()
    assert clean.grad is None
    assert network.weight.grad is None


def test_as_a_term_it_says_whose_features_they_are() -> None:
    term = PerceptualLoss(FeatureLoss(network=Doubled(), name="the picture twice"))
    batch = CropBatch(degraded=torch.zeros(1, 1, 1, 2), clean=torch.tensor([[[[0.5, 0.75]]]]), dark=None)
    both = WeightedSum((("pixels", 1.0, mean_squared_loss), ("features", 0.5, term)))
    restored = torch.tensor([[[[0.0, 1.0]]]])
    assert float(both(restored, batch)) == pytest.approx((0.25 + 0.0625) / 2 + 0.5 * 0.75)
    assert loss_name(both) == "1 pixels (mean_squared_loss) + 0.5 features (l1 of the picture twice)"


# --- VGG19 ----------------------------------------------------------------------------------------------------------


def made_up(**changes: Tensor | None) -> dict[str, Tensor]:
    """The first three convolutions of a VGG19 of random weights, and something of its classifier."""
    generator = torch.Generator().manual_seed(8)
    state = {"classifier.6.bias": torch.zeros(3)}
    for index, (before, after) in {0: (3, 64), 2: (64, 64), 5: (64, 128)}.items():
        state[f"features.{index}.weight"] = torch.randn(after, before, 3, 3, generator=generator) / before
        state[f"features.{index}.bias"] = torch.randn(after, generator=generator)
    merged = {**state, **{key.replace("_", "."): value for key, value in changes.items()}}
    return {key: value for key, value in merged.items() if value is not None}


def written(path: Path, content: object, *, zipped: bool = True) -> str:
    """Saves as torch does, today or as it did in 2017; returns the file's SHA-256."""
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    return sha256_of(path)


@pytest.mark.parametrize("zipped", [True, False])
def test_vgg19_is_read_from_torchvisions_keys(tmp_path: Path, zipped: bool) -> None:
    path = tmp_path / "vgg19.pth"
    network = load_vgg19(path, layer="conv2_1", sha256=written(path, made_up(), zipped=zipped))
    grey = torch.rand(1, 1, 8, 8)
    x = torch.cat([(grey - mean) / deviation for mean, deviation in IMAGENET], dim=1)
    weights = made_up()

    def convolve(x: Tensor, index: int) -> Tensor:
        key = f"features.{index}"
        return torch.conv2d(x, weights[f"{key}.weight"], weights[f"{key}.bias"], padding=1)

    expected = convolve(torch.max_pool2d(convolve(convolve(x, 0).relu(), 2).relu(), 2), 5)
    assert torch.allclose(network(grey), expected, atol=1e-4)


def test_feature_loss_on_vgg19(tmp_path: Path) -> None:
    path = tmp_path / "vgg19.pth"
    loss = feature_loss(path, layer="relu1_2", distance="l2", sha256=written(path, made_up()))
    assert loss.name == "VGG19's relu1_2"
    clean, restored = torch.rand(1, 1, 8, 8), torch.rand(1, 1, 8, 8)
    assert float(loss(clean, clean)) == 0
    features = load_vgg19(path, layer="relu1_2", sha256=sha256_of(path))
    expected = (features(restored) - features(clean)).square().mean()
    assert float(loss(restored, clean).detach()) == pytest.approx(float(expected.detach()), rel=1e-5)
    assert not any(parameter.requires_grad for parameter in loss.parameters())


def test_the_whole_of_vgg19() -> None:
    """Its convolutions hold 20,024,384 values; the published hash begins as the published name says."""
    with torch.device("meta"):
        whole = FeatureNetwork(channels=3, blocks=VGG19_BLOCKS, layer="conv5_4", mean=(0, 0, 0), deviation=(1, 1, 1))
    assert sum(parameter.numel() for parameter in whole.parameters()) == 20_024_384
    assert whole.state_dict()["features.34.weight"].shape == (512, 512, 3, 3)
    assert len(VGG19_SHA256) == 64
    assert VGG19_URL.endswith(f"vgg19-{VGG19_SHA256[:8]}.pth")


class Harm:
    """Pickled, it asks to make a folder where it is opened."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        return os.mkdir, (str(self.path),)


def test_another_file_is_not_even_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "vgg19.pth"
    found = written(path, made_up())
    monkeypatch.setattr(torch, "load", lambda *_, **__: pytest.fail("it was opened"))
    with pytest.raises(InvalidCheckpoint) as refused:
        feature_loss(path)
    assert str(path) in str(refused.value)
    assert f"its SHA-256 is {found}, not {VGG19_SHA256}" in refused.value.reason


def test_a_pickle_that_asks_for_more_is_refused(tmp_path: Path) -> None:
    path, harm = tmp_path / "vgg19.pth", tmp_path / "harm"
    path.write_bytes(pickle.dumps(Harm(harm), protocol=2))
    with pytest.raises(InvalidCheckpoint, match="torch cannot read it"):
        load_vgg19(path, layer="conv1_1", sha256=sha256_of(path))
    assert not harm.exists()


def test_no_file(tmp_path: Path) -> None:
    for path in (tmp_path / "absent.pth", tmp_path):
        with pytest.raises(InvalidCheckpoint) as refused:
            feature_loss(path)
        assert "it cannot be read" in refused.value.reason
        assert VGG19_URL in refused.value.reason


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (made_up(features_5_bias=None), "missing ['features.5.bias']"),
        (made_up(features_2_weight=torch.zeros(64, 64, 1, 1)), "the shape of 'features.2.weight' does not match"),
        ([torch.zeros(3)], "it contains no state dictionary"),
    ],
    ids=["missing", "shape", "list"],
)
def test_files_that_hold_no_vgg19(tmp_path: Path, content: object, reason: str) -> None:
    path = tmp_path / "vgg19.pth"
    with pytest.raises(InvalidCheckpoint) as refused:
        load_vgg19(path, layer="conv2_1", sha256=written(path, content))
    assert reason in refused.value.reason


def test_a_layer_that_vgg19_lacks_is_found_before_the_file_is_read(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="unknown layer 'conv3_5'"):
        feature_loss(tmp_path / "absent.pth", layer="conv3_5")


# --- the small network ----------------------------------------------------------------------------------------------


def test_the_small_network_is_small_and_says_where_it_comes_from() -> None:
    assert FEATURES.stat().st_size < 1_000_000
    with safe_open(FEATURES, framework="pt") as file:
        header = file.metadata()
    assert header["format"] == FORMAT
    provenance, measured = json.loads(header["provenance"]), json.loads(header["measured"])
    assert provenance["recipe"] == "python -m training.objectives.perceptual"
    assert provenance["training_minutes"] <= 3.0
    assert measured["pixels_wrong"] < measured["pixels_wrong_before"]


def test_the_small_network_sees_softness_that_pixels_do_not() -> None:
    """Of pictures with equal squared error the soft one is farther, by what its header says."""
    loss = feature_loss(None, distance="l2")
    assert loss.name == "the small feature network's conv3_3"
    clean, soft, crisp = equal_error_patches(np.random.default_rng(41), count=32)
    ratio = float((loss(soft, clean) / loss(crisp, clean)).sqrt())
    with safe_open(FEATURES, framework="pt") as file:
        said = json.loads(file.metadata()["measured"])["soft_to_crisp"]
    assert ratio == pytest.approx(said["trained"], rel=0.05)  # other weights of its kind: 10 to 30 % off
    assert ratio > 1.1


def test_part_of_the_small_network() -> None:
    part, whole = load_small(layer="conv2_1"), load_small()
    assert part.layer == "conv2_1"
    shared = part.state_dict()
    assert 0 < len(shared) < len(whole.state_dict())
    for key, tensor in shared.items():
        assert torch.equal(tensor, whole.state_dict()[key])
    with pytest.raises(ValueError, match="unknown layer 'conv5_4'"):
        feature_loss(None, layer="conv5_4")


def rewritten(path: Path, **header: str | None) -> Path:
    """A copy of the small network's file with entries of the header replaced, or taken away."""
    with safe_open(FEATURES, framework="pt") as file:
        merged = {**file.metadata(), **header}
    save_file(load_file(FEATURES), path, metadata={key: value for key, value in merged.items() if value is not None})
    return path


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ({"architecture": "LENet"}, "architecture 'FeatureNetwork'"),
        ({"format": "other"}, f"does not say format '{FORMAT}'"),
        ({"config": None}, "does not describe a network"),
        ({"config": "{"}, "does not describe a network"),
        ({"config": '{"channels": 1, "blocks": 3}'}, "does not describe a network"),
    ],
)
def test_files_that_hold_no_small_network(tmp_path: Path, header: dict[str, str | None], reason: str) -> None:
    path = rewritten(tmp_path / "features.safetensors", **header)
    with pytest.raises(InvalidCheckpoint) as refused:
        load_small(path)
    assert reason in refused.value.reason


def test_a_small_network_of_another_shape_is_refused(tmp_path: Path) -> None:
    with safe_open(FEATURES, framework="pt") as file:
        config = json.loads(file.metadata()["config"])
    wider = [[width + 1, count] for width, count in config["blocks"]]
    path = rewritten(tmp_path / "features.safetensors", config=json.dumps({**config, "blocks": wider}))
    with pytest.raises(InvalidCheckpoint, match=r"the shape of 'features\.0\.weight' does not match"):
        load_small(path)


def test_no_small_network(tmp_path: Path) -> None:
    with pytest.raises(InvalidCheckpoint, match=r"python -m training\.objectives\.perceptual makes it"):
        feature_loss(None, small=tmp_path / "absent.safetensors")


def test_the_command_makes_a_file_that_loads(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "made.safetensors"
    main(["--steps", "1", "--held-out", "16", "--out", str(path)])
    assert '"strength_correlation"' in capsys.readouterr().out
    made = feature_loss(None, small=path)
    assert made.network.state_dict().keys() == load_small().state_dict().keys()
