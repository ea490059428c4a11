"""`qrestore doctor`: checks whether this machine can run the service, and names the command that fixes each fault.

Imports only the standard library and modules that need no more, and the rest by name while it checks, so that it runs
where the rest is missing.
"""

import argparse
import ctypes.util
import importlib
import os
import re
import socket
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from platform import freedesktop_os_release as os_release
from platform import python_version
from types import ModuleType
from typing import Any, Final

from app import errors, machine
from app.cli.terminal import say

OLDEST_PYTHON: Final = (3, 11)
MODULES: Final = {
    "PIL": "pillow",
    "biip": "biip",
    "cv2": "opencv-python-headless",
    "fastapi": "fastapi",
    "fastapi_offline": "fastapi-offline",
    "h11": "h11",
    "numpy": "numpy",
    "opentelemetry": "opentelemetry-api",
    "openvino": "openvino",
    "pi_heif": "pi-heif",
    "prometheus_client": "prometheus-client",
    "pydantic": "pydantic",
    "pydantic_core": "pydantic-core",
    "pydantic_settings": "pydantic-settings",
    "pypdfium2": "pypdfium2",
    "python_multipart": "python-multipart",
    "safetensors": "safetensors",
    "starlette": "starlette",
    "uvicorn": "uvicorn",
    "webencodings": "webencodings",
    "zxingcpp": "zxing-cpp",
}
"""The distribution of each module that the service cannot do without; pyzbar, which needs a library, stands apart."""
_ENGINES: Final = {"torch": "torch", "onnx": "onnxruntime", "onnx-int8": "onnxruntime"}
"""Packages that only some backends need, by the value of a Backend."""


@dataclass(frozen=True, slots=True)
class Check:
    """The result of one of the doctor's checks. `fix` is the command that fixes the fault; empty if there is none."""

    name: str
    good: bool
    found: str
    fix: str = ""


def run(arguments: argparse.Namespace) -> int:
    """Prints a line for each check, with the fix below each fault. Returns 1 if there is a fault."""
    faults = 0
    for check in examine(weights=arguments.weights, host=arguments.host, port=arguments.port):
        say(f"{'ok     ' if check.good else 'MISSING'} {check.name}: {check.found}")
        if not check.good:
            say(f"        fix: {check.fix}")
            faults += 1
    return 1 if faults else 0


def examine(*, weights: Path | None = None, host: str | None = None, port: int | None = None) -> Iterator[Check]:
    """Makes every check of the doctor in turn. Arguments that are None come from the settings."""
    yield _python()
    yield _machine()
    for module, distribution in MODULES.items():
        yield _module(module, distribution)
    yield _zbar()
    yield _children()
    configuration = _import("app.cli.configuration")
    if isinstance(configuration, str):
        yield Check("settings", good=False, found=configuration, fix=_reinstall())
        return
    try:
        chosen = configuration.read_settings()
    except errors.InvalidConfiguration as exc:
        fix = "unset or correct the QRESTORE_ variable that is named"
        yield Check("settings", good=False, found="; ".join(exc.detail.splitlines()), fix=fix)
        return
    yield from _keys(chosen)
    if chosen.backend in _ENGINES:
        yield _module(_ENGINES[chosen.backend], _ENGINES[chosen.backend])
    if chosen.video:
        yield _module("av", "av")
    if fault := _device_fault(chosen):
        yield fault
    else:
        yield from _networks(weights or chosen.weights, chosen)
    yield _port(host or chosen.host, chosen.port if port is None else port)


def _python() -> Check:
    wanted = ".".join(map(str, OLDEST_PYTHON))
    found = python_version()
    if sys.version_info >= OLDEST_PYTHON:
        return Check("python", good=True, found=found)
    fix = _for_this_system(debian="apt-get install -y python3 python3-venv", macos="brew install python")
    return Check("python", good=False, found=f"{found}, but {wanted} or newer is needed", fix=fix)


def _machine() -> Check:
    """What the process may use of the machine; the number of workers follows it."""
    seen = machine.look()
    limits = [f"{seen.affinity} by affinity"] if seen.affinity < seen.processors else []
    limits += [f"{seen.quota:g} by control group"] if seen.quota < seen.processors else []
    beside = f" ({', '.join(limits)})" if limits else ""
    found = f"{seen.usable_processors} of {seen.processors} processors{beside}"
    return Check("machine", good=True, found=f"{found}, {seen.memory_bytes / (1 << 30):.1f} GiB of memory")


def _module(module: str, distribution: str) -> Check:
    loaded = _import(module)
    if isinstance(loaded, str):
        return Check(module, good=False, found=loaded, fix=_pip_install(distribution))
    return Check(module, good=True, found=_version_of(distribution))


def _zbar() -> Check:
    name = "zbar library"
    wrapper = _import("pyzbar.wrapper")
    if not isinstance(wrapper, str):
        return Check(name, good=True, found=f"pyzbar {_version_of('pyzbar')}")
    if ctypes.util.find_library("zbar") is None:
        fix = _for_this_system(debian="apt-get install -y libzbar0", macos="brew install zbar")
        return Check(name, good=False, found="the shared library is not installed", fix=fix)
    return Check(name, good=False, found=wrapper, fix=_pip_install("pyzbar"))


