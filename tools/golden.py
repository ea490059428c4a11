"""Proves that a change leaves answers alone: records what a service answers, and compares two records.

    python -m tools.golden draw --out PICTURES              synthetic pictures and frames, the same each time
    python -m tools.golden record --pictures DIR... --out FILE [--url URL]
    python -m tools.golden compare BEFORE AFTER

A record has one line for each call: the call, the status, and the answer without times and request id. Calls are
`/decode` of every picture at the default effort, of every fifth at each other effort, fused groups of three, and
`/restore` of twelve pictures in different ways. `record` starts a service of its own unless ``--url`` names one.
Two records of one version are equal where the number format of the networks is (see `dense_autocast`).
"""

import argparse
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import Any, Final

import httpx
import numpy as np

from app.pipeline.crops.rectifying import PIXELS_PER_MODULE
from app.pipeline.files.png import encode_png
from app.pipeline.imaging import GreyImage
from app.pipeline.qrcode.patterns import render
from tests.support.live.servers import running
from training.measure.sets import SETS, samples

_SUFFIXES: Final = {".bmp", ".gif", ".jpeg", ".jpg", ".png", ".webp"}
_EVERY: Final = 5
_GROUP: Final = 3
_SECONDS: Final = 600
_NOISE: Final = (90, 105, 120, 135, 150, 165)
_RESTORATIONS: Final = (
    {},
    {"scale": "4"},
    {"binary": "true"},
    {"view": "original"},
    {"network": "modules"},
    {"network": "modules", "scale": "4"},
    {"network": "lenet"},
    {"network": "lenet", "scale": "4"},
    {"network": "lenet", "binary": "true", "view": "original"},
    {"network": "eg-restormer-small"},
    {"network": "srresnet-x4"},
    {"network": "srresnet-x4", "scale": "4"},
)


@dataclass(frozen=True, slots=True)
class Call:
    """A request: its path with the query, and the files that it sends."""

    path: str
    files: tuple[Path, ...]

    @property
    def name(self) -> str:
        return f"{self.path} {' '.join(file.name for file in self.files)}"


def main(argv: Sequence[str] | None = None) -> int:
    chosen = _parser().parse_args(argv)
    if chosen.command == "draw":
        draw(chosen.out, count=chosen.count)
        return 0
    if chosen.command == "compare":
        return compare(chosen.before, chosen.after)
    pictures = [file for folder in chosen.pictures for file in sorted(folder.iterdir()) if file.suffix in _SUFFIXES]
    if chosen.url:
        record(chosen.url, pictures, chosen.out, jobs=chosen.jobs)
        return 0
    with running(request_seconds=_SECONDS, work_seconds=_SECONDS) as server:
        record(f"http://127.0.0.1:{server.port}", pictures, chosen.out, jobs=chosen.jobs)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="tools.golden", description="Record a service's answers and compare records.")
    commands = parser.add_subparsers(dest="command", required=True)
    drawing = commands.add_parser("draw", help="write synthetic pictures and frames")
    drawing.add_argument("--out", type=Path, required=True)
    drawing.add_argument("--count", type=int, default=20, help="pictures of each set (default 20)")
    recording = commands.add_parser("record", help="ask a service about pictures")
    recording.add_argument("--pictures", type=Path, nargs="+", required=True, metavar="DIR")
    recording.add_argument("--out", type=Path, required=True, metavar="FILE")
    recording.add_argument("--url", help="a running service (default: start one)")
    recording.add_argument("--jobs", type=int, default=2, help="requests at once (default 2)")
    comparing = commands.add_parser("compare", help="print the calls whose answers differ")
    comparing.add_argument("before", type=Path)
    comparing.add_argument("after", type=Path)
    return parser


