"""What is worked out from measurements: percentiles, slopes, verdicts. Nothing here measures."""

from collections.abc import Sequence
from dataclasses import dataclass

MEGABYTE = 1e6
PER = 1000
"""Slopes are of so many requests."""


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` (above 0, up to 1) of the values do not exceed.

    Raises ValueError where there are none.
    """
    if not values or not 0 < share <= 1:
        raise ValueError("a percentile needs values and a share above 0 up to 1")
    ranked = sorted(values)
    return ranked[max(0, -int(-share * len(ranked) // 1) - 1)]


def slope(points: Sequence[tuple[float, float]]) -> float:
    """Rise of y by x of the line of least squares through points (x, y). Raises ValueError where they have one x."""
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
    """Resident bytes when `done` requests were answered."""

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
    """Of the last part of the run, from the share `since` of its requests on; None where that has too few samples.

    Children are replaced now and then, so theirs alone goes up and down; server and both together must stay level.
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
    """Whether memory grows by no more than `limit` megabytes per 1,000 requests, in the server or altogether."""
    return found.server <= limit and found.both <= limit


@dataclass(frozen=True, slots=True)
class Processor:
    """Seconds of processor time, of `cores` for `wall` seconds. `others`: what other processes of the machine took."""

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
        """What keeps the service from answering more, in a sentence."""
        parts = {"the server process": self.server, "its children": self.children, "the client": self.client}
        parts["other processes"] = self.others
        most = max(parts, key=parts.__getitem__)
        if self.share(self.idle) < 0.1:
            return f"the processor, of which {most} took most: {self.share(parts[most]):.0%}"
        if self.server > 0.9 * self.wall:
            return "one core: the server process had it all to itself"
        return f"not the processor, of which {self.share(self.idle):.0%} was idle: more connections would get more"
