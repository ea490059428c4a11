"""A tiny module reader from checkpoint to ONNX files and into service, and exports that are refused."""

import json
from itertools import islice
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import pytest
import torch

from app.errors import InvalidCheckpoint
from app.models.checkpoint import Checkpoint, add_measured, fingerprint, load, load_checkpoints, save
from app.models.registry import NETWORKS
from app.pipeline.inference.exported import FINGERPRINT_KEY
from app.pipeline.inference.loading import load_networks
from app.pipeline.inference.onnx import OnnxRunner
from app.pipeline.inference.runners import Backend
from app.pipeline.inference.torch_runner import TorchRunner
from app.pipeline.qrcode.patterns import render
from tests.support.exports import NEGATIVE, save_tiny, write_export
from tests.support.networks import RESTORERS
from training.data.symbols import random_symbol
from training.release import export
from training.release import quantise as quantising
from training.release.export import ExportMismatchError, largest_difference, main, random_inputs
from training.release.quantise import calibration_inputs, quantise

pytestmark = pytest.mark.slow

NAME = "module-reader"
ENLARGERS = [name for name in sorted(RESTORERS) if NETWORKS[name].scale > 1]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the command makes of a checkpoint, with one batch of calibration."""
    folder = tmp_path_factory.mktemp("exports")
    save_tiny(folder, NAME, "ModuleReader")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(quantising, "BATCHES", 1)
        main(["all", "--weights", str(folder), "--out", str(folder), "--int8"])
    return folder


@pytest.fixture(scope="module")
def card(folder: Path) -> Checkpoint:
    return load_checkpoints(folder)[NAME]


def test_the_command_leaves_both_files_and_nothing_else(folder: Path) -> None:
    assert sorted(path.name.removeprefix(NAME) for path in folder.iterdir()) == [
        ".int8.onnx",
        ".onnx",
        ".safetensors",
    ]


@pytest.mark.parametrize(("count", "modules"), [(1, (7, 7)), (1, (1, 3)), (4, (12, 29))])
def test_the_file_answers_as_torch_does_whatever_the_size(
    count: int, modules: tuple[int, int], folder: Path, card: Checkpoint
) -> None:
    height, width = (4 * side for side in modules)
    inputs = random_inputs(card.network, np.random.default_rng(9), count=count, height=height, width=width)
    expected, answer = (
        TorchRunner(card.network)(*inputs),
        OnnxRunner(folder / f"{NAME}.onnx", NAME, fingerprint=fingerprint(card))(*inputs),
    )
    assert answer.shape == (count, 1, *modules)
    assert np.allclose(answer, expected, atol=1e-5 * np.abs(expected).max())


def test_the_graph_is_rewritten_and_in_the_stated_opset(folder: Path) -> None:
    model = onnx.load(folder / f"{NAME}.onnx")
    operators = [node.op_type for node in model.graph.node]
    assert "Conv" in operators
    assert "Split" not in operators
    assert [(opset.domain, opset.version) for opset in model.opset_import] == [("", export.OPSET)]
    assert [given.name for given in model.graph.input] == ["crop", "planes"]


@pytest.mark.parametrize("suffix", [".onnx", ".int8.onnx"])
def test_metadata_say_where_the_weights_come_from(suffix: str, folder: Path, card: Checkpoint) -> None:
    properties = {entry.key: entry.value for entry in onnx.load(folder / f"{NAME}{suffix}").metadata_props}
    assert properties["name"] == NAME
    assert properties["architecture"] == "ModuleReader"
    assert json.loads(properties["config"]) == dict(card.config)
    assert json.loads(properties["provenance"]) == {"recipe": "none"}
    assert properties[FINGERPRINT_KEY] == fingerprint(card)
    assert properties["exporter"].startswith("torch ")
    assert ("quantisation" in properties) == (suffix == ".int8.onnx")


def test_eight_bits_are_within_the_network_and_change_little(folder: Path, card: Checkpoint) -> None:
    model = onnx.load(folder / f"{NAME}.int8.onnx")
    assert {"QuantizeLinear", "DequantizeLinear"} <= {node.op_type for node in model.graph.node}
    stored = [tensor for tensor in model.graph.initializer if len(tensor.dims) == 4]
    assert {onnx.TensorProto.FLOAT, onnx.TensorProto.INT8} == {tensor.data_type for tensor in stored}
    assert sum(tensor.data_type == onnx.TensorProto.FLOAT for tensor in stored) == 2  # first and last
    inputs = next(islice(calibration_inputs(NAME), 1, None))  # the first calibrated it
    expected, answer = (
        TorchRunner(card.network)(*inputs),
        OnnxRunner(folder / f"{NAME}.int8.onnx", NAME, fingerprint=fingerprint(card))(*inputs),
    )
    assert 0 < np.abs(answer - expected).max() < 0.2 * np.abs(expected).max()


def test_exports_are_served(folder: Path) -> None:
    crop = render(random_symbol(np.random.default_rng(1), 2), pixels=4)
    read = {
        backend: load_networks(folder, "cpu", backend=backend).reader(NAME).read([crop], 2)[0] for backend in Backend
    }
    largest = np.abs(read[Backend.TORCH]).max()
    for backend in (Backend.AUTO, Backend.OPENVINO, Backend.ONNX):  # torch and OpenVINO may calculate in 16 bits
        assert np.abs(read[backend] - read[Backend.TORCH]).max() < 0.05 * largest
    assert np.abs(read[Backend.ONNX_INT8] - read[Backend.TORCH]).max() < 0.3 * largest
    assert not np.array_equal(read[Backend.ONNX], read[Backend.ONNX_INT8])


# --- one source of weights ------------------------------------------------------------------------------------------


def test_the_graph_refers_to_the_weights_beside_it(folder: Path, card: Checkpoint) -> None:
    graph = onnx.load(folder / f"{NAME}.onnx", load_external_data=False).graph
    references = [{entry.key: entry.value for entry in tensor.external_data} for tensor in graph.initializer]
    assert {reference["location"] for reference in references if reference} == {f"{NAME}.safetensors"}
    referred = sum(int(reference["length"]) for reference in references if reference)
    assert 4 * card.parameters - referred < 16 * 4 * len(list(card.network.parameters()))  # only short ones are in it
    assert not any(node.metadata_props or node.doc_string for node in graph.node)


@pytest.mark.parametrize("half", [True, False])
def test_references_are_right_whatever_the_width_of_the_weights(half: bool, tmp_path: Path) -> None:
    save(save_tiny(tmp_path, "any", "SRGANGenerator"), path := tmp_path / "any.safetensors", half=half)
    model = load(path)
    assert export.export(model, tmp_path) <= export.TOLERANCE
    graph = onnx.load(tmp_path / "any.onnx", load_external_data=False).graph
    widths = {tensor.data_type for tensor in graph.initializer if tensor.external_data}
    assert widths == {onnx.TensorProto.FLOAT16 if half else onnx.TensorProto.FLOAT}
    assert "BatchNormalization" in {node.op_type for node in graph.node}  # merged, its weights would be others


def test_an_export_follows_a_header_that_has_grown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(save_tiny(tmp_path, "any"), path := tmp_path / "any.safetensors", half=True)
    assert "differs from torch" in export.renew(load(path), tmp_path)
    exported = (tmp_path / "any.onnx").read_bytes()
    monkeypatch.setattr(export, "export", lambda *_: pytest.fail("the weights are still the same"))
    assert export.renew(load(path), tmp_path) == ""
    assert (tmp_path / "any.onnx").read_bytes() == exported
    save(add_measured(load(path), {"decode": "x" * 99}), path, half=True)
    with pytest.raises(InvalidCheckpoint, match="not where it looks"):
        load_networks(tmp_path, "cpu", backend=Backend.ONNX)
    assert export.renew(load(path), tmp_path) == "follows the header of its weights"
    run = OnnxRunner(tmp_path / "any.onnx", "any", fingerprint=fingerprint(load(path)))
    assert largest_difference(load(path), run) <= export.TOLERANCE
    assert sorted(file.name for file in tmp_path.iterdir()) == ["any.onnx", "any.safetensors"]


def test_an_export_elsewhere_gets_its_weights(tmp_path: Path) -> None:
    save_tiny(tmp_path, "any")
    main(["any", "--weights", str(tmp_path), "--out", str(tmp_path / "out")])
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == ["any.onnx", "any.safetensors"]
    main(["all", "--outdated", "--weights", str(tmp_path / "out"), "--out", str(tmp_path / "out")])
    assert load_networks(tmp_path / "out", "cpu", backend=Backend.OPENVINO).restorers["any"].scale == 1


# --- what the checks are made of ------------------------------------------------------------------------------------


def test_calibration_sees_the_same_samples_each_time() -> None:
    first, second = islice(calibration_inputs("srresnet-x4"), 2)
    (again,) = islice(calibration_inputs("srresnet-x4"), 1)
    assert np.array_equal(first[0], again[0])
    assert not np.array_equal(first[0], second[0])


def test_quantising_needs_samples() -> None:
    with pytest.raises(ValueError, match="No data is collected"):
        quantise(onnx.parser.parse_model('<ir_version: 10, opset_import: ["": 20]>' + CONVOLUTIONS), [])


CONVOLUTIONS = """net (float[N, 1, H, W] image) => (float[N, 1, H, W] output) {
    weight = Constant <value = float[1, 1, 1, 1] {2}> ()
    inner = Conv (image, weight)
    middle = Conv (inner, weight)
    output = Conv (middle, weight)
}"""


@pytest.mark.parametrize("architecture", [*RESTORERS, "QuadLocator", "ModuleReader"])
def test_random_inputs_are_what_a_network_takes(architecture: str, tmp_path: Path) -> None:
    network = save_tiny(tmp_path, "any", architecture).network
    inputs = random_inputs(network, np.random.default_rng(0), count=2, height=33, width=50)
    picture = inputs[0]
    assert picture.dtype == np.float32
    assert picture.shape[:2] == (2, 1)
    assert min(np.subtract(picture.shape[2:], (33, 50))) >= 0
    with torch.inference_mode():
        assert len(network(*(torch.from_numpy(values) for values in inputs))) == 2


def test_differences_are_shares_of_the_largest_answer(tmp_path: Path) -> None:
    card = save_tiny(tmp_path, "light")
    run = TorchRunner(card.network)
    assert largest_difference(card, run) == 0
    assert largest_difference(card, lambda image: 1.5 * run(image)) == pytest.approx(0.5)


def test_what_answers_otherwise_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    card = save_tiny(tmp_path, "light")
    wrong = write_export(tmp_path, card, suffix=".wrong", graph=NEGATIVE)
    monkeypatch.setattr(export, "export_graph", lambda _: ir.load(wrong))
    with pytest.raises(ExportMismatchError, match="light"):
        export.export(card, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["light.safetensors", "light.wrong"]


@pytest.mark.parametrize(
    ("architecture", "more"), [*((name, {}) for name in ENLARGERS), ("PaperGen", {"upsampling": "transposed"})]
)
def test_every_network_that_enlarges_is_exported(architecture: str, more: dict[str, object], tmp_path: Path) -> None:
    """What a service with the backend onnx is started on may hold any of them."""
    card = save_tiny(tmp_path, "any", architecture, more=more)
    assert export.export(card, tmp_path) <= export.TOLERANCE
    served = load_networks(tmp_path, "cpu", backend=Backend.ONNX)
    assert [loaded.name for loaded in served.cards] == ["any"]
