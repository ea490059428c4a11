"""The dashboard as code: Grafana's JSON is made from what panels.py says.

python docker/grafana/dashboard.py > docker/grafana/provisioning/dashboards/qrestore.json
"""

import json
import sys
from typing import Any, Final

from panels import ROWS
from parts import DATASOURCE

WIDTH: Final = 24


def layout() -> list[dict[str, Any]]:
    """Every panel in its place: rows from the top down, in each its panels from the left, wrapped at the width."""
    made: list[dict[str, Any]] = []
    y = 0
    for title, panels in ROWS:
        position = {"x": 0, "y": y, "w": WIDTH, "h": 1}
        made.append(
            {"id": len(made) + 1, "type": "row", "title": title, "collapsed": False, "gridPos": position, "panels": []}
        )
        x, y, tallest = 0, y + 1, 0
        for panel in panels:
            if x + panel.width > WIDTH:
                x, y, tallest = 0, y + tallest, 0
            made.append(panel.json(len(made) + 1, x, y))
            x, tallest = x + panel.width, max(tallest, panel.height)
        y += tallest
    return made


def variable(name: str, query: str) -> dict[str, Any]:
    return {
        "type": "query",
        "name": name,
        "label": name.capitalize(),
        "datasource": DATASOURCE,
        "query": {"query": query, "refId": "StandardVariableQuery"},
        "refresh": 2,
        "sort": 1,
        "multi": True,
        "includeAll": True,
        "current": {"text": ["All"], "value": ["$__all"]},
    }


def dashboard() -> dict[str, Any]:
    return {
        "uid": "qrestore",
        "title": "qrestore",
        "description": "Rate, latency and reading of the QR code service. Alerts are explained in docs/runbook.md.",
        "tags": ["qrestore"],
        "schemaVersion": 41,
        "version": 2,
        "editable": False,
        "graphTooltip": 1,
        "refresh": "10s",
        "time": {"from": "now-1h", "to": "now"},
        "timezone": "browser",
        "templating": {
            "list": [
                variable("job", "label_values(qrestore_build_info, job)"),
                variable("instance", 'label_values(qrestore_build_info{job=~"$job"}, instance)'),
            ]
        },
        "annotations": {
            "list": [
                {
                    "name": "Alerts",
                    "datasource": DATASOURCE,
                    "enable": True,
                    "iconColor": "red",
                    "expr": 'ALERTS{alertstate="firing"}',
                    "step": "10s",
                    "titleFormat": "{{alertname}}",
                    "textFormat": "{{instance}} {{endpoint}} {{reason}}",
                }
            ]
        },
        "panels": layout(),
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(dashboard(), indent=2, ensure_ascii=False) + "\n")
