"""Loads the networks of a weights folder on the engine that is wanted, and runs each once.

torch is imported only where it runs networks.
"""

import importlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np

from app.errors import InvalidCheckpoint, InvalidConfiguration
from app.models.contract import Card, Kind
from app.models.header import checkpoint_files, file_fingerprint, file_of, name_of
from app.pipeline.inference import choosing, onnx, openvino
from app.pipeline.inference.choosing import Engine, pick_device
from app.pipeline.inference.exported import exported_file, read_card
from app.pipeline.inference.networks import Network, Networks
from app.pipeline.inference.onnx import OnnxRunner
from app.pipeline.inference.openvino import FLOAT32, OpenVinoRunner, return_memory
from app.pipeline.inference.runners import Backend, LazyRunner, Runner

__all__ = ["Threads", "load_networks", "pick_device"]

_DENSE: Final = (Kind.MODULE_READER, Kind.QUAD_LOCATOR)
"""Kinds that consist of dense convolutions: bfloat16 leaves their reads as they are. They run most often, too."""
_WINDOWS: Final = 4  # of a locator that run at once: a third less time than one by one; more gain nothing
_PROBED: Final = (1, 1, 256, 256)  # shape of a locator's window


@dataclass(frozen=True)
class Threads:
    """CPU threads of one inference, and how many inferences of a network may run at once."""

    each: int = 1
    calls: int = 1


@dataclass(frozen=True)
class _Choice:
    """An engine, the milliseconds of each that was probed, and the probe's runners of the chosen one, by network."""

    engine: Engine
    probed: Mapping[str, float] = field(default_factory=dict)
    made: dict[str, Runner] = field(default_factory=dict)


def load_networks(
    directory: Path,
    device: str,
    *,
    backend: Backend = Backend.TORCH,
    eager: Collection[str] | None = None,
    threads: Threads | None = None,
) -> Networks:
    """Loads every checkpoint of a directory and runs each network once: no request pays for lazy initialisation.

    With torch they run on ``device``, for which "auto" is what `pick_device` says. With other backends they run on the
    CPU, from the exported files beside the checkpoints, and networks that are not in ``eager`` are loaded only at their
    first inference; None: all are loaded at once. With ``Backend.AUTO`` the fastest engine runs them, and torch those
    without an exported file. ``threads`` None: as many as torch has.

    Raises InvalidCheckpoint for a bad checkpoint or export, where one is missing, and where a package is not installed;
    InvalidConfiguration for a GPU that cannot be used.
    """
    files = checkpoint_files(directory)
    automatic = backend is Backend.AUTO
    backends: tuple[Backend, ...] = (backend,)
    if automatic:
        backends, device = choosing.choose_backend(device)
    if backends == (Backend.TORCH,):
        networks, eager = _on_torch(files, pick_device(device), threads), None
    else:
        networks = _exported(files, backends, eager, threads or _threads_of_torch(), automatic=automatic)
    _warm_up(directory, (each for each in networks.every if eager is None or each.card.name in eager))
    return_memory()
    return networks


def _on_torch(files: Iterable[Path], device: str, threads: Threads | None) -> Networks:
    load, runner_of = _torch_tools(threads)
    checkpoints = {each.name: each for each in map(load, files)}
    networks = Networks.of(
        (each.card for each in checkpoints.values()), lambda card: runner_of(checkpoints[card.name], device=device)
    )
    return replace(networks, engine=str(Engine(Backend.TORCH)), device=device)


