"""Where in a picture a code may be, and what is known of it."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from app.pipeline.locating.candidates import Candidate
from app.pipeline.locating.regions import Region
from app.pipeline.quad import Quad
from app.pipeline.reading import Reading


@dataclass(eq=False)
class Place:
    """Where a code may be: the ``candidate`` of a locator, its registered ``regions``, best first, and their
    ``readings``.

    ``pending``: it has not climbed the slow rungs yet. ``is_flattened``: flattening was tried.
    """

    candidate: Candidate
    regions: list[Region]
    readings: list[Reading] = field(default_factory=list)
    pending: bool = True
    is_flattened: bool = False

    @property
    def corners(self) -> Quad:
        return self.regions[0].corners if self.regions else self.candidate.corners

    @property
    def agreement(self) -> float:
        """How well the picture agrees with the function patterns of the best region, 0 to 1."""
        return self.regions[0].registration.agreement if self.regions else 0.0

    @property
    def best_reading(self) -> Reading | None:
        return max(self.readings, key=lambda reading: reading.confidence, default=None)

    @property
    def version(self) -> int | None:
        """That of the best reading, else of the best region; None if there is neither."""
        reading = self.best_reading
        regions = [reading.region] if reading else self.regions[:1]
        return regions[0].version if regions else None


def by_version(places: Iterable[Place]) -> list[Place]:
    """The most credible place of each version, then the second one of each, and so on: a bent code may agree with a
    wrong version better than with its own, and with that one is not read."""
    seen: Counter[int | None] = Counter()
    turns: dict[Place, int] = {}
    for place in sorted(places, key=lambda place: -place.agreement):
        turns[place] = seen[place.version]
        seen[place.version] += 1
    return sorted(turns, key=turns.__getitem__)
