"""`python -m tools.load.archive` reads an archive on a Ray cluster of two nodes, and kills one of them meanwhile.

Draws pictures, 4 % of which are damaged or none at all, reads them on one machine (`--ray off`) and on two nodes of one
processor each, one of which is ended by SIGKILL once a part of the archive is read. Exit status 1 if a file is missing
or there twice, or a row differs but for ids and times; 2 if Ray is not installed.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from app.cli.archives.parts import MANIFEST
from app.pipeline.files.png import encode_png
from tests.support.codes import qr_picture
from tests.support.live.ray_cluster import MISSING, cluster
from tests.support.paths import ROOT
from tools.load.reckoning import comparable

Process = subprocess.Popen[bytes]
_POLL_SECONDS: Final = 0.1
_LONGEST_SECONDS: Final = 1800.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run has written, and its seconds; ``killed_at`` is how many rows it had when a node was killed."""

    rows: list[dict[str, Any]]
    seconds: float
    killed_at: int = 0


def draw(folder: Path, count: int) -> None:
    """Writes ``count`` files, a hundred in a folder."""
    for number in range(count):
        data = encode_png(qr_picture(f"archived {number}"))
        if number % 50 == 7:
            data = b"no picture"
        elif number % 50 == 8:
            data = data[: len(data) // 2]
        place = folder / f"{number // 100:04d}" / f"{number:06d}.png"
        place.parent.mkdir(exist_ok=True)
        place.write_bytes(data)


def read(source: Path, output: Path, *arguments: str, environment: dict[str, str] | None = None) -> Process:
    """Starts the command for a folder or a list; with ``environment`` on the cluster that it names."""
    command = [sys.executable, "-m", "app.cli", "archive", "--input", str(source), "--output", str(output), *arguments]
    return subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.DEVNULL)


def rows(output: Path) -> list[dict[str, Any]]:
    """Every row of the complete parts, without ids and times."""
    parts = [json.loads(line)["part"] for line in (output / MANIFEST).read_text().splitlines()[1:]]
    texts = [(output / part).read_text(encoding="utf-8") for part in parts]
    return [comparable(json.loads(line)) for text in texts for line in text.split("\n") if line]


def complete(output: Path) -> int:
    """How many rows are in complete parts."""
    manifest = output / MANIFEST
    lines = manifest.read_text().splitlines()[1:] if manifest.exists() else []
    return sum(json.loads(line)["rows"] for line in lines)


def alone(folder: Path, output: Path, *arguments: str) -> Outcome:
    """The archive as one machine reads it."""
    began = time.monotonic()
    read(folder, output, "--ray", "off", "--jobs", "1", *arguments).wait(_LONGEST_SECONDS)
    return Outcome(rows(output), time.monotonic() - began)


def on_two_nodes(folder: Path, output: Path, *arguments: str, kill_at: int) -> Outcome:
    """The archive as two nodes read it, of which one is killed when ``kill_at`` rows are complete; none if 0."""
    with cluster(2) as two:
        began = time.monotonic()
        process = read(folder, output, "--ray", "auto", *arguments, environment=two.environment)
        killed_at = 0
        while process.poll() is None and time.monotonic() < began + _LONGEST_SECONDS:
            if kill_at and not killed_at and complete(output) >= kill_at:
                two.nodes[1].kill()
                killed_at = complete(output)
            time.sleep(_POLL_SECONDS)
        if process.poll() is None:
            process.kill()
            process.wait()
        return Outcome(rows(output), time.monotonic() - began, killed_at)


def faults(expected: Outcome, got: Outcome) -> list[str]:
    """What is wrong with the rows, in words."""
    times = Counter(row["file"] for row in got.rows)
    wanted = {row["file"]: row for row in expected.rows}
    found = [f"missing: {file}" for file in wanted if file not in times]
    found += [f"{count} times: {file}" for file, count in times.items() if count > 1 or file not in wanted]
    return found + [f"differs: {row['file']}" for row in got.rows if row != wanted.get(row["file"])]


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--count", type=int, default=1000, help="pictures (default 1000)")
    parser.add_argument("--expect", default="1", help="--expect of the command (default 1)")
    parser.add_argument("--no-kill", action="store_true", help="let both nodes live")
    options = parser.parse_args(argv)
    if MISSING:
        parser.error("ray is not installed: it is in the extra ray")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "pictures").mkdir()
        draw(folder / "pictures", options.count)
        arguments = ("--expect", options.expect, "--part-rows", str(max(1, options.count // 20)))
        expected = alone(folder / "pictures", folder / "alone", *arguments)
        kill_at = 0 if options.no_kill else options.count // 4
        got = on_two_nodes(folder / "pictures", folder / "two", *arguments, kill_at=kill_at)
    wrong = faults(expected, got)
    problems = sum("problem" in row for row in got.rows)
    for outcome, where in ((expected, "one process"), (got, "two nodes")):
        sys.stdout.write(f"{where}: {len(outcome.rows)} rows in {outcome.seconds:.1f} s\n")
    if got.killed_at:
        sys.stdout.write(f"a node was killed when {got.killed_at} rows were complete\n")
    for line in wrong[:5]:
        sys.stdout.write(f"WRONG {line}\n")
    sys.stdout.write(f"{len(wrong)} missing, doubled or different of {options.count}; {problems} rows are problems\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
