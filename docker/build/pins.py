"""Prints the exact version of every package that qrestore runs on, as installed beside the Python that runs this.

    .venv/bin/python docker/build/pins.py onnx > docker/build/pins.txt    # the extras too

Run in the environment that the tests have passed in, so that the image holds what was tested. Torch's local version
(+cpu) is left out: `variant.py` chooses it, and torch itself pins the CUDA packages that come with its CUDA build.
"""

import sys
from importlib import metadata

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name


def closure(project: str) -> dict[str, str]:
    """Name and public version of all that ``project``, with its extras, needs; itself left out.

    Raises PackageNotFoundError where one is not installed.
    """
    found: dict[str, str] = {}
    first = Requirement(project)
    wanted = [first]
    seen: set[tuple[str, str]] = set()
    while wanted:
        current = wanted.pop()
        name = canonicalize_name(current.name)
        found[name] = metadata.version(name).partition("+")[0]
        for extra in ("", *sorted(current.extras)):
            if (name, extra) in seen:
                continue
            seen.add((name, extra))
            needs = (Requirement(line) for line in metadata.requires(name) or [])
            wanted += [need for need in needs if need.marker is None or need.marker.evaluate({"extra": extra})]
    del found[canonicalize_name(first.name)]
    return found


if __name__ == "__main__":
    sys.stdout.write("# Written by pins.py from the environment that the tests passed in.\n")
    for package, version in sorted(closure(f"qrestore[{','.join(sys.argv[1:])}]").items()):
        sys.stdout.write(f"{package}=={version}\n")