def _exported(
    files: Iterable[Path],
    backends: tuple[Backend, ...],
    eager: Collection[str] | None,
    threads: Threads,
    *,
    automatic: bool,
) -> Networks:
    """Networks that run from exported files; with ``automatic`` those without one run with torch."""
    cards: dict[str, Card] = {}
    exports: dict[str, Path] = {}
    others: dict[str, Runner] = {}
    for path in files:
        name = name_of(path)
        export = exported_file(path.parent, name, int8=backends == (Backend.ONNX_INT8,))
        if automatic and not export.is_file() and choosing.is_installed(Backend.TORCH):
            load, runner_of = _torch_tools(threads)
            checkpoint = load(path)
            cards[name], others[name] = checkpoint.card, runner_of(checkpoint)
        else:
            cards[name], exports[name] = read_card(path, export), export
    choice = _choose(backends, [(cards[name], export) for name, export in exports.items()], threads)
    engine = choice.engine
    if exports:
        package = openvino if engine.backend is Backend.OPENVINO else onnx
        package.load_package(next(iter(exports.values())))

    def runner(card: Card) -> Runner:
        if card.name in (made := others | choice.made):
            return made[card.name]
        make = partial(_runner, engine, card, exports[card.name], threads)
        return make() if eager is None or card.name in eager else LazyRunner(make)

    networks = Networks.of(cards.values(), runner)
    makers = {
        name: partial(_runner, engine, cards[name], export, replace(threads, calls=1))
        for name, export in exports.items()
        if cards[name].kind in _DENSE
    }
    return replace(networks, engine=_words(engine, exports, others), probed=choice.probed, makers=makers)


def _choose(backends: tuple[Backend, ...], exports: Iterable[tuple[Card, Path]], threads: Threads) -> _Choice:
    """The fastest of these backends, judged by the first locator there is."""
    engines = choosing.candidates(backends)
    judge = next(((card, path) for card, path in exports if card.kind is Kind.QUAD_LOCATOR), None)
    if judge is None or len(engines) == 1:
        return _Choice(engines[0])
    runners = {engine: _runner(engine, *judge, threads) for engine in engines}
    taken = choosing.probe(runners, np.zeros(_PROBED, dtype=np.float32))
    chosen = choosing.fastest(taken)
    probed = {f"{each.backend} {each.dense}": taken[each] for each in engines}
    return _Choice(chosen, probed, {judge[0].name: runners[chosen]})


def _runner(engine: Engine, card: Card, export: Path, threads: Threads) -> Runner:
    """What runs a network from its exported file. Raises InvalidCheckpoint.

    OpenVINO keeps a copy of the graph for each call that may run at once. Only the dense networks have several; a
    restorer has one, with the threads of all.
    """
    fingerprint = file_fingerprint(file_of(export.parent, card.name))
    if engine.backend is not Backend.OPENVINO:
        return OnnxRunner(export, card.name, fingerprint=fingerprint, threads=threads.each)
    dense = card.kind in _DENSE
    return OpenVinoRunner(
        export,
        card.name,
        fingerprint=fingerprint,
        threads=threads.each if dense else threads.each * threads.calls,
        slots=threads.calls if dense else 1,
        batch=_WINDOWS if card.kind is Kind.QUAD_LOCATOR else 1,
        precision=engine.dense if dense else FLOAT32,
    )


def _words(engine: Engine, exports: Collection[str], others: Collection[str]) -> str:
    """What runs the networks, for people."""
    told = []
    if exports:
        told.append(str(engine))
    if others:
        told.append(f"{Engine(Backend.TORCH)} for {', '.join(others)}" if exports else str(Engine(Backend.TORCH)))
    return "; ".join(told)


def _warm_up(directory: Path, networks: Iterable[Network]) -> None:
    for network in networks:
        try:
            network.warm_up()
        except (LookupError, RuntimeError, TypeError, ValueError) as error:
            reason = str(error).partition("\n")[0]
            path = file_of(directory, network.card.name)
            raise InvalidCheckpoint(path, f"its network breaks the contract: {reason}") from error


def _threads_of_torch() -> Threads:
    """As many threads as torch takes, if it is there."""
    return Threads(choosing.torch().get_num_threads()) if choosing.is_installed(Backend.TORCH) else Threads()


def _torch_tools(threads: Threads | None) -> tuple[Any, Any]:
    """Loads a checkpoint, and makes the runner of one; so many threads run each inference, None: as many as now.

    Raises InvalidConfiguration where torch is not installed.
    """
    try:
        torch = choosing.torch()
        checkpoint = importlib.import_module("app.models.checkpoint")
        runner = importlib.import_module("app.pipeline.inference.torch_runner")
    except ImportError as error:
        reason = "The backend torch is not installed: pip install 'qrestore[gpu]'."
        raise InvalidConfiguration(reason) from error
    if threads is not None:
        torch.set_num_threads(threads.each)
    return checkpoint.load, runner.TorchRunner.of
