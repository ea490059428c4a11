"""Perceptual losses: distances between pictures in the features of a trained network.

Johnson et al. ("Perceptual Losses for Real-Time Style Transfer and Super-Resolution", ECCV 2016) compare the features
of a VGG network instead of pixels. SRGAN (Ledig et al., CVPR 2017, Eq. 5) and ESRGAN (Wang et al., ECCV workshops 2018,
section 3.3, before the activation) use VGG19. Its weights are not shipped; they are loaded from the file that
torchvision publishes. Without that file a small network of the same kind takes its place, which
``python -m training.objectives.perceptual`` trains, see `training.objectives.features`.
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
"""Of torchvision's file, whose name contains the first eight digits."""
VGG19_BLOCKS = ((64, 2), (128, 2), (256, 4), (512, 4), (512, 4))
_IMAGENET_MEAN, _IMAGENET_DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
FEATURES = Path(__file__).with_name("features.safetensors")
"""The small network's weights."""
_VGG19_LAYER = "conv5_4"
Distance = Literal["l1", "l2"]


class FeatureLoss(nn.Module):
    """Mean absolute ("l1") or squared ("l2") difference between the frozen features that ``network`` gives.

    ``forward``: restored and clean pictures, both (N, C, H, W) in [0, 1] on the network's device -> scalar, with a
    gradient for ``restored`` alone. ``name`` describes the features.
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
    """Makes a `Loss` of a feature loss: (restored, batch) -> scalar; ``__name__`` goes into the checkpoint's
    provenance."""

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
    """The feature loss on VGG19 from torchvision's file at ``vgg19``, or, if that is None, on the small network.

    ``layer`` is "convB_N", the N-th convolution of block B before its activation, or "reluB_N", after it. By default it
    is VGG19's conv5_4 (as in ESRGAN; SRGAN uses relu5_4 and "l2") or the small network's last convolution, conv3_3.
    Raises InvalidCheckpoint for a missing or wrong file, ValueError for an unknown layer.
    """
    if vgg19 is None:
        network, owner = load_small(small, layer=layer), "the small feature network"
    else:
        network, owner = load_vgg19(vgg19, layer=layer or _VGG19_LAYER, sha256=sha256), "VGG19"
    return FeatureLoss(network=network, name=f"{owner}'s {network.layer}", distance=distance)


def load_vgg19(path: Path, *, layer: str, sha256: str = VGG19_SHA256) -> FeatureNetwork:
    """Loads VGG19 up to a layer from the state dictionary that torchvision publishes.

    Raises InvalidCheckpoint if the file is missing, has another SHA-256 or holds no such network; ValueError for an
    unknown layer.
    """
    layer_index(VGG19_BLOCKS, layer)
    state = _load_published(path, sha256)
    network = FeatureNetwork(
        channels=3, blocks=VGG19_BLOCKS, layer=layer, mean=_IMAGENET_MEAN, deviation=_IMAGENET_DEVIATION
    )
    return _load_weights(network, state, path)


def _load_published(path: Path, sha256: str) -> Mapping[str, Tensor]:
    """Loads a pickled state dictionary. A pickle can execute code, so only the file with this SHA-256 is unpickled."""
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
            if found != sha256:
                reason = f"its SHA-256 is {found}, not {sha256}: it is not the VGG19 published at {VGG19_URL}"
                raise InvalidCheckpoint(path, reason)
            file.seek(0)
            state = torch.load(file, map_location="cpu", weights_only=True)
    except OSError as error:
        reason = f"it cannot be read (download {VGG19_URL}, or omit the path to use the small network)"
        raise InvalidCheckpoint(path, reason) from error
    except (RuntimeError, UnpicklingError, EOFError) as error:
        raise InvalidCheckpoint(path, "torch cannot read it") from error
    if not isinstance(state, Mapping):
        raise InvalidCheckpoint(path, "it contains no state dictionary")
    return state


def load_small(path: Path = FEATURES, *, layer: str | None = None) -> FeatureNetwork:
    """Loads the small feature network, up to a layer if one is given.

    Raises InvalidCheckpoint for a file without such a network, ValueError for an unknown layer.
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
    return _load_weights(FeatureNetwork(**arguments), tensors, path)


def _load_weights(network: FeatureNetwork, state: Mapping[str, Tensor], path: Path) -> FeatureNetwork:
    """Loads the weights that the network needs; ``state`` may hold further layers."""
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
        description="Train the small feature network that replaces VGG19 in perceptual losses.",
    )
    parser.add_argument("--steps", type=int, default=1800, help="steps of 16 samples (default: 1800)")
    parser.add_argument("--held-out", type=int, default=512, help="patches to measure it on afterwards (default: 512)")
    parser.add_argument("--out", type=Path, default=FEATURES, help=f"weights file to write (default: {FEATURES.name})")
    arguments = parser.parse_args(argv)
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    model = train(steps=arguments.steps, held_out=arguments.held_out)
    save(model, arguments.out, half=True)
    minutes = model.provenance["training_minutes"]
    print(f"{arguments.out}: {model.parameters:,} parameters, {minutes} minutes of processor time")
    print(json.dumps(model.measured, indent=1))


if __name__ == "__main__":
    main()
