"""Removes from an image's virtual environment what a running service never opens, and prints how much that was.

    .venv/bin/python trim.py SITE_PACKAGES

These are headers, test suites, type stubs, the C++ test programs in torch's wheel, what OpenVINO has for other devices
than CPUs and other formats than ONNX, what Pillow has for other things than the pixels of PNG, pip, and bytecode,
which the image compiles again for what it imports. The symbol tables of torch's libraries serve only debuggers and go
too (GNU strip, from binutils). Other wheels' libraries stay as they are: they are stripped already, and some were
patched in a way that a second strip would damage.
"""

import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

_OPENVINO_FORMATS: Final = ("tensorflow", "tensorflow_lite", "pytorch", "paddle", "gguf", "jax")
_PILLOW_MODULES: Final = ("_avif", "_webp", "_imagingft", "_imagingcms", "_imagingtk")
_PILLOW_LIBRARIES: Final = ("avif", "webp*", "sharpyuv", "freetype", "harfbuzz", "brotli*", "png16", "lcms2")
_STARTS_WITH_TORCH: Final = "torch_shm_manager"  # torch's import looks for this program


def goes(packages: Path) -> Iterator[tuple[str, list[Path]]]:
    """(description, files and folders) in order of removal; no path lies inside another of the same kind."""
    torch = packages / "torch"
    yield "torch's headers, tests and build files", [torch / name for name in ("include", "share", "test")]
    yield "torch's programs", [path for path in (torch / "bin").glob("*") if path.name != _STARTS_WITH_TORCH]
    nvidia = packages / "nvidia"
    yield "CUDA's headers and static libraries", [*nvidia.glob("*/include"), *nvidia.rglob("*.a")]
    openvino = packages / "openvino"
    yield "OpenVINO's headers", [openvino / "include", openvino / "cmake"]
    devices = [*openvino.glob("libs/libopenvino_intel_[gn]pu_plugin.*"), openvino / "libs/cache.json"]
    yield "OpenVINO for GPUs and NPUs", devices
    formats = (path for name in _OPENVINO_FORMATS for path in openvino.glob(f"libs/libopenvino_{name}_frontend.*"))
    yield "OpenVINO for other formats than ONNX", list(formats)
    pillow = [path for name in _PILLOW_MODULES for path in (packages / "PIL").glob(f"{name}.*.so")]
    pillow += [path for name in _PILLOW_LIBRARIES for path in (packages / "pillow.libs").glob(f"lib{name}-*")]
    yield "Pillow's fonts, profiles, windows, WebP and AVIF", pillow
    setup = [*packages.glob("setuptools*"), *packages.glob("pkg_resources"), *packages.glob("_distutils_hack")]
    yield "setuptools", [*setup, *packages.glob("distutils-precedence.pth")]
    yield "pip", [*packages.glob("pip"), *packages.glob("pip-*.dist-info"), *packages.parents[2].glob("bin/pip*")]
    yield "test suites", [path for path in _outermost(packages.rglob("tests")) if path.is_dir()]
    yield "type stubs", list(packages.rglob("*.pyi"))
    yield "bytecode", list(packages.rglob("__pycache__"))


def size(path: Path) -> int:
    """Bytes of a file, or of the files of a folder."""
    if path.is_dir() and not path.is_symlink():
        return sum(entry.lstat().st_size for entry in path.rglob("*") if not entry.is_dir() or entry.is_symlink())
    return path.lstat().st_size if path.exists() or path.is_symlink() else 0


def trim(packages: Path) -> Iterator[tuple[str, int]]:
    """Removes one kind after the other; yields (description, bytes freed). Raises CalledProcessError if strip fails."""
    for kind, paths in goes(packages):
        freed = 0
        for path in paths:
            freed += size(path)
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
        yield kind, freed
    yield (
        "symbol tables of torch's libraries",
        sum(_strip(path) for path in (packages / "torch/lib").glob("libtorch*.so")),
    )


def _strip(library: Path) -> int:
    before = size(library)
    subprocess.run(["strip", "--strip-unneeded", str(library)], check=True)  # noqa: S603, S607 - of the image
    return before - size(library)


def _outermost(paths: Iterable[Path]) -> list[Path]:
    kept: list[Path] = []
    for path in sorted(paths):
        if not kept or kept[-1] not in path.parents:
            kept.append(path)
    return kept


if __name__ == "__main__":
    for name, freed in trim(Path(sys.argv[1]).resolve()):
        sys.stdout.write(f"trimmed {freed / 1e6:7.1f} MB: {name}\n")
