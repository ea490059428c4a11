"""What a recipe costs and what it gave, read from the recipe and from the weights that it made."""

from collections.abc import Callable
from pathlib import Path

import torch

from app.models.checkpoint import SUFFIX, Checkpoint, load
from app.models.registry import NETWORKS
from training.run.config import TrainConfig
from training.run.headers import decode_figures, in_all


def describe(name: str, recipe: Callable[[], TrainConfig], weights: Path) -> str:
    """The first line of the recipe's docstring, its cost, and the history and figures of ``weights``/NAME, if there.

    What was measured comes from the checkpoint's header, where the commands that measure put it.
    """
    config = recipe()
    with torch.device("meta"):  # shapes only
        network = NETWORKS[config.architecture](**config.network)
    parameters = sum(parameter.numel() for parameter in network.parameters())
    length = f"{config.minutes:g} minutes" if config.steps is None else f"{config.steps:,} steps"
    path = weights / f"{name}{SUFFIX}"
    lines = [
        f"{name:20s} {(recipe.__doc__ or '').splitlines()[0]}",
        f"cost: {length}, batches of {config.batch_size}, {parameters / 1e6:.2f} M parameters",
        _result(load(path)) if path.exists() else f"no weights in {weights}: nothing measured",
    ]
    return f"\n{'':21s}".join(lines)


def _result(made: Checkpoint) -> str:
    """One line, from the checkpoint's header alone; a run that continued others is told with them."""
    steps, minutes = (in_all(made.provenance, key) or 0 for key in ("steps", "training_minutes"))
    rates = [
        f"{name} {100 * figures['all']:.1f} ({'-'.join(f'{100 * end:.0f}' for end in figures['all_interval'])})"
        for name, figures in sorted(decode_figures(made.measured).items())
    ]
    told = f"decodes % (95 %): {', '.join(rates)}" if rates else "nothing measured"
    return f"trained: {steps:,.0f} steps in {minutes:.0f} minutes on {made.provenance['device']}; {told}"
