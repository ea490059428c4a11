"""From settings to something that does the work: in this process for tools, in child processes for the service."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.errors import InternalError, InvalidConfiguration, UnknownNetwork, WorkerCrashed
from app.models.contract import Card
from app.pipeline.files.documents.opening import VIDEO_MODULE
from app.pipeline.inference import choosing, onnx, openvino
from app.pipeline.inference.loading import Threads, load_networks
from app.pipeline.inference.networks import Networks
from app.pipeline.inference.runners import Backend, BatchingRunner, MeteredRunner, Runner
from app.pipeline.ladder import Ladder
from app.schemas import ModelCard
from app.service import Runtime
from app.settings import Settings
from app.telemetry.metrics import Metrics
from app.workers.blueprint import Blueprint
from app.workers.jobs import RESULTS, Pipeline
from app.workers.pool import Pool
from app.workers.process import Arrays, Factory, Limits, start_fork_server

_PRELOADED = ("app.workers.blueprint",)
_VIDEO_PACKAGE = "av"
_GPU_BATCH = 8
_IN_RESERVE = 2  # children that take the place of those that are killed, until others have started
_NO_CHILDREN = (
    "The child processes cannot be started: is QRESTORE_WORKER_MEMORY_BYTES, or a limit on processes or open files "
    "(ulimit -u, ulimit -n), too low?"
)
_NO_FORK_SERVER = (
    "The fork server of the child processes cannot be started: {}. Let TMPDIR name a writable folder whose path is "
    "short, and see whether open files (ulimit -n) and processes (ulimit -u) are left."
)
_SETTINGS = {"upscaler": "upscale"}  # of a role, where it is called otherwise
_MACHINE_FILES = (*openvino.MACHINE_FILES, *onnx.MACHINE_FILES)
_LOADED_LATE = {"heavy"}  # roles: 59 MB and 0.7 s, for regions too blurred for the light network


def load_pipeline(settings: Settings) -> Pipeline:
    """What start-up makes for tools: the pipeline of this process. Raises as `load_service` does."""
    require_video(settings)
    networks = _networks(settings, eager=(), calls=1)
    return _blueprint(settings, networks).build(networks.runners)


def load_ladder(settings: Settings) -> Ladder:
    """The ladder of `load_pipeline`, for tools that look into it. Raises as `load_service` does."""
    networks = _networks(settings, eager=(), calls=1)
    return _blueprint(settings, networks).ladder(networks.runners)


def load_service(
    settings: Settings,
    metrics: Metrics,
    *,
    factory: Factory | None = None,
    children: int | None = None,
    own_networks: bool = False,
) -> Runtime:
    """What start-up makes for the service: the networks of the weights folder, those that most pictures need having run
    once, and child processes that do the rest.

    ``factory`` takes the place of the pipeline in the children. ``children`` is their number where there are no
    requests to prepare for: no network runs before a picture needs it, and no child is kept in reserve. With
    ``own_networks`` each child runs those that most pictures need itself, where they do not need torch. Raises
    InvalidCheckpoint for a bad file or a backend that is not installed, InvalidConfiguration for a GPU that cannot be
    used, UnknownNetwork where the settings name one that is not there, InternalError where children or the fork server
    cannot be started.
    """
    require_video(settings)
    preload = (*_PRELOADED, VIDEO_MODULE) if settings.video else _PRELOADED
    _start_fork_server(preload)
    eager = {name for role, name in _roles(settings).items() if role not in _LOADED_LATE and children is None}
    networks = _networks(settings, eager=eager, calls=settings.workers)
    blueprint = _blueprint(settings, networks)
    if own_networks:
        roles = blueprint.roles.values()
        blueprint = replace(blueprint, own={name: make for name, make in networks.makers.items() if name in roles})
    blueprint.build(networks.runners)  # names that are not there show here, not in a child
    metered, batching = _runners(networks, settings, metrics)

    def close() -> None:
        for each in batching.values():
            each.close()

    try:
        pool = Pool(
            factory or blueprint.handler,
            partial(_infer, metered | batching),
            size=children or settings.workers + settings.slow_workers + _IN_RESERVE,
            limits=_limits(settings, blueprint),
            result_classes=RESULTS,
            preload=preload,
            on_restart=metrics.restarted,
            at_once=1 if blueprint.own else None,  # loading the networks takes each 0.4 s
        )
    except WorkerCrashed as exc:
        close()
        raise InternalError(_NO_CHILDREN) from exc
    return Runtime(
        worker=pool,
        device=networks.device,
        engine=networks.engine,
        models=tuple(_card(card) for card in networks.cards),
        healthy=lambda: all(each.is_alive() for each in batching.values()),
        close=close,
    )


def _start_fork_server(preload: Sequence[str]) -> None:
    """As `start_fork_server`. Raises InternalError where that cannot be started."""
    try:
        start_fork_server(preload)
    except OSError as exc:
        raise InternalError(_NO_FORK_SERVER.format(exc.strerror or exc)) from exc


def _runners(
    networks: Networks, settings: Settings, metrics: Metrics
) -> tuple[dict[str, Runner], dict[str, BatchingRunner]]:
    """What runs each network and counts its times, and in front of it what gathers calls to batches, if any does."""
    metered: dict[str, Runner] = {
        name: MeteredRunner(run, partial(metrics.inferred, name)) for name, run in networks.runners.items()
    }
    most = settings.max_batch or (1 if networks.device == "cpu" else _GPU_BATCH)
    if most == 1:
        return metered, {}
    wait = settings.batch_milliseconds / 1000
    return metered, {name: BatchingRunner(run, most=most, wait=wait) for name, run in metered.items()}


def _limits(settings: Settings, blueprint: Blueprint) -> Limits:
    """What a child may use; the files of the networks that it runs, and no other ones, are readable to it."""
    readable = (*_files(settings.weights, blueprint.own), *_MACHINE_FILES) if blueprint.own else ()
    return Limits(memory_bytes=settings.worker_memory_bytes, jobs=settings.tasks_per_worker, readable=readable)


def _files(folder: Path, networks: Collection[str]) -> list[Path]:
    """Checkpoints and exported files of some networks; of links what they lead to, by which the kernel decides."""
    beginnings = tuple(f"{name}." for name in networks)
    return [path.resolve() for path in folder.iterdir() if path.name.startswith(beginnings)]


def require_video(settings: Settings) -> None:
    """Raises InvalidConfiguration, with how to mend it, where videos are asked for and their decoder is missing."""
    if settings.video and find_spec(_VIDEO_PACKAGE) is None:
        raise InvalidConfiguration(
            "QRESTORE_VIDEO=true needs PyAV: pip install 'qrestore[video]', or set QRESTORE_VIDEO=false."
        )


def _infer(runners: dict[str, Runner], name: str, arrays: Arrays) -> NDArray[np.float32]:
    return runners[name](*arrays)


def require_device(device: str) -> None:
    """Raises InvalidConfiguration, with the cause and how to mend it, where ``device`` is a GPU that cannot be used."""
    if device in {"auto", "cpu"} or not choosing.is_installed(Backend.TORCH):
        return  # without torch the networks say what is to be installed
    torch = choosing.torch()
    if device == "cuda" and torch.version.cuda is None:
        cause = f"torch {torch.__version__} is built without CUDA: install its CUDA build"
    elif device == "cuda" and not torch.cuda.is_available():
        cause = "torch finds no NVIDIA driver or GPU: see nvidia-smi, and in a container whether it was given the GPU"
    elif device == "mps" and not torch.backends.mps.is_available():
        cause = "torch finds no GPU of Apple's: it needs a Mac with one"
    else:
        return
    raise InvalidConfiguration(f"QRESTORE_DEVICE={device}: {cause}, or set QRESTORE_DEVICE=cpu.")


def _networks(settings: Settings, *, eager: Collection[str], calls: int) -> Networks:
    """The networks, with those in ``eager`` loaded; each takes so many calls at once."""
    require_device(settings.device)
    threads = Threads(settings.torch_threads, calls)
    return load_networks(settings.weights, settings.device, backend=settings.backend, eager=eager, threads=threads)


def _roles(settings: Settings) -> dict[str, str]:
    """The name of the network in each role of the ladder."""
    return {
        "light": settings.light_network,
        "heavy": settings.heavy_network,
        "upscaler": settings.upscale_network,
        "reader": settings.reader_network,
        "locator": settings.locator_network,
    }


def _blueprint(settings: Settings, networks: Networks) -> Blueprint:
    """Raises UnknownNetwork, with the setting to mend, where one names a network that is not there."""
    known = [card.name for card in networks.cards]
    for role, name in _roles(settings).items():
        if name not in known:
            setting = f"QRESTORE_{_SETTINGS.get(role, role).upper()}_NETWORK"
            raise UnknownNetwork(f"{setting}: no network named {name} is loaded. There are {', '.join(sorted(known))}.")
    return Blueprint(
        cards=tuple(networks.cards),
        roles=_roles(settings),
        max_codes=settings.max_codes,
        max_pixels=settings.max_pixels,
        threads=settings.torch_threads,
        max_pages=settings.max_pages,
        video=settings.video,
    )


def _card(card: Card) -> ModelCard:
    return ModelCard(
        name=card.name,
        architecture=card.architecture,
        parameters=card.parameters,
        scale=card.scale,
        config=dict(card.config),
        provenance=dict(card.provenance),
        measured=dict(card.measured),
    )
