"""Percentiles, slopes and verdicts that are calculated from measurements; what of answers may be compared."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

MEGABYTE = 1e6
PER = 1000
"""Slopes are given per so many requests."""
_IDS_AND_TIMES: Final = {"request_id", "seconds"}


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` (0 < share <= 1) of the values do not exceed (nearest rank).

    Raises ValueError for no values and for another share.
    """
    if not values or not 0 < share <= 1:
        raise ValueError("a percentile needs values and a share above 0 up to 1")
    ranked = sorted(values)
    return ranked[max(0, -int(-share * len(ranked) // 1) - 1)]


def slope(points: Sequence[tuple[float, float]]) -> float:
    """The slope of the least-squares line through points (x, y). Raises ValueError unless there are two different x."""
    count = len(points)
    if count < 2:
        raise ValueError("a slope needs two points")
    mean_x, mean_y = sum(x for x, _ in points) / count, sum(y for _, y in points) / count
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    if spread == 0:
        raise ValueError("a slope needs points apart from one another")
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / spread


@dataclass(frozen=True, slots=True)
class Sample:
    """Resident bytes after `done` requests."""

    done: int
    server: int
    children: int

    @property
    def both(self) -> int:
        return self.server + self.children


@dataclass(frozen=True, slots=True)
class Slopes:
    """Megabytes per 1,000 requests."""

    server: float
    children: float
    both: float


def slopes(samples: Sequence[Sample], *, since: float = 0.5) -> Slopes | None:
    """The slopes after the share `since` of the requests; None if that part has too few samples.

    Children are replaced now and then, so their own memory rises and falls; the server and the sum must stay level.
    """
    last = max((sample.done for sample in samples), default=0)
    part = [sample for sample in samples if sample.done >= since * last]

    def of(values: Sequence[int]) -> float:
        points = [(sample.done / PER, value / MEGABYTE) for sample, value in zip(part, values, strict=True)]
        return slope(points)

    try:
        return Slopes(
            server=of([sample.server for sample in part]),
            children=of([sample.children for sample in part]),
            both=of([sample.both for sample in part]),
        )
    except ValueError:
        return None


def level(found: Slopes, limit: float) -> bool:
    """Whether neither the server nor the sum grows by more than `limit` megabytes per 1,000 requests."""
    return found.server <= limit and found.both <= limit


@dataclass(frozen=True, slots=True)
class Processor:
    """Processor seconds on `cores` cores within `wall` seconds; `others` are those of all other processes."""

    wall: float
    cores: int
    server: float
    children: float
    client: float
    others: float

    @property
    def whole(self) -> float:
        return self.wall * self.cores

    @property
    def idle(self) -> float:
        return max(0.0, self.whole - self.server - self.children - self.client - self.others)

    def share(self, seconds: float) -> float:
        return seconds / self.whole if self.whole else 0.0

    def bound(self) -> str:
        """What keeps the service from answering more, in words."""
        parts = {"the server process": self.server, "its children": self.children, "the client": self.client}
        parts["other processes"] = self.others
        most = max(parts, key=parts.__getitem__)
        if self.share(self.idle) < 0.1:
            return f"the processor; {most} used most of it: {self.share(parts[most]):.0%}"
        if self.server > 0.9 * self.wall:
            return "one core, which the server process used all the time"
        return f"too few connections: {self.share(self.idle):.0%} of the processor was idle"


def comparable(answer: Any) -> Any:
    """An answer's JSON without what differs each time: ids and times."""
    if isinstance(answer, dict):
        return {name: comparable(each) for name, each in answer.items() if name not in _IDS_AND_TIMES}
    return [comparable(each) for each in answer] if isinstance(answer, list) else answer
