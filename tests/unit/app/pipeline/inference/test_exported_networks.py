"""Networks on ONNX Runtime and OpenVINO, from exported files of a few operators with answers of no torch network."""

import re
import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray

from app.cli import doctor, main, terminal
from app.errors import InvalidCheckpoint
from app.models.checkpoint import Checkpoint, fingerprint
from app.models.contract import MAPS, STRIDE, Card
from app.models.registry import NETWORKS
from app.pipeline.inference import openvino
from app.pipeline.inference.loading import load_networks
from app.pipeline.inference.module_reader import NetworkModuleReader, planes
from app.pipeline.inference.onnx import OnnxRunner
from app.pipeline.inference.openvino import OpenVinoRunner
from app.pipeline.inference.restorer import NetworkRestorer
from app.pipeline.inference.runners import Backend, Runner
from app.pipeline.inference.window_locator import WindowLocator
from app.pipeline.qrcode.patterns import QUIET_ZONE, dimension
from tests.support.exports import GRAPHS, WHITE, save_tiny, write_export
from tests.support.networks import TINY

RUNNERS = pytest.mark.parametrize("kind", [OnnxRunner, OpenVinoRunner])
"""Both runners of exported files."""
RunnerOfExport = type[OnnxRunner | OpenVinoRunner]


def runner(path: Path, checkpoint: Checkpoint, kind: RunnerOfExport, **more: int) -> Runner:
    return kind(path, checkpoint.name, fingerprint=fingerprint(checkpoint), **more)


def noise(*shape: int) -> NDArray[np.float32]:
    return np.random.default_rng(5).random(shape, dtype=np.float32)


# --- running --------------------------------------------------------------------------------------------------------


@RUNNERS
def test_inputs_are_positional_and_of_any_size(kind: RunnerOfExport, tmp_path: Path) -> None:
    light, reads = save_tiny(tmp_path, "light"), save_tiny(tmp_path, "reads", "ModuleReader")
    run = runner(write_export(tmp_path, light), light, kind)
    for shape in ((1, 1, 8, 16), (3, 1, 40, 8)):
        answer = run(noise(*shape))
        assert answer.dtype == np.float32
        assert np.array_equal(answer, 1 - noise(*shape))
    planes = noise(2, 4, 6, 6)
    run = runner(write_export(tmp_path, reads), reads, kind)
    assert np.array_equal(run(noise(2, 1, 24, 24), planes), planes[:, 1:2])
    with pytest.raises(ValueError, match=r"zip|takes 2 inputs, not 1"):
        run(planes)


@RUNNERS
def test_several_threads_may_run_it_at_once(kind: RunnerOfExport, tmp_path: Path) -> None:
    card = save_tiny(tmp_path, "light")
    run = runner(write_export(tmp_path, card), card, kind, threads=2)
    pictures = [np.full((1, 1, 64, 64), value, np.float32) for value in np.linspace(0, 1, 40)]
    with ThreadPoolExecutor(8) as pool:
        for picture, answer in zip(pictures, pool.map(run, pictures), strict=True):
            assert np.array_equal(answer, 1 - picture)


@pytest.mark.parametrize(("slots", "batch"), [(1, 1), (2, 3), (3, 8)])
def test_openvino_runs_calls_at_once_and_samples_in_parts(slots: int, batch: int, tmp_path: Path) -> None:
    """Pictures are larger than those whose memory is kept, and answers stay as they were when it is given back."""
    card = save_tiny(tmp_path, "light")
    run = runner(write_export(tmp_path, card), card, OpenVinoRunner, slots=slots, batch=batch)
    pictures = [np.random.default_rng(seed).random((5, 1, 300, 230), dtype=np.float32) for seed in range(12)]
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(run, pictures))
    for picture, answer in zip(pictures, answers, strict=True):
        assert np.array_equal(answer, 1 - picture)


