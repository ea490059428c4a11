"""A small VGG-style network trained on QR codes, for the perceptual losses of `training.objectives.perceptual`.

One trunk of features learns two tasks. From a degraded patch, one head predicts the clean symbol pixel by pixel, so
that features distinguish modules and locate their edges; the other predicts how strongly and in which ways the patch is
degraded, so that features of a soft, grainy or ringing picture differ from those of a clean one. Neither task suffices
alone: the first makes features blind to the degradation that a perceptual loss should remove, the second blind to the
symbol. Both heads are discarded after training.
"""

import time
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.random import Generator
from torch import Tensor, nn
from torch.nn import functional

from app.models.checkpoint import Checkpoint
from training.data import degrade
from training.data.degrade import Image
from training.data.symbols import draw_symbol, random_symbol

ARCHITECTURE = "FeatureNetwork"
Blocks = tuple[tuple[int, int], ...]
"""Channels and number of convolutions of each block."""
BLOCKS: Blocks = ((16, 2), (32, 2), (64, 3))
KINDS = ("blur", "resolution", "noise", "compression", "contrast")
"""Kinds of degradation whose strength the network learns to predict."""
SIDE = 64
"""Pixels per side of a patch."""
_DRAWN = 6  # pixels per module at which a symbol is drawn
_BATCH = 16
_LEARNING_RATE = 1.5e-3
_SEED = 31
_HELD_OUT = 1 << 20  # seeds from here on are for measuring


def layer_names(blocks: Blocks) -> list[str]:
    """The names of the feature network's layers in order: convB_N, reluB_N, ..., and poolB after each block but the
    last."""
    names = []
    for block, (_, count) in enumerate(blocks, start=1):
        names += [f"{kind}{block}_{n}" for n in range(1, count + 1) for kind in ("conv", "relu")]
        names += [f"pool{block}"]
    return names[:-1]


def layer_index(blocks: Blocks, layer: str) -> int:
    """The index of a layer of the feature network. Raises ValueError for an unknown name."""
    names = layer_names(blocks)
    if layer not in names:
        raise ValueError(f"unknown layer {layer!r}; the layers are {', '.join(names)}")
    return names.index(layer)


