"""Training starts where only torch, numpy, OpenCV and safetensors are installed."""

import subprocess
import sys

import pytest

from tests.support.paths import ROOT

ABSENT = (
    "fastapi",
    "matplotlib",
    "PIL",
    "prometheus_client",
    "pydantic",
    "pydantic_settings",
    "pyzbar",
    "segno",
    "starlette",
    "tensorboard",
    "tqdm",
    "uvicorn",
    "zxingcpp",
)
SCRIPT = """
import sys
from importlib.abc import MetaPathFinder

class Absent(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {absent!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Absent())
{body}
"""


def run(body: str) -> subprocess.CompletedProcess[str]:
    script = SCRIPT.format(absent=ABSENT, body=body)
    return subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )


def test_training_needs_neither_engines_nor_the_service() -> None:
    modules = ("__main__", "data.crops", "objectives.losses", "recipes.registry", "run.loop")
    done = run(f"import {', '.join(f'training.{module}' for module in modules)}")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("module", ["segno", "zxingcpp", "pydantic"])
def test_absent_packages_cannot_be_imported(module: str) -> None:
    done = run(f"import {module}")
    assert done.returncode != 0
    assert f"No module named '{module}'" in done.stderr
