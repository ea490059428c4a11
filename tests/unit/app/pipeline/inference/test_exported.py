"""What an exported file states of itself ties it to its checkpoint, and gives the checkpoint's card without torch."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest

from app.errors import InvalidCheckpoint
from app.models.checkpoint import add_measured, fingerprint, load, save
from app.models.header import data_start, file_fingerprint, file_of
from app.models.registry import NETWORKS
from app.pipeline.inference.exported import START_KEY, check_export, exported_file, read_card, statements
from app.pipeline.inference.onnx import OnnxRunner
from app.pipeline.inference.openvino import OpenVinoRunner
from app.pipeline.inference.torch_runner import TorchRunner
from tests.support.exports import save_tiny, write_export
from tests.support.paths import ROOT
from training.release.export import TOLERANCE, random_inputs

SHIPPED = sorted(path.name.removesuffix(".safetensors") for path in (ROOT / "weights").glob("*.safetensors"))


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_export_answers_as_torch_does(name: str) -> None:
    """On every engine, in one size that no one has seen; the exporter has tried others."""
    path = file_of(ROOT / "weights", name)
    export, checkpoint = exported_file(path.parent, name), load(path)
    inputs = random_inputs(checkpoint.network, np.random.default_rng(4), count=2, height=64, width=72)
    expected = TorchRunner(checkpoint.network)(*inputs)
    for kind in (OnnxRunner, OpenVinoRunner):
        run = kind(export, name, fingerprint=fingerprint(checkpoint))
        assert np.abs(run(*inputs) - expected).max() <= TOLERANCE * np.abs(expected).max()


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_export_holds_no_weights_and_states_the_card(name: str) -> None:
    path = file_of(ROOT / "weights", name)
    export = exported_file(path.parent, name)
    assert read_card(path, export) == load(path).card
    graph = onnx.load(export, load_external_data=False).graph
    held = [tensor.name for tensor in graph.initializer if not tensor.external_data and np.prod(tensor.dims) > 200]
    assert held == []


@pytest.mark.parametrize("kind", [OnnxRunner, OpenVinoRunner])
def test_a_shipped_export_is_run_behind_links(kind: type[OnnxRunner | OpenVinoRunner], tmp_path: Path) -> None:
    """Both of its files lie in the folder that the links lead to, or the weights in the folder of the links."""
    weights = file_of(ROOT / "weights", "lenet")
    export, checkpoint = exported_file(weights.parent, "lenet"), load(weights)
    inputs = random_inputs(checkpoint.network, np.random.default_rng(4), count=1, height=16, width=24)

    def answer_of(path: Path) -> np.ndarray:
        return kind(path, "lenet", fingerprint=fingerprint(checkpoint))(*inputs)

    expected = answer_of(export)
    (tmp_path / weights.name).symlink_to(weights)
    (tmp_path / export.name).symlink_to(export)
    answers = [answer_of(tmp_path / export.name)]
    (tmp_path / weights.name).unlink()
    shutil.copy(weights, tmp_path)
    answers.append(answer_of(tmp_path / export.name))
    assert all(np.array_equal(answer, expected) for answer in answers)


def test_openvino_says_that_it_does_not_follow_links_to_scattered_files(tmp_path: Path) -> None:
    """As a cache lays them out that names files by their contents."""
    weights = file_of(ROOT / "weights", "lenet")
    export, stored = exported_file(weights.parent, "lenet"), tmp_path / "stored"
    stored.mkdir()
    for number, file in enumerate((weights, export)):
        shutil.copy(file, stored / str(number))
        (tmp_path / file.name).symlink_to(stored / str(number))
    path, stated = tmp_path / export.name, file_fingerprint(weights)
    OnnxRunner(path, "lenet", fingerprint=stated)
    with pytest.raises(
        InvalidCheckpoint, match=r"does not follow the link lenet\.safetensors; copy both files, or set"
    ):
        OpenVinoRunner(path, "lenet", fingerprint=stated)


@pytest.mark.parametrize("architecture", NETWORKS)
@pytest.mark.parametrize("half", [True, False])
def test_the_file_alone_gives_the_fingerprint(architecture: str, half: bool, tmp_path: Path) -> None:
    checkpoint = save_tiny(tmp_path, "any", architecture)
    save(checkpoint, path := tmp_path / "any.safetensors", half=half)
    assert file_fingerprint(path) == fingerprint(load(path))


def test_a_fingerprint_covers_weights_architecture_and_configuration(tmp_path: Path) -> None:
    card = save_tiny(tmp_path, "light")
    same = replace(card, name="another", provenance={"recipe": "x"}, measured={"decode": 1.0})
    assert fingerprint(same) == fingerprint(card) == fingerprint(save_tiny(tmp_path, "light"))
    others = [
        save_tiny(tmp_path, "other", seed=1),
        replace(card, architecture="SRResNet"),
        replace(card, config={"a": 1}),
    ]
    assert len({fingerprint(other) for other in (card, *others)}) == 4


def test_statements_are_those_that_the_package_onnx_reads(tmp_path: Path) -> None:
    path = write_export(tmp_path, save_tiny(tmp_path, "light"))
    properties = {entry.key: entry.value for entry in onnx.load(path).metadata_props}
    assert len(properties) >= 8
    assert statements(path, "light") == properties


@pytest.mark.parametrize("length", [1, 5, 40, 90])
def test_files_that_are_cut_short_are_refused(length: int, tmp_path: Path) -> None:
    card = save_tiny(tmp_path, "light")
    path = write_export(tmp_path, card)
    path.write_bytes(path.read_bytes()[:-length])
    with pytest.raises(InvalidCheckpoint, match=r"light\.onnx: it (is not a complete ONNX file|was made from other)"):
        check_export(path, "light", fingerprint=fingerprint(card))


@pytest.mark.parametrize("data", [b"", b"12345" * 100, b"\xff" * 30])
def test_other_files_are_refused(data: bytes, tmp_path: Path) -> None:
    card = save_tiny(tmp_path, "light")
    path = write_export(tmp_path, card)
    path.write_bytes(data)
    with pytest.raises(InvalidCheckpoint, match=r"light\.onnx"):
        check_export(path, "light", fingerprint=fingerprint(card))


def test_exports_of_other_weights_are_refused(tmp_path: Path) -> None:
    path = write_export(tmp_path, save_tiny(tmp_path, "light"))
    retrained = save_tiny(tmp_path, "light", seed=1)
    with pytest.raises(InvalidCheckpoint, match="other weights than light's; make it with"):
        check_export(path, "light", fingerprint=fingerprint(retrained))
    with pytest.raises(InvalidCheckpoint, match="other weights"):
        read_card(tmp_path / "light.safetensors", path)


def test_a_header_that_has_grown_moves_the_weights_away(tmp_path: Path) -> None:
    card = save_tiny(tmp_path, "light")
    weights, path = tmp_path / "light.safetensors", write_export(tmp_path, card)
    model = onnx.load(path)
    onnx.helper.set_model_props(model, {**statements(path, "light"), START_KEY: str(data_start(weights))})
    onnx.save(model, path)
    assert read_card(weights, path) == card.card
    save(add_measured(card, {"decode": "x" * 100}), weights)
    with pytest.raises(InvalidCheckpoint, match=r"weights in light\.safetensors are not where it looks.*make it with"):
        read_card(weights, path)


def test_an_export_must_state_the_contract(tmp_path: Path) -> None:
    card = save_tiny(tmp_path, "light")
    path = write_export(tmp_path, card)
    model = onnx.load(path)
    onnx.helper.set_model_props(model, {**statements(path, "light"), "kind": "abacus"})
    onnx.save(model, path)
    with pytest.raises(InvalidCheckpoint, match="does not state kind, scale and size"):
        read_card(tmp_path / "light.safetensors", path)


def test_the_eight_bit_file_is_used_if_there_is_one(tmp_path: Path) -> None:
    assert exported_file(tmp_path, "a.b") == exported_file(tmp_path, "a.b", int8=True) == tmp_path / "a.b.onnx"
    (tmp_path / "a.b.int8.onnx").touch()
    assert exported_file(tmp_path, "a.b") == tmp_path / "a.b.onnx"
    assert exported_file(tmp_path, "a.b", int8=True) == tmp_path / "a.b.int8.onnx"
