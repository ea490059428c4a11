"""The served ladder for commands that measure: the options that choose its networks, and the tools made from them."""

import argparse
from pathlib import Path

import cv2
import torch

from app.pipeline.inference.loading import load_networks
from app.pipeline.inference.networks import Networks
from app.pipeline.inference.torch_runner import pick_device
from app.pipeline.tools import Tools


def add_options(parser: argparse.ArgumentParser) -> None:
    """Options shared by every command that measures."""
    parser.add_argument(
        "--weights", type=Path, default=Path("weights"), help="folder of checkpoints (default: weights)"
    )
    parser.add_argument("--light", default="lenet", help="light network (default: lenet)")
    parser.add_argument("--heavy", default="eg-restormer-small", help="heavy network (default: eg-restormer-small)")
    parser.add_argument("--upscaler", default="srresnet-x4", help="upscaler (default: srresnet-x4)")
    parser.add_argument("--reader", default="module-reader", help="module reader (default: module-reader)")
    parser.add_argument("--locator", default="quad-locator", help="quad locator (default: quad-locator)")
    parser.add_argument("--threads", type=int, default=1, help="threads of torch and OpenCV (default: 1)")


def load_tools(options: argparse.Namespace) -> Tools:
    """The ladder's tools with the chosen networks loaded and warm. Raises InvalidCheckpoint."""
    torch.set_num_threads(options.threads)
    cv2.setNumThreads(options.threads)
    return chosen_tools(load_networks(options.weights, pick_device("auto")), options)


def chosen_tools(networks: Networks, options: argparse.Namespace) -> Tools:
    """Tools of these networks, each in the role that the options give it."""
    return Tools.standard(
        networks,
        light=options.light,
        heavy=options.heavy,
        upscaler=options.upscaler,
        reader=options.reader,
        locator=options.locator,
    )
