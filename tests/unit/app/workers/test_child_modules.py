"""A child process that reads codes imports nothing that runs networks, which would cost memory and start-up time."""

import time
from functools import partial

from app.pipeline.inference.loading import load_networks
from app.pipeline.inference.runners import Backend
from app.pipeline.results import Effort
from app.settings import Settings
from app.workers.blueprint import Blueprint
from app.workers.jobs import DecodeJob
from app.workers.pool import Pool
from app.workers.process import Limits
from tests.support.child_modules import names_of_modules
from tests.support.paths import ROOT

LABEL = (ROOT / "docs" / "label.jpg").read_bytes()


def test_a_child_that_has_read_a_hard_code_has_not_imported_torch() -> None:
    settings = Settings(device="cpu")
    networks = load_networks(settings.weights, "cpu", backend=Backend.AUTO, eager=())
    roles = {
        "light": settings.light_network,
        "heavy": settings.heavy_network,
        "upscaler": settings.upscale_network,
        "reader": settings.reader_network,
        "locator": settings.locator_network,
    }
    blueprint = Blueprint(tuple(networks.cards), roles, max_codes=9, max_pixels=2_000_000, threads=1)
    runners = networks.runners
    pool = Pool(
        partial(names_of_modules, blueprint),
        lambda name, arrays: runners[name](*arrays),
        size=1,
        limits=Limits(),
        preload=("app.workers.blueprint",),
    )
    try:
        job = DecodeJob(LABEL, Effort.BALANCED)
        codes, modules = pool.run(job, deadline=time.monotonic() + 60, seconds=60)
    finally:
        pool.close()
    assert codes == 1
    assert {"cv2", "zxingcpp", "app.pipeline.ladder"} <= set(modules)
    parents = {"torch", "openvino", "onnxruntime", "fastapi", "pydantic", "starlette"}
    assert [name for name in modules if name.partition(".")[0] in parents] == []
