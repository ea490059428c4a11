"""The pipeline in a child process reads what it reads in this one, wherever the networks run."""

import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import cv2
import numpy as np
import pytest

from app import startup
from app.errors import ImageTooLarge, InvalidImage, UnknownNetwork
from app.pipeline.files.decoding import decode_image
from app.pipeline.inference.runners import Backend
from app.pipeline.results import Effort, Outcome, View
from app.service import Runtime
from app.settings import Settings
from app.startup import load_pipeline, load_service
from app.telemetry.metrics import Metrics
from app.workers.jobs import DecodeJob, FuseJob, RestoreJob
from tests.support.paths import ROOT
from training.release.sample import PAYLOAD

COUNT = "qrestore_inference_batch_size_count"
LABEL = (ROOT / "docs" / "label.jpg").read_bytes()


@pytest.fixture(scope="module")
def settings() -> Settings:
    return Settings(device="cpu", backend="torch", workers=1, max_pixels=2_000_000)


@pytest.fixture(scope="module")
def loaded(settings: Settings) -> Iterator[tuple[Runtime, Metrics]]:
    metrics = Metrics()
    made = load_service(settings, metrics)
    yield made, metrics
    made.worker.close()
    made.close()


def limits() -> dict[str, Any]:
    return {"deadline": time.monotonic() + 60, "seconds": 60}


def without_times(outcome: Outcome) -> object:
    return outcome.codes, outcome.route, [(stage.stage, stage.codes) for stage in outcome.trace]


def test_a_child_reads_as_this_process_does(loaded: tuple[Runtime, Metrics], settings: Settings) -> None:
    made, metrics = loaded
    job = DecodeJob(LABEL, Effort.BALANCED)
    outcome = made.worker.run(job, **limits())
    assert [found.symbol.text for found in outcome.codes] == [PAYLOAD]
    assert without_times(outcome) == without_times(load_pipeline(settings).do(job))
    counted = metrics.registry.get_sample_value(COUNT, {"network": "module-reader"})
    assert counted is not None
    assert counted > 0


def test_a_child_with_networks_of_its_own_reads_as_this_process_does(tmp_path: Path) -> None:
    weights = shutil.copytree(Settings().weights, tmp_path / "weights")  # where a child may read only what it is told
    settings = Settings(device="cpu", workers=1, torch_threads=1, weights=weights)
    metrics = Metrics()
    made = load_service(settings, metrics, children=1, own_networks=True)
    try:
        outcome = made.worker.run(DecodeJob(LABEL, Effort.BALANCED), **limits())
        restored = made.worker.run(
            RestoreJob(LABEL, network="lenet", scale=1, binary=False, view=View.STRAIGHTENED), **limits()
        )
    finally:
        made.worker.close()
        made.close()
    assert [found.symbol.text for found in outcome.codes] == [PAYLOAD]
    assert without_times(outcome) == without_times(load_pipeline(settings).do(DecodeJob(LABEL, Effort.BALANCED)))
    assert restored.network == "lenet"
    runs = {each: metrics.registry.get_sample_value(COUNT, {"network": each}) for each in ("module-reader", "lenet")}
    assert runs == {"module-reader": None, "lenet": 1}


@pytest.mark.parametrize(
    ("backend", "own_networks", "networks"),
    [
        (Backend.OPENVINO, True, ("module-reader", "quad-locator")),
        (Backend.OPENVINO, False, ()),
        (Backend.TORCH, True, ()),
    ],
)
def test_a_child_may_read_the_files_of_its_own_networks_only(
    backend: Backend, own_networks: bool, networks: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = Mock()
    monkeypatch.setattr(startup, "Pool", pool)
    settings = Settings(device="cpu", workers=1, backend=backend)
    load_service(settings, Metrics(), children=1, own_networks=own_networks).close()
    readable = [path for path in pool.call_args.kwargs["limits"].readable if settings.weights in path.parents]
    assert sorted(path.name for path in readable) == [
        f"{n}.{kind}" for n in networks for kind in ("onnx", "safetensors")
    ]
    assert pool.call_args.kwargs["at_once"] == (1 if networks else None)


def test_restored_pictures_come_back_as_files(loaded: tuple[Runtime, Metrics]) -> None:
    job = RestoreJob(LABEL, network="auto", scale=1, binary=False, view=View.STRAIGHTENED)
    restored = loaded[0].worker.run(job, **limits())
    picture = decode_image(restored.png, max_pixels=1_000_000)
    assert picture.shape == (restored.height, restored.width) == (148, 148)
    assert restored.network == "modules"


@pytest.mark.parametrize("network", ["lenet", "eg-restormer-small", "srresnet-x4"])
def test_the_parent_runs_every_network(loaded: tuple[Runtime, Metrics], network: str) -> None:
    restored = loaded[0].worker.run(
        RestoreJob(LABEL, network=network, scale=4, binary=False, view=View.STRAIGHTENED), **limits()
    )
    assert restored.width == 592
    assert restored.network == network


def test_an_error_of_a_job_keeps_its_type_and_detail(loaded: tuple[Runtime, Metrics]) -> None:
    worker = loaded[0].worker
    large = cv2.imencode(".png", np.zeros((2000, 1001), np.uint8))[1].tobytes()
    with pytest.raises(ImageTooLarge, match="1001 x 2000"):
        worker.run(DecodeJob(large, Effort.FAST), **limits())
    with pytest.raises(InvalidImage, match="Frame 1"):
        worker.run(FuseJob((LABEL, LABEL[:200]), Effort.FAST), **limits())
    with pytest.raises(UnknownNetwork):
        worker.run(RestoreJob(LABEL, network="colossus", scale=1, binary=False, view=View.STRAIGHTENED), **limits())


def test_a_batch_mixes_calls_of_different_children(settings: Settings) -> None:
    metrics = Metrics()
    made = load_service(settings.model_copy(update={"max_batch": 8}), metrics)
    try:
        assert made.healthy()
        assert made.worker.run(DecodeJob(LABEL, Effort.BALANCED), **limits()).codes[0].symbol.text == PAYLOAD
    finally:
        made.worker.close()
        made.close()
    assert not made.healthy()


def test_unknown_names_are_errors_at_start_up(settings: Settings) -> None:
    with pytest.raises(UnknownNetwork, match="colossus"):
        load_service(settings.model_copy(update={"reader_network": "colossus"}), Metrics())