def _children() -> Check:
    """Starts one child process as the service does, and asks it what its confinement leaves it."""
    name = "child processes"
    pool = _import("app.workers.pool")
    if isinstance(pool, str):
        return Check(name, good=False, found="cannot be checked until the faults above are fixed", fix=_reinstall())
    try:
        remaining = pool.child_abilities()
    except errors.WorkerCrashed:
        fix = "raise the limits on memory and on processes (ulimit -a) until one starts"
        return Check(name, good=False, found="none can be started", fix=fix)
    found = f"start, but can still {', '.join(remaining)}" if remaining else "start, and are confined"
    return Check(name, good=True, found=found)


def _keys(settings: Any) -> Iterator[Check]:
    """Reads the API keys as the service would, if it has any."""
    keys = _import("app.http.keys")
    if settings.api_keys_file is None or isinstance(keys, str):
        return
    try:
        found = keys.load_keys(settings.api_keys_file)
    except errors.InvalidConfiguration as exc:
        fix = "correct these lines of the file: name: key"
        yield Check("API keys", good=False, found="; ".join(exc.detail.splitlines()), fix=fix)
    else:
        yield Check("API keys", good=True, found=", ".join(dict.fromkeys(key.name for key in found)))


def _device_fault(settings: Any) -> Check | None:
    """Why the device of the settings cannot be used; None if it can, or if that cannot be checked."""
    startup = _import("app.startup")
    if isinstance(startup, str):
        return None
    try:
        startup.require_device(settings.device)
    except errors.InvalidConfiguration as exc:
        fix = "export QRESTORE_DEVICE=cpu, or mend what is named"
        return Check("device", good=False, found=exc.detail, fix=fix)
    return None


def _networks(folder: Path, settings: Any) -> Iterator[Check]:
    """Loads and runs every network as the service would, and says what runs them and what else was tried."""
    loading = _import("app.pipeline.inference.loading")
    engine = _import(_ENGINES.get(settings.backend, "openvino"))
    if isinstance(loading, str) or isinstance(engine, str):
        yield Check("weights", good=False, found="cannot be checked until the faults above are fixed", fix=_reinstall())
        return
    threads = loading.Threads(settings.torch_threads)
    try:
        networks = loading.load_networks(folder, settings.device, backend=settings.backend, threads=threads)
    except errors.InvalidConfiguration as exc:
        yield Check("engine", good=False, found=str(exc), fix=f"{sys.executable} -m pip install 'qrestore[gpu]'")
        return
    except errors.InvalidCheckpoint as exc:
        exporting = f"{sys.executable} -m training.release.export all --outdated --weights {folder} --out {folder}"
        fix = exporting if exc.path.endswith(".onnx") else f"git checkout -- {folder}"
        yield Check("weights", good=False, found=str(exc), fix=fix)
        return
    yield Check("weights", good=True, found=", ".join(card.name for card in networks.cards))
    tried = ", ".join(f"{name} {milliseconds:.1f} ms" for name, milliseconds in networks.probed.items())
    probe = f"; the locator's window with {tried}" if tried else ""
    yield Check("engine", good=True, found=f"{networks.engine}, on {networks.device}{probe}")


def _port(host: str, port: int) -> Check:
    name = f"port {port}"
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as exc:
            fix = f"qrestore serve --port {port + 1}" if port < 65535 else "qrestore serve --port 8000"
            return Check(name, good=False, found=f"{host}: {exc.strerror or exc}", fix=fix)
    return Check(name, good=True, found=f"free on {host}")


def _import(name: str) -> ModuleType | str:
    """The module, or why it cannot be imported. A broken native library raises OSError, a missing one ImportError."""
    try:
        return importlib.import_module(name)
    except (ImportError, OSError) as exc:
        return str(exc).partition("\n")[0]


def _version_of(distribution: str) -> str:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return "installed"


def _pip_install(distribution: str) -> str:
    return f"{sys.executable} -m pip install '{_requirement(distribution)}'"


def _requirement(distribution: str) -> str:
    """The requirement with its version, from this package's own metadata."""
    try:
        stated = metadata.requires("qrestore") or []
    except metadata.PackageNotFoundError:
        stated = []
    pattern = re.compile(rf"{re.escape(distribution)}(?![\w.-])[^;]*", re.IGNORECASE)
    return next((match[0].strip() for entry in stated if (match := pattern.match(entry))), distribution)


def _reinstall() -> str:
    root = Path(__file__).resolve().parents[2]
    source = f"--editable {root}" if (root / "pyproject.toml").exists() else "--force-reinstall qrestore"
    return f"{sys.executable} -m pip install {source}"


def system_command(*, debian: str, macos: str, platform: str, release: Mapping[str, str]) -> str:
    """The doctor's fix that fits a `sys.platform` and, on Linux, the fields of its os-release file."""
    if platform == "darwin":
        return macos
    if {"debian", "ubuntu"} & {release.get("ID", ""), *release.get("ID_LIKE", "").split()}:
        return debian if os.geteuid() == 0 else f"sudo {debian}"
    return f"your package manager's equivalent of: {debian}"


def _for_this_system(*, debian: str, macos: str) -> str:
    try:
        release = os_release()
    except OSError:
        release = {}
    return system_command(debian=debian, macos=macos, platform=sys.platform, release=release)
