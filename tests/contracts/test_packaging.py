"""What the packaging and deployment files say of the service is true of its code, and of one another."""

import ast
import json
import os
import re
import subprocess
import sys
import tomllib
from functools import cache
from importlib.metadata import packages_distributions
from itertools import chain
from typing import Any

import pytest
import yaml
from fastapi.testclient import TestClient
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from app import __version__
from app.main import create_app
from app.settings import Settings
from tests.support.paths import ROOT

PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
DOCKERFILE = re.sub(r"\\\n\s*", "", (ROOT / "Dockerfile").read_text())
BUILD_STAGE, FINAL_STAGE = re.split(r"(?m)^FROM ", DOCKERFILE)[1:]


@cache
def make_dry_run(target: str, *variables: str) -> str:
    """The commands that `make TARGET` would run on a machine where nothing is set up."""
    command = ["make", "--dry-run", "--always-make", "--no-print-directory", target, *variables]
    inherited = {name: value for name, value in os.environ.items() if name not in {"MAKEFLAGS", "HOST", "PORT"}}
    return subprocess.run(
        command, cwd=ROOT, env=inherited, check=True, capture_output=True, text=True, timeout=60
    ).stdout


def named_settings(text: str) -> set[str]:
    return set(re.findall(r"\bQRESTORE_[A-Z_]+", text))


