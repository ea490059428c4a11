"""bwip-js, node-qrcode and lean-qr: encoders of npm, installed into a temporary folder and run by node."""

import json
import shutil
import subprocess
from base64 import b64encode
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import numpy as np
import pytest

from tests.conformance.encoders.encoder import Encoder, Modules, require
from tests.conformance.wanted import Wanted

_HERE = Path(__file__).parents[1] / "npm"
_INSTALL_SECONDS = 120


@cache
def _installed() -> Path:
    """A folder with the packages and the program that runs them; skips the test where there is none."""
    if not (shutil.which("node") and shutil.which("npm")):
        pytest.skip("needs node and npm")
    folder = Path(mkdtemp(prefix="conformance-npm-"))
    for name in ("package.json", "encode.cjs"):
        shutil.copy(_HERE / name, folder)
    command = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--silent"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=_INSTALL_SECONDS, check=False)
    if done.returncode:
        shutil.rmtree(folder)
        pytest.skip(f"npm cannot install the encoders: {(done.stderr or done.stdout).strip()[:200]}")
    return folder


def remove_installed() -> None:
    """Removes the folder, if there is one."""
    if _installed.cache_info().currsize:
        shutil.rmtree(_installed())
        _installed.cache_clear()


class ByNpm(Encoder):
    def __init__(self, name: str, *, keeps_parts: bool) -> None:
        self.name = name
        self.keeps_parts = keeps_parts

    def draw(self, wanted: Wanted) -> Modules:
        _CHECKS[self.name](wanted)
        request = json.dumps([{"encoder": self.name, "wanted": _as_json(wanted)}])
        done = subprocess.run(
            ["node", "encode.cjs"],
            cwd=_installed(),
            input=request,
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        (drawn,) = json.loads(done.stdout)
        assert isinstance(drawn, list), f"{self.name} refuses {wanted.name}: {drawn['error']}"
        return np.array([[bit == "1" for bit in row] for row in drawn])


def _as_json(wanted: Wanted) -> dict[str, Any]:
    parts = [
        {
            "mode": one.mode,
            "text": wanted.letters(one) if one.mode == "alphanumeric" else one.text,
            "eci": one.eci,
            "base64": b64encode(one.payload).decode(),
        }
        for one in wanted.parts
    ]
    return {
        "parts": parts,
        "fnc1": wanted.fnc1,
        "application_indicator": wanted.application_indicator,
        "append": wanted.append,
        "level": wanted.level,
        "version": wanted.version,
        "small_version": wanted.small_version,
        "mask": wanted.mask,
        "family": wanted.family,
        "elements": wanted.elements,
    }


def _check_bwip(wanted: Wanted) -> None:
    require(not wanted.fnc1 or wanted.family == "QRCode", "has GS1 data in QR codes only")
    require(wanted.small_version or wanted.family != "RMQRCode", "is told the version of an rMQR code")
    require(wanted.append is None, "has no structured append")
    require(wanted.fnc1 < 2, "has no FNC1 in second position")
    kanji = [part for part in wanted.parts if part.mode == "kanji"]
    require(len(kanji) in (0, len(wanted.parts)), "takes all bytes for Shift JIS, or none")
    require(not (wanted.fnc1 and wanted.has_eci), "checks GS1 data, which has no ECI")
    require(all(part.mode != "hanzi" for part in wanted.parts), "has no Hanzi mode")


def _check_node_qrcode(wanted: Wanted) -> None:
    require(wanted.family == "QRCode", "draws QR codes only")
    require(wanted.is_plain and not wanted.has_eci, "has neither FNC1 nor structured append nor ECI")
    require(all(part.mode not in ("hanzi", "") for part in wanted.parts), "is told modes, and has no Hanzi mode")


def _check_lean_qr(wanted: Wanted) -> None:
    require(wanted.family == "QRCode", "draws QR codes only")


_CHECKS = {"bwip-js": _check_bwip, "node-qrcode": _check_node_qrcode, "lean-qr": _check_lean_qr}
