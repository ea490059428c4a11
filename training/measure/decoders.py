"""Stock decoders behind the service's `Engine` protocol, including some that the service does not use."""

import argparse
import multiprocessing
from collections.abc import Callable, Iterable
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from time import perf_counter
from typing import Any

import cv2

from app.pipeline.engines.symbol import Engine, Symbol
from app.pipeline.engines.zbar import ZBar
from app.pipeline.engines.zxing import ZXing
from app.pipeline.imaging import GreyImage
from app.pipeline.payload.charsets import guess_charset
from app.pipeline.payload.interpreting import is_binary
from app.pipeline.quad import Quad

_WECHAT = "wechat_qrcode_WeChatQRCode"
_WECHAT_FILES = ("detect.prototxt", "detect.caffemodel", "sr.prototxt", "sr.caffemodel")


def _symbols(payloads: Iterable[bytes], quads: Iterable[Any], engine: str) -> list[Symbol]:
    """One symbol for each non-empty payload; quads are (4, 2)."""
    symbols = []
    for payload, quad in zip(payloads, quads, strict=True):
        if payload:
            text, kind = guess_charset(payload).decode(payload), "Binary" if is_binary(payload) else "Text"
            symbols.append(Symbol(payload, text, kind, "QRCode", None, None, engine, Quad.of(quad)))
    return symbols


class OpenCVDetector:
    """OpenCV's QRCodeDetector, on the picture at its original size; reads several codes."""

    name = "opencv"

    def __init__(self) -> None:
        self._detector = cv2.QRCodeDetector()

    def read(self, image: GreyImage) -> list[Symbol]:
        """Reads nothing where the detector raises, which happens on some pictures without a code."""
        if image.size == 0:
            return []
        try:
            found, payloads, quads, _ = self._detector.detectAndDecodeBytesMulti(image)
        except cv2.error:
            return []
        return _symbols(payloads, quads, self.name) if found else []


class WeChatDetector:
    """WeChatQRCode of OpenCV's contributed modules, with the two networks that it is made with, if any."""

    name = "wechat"

    def __init__(self, make: Callable[[], Any]) -> None:
        self._detector = make()

    def read(self, image: GreyImage) -> list[Symbol]:
        """Payloads are the detector's texts in UTF-8: it gives no bytes. Reads nothing where one of them is not UTF-8,
        which makes the binding to Python raise."""
        if image.size == 0:
            return []
        try:
            texts, quads = self._detector.detectAndDecode(image)
        except (cv2.error, UnicodeDecodeError):
            return []
        return _symbols((text.encode() for text in texts), quads, self.name)


class IsolatedEngine:
    """Runs an engine in a separate process, which is killed when a picture takes longer than ``limit`` seconds.

    A picture that exceeds the limit or ends the process counts as unread; the next picture starts a new process.
    OpenCV's detector needs this: a known picture keeps it busy for ten minutes and then crashes it (OpenCV issue
    26642). ``seconds``: how long the last read took in that process, or how long this one waited in vain for it.
    """

    def __init__(self, make: Callable[[], Engine], *, name: str, limit: float = 20.0) -> None:
        self.name = name
        self._make = make
        self._limit = limit
        self._process: multiprocessing.process.BaseProcess | None = None
        self._pipe: Connection | None = None
        self.seconds = 0.0

    def read(self, image: GreyImage) -> list[Symbol]:
        """Reads with as many OpenCV threads as this process has. Raises RuntimeError if the engine cannot be made."""
        began = perf_counter()
        try:
            pipe = self._pipe or self._start()
            pipe.send((image, cv2.getNumThreads()))
            if pipe.poll(self._limit):
                symbols: list[Symbol]
                symbols, self.seconds = pipe.recv()
                return symbols
        except (EOFError, OSError):
            pass
        self.seconds = perf_counter() - began
        self.close()
        return []

    def _start(self) -> Connection:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(self._make, theirs), daemon=True)
        self._process.start()
        theirs.close()
        try:
            self._pipe.recv()  # waits until it is ready, since reading is timed
        except EOFError as exc:
            self.close()
            raise RuntimeError(f"the decoder {self.name} cannot be made; its standard error says why") from exc
        return self._pipe

    def close(self) -> None:
        """Kills the process; the next picture starts another."""
        if self._pipe is not None and self._process is not None:
            self._pipe.close()
            self._process.kill()
            self._process.join()
            self._process.close()
        self._pipe = self._process = None


def _serve(make: Callable[[], Engine], pipe: Connection) -> None:
    """Reads pictures from the pipe until the other end closes."""
    engine = make()
    pipe.send(engine.name)
    while True:
        try:
            image, threads = pipe.recv()
        except EOFError:
            return
        cv2.setNumThreads(threads)
        began = perf_counter()
        symbols = engine.read(image)
        pipe.send((symbols, perf_counter() - began))


def wechat_engine(networks: Path | None) -> WeChatDetector:
    """WeChat's decoder with the two networks of a folder, or without any. AttributeError if OpenCV lacks it."""
    files = [str(networks / name) for name in _WECHAT_FILES] if networks else []
    return WeChatDetector(partial(getattr(cv2, _WECHAT), *files))


def plain_engines() -> list[Engine]:
    """The service's two engines without its variants: ZBar at the picture's original size, and zxing-cpp."""
    return [ZBar(longest_sides=(1 << 30,)), ZXing()]


def stock_decoders(wechat_networks: Path | None = None) -> list[Engine]:
    """Every installed decoder: the plain engines, OpenCV's, and WeChat's if OpenCV includes it, with the networks in
    the folder ``wechat_networks``, if given."""
    engines = [*plain_engines(), IsolatedEngine(OpenCVDetector, name=OpenCVDetector.name)]
    if hasattr(cv2, _WECHAT):
        engines.append(IsolatedEngine(partial(wechat_engine, wechat_networks), name=WeChatDetector.name))
    return engines


def add_wechat_option(parser: argparse.ArgumentParser) -> None:
    """Adds the option ``--wechat``, the folder of WeChat's two networks: ``detect`` and ``sr``, as .prototxt and
    .caffemodel, which OpenCV does not ship. Its value is a Path or None."""
    parser.add_argument(
        "--wechat", type=_wechat_networks, metavar="DIR", help=f"WeChat's networks: {', '.join(_WECHAT_FILES)}"
    )


def _wechat_networks(folder: str) -> Path:
    missing = [name for name in _WECHAT_FILES if not Path(folder, name).is_file()]
    if missing:
        raise argparse.ArgumentTypeError(f"{folder} lacks {', '.join(missing)}")
    if not hasattr(cv2, _WECHAT):
        raise argparse.ArgumentTypeError("this OpenCV has no WeChatQRCode; opencv-contrib-python-headless has")
    return Path(folder)
