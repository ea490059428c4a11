"""The rules and the queries of the dashboard on a real Prometheus that scrapes the real service under a mixed load."""

import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

import pytest
import yaml

from tests.support.live.servers import running
from tests.support.monitoring import files, promql
from tests.support.monitoring.files import CONFIG, PROMETHEUS, Query
from tests.support.monitoring.stack import (
    MISSING,
    Load,
    Prometheus,
    burst,
    mixture,
    prometheus,
    wait_until_ready,
    write_keys,
)
from tests.support.paths import ROOT
from tests.support.ports import lasting_port

T = TypeVar("T")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(MISSING), reason=f"apt-get install prometheus: there is no {' and no '.join(MISSING)}"),
]

PATIENCE = 45.0
"""Seconds after the start within which every series must have data."""


@dataclass(frozen=True)
class Scraped:
    """A Prometheus that has scraped the service at `address` since `began` of the monotonic clock."""

    prometheus: Prometheus
    address: str
    began: float

    def parsed(self, query: Query) -> str:
        windows = {"__rate_interval": "10s", "__range": "1m"}
        return promql.substituted(query.expr, windows | {"job": "qrestore", "instance": self.address})

    def eventually(self, ask: Callable[[], T]) -> T:
        """The first answer that is not empty, or the last one when PATIENCE with the whole run is over."""
        while not (answer := ask()) and time.monotonic() < self.began + PATIENCE:
            time.sleep(0.5)
        return answer


@pytest.fixture(scope="module")
def scraped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scraped]:
    calls = mixture()
    folder = tmp_path_factory.mktemp("prometheus")
    with running(workers=2, queue=2, api_keys_file=write_keys(folder)) as server:
        address = f"127.0.0.1:{server.port}"
        wait_until_ready(address)
        with prometheus(folder, address) as asked, Load(address, calls, clients=3):
            assert any(429 in burst(address, calls[0], 16) for _ in range(10))
            yield Scraped(asked, address, began=time.monotonic())


