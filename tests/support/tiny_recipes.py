"""Recipes whose steps take milliseconds, for runs in processes of their own (`tests.support.tiny_recipes:plain`)."""

import atexit
import os
from dataclasses import replace
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from numpy.random import Generator
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from app.models.registry import NETWORKS
from app.models.srresnet import SRResNet
from training.data.crops import CropBatch, aligned_batch
from training.objectives.adversarial import Adversary, relativistic_average
from training.objectives.losses import pixel_loss
from training.run.config import TrainConfig


def blocks(rng: Generator) -> CropBatch:
    """Random black and white blocks of 4 pixels, and their means with noise."""
    small = (rng.random((2, 1, 8, 8)) < 0.5).astype(np.float32)
    noisy = small + rng.normal(0, 0.2, small.shape).astype(np.float32)
    clean = np.kron(small, np.ones((1, 1, 4, 4), dtype=np.float32))
    return CropBatch(degraded=torch.from_numpy(noisy), clean=torch.from_numpy(clean), dark=None)


def discriminator() -> nn.Module:
    """What discriminators are made of: spectral normalisation, batch normalisation, a logit for each place."""
    return nn.Sequential(
        spectral_norm(nn.Conv2d(1, 4, 3, stride=2)), nn.BatchNorm2d(4), nn.LeakyReLU(0.2), nn.Conv2d(4, 1, 3)
    )


def plain() -> TrainConfig:
    return TrainConfig(
        name="plain",
        architecture="SRResNet",
        network={"width": 4, "blocks": 1, "batch_norm": True},
        make_batch=blocks,
        loss=pixel_loss,
        error=lambda restored, batch: float(((restored > 0.5).float() != batch.clean).float().mean()),
        data={"sample": "blocks"},
        minutes=0.5,
        batch_size=2,
        warmup_steps=20,
        picture_every=100,
        save_every=0.5,
        seed=7,
    )


def level() -> TrainConfig:
    """A network that keeps the picture's size."""
    return replace(
        plain(),
        name="level",
        architecture="LENet",
        network={"base": 4, "blocks": (1, 1, 1, 1), "residual_init": 0.1},
        make_batch=partial(aligned_batch, size=2, max_version=1, size_multiple=8),
        error=lambda restored, batch: 0.0,
    )


def staged() -> TrainConfig:
    """Begins with the weights of another run."""
    return replace(plain(), name="staged", previous=plain)


def adversarial() -> TrainConfig:
    """With patience too, so that its state holds everything that a state can hold."""
    return replace(
        plain(),
        name="adversarial",
        adversary=Adversary(
            make=discriminator,
            losses=relativistic_average,
            weight=0.01,
            learning_rate=1e-3,
            start_share=0.001,
        ),
        patience=1000,
        validate_every=4,
        validation_batches=2,
    )


class Watched(SRResNet):
    """Remembers every one that is built."""

    built: ClassVar[list[nn.Module]] = []

    def __init__(self, **arguments: object) -> None:
        super().__init__(**arguments)
        self.built.append(self)


def watched() -> TrainConfig:
    """An adversarial run each of whose processes leaves its own weights and what batches it saw in ``$WATCHED``."""
    NETWORKS["SRResNet"] = Watched
    Watched.built.clear()
    discriminators: list[nn.Module] = []
    start: dict[str, Tensor] = {}
    seen: list[int] = []

    def make() -> nn.Module:
        discriminators.append(discriminator())
        return discriminators[-1]

    def weights() -> dict[str, Tensor]:
        networks = {"network": Watched.built[0], "average": Watched.built[1], "discriminator": discriminators[0]}
        return {
            f"{part}.{key}": value.clone()
            for part, network in networks.items()
            for key, value in network.state_dict().items()
        }

    def error(_: Tensor, batch: CropBatch) -> float:
        if not start:  # by now batch normalisation has seen this process's first batch
            start.update({f"start.{key}": value for key, value in weights().items() if "running" not in key})
        seen.append(int.from_bytes(sha256(batch.degraded.numpy().tobytes()).digest()[:7]))
        return 0.0

    def leave() -> None:
        file = Path(os.environ["WATCHED"]) / f"rank{os.environ['RANK']}.safetensors"
        save_file({**start, **weights(), "batches": torch.tensor(seen)}, file)

    atexit.register(leave)
    adversary = replace(adversarial().adversary, make=make, start_share=0.1)
    return replace(plain(), name="watched", adversary=adversary, error=error)
