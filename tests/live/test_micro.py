"""Micro QR and rMQR codes over real HTTP, with the shipped weights: blurred ones that no engine reads, and M1, whose
checks only detect errors."""

import json
from collections.abc import Iterator

import numpy as np
import pytest

from app.pipeline.engines.zxing import ZXing
from app.pipeline.files.png import encode_png
from app.pipeline.qrcode.patterns import render
from tests.support.live.servers import Server, running
from tests.support.micro_codes import micro_modules, micro_picture
from tests.support.paths import ROOT
from tests.support.rectangular_codes import rectangular_modules, rectangular_picture

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def reading() -> Iterator[Server]:
    with running(weights=ROOT / "weights", workers=1, budget_seconds=30) as server:
        yield server


@pytest.mark.parametrize("query", [b"", b"?symbologies=MicroQRCode"], ids=["unasked", "asked for"])
def test_a_blurred_m4_is_read(reading: Server, query: bytes) -> None:
    picture = micro_picture(micro_modules("M4", "M", "hello wor"), pixels=6, blur=0.6, noise=10, turn=3)
    assert ZXing().read(picture) == []
    answer = reading.upload(encode_png(picture), query=query)
    assert answer.status == 200
    (code,) = json.loads(answer.body)["codes"]
    assert (code["text"], code["symbology"], code["version"], code["ec_level"]) == (
        "hello wor",
        "MicroQRCode",
        "M4",
        "M",
    )
    assert (code["rung"], code["engine"], code["symbology_identifier"]) == ("micro", "soft", "]Q1")
    assert code["exact"]


@pytest.mark.parametrize("query", [b"", b"?symbologies=RMQRCode"], ids=["unasked", "asked for"])
def test_a_blurred_rmqr_code_is_read(reading: Server, query: bytes) -> None:
    modules = rectangular_modules("R11x77", "H", "part 0815 b")
    picture, truth = rectangular_picture(modules, pixels=6, blur=0.6, noise=10, turn=3)
    assert ZXing().read(picture) == []
    answer = reading.upload(encode_png(picture), query=query)
    assert answer.status == 200
    (code,) = json.loads(answer.body)["codes"]
    assert (code["text"], code["symbology"], code["version"], code["ec_level"], code["mask"]) == (
        "part 0815 b",
        "RMQRCode",
        "R11x77",
        "H",
        4,
    )
    assert (code["rung"], code["engine"], code["symbology_identifier"]) == ("micro", "soft", "]Q1")
    assert code["exact"]
    assert np.abs(np.array(code["position"]) - truth).max() < 4


def test_a_clean_m1_is_read(reading: Server) -> None:
    answer = reading.upload(encode_png(render(micro_modules("M1", None, "12345"), pixels=6)), query=b"?effort=fast")
    (code,) = json.loads(answer.body)["codes"]
    assert (code["text"], code["version"], code["errors_corrected"]) == ("12345", "M1", 0)
    assert code["segments"][0]["mode"] == "numeric"
