"""The training loop: seeded, resumable, limited by time or steps.

A run that is killed at any moment and started again resumes from its last save and shows the same losses as without the
interruption. A step's batch and random numbers depend only on the seed and the step, and the state holds everything
that steps change. The learning rate follows the clock, so steps that are repeated after the last save get the times
that were measured the first time (`training.run.progress.Journal`).

On a CPU this is exact for the same kind of processor and the same number of threads; on a GPU it depends on how
deterministic its kernels are. Two separate runs limited by time differ, because each measures its own time; two runs
limited by ``steps`` are equal, provided they use the same number format.
"""

import copy
import importlib
import importlib.util
import json
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from app.models.checkpoint import SUFFIX, Checkpoint, load, save
from app.models.registry import NETWORKS
from training.objectives.losses import Loss, WeightedSum
from training.run.config import Batch, BatchSchedule, TrainConfig
from training.run.discriminator import DiscriminatorTrainer
from training.run.parallel import Team
from training.run.progress import Clock, Progress, Window, read_log
from training.run.provenance import provenance
from training.run.state import optimizer_state, read_state, restore_optimizer, write_state

_LONG_SECONDS, _MUCH_SLOWER = 5.0, 2.0  # a pass in bfloat16 that exceeds both, the second relative to float32
_TRAINING, _VALIDATION = 0, 1  # keep the seeds of their batches apart


