"""Campaigns against the parsers that are written in Python, guided by coverage (atheris).

atheris runs in a process of its own, since it never returns. Where it is not installed (it has no wheels for macOS),
unguided mutations of the same seeds replace it.
"""

import importlib.util
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from random import Random
from typing import Final

from tests.support.paths import ROOT
from tools.fuzz.findings import Budget, Finding, Tally, describe, kept
from tools.fuzz.inputs.mutation import mutate_bytes
from tools.fuzz.inputs.seeds import seeds as image_files
from tools.fuzz.targets import load

INPUT_SECONDS: Final = 10
LONGEST: Final = 4096

_FOUND: Final = re.compile(rb"=== Uncaught Python exception: ===\s*(.*)|ERROR: libFuzzer: (.*)")
_RUNS: Final = re.compile(rb"Done (\d+) runs|stat::number_of_executed_units:\s*(\d+)")
_COVERAGE: Final = re.compile(rb"cov: (\d+)")

_FORM = (
    b'\x40b\n--b\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\nContent-Type: image/png\r\n\r\n'
    b'bytes\r\n--b\r\nContent-Disposition: form-data; name="note"\r\n\r\nwords\r\n--b--\r\n'
)
_ACCEPTED = (b"application/json", b"image/png;q=0.5, application/json;q=nan", b"*/*;q=1e9, image/*;level=1;q=")
_BASE64 = (b"data:image/png;base64,iVBORw0KGgo=", b"iVBORw0K\r\nGgo=", b"-_-_", b"AAA")
_REGIONS = (b"120,80,400,300", b"0.5,0,.25,1.0", b" 0 , 0 , 1 , 1 ")
_SYMBOLOGIES = (b"all", b"qr,data-matrix, EAN 13")
_TEXTS = (b"plain", "\u00fc\u65e5\u672c".encode(), "\u65e5\u672c".encode("shift_jis"), b"\0\x80\xff")
_MESSAGES = (
    b"\0\x40\x46\x67\x57\xa7\xa0\xec\x11",
    b"\0\x20\x2a\xb9\x40",
    b"\0\x10\x0c\x7b\0",
    b"\0\x81\x80\xff\0",
    b"\0\x71\xa4\x01a\0",
)


_SEEDS: Final = {
    "form": (_FORM,),
    "accept": _ACCEPTED,
    "base64": _BASE64,
    "region": _REGIONS,
    "symbologies": _SYMBOLOGIES,
    "text": _TEXTS,
    "message": _MESSAGES,
}


def seeds(target: str) -> list[bytes]:
    """The inputs that a campaign begins with."""
    if target == "header":
        return [data[:LONGEST] for data in image_files().values()]
    return list(_SEEDS[target])


def installed() -> bool:
    """Whether atheris is installed."""
    return importlib.util.find_spec("atheris") is not None


def parsers(target: str, seed: int, budget: Budget) -> Tally:
    """The campaign against one parser: guided where atheris is installed, else blind."""
    return guided(target, seed, budget) if installed() else blind(target, seed, budget)


def guided(target: str, seed: int, budget: Budget) -> Tally:
    """Lets atheris mutate the seeds and the kept inputs. Raises RuntimeError where atheris itself fails."""
    tally, until = Tally(f"{target} (atheris)"), time.monotonic() + budget.seconds - budget.spent
    with tempfile.TemporaryDirectory() as name:
        grown, planted, broken = (Path(name, part) for part in ("grown", "planted", "broken"))
        for folder in (grown, planted, broken):
            folder.mkdir()
        for index, data in enumerate([*seeds(target), *(path.read_bytes() for path in kept(target))]):
            (planted / f"{index:04}").write_bytes(data)
        command = [
            *(sys.executable, "-m", "tools.fuzz.campaigns.instrumented", target, str(until)),
            *("--", str(grown), str(planted)),
            *(f"-seed={seed}", f"-max_len={LONGEST}", f"-timeout={INPUT_SECONDS}", "-print_final_stats=1"),
            *(f"-artifact_prefix={broken}/", "-rss_limit_mb=2048"),
            *([f"-runs={budget.most}"] if budget.most is not None else []),
        ]
        limit = budget.seconds + 120  # for starting and ending
        done = subprocess.run(command, cwd=ROOT, capture_output=True, timeout=limit, check=False)
        output = done.stderr + done.stdout
        inputs = sorted(broken.iterdir())
        for file in inputs:
            tally.found(Finding(target, _reason(output), file.read_bytes()))
        if done.returncode and not inputs:
            raise RuntimeError(
                f"atheris on {target} ended with {done.returncode}: {output[-2000:].decode(errors='replace')}"
            )
        tally.paths = len(list(grown.iterdir()))
    tally.tried = max((int(a or b) for a, b in _RUNS.findall(output)), default=0)
    tally.seconds = budget.spent
    tally.outcomes["branches reached"] = max(map(int, _COVERAGE.findall(output)), default=0)
    return tally


def _reason(output: bytes) -> str:
    match = _FOUND.search(output)
    return "broken" if match is None else (match[1] or match[2]).decode("utf-8", "replace").strip()[:300]


def blind(target: str, seed: int, budget: Budget) -> Tally:
    """Mutates the seeds and the kept inputs in this process, unguided."""
    run = load(target)
    rng, tally = Random(f"{target} {seed}"), Tally(f"{target} (blind)")
    parents = [*seeds(target), *(path.read_bytes() for path in kept(target))]
    while budget.allows(tally.tried):
        data = mutate_bytes(rng, rng.choice(parents), rng.choice(parents))
        tally.tried += 1
        try:
            run(data)
        except Exception as exc:  # noqa: BLE001  any exception of a parser is a finding
            tally.found(Finding(target, describe(exc), data))
    tally.seconds = budget.spent
    return tally
