"""The monitoring files agree with the service, with one another and with the runbook."""

import re
import subprocess
import sys
from typing import Any

import pytest
import yaml

from app import errors
from app.settings import Settings
from app.telemetry.metrics import TABLE
from tests.support.monitoring import files, promql
from tests.support.monitoring.files import DASHBOARDS, GRAFANA, PROMETHEUS, RUNBOOK, Query
from tests.support.paths import ROOT

SERVICES: dict[str, dict[str, Any]] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
DATASOURCE = yaml.safe_load((GRAFANA / "provisioning/datasources/prometheus.yml").read_text())["datasources"][0]

# The suffixes of the samples of each kind of metric.
SAMPLE_SUFFIXES = {"Histogram": ("_bucket", "_count", "_sum"), "Counter": ("",), "Gauge": ("",)}
SCRAPED = {spec.name + suffix: spec for spec in TABLE for suffix in SAMPLE_SUFFIXES[spec.kind.__name__]}
RECORDED = files.recorded()
ALERTS = files.alerts()
OF_OTHERS = {
    "ALERTS": {"alertname", "alertstate"},
    "process_cpu_seconds_total": set[str](),
    "process_open_fds": set[str](),
    "process_resident_memory_bytes": set[str](),
    "process_start_time_seconds": set[str](),
    "prometheus_rule_evaluation_failures_total": {"rule_group"},
    "up": set[str](),
}
"""Series of Prometheus and its client library, with their labels."""
VARIABLES = {"job": "x", "instance": "x", "__rate_interval": "1m", "__range": "1h"}

BOUNDS = {
    "Ready replicas": "QrestoreNoReadyReplica",
    "Failed": "QrestoreErrorShareHigh",
    "Refused": "QrestoreRefusedShareHigh",
    "Memory used": "QrestoreMemoryNearLimit",
    "Unread share by hour": "QrestoreUnreadShareHigh",
}
"""Panels that turn red where the condition of an alert begins."""


def parsed(query: Query) -> str:
    return promql.substituted(query.expr, VARIABLES)


def labels_of(name: str) -> set[str]:
    """Every label that series of this name may carry. Raises KeyError for an unknown name."""
    if name in RECORDED:
        return set().union(*(labels_of(selector.name) for selector in promql.selectors(RECORDED[name])))
    if name in SCRAPED:
        return {"job", "instance", *SCRAPED[name].labels, *(["le"] if name.endswith("_bucket") else [])}
    return {"job", "instance", *OF_OTHERS[name]}


def metrics_behind(name: str) -> set[str]:
    """The names of the service's own metrics that a series derives from."""
    if name in RECORDED:
        return set().union(*(metrics_behind(selector.name) for selector in promql.selectors(RECORDED[name])))
    return {SCRAPED[name].name} if name in SCRAPED else set()


EXPRESSIONS = [
    *(pytest.param(parsed(query), query.legend, id=str(query)) for query in files.queries()),
    *(pytest.param(expression, "", id=name) for name, expression in RECORDED.items()),
    *(pytest.param(rule["expr"], "", id=name) for name, rule in ALERTS.items()),
]


@pytest.mark.parametrize(("expression", "legend"), EXPRESSIONS)
def test_names_and_labels_are_real(expression: str, legend: str) -> None:
    known = set().union(*(labels_of(selector.name) for selector in promql.selectors(expression)))
    assert promql.named_labels(expression) <= known
    assert set(promql.LABEL.findall(legend)) <= known
    for selector in promql.selectors(expression):
        assert {matcher.name for matcher in selector.matchers.matchers} <= labels_of(selector.name)


class TestDashboard:
    def test_is_up_to_date(self) -> None:
        command = [sys.executable, str(GRAFANA / "dashboard.py")]
        written = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout
        assert written == (DASHBOARDS / "qrestore.json").read_text(), "renew it as docker/grafana/dashboard.py says"

    def test_every_metric_has_a_panel(self) -> None:
        names = {selector.name for query in files.queries() for selector in promql.selectors(parsed(query))}
        shown = set().union(*map(metrics_behind, names))
        assert shown == {spec.name for spec in TABLE}

    @pytest.mark.parametrize("panel", files.panels(), ids=lambda panel: str(panel["title"]))
    def test_panel_explains_itself(self, panel: dict[str, Any]) -> None:
        assert panel["description"].endswith(".")
        assert panel["fieldConfig"]["defaults"]["unit"]
        assert panel["targets"]
        assert {source["uid"] for source in (panel["datasource"], *(t["datasource"] for t in panel["targets"]))} == {
            DATASOURCE["uid"]
        }

    def test_panels_do_not_overlap(self) -> None:
        taken: set[tuple[int, int]] = set()
        everything = files.dashboard()["panels"]
        for panel in everything:
            place = panel["gridPos"]
            cells = {
                (x, y)
                for x in range(place["x"], place["x"] + place["w"])
                for y in range(place["y"], place["y"] + place["h"])
            }
            assert not cells & taken, panel["title"]
            assert all(0 <= x < 24 for x, _ in cells), panel["title"]
            taken |= cells
        assert len({panel["id"] for panel in everything}) == len(everything)

    def test_overview_comes_first(self) -> None:
        title, overview = next(iter(files.rows().items()))
        assert title == "Overview"
        assert {panel["type"] for panel in overview} == {"stat"}

    def test_picture_shows_these_panels(self) -> None:
        """The description inside the picture lists the panels that it was drawn from."""
        titles = "; ".join(panel["title"] for panel in files.panels())
        assert b"tEXtDescription\0" + titles.encode("latin-1") in (ROOT / "docs/dashboard.png").read_bytes()

    def test_overridden_series_exist(self) -> None:
        for panel in files.panels():
            legends = {target["legendFormat"] for target in panel["targets"]}
            assert {override["matcher"]["options"] for override in panel["fieldConfig"]["overrides"]} <= legends

    @pytest.mark.parametrize(("title", "alert"), BOUNDS.items(), ids=BOUNDS)
    def test_panel_turns_red_where_the_alert_begins(self, title: str, alert: str) -> None:
        (panel,) = (panel for panel in files.panels() if panel["title"] == title)
        assert self.red(panel) in promql.bounds(ALERTS[alert]["expr"])

    def test_latency_turns_red_at_the_budget(self) -> None:
        (panel,) = (panel for panel in files.panels() if panel["title"] == "Latency, p95")
        assert f"vector({self.red(panel)})" == RECORDED["qrestore:latency_budget:seconds"]

    @staticmethod
    def red(panel: dict[str, Any]) -> float:
        """The value at which the panel turns red."""
        steps = panel["fieldConfig"]["defaults"]["thresholds"]["steps"]
        place = [step["color"] for step in steps].index("red")
        bound: float = steps[place or 1]["value"]
        return bound


