"""The packaging and deployment files agree with the code and with one another."""

import ast
import json
import os
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.metadata import packages_distributions
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
import yaml
from fastapi.testclient import TestClient
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from app import __version__
from app.cli import doctor
from app.main import create_app
from app.settings import Settings
from tests.support.paths import ROOT

PYPROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
PROJECT: dict[str, Any] = PYPROJECT["project"]
EXTRAS: dict[str, list[str]] = PROJECT["optional-dependencies"]
GROUPS: dict[str, list[str]] = PYPROJECT["dependency-groups"]
REQUIREMENTS: list[str] = [*PROJECT["dependencies"], *chain(*EXTRAS.values()), *chain(*GROUPS.values())]
LOCK = ROOT / "requirements.lock"
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
    return modules - sys.stdlib_module_names - {"app", "tests", "tools", "training"}


def names(lines: Iterable[str]) -> set[str]:
    return {canonicalize_name(Requirement(line).name) for line in lines}


def build(target: str, source: Path, into: Path) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "--target", target, "--directory", str(into)]
    subprocess.run(command, cwd=source, check=True, capture_output=True, timeout=120)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[zipfile.ZipFile]:
    """Built from the source distribution, as pip builds it for whoever installs that."""
    folder = tmp_path_factory.mktemp("distributions")
    build("sdist", ROOT, folder)
    (source,) = folder.glob("*.tar.gz")
    with tarfile.open(source) as archive:
        archive.extractall(folder, filter="data")
    build("wheel", folder / source.name.removesuffix(".tar.gz"), folder)
    (path,) = folder.glob("*.whl")
    with zipfile.ZipFile(path) as opened:
        yield opened


class TestProject:
    def test_one_version_everywhere(self) -> None:
        assert PROJECT["version"] == __version__
        assert SERVICES["qrestore"]["image"] == f"qrestore:{__version__}"

    @pytest.mark.parametrize(
        ("package", "lines"),
        [
            ("app", [*PROJECT["dependencies"], *EXTRAS["gpu"], *EXTRAS["ray"], *EXTRAS["video"]]),
            ("training", [*PROJECT["dependencies"], *EXTRAS["training"]]),
            ("tools", REQUIREMENTS),
            ("tests", REQUIREMENTS),
        ],
        ids=["app", "training", "tools", "tests"],
    )
    def test_every_import_is_declared(self, package: str, lines: list[str]) -> None:
        # Python 3.11 does not see that a lone extension module is a package's.
        owners = {"zint": ["zint-bindings"], **packages_distributions()}
        undeclared = {
            module
            for module in third_party_imports(package)
            if not {canonicalize_name(owner) for owner in owners.get(module, [module])} & names(lines)
        }
        assert not undeclared

    def test_the_doctor_looks_for_every_dependency(self) -> None:
        assert {canonicalize_name(name) for name in doctor.MODULES.values()} == names(PROJECT["dependencies"]) - {
            "pyzbar"
        }

    def test_every_dependency_has_a_floor(self) -> None:
        assert [line for line in REQUIREMENTS if not re.search(r">=|==", line)] == []

    def test_the_service_and_training_need_no_tool_of_developers(self) -> None:
        tools = {"atheris", "hypothesis", "mypy", "playwright", "pytest", "ruff", "schemathesis"}
        assert tools <= names(chain(*GROUPS.values()))
        assert not tools & names([*PROJECT["dependencies"], *chain(*EXTRAS.values())])


