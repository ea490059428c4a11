"""Reads figures of runs and measurements from checkpoints' headers."""

from collections.abc import Mapping
from typing import Any


def run_lengths(provenance: Mapping[str, Any]) -> tuple[float | None, int | None]:
    """Minutes and samples of a run and of all runs that it continued; None for what one of them did not record."""
    minutes, samples = total_over_runs(provenance, "training_minutes"), total_over_runs(provenance, "samples")
    return minutes, None if samples is None else int(samples)


def total_over_runs(provenance: Mapping[str, Any], key: str) -> float | None:
    """The sum of a figure over a run and all runs that it continued; None if one of them did not record it."""
    total = 0.0
    run: Any = provenance
    while isinstance(run, Mapping):
        if not isinstance(run.get(key), int | float):
            return None
        total, run = total + run[key], run.get("continues")
    return total


def decode_figures(measured: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Figures by set, as `training.compare.evaluate` and `training.compare` record them.

    Leaves out sets without a picture that the network is for.
    """
    decode = measured.get("decode")
    if not isinstance(decode, Mapping):
        return {}
    return {name: figures for name, figures in decode.items() if figures.get("tried") != 0}
