"""Batches of crops from photographs, mixed with the synthetic ones of a recipe."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray

from app.models.contract import Kind
from app.models.registry import NETWORKS
from app.pipeline import imaging
from app.pipeline.crops.rectifying import PIXELS_PER_MODULE
from app.pipeline.inference.module_reader import planes
from app.pipeline.qrcode.patterns import QUIET_ZONE, dimension, render
from training.data import degrade
from training.data.crops import CropBatch, ReadingSample, corner_errors, stack_readings
from training.finetune.examples import Example
from training.run.config import Batch, MakeBatch, TrainConfig

CORNER_ERROR = 0.35
"""Modules by which the corners of a crop are off at most, as in `training.data.crops.aligned_sample`."""
_WINDOW = 41  # modules a side that the module reader is trained on
_COMMON_SIDE = 57  # modules a side, quiet zone included, up to which a batch has its full size


@dataclass(frozen=True)
class PhotoCrops:
    """Makes batches of crops of one version from photographs: cut where the truth lies, with errors of the corners.

    ``folder`` holds the patches. ``size``: crops of a batch, fewer of large symbols, which take as much memory.
    ``size_multiple``: what sides are padded to. ``reads``: for the module reader, with windows and planes.
    """

    examples: Sequence[Example]
    folder: Path
    size: int
    size_multiple: int
    reads: bool

    @cached_property
    def _versions(self) -> dict[int, list[Example]]:
        versions: dict[int, list[Example]] = {}
        for example in self.examples:
            versions.setdefault(example.version, []).append(example)
        return dict(sorted(versions.items()))

    def __call__(self, rng: Generator) -> CropBatch:
        counts = np.array([len(each) for each in self._versions.values()])
        version = int(rng.choice(list(self._versions), p=counts / counts.sum()))
        side = dimension(version) + 2 * QUIET_ZONE
        count = self.size if self.reads else max(1, int(self.size * min(1.0, (_COMMON_SIDE / side) ** 2)))
        pool = self._versions[version]
        drawn = [pool[int(index)] for index in rng.integers(0, len(pool), count)]
        crops = [self._crop(rng, example) for example in drawn]
        if self.reads:
            return stack_readings(
                [_window(rng, crop, example.dark, version) for crop, example in zip(crops, drawn, strict=True)]
            )
        dark = np.stack([np.pad(example.dark, QUIET_ZONE) for example in drawn])[:, None]
        clean = [degrade.to_float(render(example.dark, pixels=PIXELS_PER_MODULE)) for example in drawn]
        padded = (np.stack([imaging.pad(one, self.size_multiple) for one in side])[:, None] for side in (crops, clean))
        degraded, sharp = map(torch.from_numpy, padded)
        return CropBatch(degraded=degraded, clean=sharp, dark=torch.from_numpy(dark.astype(np.float32)))

    def _crop(self, rng: Generator, example: Example) -> NDArray[np.float32]:
        patch = example.load(self.folder)
        corners = np.array(example.aligned)
        module = float(np.linalg.norm(corners - np.roll(corners, 1, axis=0), axis=1).mean()) / dimension(
            example.version
        )
        return imaging.normalise(example.cut(patch, corners + corner_errors(rng, CORNER_ERROR) * module))


def _window(rng: Generator, crop: NDArray[np.float32], dark: NDArray[np.bool_], version: int) -> ReadingSample:
    """A part of a crop of as many modules as the module reader is trained on."""
    whole = dimension(version) + 2 * QUIET_ZONE
    side = min(_WINDOW, whole)
    row, column = (int(start) for start in rng.integers(0, whole - side + 1, 2))
    part = np.s_[row : row + side, column : column + side]
    pixels = np.s_[
        row * PIXELS_PER_MODULE : (row + side) * PIXELS_PER_MODULE,
        column * PIXELS_PER_MODULE : (column + side) * PIXELS_PER_MODULE,
    ]
    return ReadingSample(
        np.ascontiguousarray(crop[pixels]), np.pad(dark, QUIET_ZONE)[part], planes(version)[:, part[0], part[1]]
    )


@dataclass(frozen=True)
class Mixture:
    """Makes batches of two kinds: a ``share`` of them from photographs, the others synthetic."""

    photographs: PhotoCrops
    synthetic: MakeBatch
    share: float

    def __call__(self, rng: Generator) -> Batch:
        return self.photographs(rng) if rng.random() < self.share else self.synthetic(rng)


def can_be_tuned(config: TrainConfig) -> bool:
    """Whether a recipe trains on canonical crops, which photographs give: restorers that keep their size, and module
    readers."""
    network = NETWORKS[config.architecture]
    kind = getattr(network, "kind", None)
    return kind is Kind.MODULE_READER or (kind is Kind.RESTORER and getattr(network, "scale", None) == 1)


def tuned(
    config: TrainConfig,
    examples: Sequence[Example],
    folder: Path,
    *,
    share: float,
    rate: float,
    data: dict[str, object],
) -> TrainConfig:
    """A recipe's run on a mixture with photographs, with ``rate`` times its learning rate; ``data`` describes them.

    Raises ValueError for a recipe that cannot be tuned, and for no examples.
    """
    if not can_be_tuned(config):
        raise ValueError(f"{config.name} does not train on crops of codes: photographs cannot tune it")
    if not examples:
        raise ValueError("no photograph to train on shows a code whose modules are known")
    network: Any = config.network_without_weights()
    reads = network.kind is Kind.MODULE_READER
    multiple = 1 if reads else int(network.size_multiple)
    crops = PhotoCrops(tuple(examples), folder, config.batch_size, multiple, reads)
    return replace(
        config,
        make_batch=Mixture(crops, config.make_batch, share),
        data={**config.data, **data},
        learning_rate=rate * config.learning_rate,
        final_learning_rate=min(config.final_learning_rate, rate * config.learning_rate),
        previous=None,
    )