class TestLock:
    """requirements.lock, the one source of versions for `make` and the image."""

    PINS = tuple(Requirement(line) for line in LOCK.read_text().splitlines() if not line.startswith("#"))

    def test_pins_exact_versions_and_names_no_index(self) -> None:
        assert all(re.fullmatch(r"==[\w.]+", str(pin.specifier)) for pin in self.PINS)
        assert not re.search(r"://|--", LOCK.read_text())

    def test_every_requirement_has_a_pin_in_its_range(self) -> None:
        for wanted in map(Requirement, REQUIREMENTS):
            found = [pin for pin in self.PINS if canonicalize_name(pin.name) == canonicalize_name(wanted.name)]
            assert found, f"{wanted}: run `make lock`"
            for pin in found:
                assert wanted.specifier.contains(str(pin.specifier).removeprefix("==")), f"{wanted}: run `make lock`"

    def test_make_and_the_image_install_by_it(self) -> None:
        assert "--constraint requirements.lock --editable '.'" in make_dry_run("install", "EXTRAS=")
        assert "--constraint requirements.lock --group lint" in make_dry_run("lint")
        assert re.search(r"(?m)^COPY .*\brequirements\.lock\b", BUILD_STAGE)


@pytest.mark.slow
class TestDistributions:
    """What `make dist` builds."""

    def test_wheel_holds_the_package_with_the_weights_and_nothing_else(self, wheel: zipfile.ZipFile) -> None:
        sources = {
            str(path.relative_to(ROOT))
            for path in (ROOT / "app").rglob("*")
            if path.is_file() and path.suffix != ".pyc" and "__pycache__" not in path.parts
        }
        names = [path.stem for path in (ROOT / "weights").glob("*.safetensors")]
        weights = {f"app/weights/{name}{suffix}" for name in names for suffix in (".safetensors", ".onnx")}
        held = {name for name in wheel.namelist() if ".dist-info/" not in name}
        assert len(weights) >= 10
        assert held == sources | weights

    def test_metadata_offers_extras_but_no_group(self, wheel: zipfile.ZipFile) -> None:
        metadata = wheel.read(f"qrestore-{__version__}.dist-info/METADATA").decode()
        assert set(re.findall(r"(?m)^Provides-Extra: (\S+)$", metadata)) == set(EXTRAS)

    def test_wheel_reads_a_picture_with_its_own_weights(self, wheel: zipfile.ZipFile, tmp_path: Path) -> None:
        wheel.extractall(tmp_path)
        command = [sys.executable, "-m", "app.cli", "decode", str(ROOT / "docs/label.jpg")]
        plain = {name: value for name, value in os.environ.items() if not name.startswith("QRESTORE_")}
        answer = subprocess.run(
            command,
            cwd=tmp_path,
            env={**plain, "PYTHONPATH": str(tmp_path)},
            check=True,
            capture_output=True,
            timeout=120,
        ).stdout
        (code,) = json.loads(answer)["codes"]
        assert code["text"] == "https://example.org/parcel/7F3K-2291-0C"
        assert code["rung"] == "modules"  # by a network


