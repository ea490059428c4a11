"""Videos that the tests make: what is encoded, and how, is known."""

import io
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from typing import Any, Final

import av
import cv2
import numpy as np

from app.pipeline.imaging import GreyImage

ENCODERS: Final = {
    "H.264 in MP4": ("libx264", "mp4", {"preset": "veryfast"}),
    "HEVC in MOV": ("libx265", "mov", {"preset": "ultrafast", "x265-params": "log-level=none:pools=1"}),
    "VP8 in WebM": ("libvpx", "webm", {"deadline": "realtime"}),
    "VP9 in WebM": ("libvpx-vp9", "webm", {"deadline": "realtime", "cpu-used": "8"}),
    "AV1 in MP4": ("libsvtav1", "mp4", {"preset": "12", "svtav1-params": "lp=1"}),
}
"""Encoder, container and options of each kind of video that is read."""


def video(
    frames: Sequence[GreyImage],
    kind: str = "H.264 in MP4",
    *,
    rate: int = 30,
    times: Sequence[int] | None = None,
    pixels: str = "yuv420p",
    turned: int = 0,
    **more: str,
) -> bytes:
    """The frames, all of one size with even sides, as a video of a kind of `ENCODERS`; ``more`` are options of the
    encoder.

    ``times`` are those of the frames in units of 1 / ``rate`` seconds, without gaps if None; viewers turn the video by
    ``turned`` degrees anticlockwise.
    """
    encoder, container, options = ENCODERS[kind]
    return encoded(frames, encoder, container, options | more, rate=rate, times=times, pixels=pixels, turned=turned)


def encoded(
    frames: Sequence[GreyImage],
    encoder: str,
    container: str,
    options: dict[str, str],
    *,
    rate: int = 30,
    times: Sequence[int] | None = None,
    pixels: str = "yuv420p",
    turned: int = 0,
) -> bytes:
    """As `video`, by any encoder in any container."""
    out = io.BytesIO()
    with _same_priority(), av.open(out, "w", format=container) as file:
        stream: Any = file.add_stream(encoder, rate=rate)
        stream.height, stream.width = frames[0].shape
        stream.pix_fmt, stream.options = pixels, options
        stream.codec_context.thread_count = 1
        if turned:
            stream.set_display_rotation(turned)
        for number, frame in enumerate(frames):
            picture = av.VideoFrame.from_ndarray(frame, format="gray").reformat(format=pixels, threads=1)
            picture.pts, picture.time_base = number if times is None else times[number], Fraction(1, rate)
            file.mux(stream.encode(picture))
        file.mux(stream.encode(None))
    return out.getvalue()


@contextmanager
def _same_priority() -> Iterator[None]:
    """Takes back the real-time priority that SVT-AV1 gives to a thread of root that encodes: all processes that it
    starts later would have it, too, and an endless loop in one of them stops the machine."""
    if not hasattr(os, "sched_getscheduler"):
        yield
        return
    policy, parameters = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        yield
    finally:
        os.sched_setscheduler(0, policy, parameters)


def grown(parts: Sequence[Sequence[GreyImage]]) -> bytes:
    """A WebM whose frames change their size from part to part."""
    out = io.BytesIO()
    with av.open(out, "w", format="webm") as file:
        first: Any = None
        shown = 0
        for frames in parts:
            encoder: Any = av.CodecContext.create("libvpx", "w")
            encoder.height, encoder.width = frames[0].shape
            encoder.pix_fmt, encoder.time_base, encoder.thread_count = "yuv420p", Fraction(1, 30), 1
            if first is None:
                first = file.add_stream("libvpx", rate=30)
                first.height, first.width = frames[0].shape
                first.pix_fmt = "yuv420p"
            pictures = [av.VideoFrame.from_ndarray(one, format="gray").reformat(format="yuv420p") for one in frames]
            for picture in pictures:
                picture.pts, picture.time_base, shown = shown, Fraction(1, 30), shown + 1
            for packet in [packet for picture in (*pictures, None) for packet in encoder.encode(picture)]:
                packet.stream = first
                file.mux(packet)
    return out.getvalue()