class TestRules:
    def test_every_recorded_series_is_used(self) -> None:
        expressions = [*map(parsed, files.queries()), *RECORDED.values(), *(rule["expr"] for rule in ALERTS.values())]
        used = {selector.name for expression in expressions for selector in promql.selectors(expression)}
        assert set(RECORDED) <= used

    @pytest.mark.parametrize("alert", ALERTS.values(), ids=ALERTS)
    def test_alert_compares_and_explains(self, alert: dict[str, Any]) -> None:
        assert promql.operands(alert["expr"])
        assert alert["labels"]["severity"] in {"critical", "warning"}
        assert alert["annotations"]["summary"].endswith(".")
        assert "$value" in alert["annotations"]["description"] or "$labels" in alert["annotations"]["description"]

    def test_runbook_has_a_chapter_for_every_alert(self) -> None:
        chapters = re.findall(r"(?m)^## (\w+)$", RUNBOOK.read_text())
        assert chapters == list(ALERTS)
        relative = RUNBOOK.relative_to(ROOT)
        for name, alert in ALERTS.items():
            assert alert["annotations"]["runbook_url"] == f"{relative}#{name.lower()}"

    def test_runbook_names_only_what_exists(self) -> None:
        text = RUNBOOK.read_text()
        assert set(re.findall(r"`QRESTORE_(\w+)`", text)) <= {name.upper() for name in Settings.model_fields}
        categories = {kind.category: kind.status for kind in vars(errors).values() if hasattr(kind, "category")}
        stated = dict(re.findall(r"(?m)^  - `(\w+)` \((\d+)\)", text))
        assert stated
        assert stated.items() <= {category: str(status) for category, status in categories.items()}.items()
        known = {*RECORDED, *SCRAPED, *(spec.name for spec in TABLE)}
        assert set(re.findall(r"`((?:\w+:)?qrestore_[\w:]+)", text)) <= known
        titles = {*files.rows(), *(panel["title"] for panel in files.panels())}
        assert set(re.findall(r"(?<!\*)\*([^*]+)\*(?!\*)", " ".join(text.split()))) <= titles

    def test_every_alert_is_tested_firing_and_silent(self) -> None:
        files_of_tests = [yaml.safe_load(path.read_text()) for path in PROMETHEUS.glob("tests/*.yml")]
        tests = [test for file in files_of_tests for test in file["tests"]]
        expected = [case for test in tests for case in test.get("alert_rule_test", [])]
        assert {case["alertname"] for case in expected if case["exp_alerts"]} == set(ALERTS)
        assert {case["alertname"] for case in expected if not case["exp_alerts"]} == set(ALERTS)


class TestDeployment:
    def test_prometheus_scrapes_the_service(self) -> None:
        jobs = {job["job_name"]: job for job in yaml.safe_load(files.CONFIG.read_text())["scrape_configs"]}
        (target,) = jobs["qrestore"]["static_configs"][0]["targets"]
        host, _, port = target.partition(":")
        assert SERVICES[host]["ports"][0].endswith(f":{port}")
        assert f"/{jobs['qrestore']['metrics_path'].strip('/')}" == "/metrics"

    def test_rules_are_mounted_beside_the_configuration(self) -> None:
        sources = {volume.partition(":")[0] for volume in SERVICES["prometheus"]["volumes"]}
        assert f"./{PROMETHEUS.relative_to(ROOT)}" in sources
        assert RECORDED
        assert ALERTS

    def test_grafana_asks_the_composed_prometheus(self) -> None:
        host, port = DATASOURCE["url"].removeprefix("http://").split(":")
        assert SERVICES[host]["ports"][0].endswith(f":{port}")

    @pytest.mark.parametrize("service", [name for name in SERVICES if "build" in SERVICES[name]])
    def test_memory_limit_is_that_of_the_container(self, service: str) -> None:
        stated = re.fullmatch(r"\$\{MEMORY:-(\d+)([mg])\}", SERVICES[service]["mem_limit"])
        assert stated
        limit = int(stated[1]) * {"m": 1 << 20, "g": 1 << 30}[stated[2]]
        assert RECORDED["qrestore:memory_limit:bytes"] == f"vector({limit})"
