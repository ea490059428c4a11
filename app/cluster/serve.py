"""The service as a deployment of Ray Serve: `serve run docker/ray/serve.yml`.

Each replica is the same FastAPI application with its own child processes, networks and admission control. A replica may
be handed more requests than its admission control admits, so that the service itself refuses what is too much, with 429
and `Retry-After`; only what exceeds that as well waits outside the replica. docker/ray/environment has HAProxy hand
them to the HTTP server of each replica; without it Ray's own proxy does, by a call of an actor.
"""

import asyncio
from typing import Any, Final

from fastapi import FastAPI
from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt
from ray import serve
from ray.serve.config import AutoscalingConfig

from app.cluster.process import hide_main
from app.cluster.scraping import mirror
from app.main import create_app
from app.service import Service
from app.settings import Settings
from app.telemetry.logs import start_logging

NAME: Final = "qrestore"
_REFUSALS: Final = 32
"""Requests to a full replica that are being refused, and probes, at any moment."""
_AWAY_SECONDS: Final = 5.0
"""Until no proxy sends requests to a replica that goes: RAY_SERVE_DIRECT_INGRESS_MIN_DRAINING_PERIOD_S."""
_LEAVE_SECONDS: Final = 3.0
"""After the drain, for children and networks to end."""
_SETTLE_SECONDS: Final = 1.0
_HEALTH_SECONDS: Final = 5.0


class Options(BaseModel):
    """Arguments of the application in Serve's configuration file.

    ``settings`` are QRESTORE_ settings by their names in lower case; the environment of the replicas gives the others.
    A replica takes ``num_cpus`` processors of its machine, by default as many as it has workers, and ``num_gpus`` GPUs,
    such as 0.25. ``busy`` is the share of slots that the autoscaler aims at between ``min_replicas`` and
    ``max_replicas``.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    settings: dict[str, Any] = {}
    min_replicas: PositiveInt = 1
    max_replicas: PositiveInt = 4
    busy: float = Field(default=0.7, gt=0, le=1)
    upscale_seconds: PositiveFloat = 10.0
    downscale_seconds: PositiveFloat = 300.0
    num_cpus: PositiveFloat | None = None
    num_gpus: float = Field(default=0.0, ge=0)


@serve.ingress()
class Replica:
    """One replica."""

    def __init__(self, settings: dict[str, Any]) -> None:
        hide_main()
        self._settings = Settings.model_validate(settings)
        start_logging(level=self._settings.log_level, form=self._settings.log_format)
        self._application = create_app(self._settings)
        self._mirror = asyncio.get_running_loop().create_task(mirror(self._service.metrics.registry))

    @property
    def _service(self) -> Service:
        service: Service = self._application.state.service
        return service

    def __serve_build_asgi_app__(self) -> FastAPI:
        return self._application

    def check_health(self) -> None:
        """Raises NotReady where the replica cannot work: Serve then starts another one in its place."""
        if self._service.runtime is not None:
            self._service.ready()


def build(options: Options) -> serve.Application:
    """The application for `serve run`. Raises ValidationError for settings that are not valid."""
    settings = Settings.model_validate(options.settings)
    named = ("workers", "slow_workers", "queue", "uploads")  # the replica's machine must not choose others
    fixed = options.settings | {name: getattr(settings, name) for name in named}
    scaling = AutoscalingConfig(
        min_replicas=options.min_replicas,
        max_replicas=max(options.min_replicas, options.max_replicas),
        target_ongoing_requests=options.busy * settings.workers,
        upscale_delay_s=options.upscale_seconds,
        downscale_delay_s=options.downscale_seconds,
    )
    deployment = serve.deployment(
        Replica,
        name=NAME,
        max_ongoing_requests=capacity(settings),
        max_queued_requests=-1,
        autoscaling_config=scaling,
        graceful_shutdown_timeout_s=_AWAY_SECONDS + settings.drain_seconds + _LEAVE_SECONDS,
        graceful_shutdown_wait_loop_s=_SETTLE_SECONDS,
        health_check_period_s=_HEALTH_SECONDS,
        ray_actor_options={"num_cpus": options.num_cpus or settings.workers, "num_gpus": options.num_gpus},
    )
    application: serve.Application = deployment.bind(fixed)
    return application


def capacity(settings: Settings) -> int:
    """Requests that a replica may have at once: all that its admission control takes in, and those it refuses.

    Both lanes, the queue of each, and the bodies that arrive.
    """
    lanes = settings.workers + settings.slow_workers + 2 * settings.queue
    return lanes + settings.uploads + _REFUSALS
