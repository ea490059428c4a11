"""GoPro's pairs of blurred and sharp frames, for general deblurring before the codes (Nah et al., "Deep Multi-Scale
Convolutional Neural Network for Dynamic Scene Deblurring", CVPR 2017), and the run that trains on them.

The folder is what GOPRO_Large.zip holds: ``train`` and ``test``, in each the takes ``GOPR*``, in each of these
``blur``, ``blur_gamma`` and ``sharp`` with frames of one name.
"""

from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray

from app.models import checkpoint
from app.models.checkpoint import Checkpoint
from app.models.registry import NETWORKS
from training.data.crops import CropBatch
from training.data.patches import ProgressivePatches
from training.objectives.losses import pixel_loss
from training.run.config import TrainConfig

_ROOT = "GOPRO_Large"


@dataclass(frozen=True)
class Frame:
    """The files of one frame."""

    blurred: Path
    sharp: Path


@cache
def frames(directory: Path, *, split: str = "train", gamma: bool = False) -> tuple[Frame, ...]:
    """All frames of a split in the order of their names; ``directory`` is GOPRO_Large or the folder that holds it.

    ``gamma`` takes the frames averaged behind the camera's response, ``blur_gamma``, instead of ``blur``.
    Raises ValueError where there are none, or where a blurred frame has no sharp one.
    """
    root = directory / _ROOT if (directory / _ROOT).is_dir() else directory
    kind = "blur_gamma" if gamma else "blur"
    found = tuple(
        Frame(blurred, blurred.parents[1] / "sharp" / blurred.name)
        for blurred in sorted((root / split).glob(f"GOPR*/{kind}/*.png"))
    )
    if not found:
        raise ValueError(f"{directory} holds no frames {split}/GOPR*/{kind}/*.png")
    for frame in found:
        if not frame.sharp.is_file():
            raise ValueError(f"{frame.blurred} has no sharp counterpart {frame.sharp}")
    return found


def _grey(file: Path) -> NDArray[np.uint8]:
    picture = cv2.imread(str(file), cv2.IMREAD_GRAYSCALE)
    if picture is None:
        raise ValueError(f"{file} is not a picture")
    return np.asarray(picture, dtype=np.uint8)


def _turned(picture: NDArray[np.uint8], *, turns: int, flip: bool) -> NDArray[np.float32]:
    turned = np.rot90(picture, turns)
    return np.ascontiguousarray(turned[:, ::-1] if flip else turned).astype(np.float32) / np.float32(255)


@dataclass(frozen=True, kw_only=True)
class GoProPatches:
    """Grey patches at random places of random frames of one split, in any of the eight turns and flips.

    ``degraded`` and ``clean`` are (N, 1, side, side) in [0, 1], ``dark`` is None. Frames are drawn anew for each batch,
    no frame twice in one as long as there are enough. Files are read when the first batch is made, not before.

    Raises ValueError for a folder of another layout, and for a pair that differs in size or is smaller than a patch.
    """

    directory: Path
    split: str = "train"
    gamma: bool = False

    def __call__(self, rng: Generator, *, size: int, side: int) -> CropBatch:
        files = frames(self.directory, split=self.split, gamma=self.gamma)
        chosen = rng.choice(len(files), size, replace=size > len(files))
        made = [self._patch(files[index], rng, side) for index in chosen]
        degraded, clean = (torch.from_numpy(np.stack(part))[:, None] for part in zip(*made, strict=True))
        return CropBatch(degraded=degraded, clean=clean, dark=None)

    def _patch(self, frame: Frame, rng: Generator, side: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        blurred, sharp = _grey(frame.blurred), _grey(frame.sharp)
        if blurred.shape != sharp.shape or min(sharp.shape) < side:
            raise ValueError(f"{frame.blurred} {blurred.shape} and the sharp {sharp.shape} hold no patch of {side} px")
        row, column = (int(rng.integers(0, length - side + 1)) for length in sharp.shape)
        turns, flip = int(rng.integers(4)), bool(rng.integers(2))
        part = np.s_[row : row + side, column : column + side]
        return _turned(blurred[part], turns=turns, flip=flip), _turned(sharp[part], turns=turns, flip=flip)


def pretraining(config: TrainConfig, directory: Path) -> TrainConfig:
    """The first of ADNet's two stages for a recipe: its network, on GoPro's frames, under the name NAME-pretrain.

    The second stage is the recipe itself, begun with these weights. L1, AdamW from 3e-4 to 1e-6 on a cosine, betas 0.9
    and 0.999, decay 1e-4, patches of 128 to 384 pixels (ADNet's published options). Raises ValueError for networks that
    enlarge.
    """
    kind: Any = NETWORKS[config.architecture]
    if getattr(kind, "scale", None) != 1:
        raise ValueError(f"{config.name} does not keep the picture's size: GoPro's pairs are no training for it")
    patches = ProgressivePatches(make=GoProPatches(directory=directory))
    ends = tuple(round(end, 3) for end in patches.until)
    return replace(
        config,
        name=f"{config.name}-pretrain",
        make_batch=patches,
        loss=pixel_loss,
        data={
            "sample": f"GoPro's training frames, grey, random places, turns and flips: {len(frames(directory))} pairs",
            "patches": f"{patches.sides} px, {patches.sizes} of them, until {ends} of the schedule",
        },
        batch_size=patches.sizes[0],
        learning_rate=3e-4,
        final_learning_rate=1e-6,
        betas=(0.9, 0.999),
        weight_decay=1e-4,
    )


def starting_weights(path: Path, config: TrainConfig) -> Checkpoint:
    """A checkpoint to begin with. Raises InvalidCheckpoint, and ValueError for weights of another network."""
    start = checkpoint.load(path)
    with torch.device("meta"):  # shapes only
        network = NETWORKS[config.architecture](**config.network)
    wanted, given = ({key: value.shape for key, value in n.state_dict().items()} for n in (network, start.network))
    if start.architecture != config.architecture or wanted != given:
        raise ValueError(f"{path} holds other weights than those of {config.name}")
    return start


def first_stage(
    config: TrainConfig, *, gopro: Path | None, started: bool, minutes: float | None, steps: int | None
) -> TrainConfig | None:
    """The run before this one: on GoPro's frames where their folder is given, else the recipe's own, which weights that
    are given (``started``) take the place of; fitted to the same length. Raises ValueError as `pretraining` does."""
    if gopro:
        return pretraining(config, gopro)
    if config.first and not started:
        return config.first().fitted(minutes=minutes, steps=steps)
    return None