def third_party_imports(package: str) -> set[str]:
    modules = set()
    for path in sorted((ROOT / package).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                modules |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                modules.add(node.module.partition(".")[0])
    return modules - sys.stdlib_module_names - {"app", "training", "tests"}


def declared(*extras: str) -> set[str]:
    lines = [*PROJECT["dependencies"], *(line for extra in extras for line in PROJECT["optional-dependencies"][extra])]
    return {canonicalize_name(Requirement(line).name) for line in lines}


class TestProject:
    def test_one_version_everywhere(self) -> None:
        assert PROJECT["version"] == __version__
        assert SERVICES["qrestore"]["image"] == f"qrestore:{__version__}"

    @pytest.mark.parametrize(
        ("package", "extras"), [("app", ()), ("training", ("training",)), ("tests", ("training", "dev"))]
    )
    def test_every_import_is_declared(self, package: str, extras: tuple[str, ...]) -> None:
        owners = packages_distributions()
        undeclared = {
            module
            for module in third_party_imports(package)
            if not {canonicalize_name(owner) for owner in owners.get(module, [])} & declared(*extras)
        }
        assert not undeclared

    def test_every_dependency_has_a_floor(self) -> None:
        lines = [*PROJECT["dependencies"], *chain(*PROJECT["optional-dependencies"].values())]
        assert [line for line in lines if not re.search(r">=|==", line)] == []


class TestMakefile:
    TARGETS = (
        *("clean", "doctor", "evaluate", "format", "fuzz", "help", "image-dry-run", "lint", "load"),
        *("openapi", "serve", "soak", "system-test", "test", "train"),
    )

    @pytest.mark.parametrize("target", TARGETS)
    def test_target_is_listed_by_help(self, target: str) -> None:
        listing = subprocess.run(["make", "help"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
        assert re.search(rf"(?m)^\s+make {target}\s+\S", listing)

    @pytest.mark.parametrize("target", ["serve", "test"])
    def test_front_doors_do_their_own_set_up(self, target: str) -> None:
        commands = make_dry_run(target)
        for part in ("-m venv .venv", "pip install", "libzbar0"):
            assert part in commands

    def test_serve_passes_host_and_port(self) -> None:
        assert re.search(r"(?m)^\S*/?qrestore serve --host 127\.0\.0\.1 --port 8000$", make_dry_run("serve"))

    def test_continuous_integration_is_make_test(self) -> None:
        script = ROOT / ".ci/run"
        assert os.access(script, os.X_OK)
        for target in ("make system-test", "make test"):
            assert target in script.read_text()

    def test_hooks_call_make(self) -> None:
        (repository,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
        for hook in repository["hooks"]:
            assert hook["entry"].startswith("make ")
            assert hook["entry"].split()[-1] in TestMakefile.TARGETS


class TestDockerfile:
    def test_installs_by_the_same_command_as_make(self) -> None:
        assert "make install" in BUILD_STAGE
        assert "make install" not in FINAL_STAGE
        assert "pip install" not in DOCKERFILE

    def test_extras_reach_pip(self) -> None:
        assert "--editable '.[otel,onnx]'" in make_dry_run("install", "EXTRAS=otel,onnx")
        assert "--editable '.'" in make_dry_run("install")

    def test_starts_the_same_command_as_make(self) -> None:
        (command,) = re.findall(r"(?m)^CMD (.+)$", FINAL_STAGE)
        assert " ".join(json.loads(command)) in make_dry_run("serve")

    def test_has_the_system_library_and_no_build_tools(self) -> None:
        (packages,) = re.findall(r"apt-get install --yes --no-install-recommends (.+?) &&", FINAL_STAGE)
        assert [package.strip("'").partition("=")[0] for package in packages.split()] == ["libzbar0"]

    def test_runs_as_an_unprivileged_user(self) -> None:
        (user,) = re.findall(r"(?m)^USER (\d+)", FINAL_STAGE)
        assert int(user) >= 1000

    def test_base_images_are_pinned_and_equal(self) -> None:
        assert re.search(r"(?m)^ARG PYTHON=\d+\.\d+\.\d+$", DOCKERFILE)
        assert set(re.findall(r"(?m)^FROM (\S+)", DOCKERFILE)) == {"python:${PYTHON}-slim-bookworm"}

    def test_copied_files_are_in_the_build_context(self) -> None:
        allowed = {line.removeprefix("!") for line in (ROOT / ".dockerignore").read_text().split() if line[0] == "!"}
        copied = {
            source for line in re.findall(r"(?m)^COPY (?!--from)(.+)$", DOCKERFILE) for source in line.split()[:-1]
        }
        assert copied <= allowed
        assert all((ROOT / source).exists() for source in allowed)


class TestCompose:
    def test_settings_are_real(self) -> None:
        known = {f"QRESTORE_{name}".upper() for name in Settings.model_fields}
        assert named_settings(yaml.safe_dump(COMPOSE)) <= known
        assert named_settings(DOCKERFILE) <= known

    def test_build_arguments_are_declared(self) -> None:
        for argument in SERVICES["qrestore"]["build"]["args"]:
            assert re.search(rf"(?m)^ARG {argument}\b", BUILD_STAGE)

    @pytest.mark.parametrize("service", SERVICES.values(), ids=SERVICES)
    def test_service_is_hardened_and_pinned(self, service: dict[str, Any]) -> None:
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert service["healthcheck"]
        assert re.search(r":v?\d+\.\d+\.\d+(-cuda)?$", service["image"])

    @pytest.mark.parametrize(("profile", "ours"), [("cpu", "qrestore"), ("gpu", "qrestore-gpu")])
    def test_a_profile_starts_one_service_and_its_watchers(self, profile: str, ours: str) -> None:
        started = {name for name, service in SERVICES.items() if profile in service["profiles"]}
        assert started == {ours, "prometheus", "grafana"}
        assert "qrestore" in SERVICES[ours]["networks"]["default"]["aliases"]

    def test_without_a_word_the_cpu_profile_starts(self) -> None:
        assert "COMPOSE_PROFILES=cpu" in (ROOT / ".env").read_text().splitlines()
        assert ".env" not in (ROOT / ".gitignore").read_text().split()

    def test_services_may_take_longer_to_stop_than_to_drain(self) -> None:
        for service in (SERVICES["qrestore"], SERVICES["qrestore-gpu"]):
            assert int(service["stop_grace_period"].rstrip("s")) > service["environment"]["QRESTORE_DRAIN_SECONDS"]

    def test_mounts_exist_and_are_read_only(self) -> None:
        for service in SERVICES.values():
            for volume in service.get("volumes", []):
                source, _, rest = volume.partition(":")
                if source.startswith("."):
                    assert (ROOT / source).is_dir()
                    assert rest.endswith(":ro")
                else:
                    assert source in COMPOSE["volumes"]

    @pytest.mark.parametrize("path", ["/readyz", "/metrics"])
    def test_watched_paths_are_served(self, path: str) -> None:
        assert TestClient(create_app(Settings())).get(path).status_code != 404
