"""Converts exported networks to 8 bits: static post-training quantisation, calibrated on training samples."""

import tempfile
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

from app.models.checkpoint import Checkpoint, fingerprint
from app.pipeline.inference.exported import INT8_SUFFIX, SUFFIX
from app.pipeline.inference.onnx import OnnxRunner
from app.pipeline.inference.torch_runner import TorchRunner
from training.recipes.registry import RECIPES
from training.release.metadata import OPSET, set_metadata

LIGHT = {"lenet": 1, "srresnet-x4": 1, "module-reader": 1, "quad-locator": 9}
"""The fast networks, of which ``--int8`` makes 8-bit forms, and the number of last convolutions that keep full
precision. For the locator this is its whole decoder, without which corners are inaccurate."""
BATCHES = 12
"""Number of batches of a recipe that calibrate a network."""
_SEED = 8_209  # of no recipe, so no training used these samples


def calibration_inputs(recipe: str) -> Iterator[tuple[NDArray[np.float32], ...]]:
    """Inputs that calibrate quantisation: those of a recipe's batches, without end and the same each time. Raises
    KeyError for an unknown recipe."""
    make_batch, rng = RECIPES[recipe]().make_batch, np.random.default_rng(_SEED)
    while True:
        yield tuple(part.numpy() for part in make_batch(rng).inputs)


def quantise(
    model: onnx.ModelProto, samples: Iterable[tuple[NDArray[np.float32], ...]], *, last: int = 1
) -> onnx.ModelProto:
    """Converts all convolutions to 8 bits, except the first and the ``last`` ones, which cause most of the error.

    Weights are signed, with one scale per output channel. Activations are unsigned, each with one scale for the range
    of its values over ``samples``, tuples of the network's inputs.
    """
    with tempfile.TemporaryDirectory() as folder:
        original, prepared, quantised = (
            Path(folder) / f"{name}.onnx" for name in ("original", "prepared", "quantised")
        )
        onnx.save(model, original)
        quant_pre_process(original, prepared, skip_symbolic_shape=True)
        convolutions = [node.name for node in onnx.load(prepared).graph.node if node.op_type == "Conv"]
        quantize_static(
            prepared,
            quantised,
            _Samples([value.name for value in model.graph.input], samples),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=["Conv"],
            nodes_to_exclude=[convolutions[0], *convolutions[-last:]],
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
        )
        return onnx.load(quantised)


class _Samples(CalibrationDataReader):  # type: ignore[misc]  # the package has no annotations
    """Feeds samples to the calibration, one dictionary of inputs at a time."""

    def __init__(self, names: list[str], samples: Iterable[tuple[NDArray[np.float32], ...]]) -> None:
        self._left = (dict(zip(names, sample, strict=True)) for sample in samples)

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:
        return next(self._left, None)


def export_int8(model: Checkpoint, folder: Path) -> float:
    """Writes NAME.int8.onnx from NAME.onnx atomically, calibrated on samples of the recipe NAME.

    Returns the root mean square difference from torch on further samples, as a share of the standard deviation of
    torch's output. Raises KeyError for a network that is not in ``LIGHT``.
    """
    path = folder / f"{model.name}{INT8_SUFFIX}"
    partial = path.with_suffix(".partial")
    samples = calibration_inputs(model.name)
    graph = quantise(onnx.load(folder / f"{model.name}{SUFFIX}"), islice(samples, BATCHES), last=LIGHT[model.name])
    method = f"int8, static, minimum and maximum over {BATCHES} batches of the recipe {model.name}"
    set_metadata(graph, model, {"exporter": f"torch {torch.__version__}, opset {OPSET}", "quantisation": method})
    onnx.save(graph, partial)
    inputs = next(samples)
    expected = TorchRunner(model.network)(*inputs)
    difference = OnnxRunner(partial, model.name, fingerprint=fingerprint(model))(*inputs) - expected
    partial.replace(path)
    return float(np.sqrt(np.mean(difference**2)) / expected.std())
