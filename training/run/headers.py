"""What checkpoints' headers say of runs and of what was measured."""

from collections.abc import Mapping
from typing import Any


def run_lengths(provenance: Mapping[str, Any]) -> tuple[float | None, int | None]:
    """Minutes and samples of a run with all those that it continued; None where one of them does not say."""
    minutes, samples = in_all(provenance, "training_minutes"), in_all(provenance, "samples")
    return minutes, None if samples is None else int(samples)


def in_all(provenance: Mapping[str, Any], key: str) -> float | None:
    """The sum of a figure over a run and all those that it continued; None where one of them does not say."""
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
