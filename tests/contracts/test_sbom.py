"""The bill of materials that `make sbom` writes: its form, and that it agrees with the lock and the image."""

import hashlib
import json
import re
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest
from packaging.utils import canonicalize_name

from tests.contracts.test_packaging import DOCKERFILE, PROJECT, names, third_party_imports
from tests.support.paths import ROOT
from tools import sbom

LOCK = (ROOT / "requirements.lock").read_text()


@pytest.fixture(scope="module")
def bill(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """As written to a file; `tools.sbom` has validated it by CycloneDX's schema."""
    file: Path = tmp_path_factory.mktemp("sbom") / "deep" / "sbom.json"
    assert sbom.main(["--out", str(file)]) == 0
    written: dict[str, Any] = json.loads(file.read_text())
    return written


def of_kind(bill: dict[str, Any], prefix: str) -> dict[str, str]:
    """Name -> version of the components whose package URL has this prefix."""
    return {each["name"]: each["version"] for each in bill["components"] if each.get("purl", "").startswith(prefix)}


def test_it_is_cyclonedx_about_this_release(bill: dict[str, Any]) -> None:
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6")
    about = bill["metadata"]["component"]
    assert (about["type"], about["name"], about["version"]) == ("application", "qrestore", PROJECT["version"])
    assert "://" not in json.dumps(bill["components"])


def test_python_packages_are_those_of_the_service_in_the_versions_of_the_lock(bill: dict[str, Any]) -> None:
    packages = of_kind(bill, "pkg:pypi/")
    pins = dict(re.findall(r"(?m)^([\w.-]+)==([\w.]+)", LOCK))
    assert packages.items() <= {canonicalize_name(name): version for name, version in pins.items()}.items()
    assert names(PROJECT["dependencies"]) <= set(packages)
    owners = packages_distributions()
    imported = third_party_imports("app") - {"av", "fsspec", "pyarrow", "ray", "torch"}
    assert {each for each in imported if not {canonicalize_name(one) for one in owners[each]} & set(packages)} == set()
    assert not {"torch", "pytest", "ruff", "uv", "onnxruntime"} & set(packages)


def test_extras_are_added() -> None:
    plain, extended = (set(of_kind(sbom.bill(extras), "pkg:pypi/")) for extras in ((), ("onnx",)))
    assert "onnxruntime" in extended - plain
    assert plain <= extended


def test_system_packages_are_those_of_the_dockerfile(bill: dict[str, Any]) -> None:
    ((name, version),) = of_kind(bill, "pkg:docker/").items()
    assert f"ARG PYTHON={version.partition('-')[0]}\n" in DOCKERFILE
    assert name == "python"
    ((library, pattern),) = of_kind(bill, "pkg:deb/debian/").items()
    assert f"'{library}={pattern}'" in DOCKERFILE


def test_every_network_is_listed_with_its_digest(bill: dict[str, Any]) -> None:
    listed = {each["name"]: each["hashes"] for each in bill["components"] if each["type"] == "machine-learning-model"}
    files = list((ROOT / "weights").glob("*.safetensors"))
    digests = {file.stem: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}
    assert listed == {name: [{"alg": "SHA-256", "content": digest}] for name, digest in digests.items()}


def test_the_graph_is_whole(bill: dict[str, Any]) -> None:
    refs = {each["bom-ref"] for each in bill["components"]}
    assert len(refs) == len(bill["components"])
    edges = {each["ref"]: set(each.get("dependsOn", [])) for each in bill["dependencies"]}
    assert set().union(*edges.values()) == refs
    assert edges["pkg:pypi/fastapi@" + of_kind(bill, "pkg:pypi/")["fastapi"]] >= {
        each["bom-ref"] for each in bill["components"] if each["name"] in {"starlette", "pydantic"}
    }


def test_a_package_without_a_pin_is_a_fault() -> None:
    with pytest.raises(KeyError, match="h11"):
        sbom.needs(["h11>=0.16"], {})
