"""Prepared requests with good photographs and bad files, and the check of each answer."""

import json
from base64 import b64decode
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random

import cv2
import numpy as np
import segno

from app.pipeline.files.png import encode_png
from app.pipeline.imaging import GreyImage
from app.pipeline.qrcode.patterns import render
from tests.support.live.servers import file_part, form, request
from tests.support.paths import ROOT

SHAPE = (480, 640)
"""Height and width of a photograph, 0.3 megapixels."""
VARIETY = 8
"""The number of different photographs."""
LABEL = b"https://example.org/parcel/7F3K-2291-0C"
"""The payload of docs/label.jpg, which is too blurred for stock decoders."""

Check = Callable[[int, bytes, bytes], str | None]
"""Status, head and body of an answer -> what is wrong with it, or None."""

MIXED: Mapping[str, int] = {"direct": 70, "blurred": 8, "codeless": 4, "garbage": 8, "truncated": 8, "restored": 2}
DIRECT: Mapping[str, int] = {"direct": 1}
"""Profiles: kind of request -> weight."""


@dataclass(frozen=True, slots=True)
class Shot:
    """One request of a kind. `check` is not asked about refusals (429, 503), which the client handles."""

    kind: str
    raw: bytes
    check: Check


def shots(kinds: Sequence[str], seed: int = 1) -> dict[str, list[Shot]]:
    """Kind -> all its requests. Raises KeyError for an unknown kind."""
    rng = Random(seed)
    photographs = [(payload, photograph(payload, rng)) for payload in (b"parcel %04d" % i for i in range(VARIETY))]
    return {kind: list(_KINDS[kind](photographs, rng)) for kind in kinds}


def drawn(weights: Mapping[str, int], seed: int = 1) -> Iterator[Shot]:
    """Endless requests of random kinds, by weight; equal seeds draw the same ones."""
    ready, rng = shots(list(weights), seed), Random(seed)
    kinds, shares = list(weights), list(weights.values())
    while True:
        yield rng.choice(ready[rng.choices(kinds, shares)[0]])


def hinted(shots: Iterator[Shot], expect: int) -> Iterator[Shot]:
    """The same requests to /decode, but telling how many codes there are (`?expect=`)."""
    for shot in shots:
        yield replace(shot, raw=shot.raw.replace(b"POST /decode ", b"POST /decode?expect=%d " % expect, 1))


Photographs = Sequence[tuple[bytes, bytes]]


def _direct(photographs: Photographs, _: Random) -> Iterator[Shot]:
    for payload, data in photographs:
        yield Shot("direct", _upload(data), _reads(payload))


def _blurred(_: Photographs, __: Random) -> Iterator[Shot]:
    yield Shot("blurred", _upload((ROOT / "docs/label.jpg").read_bytes()), _reads(LABEL))


def _codeless(_: Photographs, rng: Random) -> Iterator[Shot]:
    """Small pictures, since they climb the whole ladder."""
    for _index in range(2):
        yield Shot("codeless", _upload(_jpeg(_texture(rng, (150, 200)))), _reads())


def _garbage(_: Photographs, rng: Random) -> Iterator[Shot]:
    for size in (0, 100, 50_000):
        status = 415 if size else 422
        yield Shot("garbage", _upload(b"\0" + rng.randbytes(size) if size else b""), _is(status))


