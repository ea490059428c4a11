"""Describes recipes for ``python -m training --list``: their cost, and the results of the weights that they made."""

from collections.abc import Callable, Mapping
from pathlib import Path

from app.models.checkpoint import SUFFIX, Checkpoint, load
from training.run.config import TrainConfig
from training.run.provenance import recorded_decode_rates, total_over_runs


def describe(name: str, recipe: Callable[[], TrainConfig], weights: Path) -> str:
    """Lists a recipe: the first line of its docstring, its cost, and the result of ``weights``/NAME if that file
    exists.

    Results come from the checkpoint's header, where the measuring commands record them. Raises InvalidCheckpoint.
    """
    config = recipe()
    parameters = sum(parameter.numel() for parameter in config.network_without_weights().parameters())
    length = f"{config.minutes:g} minutes" if config.steps is None else f"{config.steps:,} steps"
    path = weights / f"{name}{SUFFIX}"
    lines = [
        f"{name:20s} {(recipe.__doc__ or '').splitlines()[0]}",
        f"cost: {length}, batches of {config.batch_size}, {parameters / 1e6:.2f} M parameters",
        _result(load(path)) if path.exists() else f"no weights in {weights}, so no results",
    ]
    return f"\n{'':21s}".join(lines)


def _result(model: Checkpoint) -> str:
    """Training and decode rates in one line; a run that continued others counts with them, for weights mixed
    from two runs only the second counts."""
    mixed = model.provenance.get("second")
    run = mixed if isinstance(mixed, Mapping) else model.provenance
    steps, minutes = (total_over_runs(run, key) or 0 for key in ("steps", "training_minutes"))
    rates = [
        f"{name} {100 * figures['all']:.1f} ({'-'.join(f'{100 * end:.0f}' for end in figures['all_interval'])})"
        for name, figures in sorted(recorded_decode_rates(model.measured).items())
    ]
    measured = f"decode rates in % (95 % interval): {', '.join(rates)}" if rates else "no decode rates measured"
    return f"trained: {steps:,.0f} steps in {minutes:.0f} minutes on {run['device']}; {measured}"
