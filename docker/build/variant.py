"""Ensures that an image carries what its variant runs the networks with: `cpu` no PyTorch, `cuda` PyTorch for CUDA.

python variant.py extras cpu|cuda EXTRAS   prints the extras to install: EXTRAS, and for `cuda` the extra gpu
python variant.py found cpu|cuda           checks the environment whose Python runs this

Exit status 1 if the environment does not fit.
"""

import importlib
import re
import sys
from collections.abc import Iterable
from importlib import metadata
from typing import Final

VARIANTS: Final = ("cpu", "cuda")
_OF_GPUS: Final = re.compile(r"(nvidia|cuda|triton|torch)([-_.]|$)", re.IGNORECASE)


def extras(variant: str, wanted: str) -> str:
    """The extras of a variant, separated by commas, for others that are wanted."""
    names = [name for name in wanted.split(",") if name]
    return ",".join([*names, "gpu"] if variant == "cuda" and "gpu" not in names else names)


def unwanted(variant: str, packages: Iterable[str], cuda: str | None) -> str:
    """Why an environment does not fit the variant; empty if it does. ``cuda``: the version torch was built for."""
    if variant == "cuda":
        return "" if cuda else "torch is not a CUDA build: does pip's index have only CPU builds?"
    names = sorted(name for name in packages if _OF_GPUS.match(name))
    return f"not wanted in a CPU image: {', '.join(names)}" if names else ""


def main(action: str, variant: str, *more: str) -> int:
    if variant not in VARIANTS:
        return _refuse(f"VARIANT must be one of {', '.join(VARIANTS)}, not {variant!r}.")
    if action == "extras":
        sys.stdout.write(extras(variant, *more))
        return 0
    installed = [distribution.metadata["Name"] for distribution in metadata.distributions()]
    cuda = importlib.import_module("torch.version").cuda if "torch" in installed else None
    reason = unwanted(variant, installed, cuda)
    return _refuse(reason) if reason else 0


def _refuse(reason: str) -> int:
    sys.stderr.write(f"\n{reason}\n")
    return 1


if __name__ == "__main__":
    raise SystemExit(main(*sys.argv[1:]))
