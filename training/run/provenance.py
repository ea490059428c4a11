"""Describes the run that made a checkpoint, for the checkpoint's header."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from training.objectives.adversarial import Adversary
from training.objectives.losses import loss_name
from training.run.config import TrainConfig
from training.run.progress import Clock


def provenance(
    config: TrainConfig,
    clock: Clock,
    *,
    processes: int,
    origin: Mapping[str, object],
    discriminator: nn.Module | None = None,
) -> dict[str, object]:
    """The provenance of a checkpoint, JSON-ready.

    ``origin``: entries about the weights that the run started from, empty for random ones. ``discriminator``: the
    network of the run's adversary.
    """
    planned = {"planned_minutes": config.minutes} if config.steps is None else {"planned_steps": config.steps}
    description: dict[str, object] = {
        "recipe": config.name,
        "seed": config.seed,
        "steps": clock.step,
        "samples": clock.samples,
        "training_minutes": round(clock.seconds / 60, 1),
        **planned,
        "device": clock.device,
        "threads": clock.threads,
        "processes": processes,
        "bfloat16": clock.bfloat16,
        "torch": torch.__version__,
        "loss": loss_name(config.loss),
        "optimizer": f"AdamW lr {config.learning_rate:g} betas {config.betas} decay {config.weight_decay:g}",
        "data": config.data,
        **origin,
    }
    if config.adversary is not None:
        description["adversary"] = {"discriminator": type(discriminator).__name__, **_adversary(config.adversary)}
    if config.patience is not None and clock.best_step:
        description["validation"] = {
            "loss": clock.best,
            "step": clock.best_step,
            "batches": config.validation_batches,
            "stopped_early": clock.stale >= config.patience,
        }
    return description


def _adversary(adversary: Adversary) -> dict[str, object]:
    return {
        "losses": getattr(adversary.losses, "__name__", type(adversary.losses).__name__),
        "weight": adversary.weight,
        "learning_rate": adversary.learning_rate,
        "after_share": adversary.start_share,
    }


def run_lengths(provenance: Mapping[str, Any]) -> tuple[float | None, int | None]:
    """Minutes and samples, from the provenance, of a run and of all runs that it continued; None for what one of them
    did not record."""
    minutes, samples = total_over_runs(provenance, "training_minutes"), total_over_runs(provenance, "samples")
    return minutes, None if samples is None else int(samples)


def total_over_runs(provenance: Mapping[str, Any], key: str) -> float | None:
    """The sum of a figure of the provenance over a run and all runs that it continued; None if one of them did not
    record it."""
    total = 0.0
    run: Any = provenance
    while isinstance(run, Mapping):
        if not isinstance(run.get(key), int | float):
            return None
        total, run = total + run[key], run.get("continues")
    return total


def recorded_decode_rates(measured: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Decode rates by set that a checkpoint's header records beside its provenance.

    Leaves out sets without a picture that the network is for.
    """
    decode = measured.get("decode")
    if not isinstance(decode, Mapping):
        return {}
    return {name: figures for name, figures in decode.items() if figures.get("tried") != 0}
