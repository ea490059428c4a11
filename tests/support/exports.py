"""Files that claim to be exported from checkpoints, of a few operators that answer what no torch network would."""

from collections.abc import Mapping
from pathlib import Path

import onnx.parser
import torch
from onnx.helper import set_model_props

from app.models.checkpoint import Checkpoint, fingerprint, load, save
from app.models.registry import NETWORKS
from app.pipeline.inference.onnx import FINGERPRINT_KEY
from tests.support.networks import TINY

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
"""By architecture: the negative; every pixel four times; what the standard says of each module; the window's means."""


def made(
    folder: Path, name: str, architecture: str = "LENet", *, seed: int = 0, more: Mapping[str, object] | None = None
) -> Checkpoint:
    """A checkpoint of a tiny network as it lies in a folder."""
    torch.manual_seed(seed)
    config = {**TINY[architecture], **(more or {})}
    path = folder / f"{name}.safetensors"
    save(Checkpoint(name, architecture, NETWORKS[architecture](**config), config, {"recipe": "none"}), path)
    return load(path)


def exported(folder: Path, card: Checkpoint, *, suffix: str = ".onnx", graph: str | None = None) -> Path:
    """A file beside the checkpoint, with ``graph`` or that of its architecture, and the checkpoint's fingerprint."""
    model = onnx.parser.parse_model(_HEADER + (graph or GRAPHS[card.architecture]))
    set_model_props(model, {FINGERPRINT_KEY: fingerprint(card)})
    path = folder / f"{card.name}{suffix}"
    onnx.save(model, path)
    return path
