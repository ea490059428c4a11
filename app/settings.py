"""Everything an operator may set, and the only reader of the environment."""

import os
from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    ValidationInfo,
    field_validator,
)
from pydantic_settings import BaseSettings, SettingsConfigDict

from app.pipeline import PIXEL_CEILING
from app.pipeline.inference.runners import Backend
from app.pipeline.results import Effort

_PACKAGE = Path(__file__).resolve().parent
_IN_WHEEL = _PACKAGE / "weights"
_SHIPPED_WEIGHTS = _IN_WHEEL if _IN_WHEEL.is_dir() else _PACKAGE.parent / "weights"  # beside the package in a checkout

_OTEL_ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")


def _slots() -> int:
    return min(4, os.cpu_count() or 1)


def _threads() -> int:
    return min(8, max(1, (os.cpu_count() or 1) // _slots()))  # each slot has as many, and small networks use no more


def _otel_is_set() -> bool:
    return any(name in os.environ for name in _OTEL_ENDPOINTS)


class Settings(BaseSettings):
    """Read from the environment under the prefix QRESTORE_; arguments win over the environment."""

    model_config = SettingsConfigDict(env_prefix="QRESTORE_", frozen=True, extra="forbid")

    host: str = Field(default="127.0.0.1", description="address that `qrestore serve` listens on")
    port: Annotated[int, Field(ge=0, le=65535)] = Field(default=8000, description="port; 0 takes a free one")
    log_format: Literal["auto", "json", "text"] = Field(
        default="auto", description="form of the lines logged; auto is text on a terminal and JSON elsewhere"
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="least severe of the lines logged"
    )

    device: Literal["auto", "cuda", "mps", "cpu"] = Field(
        default="auto", description="where the networks run; auto takes CUDA, else MPS, else the CPU"
    )
    backend: Backend = Field(
        default=Backend.TORCH,
        description="what runs the networks; onnx runs exported ones on the CPU, onnx-int8 their 8-bit forms if made",
    )
    weights: Path = Field(default=_SHIPPED_WEIGHTS, description="folder whose every .safetensors file is served")

    light_network: str = Field(default="lenet", description="network for crops above the blur threshold")
    heavy_network: str = Field(default="eg-restormer-small", description="network for crops at or below it")
    upscale_network: str = Field(default="srresnet-x4", description="network that enlarges four times")

    reader_network: str = Field(default="module-reader", description="network that reads modules")
    locator_network: str = Field(default="quad-locator", description="network that finds codes")

    workers: PositiveInt = Field(
        default_factory=_slots, description="images worked on at once, each in a child process of its own; others wait"
    )
    queue: NonNegativeInt = Field(
        default_factory=lambda data: 8 * data.get("workers", 1),
        description="requests that may wait for a worker; more are refused with 429",
    )
    uploads: PositiveInt = Field(default=32, description="request bodies that may be on their way in at once")
    request_seconds: PositiveFloat = Field(
        default=30.0, description="deadline of a request, from its arrival, waiting and upload included"
    )
    work_seconds: PositiveFloat = Field(
        default=20.0, description="the part of it that a worker may spend on each image"
    )
    drain_seconds: PositiveFloat = Field(
        default=32.0, description="longest wait for running requests when the service is told to stop"
    )
    tasks_per_worker: PositiveInt = Field(default=1000, description="images after which a child process is replaced")
    worker_memory_bytes: Annotated[int, Field(ge=1 << 27)] = Field(
        default=2 << 30, description="address space that a child process may add to what it starts with"
    )
    max_batch: PositiveInt | None = Field(
        default=None, description="samples of different requests that a network may see at once; 8 on a GPU, else 1"
    )
    batch_milliseconds: NonNegativeFloat = Field(
        default=2.0, description="longest wait of an inference for others to join it"
    )
    torch_threads: PositiveInt = Field(default_factory=_threads, description="CPU threads of one network inference")

    max_upload_bytes: PositiveInt = Field(default=20 * 1024 * 1024, description="largest request body, in bytes")
    max_pixels: Annotated[int, Field(ge=1, le=PIXEL_CEILING)] = Field(
        default=50_000_000, description="most pixels in all images of a request together, read from their headers"
    )
    max_frames: PositiveInt = Field(default=8, description="most images that one request may have fused")
    max_codes: Annotated[int, Field(ge=1, le=254)] = Field(  # zxing-cpp stops at 255, and one more must be seen
        default=250, description="most codes in one answer; more set `truncated`"
    )
    api_keys_file: Path | None = Field(
        default=None, description="file with an API key a line; without it nobody needs one"
    )
    tracing: bool = Field(
        default_factory=_otel_is_set,
        description="send traces to where the standard OTEL_ variables say (needs the extra otel)",
    )
    docs: bool = Field(default=True, description="serve /docs, /redoc and /openapi.json")
    metrics: bool = Field(default=True, description="serve /metrics")
    page: bool = Field(default=True, description="serve the page for people at /")
    admin_port: Annotated[int, Field(ge=0, le=65535)] | None = Field(
        default=None,
        description="port, on the same address, to which metrics and docs move, beside health and models; 0: any",
    )
    default_effort: Effort = Field(default=Effort.BALANCED, description="effort of a request that names none")

    @field_validator("backend")
    @classmethod
    def _on_the_cpu(cls, backend: Backend, info: ValidationInfo) -> Backend:
        device = info.data.get("device", "auto")
        if backend is not Backend.TORCH and device not in {"auto", "cpu"}:
            raise ValueError(f"{backend} runs on the CPU only, but the device asked for is {device}")
        return backend
