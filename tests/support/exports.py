"""ONNX files that pass for exports of checkpoints, with graphs of a few operators whose answers are known."""

from collections.abc import Mapping
from pathlib import Path

import onnx.parser
import torch

from app.models.checkpoint import Checkpoint, load, save
from app.models.registry import NETWORKS
from tests.support.networks import TINY
from training.release.metadata import set_metadata

_HEADER = '<ir_version: 10, opset_import: ["": 20]>'
NEGATIVE = """net (float[N, 1, H, W] image) => (float[N, 1, H, W] output) {
    one = Constant <value_float = 1.0> ()
    output = Sub (one, image)
}"""
WHITE = NEGATIVE.replace("Sub", "Max")
FOURFOLD = """net (float[N, 1, H, W] image) => (float[N, 1, h, w] output) {
    scales = Constant <value_floats = [1.0, 1.0, 4.0, 4.0]> ()
    output = Resize <mode = "nearest"> (image, , scales)
}"""
VALUES = """net (float[N, 1, S, S] crop, float[N, 4, M, M] planes) => (float[N, 1, M, M] output) {
    start = Constant <value_ints = [1]> ()
    end = Constant <value_ints = [2]> ()
    output = Slice (planes, start, end, start)
}"""
MEANS = """net (float[N, 1, H, W] window) => (float[N, 10, h, w] output) {
    pooled = AveragePool <kernel_shape = [8, 8], strides = [8, 8]> (window)
    ones = Constant <value = float[1, 10, 1, 1] {1, 1, 1, 1, 1, 1, 1, 1, 1, 1}> ()
    output = Mul (pooled, ones)
}"""
GRAPHS = {"LENet": NEGATIVE, "SRResNet": FOURFOLD, "ModuleReader": VALUES, "QuadLocator": MEANS}
"""Architecture -> its graph: the negative, a fourfold enlargement, the planes of the standard, the window's means."""


def save_tiny(
    folder: Path, name: str, architecture: str = "LENet", *, seed: int = 0, more: Mapping[str, object] | None = None
) -> Checkpoint:
    """Saves a checkpoint of a tiny random network in a folder and loads it again."""
    torch.manual_seed(seed)
    config = {**TINY[architecture], **(more or {})}
    path = folder / f"{name}.safetensors"
    save(Checkpoint(name, architecture, NETWORKS[architecture](**config), config, {"recipe": "none"}), path)
    return load(path)


def write_export(folder: Path, card: Checkpoint, *, suffix: str = ".onnx", graph: str | None = None) -> Path:
    """Writes ``graph``, or the one of the architecture, beside the checkpoint, with what an export states."""
    model = onnx.parser.parse_model(_HEADER + (graph or GRAPHS[card.architecture]))
    set_metadata(model, card, {})
    path = folder / f"{card.name}{suffix}"
    onnx.save(model, path)
    return path
