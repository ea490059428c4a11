"""Fixtures for all tests: a clean environment, pictures, tiny weights, started applications."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from fastapi.testclient import TestClient

from app.main import create_app
from app.models.checkpoint import SUFFIX, Checkpoint, save
from app.models.registry import NETWORKS
from app.pipeline.files.png import encode_png
from app.settings import Settings
from app.workers.jobs import LadderLike, Pipeline
from tests.support.codes import qr_picture
from tests.support.networks import TINY


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--snapshot-update", action="store_true", help="rewrite snapshots instead of comparing them")


@pytest.fixture(autouse=True, scope="session")
def _clean_environment() -> Iterator[None]:
    """Hides the QRESTORE_ variables of whoever runs the tests."""
    hidden = {name: os.environ.pop(name) for name in list(os.environ) if name.startswith("QRESTORE_")}
    yield
    os.environ.update(hidden)


@pytest.fixture(scope="session")
def blank_png() -> bytes:
    return encode_png(np.full((48, 64), 255, np.uint8))


@pytest.fixture
def start() -> Iterator[Callable[..., TestClient]]:
    """start(ladder, **settings) -> a client of a started application on that ladder."""
    clients: list[TestClient] = []

    def build(ladder: LadderLike, **settings: object) -> TestClient:
        configuration = Settings.model_validate(settings)
        pipeline = Pipeline(
            ladder=ladder,
            max_pixels=configuration.max_pixels,
            max_pages=configuration.max_pages,
            video=configuration.video,
        )
        client = TestClient(create_app(configuration, pipeline=pipeline))
        client.__enter__()
        clients.append(client)
        return client

    yield build
    for client in clients:
        client.__exit__(None, None, None)


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A weights folder of tiny untrained networks under the default names."""
    folder = tmp_path_factory.mktemp("weights")
    settings = Settings()
    torch.manual_seed(0)
    for name, architecture in (
        (settings.light_network, "LENet"),
        (settings.heavy_network, "EGRestormer"),
        (settings.upscale_network, "SRResNet"),
        (settings.reader_network, "ModuleReader"),
        (settings.locator_network, "QuadLocator"),
    ):
        config = TINY[architecture]
        network = NETWORKS[architecture](**config)
        checkpoint = Checkpoint(name, architecture, network, config, {"recipe": "none"}, {"decode_rate": 0.0})
        save(checkpoint, folder / f"{name}{SUFFIX}")
    return folder


@pytest.fixture
def configured(weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment that selects the tiny networks on the CPU."""
    monkeypatch.setenv("QRESTORE_WEIGHTS", str(weights))
    monkeypatch.setenv("QRESTORE_DEVICE", "cpu")


@pytest.fixture(scope="session")
def code_png(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("pictures") / "code.png"
    file.write_bytes(encode_png(qr_picture("over the counter")))
    return file


@pytest.fixture(scope="session")
def blank_file(tmp_path_factory: pytest.TempPathFactory, blank_png: bytes) -> Path:
    file = tmp_path_factory.mktemp("pictures") / "blank.png"
    file.write_bytes(blank_png)
    return file
