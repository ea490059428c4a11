"""Rewritten graphs answer as before, and what cannot be rewritten is left alone."""

from collections.abc import Callable

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime
import pytest
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper, numpy_helper

from training.release.rewriting import replace_shared_slopes, split_convolutions

Made = tuple[NodeProto, list[TensorProto]]


def convolution(name: str, given: str, before: int, after: int, *, group: int = 1) -> Made:
    """A 3x3 convolution with random weights, ``after`` channels, output ``name``."""
    rng = np.random.default_rng(len(name) + after)
    weight = rng.normal(size=(after, before // group, 3, 3)).astype(np.float32)
    tensors = [
        numpy_helper.from_array(weight, f"{name}.weight"),
        numpy_helper.from_array(rng.normal(size=after).astype(np.float32), f"{name}.bias"),
    ]
    node = helper.make_node(
        "Conv", [given, f"{name}.weight", f"{name}.bias"], [name], name=name, group=group, pads=[1, 1, 1, 1]
    )
    return node, tensors


def split(given: str, sizes: list[int], *, axis: int = 1, stated: bool = True) -> Made:
    """Outputs part0, part1, ..."""
    parts = [f"part{i}" for i in range(len(sizes))]
    if stated:
        tensor = numpy_helper.from_array(np.array(sizes, np.int64), "sizes")
        return helper.make_node("Split", [given, "sizes"], parts, axis=axis), [tensor]
    return helper.make_node("Split", [given], parts, axis=axis, num_outputs=len(sizes)), []


def model(*made: Made, outputs: list[str]) -> onnx.ModelProto:
    nodes, tensors = [node for node, _ in made], [tensor for _, some in made for tensor in some]
    shape = ["N", 2, "H", "W"]
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, [None] * 4) for name in outputs],
        tensors,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)


def parted(proto: onnx.ModelProto) -> tuple[int, onnx.ModelProto]:
    return rewritten(proto, split_convolutions)


def rewritten(proto: onnx.ModelProto, rewrite: Callable[[ir.Model], int]) -> tuple[int, onnx.ModelProto]:
    """How much was rewritten, and the graph after it."""
    representation = ir.from_proto(proto)
    done = rewrite(representation)
    after = ir.to_proto(representation)
    onnx.checker.check_model(after, full_check=True)
    return done, after


def answers(proto: onnx.ModelProto) -> list[NDArray[np.float32]]:
    session = onnxruntime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    given = np.random.default_rng(1).normal(size=(2, 2, 6, 7)).astype(np.float32)
    return [np.asarray(output) for output in session.run(None, {"image": given})]


def assert_equal_answers(before: onnx.ModelProto, after: onnx.ModelProto) -> None:
    for one, other in zip(answers(before), answers(after), strict=True):
        assert one.shape == other.shape
        assert np.allclose(one, other, atol=1e-5)


def operators(proto: onnx.ModelProto) -> list[str]:
    return [node.op_type for node in proto.graph.node]


PRODUCT = (helper.make_node("Mul", ["part0", "part1"], ["output"]), [])


@pytest.mark.parametrize("stated", [True, False])
def test_a_gate_is_fed_by_two_convolutions(stated: bool) -> None:
    expand, halves = convolution("expand", "image", 2, 8), split("expand", [4, 4], stated=stated)
    before = model(expand, halves, PRODUCT, outputs=["output"])
    gone, after = parted(before)
    assert gone == 1
    assert operators(after) == ["Conv", "Conv", "Mul"]
    assert {tuple(tensor.dims) for tensor in after.graph.initializer} == {(4, 2, 3, 3), (4,)}
    assert_equal_answers(before, after)


def test_a_depthwise_convolution_is_parted_with_the_one_before() -> None:
    before = model(
        convolution("expand", "image", 2, 6),
        convolution("depthwise", "expand", 6, 6, group=6),
        split("depthwise", [3, 3]),
        PRODUCT,
        outputs=["output"],
    )
    gone, after = parted(before)
    assert gone == 1
    assert sorted(operators(after)) == ["Conv"] * 4 + ["Mul"]
    assert_equal_answers(before, after)


@pytest.mark.parametrize(("sizes", "stated"), [([1, 5, 2], True), ([3, 3, 2], False)])
def test_parts_may_be_uneven(sizes: list[int], stated: bool) -> None:
    turned = (helper.make_node("Concat", ["part2", "part0", "part1"], ["output"], axis=1), [])
    before = model(
        convolution("expand", "image", 2, 8), split("expand", sizes, stated=stated), turned, outputs=["output"]
    )
    gone, after = parted(before)
    assert gone == 1
    assert operators(after) == ["Conv"] * 3 + ["Concat"]
    assert_equal_answers(before, after)


def test_what_else_needs_the_whole_output_keeps_it() -> None:
    whole = (helper.make_node("Relu", ["expand"], ["whole"]), [])
    expand, halves = convolution("expand", "image", 2, 8), split("expand", [4, 4])
    for before in (
        model(expand, halves, whole, PRODUCT, outputs=["output", "whole"]),
        model(expand, halves, PRODUCT, outputs=["output", "expand"]),
        model(expand, halves, PRODUCT, outputs=["output", "part1"]),
    ):
        gone, after = parted(before)
        assert gone == 0
        assert_equal_answers(before, after)


@pytest.mark.parametrize(
    "nodes",
    [
        pytest.param([split("image", [1, 1])], id="no convolution"),
        pytest.param([convolution("expand", "image", 2, 8), split("expand", [3, 3], axis=2)], id="another axis"),
        pytest.param([convolution("expand", "image", 2, 8, group=2), split("expand", [4, 4])], id="groups"),
        pytest.param([convolution("depth", "image", 2, 2, group=2), split("depth", [1, 1])], id="depthwise first"),
    ],
)
def test_what_cannot_be_parted_is_left_alone(nodes: list[Made]) -> None:
    before = model(*nodes, PRODUCT, outputs=["output"])
    gone, after = parted(before)
    assert gone == 0
    assert operators(after) == operators(before)


@pytest.mark.parametrize(("slopes", "kept"), [([0.25], 0), ([-1.5], 0), ([0.1, 0.9], 1)])
def test_one_slope_for_all_channels_becomes_a_constant(slopes: list[float], kept: int) -> None:
    tensor = numpy_helper.from_array(np.array(slopes, np.float32).reshape(1, -1, 1, 1), "slopes")
    prelu = (helper.make_node("PRelu", ["inner", "slopes"], ["output"]), [tensor])
    before = model(convolution("inner", "image", 2, 2), prelu, outputs=["output"])
    fixed, after = rewritten(before, replace_shared_slopes)
    assert fixed == 1 - kept
    assert operators(after) == ["Conv", "PRelu" if kept else "LeakyRelu"]
    assert [value.name for value in after.graph.output] == ["output"]
    assert_equal_answers(before, after)
