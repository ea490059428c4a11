"""Campaigns against the parsers that are written in Python, guided by coverage (atheris).

In equal time that goes further than generated or blindly mutated inputs do: `python -m tools.fuzz.guided --compare`
counts. atheris runs in a process of its own, since it never returns. Where it is not installed (it has no wheels for
macOS), mutations of the same seeds have to do.
"""

import argparse
import importlib
import importlib.util
import re
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import Final

from tests.support.paths import ROOT
from tools.fuzz.findings import Budget, Finding, Tally, kept
from tools.fuzz.mutation import mutate_bytes

INPUT_SECONDS: Final = 10
LONGEST: Final = 4096
TARGETS: Final = {
    "header": ("target_formats", ("app.pipeline.imaging",)),
    "form": ("target_headers", ("app.http.multipart", "python_multipart.multipart")),
    "accept": ("target_headers", ("app.routers.restore",)),
    "message": ("target_formats", ("app.pipeline.qrcode.codewords",)),
    "text": ("target_formats", ("app.pipeline.engines.zxing",)),
}
"""Target -> the module that has it, and the modules whose coverage guides it."""

_FOUND: Final = re.compile(rb"=== Uncaught Python exception: ===\s*(.*)|ERROR: libFuzzer: (.*)")
_RUNS: Final = re.compile(rb"Done (\d+) runs|stat::number_of_executed_units:\s*(\d+)")
_COVERAGE: Final = re.compile(rb"cov: (\d+)")

_FORM = (
    b'\x40b\n--b\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\nContent-Type: image/png\r\n\r\n'
    b'bytes\r\n--b\r\nContent-Disposition: form-data; name="note"\r\n\r\nwords\r\n--b--\r\n'
)
_ACCEPTED = (b"application/json", b"image/png;q=0.5, application/json;q=nan", b"*/*;q=1e9, image/*;level=1;q=")
_TEXTS = (b"plain", "\u00fc\u65e5\u672c".encode(), "\u65e5\u672c".encode("shift_jis"), b"\0\x80\xff")
_MESSAGES = (
    b"\0\x40\x46\x67\x57\xa7\xa0\xec\x11",
    b"\0\x20\x2a\xb9\x40",
    b"\0\x10\x0c\x7b\0",
    b"\0\x81\x80\xff\0",
    b"\0\x71\xa4\x01a\0",
)


def seeds(target: str) -> list[bytes]:
    if target == "header":
        from tools.fuzz.seeds import seeds as images

        return [data[:LONGEST] for data in images().values()]
    return list({"form": (_FORM,), "accept": _ACCEPTED, "text": _TEXTS, "message": _MESSAGES}[target])


def load(target: str) -> Callable[[bytes], None]:
    run: Callable[[bytes], None] = getattr(importlib.import_module(f"tests.fuzz.{TARGETS[target][0]}"), target)
    return run


def installed() -> bool:
    return importlib.util.find_spec("atheris") is not None


def campaign(target: str, seed: int, budget: Budget) -> Tally:
    return _guided(target, seed, budget) if installed() else blind(target, seed, budget)


def _guided(target: str, seed: int, budget: Budget) -> Tally:
    tally, until = Tally(f"{target} (atheris)"), time.monotonic() + budget.seconds - budget.spent
    with tempfile.TemporaryDirectory() as name:
        grown, planted, broken = (Path(name, part) for part in ("grown", "planted", "broken"))
        for folder in (grown, planted, broken):
            folder.mkdir()
        for index, data in enumerate([*seeds(target), *(path.read_bytes() for path in kept(target))]):
            (planted / f"{index:04}").write_bytes(data)
        command = [
            *(sys.executable, "-m", "tools.fuzz.guided", target, str(until)),
            *("--", str(grown), str(planted)),
            *(f"-seed={seed}", f"-max_len={LONGEST}", f"-timeout={INPUT_SECONDS}", "-print_final_stats=1"),
            *(f"-artifact_prefix={broken}/", "-rss_limit_mb=2048"),
            *([f"-runs={budget.most}"] if budget.most is not None else []),
        ]
        limit = budget.seconds + 120  # it is given a while longer to start and to end
        done = subprocess.run(command, cwd=ROOT, capture_output=True, timeout=limit, check=False)
        said = done.stderr + done.stdout
        inputs = sorted(broken.iterdir())
        for file in inputs:
            tally.found(Finding(target, _reason(said), file.read_bytes()))
        if done.returncode and not inputs:
            raise RuntimeError(
                f"atheris on {target} ended with {done.returncode}: {said[-2000:].decode(errors='replace')}"
            )
        tally.paths = len(list(grown.iterdir()))
    tally.tried = max((int(a or b) for a, b in _RUNS.findall(said)), default=0)
    tally.seconds = budget.spent
    tally.outcomes["branches reached"] = max(map(int, _COVERAGE.findall(said)), default=0)
    return tally


def _reason(said: bytes) -> str:
    match = _FOUND.search(said)
    return "broken" if match is None else (match[1] or match[2]).decode("utf-8", "replace").strip()[:300]


def blind(target: str, seed: int, budget: Budget) -> Tally:
    """Mutations of the seeds and of what is kept, here and unguided."""
    run = load(target)
    rng, tally = Random(f"{target} {seed}"), Tally(f"{target} (blind)")
    parents = [*seeds(target), *(path.read_bytes() for path in kept(target))]
    while budget.allows(tally.tried):
        data = mutate_bytes(rng, rng.choice(parents), rng.choice(parents))
        tally.tried += 1
        try:
            run(data)
        except Exception as exc:  # noqa: BLE001  whatever a parser lets through is what is looked for
            at = traceback.extract_tb(exc.__traceback__)[-1]
            tally.found(Finding(target, f"{type(exc).__name__} at {Path(at.filename).name}:{at.lineno}: {exc}", data))
    tally.seconds = budget.spent
    return tally


def _inside(target: str, until: float, flags: Sequence[str]) -> None:
    """The process in which atheris runs, up to a time of the monotonic clock: its imports count, too."""
    atheris = importlib.import_module("atheris")
    with atheris.instrument_imports(include=list(TARGETS[target][1]), enable_loader_override=False):
        run = load(target)
    seconds = max(1, round(until - time.monotonic()))
    atheris.Setup([sys.argv[0], f"-max_total_time={seconds}", *flags], run)
    atheris.Fuzz()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("target")
    parser.add_argument("until", type=float)
    parser.add_argument("flags", nargs="*")
    chosen = parser.parse_args()
    _inside(chosen.target, chosen.until, chosen.flags)
