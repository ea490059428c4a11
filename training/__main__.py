"""Trains one network: python -m training RECIPE. ``--list`` lists the recipes.

On photographs of one's own: python -m training finetune --data DIR, and python -m training evaluate --data DIR.

With several processes: python -m torch.distributed.run --standalone --nproc-per-node N -m training RECIPE.
"""

import argparse
import importlib
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import torch

from app.errors import InvalidCheckpoint
from app.models import checkpoint
from app.models.checkpoint import SUFFIX
from training.recipes.gopro import first_stage
from training.recipes.registry import RECIPES, find_recipe
from training.run.listing import describe
from training.run.loop import Run
from training.run.parallel import join_team
from training.run.state import starting_weights

_DESCRIPTION = "Train one network; a killed run resumes. Photographs: finetune --help, evaluate --help."
_COMMANDS = {"finetune": "training.finetune.command", "evaluate": "training.finetune.evaluating"}
"""What may stand in place of a recipe; imported when it does, since it needs the engines."""


def main(argv: Sequence[str] | None = None) -> None:
    words = sys.argv[1:] if argv is None else list(argv)
    if words and words[0] in _COMMANDS:
        importlib.import_module(_COMMANDS[words[0]]).main(words[1:])
        return
    parser = argparse.ArgumentParser(prog="python -m training", description=_DESCRIPTION)
    parser.add_argument("recipe", nargs="?", help="a name of --list, or MODULE:FUNCTION that returns a TrainConfig")
    parser.add_argument("--list", action="store_true", help="print the recipes, their cost and their results, and exit")
    parser.add_argument("--out", type=Path, default=Path("runs"), help="folder for the state of runs (default: runs)")
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--budget", type=float, metavar="MINUTES", help="fit the schedule of each stage to this time")
    length.add_argument("--steps", type=int, help="fit the schedule of each stage to this number of steps")
    parser.add_argument("--threads", type=int, help="threads of torch (default: all cores)")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu", help="default: %(default)s")
    parser.add_argument("--start", type=Path, metavar="FILE", help="start from this checkpoint's weights")
    parser.add_argument("--seed", type=int, help="replace the recipe's seed, as a run that continues another needs")
    parser.add_argument("--gopro", type=Path, metavar="DIR", help="first train on the GoPro frames in this folder")
    parser.add_argument("--vgg19", type=Path, metavar="FILE", help="torchvision's VGG19, for perceptual losses")
    parser.add_argument(
        "--weights", type=Path, metavar="DIR", help="also write the finished checkpoint, in 16 bits, into this folder"
    )
    arguments = parser.parse_args(words)
    if arguments.list or arguments.recipe is None:
        print(*(describe(name, make, arguments.weights or Path("weights")) for name, make in RECIPES.items()), sep="\n")
        return
    if any(length is not None and length <= 0 for length in (arguments.budget, arguments.steps)):
        parser.error("--budget and --steps must be more than 0")
    limits = {"minutes": arguments.budget, "steps": arguments.steps}
    try:
        config = find_recipe(arguments.recipe, vgg19=arguments.vgg19).with_length(**limits)
        if arguments.seed is not None:
            config = replace(config, seed=arguments.seed)
        start = starting_weights(arguments.start, config) if arguments.start else None
        before = first_stage(config, gopro=arguments.gopro, has_weights=start is not None, **limits)
    except (ValueError, ImportError, AttributeError, InvalidCheckpoint) as error:
        parser.error(str(error))
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    cv2.setNumThreads(1)
    directory = arguments.out / config.name
    with join_team(arguments.device) as team:
        if before is not None:
            Run(before, arguments.out / before.name, start=start, team=team).train()
            team.wait()  # the leader writes the checkpoint that all ranks start from
            start = checkpoint.load(arguments.out / before.name / f"{before.name}{SUFFIX}")
        Run(config, directory, start=start, team=team).train()
    if team.is_leader:
        written = directory / f"{config.name}{SUFFIX}"
        print(f"wrote {written}")
        if arguments.weights:
            checkpoint.save(checkpoint.load(written), arguments.weights / written.name, half=True)
            print(f"wrote {arguments.weights / written.name}")


if __name__ == "__main__":
    main()
