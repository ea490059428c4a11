"""Trains one network: python -m training RECIPE; --help lists the options, --list the recipes."""

import argparse
import dataclasses
import shutil
from pathlib import Path

import cv2
import torch

from app.models import checkpoint
from app.models.checkpoint import SUFFIX
from training.loop import Run
from training.recipes import RECIPES


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m training", description="Train one network; a killed run resumes.")
    parser.add_argument("recipe", nargs="?", choices=sorted(RECIPES))
    parser.add_argument("--list", action="store_true", help="print the recipes and leave")
    parser.add_argument("--out", type=Path, default=Path("runs"), help="where runs keep their state (default: runs)")
    parser.add_argument("--minutes", type=float, help="training time, instead of the recipe's")
    parser.add_argument("--threads", type=int, help="threads of torch (default: all cores)")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--start", type=Path, help="begin with this checkpoint's weights instead of random ones")
    parser.add_argument("--weights", type=Path, help="copy the finished checkpoint into this folder")
    arguments = parser.parse_args()
    if arguments.list or arguments.recipe is None:
        for name, make in RECIPES.items():
            print(f"{name:20s} {(make.__doc__ or '').splitlines()[0]} ({make().minutes:g} minutes)")
        return
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    cv2.setNumThreads(1)
    config = RECIPES[arguments.recipe]()
    if arguments.minutes:
        config = dataclasses.replace(config, minutes=arguments.minutes)
    directory = arguments.out / arguments.recipe
    start = checkpoint.load(arguments.start) if arguments.start else None
    Run(config, directory, device=arguments.device, start=start).train()
    if arguments.weights:
        shutil.copy2(directory / f"{config.name}{SUFFIX}", arguments.weights)


if __name__ == "__main__":
    main()
