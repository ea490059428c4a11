"""One training run: resumable, seeded, measured in minutes of training, with a log that plots."""

import csv
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from app.models import NETWORKS
from app.models.checkpoint import SUFFIX, Checkpoint, save
from training.data import Batch
from training.losses import module_error
from training.pictures import restoration_picture
from training.progress import Progress

Loss = Callable[[Tensor, Any], Tensor]
MakeBatch = Callable[[Generator], Batch]


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """Everything that decides a run. ``data`` goes into the checkpoint's provenance as it is.

    ``loss`` takes the network's output and the batch; so do ``error``, the figure that the log follows, and
    ``picture``, which draws samples as an 8-bit image. The learning rate warms up over ``warmup_steps`` and falls to
    zero on a cosine over ``minutes`` of training time. Gradients are clipped to ``gradient_norm``; a step whose
    gradient is longer than ``spike`` says nothing but that something overflowed, and moves no weight.
    """

    name: str
    architecture: str
    network: dict[str, Any]
    make_batch: MakeBatch
    loss: Loss
    error: Callable[[Tensor, Any], float] = module_error
    picture: Callable[[Tensor, Any], NDArray[np.uint8]] = restoration_picture
    data: dict[str, object]
    minutes: float
    batch_size: int
    learning_rate: float = 1e-3
    betas: tuple[float, float] = (0.9, 0.99)
    weight_decay: float = 1e-4
    warmup_steps: int = 100
    gradient_norm: float = 1.0
    spike: float = 10.0
    ema_decay: float = 0.999
    seed: int = 0
    save_every: float = 180.0
    picture_every: int = 500


@dataclass
class _Clock:
    """Where a run stands; saved and restored as it is."""

    step: int = 0
    seconds: float = 0.0
    bfloat16: bool = False
    threads: int = 0
    device: str = "cpu"