class FeatureNetwork(nn.Module):
    """Features of VGG (Simonyan & Zisserman, ICLR 2015) up to a layer: blocks of 3x3 convolutions and ReLUs with 2x2
    maximum pooling between blocks.

    ``forward``: (N, 1 or ``channels``, H, W) in [0, 1] -> that layer's features; a grey picture is repeated for several
    channels. Each side must have at least one pixel at the layer's resolution. ``mean`` is subtracted from each
    channel, which is then divided by ``deviation``. The keys of the state dictionary are torchvision's
    ("features.0.weight"), up to the layer. Raises ValueError for an unknown layer.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(
        self, *, channels: int, blocks: Blocks, layer: str, mean: tuple[float, ...], deviation: tuple[float, ...]
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        width = channels
        for wider, count in blocks:
            for _ in range(count):
                layers += [nn.Conv2d(width, wider, 3, padding=1), nn.ReLU()]
                width = wider
            layers += [nn.MaxPool2d(2)]
        self.channels = channels
        self.layer = layer
        self.features = nn.Sequential(*layers[: layer_index(blocks, layer) + 1])
        self.register_buffer("mean", torch.tensor(mean).view(-1, 1, 1), persistent=False)
        self.register_buffer("deviation", torch.tensor(deviation).view(-1, 1, 1), persistent=False)

    def forward(self, picture: Tensor) -> Tensor:
        whole = picture.expand(-1, self.channels, -1, -1)
        features: Tensor = self.features((whole - self.mean) / self.deviation)
        return features


_SCALING: dict[str, tuple[float, ...]] = {"mean": (0.5,), "deviation": (0.5,)}


def _last_convolution(blocks: Blocks) -> str:
    return f"conv{len(blocks)}_{blocks[-1][1]}"


class _TrainingNetwork(nn.Module):
    """The trunk of features with its two training heads.

    ``forward``: (N, 1, S, S), S a multiple of the trunk's reduction -> log-odds that each pixel is light, (N, 1, S, S),
    and the strength of each of ``KINDS``, (N, 5).
    """

    def __init__(self, *, blocks: Blocks) -> None:
        super().__init__()
        width, reduction = blocks[-1][0], 2 ** (len(blocks) - 1)
        self.trunk = FeatureNetwork(channels=1, blocks=blocks, layer=_last_convolution(blocks), **_SCALING)
        self.pixels = nn.Sequential(nn.Conv2d(width, reduction**2, 1), nn.PixelShuffle(reduction))
        self.levels = nn.Linear(width, len(KINDS))
        for parameter in self.trunk.parameters():
            if parameter.dim() == 4:
                nn.init.kaiming_normal_(parameter, nonlinearity="relu")
            else:
                nn.init.zeros_(parameter)

    def forward(self, picture: Tensor) -> tuple[Tensor, Tensor]:
        features = self.trunk(picture).relu()
        return self.pixels(features), self.levels(features.mean(dim=(2, 3)))


@dataclass(frozen=True)
class FeatureBatch:
    """A batch that trains the feature network.

    ``degraded`` and ``clean``: (N, 1, S, S) in [0, 1]; ``levels``: (N, 5) in [0, 1], the strength of each kind.
    """

    degraded: Tensor
    clean: Tensor
    levels: Tensor


def clean_patch(rng: Generator) -> tuple[Image, float]:
    """A clean patch for the feature network, (``SIDE``, ``SIDE``): part of a symbol on white; and its pixels per
    module.

    Pixels per module are 3-12. Half of the patches are rotated by a random angle, half by a multiple of 90 degrees.
    """
    module = float(np.exp(rng.uniform(np.log(3), np.log(12))))
    modules = random_symbol(rng, int(rng.integers(1, 7)))
    label = draw_symbol(modules, pixels=_DRAWN)
    if module < _DRAWN:
        label = degrade.gaussian(label, sigma=0.3 * _DRAWN / module)
    middle = label.shape[0] / 2
    angle = rng.uniform(-180, 180) if rng.random() < 0.5 else 90.0 * rng.integers(4)
    matrix = np.asarray(cv2.getRotationMatrix2D((middle, middle), float(angle), module / _DRAWN), dtype=np.float64)
    reach = modules.shape[0] * module / 2
    matrix[:, 2] += SIDE / 2 - middle + rng.uniform(-reach, reach, 2)
    patch = cv2.warpAffine(label, matrix, (SIDE, SIDE), flags=cv2.INTER_LINEAR, borderValue=1.0)
    return np.asarray(patch, dtype=np.float32), module


def degraded_patch(clean: Image, rng: Generator, *, module: float, levels: tuple[float, ...]) -> Image:
    """Degrades a patch for the feature network by each of ``KINDS`` at ``levels`` in [0, 1], where 0 leaves it out.

    At 1: gaussian blur of 0.65 modules, motion of 3.5 or defocus of 1; 1 pixel per module; noise of 0.3; JPEG quality
    5; contrast of 0.2. ``module``: pixels per module.
    """
    blur, resolution, noise, compression, contrast = levels
    image = clean
    if blur:
        kind = rng.integers(3)
        if kind == 0:
            image = degrade.gaussian(image, sigma=(0.05 + 0.6 * blur) * module)
        elif kind == 1:
            image = degrade.convolve(image, degrade.motion_kernel(rng, length=(0.3 + 3.2 * blur) * module))
        else:
            image = degrade.convolve(image, degrade.disc_kernel(radius=(0.1 + 0.9 * blur) * module))
    if resolution:
        side = max(8, round(SIDE / module**resolution))
        small = cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA)
        large = cv2.resize(small, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
        image = np.asarray(large, dtype=np.float32).clip(0, 1)
    if contrast:
        middle = np.float32(rng.uniform(0.3, 0.7))
        image = middle + np.float32(1 - 0.8 * contrast) * (image - middle)
    if noise:
        image = degrade.noise(image, rng, sigma=0.3 * noise)
    if compression:
        image = degrade.jpeg(image, quality=round(90 - 85 * compression))
    return image.clip(0, 1)


def feature_batch(rng: Generator, *, size: int) -> FeatureBatch:
    """A batch of ``size`` patches for the feature network, each degraded by each kind with probability 0.4."""
    degraded, clean, levels = [], [], []
    for _ in range(size):
        patch, module = clean_patch(rng)
        strengths = rng.uniform(0, 1, len(KINDS)) * (rng.random(len(KINDS)) < 0.4)
        degraded.append(degraded_patch(patch, rng, module=module, levels=tuple(strengths.tolist())))
        clean.append(patch)
        levels.append(strengths.astype(np.float32))
    return FeatureBatch(_stack(degraded), _stack(clean), torch.from_numpy(np.stack(levels)))


def _stack(patches: list[Image]) -> Tensor:
    return torch.from_numpy(np.stack(patches))[:, None]


def _loss(network: _TrainingNetwork, batch: FeatureBatch) -> Tensor:
    pixels, levels = network(batch.degraded)
    level_loss = functional.mse_loss(levels, batch.levels)
    return functional.binary_cross_entropy_with_logits(pixels, batch.clean) + 2 * level_loss


def _optimise(network: _TrainingNetwork, *, steps: int) -> None:
    """AdamW; the rate warms up over 50 steps and falls to zero on a cosine."""
    optimizer = torch.optim.AdamW(network.parameters(), lr=_LEARNING_RATE, weight_decay=1e-4)
    for step in range(steps):
        rate = min(1.0, (step + 1) / 50) * 0.5 * (1 + np.cos(np.pi * step / steps))
        for group in optimizer.param_groups:
            group["lr"] = _LEARNING_RATE * rate
        optimizer.zero_grad(set_to_none=True)
        loss = _loss(network, feature_batch(np.random.default_rng((_SEED, step)), size=_BATCH))
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()


def train(*, steps: int, blocks: Blocks = BLOCKS, held_out: int = 512) -> Checkpoint:
    """Trains the feature network for ``steps`` steps, reproducibly on one kind of machine with one thread.

    Figures measured on ``held_out`` patches that are not trained on go into the checkpoint.
    """
    began = time.process_time()
    torch.manual_seed(_SEED)
    untrained, network = _TrainingNetwork(blocks=blocks), _TrainingNetwork(blocks=blocks)
    _optimise(network, steps=steps)
    seconds = time.process_time() - began
    network.eval()
    return Checkpoint(
        name="features",
        architecture=ARCHITECTURE,
        network=network.trunk,
        config={"channels": 1, "blocks": blocks, "layer": _last_convolution(blocks), **_SCALING},
        provenance={
            "recipe": "python -m training.objectives.perceptual",
            "seed": _SEED,
            "steps": steps,
            "samples": steps * _BATCH,
            "training_minutes": round(seconds / 60, 1),
            "device": "cpu",
            "threads": torch.get_num_threads(),
            "torch": torch.__version__,
            "loss": "binary cross-entropy of the clean pixels + 2 x mean squared error of the strengths",
            "optimizer": f"AdamW lr {_LEARNING_RATE:g}, cosine",
            "data": {
                "sample": f"{SIDE} px parts of symbols of versions 1-6 at 3-12 px a module, half of them at any turn",
                "degradations": f"each of {', '.join(KINDS)} with a chance of 0.4, strength uniform",
            },
        },
        measured=_head_figures(network, count=held_out)
        | {"soft_to_crisp": _softness_ratios(network, untrained, count=held_out // 4)},
    )


def _head_figures(network: _TrainingNetwork, *, count: int) -> dict[str, object]:
    """The share of pixels on the wrong side of mid-grey, in the degraded patch and as predicted, and the correlation of
    each predicted strength with the true one."""
    batch = feature_batch(np.random.default_rng((_SEED, _HELD_OUT)), size=count)
    with torch.no_grad():
        pixels, levels = network(batch.degraded)

    def wrong(light: Tensor) -> float:
        return round(float((light != (batch.clean > 0.5)).float().mean()), 4)

    correlations = [np.corrcoef(levels[:, i], batch.levels[:, i])[0, 1] for i in range(len(KINDS))]
    return {
        "n": count,
        "pixels_wrong": wrong(pixels > 0),
        "pixels_wrong_before": wrong(batch.degraded > 0.5),
        "strength_correlation": {kind: round(float(r), 2) for kind, r in zip(KINDS, correlations, strict=True)},
    }


def equal_error_patches(rng: Generator, *, count: int) -> tuple[Tensor, Tensor, Tensor]:
    """Patches that test the features: clean, the same blurred, and the same crisp with bent edges, (N, 1, S, S) each.

    Edges are bent by 0.15-0.4 modules. A blurred patch and its crisp counterpart have the same mean squared error
    within 1 %.
    """
    clean: list[Image] = []
    soft: list[Image] = []
    crisp: list[Image] = []
    while len(clean) < count:
        patch, module = clean_patch(rng)
        bent = degrade.bend(patch, rng, amplitude=rng.uniform(0.15, 0.4) * module)
        error = float(np.mean((bent - patch) ** 2))
        low, high = 0.1, 4 * module
        for _ in range(12):
            middle = (low + high) / 2
            blurred = degrade.gaussian(patch, sigma=middle)
            less = float(np.mean((blurred - patch) ** 2)) < error
            low, high = (middle, high) if less else (low, middle)
        if error > 1e-3 and abs(float(np.mean((blurred - patch) ** 2)) / error - 1) < 0.01:
            clean.append(patch)
            soft.append(blurred)
            crisp.append(bent)
    return _stack(clean), _stack(soft), _stack(crisp)


def _softness_ratios(trained: _TrainingNetwork, untrained: _TrainingNetwork, *, count: int) -> dict[str, float]:
    """Root mean squared distance of soft patches from clean ones over that of crisp patches, in trained and untrained
    features.

    In pixels the ratio is 1: soft and crisp patches have equal squared errors.
    """
    clean, soft, crisp = equal_error_patches(np.random.default_rng((_SEED, _HELD_OUT + 1)), count=count)

    def ratio(features: FeatureNetwork) -> float:
        with torch.no_grad():
            squares = [functional.mse_loss(features(patch), features(clean)) for patch in (soft, crisp)]
        return round(float((squares[0] / squares[1]).sqrt()), 2)

    return {"untrained": ratio(untrained.trunk), "trained": ratio(trained.trunk)}