def promtool(*arguments: str | Path) -> str:
    result = subprocess.run(["promtool", *map(str, arguments)], check=False, capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def test_configuration_is_valid() -> None:
    output = promtool("check", "config", CONFIG)
    assert sum(map(int, re.findall(r"(\d+) rules found", output))) == len(files.rules())


@pytest.mark.parametrize("folder", ["docker/replicas", "docker/kubernetes", "docker/ray"])
def test_configuration_of_replicas_is_valid(folder: str, tmp_path: Path) -> None:
    """With the same rules beside it, as it is mounted, but for what Debian's build of Prometheus lacks."""
    shutil.copytree(PROMETHEUS / "rules", tmp_path / "rules")
    config = yaml.safe_load((ROOT / folder / "prometheus.yml").read_text())
    config["scrape_configs"][0].pop("kubernetes_sd_configs", None)
    (tmp_path / "prometheus.yml").write_text(yaml.safe_dump(config))
    output = promtool("check", "config", tmp_path / "prometheus.yml")
    assert sum(map(int, re.findall(r"(\d+) rules found", output))) == len(files.rules())


def test_rules_are_valid_and_none_is_repeated() -> None:
    promtool("check", "rules", "--lint=all", "--lint-fatal", *sorted(PROMETHEUS.glob("rules/*.yml")))


@pytest.mark.parametrize("path", sorted(PROMETHEUS.glob("tests/*.yml")), ids=lambda path: path.stem)
def test_rules_do_what_their_tests_say(path: Path) -> None:
    promtool("test", "rules", path)


@pytest.mark.parametrize("query", files.queries(), ids=str)
def test_dashboard_query_returns_data(scraped: Scraped, query: Query) -> None:
    expression = scraped.parsed(query)
    series = scraped.eventually(lambda: scraped.prometheus.now(expression))
    assert series
    assert all(all(labels.get(label) for label in promql.LABEL.findall(query.legend)) for labels, _ in series)


PLOTTED = [panel for panel in files.panels() if panel["type"] == "timeseries"]


@pytest.mark.parametrize("panel", PLOTTED, ids=lambda panel: str(panel["title"]))
def test_legends_tell_the_series_apart(scraped: Scraped, panel: dict[str, object]) -> None:
    queries = [query for query in files.queries() if query.panel == panel["title"]]
    found = [scraped.eventually(partial(scraped.prometheus.now, scraped.parsed(query))) for query in queries]
    shown = [
        promql.named(query.legend, labels) for query, series in zip(queries, found, strict=True) for labels, _ in series
    ]
    assert all(shown)
    assert len(set(shown)) == len(shown)


@pytest.mark.parametrize("name", files.recorded())
def test_recorded_series_has_data(scraped: Scraped, name: str) -> None:
    assert scraped.eventually(lambda: scraped.prometheus.now(name))


ALERT_OPERANDS = [
    pytest.param(operand, id=f"{name} {index}")
    for name, alert in files.alerts().items()
    for index, operand in enumerate(promql.operands(alert["expr"]))
]


@pytest.mark.parametrize("operand", ALERT_OPERANDS)
def test_operands_of_an_alert_have_data(scraped: Scraped, operand: str) -> None:
    assert scraped.eventually(lambda: scraped.prometheus.now(operand))


def test_no_rule_fails(scraped: Scraped) -> None:
    def evaluated() -> list[dict[str, str]]:
        """Every rule; nothing while there is one that has not been evaluated yet."""
        rules = [rule for group in scraped.prometheus.ask("rules")["groups"] for rule in group["rules"]]
        return [] if any(rule["health"] == "unknown" for rule in rules) else rules

    rules = scraped.eventually(evaluated)
    assert len(rules) == len(files.rules())
    assert {(rule["health"], rule.get("lastError", "")) for rule in rules} == {("ok", "")}


def test_targets_are_scraped_whole(scraped: Scraped) -> None:
    targets = scraped.prometheus.ask("targets")["activeTargets"]
    assert {target["labels"]["job"] for target in targets} == {"qrestore", "prometheus"}
    (asked,) = (target for target in targets if target["labels"]["job"] == "qrestore")
    assert asked["scrapeUrl"] == f"http://{scraped.address}/metrics"
    assert scraped.eventually(lambda: scraped.prometheus.now('up{job="qrestore"} == 1'))


def test_variables_of_the_dashboard_have_values(scraped: Scraped) -> None:
    values: dict[str, str] = {}
    for variable in files.dashboard()["templating"]["list"]:
        asked = re.fullmatch(r"label_values\((.+), (\w+)\)", variable["query"]["query"])
        assert asked
        series = scraped.eventually(partial(scraped.prometheus.now, promql.substituted(asked[1], values)))
        values[variable["name"]] = "|".join(sorted({labels[asked[2]] for labels, _ in series}))
    assert values == {"job": "qrestore", "instance": scraped.address}


def test_counts_are_those_of_the_service(scraped: Scraped) -> None:
    """The refusals of the burst count as refusals, as answers with 429 and as errors."""
    for expression in (
        'sum(qrestore_refused_total{reason="queue_full"})',
        'sum(qrestore_request_duration_seconds_count{status="429"})',
        'sum(qrestore_errors_total{category="overloaded"})',
    ):
        ((_, value),) = scraped.eventually(partial(scraped.prometheus.now, f"{expression} > 0"))
        assert value >= 1


def test_a_missing_service_is_noticed(tmp_path: Path) -> None:
    """Nothing listens at the address: both alerts are pending."""
    with prometheus(tmp_path, f"127.0.0.1:{lasting_port()}") as asked:
        deadline, pending = time.monotonic() + PATIENCE, set[str]()
        while pending != {"QrestoreNoReadyReplica", "QrestoreTargetDown"} and time.monotonic() < deadline:
            time.sleep(0.2)
            pending = {alert["labels"]["alertname"] for alert in asked.ask("alerts")["alerts"]}
        assert pending == {"QrestoreNoReadyReplica", "QrestoreTargetDown"}
