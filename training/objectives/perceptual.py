"""Feature losses: how far apart two pictures are to a network that has learnt to see.

Johnson et al. ("Perceptual Losses for Real-Time Style Transfer and Super-Resolution", ECCV 2016) compare pictures by
the features of a VGG network instead of by their pixels; SRGAN (Ledig et al., CVPR 2017, Eq. 5) and ESRGAN (Wang et
al., ECCV workshops 2018, section 3.3, before the activation) take VGG19 for it. Its weights are not shipped: they are
read from torchvision's published file. Where there is none a small network of the same kind serves, which
``python -m training.objectives.perceptual`` trains on clean and degraded symbols, see `training.objectives.features`.
"""

import argparse
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, Literal

import cv2
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn
from torch.nn import functional

from app.errors import InvalidCheckpoint
from app.models.checkpoint import FORMAT, save
from training.objectives.features import ARCHITECTURE, FeatureNetwork, layer_index, train

VGG19_URL = "https://download.pytorch.org/models/vgg19-dcbb9e9d.pth"
VGG19_SHA256 = "dcbb9e9dad569fff7a846263a77324fc34978fea2bfb039c012d710e1776ae44"
"""Of torchvision's file, whose name holds the first eight digits."""
VGG19_BLOCKS = ((64, 2), (128, 2), (256, 4), (512, 4), (512, 4))
_IMAGENET_MEAN, _IMAGENET_DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
FEATURES = Path(__file__).with_name("features.safetensors")
"""The small network's weights."""
_VGG19_LAYER = "conv5_4"

Distance = Literal["l1", "l2"]


class FeatureLoss(nn.Module):
    """Mean absolute ("l1") or squared ("l2") difference of frozen features, scalar.

    ``forward``: restored and clean pictures, both (N, C, H, W) in [0, 1], on the features' device. The gradient goes to
    ``restored`` alone. ``name`` says whose features they are; ``network`` turns pictures into them.
    """

    def __init__(self, *, network: nn.Module, name: str, distance: Distance = "l1") -> None:
        super().__init__()
        self.network = network.eval().requires_grad_(False)
        self.name = name
        self.distance = distance

    def forward(self, restored: Tensor, clean: Tensor) -> Tensor:
        with torch.no_grad():
            target = self.network(clean)
        compare = functional.l1_loss if self.distance == "l1" else functional.mse_loss
        return compare(self.network(restored), target)


class PerceptualLoss(nn.Module):
    """A feature loss as what a run minimises: a `Loss`, (restored, batch) -> scalar, whose ``__name__`` goes into the
    checkpoint's provenance."""

    def __init__(self, features: FeatureLoss) -> None:
        super().__init__()
        self.features = features

    @property
    def __name__(self) -> str:
        return f"{self.features.distance} of {self.features.name}"

    def forward(self, restored: Tensor, batch: Any) -> Tensor:
        loss: Tensor = self.features(restored, batch.clean)
        return loss


def feature_loss(
    vgg19: Path | None,
    *,
    layer: str | None = None,
    distance: Distance = "l1",
    sha256: str = VGG19_SHA256,
    small: Path = FEATURES,
) -> FeatureLoss:
    """The feature loss on VGG19 from torchvision's file at ``vgg19``, or where that is None on the small network.

    ``layer`` is "convB_N", the N-th convolution of block B before its activation, or "reluB_N", after it; else VGG19's
    conv5_4 (ESRGAN; SRGAN takes relu5_4 and "l2") or the small network's last convolution, conv3_3. Raises
    InvalidCheckpoint for a file that is missing or another than it should be, ValueError for a layer that the network
    lacks.
    """
    if vgg19 is None:
        network, owner = load_small(small, layer=layer), "the small feature network"
    else:
        network, owner = load_vgg19(vgg19, layer=layer or _VGG19_LAYER, sha256=sha256), "VGG19"
    return FeatureLoss(network=network, name=f"{owner}'s {network.layer}", distance=distance)


