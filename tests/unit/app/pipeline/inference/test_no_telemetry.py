"""OpenVINO and ONNX Runtime report to their makers that they are used unless they are kept from it."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from tests.support.paths import ROOT

needs_openvino = pytest.mark.skipif(importlib.util.find_spec("openvino") is None, reason="openvino is not installed")
needs_onnx = pytest.mark.skipif(importlib.util.find_spec("onnxruntime") is None, reason="onnxruntime is not installed")

WATCH: Final = """
import sys
def note(event, arguments):
    if event.startswith(("socket.", "subprocess.", "os.fork", "os.posix_spawn")):
        print(event, arguments)
sys.addaudithook(note)
"""
"""Prints what would reach out of the process."""


def reports(code: str, home: Path) -> tuple[str, list[Path]]:
    """What a Python process prints that runs this code under watch, and the files that it leaves in its home folder."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(home)}
    command = [sys.executable, "-c", WATCH + code]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=True)
    return done.stdout, list(home.rglob("*"))


@needs_openvino
def test_the_service_reports_nothing(tmp_path: Path) -> None:
    code = "from app.pipeline.inference import openvino; openvino.core(); print(sys.modules['openvino'].__name__)"
    assert reports(code, tmp_path) == ("openvino\n", [])


@needs_openvino
def test_the_doctor_reports_nothing(tmp_path: Path) -> None:
    code = "from app.cli.doctor import _module; print(_module('openvino', 'openvino').good)"
    assert reports(code, tmp_path) == ("True\n", [])


@needs_onnx
def test_onnx_runtime_reports_nothing(tmp_path: Path) -> None:
    code = "import app, onnxruntime; print(onnxruntime.__name__)"
    assert reports(code, tmp_path) == ("onnxruntime\n", [])
