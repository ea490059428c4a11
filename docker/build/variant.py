"""Holds an image to the PyTorch build that was asked for: `cpu` carries no CUDA package, `cuda` carries a CUDA build.

python variant.py wanted cpu|cuda   prints pip constraints: a wrong build is refused before it is downloaded
python variant.py missed cpu|cuda   says what to do where pip found nothing by those constraints
python variant.py found cpu|cuda    run by the environment's own Python: is the build the one asked for?

Exit status 1 where it is not, and after `missed`.
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
    """What pip is to be held to.

    On x86-64 the CPU build is told from the ordinary index's, which is a CUDA build of gigabytes, by its local version;
    elsewhere the ordinary index may have a CPU build without one, and only `unwanted` can tell.
    """
    return [f"{torch}+cpu; platform_machine == 'x86_64'"] if variant == "cpu" else []


def advice(variant: str, torch: str) -> str:
    """What to do where pip failed by the constraints; empty where there are none."""
    if variant != "cpu":
        return ""
    return (
        f"If the error above is about {torch}+cpu: the package index in use has only CUDA builds, gigabytes larger. "
        "Set PIP_EXTRA_INDEX_URL to the index of CPU builds that PyTorch's installation page names: as a build "
        "argument, or for compose as an environment variable or a line in .env. "
        "An image for GPUs: the build argument VARIANT=cuda, or compose's profile gpu."
    )


def unwanted(variant: str, packages: Iterable[str], cuda: str | None) -> str:
    """Why an environment is not of the variant; empty where it is. ``cuda`` is the version that torch was built for."""
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
