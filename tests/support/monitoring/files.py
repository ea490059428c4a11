"""The monitoring files as they are deployed."""

import json
from dataclasses import dataclass
from typing import Any, Final

import yaml

from tests.support.paths import ROOT

PROMETHEUS: Final = ROOT / "docker/prometheus"
GRAFANA: Final = ROOT / "docker/grafana"
DASHBOARDS: Final = GRAFANA / "provisioning/dashboards"
CONFIG: Final = PROMETHEUS / "prometheus.yml"
RUNBOOK: Final = ROOT / "docs/runbook.md"


@dataclass(frozen=True)
class Query:
    """One query of one panel."""

    panel: str
    expr: str
    legend: str

    def __str__(self) -> str:
        return f"{self.panel}: {self.legend}" if self.legend else self.panel


def dashboard() -> dict[str, Any]:
    made: dict[str, Any] = json.loads((DASHBOARDS / "qrestore.json").read_text())
    return made


def rows() -> dict[str, list[dict[str, Any]]]:
    """Row title -> its panels, in the order of the dashboard."""
    found: dict[str, list[dict[str, Any]]] = {}
    for panel in dashboard()["panels"]:
        if panel["type"] == "row":
            inside = found.setdefault(panel["title"], [])
            inside += panel["panels"]
        else:
            inside.append(panel)
    return found


def panels() -> list[dict[str, Any]]:
    return [panel for row in rows().values() for panel in row]


def queries() -> list[Query]:
    return [
        Query(panel["title"], target["expr"], target["legendFormat"])
        for panel in panels()
        for target in panel["targets"]
    ]


def rules() -> list[dict[str, Any]]:
    """Every rule that the configuration of Prometheus loads."""
    patterns = yaml.safe_load(CONFIG.read_text())["rule_files"]
    paths = sorted(path for pattern in patterns for path in PROMETHEUS.glob(pattern))
    groups = [group for path in paths for group in yaml.safe_load(path.read_text())["groups"]]
    return [rule for group in groups for rule in group["rules"]]


def recorded() -> dict[str, str]:
    """Name of a recorded series -> its expression."""
    return {rule["record"]: rule["expr"] for rule in rules() if "record" in rule}


def alerts() -> dict[str, dict[str, Any]]:
    return {rule["alert"]: rule for rule in rules() if "alert" in rule}
