"""Where in a picture a code may be, and what is known of it."""

from dataclasses import dataclass, field

from app.pipeline.locating.candidates import Candidate
from app.pipeline.locating.regions import Region
from app.pipeline.quad import Quad
from app.pipeline.reading import Reading


@dataclass(eq=False)
class Place:
    """Where a code may be: the ``candidate`` of a locator, its registered ``regions``, best first, and their
    ``readings``.

    ``pending``: it has not climbed the slow rungs yet.
    """

    candidate: Candidate
    regions: list[Region]
    readings: list[Reading] = field(default_factory=list)
    pending: bool = True

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
