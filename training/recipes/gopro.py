"""Pretraining on GoPro's pairs of blurred and sharp frames: general deblurring before training on codes.

Nah et al., "Deep Multi-Scale Convolutional Neural Network for Dynamic Scene Deblurring", CVPR 2017. The folder is the
content of GOPRO_Large.zip: ``train`` and ``test`` hold the takes ``GOPR*``, and each take holds ``blur``,
``blur_gamma`` and ``sharp`` with frames of the same names.
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

from app.models.registry import NETWORKS
from training.data.crops import CropBatch
from training.data.degrade import to_float
from training.data.progressive_patches import ProgressivePatches
from training.objectives.losses import pixel_loss
from training.run.config import TrainConfig

_ROOT = "GOPRO_Large"


@dataclass(frozen=True)
class GoProFrame:
    """One frame of the GoPro data: its blurred and its sharp file."""

    blurred: Path
    sharp: Path


@cache
def gopro_frames(directory: Path, *, split: str = "train", gamma: bool = False) -> tuple[GoProFrame, ...]:
    """All frames of a split of the GoPro data, sorted by name; ``directory`` is GOPRO_Large or the folder that holds
    it.

    ``gamma`` selects the frames that were averaged after the camera's response, ``blur_gamma``, instead of ``blur``.
    Raises ValueError if there are none or if a blurred frame has no sharp one.
    """
    root = directory / _ROOT if (directory / _ROOT).is_dir() else directory
    kind = "blur_gamma" if gamma else "blur"
    found = tuple(
        GoProFrame(blurred, blurred.parents[1] / "sharp" / blurred.name)
        for blurred in sorted((root / split).glob(f"GOPR*/{kind}/*.png"))
    )
    if not found:
        raise ValueError(f"{directory} has no frames {split}/GOPR*/{kind}/*.png")
    for frame in found:
        if not frame.sharp.is_file():
            raise ValueError(f"{frame.blurred} has no sharp counterpart {frame.sharp}")
    return found


def _load_grey(file: Path) -> NDArray[np.uint8]:
    picture = cv2.imread(str(file), cv2.IMREAD_GRAYSCALE)
    if picture is None:
        raise ValueError(f"{file} is not a picture")
    return np.asarray(picture, dtype=np.uint8)


def _turn(picture: NDArray[np.uint8], *, turns: int, flip: bool) -> NDArray[np.float32]:
    """Rotates by ``turns`` times 90 degrees, then mirrors; in [0, 1]."""
    turned = np.rot90(picture, turns)
    return to_float(np.ascontiguousarray(turned[:, ::-1] if flip else turned))


@dataclass(frozen=True, kw_only=True)
class GoProPatches:
    """Makes batches of grey patches from random positions of random GoPro frames, in all eight rotations and
    reflections.

    ``degraded`` and ``clean`` are (N, 1, side, side) in [0, 1]; ``dark`` is None. A batch repeats a frame only if the
    split has fewer frames than the batch. The folder is first read for the first batch.

    Raises ValueError for a folder of another layout, and for a pair that differs in size or is smaller than a patch.
    """

    directory: Path
    split: str = "train"
    gamma: bool = False

    def __call__(self, rng: Generator, *, size: int, side: int) -> CropBatch:
        files = gopro_frames(self.directory, split=self.split, gamma=self.gamma)
        indices = rng.choice(len(files), size, replace=size > len(files))
        pairs = [self._patch(files[index], rng, side) for index in indices]
        degraded, clean = (torch.from_numpy(np.stack(part))[:, None] for part in zip(*pairs, strict=True))
        return CropBatch(degraded=degraded, clean=clean, dark=None)

    def _patch(self, frame: GoProFrame, rng: Generator, side: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        blurred, sharp = _load_grey(frame.blurred), _load_grey(frame.sharp)
        if blurred.shape != sharp.shape or min(sharp.shape) < side:
            sizes = f"{frame.blurred} {blurred.shape} and its sharp frame {sharp.shape}"
            raise ValueError(f"{sizes} have no {side} px patch in common")
        row, column = (int(rng.integers(0, length - side + 1)) for length in sharp.shape)
        turns, flip = int(rng.integers(4)), bool(rng.integers(2))
        part = np.s_[row : row + side, column : column + side]
        return _turn(blurred[part], turns=turns, flip=flip), _turn(sharp[part], turns=turns, flip=flip)


def gopro_pretraining(config: TrainConfig, directory: Path) -> TrainConfig:
    """A run that pretrains a recipe's network on GoPro's frames, the first of ADNet's two stages, named NAME-pretrain.

    The second stage is the recipe itself, starting from these weights. Follows ADNet's published options: L1; AdamW
    from 3e-4 to 1e-6 on a cosine, betas 0.9 and 0.999, weight decay 1e-4; patches of 128 to 384 pixels. Raises
    ValueError for upscaling networks and for a folder without frames.
    """
    kind: Any = NETWORKS[config.architecture]
    if getattr(kind, "scale", None) != 1:
        raise ValueError(f"{config.name} does not keep the picture's size, so it cannot train on GoPro's pairs")
    patches = ProgressivePatches(make=GoProPatches(directory=directory))
    ends = tuple(round(end, 3) for end in patches.until)
    pairs = len(gopro_frames(directory))
    return replace(
        config,
        name=f"{config.name}-pretrain",
        make_batch=patches,
        loss=pixel_loss,
        data={
            "sample": f"GoPro's training frames, grey, random places, turns and flips: {pairs} pairs",
            "patches": f"{patches.sides} px, {patches.sizes} of them, until {ends} of the schedule",
        },
        batch_size=patches.sizes[0],
        learning_rate=3e-4,
        final_learning_rate=1e-6,
        betas=(0.9, 0.999),
        weight_decay=1e-4,
    )


def first_stage(
    config: TrainConfig, *, gopro: Path | None, has_weights: bool, minutes: float | None, steps: int | None
) -> TrainConfig | None:
    """The run that precedes ``config``, if any: pretraining on GoPro if its folder is given, else ``config.previous``.

    ``has_weights``: the run starts from given weights, which replace ``config.previous``; ``minutes`` and ``steps``
    limit that run too. Raises ValueError as `gopro_pretraining` does.
    """
    if gopro:
        return gopro_pretraining(config, gopro)
    if config.previous and not has_weights:
        return config.previous().with_length(minutes=minutes, steps=steps)
    return None
