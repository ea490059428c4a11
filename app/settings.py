"""Everything that an operator can set. Only this module reads the QRESTORE_ variables of the environment."""

import os
import re
import resource
import sys
from difflib import get_close_matches
from math import inf
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from app import machine
from app.pipeline import PIXEL_CEILING
from app.pipeline.inference.runners import Backend
from app.pipeline.results import Effort

_PACKAGE = Path(__file__).resolve().parent
_IN_WHEEL = _PACKAGE / "weights"
_SHIPPED_WEIGHTS = _IN_WHEEL if _IN_WHEEL.is_dir() else _PACKAGE.parent / "weights"  # beside the package in a checkout

_OTEL_ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")

PREFIX = "QRESTORE_"
# What Kubernetes sets in every pod beside a service whose name begins with qrestore, apart from NAME_PORT=tcp://...
_OF_KUBERNETES = re.compile(r"QRESTORE_(\w+_)?(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT_\d+_(TCP|UDP|SCTP)(_\w+)?)")


_CONNECTIONS, _FEWEST_CONNECTIONS = 1000, 16
_OWN_DESCRIPTORS, _DESCRIPTORS_PER_WORKER = 96, 8
"""File descriptors besides those of connections, generously: 20 for files and pipes, 40 for the admin port, and
some for connections that are accepted before others are closed for them."""
_ORIGIN = re.compile(r"https?://([a-z0-9_.-]+|\[[0-9a-f:.]+\])(:[0-9]{1,5})?")
_HOST = re.compile(r"(\*\.)?[a-z0-9_.-]+|[0-9a-f:]+")


_MOST_SLOTS, _MOST_THREADS = 4, 8  # small networks gain nothing from more threads


def _slots() -> int:
    return min(_MOST_SLOTS, machine.look().usable_processors)


