"""Stock decoders, also those that the service does not use, behind its `Engine` protocol."""

import multiprocessing
from collections.abc import Callable, Iterable
from multiprocessing.connection import Connection
from typing import Any

import cv2

from app.pipeline.engines.symbol import Engine, Symbol
from app.pipeline.engines.zbar import ZBar, guess_content_type, guess_text
from app.pipeline.engines.zxing import ZXing
from app.pipeline.imaging import GreyImage
from app.pipeline.quad import Quad

_WECHAT = "wechat_qrcode_WeChatQRCode"


def _symbols(payloads: Iterable[bytes], quads: Iterable[Any], engine: str) -> list[Symbol]:
    """One symbol a payload that is not empty; its quad is (4, 2)."""
    symbols = []
    for payload, quad in zip(payloads, quads, strict=True):
        if payload:
            text, kind = guess_text(payload), guess_content_type(payload)
            symbols.append(Symbol(payload, text, kind, "QRCode", None, None, engine, Quad.of(quad)))
    return symbols


class OpenCVDetector:
    """OpenCV's QRCodeDetector, every code of the picture at its own size."""

    name = "opencv"

    def __init__(self) -> None:
        self._detector = cv2.QRCodeDetector()

    def read(self, image: GreyImage) -> list[Symbol]:
        """Nothing where the detector raises, as it does on some pictures that hold no code."""
        if image.size == 0:
            return []
        try:
            found, payloads, quads, _ = self._detector.detectAndDecodeBytesMulti(image)
        except cv2.error:
            return []
        return _symbols(payloads, quads, self.name) if found else []


class WeChatDetector:
    """WeChatQRCode of OpenCV's contributed modules, without its two networks, which are not shipped with it."""

    name = "wechat"

    def __init__(self, make: Callable[[], Any]) -> None:
        self._detector = make()

    def read(self, image: GreyImage) -> list[Symbol]:
        """Its text as UTF-8 bytes: it hands out no others."""
        if image.size == 0:
            return []
        try:
            texts, quads = self._detector.detectAndDecode(image)
        except cv2.error:
            return []
        return _symbols((text.encode() for text in texts), quads, self.name)


class Guarded:
    """An engine in a process of its own, which is ended when it takes longer than ``limit`` seconds.

    A picture that it does not answer in time, or that ends its process, is one that it does not read; the next gets a
    new process. OpenCV's detector needs this: one picture is known that kept it ten minutes and crashed it (its issue
    26642).
    """

    def __init__(self, make: Callable[[], Engine], *, name: str, limit: float = 20.0) -> None:
        self.name = name
        self._make = make
        self._limit = limit
        self._process: multiprocessing.process.BaseProcess | None = None
        self._pipe: Connection | None = None

    def read(self, image: GreyImage) -> list[Symbol]:
        """Runs with as many threads as OpenCV has in this process."""
        try:
            pipe = self._pipe or self._start()
            pipe.send((image, cv2.getNumThreads()))
            if pipe.poll(self._limit):
                symbols: list[Symbol] = pipe.recv()
                return symbols
        except (EOFError, OSError):
            pass
        self.close()
        return []

    def _start(self) -> Connection:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(self._make, theirs), daemon=True)
        self._process.start()
        theirs.close()
        self._pipe.recv()  # it is ready: what follows is timed
        return self._pipe

    def close(self) -> None:
        """Ends the process; the next picture starts another."""
        if self._pipe is not None and self._process is not None:
            self._pipe.close()
            self._process.kill()
            self._process.join()
            self._process.close()
        self._pipe = self._process = None


def _serve(make: Callable[[], Engine], pipe: Connection) -> None:
    """Answers pictures until the other end closes."""
    engine = make()
    pipe.send(engine.name)
    while True:
        try:
            image, threads = pipe.recv()
        except EOFError:
            return
        cv2.setNumThreads(threads)
        pipe.send(engine.read(image))


def _wechat() -> Engine:
    return WeChatDetector(getattr(cv2, _WECHAT))


def plain_engines() -> list[Engine]:
    """The service's engines as they come: ZBar at the picture's own size only, and zxing-cpp."""
    return [ZBar(longest_sides=(1 << 30,)), ZXing()]


def stock_decoders() -> list[Engine]:
    """Those that are installed: the plain engines, OpenCV's, and WeChat's if OpenCV has it."""
    engines = [*plain_engines(), Guarded(OpenCVDetector, name=OpenCVDetector.name)]
    return [*engines, Guarded(_wechat, name=WeChatDetector.name)] if hasattr(cv2, _WECHAT) else engines