@pytest.mark.parametrize(
    ("slots", "samples", "parts"), [(2, 6, [3, 3]), (2, 2, [1, 1]), (3, 1, [1]), (1, 6, [4, 2]), (2, 11, [4, 4, 3])]
)
def test_openvino_spreads_samples_evenly_over_free_slots(
    slots: int, samples: int, parts: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = save_tiny(tmp_path, "light")
    run = runner(write_export(tmp_path, card), card, OpenVinoRunner, slots=slots, batch=4)
    seen: list[int] = []
    infer = openvino._infer_together

    def watch(requests: list[object], batches: Iterable[list[NDArray[np.float32]]]) -> Iterator[NDArray[np.float32]]:
        for answer in infer(requests, batches):
            seen.append(len(answer))
            yield answer

    monkeypatch.setattr(openvino, "_infer_together", watch)
    picture = noise(samples, 1, 16, 16)
    assert np.array_equal(run(picture), 1 - picture)
    assert seen == parts


def test_any_runner_may_run_a_network() -> None:
    """Restorer, module reader and locator, at all its sizes, call the runner that they get."""
    asked: list[tuple[int, ...]] = []

    def answers(value: NDArray[np.float32]) -> Callable[..., NDArray[np.float32]]:
        def run(*inputs: NDArray[np.float32]) -> NDArray[np.float32]:
            asked.append(inputs[0].shape)
            return np.repeat(value[None], len(inputs[0]), axis=0)

        return run

    def card(architecture: str) -> Card:
        return Checkpoint("mine", architecture, NETWORKS[architecture](**TINY[architecture]), {}).card

    crop = np.zeros((16, 16), np.uint8)
    restorer = NetworkRestorer(card("LENet"), runner=answers(np.full((1, 16, 16), 2.0, np.float32)))
    assert (restorer.restore([crop, crop])[1] == 255).all()
    side = dimension(2) + 2 * QUIET_ZONE
    reader = NetworkModuleReader(card("ModuleReader"), runner=answers(np.full((1, side, side), 7.0, np.float32)))
    assert (reader.read([np.zeros((4 * side, 4 * side), np.uint8)], 2)[0] == 7).all()
    assert asked == [(2, 1, 16, 16), (1, 1, 4 * side, 4 * side)]
    nothing = np.full((MAPS, 256 // STRIDE, 256 // STRIDE), -9, np.float32)
    grain = np.random.default_rng(0).integers(0, 256, (40, 1600), dtype=np.uint8)
    for sizes in ((256,), (640,), (1500, 3000)):
        locator = WindowLocator(card("QuadLocator"), runner=answers(nothing), sizes=sizes)
        before = len(asked)
        assert locator.locate(grain) == []
        assert len(asked) > before


# --- files ----------------------------------------------------------------------------------------------------------


@RUNNERS
def test_a_missing_file_is_named_with_the_command_that_writes_it(kind: RunnerOfExport, tmp_path: Path) -> None:
    card = save_tiny(tmp_path, "light")
    with pytest.raises(
        InvalidCheckpoint, match=r"light\.onnx: it does not exist; .*training\.release\.export light --weights"
    ):
        runner(tmp_path / "light.onnx", card, kind)


@RUNNERS
def test_a_graph_that_cannot_be_run_is_refused(kind: RunnerOfExport, tmp_path: Path) -> None:
    card = save_tiny(tmp_path, "light")
    model = onnx.load(path := write_export(tmp_path, card))
    model.graph.node[-1].op_type = "Abacus"
    onnx.save(model, path)
    with pytest.raises(InvalidCheckpoint, match=r"light\.onnx: it is not a complete ONNX file; make it with"):
        runner(path, card, kind)


# --- the service's start --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("backend", [Backend.AUTO, Backend.OPENVINO, Backend.ONNX])
def test_networks_of_every_kind_are_run_from_their_files(backend: Backend, tmp_path: Path) -> None:
    for architecture in GRAPHS:
        write_export(tmp_path, save_tiny(tmp_path, architecture.lower(), architecture))
    loaded = load_networks(tmp_path, "cpu", backend=backend)
    crop = np.random.default_rng(1).choice(np.array([0, 255], np.uint8), (24, 40))
    assert np.array_equal(loaded.restorers["lenet"].restore([crop])[0], 255 - crop)
    side = 4 * (dimension(1) + 2 * QUIET_ZONE)
    (read,) = loaded.reader("modulereader").read([np.zeros((side, side), np.uint8)], 1)
    assert np.array_equal(read, planes(1)[1, QUIET_ZONE:-QUIET_ZONE, QUIET_ZONE:-QUIET_ZONE])
    assert loaded.locator("quadlocator").locate(np.zeros((300, 300), np.uint8)) == []
    larger = loaded.restorers["srresnet"].restore([crop])[0]
    assert np.array_equal(larger, crop.repeat(4, axis=0).repeat(4, axis=1))
    assert [card.name for card in loaded.cards] == ["lenet", "modulereader", "quadlocator", "srresnet"]


@pytest.mark.parametrize("architecture", GRAPHS)
def test_every_kind_needs_its_file(architecture: str, tmp_path: Path) -> None:
    save_tiny(tmp_path, "mine", architecture)
    load_networks(tmp_path, "cpu")
    for backend in (Backend.OPENVINO, Backend.ONNX, Backend.ONNX_INT8):
        with pytest.raises(InvalidCheckpoint, match=r"mine\.onnx: it does not exist"):
            load_networks(tmp_path, "cpu", backend=backend)


def test_the_backend_decides_which_file_is_run(tmp_path: Path) -> None:
    card = save_tiny(tmp_path, "light")
    write_export(tmp_path, card)
    write_export(tmp_path, card, suffix=".int8.onnx", graph=WHITE)
    crop = np.random.default_rng(1).choice(np.array([0, 255], np.uint8), (16, 16))
    answers = {
        backend: load_networks(tmp_path, "cpu", backend=backend).restorers["light"].restore([crop])[0]
        for backend in Backend
    }
    for backend in (Backend.AUTO, Backend.OPENVINO, Backend.ONNX):
        assert np.array_equal(answers[backend], 255 - crop)
    assert (answers[Backend.ONNX_INT8] == 255).all()
    assert not np.array_equal(answers[Backend.TORCH], answers[Backend.ONNX])


@pytest.mark.parametrize(("backend", "package"), [(Backend.ONNX, "onnxruntime"), (Backend.OPENVINO, "openvino")])
@pytest.mark.parametrize("eager", [None, ()])
def test_a_missing_package_is_named(
    backend: Backend, package: str, eager: tuple[str, ...] | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_export(tmp_path, save_tiny(tmp_path, "light"))
    openvino.core.cache_clear()
    monkeypatch.setitem(sys.modules, package, None)
    load_networks(tmp_path, "cpu")
    with pytest.raises(InvalidCheckpoint, match=rf"the package {package}, which `pip install .*` brings"):
        load_networks(tmp_path, "cpu", backend=backend, eager=eager)


def test_a_start_without_exports_fails_in_one_line(
    code_png: Path, configured: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("QRESTORE_BACKEND", "onnx")
    assert main.main(["decode", str(code_png)]) == terminal.CANNOT_START
    (line,) = capsys.readouterr().err.splitlines()
    assert ".onnx: it does not exist; make it with `python -m training.release.export" in line


# --- doctor ---------------------------------------------------------------------------------------------------------


def checks(weights: Path, backend: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, doctor.Check]:
    monkeypatch.setenv("QRESTORE_BACKEND", backend)
    monkeypatch.setenv("QRESTORE_DEVICE", "cpu")
    return {check.name: check for check in doctor.examine(weights=weights, port=0)}


def test_the_doctor_checks_the_files_of_the_backend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    card = save_tiny(tmp_path, "light")
    results = checks(tmp_path, "torch", monkeypatch)
    assert "onnxruntime" not in results
    assert results["weights"].good
    results = checks(tmp_path, "onnx", monkeypatch)
    assert results["onnxruntime"].good
    assert not results["weights"].good
    command = f"-m training.release.export all --outdated --weights {tmp_path} --out {tmp_path}"
    assert results["weights"].fix.endswith(command)
    write_export(tmp_path, card)
    results = checks(tmp_path, "onnx", monkeypatch)
    assert results["weights"].good
    assert results["engine"].found == f"onnxruntime {version('onnxruntime')}, f32, on cpu"


def test_the_doctor_says_what_was_tried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_export(tmp_path, save_tiny(tmp_path, "locates", "QuadLocator"))
    found = checks(tmp_path, "auto", monkeypatch)["engine"].found
    assert re.match(r"(openvino|onnxruntime) \S+, f32.*, on cpu; the locator's window with ", found)
    tried = re.findall(r"(\w+ \w+) [\d.]+ ms", found)
    assert {"openvino f32", "onnx f32"} <= set(tried)


def test_the_doctor_says_how_to_install_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_export(tmp_path, save_tiny(tmp_path, "light"))
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    results = checks(tmp_path, "onnx", monkeypatch)
    assert not results["onnxruntime"].good
    assert "pip install 'onnxruntime" in results["onnxruntime"].fix
    assert not results["weights"].good
