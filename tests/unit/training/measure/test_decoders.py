"""Stock decoders answer as the engines of the service do, and none can hold up a comparison."""

import argparse
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest

from app.pipeline.imaging import GreyImage
from tests.support.bad_engines import UnreliableEngine
from tests.support.codes import qr_picture
from training.measure.decoders import (
    IsolatedEngine,
    OpenCVDetector,
    WeChatDetector,
    add_wechat_option,
    stock_decoders,
    wechat_engine,
)

NETWORKS = ("detect.prototxt", "detect.caffemodel", "sr.prototxt", "sr.caffemodel")


def test_opencv_reads_bytes_and_places() -> None:
    image = qr_picture("opencv reads this")
    (symbol,) = OpenCVDetector().read(image)
    assert (symbol.payload, symbol.text, symbol.engine) == (b"opencv reads this", "opencv reads this", "opencv")
    quiet = 4 * 6
    assert np.allclose(symbol.corners.array[0], quiet, atol=6)
    assert np.allclose(symbol.corners.array[2], image.shape[0] - quiet, atol=6)


def test_opencv_reads_every_code_and_nothing_else() -> None:
    both = np.hstack([qr_picture("left one"), qr_picture("right 1!")])
    assert {symbol.payload for symbol in OpenCVDetector().read(both)} == {b"left one", b"right 1!"}
    assert OpenCVDetector().read(np.full((64, 64), 255, np.uint8)) == []
    assert OpenCVDetector().read(np.empty((0, 5), np.uint8)) == []


class _WeChat:
    """Answers as WeChatQRCode does, or raises as OpenCV and its binding do."""

    def __init__(self, *networks: str) -> None:
        self.networks = networks

    def detectAndDecode(self, image: GreyImage) -> tuple[tuple[str, ...], tuple[np.ndarray, ...]]:  # noqa: N802
        if not image.any():
            raise cv2.error("it asserts something")
        if image.all() and image[0, 0] == 255:
            b"\xe4".decode()  # as the binding does of a payload in Latin-1
        square = np.array([[1, 2], [9, 2], [9, 8], [1, 8]], np.float32)
        return ("grüß", ""), (square, square)


def test_wechat_answers_text() -> None:
    engine = WeChatDetector(_WeChat)
    (symbol,) = engine.read(np.ones((10, 10), np.uint8))
    assert symbol.payload == "grüß".encode()
    assert symbol.corners.as_tuple[1] == (9.0, 2.0)
    assert engine.read(np.zeros((10, 10), np.uint8)) == []
    assert engine.read(np.full((10, 10), 255, np.uint8)) == []


def test_wechat_is_made_with_the_networks_of_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    parser = argparse.ArgumentParser()
    add_wechat_option(parser)
    assert parser.parse_args([]).wechat is None
    for name in NETWORKS[1:]:
        (tmp_path / name).touch()
    with pytest.raises(SystemExit):
        parser.parse_args(["--wechat", str(tmp_path)])
    assert f"{tmp_path} lacks detect.prototxt\n" in capsys.readouterr().err
    (tmp_path / NETWORKS[0]).touch()
    monkeypatch.delattr(cv2, "wechat_qrcode_WeChatQRCode", raising=False)
    with pytest.raises(SystemExit):
        parser.parse_args(["--wechat", str(tmp_path)])
    assert "no WeChatQRCode" in capsys.readouterr().err
    monkeypatch.setattr(cv2, "wechat_qrcode_WeChatQRCode", _WeChat, raising=False)
    folder = parser.parse_args(["--wechat", str(tmp_path)]).wechat
    assert wechat_engine(folder)._detector.networks == tuple(str(tmp_path / name) for name in NETWORKS)
    assert wechat_engine(None)._detector.networks == ()


def test_a_guarded_engine_reads_as_it_does_unguarded() -> None:
    image = qr_picture("isolated")
    isolated = IsolatedEngine(OpenCVDetector, name="opencv")
    try:
        assert isolated.read(image) == OpenCVDetector().read(image)
        assert 0 < isolated.seconds < 20
    finally:
        isolated.close()


def test_a_guarded_engine_that_hangs_or_dies_reads_nothing_and_the_next_picture_is_read() -> None:
    image = qr_picture("after the storm")
    hangs, dies = image.copy(), image.copy()
    hangs[0, 0], dies[0, 0] = 1, 2
    isolated = IsolatedEngine(UnreliableEngine, name="unreliable", limit=0.5)
    try:
        assert [isolated.read(picture) for picture in (hangs, dies)] == [[], []]
        assert isolated.read(hangs) == []
        assert isolated.seconds >= 0.5
        assert [symbol.payload for symbol in isolated.read(image)] == [b"after the storm"]
    finally:
        isolated.close()


def test_a_guarded_engine_that_cannot_be_made_says_so_and_is_not_made_for_every_picture(
    capfd: pytest.CaptureFixture[str],
) -> None:
    isolated = IsolatedEngine(partial(OpenCVDetector, "no such argument"), name="broken")
    with pytest.raises(RuntimeError, match="the decoder broken cannot be made"):
        isolated.read(qr_picture("never read"))
    assert "TypeError" in capfd.readouterr().err


def test_stock_decoders_are_those_that_are_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(cv2, "wechat_qrcode_WeChatQRCode", raising=False)
    assert [engine.name for engine in stock_decoders()] == ["zbar", "zxing", "opencv"]
    monkeypatch.setattr(cv2, "wechat_qrcode_WeChatQRCode", _WeChat, raising=False)
    assert [engine.name for engine in stock_decoders()][-1] == "wechat"
