"""Converts exported networks to 8 bits: static post-training quantisation, calibrated on training samples."""

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
"""Number of batches of a recipe that calibrate a network."""
_SEED = 8_209  # of no recipe, so no training used these samples


def recipe_inputs(recipe: str) -> Iterator[tuple[NDArray[np.float32], ...]]:
    """The inputs of a recipe's batches, without end and the same each time. Raises KeyError for an unknown recipe."""
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