def load_vgg19(path: Path, *, layer: str, sha256: str = VGG19_SHA256) -> FeatureNetwork:
    """VGG19 up to a layer, from the state dictionary that torchvision publishes.

    Raises InvalidCheckpoint where the file is missing, is not the one with that SHA-256, or holds no such network;
    ValueError for a layer that VGG19 lacks.
    """
    layer_index(VGG19_BLOCKS, layer)
    state = _published(path, sha256)
    network = FeatureNetwork(
        channels=3, blocks=VGG19_BLOCKS, layer=layer, mean=_IMAGENET_MEAN, deviation=_IMAGENET_DEVIATION
    )
    return _filled(network, state, path)


def _published(path: Path, sha256: str) -> Mapping[str, Tensor]:
    """A pickled state dictionary. A pickle can be made to do harm: only the very file of that SHA-256 is opened."""
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
            if found != sha256:
                reason = f"its SHA-256 is {found}, not {sha256}: it is not the VGG19 published at {VGG19_URL}"
                raise InvalidCheckpoint(path, reason)
            file.seek(0)
            state = torch.load(file, map_location="cpu", weights_only=True)
    except OSError as error:
        reason = f"there is no file to be read here (download {VGG19_URL}, or give no path for the small network)"
        raise InvalidCheckpoint(path, reason) from error
    except (RuntimeError, UnpicklingError, EOFError) as error:
        raise InvalidCheckpoint(path, "torch cannot read it") from error
    if not isinstance(state, Mapping):
        raise InvalidCheckpoint(path, "it holds no state dictionary")
    return state


def load_small(path: Path = FEATURES, *, layer: str | None = None) -> FeatureNetwork:
    """The small feature network up to a layer, or all of it.

    Raises InvalidCheckpoint for a file that holds none, ValueError for a layer that it lacks.
    """
    try:
        with safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - not a mapping
    except (SafetensorError, OSError) as error:
        reason = "it is not a complete safetensors file (python -m training.objectives.perceptual makes it)"
        raise InvalidCheckpoint(path, reason) from error
    if (header.get("format"), header.get("architecture")) != (FORMAT, ARCHITECTURE):
        raise InvalidCheckpoint(path, f"its header does not say format {FORMAT!r} and architecture {ARCHITECTURE!r}")
    try:
        config = json.loads(header["config"])
        arguments: dict[str, Any] = {
            "channels": int(config["channels"]),
            "blocks": tuple((int(width), int(count)) for width, count in config["blocks"]),
            "layer": layer or str(config["layer"]),
            "mean": tuple(map(float, config["mean"])),
            "deviation": tuple(map(float, config["deviation"])),
        }
    except (LookupError, ValueError, TypeError) as error:
        raise InvalidCheckpoint(path, "its header does not describe a network that can be built") from error
    return _filled(FeatureNetwork(**arguments), tensors, path)


def _filled(network: FeatureNetwork, state: Mapping[str, Tensor], path: Path) -> FeatureNetwork:
    """The network with its share of a state dictionary, which may go on behind the network's last layer."""
    expected = network.state_dict()
    if missing := sorted(expected.keys() - state.keys()):
        raise InvalidCheckpoint(path, f"its tensors do not match: missing {missing[:3]}")
    if misshapen := [key for key, tensor in expected.items() if tensor.shape != state[key].shape]:
        raise InvalidCheckpoint(path, f"the shape of {misshapen[0]!r} does not match")
    network.load_state_dict({key: state[key] for key in expected})
    return network


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m training.objectives.perceptual",
        description="Train the small feature network that stands in for VGG19 in perceptual losses.",
    )
    parser.add_argument("--steps", type=int, default=1800, help="steps of 16 samples (default: 1800)")
    parser.add_argument("--exam", type=int, default=512, help="patches to measure it on afterwards (default: 512)")
    parser.add_argument("--out", type=Path, default=FEATURES, help=f"weights file to write (default: {FEATURES.name})")
    arguments = parser.parse_args(argv)
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    card = train(steps=arguments.steps, exam=arguments.exam)
    save(card, arguments.out, half=True)
    minutes = card.provenance["training_minutes"]
    print(f"{arguments.out}: {card.parameters:,} parameters, {minutes} minutes of processor time")
    print(json.dumps(card.measured, indent=1))


if __name__ == "__main__":
    main()
