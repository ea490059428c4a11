"""Writes the software bill of materials of the image's variant `cpu`, in CycloneDX's JSON: `make sbom`.

It lists the base image, the Debian package, every Python package that `make install` puts there, in the versions of
requirements.lock, and every network of the weights folder. Which packages need which is read from the metadata of those
that are installed here, so nothing is fetched.
"""

import argparse
import hashlib
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any, Final

from cyclonedx.schema import OutputFormat, SchemaVersion
from cyclonedx.validation import make_schemabased_validator
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.support.paths import ROOT

PLATFORM: Final = {
    "implementation_name": "cpython",
    "os_name": "posix",
    "platform_machine": "x86_64",
    "platform_python_implementation": "CPython",
    "platform_system": "Linux",
    "python_version": "3.11",
    "sys_platform": "linux",
}
"""What environment markers are judged by: the image's own platform."""

_ROOT_REF: Final = "root-component"


def pins(lock: str) -> dict[str, str]:
    """The version of each package of a lock file that the image's platform needs, by its normalised name."""
    found = [Requirement(line) for line in lock.splitlines() if line and not line.startswith("#")]
    return {
        canonicalize_name(each.name): str(each.specifier).removeprefix("==") for each in found if _is_needed(each, "")
    }


def needs(wanted: Iterable[str], versions: Mapping[str, str]) -> dict[str, set[str]]:
    """Every package that requirements need, directly or not, and what each needs itself.

    Raises KeyError for a package without a pin, PackageNotFoundError for one that is not installed here.
    """
    graph: dict[str, set[str]] = {}
    waiting = [Requirement(line) for line in wanted]
    asked: set[tuple[str, str]] = set()
    while waiting:
        one = waiting.pop()
        name = canonicalize_name(one.name)
        if name not in versions:
            raise KeyError(f"{name} has no pin: run `make lock`")
        graph.setdefault(name, set())
        for extra in ({""} | one.extras) - {extra for each, extra in asked if each == name}:
            asked.add((name, extra))
            inner = [each for each in map(Requirement, metadata.requires(name) or ()) if _is_needed(each, extra)]
            graph[name] |= {canonicalize_name(each.name) for each in inner} - {name}
            waiting += inner
    return graph


def bill(extras: Sequence[str] = ()) -> dict[str, Any]:
    """The bill of materials, valid by CycloneDX's own schema. Raises as `needs` does, ValueError if it is not valid."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *(line for name in extras for line in project["optional-dependencies"][name])]
    versions = pins((ROOT / "requirements.lock").read_text())
    graph = needs(wanted, versions)
    made = _generated([f"{name}=={versions[name]}" for name in sorted(graph)])
    for component in made["components"]:
        component["bom-ref"] = component["purl"]
        component.pop("externalReferences", None)  # the generator's guess of an index
        component.pop("description", None)  # the number of a line
    refs = {canonicalize_name(each["name"]): each["bom-ref"] for each in made["components"]}
    others = [*_of_the_system((ROOT / "Dockerfile").read_text()), *_weights(ROOT / "weights")]
    made["components"] += others
    direct = [refs[canonicalize_name(Requirement(line).name)] for line in wanted]
    edges = {_ROOT_REF: [*direct, *(each["bom-ref"] for each in others)]}
    edges |= {refs[name]: [refs[inner] for inner in inside] for name, inside in graph.items()}
    made["dependencies"] = [{"ref": ref, "dependsOn": sorted(set(inside))} for ref, inside in sorted(edges.items())]
    if wrong := make_schemabased_validator(OutputFormat.JSON, SchemaVersion.V1_6).validate_str(json.dumps(made)):
        raise ValueError(f"the bill of materials is not valid: {wrong}")
    return made


def _is_needed(requirement: Requirement, extra: str) -> bool:
    return requirement.marker is None or requirement.marker.evaluate(PLATFORM | {"extra": extra})


def _generated(lines: Sequence[str]) -> dict[str, Any]:
    """What CycloneDX's generator makes of these requirements."""
    # It warns that it knows no dependencies: `bill` adds them.
    command = [
        sys.executable,
        "-W",
        "ignore",
        "-m",
        "cyclonedx_py",
        "requirements",
        "-",
        "--output-reproducible",
        "--sv",
        "1.6",
    ]
    options = ["--pyproject", str(ROOT / "pyproject.toml"), "--mc-type", "application"]
    result = subprocess.run([*command, *options], input="\n".join(lines), check=True, stdout=subprocess.PIPE, text=True)
    made: dict[str, Any] = json.loads(result.stdout)
    return made


def _of_the_system(dockerfile: str) -> Iterator[dict[str, Any]]:
    """The base image, and the packages that the final stage installs."""
    python = re.findall(r"(?m)^ARG PYTHON=(.+)$", dockerfile)[0]
    base = re.findall(r"(?m)^FROM (\S+)", dockerfile)[-1].replace("${PYTHON}", python)
    name, _, tag = base.partition(":")
    yield _component("container", name, tag, f"pkg:docker/{name}@{tag}")
    final = dockerfile.rpartition("\nFROM ")[2]
    for package, version in re.findall(r"'([\w.+-]+)=([^']+)'", final):
        yield _component("library", package, version, f"pkg:deb/debian/{package}")


def _weights(folder: Path) -> Iterator[dict[str, Any]]:
    for file in sorted(folder.glob("*.safetensors")):
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        named = {"type": "machine-learning-model", "name": file.stem, "bom-ref": f"weights/{file.name}"}
        yield named | {"hashes": [{"alg": "SHA-256", "content": digest}]}


def _component(kind: str, name: str, version: str, purl: str) -> dict[str, Any]:
    return {"type": kind, "name": name, "version": version, "purl": purl, "bom-ref": purl}


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="tools.sbom", description=__doc__.partition("\n")[0])
    parser.add_argument("--out", type=Path, default=ROOT / "build/sbom.cdx.json", help="file to write")
    parser.add_argument("--extras", default="", help="extras that are built in, separated by commas, as for the image")
    options = parser.parse_args(argv)
    made = bill([name for name in options.extras.split(",") if name])
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(made, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"{options.out}: {len(made['components'])} components")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
