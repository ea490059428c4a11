"""Raw HTTP requests to both endpoints: forms and JSON bodies with mutated structure, headers and pictures."""

import base64
import json
from collections.abc import Callable, Sequence
from random import Random

from tools.fuzz.inputs import pictures
from tools.fuzz.inputs.mutation import mutate_bytes, mutate_image
from tools.fuzz.inputs.seeds import seeds

MAX_UPLOAD = 100_000
"""Largest body in bytes that the fuzzed server accepts; a few requests are larger."""

_SEEDS = list(seeds().values())
_HOSTILE = (
    b"", b"\0", b"\x80\xff", b"\xe2\x80\xae", b"../../x", b"..\\..\\x", b"%00", b"%2e%2e%2f", b"{{7*7}}", b"'\"", b"\\",
    b"nan", b"-1", b"1e999", b"99999999999999999999", b"null", b"true", b"[]", b"a" * 300, b";", b"=", b"\t", b"\xc3(",
    b"utf-8''%ff", b"*", b"javascript:1",
)  # fmt: skip
_QUERIES = {
    b"effort": (b"fast", b"fast", b"balanced", b"thorough", b"FAST"),
    b"budget": (b"0.05", b"0.2", b"1e300", b"0", b"-0.0", b"inf"),
    b"expect": (b"1", b"254", b"0", b"255", b"1.0"),
    b"fuse": (b"true", b"false", b"1", b"yes", b"2"),
    b"region": (b"0,0,9,9", b"0.0,0,1,1", b"0.5,0.5,.5,.5", b"0,0,99999,1", b"1,1,0,0", b"-1,0,2,2"),
    b"symbologies": (b"all", b"linear", b"qr,DataMatrix", b"ean-13", b"none", b","),
    b"network": (b"auto", b"modules", b"lenet", b"eg-restormer-small", b"../lenet", b"srresnet-x4"),
    b"scale": (b"1", b"4", b"0", b"01", b"4.0"),
    b"binary": (b"true", b"false", b"on"),
    b"view": (b"straightened", b"original", b"Original"),
    b"unknown": (b"1",),
}
_CHARSETS = (
    b"utf-8",
    b"latin-1",
    b"undefined",
    b"punycode",
    b"idna",
    b"utf-16",
    b"hex",
    b"zlib",
    b"unicode_escape",
    b"x",
)


def request(rng: Random) -> bytes:
    """One request, usually complete; one in four also has random bytes changed."""
    path = _mostly(rng, 0.96, (b"/decode",) * 5 + (b"/restore",), (b"/", b"/decode/", b"/readyz", b"/openapi.json"))
    body, kind = rng.choice((_form, _form, _form, _json, _plain))(rng)
    line = _mostly(rng, 0.95, (b"POST",), (b"PUT", b"HEAD", b"GET", b"OPTIONS", b"post")) + b" " + path + _query(rng)
    headers = [b"Host: localhost", *([b"Content-Type: " + kind] if kind else []), *_extra_headers(rng)]
    body, framing = _framed(rng, body)
    raw = b"\r\n".join([line + b" HTTP/1.1", *headers, *framing, b"", b""]) + body
    return mutate_bytes(rng, raw, rng.choice(_SEEDS), times=rng.choice((1, 1, 2, 4))) if rng.random() < 0.25 else raw


def _mostly(rng: Random, share: float, usual: Sequence[bytes], others: Sequence[bytes] = _HOSTILE) -> bytes:
    return rng.choice(usual if rng.random() < share else others)


def _query(rng: Random) -> bytes:
    pairs = []
    for _ in range(rng.choice((0, 0, 0, 1, 1, 2))):
        name, values = rng.choice(list(_QUERIES.items()))
        pairs.append(_escaped(name) + _mostly(rng, 0.95, (b"=",), (b"", b"==")) + _escaped(_mostly(rng, 0.9, values)))
    return b"?" + _mostly(rng, 0.95, (b"&",), (b";", b"&&")).join(pairs) if pairs else b""