def _threads(workers: int) -> int:
    return min(_MOST_THREADS, max(1, machine.look().usable_processors // max(workers, _MOST_SLOTS)))


def most_connections(workers: int) -> int:
    """How many connections the limit on file descriptors leaves room for, beside those of the workers."""
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limit == resource.RLIM_INFINITY:
        return sys.maxsize
    return max(_FEWEST_CONNECTIONS, limit - _OWN_DESCRIPTORS - _DESCRIPTORS_PER_WORKER * workers)


def _otel_is_set() -> bool:
    return any(name in os.environ for name in _OTEL_ENDPOINTS)


class Settings(BaseSettings):
    """Read from the environment under the prefix QRESTORE_; arguments override the environment.

    A variable of that prefix that is no setting is refused as an argument would be.
    """

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid")

    host: str = Field(default="127.0.0.1", description="address that `qrestore serve` listens on")
    port: Annotated[int, Field(ge=0, le=65535)] = Field(
        default=8000, description="port that it listens on; 0 takes a free one"
    )
    log_format: Literal["auto", "json", "text"] = Field(
        default="auto", description="form of log lines; auto writes text on a terminal and JSON elsewhere"
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="lowest level that is logged"
    )

    device: Literal["auto", "cuda", "mps", "cpu"] = Field(
        default="auto", description="where the networks run; auto takes CUDA, else MPS, else the CPU; GPUs need torch"
    )
    backend: Backend = Field(
        default=Backend.AUTO,
        description="what runs the networks; auto takes torch on a GPU, else the fastest engine installed; openvino "
        "and onnx run exported ones on the CPU, onnx-int8 their 8-bit versions",
    )
    weights: Path = Field(default=_SHIPPED_WEIGHTS, description="folder; every .safetensors file in it is served")

    light_network: str = Field(default="lenet", description="network for regions sharper than the routing threshold")
    heavy_network: str = Field(default="eg-restormer-small", description="network for all other regions")
    upscale_network: str = Field(default="srresnet-x4", description="network that enlarges small codes four times")

    reader_network: str = Field(default="module-reader", description="network that reads modules")
    locator_network: str = Field(default="quad-locator", description="network that locates codes")

    workers: PositiveInt = Field(
        default_factory=_slots,
        description="requests processed at once, each in its own child process; others wait",
    )
    slow_workers: PositiveInt = Field(
        default_factory=lambda data: max(1, data.get("workers", 1) // 2),
        description="more child processes: requests that take long move to them, so that others need not wait",
    )
    quick_seconds: PositiveFloat = Field(
        default=0.25,
        description="seconds of work after which a request counts as slow; where the slow workers are busy and others "
        "wait, it begins again later",
    )
    queue: NonNegativeInt = Field(
        default_factory=lambda data: 8 * data.get("workers", 1),
        description="requests that may wait for a worker; more are refused with 429",
    )
    uploads: PositiveInt = Field(
        default=32, description="request bodies that may arrive at once; more are refused with 429"
    )
    upload_rate: PositiveFloat = Field(
        default=1024.0, description="bytes a second that a request body must bring; slower ones are refused with 408"
    )
    connections: Annotated[int, Field(ge=_FEWEST_CONNECTIONS)] = Field(
        default_factory=lambda data: min(_CONNECTIONS, most_connections(data.get("workers", 1))),
        description="connections that may be open at once; for another one the connection that has been idle longest "
        "is closed",
    )
    request_seconds: PositiveFloat = Field(
        default=30.0, description="deadline of a request after its arrival, upload and waiting included"
    )
    work_seconds: PositiveFloat = Field(default=20.0, description="longest time that a worker may spend on each image")
    drain_seconds: PositiveFloat = Field(
        default=32.0, description="longest wait for running requests after a signal to stop"
    )
    tasks_per_worker: PositiveInt = Field(default=1000, description="requests after which a child process is replaced")
    worker_memory_bytes: Annotated[int, Field(ge=1 << 27)] = Field(
        default=896 << 20, description="address space that a child process may add to what it starts with"
    )
    max_batch: PositiveInt | None = Field(
        default=None,
        description="samples of different requests that a network may run on at once; unset: 8 on a GPU, else 1",
    )
    batch_milliseconds: NonNegativeFloat = Field(
        default=2.0, description="longest time that an inference waits for others to join its batch"
    )
    torch_threads: PositiveInt = Field(
        default_factory=lambda data: _threads(data.get("workers", 1)),
        description="CPU threads of one network inference, and of OpenCV in each child process; OpenVINO gives a "
        "restorer the threads of all workers",
    )

    max_upload_bytes: PositiveInt = Field(default=20 * 1024 * 1024, description="largest request body, in bytes")
    max_pixels: Annotated[int, Field(ge=1, le=PIXEL_CEILING)] = Field(
        default=50_000_000,
        description="most pixels in all images of a request together, as their headers declare; each page of a file "
        "may have as many",
    )
    max_frames: PositiveInt = Field(default=8, description="most images in one request with `fuse=true`")
    max_pages: PositiveInt = Field(
        default=50,
        description="most pages of a PDF or TIFF, or frames of an animation, that a request reads; if there are more, "
        "`truncated` is true",
    )
    video: bool = Field(
        default=False,
        description="read videos (MP4, MOV, WebM), too; needs the extra `video`, see docs/operations.md#videos",
    )
    max_codes: Annotated[int, Field(ge=1, le=254)] = Field(  # zxing-cpp stops at 255, and one more must be seen
        default=250, description="most codes in one answer; if there are more, `truncated` is true"
    )
    api_keys_file: Path | None = Field(
        default=None,
        description="file with one API key a line, `name: key`, read again on SIGHUP; unset: requests need no key",
    )
    allowed_hosts: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        description="hosts that the service goes by, separated by commas, `*.example.org` for all below one; requests "
        "for others are refused with 421; unset: any",
    )
    cors_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        description="origins, such as `https://app.example.org`, separated by commas, whose pages may call the service "
        "from a browser; `*` for all; unset: none but the service's own",
    )
    tracing: bool = Field(
        default_factory=_otel_is_set,
        description="send traces to where the standard OTEL_ variables say; needs the extra otel",
    )
    docs: bool = Field(default=True, description="serve /docs, /redoc and /openapi.json")
    metrics: bool = Field(default=True, description="serve /metrics")
    page: bool = Field(default=True, description="serve the web page at /")
    admin_port: Annotated[int, Field(ge=0, le=65535)] | None = Field(
        default=None,
        description="second port for metrics and docs, with health and models; 0 takes a free one",
    )
    default_effort: Effort = Field(default=Effort.BALANCED, description="effort of a request that names none")
    budget_seconds: PositiveFloat = Field(
        default=4.0,
        description="seconds of work on each picture after which the search ends, unless the effort is thorough; what "
        "is unread then is named in the answer",
    )

    @model_validator(mode="before")
    @classmethod
    def _with_unknown_variables(cls, given: Any) -> Any:
        return given | unknown_variables() if isinstance(given, dict) else given

    @field_validator("*", mode="before")
    @classmethod
    def _not_empty(cls, value: object) -> object:
        if value == "":
            raise ValueError("it is empty: give it a value, or unset it")
        return value

    @field_validator("port", mode="before")
    @classmethod
    def _of_this_service(cls, port: object) -> object:
        if isinstance(port, str) and "://" in port:
            raise ValueError(
                "Kubernetes sets this for a service of this name: set the variable, or enableServiceLinks: false"
            )
        return port

    @field_validator("admin_port")
    @classmethod
    def _on_another_port(cls, admin_port: int | None, info: ValidationInfo) -> int | None:
        if admin_port and admin_port == info.data.get("port"):
            raise ValueError(f"{admin_port} is QRESTORE_PORT, too: it must be another port")
        return admin_port

    @field_validator("allowed_hosts", "cors_origins", mode="before")
    @classmethod
    def _separated(cls, words: object) -> object:
        return [each.strip() for each in words.lower().split(",") if each.strip()] if isinstance(words, str) else words

    @field_validator("cors_origins")
    @classmethod
    def _origins(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        for origin in origins:
            if origin != "*" and not _ORIGIN.fullmatch(origin):
                raise ValueError(f"{origin} is no origin: give scheme, host and port, as https://app.example.org:8443")
        return origins

    @field_validator("allowed_hosts")
    @classmethod
    def _names_of_hosts(cls, hosts: tuple[str, ...]) -> tuple[str, ...]:
        for host in hosts:
            if not _HOST.fullmatch(host):
                raise ValueError(f"{host} is no host: give names or addresses without port, or *.name")
        return hosts

    @field_validator("backend")
    @classmethod
    def _on_the_cpu(cls, backend: Backend, info: ValidationInfo) -> Backend:
        device = info.data.get("device", "auto")
        if backend not in {Backend.AUTO, Backend.TORCH} and device not in {"auto", "cpu"}:
            raise ValueError(f"{backend} runs on the CPU only, but the device is {device}")
        return backend

    def budget(self, effort: Effort) -> float:
        """Seconds of work on each picture after which a search at this effort ends, if the request names no budget."""
        return inf if effort is Effort.THOROUGH else self.budget_seconds


def unknown_variables() -> dict[str, str]:
    """Values of the QRESTORE_ variables of the environment that are no setting, by the names that they would have."""
    found: dict[str, str] = {}
    for variable, value in os.environ.items():
        name = variable.lower().removeprefix(PREFIX.lower())
        if variable.upper().startswith(PREFIX) and name not in Settings.model_fields:
            found |= {} if _is_of_kubernetes(variable, value) else {name: value}
    return found


def likely_setting(name: str) -> str:
    """The setting that somebody meant who wrote ``name``; empty if none is like it."""
    return next(iter(get_close_matches(name, Settings.model_fields, n=1, cutoff=0.7)), "")


def _is_of_kubernetes(variable: str, value: str) -> bool:
    return bool(_OF_KUBERNETES.fullmatch(variable)) or (variable.endswith("_PORT") and "://" in value)
