"""Turns exported networks into 8-bit ones: static post-training quantisation, calibrated on training samples."""

import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

from training.recipes.registry import RECIPES

BATCHES = 12
"""Batches of a recipe that a network is calibrated on."""
_SEED = 8_209  # no recipe's, so that these are samples that no training saw


def recipe_inputs(recipe: str) -> Iterator[tuple[NDArray[np.float32], ...]]:
    """The inputs of batches as a recipe makes them, without end, the same ones each time. Raises KeyError."""
    make_batch, rng = RECIPES[recipe]().make_batch, np.random.default_rng(_SEED)
    while True:
        yield tuple(part.numpy() for part in make_batch(rng).inputs)


def quantised(
    model: onnx.ModelProto, samples: Iterable[tuple[NDArray[np.float32], ...]], *, last: int = 1
) -> onnx.ModelProto:
    """The network with 8-bit convolutions but for the first and the ``last`` ones, which decide most of the error.

    Weights are signed with a scale for each output channel; activations are unsigned with a scale each, from the least
    to the greatest value that ``samples`` (arrays of the inputs, in order) bring about.
    """
    with tempfile.TemporaryDirectory() as folder:
        given, prepared, made = (Path(folder) / name for name in ("given.onnx", "prepared.onnx", "made.onnx"))
        onnx.save(model, given)
        quant_pre_process(given, prepared, skip_symbolic_shape=True)
        convolutions = [node.name for node in onnx.load(prepared).graph.node if node.op_type == "Conv"]
        quantize_static(
            prepared,
            made,
            _Samples([value.name for value in model.graph.input], samples),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=["Conv"],
            nodes_to_exclude=[convolutions[0], *convolutions[-last:]],
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
        )
        return onnx.load(made)


class _Samples(CalibrationDataReader):  # type: ignore[misc]  # the package has no annotations
    """What the calibration asks for its inputs, one dictionary after the other."""

    def __init__(self, names: list[str], samples: Iterable[tuple[NDArray[np.float32], ...]]) -> None:
        self._left = (dict(zip(names, sample, strict=True)) for sample in samples)

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:
        return next(self._left, None)
