"""Reads codes that no single frame shows well enough, by adding up the log-odds of their modules over several frames.

Log-odds of independent pictures add, so that the errors of one frame are outvoted. Frames are not independent: one file
eight times is one witness, and compression carries errors from frame to frame. So their sum counts as much as so many
independent frames as their errors, by their correlation, are worth. Readings of the same code are
recognised by their modules that carry codewords, which agree more than by chance. Registration may have turned a code
the wrong way, and one frame may show a label mirrored, so readings are compared in all eight poses of a square.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from app.pipeline.climb import Climb
from app.pipeline.engines.symbol import Symbol, is_covered
from app.pipeline.imaging import correlation
from app.pipeline.qrcode.log_odds import LogOdds, rebuild_modules
from app.pipeline.qrcode.patterns import function_patterns
from app.pipeline.reading import Reading
from app.pipeline.results import Found
from app.pipeline.tools import Tools

Value = TypeVar("Value", np.float32, np.bool_)
FUSED = "fused"
"""Rung of codes that only several frames together give. It is not on the ladder, which reads one picture."""
MOST_LOG_ODDS = 8.0
"""Magnitude that one frame may add to a module: no frame has a veto."""
_LEAST_DIFFERENCE = 1e-3  # norm of a frame's errors below which it has none
_MOST_UNMATCHED = 12  # readings without a match, the most confident first, that fusing skips before it gives up
# Standard deviations above chance from which two readings show one code. In the same pose 1 pair in 700 exceeds it by
# accident; where one is turned or mirrored there are seven poses, all of them unlikely.
_LEAST_DEVIATIONS, _LEAST_DEVIATIONS_TURNED = 3.0, 4.5


@dataclass(frozen=True, slots=True)
class Pose:
    """How a reading that is fused lies on another: transposed if ``mirrored``, then turned anticlockwise by ``turns``
    quarters."""

    mirrored: bool = False
    turns: int = 0

    def apply(self, modules: NDArray[Value]) -> NDArray[Value]:
        """Lays modules (M, M) of the reading onto those of the other."""
        return np.ascontiguousarray(np.rot90(modules.T if self.mirrored else modules, self.turns))

    def undo(self, modules: NDArray[Value]) -> NDArray[Value]:
        """Lays modules (M, M) of the other onto those of the reading."""
        turned = np.rot90(modules, -self.turns)
        return np.ascontiguousarray(turned.T if self.mirrored else turned)


IDENTITY = Pose()
POSES = tuple(Pose(mirrored, turns) for mirrored in (False, True) for turns in range(4))


@dataclass(frozen=True, eq=False)
class FrameReading:
    """A reading to fuse with those of other frames; its own is number ``frame``, counted from 0."""

    frame: int
    reading: Reading

    @property
    def version(self) -> int:
        return self.reading.region.version


@dataclass(frozen=True, eq=False)
class Fusion:
    """Readings of one code, at most one a frame, the most confident first, each with its pose on the first.

    ``log_odds`` (M, M) is their sum, in the pose of the first, weighted by how independent they are (`witnesses`).
    """

    members: tuple[tuple[FrameReading, Pose], ...]
    log_odds: LogOdds

    @property
    def summed_readings(self) -> Iterator[tuple[int, Reading]]:
        """Each member's frame, and its reading with the sum, in the member's own pose, in place of its log-odds."""
        for member, pose in self.members:
            yield member.frame, replace(member.reading, log_odds=pose.undo(self.log_odds))

    def is_at(self, frame: int, symbol: Symbol) -> bool:
        """Whether the member of this frame lies on the symbol."""
        return any(
            member.frame == frame and is_covered(member.reading.region.corners, [symbol]) for member, _ in self.members
        )

    def read(self, tools: Tools) -> list[tuple[int, Symbol]]:
        """Decodes the sum: at most one symbol, with the frame whose pixels its corners are in.

        As with single pictures, the symbol must explain what is seen; it is enough that it does so in one frame.
        """
        readings = list(self.summed_readings)
        for frame, reading in readings:
            if symbols := reading.region.read_modules(reading.crop, reading.log_odds, tools.engines):
                modules = rebuild_modules(reading.log_odds, reading.region.version)
                return [(frame, reading.stating(symbols[0], modules))]
        for frame, reading in readings:
            if symbols := reading.read_corrected(tools.engines):
                return [(frame, symbols[0])]
        return []


def read_fused(climbs: Sequence[Climb]) -> list[Found]:
    """Reads the codes that no frame read alone from the readings of all frames added up; one symbol a place."""
    tools, effort = climbs[0].tools, climbs[0].effort
    best_by_frame = [climb.best_readings(effort.max_fused) for climb in climbs]
    readings = [FrameReading(frame, reading) for frame, best in enumerate(best_by_frame) for reading in best]
    found: list[Found] = []
    for fusion in fusions(readings, most=effort.max_fusions):
        if not any(fusion.is_at(one.frame, one.symbol) for one in found):
            found += (Found(symbol, FUSED, frame, size=climbs[frame].size) for frame, symbol in fusion.read(tools))
    return found


def fusions(readings: Iterable[FrameReading], *, most: int) -> Iterator[Fusion]:
    """Yields at most ``most`` sums of readings that show the same code, each begun with the most confident one left.

    A sum grows by the reading that agrees best with it, at most one a frame, until none agrees. Readings that no other
    agrees with are skipped; fusing gives up after more than ``_MOST_UNMATCHED`` of them.
    """
    left = sorted(readings, key=lambda one: -one.reading.confidence)
    unmatched = 0
    while left and most and unmatched <= _MOST_UNMATCHED:
        fusion = _grow(left[0], left[1:])
        used = [member for member, _ in fusion.members]
        left = [one for one in left if one not in used]
        if len(used) > 1:
            most -= 1
            yield fusion
        else:
            unmatched += 1


def _grow(first: FrameReading, others: Sequence[FrameReading]) -> Fusion:
    members = [(first, IDENTITY)]
    evidence = [_evidence(first, IDENTITY)]
    total = evidence[0]
    rivals = [other for other in others if other.version == first.version and other.frame != first.frame]
    while rivals:
        excess, best, pose = max(
            ((excess, rival, pose) for rival in rivals for excess, pose in [best_pose(total, rival)]),
            key=lambda trial: trial[0],
        )
        if excess < 1:
            break
        members.append((best, pose))
        evidence.append(_evidence(best, pose))
        total = total + evidence[-1]
        rivals = [rival for rival in rivals if rival.frame != best.frame]
    return Fusion(tuple(members), add_up(evidence))


def add_up(evidence: Sequence[LogOdds]) -> LogOdds:
    """The sum of log-odds (M, M) of one code in several frames, as if there were as many as are worth independent
    ones."""
    total = np.sum(evidence, axis=0, dtype=np.float32)
    return np.asarray(total * np.float32(witnesses(evidence) / len(evidence)), dtype=np.float32)


def witnesses(evidence: Sequence[LogOdds]) -> float:
    """How many independent frames n frames are worth, 1 to n: n / (1 + (n - 1) r), the design effect of n answers with
    a mean correlation of r (Kish, Survey Sampling, 1965).

    r is that of their errors: of how far each frame's log-odds, signed as the sum is, differ from their mean. Frames
    without differences are one.
    """
    count = len(evidence)
    total = np.sum(evidence, axis=0)
    towards = np.stack([(one * np.sign(total)).ravel() for one in evidence]).astype(np.float64)
    errors = towards[:, (towards != 0).all(axis=0)]
    errors -= errors.mean(axis=1, keepdims=True) if errors.size else 0.0
    norms = np.linalg.norm(errors, axis=1)
    if count == 1 or norms.min() < _LEAST_DIFFERENCE:
        return 1.0
    units = errors / norms[:, None]
    correlations = (units @ units.T)[np.triu_indices(count, 1)]
    return float(count / (1 + (count - 1) * np.clip(correlations.mean(), 0, 1)))


def best_pose(total: LogOdds, one: FrameReading) -> tuple[float, Pose]:
    """The pose in which a reading agrees best with log-odds (M, M), and how well: from 1 on, not by chance."""
    return max(((_agreement(total, one, pose), pose) for pose in POSES), key=lambda trial: trial[0])


def _agreement(total: LogOdds, one: FrameReading, pose: Pose) -> float:
    """Correlation on the modules that carry codewords in both, as a multiple of the most that chance may give.

    The correlation of N unrelated modules has a standard deviation of 1 / sqrt(N).
    """
    both = _carries_codewords(one.version, pose)
    sums, values = (np.tanh(log_odds[both] / 2) for log_odds in (total, pose.apply(one.reading.log_odds)))
    deviations = correlation(sums, values) * float(both.sum()) ** 0.5
    return float(deviations / (_LEAST_DEVIATIONS if pose == IDENTITY else _LEAST_DEVIATIONS_TURNED))


def _evidence(one: FrameReading, pose: Pose) -> LogOdds:
    """Log-odds (M, M) that a reading adds: bounded; 0 where a turned reading took function patterns for granted."""
    log_odds = pose.apply(np.clip(one.reading.log_odds, -MOST_LOG_ODDS, MOST_LOG_ODDS))
    return log_odds if pose == IDENTITY else np.where(_carries_codewords(one.version, pose), log_odds, np.float32(0))


def _carries_codewords(version: int, pose: Pose) -> NDArray[np.bool_]:
    """(M, M): where a symbol and the same symbol in this pose both have codewords."""
    data = function_patterns(version).data
    return data & pose.apply(data)
