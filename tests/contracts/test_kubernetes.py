"""The manifests of docker/kubernetes fit Kubernetes' schemas, and the service's settings, routes, metrics and image."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from math import ceil
from typing import Any, Final

import kubernetes_validate
import pytest
import yaml
from fastapi.testclient import TestClient

from app import __version__
from app.main import create_app
from app.settings import PREFIX, Settings
from app.telemetry.metrics import TABLE
from tests.support.monitoring import promql
from tests.support.monitoring.files import CONFIG
from tests.support.paths import ROOT

FOLDER: Final = ROOT / "docker/kubernetes"
BESIDE: Final = {"kustomization.yml", "metrics-adapter.yml", "prometheus.yml"}
"""What is no manifest."""
MANIFESTS: Final = sorted(path for path in FOLDER.glob("*.yml") if path.name not in BESIDE)
VERSIONS: Final = ["1.30", kubernetes_validate.latest_version()]
DOCKERFILE: Final = (ROOT / "Dockerfile").read_text()


@cache
def read(name: str) -> Any:
    return yaml.safe_load((FOLDER / name).read_text())


KUSTOMIZATION: Final = read("kustomization.yml")
POD: Final[dict[str, Any]] = read("deployment.yml")["spec"]["template"]["spec"]
CONTAINER: Final[dict[str, Any]] = POD["containers"][0]
ENVIRONMENT: Final = {entry["name"]: entry["value"] for entry in CONTAINER["env"]}
SETTINGS: Final = Settings(
    workers=ceil(float(CONTAINER["resources"]["limits"]["cpu"])),
    **{name.removeprefix(PREFIX).lower(): value for name, value in ENVIRONMENT.items()},
)
"""Those of a replica, whose limit of processors says how many workers it has."""
PORTS: Final = {port["name"]: port["containerPort"] for port in CONTAINER["ports"]}
PROBES: Final = [CONTAINER[f"{name}Probe"] for name in ("startup", "readiness", "liveness")]
LABELS: Final[dict[str, str]] = read("deployment.yml")["spec"]["template"]["metadata"]["labels"]


def built() -> Iterator[dict[str, Any]]:
    """What `kubectl apply -k` would send."""
    command = ["kubectl", "kustomize", str(FOLDER)]
    yield from yaml.safe_load_all(
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout
    )


class TestKustomization:
    def test_names_every_manifest(self) -> None:
        assert set(KUSTOMIZATION["resources"]) == {path.name for path in MANIFESTS}
        assert KUSTOMIZATION["namespace"] == read("namespace.yml")["metadata"]["name"]

    def test_image_is_that_of_the_project(self) -> None:
        (image,) = KUSTOMIZATION["images"]
        assert (image["name"], image["newTag"]) == (CONTAINER["image"], __version__)

    @pytest.mark.skipif(shutil.which("kubectl") is None, reason="there is no kubectl")
    @pytest.mark.parametrize("version", VERSIONS)
    def test_what_it_builds_fits_the_schemas(self, version: str) -> None:
        kinds = set()
        for manifest in built():
            kubernetes_validate.validate(manifest, version, strict=True)
            kinds.add(manifest["kind"])
        assert len(kinds) == len(MANIFESTS)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.stem)
def test_manifest_fits_the_schema(path: Any, version: str) -> None:
    kubernetes_validate.validate(read(path.name), version, strict=True)


def test_a_misspelt_field_is_found() -> None:
    wrong = {**read("service.yml"), "spec": {"port": []}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, VERSIONS[-1], strict=True)


def test_every_selector_finds_the_pods() -> None:
    (spread,) = POD["topologySpreadConstraints"]
    selectors = [
        read("deployment.yml")["spec"]["selector"]["matchLabels"],
        read("service.yml")["spec"]["selector"],
        read("disruption.yml")["spec"]["selector"]["matchLabels"],
        read("network.yml")["spec"]["podSelector"]["matchLabels"],
        spread["labelSelector"]["matchLabels"],
    ]
    assert selectors == [LABELS] * len(selectors)


class TestPod:
    def test_environment_names_settings(self) -> None:
        assert {name.removeprefix(PREFIX).lower() for name in ENVIRONMENT} <= set(Settings.model_fields)
        assert POD["enableServiceLinks"] is False

    def test_ports_are_those_of_the_service(self) -> None:
        (exposed,) = re.findall(r"(?m)^EXPOSE (\d+)$", DOCKERFILE)
        assert {"http": int(exposed), "admin": SETTINGS.admin_port} == PORTS
        (port,) = read("service.yml")["spec"]["ports"]
        assert port["targetPort"] == "http"

    @pytest.mark.parametrize("probe", PROBES, ids=["startup", "readiness", "liveness"])
    def test_probes_ask_what_is_served(self, probe: dict[str, Any]) -> None:
        """Of an application that has not started: it is alive, and not ready."""
        path = probe["httpGet"]["path"]
        answer = TestClient(create_app(SETTINGS)).get(path)
        assert answer.status_code == {"/livez": 200, "/readyz": 503}[path]
        assert probe["httpGet"]["port"] == "http"

    def test_only_a_dead_server_is_restarted(self) -> None:
        """One that drains or is full is not: /livez answers all the while."""
        startup, readiness, liveness = PROBES
        assert [probe["httpGet"]["path"] for probe in PROBES] == ["/readyz", "/readyz", "/livez"]
        assert startup["periodSeconds"] * startup["failureThreshold"] >= 60
        assert liveness["periodSeconds"] * liveness["failureThreshold"] > SETTINGS.request_seconds
        assert readiness["timeoutSeconds"] < readiness["periodSeconds"]

    def test_grace_period_covers_the_drain(self) -> None:
        waits = CONTAINER["lifecycle"]["preStop"]["sleep"]["seconds"]
        assert POD["terminationGracePeriodSeconds"] >= waits + SETTINGS.drain_seconds + 2 + 5

    def test_has_no_privilege(self) -> None:
        (user,) = re.findall(r"(?m)^USER (\d+):\d+$", DOCKERFILE)
        shared, own = POD["securityContext"], CONTAINER["securityContext"]
        assert shared == {
            "runAsNonRoot": True,
            "runAsUser": int(user),
            "runAsGroup": int(user),
            "seccompProfile": {"type": "RuntimeDefault"},
        }
        assert own == {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
        }
        assert POD["automountServiceAccountToken"] is False
        assert read("namespace.yml")["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"

    def test_memory_is_enough_for_the_children_and_the_server(self) -> None:
        """By the rule of docs/operations.md."""
        limit = float(CONTAINER["resources"]["limits"]["memory"].removesuffix("Gi"))
        assert limit >= 0.9 * (SETTINGS.workers + SETTINGS.slow_workers) + 0.5
        for resource in ("cpu", "memory"):
            assert CONTAINER["resources"]["requests"][resource] == CONTAINER["resources"]["limits"][resource]

    def test_only_tmp_can_be_written(self) -> None:
        (volume,) = POD["volumes"]
        (mount,) = CONTAINER["volumeMounts"]
        assert (volume["name"], mount["mountPath"]) == (mount["name"], "/tmp")
        assert volume["emptyDir"]["medium"] == "Memory"


class TestScaling:
    def test_metric_is_made_of_the_services_own(self) -> None:
        (rule,) = read("metrics-adapter.yml")["rules"]["custom"]
        query = re.sub(r"<<\.GroupBy>>", "namespace, pod", re.sub(r"\{<<\.LabelMatchers>>\}", "", rule["metricsQuery"]))
        names = {selector.name for selector in promql.selectors(query)}
        assert names == {"qrestore_busy_slots", "qrestore_slots"} <= {spec.name for spec in TABLE}
        assert promql.selectors(rule["seriesQuery"])[0].name in names
        assert set(rule["resources"]["overrides"]) == {"namespace", "pod"}
        (metric,) = read("autoscaler.yml")["spec"]["metrics"]
        assert metric["pods"]["metric"]["name"] == rule["name"]["as"]

    def test_labels_of_the_metric_are_given_by_the_scrape(self) -> None:
        (job, _) = read("prometheus.yml")["scrape_configs"]
        given = {rule["target_label"] for rule in job["relabel_configs"] if "target_label" in rule}
        assert given == {"namespace", "pod", "instance"}
        (keep,) = (rule for rule in job["relabel_configs"] if rule.get("action") == "keep")
        assert keep["regex"] == f"{LABELS['app.kubernetes.io/name']};admin"
        names = job["kubernetes_sd_configs"][0]["namespaces"]["names"]
        assert names == [KUSTOMIZATION["namespace"]]

    def test_prometheus_differs_from_the_other_only_in_how_it_finds_replicas(self) -> None:
        ours, other = yaml.safe_load((FOLDER / "prometheus.yml").read_text()), yaml.safe_load(CONFIG.read_text())
        for name in ("kubernetes_sd_configs", "relabel_configs"):
            del ours["scrape_configs"][0][name]
        del other["scrape_configs"][0]["static_configs"]
        assert ours == other

    def test_scales_what_is_deployed_and_keeps_one_replica(self) -> None:
        spec, deployment = read("autoscaler.yml")["spec"], read("deployment.yml")
        target = spec["scaleTargetRef"]
        assert (target["kind"], target["name"]) == (deployment["kind"], deployment["metadata"]["name"])
        assert "replicas" not in deployment["spec"]
        assert spec["minReplicas"] > read("disruption.yml")["spec"]["maxUnavailable"]


class TestNetwork:
    SPEC: Final = read("network.yml")["spec"]

    def test_lets_out_nothing(self) -> None:
        assert set(self.SPEC["policyTypes"]) == {"Ingress", "Egress"}
        assert self.SPEC["egress"] == []

    def test_each_port_is_open_to_whom_it_is_for(self) -> None:
        labels = {
            rule["ports"][0]["port"]: rule["from"][0]["namespaceSelector"]["matchLabels"]
            for rule in self.SPEC["ingress"]
        }
        assert labels == {"http": {"qrestore-clients": "allowed"}, "admin": {"qrestore-metrics": "allowed"}}
        assert set(labels) == set(PORTS)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("setpriv") is None, reason="there is no setpriv")
def test_children_confine_themselves_without_any_privilege() -> None:
    """A process without a capability, that can gain none, as in the pod: seccomp and Landlock still work."""
    bare = ["setpriv", "--no-new-privs", "--bounding-set=-all", "--inh-caps=-all"]
    doctor = [sys.executable, "-m", "app.cli", "doctor", "--port", "0"]
    output = subprocess.run([*bare, *doctor], cwd=ROOT, check=True, capture_output=True, text=True, timeout=120).stdout
    assert re.search(r"(?m)^ok +child processes: start, and are confined$", output)