def sound() -> bytes:
    """An MP4 with a tenth of a second of silence and no picture."""
    out = io.BytesIO()
    with av.open(out, "w", format="mp4") as file:
        stream: Any = file.add_stream("aac", rate=8000)
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.float32), format="fltp", layout="mono")
        silence.sample_rate = 8000
        file.mux(stream.encode(silence))
        file.mux(stream.encode(None))
    return out.getvalue()


def hand_held(
    code: GreyImage, *, side: float, frames: int, sigma: float, noise: float, seed: int = 0
) -> list[GreyImage]:
    """Frames (480, 640) of a code of this side on a cluttered table that a hand films: it drifts and shakes, out of
    focus by ``sigma`` pixels, with noise of so many grey levels."""
    rng = np.random.default_rng(seed)
    table = _clutter(rng)
    place, speed = np.array([240.0, 170.0]), np.zeros(2)
    filmed = []
    for number in range(frames):
        speed = 0.8 * speed + rng.normal(0, 1.5, 2)
        place = place + speed
        sharp = _laid(table, code, place, side, angle=0.15 + 0.002 * number)
        filmed.append(_noisy(cv2.GaussianBlur(sharp, (0, 0), sigma).astype(np.float32), rng, noise))
    return filmed


def banded_screen(code: GreyImage, *, frames: int, seed: int = 0) -> list[GreyImage]:
    """Frames (480, 640) of a screen that shows a code, each with dark bands somewhere else, as shutters that roll see
    lamps that flicker."""
    rng = np.random.default_rng(seed)
    shown = np.full((480, 640), 235, np.uint8)
    shown = _laid(shown, code, np.array([180.0, 100.0]), 250, angle=0.04)
    rows = np.arange(480) / 150
    filmed = []
    for number in range(frames):
        light = np.where((rows + 0.37 * number) % 1 < 0.6, np.float32(0.05), np.float32(1)).reshape(-1, 1)
        light = cv2.GaussianBlur(light, (1, 31), 0, sigmaY=6)
        filmed.append(_noisy(cv2.GaussianBlur(shown, (0, 0), 1.2) * light, rng, 3))
    return filmed


def _clutter(rng: np.random.Generator) -> GreyImage:
    coarse = rng.integers(60, 200, (60, 80)).astype(np.uint8)
    table = np.asarray(cv2.resize(cv2.GaussianBlur(coarse, (0, 0), 2), (640, 480)), np.uint8)
    for left, top, wide, high, grey in rng.integers((0, 0, 10, 5, 0), (600, 450, 90, 50, 255), (25, 5)).tolist():
        cv2.rectangle(table, (left, top), (left + wide, top + high), grey, -1)
    return table


def _laid(table: GreyImage, code: GreyImage, place: np.ndarray, side: float, *, angle: float) -> GreyImage:
    scale = side / len(code)
    cosine, sine = scale * np.cos(angle), scale * np.sin(angle)
    turn = np.array([[cosine, -sine, place[0]], [sine, cosine, place[1]]])
    picture = table.copy()
    return np.asarray(cv2.warpAffine(code, turn, (640, 480), picture, cv2.INTER_AREA, cv2.BORDER_TRANSPARENT), np.uint8)


def _noisy(picture: np.ndarray, rng: np.random.Generator, noise: float) -> GreyImage:
    return np.clip(picture + rng.normal(0, noise, picture.shape), 0, 255).astype(np.uint8)


def boxes(data: bytes, begin: int = 0, end: int | None = None) -> Iterator[tuple[bytes, int, int]]:
    """Kind, begin and end of the boxes of an MP4 that lie one after another in a part of it."""
    end = len(data) if end is None else end
    while begin + 8 <= end:
        size = int.from_bytes(data[begin : begin + 4], "big")
        yield data[begin + 4 : begin + 8], begin, begin + size
        begin += max(8, size)