def _truncated(photographs: Photographs, _: Random) -> Iterator[Shot]:
    """Files that are cut in the header, and in the pixels, of which a reader may show the first ones."""
    payload, data = photographs[0]
    yield Shot("truncated", _upload(data[:100]), _is(422))
    yield Shot("truncated", _upload(data[: len(data) // 2]), _reads_or_refuses(payload))
    png = encode_png(np.full((64, 64), 255, np.uint8))
    yield Shot("truncated", _upload(png[: len(png) // 2]), _is(422))


def _restored(photographs: Photographs, _: Random) -> Iterator[Shot]:
    for payload, data in photographs[:2]:
        yield Shot("restored", _upload(data, b"/restore"), _shows(payload))


_KINDS: Mapping[str, Callable[[Photographs, Random], Iterator[Shot]]] = {
    "direct": _direct,
    "blurred": _blurred,
    "codeless": _codeless,
    "garbage": _garbage,
    "truncated": _truncated,
    "restored": _restored,
}


def _upload(data: bytes, path: bytes = b"/decode") -> bytes:
    return request(form(file_part(data, b"photo.jpg", kind=b"image/jpeg")), line=b"POST " + path)


def photograph(payload: bytes, rng: Random) -> bytes:
    """A slanted symbol on uneven paper, slightly soft and noisy, as a colour JPEG: every stock decoder reads it."""
    code = segno.make(payload, error="m", micro=False, boost_error=False)
    symbol = render(np.array([list(row) for row in code.matrix], np.bool_), pixels=16)
    left, top, side = rng.uniform(120, 260), rng.uniform(60, 130), rng.uniform(200, 260)
    corners = np.array([[left, top], [left + side, top], [left + side, top + side], [left, top + side]], np.float32)
    corners += np.array([[rng.uniform(-12, 12), rng.uniform(-12, 12)] for _ in range(4)], np.float32)
    whole = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32) * len(symbol)
    picture = _texture(rng, SHAPE)
    matrix = cv2.getPerspectiveTransform(whole, corners)
    cv2.warpPerspective(symbol, matrix, SHAPE[::-1], picture, borderMode=cv2.BORDER_TRANSPARENT)
    soft = cv2.GaussianBlur(picture, (0, 0), 0.8).astype(np.float32)
    return _jpeg(soft + np.random.default_rng(rng.getrandbits(32)).normal(0, 4, SHAPE))


def _texture(rng: Random, shape: tuple[int, int]) -> GreyImage:
    noise = np.random.default_rng(rng.getrandbits(32)).normal(0, 1, (*shape, 2)).astype(np.float32)
    coarse, fine = cv2.GaussianBlur(noise[..., 0], (0, 0), 40), cv2.GaussianBlur(noise[..., 1], (0, 0), 3)
    return np.clip(150 + 1500 * coarse + 90 * fine, 40, 220).astype(np.uint8)


def _jpeg(picture: np.ndarray[tuple[int, int], np.dtype[np.generic]]) -> bytes:
    grey = np.clip(picture, 0, 255).astype(np.uint8)
    written, data = cv2.imencode(".jpg", cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR), [cv2.IMWRITE_JPEG_QUALITY, 85])
    if not written:
        raise RuntimeError("no JPEG was written")
    return data.tobytes()


def _payloads(body: bytes) -> list[bytes]:
    return [b64decode(code["bytes_base64"]) for code in json.loads(body)["codes"]]


def _reads(*payloads: bytes) -> Check:
    def check(status: int, head: bytes, body: bytes) -> str | None:
        if status != 200:
            return f"{status} {body[:200]!r}"
        read = _payloads(body)
        return None if read == list(payloads) else f"read {read} and not {list(payloads)}"

    return check


def _reads_or_refuses(payload: bytes) -> Check:
    def check(status: int, head: bytes, body: bytes) -> str | None:
        if status == 422:
            return None
        return None if status == 200 and _payloads(body) in ([payload], []) else f"{status} {body[:200]!r}"

    return check


def _is(expected: int) -> Check:
    def check(status: int, head: bytes, body: bytes) -> str | None:
        proper = status == expected and b"application/problem+json" in head
        return None if proper else f"{status} and not {expected}: {body[:200]!r}"

    return check


def _shows(payload: bytes) -> Check:
    def check(status: int, head: bytes, body: bytes) -> str | None:
        picture = cv2.imdecode(np.frombuffer(body, np.uint8), cv2.IMREAD_GRAYSCALE) if body else None
        named = b"x-qrestore-text: " + payload.replace(b" ", b"%20") in head.lower()
        return None if status == 200 and picture is not None and named else f"{status} {head[-400:]!r}"

    return check
