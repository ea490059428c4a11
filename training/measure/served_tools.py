"""The served ladder for measuring commands: options that choose its networks, and the tools built from them."""

import argparse
from pathlib import Path
from typing import Final

import cv2
import torch

from app.pipeline.inference.loading import Threads, load_networks
from app.pipeline.inference.networks import Networks
from app.pipeline.inference.runners import Backend
from app.pipeline.tools import Tools

MAX_CODES: Final = 256
"""The most codes that a measured ladder answers: more than any measured picture shows."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Adds the options that choose the served tools: folder, networks and threads."""
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
    """Sets the threads and builds the tools that the options choose, on the engine that serves, warmed up.

    Raises InvalidCheckpoint.
    """
    set_threads(options.threads)
    threads = Threads(options.threads)
    return build_tools(load_networks(options.weights, "auto", backend=Backend.AUTO, threads=threads), options)


def set_threads(threads: int) -> None:
    """Sets the threads with which the served tools run, of torch and OpenCV, in this process."""
    torch.set_num_threads(threads)
    cv2.setNumThreads(threads)


def build_tools(networks: Networks, options: argparse.Namespace) -> Tools:
    """The served tools, with the networks in the roles that the options give them. Raises UnknownNetwork."""
    return Tools.standard(
        networks,
        light=options.light,
        heavy=options.heavy,
        upscaler=options.upscaler,
        reader=options.reader,
        locator=options.locator,
    )
