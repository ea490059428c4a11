"""Measures the memory that the worst valid pictures need: `python -m tools.memory [--limit 6g] [--children 6]`.

Every format is decoded in its most expensive form and at the pixel limit; the contents keep the search busy. The peaks
are those of one child process and of the server (VmHWM in Linux' /proc). With all workers at the worst peak at once
they must stay below the limit of the container; exit status 1 if they do not.
"""

import argparse
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from math import isqrt
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from app.pipeline.files.documents.pdf import MOST_IMAGE_BYTES
from app.pipeline.files.documents.video import MOST_FRAME_PIXELS
from app.pipeline.files.isobmff import AVIF
from app.pipeline.files.jpeg2000 import JPEG2000
from tests.support.live.pictures import COLOUR_ALPHA, GREY, bmp, cmyk_jpeg, gif, uniform_png, wallpaper_of_finders
from tests.support.live.servers import Server, file_part, form, request, running
from tests.support.pdfs import PdfWriter, placed
from tests.support.tiffs import RGB, TiffPage, tiff
from tests.support.videos import encoded

_PIXELS: Final = 50_000_000
_SIDE: Final = isqrt(_PIXELS)
_WEBP_SIDE: Final = 16_383  # the longest that WebP has
_UNITS: Final = {"k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
_MIB: Final = 1 << 20
_EXTRA_SAMPLES: Final = 338
_QUICK: Final = (cv2.IMWRITE_AVIF_SPEED, 10, cv2.IMWRITE_AVIF_QUALITY, 20)
_POLL_SECONDS: Final = 0.01


def _encode(name: str, picture: NDArray[Any], *options: int) -> bytes:
    done, data = cv2.imencode(name, picture, options)
    if not done:
        raise ValueError(f"OpenCV cannot write {name}")
    return bytes(data)


def _noise(height: int, width: int) -> NDArray[np.uint8]:
    """Coarse noise in three channels: it looks like modules everywhere."""
    small = np.random.default_rng(1).integers(0, 256, (height // 4, width // 4, 3), dtype=np.uint8)
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_NEAREST), dtype=np.uint8)


def pictures() -> Iterator[tuple[str, list[bytes]]]:
    """Name and files of each request."""
    full = cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444
    jpeg = (cv2.IMWRITE_JPEG_QUALITY, 15, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, full)
    noise = _noise(_SIDE, _SIDE)
    yield "PNG, 16 bits, colour and alpha", [uniform_png(_SIDE, _SIDE, depth=16, colour=COLOUR_ALPHA)]
    yield "PNG, wallpaper of finder patterns", [_encode(".png", wallpaper_of_finders(_SIDE))]
    yield "PNG, a line", [uniform_png(_PIXELS // 100, 100, colour=GREY)]
    yield "JPEG, noise", [_encode(".jpg", noise, *jpeg)]
    yield "JPEG, noise, progressive", [_encode(".jpg", noise, *jpeg, cv2.IMWRITE_JPEG_PROGRESSIVE, 1)]
    yield "JPEG, CMYK", [cmyk_jpeg(np.zeros((_SIDE // 8 * 8, _SIDE // 8 * 8), np.uint8))]
    wide = _noise(_PIXELS // _WEBP_SIDE, _WEBP_SIDE)
    yield "WebP, noise", [_encode(".webp", wide, cv2.IMWRITE_WEBP_QUALITY, 10)]
    yield "WebP, lossless", [_encode(".webp", np.zeros_like(wide), cv2.IMWRITE_WEBP_QUALITY, 101)]
    yield "GIF", [gif((_SIDE, _SIDE), (2, 1))]
    yield "BMP, 8 bits, 20 MB", [bmp(8, width=4400, height=4400)]
    yield from documents(noise)
    yield from videos(noise)
    frame = _encode(".jpg", _noise(isqrt(_PIXELS // 8), isqrt(_PIXELS // 8)), *jpeg)
    yield "eight frames, fused", [frame] * 8


def documents(noise: NDArray[np.uint8]) -> Iterator[tuple[str, list[bytes]]]:
    """The same of formats that may hold several pictures; ``noise`` is colour at the pixel limit."""
    deep = np.zeros((_SIDE, _SIDE, 3), np.uint16)
    yield "TIFF, 16 bits, colour, one strip", [tiff(TiffPage(deep, RGB, is_packed=True))]
    clear = np.zeros((_SIDE, _SIDE, 4), np.uint8)
    yield "TIFF, colour and alpha, one strip", [tiff(TiffPage(clear, RGB, is_packed=True, tags={_EXTRA_SAMPLES: 2}))]
    half = isqrt(JPEG2000.max_pixels or _PIXELS)
    yield "JPEG 2000, colour and alpha", [_encode(".jp2", clear[:half, :half])]
    most = AVIF.max_bytes or 3 * _PIXELS
    plain, clearest, deepest = (isqrt(most // size) for size in (3, 4, 6))
    yield "AVIF, 8 bits, colour", [_encode(".avif", noise[:plain, :plain], *_QUICK)]
    yield "AVIF, 8 bits, colour and alpha", [_encode(".avif", clear[:clearest, :clearest], *_QUICK)]
    yield "AVIF, 12 bits, colour", [_encode(".avif", deep[:deepest, :deepest], cv2.IMWRITE_AVIF_DEPTH, 12, *_QUICK)]
    sheet = PdfWriter()
    side = isqrt(MOST_IMAGE_BYTES // 3)
    colours = b"/Type /XObject /Subtype /Image /ColorSpace /DeviceRGB /BitsPerComponent 8 /Width %d /Height %d "
    picture = sheet.stream(colours % (side, side), bytes(side * side * 3))
    sheet.page(placed("Sheet", 0, 0, 720), size=(720, 720), pictures={"Sheet": picture})
    yield "PDF, the largest picture", [sheet.written()]
    yield "PDF, scan of noise at 600 dpi", [_scan(noise[:6000, :6000])]
    frames = [np.zeros((2300, 2300, 3), np.uint8)] * 4 + [np.full((2300, 2300, 3), n, np.uint8) for n in range(5)]
    for suffix in (".gif", ".webp", ".png"):
        yield f"animation, {suffix[1:]}", [_animation(suffix, frames)]


def _scan(sheet: NDArray[np.uint8]) -> bytes:
    """A PDF whose page is one JPEG."""
    writer = PdfWriter()
    data = _encode(".jpg", sheet, cv2.IMWRITE_JPEG_QUALITY, 10)
    head = b"/Type /XObject /Subtype /Image /ColorSpace /DeviceRGB /BitsPerComponent 8 /Filter /DCTDecode "
    picture = writer.stream(head + b"/Width %d /Height %d" % sheet.shape[1::-1], data, packed=False)
    writer.page(placed("Scan", 0, 0, 720), size=(720, 720), pictures={"Scan": picture})
    return writer.written()


def _animation(suffix: str, frames: Sequence[NDArray[np.uint8]]) -> bytes:
    animation = cv2.Animation()
    animation.frames = [cv2.cvtColor(frame, cv2.COLOR_BGR2BGRA) for frame in frames]
    animation.durations = np.full(len(frames), 50, np.int32)
    done, data = cv2.imencodeanimation(suffix, animation)
    if not done:
        raise ValueError(f"OpenCV cannot write {suffix}")
    return bytes(data)


def videos(noise: NDArray[np.uint8]) -> Iterator[tuple[str, list[bytes]]]:
    """The same of videos whose frames are as large as they may be, each codec with all the frames that it may hold."""
    wide, high = 4096, MOST_FRAME_PIXELS // 4096
    plain = [np.ascontiguousarray(np.roll(noise[:high, :wide, 0], 37 * number, axis=1)) for number in range(20)]
    h264 = {"preset": "ultrafast", "crf": "51", "x264-params": "ref=16:keyint=250:bframes=0"}
    hevc = {"preset": "ultrafast", "crf": "51", "x265-params": "log-level=none:ref=6:keyint=250:bframes=0:pools=1"}
    vp9 = {"cpu-used": "8", "deadline": "realtime", "b": "2M"}
    av1 = {"preset": "12", "crf": "60", "svtav1-params": "lp=1"}
    for bits, pixels in ((8, "yuv420p"), (10, "yuv420p10le")):
        yield f"video, H.264, {bits} bits", [encoded(plain, "libx264", "mp4", h264, pixels=pixels)]
        yield f"video, HEVC, {bits} bits", [encoded(plain[:10], "libx265", "mp4", hevc, pixels=pixels)]
        yield f"video, AV1, {bits} bits", [encoded(plain[:10], "libsvtav1", "mp4", av1, pixels=pixels)]
    yield "video, VP9, 8 bits", [encoded(plain[:10], "libvpx-vp9", "webm", vp9)]


@dataclass
class Peaks:
    """Peak resident bytes by process."""

    by_pid: dict[int, int] = field(default_factory=dict)

    def look(self, pids: Sequence[int]) -> None:
        for pid in pids:
            with suppress(OSError):  # it has ended
                for line in Path(f"/proc/{pid}/status").read_text().splitlines():
                    if line.startswith("VmHWM:"):
                        self.by_pid[pid] = max(self.by_pid.get(pid, 0), int(line.split()[1]) << 10)


@contextmanager
def watched(server: Server) -> Iterator[Peaks]:
    """Looks at the peaks of the service's children inside the block."""
    peaks, stop = Peaks(), threading.Event()

    def watch() -> None:
        while not stop.wait(_POLL_SECONDS):
            peaks.look(server.workers())

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield peaks
    finally:
        stop.set()
        watcher.join()


def measure(limit: int, children: int, only: str = "") -> Iterator[str]:
    """The lines of the report on the pictures whose name has ``only`` in it; the last says whether everything fits."""
    worst = server_peak = 0
    for name, files in pictures():
        if only not in name:
            continue
        body = form(*(file_part(file) for file in files))
        fuse = "?fuse=true" if len(files) > 1 else ""
        for path in (f"/decode{fuse}", "/restore"):
            if fuse and path == "/restore":
                continue
            with running(workers=1, video="true") as server, watched(server) as peaks:
                answer = server.send(request(body, line=b"POST " + path.encode()), timeout=120)
                child = max(peaks.by_pid.values())
                whole = Peaks()
                whole.look([server.pid])
            server_now = max(whole.by_pid.values())
            worst, server_peak = max(worst, child), max(server_peak, server_now)
            yield (
                f"{name:34} {path:17} {answer.status}  {len(body) / 1e6:5.1f} MB  child {child / _MIB:6.0f} MiB  "
                f"server {server_now / _MIB:4.0f} MiB  {answer.seconds:5.1f} s"
            )
    together = children * worst + server_peak
    yield f"{children} children at the worst peak and the server: {together / _MIB:.0f} MiB of {limit / _MIB:.0f}"
    yield "fits" if together <= limit else "DOES NOT FIT"


def _size(text: str) -> int:
    return int(float(text[:-1]) * _UNITS[text[-1].lower()]) if text[-1].lower() in _UNITS else int(text)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--limit", type=_size, default=_size("6g"), help="memory limit of the container (default 6g)")
    parser.add_argument("--children", type=int, default=6, help="workers and slow workers together (default 6)")
    parser.add_argument("--only", default="", help="only the pictures whose name has this in it")
    options, line = parser.parse_args(argv), ""
    for line in measure(options.limit, options.children, options.only):
        sys.stdout.write(line + "\n")
        sys.stdout.flush()
    return 0 if line == "fits" else 1


if __name__ == "__main__":
    sys.exit(main())