class Run:
    """The training loop of one run in ``directory``, which holds everything that the run writes.

    ``state.safetensors`` to resume from; ``NAME.safetensors``, the checkpoint of the averaged weights, written with
    each state; ``log.csv`` and ``clock.csv``; ``samples/*.png``; at the end ``curves.png``; TensorBoard's events.
    """

    def __init__(
        self,
        config: TrainConfig,
        directory: Path,
        *,
        device: str = "cpu",
        start: Checkpoint | None = None,
        team: Team | None = None,
    ) -> None:
        """Resumes the run if ``directory`` holds its state, otherwise begins it with the weights of ``start`` or random
        ones.

        With a ``team``, each rank constructs its own Run of the same directory, and the team's device replaces
        ``device``.
        """
        torch.manual_seed(config.seed)
        self.config = config
        self.directory = directory
        self.team = team or Team(device=device)
        self.device = torch.device(self.team.device)
        (directory / "samples").mkdir(parents=True, exist_ok=True)
        self.network = self._build()
        self.average = self._build().requires_grad_(False)
        if start is not None:
            self.network.load_state_dict(start.network.state_dict())
        self.average.load_state_dict(self.network.state_dict())
        self.origin: dict[str, object] = {} if start is None else {"continues": dict(start.provenance)}
        self.optimizer = torch.optim.AdamW(
            self.network.parameters(), lr=config.learning_rate, betas=config.betas, weight_decay=config.weight_decay
        )
        self.discriminator: DiscriminatorTrainer | None = None
        if config.adversary:
            self.discriminator = DiscriminatorTrainer(config.adversary, betas=config.betas, team=self.team)
        _move(config.loss, self.device)
        self.clock = Clock(threads=torch.get_num_threads(), device=self.device.type)
        self._best: dict[str, Tensor] = {}
        self._window: Window = {}
        self._validation: list[Batch] = []
        resumes = self._state.exists()
        self.team.wait()  # no rank writes before all have checked
        if resumes:
            self._resume()
        else:
            (directory / "clock.csv").unlink(missing_ok=True)
            self.clock.bfloat16 = bool(self.team.broadcast(self._bfloat16_is_faster()))
        self._distributed = self.team.wrap(self.network)

    def _build(self) -> nn.Module:
        return NETWORKS[self.config.architecture](**self.config.network).to(self.device)

    @property
    def _state(self) -> Path:
        return self.directory / "state.safetensors"

    @property
    def share(self) -> float:
        """How much of the run is over, by its steps or its time, 0 or more; the last step may exceed 1."""
        config, clock = self.config, self.clock
        return clock.seconds / (60 * config.minutes) if config.steps is None else clock.step / config.steps

    def finished(self) -> bool:
        """Whether the time, the steps or the patience have run out."""
        patience = self.config.patience
        return self.share >= 1 or (patience is not None and self.clock.stale >= patience)

    def train(self, *, stop_after: int | None = None) -> float:
        """Trains to the end or for ``stop_after`` more steps; returns the last step's loss, NaN if there was none."""
        config, clock, team = self.config, self.clock, self.team
        log = self._open_log() if team.is_leader else None
        first, saved = clock.step, clock.seconds
        last = clock.step + stop_after if stop_after is not None else None
        figures = {"loss": float("nan")}
        mark = time.perf_counter()
        while not self.finished() and clock.step != last:
            batch = self._batch(clock.step)
            figures = self._step(batch)
            clock.step += 1
            clock.samples += batch.inputs[0].shape[0] * team.size
            if config.patience is not None and clock.step % config.validate_every == 0:
                figures["validation_loss"] = self._validate()
            now = time.perf_counter()
            seconds, mark = clock.seconds + now - mark, now
            clock.seconds = team.broadcast(log.clock(clock.step, seconds) if log else seconds)
            figures = team.mean(figures)
            if log:
                log.update(step=clock.step, seconds=clock.seconds, samples=clock.samples, **figures)
                if clock.step % config.picture_every == 0:
                    self._picture(batch, log)
            if clock.seconds - saved > config.save_every:
                self.save()
                saved = clock.seconds
        unvalidated = config.patience is not None and clock.step != first and clock.step % config.validate_every
        if unvalidated and self.finished():  # the last weights may be the best
            self._validate()
        self.save()
        if log:
            log.close()
            self._draw_curves()
        return figures["loss"]

    def _open_log(self) -> Progress:
        config, clock = self.config, self.clock
        if not self._state.exists():  # so that a run killed before its first save repeats its number format
            self._save_state()
        columns = ["adversarial_loss", "discriminator_loss"] if config.adversary else []
        columns += ["validation_loss"] if config.patience is not None else []
        return Progress(
            self.directory,
            total_seconds=60 * config.minutes,
            total_steps=config.steps,
            columns=columns,
            step=clock.step,
            seconds=clock.seconds,
            samples=clock.samples,
            window=self._window,
        )

    def _batch(self, step: int) -> Batch:
        """Makes a step's batch and seeds torch for the step, both only from the seed, the rank, the step and, for a
        `BatchSchedule`, the share, so that a resumed run sees the same."""
        make = self.config.make_batch
        if isinstance(make, BatchSchedule):
            make = make.at(self.share)
        seed = (self.config.seed, step, _TRAINING, self.team.rank)
        torch.manual_seed(int(np.random.SeedSequence(seed).generate_state(1)[0]))
        return make(np.random.default_rng(seed)).to(self.device)

    def _rate(self) -> float:
        config, step = self.config, self.clock.step
        cosine = 0.5 * (1 + np.cos(np.pi * min(1.0, self.share)))
        rate = config.final_learning_rate + (config.learning_rate - config.final_learning_rate) * cosine
        return float(rate * min(1.0, (step + 1) / max(1, config.warmup_steps)))

    def _forward(self, network: nn.Module, batch: Batch, *, bfloat16: bool) -> tuple[Tensor, Tensor]:
        with torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=bfloat16):
            restored = network(*batch.inputs)
        restored = restored.float()
        return restored, self.config.loss(restored, batch)

    def _step(self, batch: Any) -> dict[str, float]:
        config, clock, rate = self.config, self.clock, self._rate()
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.zero_grad(set_to_none=True)
        restored, loss = self._forward(self._distributed, batch, bfloat16=clock.bfloat16)
        figures = {"loss": float(loss.detach()), "module_error": config.error(restored.detach(), batch), "rate": rate}
        if self.discriminator and self.share >= self.discriminator.adversary.start_share:
            adversarial_loss, adversarial_figures = self.discriminator.step(
                batch.clean, restored, factor=rate / config.learning_rate, bfloat16=clock.bfloat16
            )
            loss = loss + adversarial_loss
            figures |= adversarial_figures
        loss.backward()
        norm = nn.utils.clip_grad_norm_(self.network.parameters(), config.gradient_norm)
        self.team.average_buffers(self.network)
        if float(norm) <= config.spike or (norm.isfinite() and clock.step < config.warmup_steps):
            self.optimizer.step()
            self._update_average()
        return figures | {"gradient_norm": float(norm)}

    @torch.no_grad()
    def _update_average(self) -> None:
        """Moves the averaged weights towards the current ones, faster in the first steps."""
        decay = min(self.config.ema_decay, (1 + self.clock.step) / (10 + self.clock.step))
        current = self.network.state_dict()
        for key, value in self.average.state_dict().items():
            if value.is_floating_point():
                value.lerp_(current[key], 1 - decay)
            else:
                value.copy_(current[key])

    @torch.no_grad()
    def _validate(self) -> float:
        """The averaged network's loss on batches that no step trains on; keeps its weights if it is the lowest."""
        config, clock = self.config, self.clock
        if not self._validation:
            for index in range(config.validation_batches):
                rng = np.random.default_rng((config.seed, index, _VALIDATION))
                self._validation.append(config.make_batch(rng).to(self.device))
        network = self.average.eval()
        losses = [float(self._forward(network, batch, bfloat16=False)[1]) for batch in self._validation]
        loss = self.team.broadcast(float(np.mean(losses)))
        clock.stale += 1
        if loss < clock.best:
            clock.best, clock.best_step, clock.stale = loss, clock.step, 0
            self._best = copy.deepcopy(network.state_dict())
        return loss

    def _bfloat16_is_faster(self) -> bool:
        """Times forward and backward passes in both number formats, without a step.

        Processors without bfloat16 units are slower in it, some by a minute per pass; one slow pass is enough then.
        """
        batch = self._batch(0)
        before = copy.deepcopy(self.network.state_dict())  # passes change the statistics of batch normalisation
        best, spent = {False: float("inf"), True: float("inf")}, {False: 0.0, True: 0.0}
        for repeat in range(4):  # the first pass warms up
            for bfloat16 in (False, True):
                started = time.perf_counter()
                self._forward(self.network, batch, bfloat16=bfloat16)[1].backward()
                if self.device.type == "cuda":
                    torch.cuda.synchronize()
                spent[bfloat16] = time.perf_counter() - started
                if repeat:
                    best[bfloat16] = min(best[bfloat16], spent[bfloat16])
            if spent[True] > max(_LONG_SECONDS, _MUCH_SLOWER * spent[False]):
                break
        self.optimizer.zero_grad(set_to_none=True)
        self.network.load_state_dict(before)
        return best[True] < 0.9 * best[False]

    @torch.inference_mode()
    def _picture(self, batch: Batch, log: Progress) -> None:
        picture = self.config.picture(self.average.eval()(*batch.inputs), batch)
        cv2.imwrite(str(self.directory / "samples" / f"{self.clock.step:07d}.png"), picture)
        log.picture(picture, step=self.clock.step)

    def _draw_curves(self) -> None:
        """Plots the log where matplotlib is installed, which training itself does not need."""
        rows = read_log(self.directory)
        if rows and importlib.util.find_spec("matplotlib"):
            curves, charts = map(importlib.import_module, ("training.run.curves", "training.measure.charts"))
            charts.save(curves.draw_curves({self.config.name: rows}), self.directory / "curves.png")

    def save(self) -> None:
        """Replaces the state to resume from and the checkpoint, each atomically; only the leader writes."""
        if self.team.is_leader:
            self._save_state()
            save(self.checkpoint(), self.directory / f"{self.config.name}{SUFFIX}")

    def _save_state(self) -> None:
        parts = {
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": optimizer_state(self.optimizer),
            "best": self._best,
            **(self.discriminator.parts() if self.discriminator else {}),
        }
        texts = {"window": json.dumps(self._window), "origin": json.dumps(self.origin)}
        write_state(self._state, parts, self.clock.header() | texts)

    def _resume(self) -> None:
        parts, header = read_state(self._state)
        self.network.load_state_dict(parts["network"])
        self.average.load_state_dict(parts["average"])
        restore_optimizer(self.optimizer, parts.get("optimizer", {}))
        self._best = {key: value.to(self.device) for key, value in parts.get("best", {}).items()}
        if self.discriminator:
            self.discriminator.restore(parts)
        self.clock.restore(header, batch_size=self.config.batch_size)
        self._window = {key: (total, count) for key, (total, count) in json.loads(header.get("window", "{}")).items()}
        if "origin" in header:
            self.origin = json.loads(header["origin"])
        else:  # states that earlier versions wrote have no origin; the checkpoint beside them does
            served = self.directory / f"{self.config.name}{SUFFIX}"
            known = load(served).provenance if served.exists() else {}
            self.origin = {key: known[key] for key in ("continues",) if key in known}

    def checkpoint(self) -> Checkpoint:
        """The averaged weights, or the best of them if the run has patience, with their provenance."""
        config, clock = self.config, self.clock
        served = self.average
        if self._best and config.patience is not None:
            served = self._build().requires_grad_(False)
            served.load_state_dict(self._best)
        return Checkpoint(
            name=config.name,
            architecture=config.architecture,
            network=served,
            config=config.network,
            provenance=provenance(
                config,
                clock,
                processes=self.team.size,
                origin=self.origin,
                discriminator=self.discriminator.network if self.discriminator else None,
            ),
        )


def _move(loss: Loss, device: torch.device) -> None:
    """Moves the networks inside a loss, if it has any, to the device."""
    if isinstance(loss, nn.Module):
        loss.to(device)
    elif isinstance(loss, WeightedSum):
        for _, _, term in loss.terms:
            _move(term, device)
