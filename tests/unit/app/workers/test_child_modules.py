"""What a child process that reads codes imports: nothing that runs networks, unless it is told to run some itself."""

import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from app.pipeline.inference.loading import load_networks
from app.pipeline.inference.networks import Networks
from app.pipeline.inference.openvino import MACHINE_FILES
from app.pipeline.inference.runners import Backend, Runner
from app.pipeline.results import Effort
from app.settings import Settings
from app.workers.blueprint import Blueprint
from app.workers.jobs import DecodeJob
from app.workers.pool import Pool
from app.workers.process import Arrays, Infer, Limits
from tests.support.child_modules import names_of_modules
from tests.support.paths import ROOT

LABEL = (ROOT / "docs" / "label.jpg").read_bytes()


def loaded(settings: Settings) -> Networks:
    return load_networks(settings.weights, "cpu", backend=Backend.AUTO, eager=())


def modules_of_child(
    settings: Settings, networks: Networks, infer: Infer, *, own: Mapping[str, Callable[[], Runner]]
) -> set[str]:
    """The modules of a child that has read a hard code, which is checked."""
    roles = {
        "light": settings.light_network,
        "heavy": settings.heavy_network,
        "upscaler": settings.upscale_network,
        "reader": settings.reader_network,
        "locator": settings.locator_network,
    }
    blueprint = Blueprint(tuple(networks.cards), roles, max_codes=9, max_pixels=2_000_000, threads=1, own=own)
    pool = Pool(
        partial(names_of_modules, blueprint),
        infer,
        size=1,
        limits=Limits(readable=(settings.weights, *MACHINE_FILES) if own else ()),
        preload=("app.workers.blueprint",),
    )
    try:
        job = DecodeJob(LABEL, Effort.BALANCED)
        codes, modules = pool.run(job, deadline=time.monotonic() + 60, seconds=60)
    finally:
        pool.close()
    assert codes == 1
    assert {"cv2", "zxingcpp", "app.pipeline.ladder"} <= set(modules)
    return {name.partition(".")[0] for name in modules}


def test_a_child_that_has_read_a_hard_code_has_not_imported_torch() -> None:
    settings = Settings(device="cpu")
    networks = loaded(settings)
    modules = modules_of_child(settings, networks, lambda name, arrays: networks.runners[name](*arrays), own={})
    assert not modules & {"torch", "openvino", "onnxruntime", "fastapi", "pydantic", "starlette"}


def test_nor_has_one_that_runs_networks_itself_and_it_asks_for_none() -> None:
    settings = Settings(device="cpu")
    networks = loaded(settings)
    assert set(networks.makers) == {settings.reader_network, settings.locator_network}

    def none(name: str, _: Arrays) -> Any:
        raise AssertionError(name)

    modules = modules_of_child(settings, networks, none, own=networks.makers)
    assert modules & {"openvino", "onnxruntime"}
    assert not modules & {"torch", "fastapi", "pydantic", "starlette"}