class Run:
    """A run in ``directory``: ``state.safetensors`` to resume from, ``log.csv``, ``samples/*.png``, TensorBoard events,
    and ``NAME.safetensors``, the served form of the averaged weights, renewed at each save."""

    def __init__(
        self, config: TrainConfig, directory: Path, *, device: str = "cpu", start: Checkpoint | None = None
    ) -> None:
        """A run that is to resume ignores ``start``, the weights that a new one begins with instead of random ones."""
        torch.manual_seed(config.seed)
        self.config = config
        self.directory = directory
        self.device = torch.device(device)
        (directory / "samples").mkdir(parents=True, exist_ok=True)
        self.network = NETWORKS[config.architecture](**config.network).to(self.device)
        self.average = NETWORKS[config.architecture](**config.network).to(self.device).requires_grad_(False)
        if start is not None:
            self.network.load_state_dict(start.network.state_dict())
        self.average.load_state_dict(self.network.state_dict())
        self.origin = {} if start is None else {"continues": dict(start.provenance)}
        self.optimizer = torch.optim.AdamW(
            self.network.parameters(), lr=config.learning_rate, betas=config.betas, weight_decay=config.weight_decay
        )
        self.clock = _Clock(threads=torch.get_num_threads(), device=device)
        if self._state.exists():
            self._resume()
        else:
            self.clock.bfloat16 = self._bfloat16_is_faster()

    @property
    def _state(self) -> Path:
        return self.directory / "state.safetensors"

    def train(self, *, stop_after: int | None = None) -> float:
        """Trains until the minutes are used up, or for ``stop_after`` more steps; returns the last step's loss."""
        config, clock = self.config, self.clock
        budget = config.minutes * 60
        log = Progress(self.directory, total_seconds=budget)
        saved = clock.seconds
        last = clock.step + stop_after if stop_after is not None else None
        loss = float("nan")
        while clock.seconds < budget and clock.step != last:
            started = time.perf_counter()
            batch = self._batch(clock.step)
            loss, error, norm = self._step(batch)
            clock.step += 1
            clock.seconds += time.perf_counter() - started
            log.update(
                step=clock.step,
                seconds=clock.seconds,
                loss=loss,
                module_error=error,
                gradient_norm=norm,
                rate=self._rate(),
            )
            if clock.step % config.picture_every == 0:
                self._picture(batch)
            if clock.seconds - saved > config.save_every:
                self.save()
                saved = clock.seconds
        self.save()
        log.close()
        return loss

    def _batch(self, step: int) -> Batch:
        """The batch of a step depends on the seed and the step alone, so a resumed run sees what it would have seen."""
        return self.config.make_batch(np.random.default_rng((self.config.seed, step))).to(self.device)

    def _rate(self) -> float:
        config, clock = self.config, self.clock
        cosine = 0.5 * (1 + np.cos(np.pi * min(1.0, clock.seconds / (config.minutes * 60))))
        return float(config.learning_rate * min(1.0, (clock.step + 1) / config.warmup_steps) * cosine)

    def _forward(self, batch: Batch, *, bfloat16: bool) -> tuple[Tensor, Tensor]:
        with torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=bfloat16):
            restored = self.network(*batch.inputs)
        restored = restored.float()
        return restored, self.config.loss(restored, batch)

    def _step(self, batch: Batch) -> tuple[float, float, float]:
        for group in self.optimizer.param_groups:
            group["lr"] = self._rate()
        self.optimizer.zero_grad(set_to_none=True)
        restored, loss = self._forward(batch, bfloat16=self.clock.bfloat16)
        loss.backward()
        norm = nn.utils.clip_grad_norm_(self.network.parameters(), self.config.gradient_norm)
        if float(norm) <= self.config.spike or (norm.isfinite() and self.clock.step < self.config.warmup_steps):
            self.optimizer.step()
            self._follow()
        return float(loss.detach()), self.config.error(restored.detach(), batch), float(norm)

    @torch.no_grad()
    def _follow(self) -> None:
        """Moves the averaged weights, faster in the first steps."""
        decay = min(self.config.ema_decay, (1 + self.clock.step) / (10 + self.clock.step))
        current = self.network.state_dict()
        for key, value in self.average.state_dict().items():
            if value.is_floating_point():
                value.lerp_(current[key], 1 - decay)
            else:
                value.copy_(current[key])

    def _bfloat16_is_faster(self) -> bool:
        """Times a forward and backward pass either way, without a step; processors without bf16 units are slower."""
        batch = self._batch(0)
        best = {False: float("inf"), True: float("inf")}
        for repeat in range(4):  # the first pass warms up
            for bfloat16 in (False, True):
                started = time.perf_counter()
                self._forward(batch, bfloat16=bfloat16)[1].backward()
                if self.device.type == "cuda":
                    torch.cuda.synchronize()
                if repeat:
                    best[bfloat16] = min(best[bfloat16], time.perf_counter() - started)
        self.optimizer.zero_grad(set_to_none=True)
        return best[True] < 0.9 * best[False]

    @torch.inference_mode()
    def _picture(self, batch: Batch) -> None:
        picture = self.config.picture(self.average.eval()(*batch.inputs), batch)
        cv2.imwrite(str(self.directory / "samples" / f"{self.clock.step:07d}.png"), picture)

    def save(self) -> None:
        """Writes the state to resume from and the served form of the averaged weights, each in one step."""
        tensors = {f"network.{key}": value for key, value in self.network.state_dict().items()}
        tensors |= {f"average.{key}": value for key, value in self.average.state_dict().items()}
        for index, state in self.optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{index}.{key}": torch.as_tensor(value) for key, value in state.items()}
        partial = self._state.with_suffix(".partial")
        header = {key: repr(value) for key, value in asdict(self.clock).items()}
        save_file(
            {key: value.detach().cpu().contiguous().clone() for key, value in tensors.items()}, partial, metadata=header
        )
        partial.replace(self._state)
        save(self.checkpoint(), self.directory / f"{self.config.name}{SUFFIX}")

    def _resume(self) -> None:
        parts: dict[str, dict[str, Tensor]] = {"network": {}, "average": {}, "optimizer": {}}
        with safe_open(self._state, framework="pt") as file:
            header = file.metadata()
            for key in file.keys():  # noqa: SIM118 - not a mapping
                part, name = key.split(".", 1)
                parts[part][name] = file.get_tensor(key)
        self.network.load_state_dict(parts["network"])
        self.average.load_state_dict(parts["average"])
        moments: dict[int, dict[str, Tensor]] = {}
        for name, tensor in parts["optimizer"].items():
            index, key = name.split(".", 1)
            moments.setdefault(int(index), {})[key] = tensor
        self.optimizer.load_state_dict({**self.optimizer.state_dict(), "state": moments})
        self.clock.step = int(header["step"])
        self.clock.seconds = float(header["seconds"])
        self.clock.bfloat16 = header["bfloat16"] == "True"

    def checkpoint(self) -> Checkpoint:
        """The averaged weights with where they come from."""
        config, clock = self.config, self.clock
        return Checkpoint(
            name=config.name,
            architecture=config.architecture,
            network=self.average,
            config=config.network,
            provenance={
                "recipe": config.name,
                "seed": config.seed,
                "steps": clock.step,
                "samples": clock.step * config.batch_size,
                "training_minutes": round(clock.seconds / 60, 1),
                "planned_minutes": config.minutes,
                "device": clock.device,
                "threads": clock.threads,
                "bfloat16": clock.bfloat16,
                "torch": torch.__version__,
                "loss": getattr(config.loss, "__name__", type(config.loss).__name__),
                "optimizer": f"AdamW lr {config.learning_rate:g} betas {config.betas} decay {config.weight_decay:g}",
                "data": config.data,
                **self.origin,
            },
        )


def read_log(directory: Path) -> list[dict[str, float]]:
    """The rows of a run's ``log.csv``."""
    with (directory / "log.csv").open(newline="") as file:
        return [{key: float(value) for key, value in row.items()} for row in csv.DictReader(file)]