class TestMakefile:
    TARGETS = re.findall(r"[\w-]+", re.findall(r"(?m)^\.PHONY: ((?:.*\\\n)*.*)$", (ROOT / "Makefile").read_text())[0])

    def test_help_lists_every_target_but_the_parts_of_others(self) -> None:
        listing = subprocess.run(["make", "help"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
        assert len(self.TARGETS) > 20
        assert set(re.findall(r"(?m)^\s+make ([\w-]+)\s+\S", listing)) == set(self.TARGETS) - {"system"}

    @pytest.mark.parametrize("target", ["serve", "test"])
    def test_front_doors_do_their_own_set_up(self, target: str) -> None:
        commands = make_dry_run(target)
        for part in ("-m venv .venv", "pip install", "libzbar0"):
            assert part in commands

    def test_serve_passes_host_and_port(self) -> None:
        assert re.search(r"(?m)^\S*/?qrestore serve --host 127\.0\.0\.1 --port 8000$", make_dry_run("serve"))

    def test_every_test_runs_behind_one_of_the_two_doors(self) -> None:
        (quick,) = re.findall(r"(?m)^\S*pytest .*$", make_dry_run("test"))
        assert re.findall(r"(?m)^\S*pytest .*$", make_dry_run("test-all")) == [
            quick,
            quick.replace("-m 'not slow'", "-m slow"),
        ]

    def test_continuous_integration_opens_both_doors_once(self) -> None:
        script = ROOT / ".ci/run"
        assert os.access(script, os.X_OK)
        assert re.findall(r"(?m)^(?:exec )?(make .+)$", script.read_text()) == [
            "make system-test",
            "make test test-all",
        ]

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
        assert "--editable '.'" in make_dry_run("install", "EXTRAS=")
        assert 'make install EXTRAS="$(python docker/build/variant.py extras "$VARIANT" "$EXTRAS")"' in BUILD_STAGE

    def test_torch_is_only_for_gpus_and_training(self) -> None:
        with_torch = {name for name, lines in EXTRAS.items() if "torch" in names(lines)}
        assert with_torch == {"gpu", "training"}
        assert "torch" not in names(PROJECT["dependencies"])
        (gpu,) = EXTRAS["gpu"]
        assert gpu in EXTRAS["training"]

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
    @pytest.mark.parametrize("service", [name for name in SERVICES if "build" in SERVICES[name]])
    def test_every_setting_is_passed_on(self, service: str) -> None:
        names = {f"QRESTORE_{name}".upper() for name in Settings.model_fields}
        passed: dict[str, Any] = SERVICES[service]["environment"]
        assert {name for name in passed if name.startswith("QRESTORE_")} == names
        fixed = {name for name in names if passed[name] is not None and name not in str(passed[name])}
        assert fixed == {"QRESTORE_HOST", "QRESTORE_PORT"}  # those inside the container
        assert f":{passed['QRESTORE_PORT']}" in SERVICES[service]["ports"][0]
        assert named_settings(DOCKERFILE) <= names

    def test_settings_are_in_order(self) -> None:
        assert list(COMPOSE["x-environment"]) == sorted(COMPOSE["x-environment"])

    @pytest.mark.parametrize("service", [name for name in SERVICES if "build" in SERVICES[name]])
    def test_misspelt_settings_reach_the_service(self, service: str) -> None:
        assert SERVICES[service]["env_file"] == [{"path": ".env", "required": False}]

    def test_build_arguments_are_declared(self) -> None:
        for argument in SERVICES["qrestore"]["build"]["args"]:
            assert re.search(rf"(?m)^ARG {argument}\b", BUILD_STAGE)

    @pytest.mark.parametrize("service", SERVICES.values(), ids=SERVICES)
    def test_service_is_hardened_and_pinned(self, service: dict[str, Any]) -> None:
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert service["healthcheck"]
        assert re.fullmatch(r"[a-z/]+:v?\d+\.\d+\.\d+(-cuda)?", service["image"])

    @pytest.mark.parametrize(("profile", "ours"), [("cpu", "qrestore"), ("gpu", "qrestore-gpu")])
    def test_a_profile_starts_one_service_and_its_watchers(self, profile: str, ours: str) -> None:
        started = {name for name, service in SERVICES.items() if profile in service["profiles"]}
        assert started == {ours, "prometheus", "grafana"}
        assert "qrestore" in SERVICES[ours]["networks"]["default"]["aliases"]

    def test_the_cpu_profile_is_the_default(self) -> None:
        assert "COMPOSE_PROFILES=cpu" in (ROOT / ".env").read_text().splitlines()
        assert ".env" not in (ROOT / ".gitignore").read_text().split()

    def test_services_may_take_longer_to_stop_than_to_drain(self) -> None:
        for service in (SERVICES["qrestore"], SERVICES["qrestore-gpu"]):
            assert int(service["stop_grace_period"].rstrip("s")) > Settings().drain_seconds

    def test_mounts_exist_and_are_read_only(self) -> None:
        for service in SERVICES.values():
            for volume in service.get("volumes", []):
                source, _, rest = volume.partition(":")
                if source.startswith("."):
                    assert (ROOT / source).is_dir()
                    assert rest.endswith(":ro")
                else:
                    assert source in COMPOSE["volumes"]

    @pytest.mark.parametrize(("path", "status"), [("/readyz", 503), ("/metrics", 200)])
    def test_watched_paths_are_served(self, path: str, status: int) -> None:
        """Of an application that has not started: it serves metrics but is not ready."""
        assert TestClient(create_app(Settings())).get(path).status_code == status