def draw(folder: Path, *, count: int) -> None:
    """Writes ``count`` pictures of each synthetic set, and groups of noisy frames that only read together."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in SETS:
        for index, sample in enumerate(samples(name, count=count)):
            _write(folder / f"{name}-{index:03}.png", sample.image)
    rng = np.random.default_rng(20)
    for index, (sample, noise) in enumerate(zip(samples("noise64", count=len(_NOISE)), _NOISE, strict=True)):
        clean = render(sample.symbol.modules, pixels=PIXELS_PER_MODULE)
        for frame in range(_GROUP):
            noisy = np.rint(clean + rng.normal(0, noise, clean.shape))
            _write(folder / f"frame-{index}-{frame}.png", np.clip(noisy, 0, 255).astype(np.uint8))


def _write(file: Path, image: GreyImage) -> None:
    file.write_bytes(encode_png(image))


def calls(pictures: Sequence[Path]) -> Iterator[Call]:
    """What `record` asks about these pictures."""
    for picture in pictures:
        yield Call("/decode", (picture,))
    for picture in pictures[::_EVERY]:
        yield Call("/decode?effort=fast", (picture,))
        yield Call("/decode?effort=thorough", (picture,))
    frames = [picture for picture in pictures if picture.name.startswith("frame-")]
    for together in (frames, pictures[: 8 * _GROUP]):
        for group in _groups(together):
            yield Call("/decode?fuse=true", group)
            yield Call("/decode?fuse=true&effort=thorough", group)
    step = max(1, len(pictures) // len(_RESTORATIONS))
    for picture, options in zip(pictures[::step], _RESTORATIONS, strict=False):
        yield Call("/restore?" + "&".join(f"{name}={value}" for name, value in options.items()), (picture,))


def _groups(pictures: Iterable[Path]) -> Iterator[tuple[Path, ...]]:
    rest = iter(pictures)
    while len(group := tuple(islice(rest, _GROUP))) == _GROUP:
        yield group


def record(url: str, pictures: Sequence[Path], out: Path, *, jobs: int) -> None:
    """Asks the service at ``url`` for every call and writes one line each, in the order of the calls."""
    with (
        httpx.Client(base_url=url, timeout=_SECONDS) as client,
        ThreadPoolExecutor(jobs) as threads,
        out.open("w") as file,
    ):
        for line in threads.map(lambda call: _ask(client, call), calls(pictures)):
            file.write(json.dumps(line, sort_keys=True) + "\n")
    sys.stdout.write(f"{sum(1 for _ in calls(pictures))} answers in {out}\n")


def _ask(client: httpx.Client, call: Call) -> dict[str, Any]:
    files = [("file", (file.name, file.read_bytes())) for file in call.files]
    response = client.post(call.path, files=files, headers={"Accept": "application/json"})
    answer = response.json()
    answer.pop("request_id", None)
    for stage in answer.get("trace", ()):
        del stage["seconds"]
    if "png_base64" in answer:
        answer["png_base64"] = sha256(answer["png_base64"].encode()).hexdigest()
    return {"call": call.name, "status": response.status_code, "answer": answer}


def compare(before: Path, after: Path) -> int:
    """Prints the calls whose answers differ, with the members that do; the exit status says whether any does."""
    old, new = (
        {line["call"]: line for line in map(json.loads, file.read_text().splitlines())} for file in (before, after)
    )
    different = 0
    for call in dict.fromkeys((*old, *new)):
        one, other = old.get(call), new.get(call)
        if one != other:
            different += 1
            sys.stdout.write(f"{call}: {', '.join(_members(one, other))}\n")
    sys.stdout.write(f"{len(old)} calls before, {len(new)} after, {different} differ\n")
    return int(different > 0)


def _members(one: dict[str, Any] | None, other: dict[str, Any] | None) -> list[str]:
    if one is None or other is None:
        return ["asked once only"]
    if one["status"] != other["status"]:
        return [f"status {one['status']} and {other['status']}"]
    first, second = one["answer"], other["answer"]
    names = dict.fromkeys((*first, *second))
    return [name for name in names if (name in first, first.get(name)) != (name in second, second.get(name))]


if __name__ == "__main__":
    sys.exit(main())
