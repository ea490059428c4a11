"""The deployment that `serve run` makes of its configuration, without a cluster."""

import warnings
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from app.settings import Settings
from tests.support.live.ray_serve import SHIPPED, shipped_variables

pytest.importorskip("ray", reason="ray is not installed: it is in the extra ray")

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # Ray's own, of pydantic
    from ray.serve._private import constants

    from app.cluster import serve


def deployment(**options: object) -> Any:
    return serve.build(serve.Options.model_validate(options))._bound_deployment


def test_the_shipped_configuration_is_valid() -> None:
    config = yaml.safe_load(SHIPPED.read_text())
    (application,) = config["applications"]
    assert application["import_path"] == "app.cluster.serve:build"
    made = deployment(**application["args"])
    assert made.name == serve.NAME
    assert made.ray_actor_options["num_cpus"] == application["args"]["settings"]["workers"]
    assert made._deployment_config.autoscaling_config.max_replicas == application["args"]["max_replicas"]


def test_a_replica_may_have_more_requests_than_it_admits() -> None:
    """So that the service refuses what is too much, not Ray's proxy."""
    settings = {"workers": 3, "slow_workers": 2, "queue": 5, "uploads": 7}
    made = deployment(settings=settings)
    assert made.max_ongoing_requests == serve.capacity(Settings.model_validate(settings)) > 3 + 2 + 2 * 5 + 7
    assert made.max_queued_requests == -1


def test_replicas_take_what_the_builder_has_found() -> None:
    """Else a replica on a larger machine would admit more than its deployment may hand it."""
    made = deployment(settings={"max_pages": 3}, num_cpus=2, num_gpus=0.25)
    (given,) = made.init_args
    found = Settings()
    assert given == {
        "max_pages": 3,
        "workers": found.workers,
        "slow_workers": found.slow_workers,
        "queue": found.queue,
        "uploads": found.uploads,
    }
    assert made.ray_actor_options["num_gpus"] == 0.25
    assert made.ray_actor_options["num_cpus"] == 2


def test_the_drain_is_waited_for() -> None:
    made = deployment(settings={"drain_seconds": 100})
    assert made._deployment_config.graceful_shutdown_timeout_s > 100


def test_the_shipped_environment_fits() -> None:
    """Ray knows every variable; the times fit those of the service."""
    variables = shipped_variables()
    assert [name for name in variables if not hasattr(constants, name)] == []
    assert float(variables["RAY_SERVE_DIRECT_INGRESS_MIN_DRAINING_PERIOD_S"]) == serve._AWAY_SECONDS
    assert int(variables["RAY_SERVE_HAPROXY_TIMEOUT_SERVER_S"]) > Settings().request_seconds
    assert variables["RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH"] == "app.cluster.proxy.middlewares"


@pytest.mark.parametrize("options", [{"num_gpu": 1}, {"busy": 0}, {"settings": {"worker": 1}}, {"min_replicas": 0}])
def test_bad_options_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        deployment(**options)
