"""Ensures that an image carries the PyTorch build it is built for: `cpu` without any CUDA package, `cuda` with CUDA.

python variant.py wanted cpu|cuda   prints constraints that make pip refuse the wrong build before downloading it
python variant.py missed cpu|cuda   explains what to do if pip found nothing that meets those constraints
python variant.py found cpu|cuda    checks the environment whose Python runs this

Exit status 1 if the environment has the wrong build, and always after `missed`.
"""

import importlib
import re
import sys
import tomllib
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path
from typing import Final

VARIANTS: Final = ("cpu", "cuda")
_CUDA_PACKAGE: Final = re.compile(r"(nvidia|cuda|triton)([-_.]|$)", re.IGNORECASE)


def requirement(project: str) -> str:
    """The exact requirement of torch in the text of a pyproject.toml."""
    lines = tomllib.loads(project)["project"]["dependencies"]
    (line,) = (line for line in lines if re.match(r"torch==[\d.]+$", line))
    return str(line)


def constraints(variant: str, torch: str) -> list[str]:
    """The lines of a pip constraints file.

    On x86-64 the local version distinguishes the CPU build from the ordinary index's, a CUDA build of gigabytes.
    Elsewhere the ordinary index may have a CPU build without a local version, and only `unwanted` can tell them apart.
    """
    return [f"{torch}+cpu; platform_machine == 'x86_64'"] if variant == "cpu" else []


def advice(variant: str, torch: str) -> str:
    """What to do if pip could not meet the constraints; empty if there are none."""
    if variant != "cpu":
        return ""
    return (
        f"If the error above is about {torch}+cpu: the package index in use has only CUDA builds, gigabytes larger. "
        "Set PIP_EXTRA_INDEX_URL to the index of CPU builds that PyTorch's installation page names: as a build "
        "argument, or for compose as an environment variable or a line in .env. "
        "An image for GPUs: the build argument VARIANT=cuda, or compose's profile gpu."
    )


def unwanted(variant: str, packages: Iterable[str], cuda: str | None) -> str:
    """Why an environment does not fit the variant; empty if it does. ``cuda``: the version torch was built for."""
    if variant == "cuda":
        return "" if cuda else "torch is not a CUDA build: PIP_EXTRA_INDEX_URL must not name an index of CPU builds"
    names = sorted(name for name in packages if _CUDA_PACKAGE.match(name))
    if cuda:
        names.insert(0, f"torch for CUDA {cuda}")
    return f"not wanted in a CPU image: {', '.join(names)}" if names else ""


def main(action: str, variant: str) -> int:
    if variant not in VARIANTS:
        return _refuse(f"VARIANT must be one of {', '.join(VARIANTS)}, not {variant!r}.")
    if action == "found":
        installed = (distribution.metadata["Name"] for distribution in metadata.distributions())
        reason = unwanted(variant, installed, importlib.import_module("torch.version").cuda)
        return _refuse(reason) if reason else 0
    wanted = requirement(Path("pyproject.toml").read_text(encoding="utf-8"))
    if action == "missed":
        return _refuse(advice(variant, wanted))
    sys.stdout.writelines(f"{line}\n" for line in constraints(variant, wanted))
    return 0


def _refuse(reason: str) -> int:
    sys.stderr.write(f"\n{reason}\n")
    return 1


if __name__ == "__main__":
    raise SystemExit(main(*sys.argv[1:3]))
