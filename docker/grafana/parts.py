"""What panels are made of: PromQL by name and filter, and Grafana's JSON for the few kinds of panel in use.

Expressions are filtered by the dashboard's variables `job` and `instance`; what is recorded of all replicas together by
the first only.
"""

from dataclasses import dataclass, field
from typing import Any, Final

JOB: Final = 'job=~"$job"'
DATASOURCE: Final = {"type": "prometheus", "uid": "prometheus"}


def series(name: str, *matchers: str) -> str:
    return of_job(name, 'instance=~"$instance"', *matchers)


def of_job(name: str, *matchers: str) -> str:
    return f"{name}{{{', '.join((JOB, *matchers))}}}"


def rate(name: str, *matchers: str, window: str = "$__rate_interval") -> str:
    return f"rate({series(name, *matchers)}[{window}])"


def increase(name: str, *matchers: str, window: str = "$__rate_interval") -> str:
    return f"increase({series(name, *matchers)}[{window}])"


def total(expression: str, *by: str) -> str:
    return f"sum by ({', '.join(by)}) ({expression})" if by else f"sum({expression})"


def quantile(
    q: float, histogram: str, *by: str, matchers: tuple[str, ...] = (), window: str = "$__rate_interval"
) -> str:
    return f"histogram_quantile({q}, {total(rate(histogram + '_bucket', *matchers, window=window), *by, 'le')})"


def share(part: str, whole: str) -> str:
    """0, not absent, before the first event of the part."""
    return f"({part} or 0 * {whole}) / {whole}"


@dataclass(frozen=True)
class Query:
    expr: str
    legend: str = ""


@dataclass(frozen=True)
class Panel:
    title: str
    description: str
    queries: tuple[Query, ...]
    unit: str
    width: int
    height: int = 8
    kind: str = "timeseries"
    stacked: bool = False
    bars: bool = False
    top: float | None = None
    steps: tuple[tuple[str, float | None], ...] = (("green", None),)
    overrides: tuple[dict[str, Any], ...] = ()
    options: dict[str, Any] = field(default_factory=dict)

    def json(self, number: int, x: int, y: int) -> dict[str, Any]:
        made: dict[str, Any] = {
            "id": number,
            "type": self.kind,
            "title": self.title,
            "description": self.description,
            "datasource": DATASOURCE,
            "gridPos": {"x": x, "y": y, "w": self.width, "h": self.height},
            "fieldConfig": {"defaults": self._defaults(), "overrides": list(self.overrides)},
            "options": SHAPES[self.kind] | self.options,
            "targets": [self._target(index, query) for index, query in enumerate(self.queries)],
        }
        if self.kind == "table":
            made["transformations"] = [{"id": "organize", "options": {"excludeByName": HIDDEN, "indexByName": ORDER}}]
        return made

    def _defaults(self) -> dict[str, Any]:
        colours = [{"color": colour, "value": value} for colour, value in self.steps]
        defaults: dict[str, Any] = {"unit": self.unit, "thresholds": {"mode": "absolute", "steps": colours}}
        if self.kind in {"timeseries", "bargauge"}:
            defaults["min"] = 0
        if self.top is not None:
            defaults["max"] = self.top
        if self.kind == "timeseries":
            defaults["color"] = {"mode": "palette-classic"}
            defaults["custom"] = {
                "drawStyle": "bars" if self.bars else "line",
                "fillOpacity": 40 if self.stacked or self.bars else 8,
                "lineWidth": 1 if self.stacked or self.bars else 2,
                "showPoints": "never",
                "stacking": {"mode": "normal" if self.stacked else "none", "group": "A"},
                "thresholdsStyle": {"mode": "dashed" if len(self.steps) > 1 else "off"},
            }
        elif self.kind != "table":
            defaults["color"] = {"mode": "thresholds"}
        return defaults

    def _target(self, index: int, query: Query) -> dict[str, Any]:
        target: dict[str, Any] = {
            "refId": chr(ord("A") + index),
            "datasource": DATASOURCE,
            "expr": query.expr,
            "legendFormat": query.legend,
        }
        if self.kind in {"heatmap", "bargauge"}:
            target["format"] = "heatmap"  # cumulative buckets become separate ones
        if self.kind == "table":
            target["format"] = "table"
        if self.kind in {"stat", "bargauge", "table"}:
            target |= {"instant": True, "range": False}
        return target


SHAPES: Final[dict[str, dict[str, Any]]] = {
    "timeseries": {
        "legend": {"displayMode": "table", "placement": "bottom", "calcs": ["lastNotNull", "max"]},
        "tooltip": {"mode": "multi", "sort": "desc"},
    },
    "stat": {
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        "colorMode": "background",
        "graphMode": "none",
        "textMode": "value",
        "justifyMode": "center",
    },
    "heatmap": {
        "calculate": False,
        "cellGap": 1,
        "color": {"mode": "scheme", "scheme": "Blues", "steps": 64},
        "legend": {"show": True},
        "tooltip": {"mode": "single", "yHistogram": True},
        "yAxis": {"axisPlacement": "left"},
    },
    "bargauge": {
        "orientation": "horizontal",
        "displayMode": "basic",
        "valueMode": "text",
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
    },
    "table": {"showHeader": True},
}
ORDER: Final = {name: place for place, name in enumerate(("name", "architecture", "parameters", "device"))}
HIDDEN: Final = dict.fromkeys(("Time", "Value", "__name__", "job"), True)


def dashed(legend: str, colour: str = "red") -> dict[str, Any]:
    """A bound that a series is held to, drawn as such and not stacked with it."""
    return {
        "matcher": {"id": "byName", "options": legend},
        "properties": [
            {"id": "color", "value": {"mode": "fixed", "fixedColor": colour}},
            {"id": "custom.lineStyle", "value": {"fill": "dash", "dash": [8, 6]}},
            {"id": "custom.fillOpacity", "value": 0},
            {"id": "custom.stacking", "value": {"mode": "none", "group": "A"}},
        ],
    }
