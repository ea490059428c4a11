"""Has exported graphs refer to the weights in a checkpoint's own file, so that weights have one source."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, numpy_helper

from app.models.header import data_start
from app.pipeline.inference.exported import START_KEY

_FEWEST_VALUES = 16  # smaller tensors stay in the graph: the reference would be longer
_STORED = ".stored"


def refer_to_weights(graph: onnx.ModelProto, weights: Path) -> None:
    """Replaces a graph's tensors by references to equal values in a file of weights beside it; 16-bit ones are cast.

    A rewritten graph may hold parts of a tensor, so each is looked for by its bytes. Those that are not found stay.
    """
    content, start = weights.read_bytes(), data_start(weights)
    casts = []
    for tensor in list(graph.graph.initializer):
        if tensor.data_type != TensorProto.FLOAT:
            continue
        values = numpy_helper.to_array(tensor)
        for stored in _forms(values):
            at = _find(content, stored, start)
            if at >= 0:
                casts += _replace(graph, tensor, stored, weights.name, at)
                break
    nodes = [*casts, *graph.graph.node]
    del graph.graph.node[:]
    graph.graph.node.extend(nodes)
    onnx.helper.set_model_props(graph, {**_properties(graph), START_KEY: str(start)})


def follow_weights(graph: onnx.ModelProto, weights: Path) -> None:
    """Moves a graph's references to where the tensors of a file of weights begin now, after its header has changed.

    Raises KeyError for a graph that was never made to refer to one.
    """
    stated, start = _properties(graph), data_start(weights)
    moved = start - int(stated[START_KEY])
    for tensor in graph.graph.initializer:
        for entry in tensor.external_data:
            if entry.key == "offset":
                entry.value = str(int(entry.value) + moved)
    onnx.helper.set_model_props(graph, {**stated, START_KEY: str(start)})


def _properties(graph: onnx.ModelProto) -> dict[str, str]:
    return {entry.key: entry.value for entry in graph.metadata_props}


def _forms(values: NDArray[np.float32]) -> Iterator[NDArray[np.generic]]:
    """How a file of weights may hold these values exactly."""
    if values.size < _FEWEST_VALUES:
        return
    with np.errstate(over="ignore"):
        half = values.astype(np.float16)
    if np.array_equal(half.astype(np.float32), values):
        yield half
    yield values


def _find(content: bytes, values: NDArray[np.generic], start: int) -> int:
    """Where these values lie in a file's tensors, aligned as they need to be; -1 if nowhere."""
    wanted = values.tobytes()
    at = content.find(wanted, start)
    while at >= 0 and (at - start) % values.itemsize:
        at = content.find(wanted, at + 1)
    return at


def _replace(
    graph: onnx.ModelProto, tensor: TensorProto, stored: NDArray[np.generic], location: str, at: int
) -> list[onnx.NodeProto]:
    """Puts a reference in a tensor's place. Returns the node that casts it, if one must."""
    short = stored.dtype == np.float16
    reference = TensorProto(
        name=tensor.name + (_STORED if short else ""),
        data_type=TensorProto.FLOAT16 if short else TensorProto.FLOAT,
        dims=tensor.dims,
        data_location=TensorProto.EXTERNAL,
    )
    for key, value in {"location": location, "offset": at, "length": stored.nbytes}.items():
        entry = reference.external_data.add()
        entry.key, entry.value = key, str(value)
    graph.graph.initializer.remove(tensor)
    graph.graph.initializer.append(reference)
    return [onnx.helper.make_node("Cast", [reference.name], [tensor.name], to=TensorProto.FLOAT)] if short else []