def _escaped(value: bytes) -> bytes:
    return b"".join(bytes([c]) if (chr(c).isalnum() and c < 128) or c in b"-._" else b"%%%02X" % c for c in value)


def _extra_headers(rng: Random) -> list[bytes]:
    offered = (
        lambda: b"X-Request-ID: " + rng.choice(_HOSTILE),
        lambda: b"Accept: " + rng.choice((b"application/json", b"image/png;q=0", b"*/*;q=nan", *_HOSTILE)),
        lambda: b"Content-Length: " + rng.choice((b"0", b"-1", b"+5", b"1e3", b"99999999999999999999", b"5")),
        lambda: b"Transfer-Encoding: " + rng.choice((b"chunked", b"gzip, chunked", b"identity", b"xchunked")),
        lambda: b"Expect: 100-continue",
        lambda: b"Connection: " + rng.choice((b"close", b"keep-alive", b"upgrade")),
        lambda: b"Authorization: Bearer " + rng.choice(_HOSTILE),
        lambda: b"X-Api-Key: " + rng.choice(_HOSTILE),
        lambda: b"Cookie: " + rng.choice(_HOSTILE),
        lambda: b"X-Forwarded-For: " + rng.choice(_HOSTILE),
        lambda: b"X-%d: 1\r\n" % rng.randrange(9) * rng.choice((1, 50, 200)) + b"X-End: 1",
        lambda: b"Range: bytes=0-1",
    )
    return [rng.choice(offered)() for _ in range(rng.choice((0, 0, 0, 0, 0, 1, 1, 2)))]


def _framed(rng: Random, body: bytes) -> tuple[bytes, list[bytes]]:
    """The body and its framing headers, which are usually correct."""
    what = rng.random()
    if what < 0.85:
        return body, [b"Content-Length: %d" % len(body)]
    if what < 0.93:
        return _chunked(rng, body), [b"Transfer-Encoding: chunked"]
    if what < 0.96:
        return body[: rng.randint(0, len(body))], [b"Content-Length: %d" % len(body)]
    if what < 0.98:
        return body, [b"Content-Length: %d" % rng.randint(0, len(body))]
    return body, []


def _chunked(rng: Random, body: bytes) -> bytes:
    out, at = [], 0
    while at < len(body):
        piece = body[at : at + rng.choice((1, 10, 100, 1000, 10_000))]
        length = (
            b"%x" % len(piece) if rng.random() < 0.98 else rng.choice((b"-1", b"fffffffffffffffff", b"0x1", b"g", b""))
        )
        out.append(length + rng.choice((b"",) * 9 + (b";a=b",)) + b"\r\n" + piece + b"\r\n")
        at += len(piece)
        if len(out) > 400:
            break
    return b"".join(out) + rng.choice((b"0\r\n\r\n",) * 9 + (b"", b"0\r\nX: y\r\n\r\n"))


def picture(rng: Random) -> bytes:
    what = rng.random()
    if what < 0.25:
        return mutate_image(rng, rng.choice(_SEEDS), rng.choice(_SEEDS))
    if what < 0.45:
        return rng.choice(_SEEDS)
    if what < 0.9:
        return pictures.picture(rng)
    return rng.choice(
        (b"", b"text", b"%PDF-1.7", b"<svg/>", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"BM", b"II*\0", bytes(64))
    )


