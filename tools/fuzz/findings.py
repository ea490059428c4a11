"""The results of a campaign: how much it tried, what came of it, and the inputs that broke a promise."""

import hashlib
import re
import time
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

CORPUS = Path(__file__).with_name("corpus")
"""Inputs of earlier findings, in a folder for each target; the tests run every one of them again."""
MOST_KEPT = 3
"""Most findings of one kind that are kept."""
_SHRINKING_RUNS = 300
_SHRINKING_SECONDS = 20.0


@dataclass(slots=True)
class Budget:
    """Ends a campaign after `seconds`, or after `most` inputs."""

    seconds: float
    most: int | None = None
    _began: float | None = None

    @property
    def spent(self) -> float:
        """Seconds since the first question: what a campaign starts before does not count."""
        now = time.monotonic()
        self._began = self._began or now
        return now - self._began

    def allows(self, tried: int) -> bool:
        return self.spent < self.seconds and (self.most is None or tried < self.most)


def describe(error: Exception) -> str:
    """The kind of a raised exception, the line that raised it and its message, in 300 characters at most."""
    *_, (frame, line) = traceback.walk_tb(error.__traceback__)
    return f"{type(error).__name__} at {Path(frame.f_code.co_filename).name}:{line}: {error}"[:300]


@dataclass(frozen=True, slots=True)
class Finding:
    """An input that broke a promise. `target` names its folder in the corpus."""

    target: str
    what: str
    data: bytes
    suffix: str = ".bin"

    @property
    def kind(self) -> str:
        """`what` without the numbers that differ between inputs; line numbers of sources stay."""
        return re.sub(r"(?<![:\w])\d[\d.]*", "#", self.what)

    @property
    def name(self) -> str:
        words = re.sub(r"[^a-z]+", "-", self.what.lower()).strip("-")[:60].strip("-")
        return f"{words}-{hashlib.sha256(self.data).hexdigest()[:8]}{self.suffix}"

    def keep(self, corpus: Path = CORPUS) -> Path:
        folder = corpus / self.target
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / self.name
        file.write_bytes(self.data)
        return file


@dataclass(slots=True)
class Tally:
    """The account of one campaign."""

    campaign: str
    tried: int = 0
    seconds: float = 0.0
    paths: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    findings: list[Finding] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    def found(self, finding: Finding) -> bool:
        """Adds a finding; returns False where enough of its kind are known."""
        if sum(known.kind == finding.kind for known in self.findings) >= MOST_KEPT:
            return False
        self.findings.append(finding)
        return True

    def lines(self) -> list[str]:
        rate = self.tried / self.seconds if self.seconds else 0.0
        common = ", ".join(f"{count} {outcome}" for outcome, count in self.outcomes.most_common(8))
        paths = f", {self.paths} paths" if self.paths else ""
        head = f"{self.campaign}: {self.tried} inputs in {self.seconds:.0f} s ({rate:.0f}/s){paths}: {common}"
        return [head, *(f"  {remark}" for remark in self.remarks), *(f"  FOUND {f.what}" for f in self.findings)]


def shrink(data: bytes, still: Callable[[bytes], bool]) -> bytes:
    """Cuts pieces out of an input while `still` holds, within a budget."""
    budget, runs = Budget(_SHRINKING_SECONDS, _SHRINKING_RUNS), 0
    size = max(1, len(data) // 2)
    while size:
        at = 0
        while at < len(data):
            if not budget.allows(runs):
                return data
            shorter = data[:at] + data[at + size :]
            runs += 1
            if still(shorter):
                data = shorter
            else:
                at += size
        size //= 2
    return data


def kept(target: str) -> list[Path]:
    """The files of the corpus for a target."""
    return sorted(path for path in (CORPUS / target).glob("*") if path.is_file() and path.name[0] != ".")