def _json(rng: Random) -> tuple[bytes, bytes]:
    data = base64.b64encode(picture(rng))
    text = _mostly(rng, 0.85, (data,), (data[:-1], data + b"=", b"!" + data, b"", data.replace(b"A", b"\n")))
    name = _mostly(rng, 0.95, (b"image_base64",), (b"image", b"file", b"")).decode()
    bodies: Sequence[Callable[[], bytes]] = (
        lambda: json.dumps({name: text.decode()}).encode(),
        lambda: json.dumps({name: text.decode()}).encode(),
        lambda: json.dumps({name: text.decode()}).encode(rng.choice(("utf-16", "utf-32", "utf-8-sig"))),
        lambda: json.dumps({name: rng.choice((None, 1, [], {}, True, "\ud800", "\0"))}).encode(),
        lambda: rng.choice((b"[" * 50_000, b'{"a":' * 20_000, b"null", b"1e999", b"NaN", b'"\\ud800"', b"", b"{")),
        lambda: b'{"image_base64": "", "image_base64": "' + text + b'"}',
        lambda: json.dumps({name: text.decode(), "extra": rng.random()}).encode(),
    )
    kind = _mostly(
        rng, 0.9, (b"application/json",), (b"application/json; charset=utf-16", b"text/json", b"APPLICATION/JSON")
    )
    return rng.choice(bodies[:1] if rng.random() < 0.6 else bodies)(), kind


def _plain(rng: Random) -> tuple[bytes, bytes]:
    kind = rng.choice(
        (
            b"image/png",
            b"image/*",
            b"application/octet-stream",
            b"",
            b"application/x-www-form-urlencoded",
            b"multipart/mixed; boundary=b",
            b"*/*",
        )
    )
    return picture(rng), kind


def _form(rng: Random) -> tuple[bytes, bytes]:
    odd = (b"", b"-", b"--b", b"b" * 70, b"b" * 300, b'\\"b', b"b b", b"\xff")
    boundary = _mostly(rng, 0.85, (b"b", b"some-boundary"), odd)
    parts = [_part(rng) for _ in range(rng.choice((1,) * 8 + (0, 2, 3, 9, 40)))]
    line = _mostly(rng, 0.97, (b"\r\n",), (b"\n",))
    pieces = [b"--" + boundary + line + head.replace(b"\r\n", line) + line * 2 + data + line for head, data in parts]
    pieces.append(b"--" + boundary + b"--" + line)
    if rng.random() < 0.1:
        pieces.insert(
            rng.randint(0, len(pieces)), rng.choice((b"preamble", line * 99, b"--" + boundary, bytes(9), b"--b--"))
        )
    if rng.random() < 0.08:
        del pieces[rng.randrange(len(pieces))]
    body = b"".join(pieces)
    if rng.random() < 0.04:
        body += bytes(MAX_UPLOAD)
    kind = b"multipart/form-data; boundary=" + _mostly(
        rng, 0.95, (boundary, b'"' + boundary + b'"'), (boundary + b"x",)
    )
    if rng.random() < 0.15:
        kind = kind.replace(b";", b"; charset=" + rng.choice(_CHARSETS) + b";", 1)
    if rng.random() < 0.03:
        kind = rng.choice(
            (b"multipart/form-data", b"multipart/form-data; boundary", b"MULTIPART/FORM-DATA; BOUNDARY=b")
        )
    return body, kind


def _part(rng: Random) -> tuple[bytes, bytes]:
    name, filename = _mostly(rng, 0.9, (b"file",)), _mostly(rng, 0.8, (b"a.png",))
    head = b'Content-Disposition: form-data; name="%s"; filename="%s"' % (name, filename)
    others = (
        b'Content-Disposition: form-data; name="%s"' % name,
        b"Content-Disposition: form-data; name*=%s; filename*=%s" % (name, filename),
        b"Content-Disposition: form-data; filename=%s" % filename,
        b"Content-Disposition: " + rng.choice(_HOSTILE),
        b"Content-Type: image/png",
        b"",
    )
    head = _mostly(rng, 0.88, (head,), others)
    for _ in range(rng.choice((0, 1, 1, 1, 2, 30))):
        head += _mostly(rng, 0.9, (b"\r\nContent-Type: image/png", b"\r\nX: y"), (b"\r\n x", b"\r\nX", b"\r\n:"))
    return head, picture(rng)
