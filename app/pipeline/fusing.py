"""Adds up readings of one code in several frames: log-odds of independent pictures add, and errors of one are outvoted.

Which readings show the same code, the readings themselves tell: of the modules that carry codewords, two readings of
one code agree on more than chance would have it. Registration may have turned a code the wrong way, and a label may be
mirrored in one frame, so that a reading is laid onto the others in each of the eight ways a square falls on itself.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from app.pipeline.climb import Climb, Reading
from app.pipeline.crops.blur import correlation
from app.pipeline.engines.symbol import Symbol, is_covered
from app.pipeline.qrcode.log_odds import LogOdds
from app.pipeline.qrcode.patterns import function_patterns
from app.pipeline.results import Found
from app.pipeline.tools import Tools

Value = TypeVar("Value", np.float32, np.bool_)
FUSED = "fused"
"""Rung of codes that only several frames together give. It is no rung of the ladder, which climbs with one picture."""
_SUREST = 8.0  # log-odds that a frame may put in: none has a veto
_LONELY = 12  # of the surest sights that may be of nothing
_CHANCE = 3.0  # deviations above chance from which readings that lie alike are of one code; one pair in 700 by accident
_CHANCE_TURNED = 4.5  # the same where one must be turned or mirrored: seven such ways, and all of them unlikely


@dataclass(frozen=True, slots=True)
class Pose:
    """How a reading falls on another: transposed where ``mirrored``, then turned by quarters, anticlockwise."""

    mirrored: bool = False
    turns: int = 0

    def onto(self, modules: NDArray[Value]) -> NDArray[Value]:
        """(M, M) of the reading as the other has it."""
        return np.ascontiguousarray(np.rot90(modules.T if self.mirrored else modules, self.turns))

    def back(self, modules: NDArray[Value]) -> NDArray[Value]:
        """(M, M) of the other as the reading has it."""
        turned = np.rot90(modules, -self.turns)
        return np.ascontiguousarray(turned.T if self.mirrored else turned)


AS_IT_IS = Pose()
POSES = tuple(Pose(mirrored, turns) for mirrored in (False, True) for turns in range(4))


@dataclass(frozen=True, eq=False)
class Sight:
    """A reading of frame number ``frame``, counted from 0."""

    frame: int
    reading: Reading

    @property
    def version(self) -> int:
        return self.reading.region.version


@dataclass(frozen=True, eq=False)
class Fusion:
    """Sights of one code, each of another frame, the surest first; each with its pose on the first.

    ``log_odds`` (M, M) is the sum as the first has it.
    """

    members: tuple[tuple[Sight, Pose], ...]
    log_odds: LogOdds

    @property
    def readings(self) -> Iterator[tuple[int, Reading]]:
        """Each member's frame and its reading, with the sum, as the member has it, in place of its own log-odds."""
        for sight, pose in self.members:
            yield sight.frame, replace(sight.reading, log_odds=pose.back(self.log_odds))

    def is_at(self, frame: int, symbol: Symbol) -> bool:
        """Whether it is of the place in a frame where a symbol lies."""
        return any(
            sight.frame == frame and is_covered(sight.reading.region.corners, [symbol]) for sight, _ in self.members
        )

    def read(self, tools: Tools) -> list[tuple[int, Symbol]]:
        """What the sum reads, with the frame in which the symbol lies where it says; nothing, or one.

        As with single pictures the symbol must explain what is seen; here it is enough that it does so in one frame.
        """
        readings = list(self.readings)
        for frame, reading in readings:
            if symbols := reading.region.read_modules(reading.crop, reading.log_odds, tools.engines):
                return [(frame, symbols[0])]
        for frame, reading in readings:
            if symbols := reading.read_corrected(tools.engines):
                return [(frame, symbols[0])]
        return []


def read_fused(climbs: Sequence[Climb]) -> list[Found]:
    """What reads from the readings of all frames added up, of places that no frame read; one for each place."""
    tools, effort = climbs[0].tools, climbs[0].effort
    readings = [climb.best_readings(effort.max_fused) for climb in climbs]
    sights = [Sight(frame, reading) for frame, best in enumerate(readings) for reading in best]
    found: list[Found] = []
    for fusion in fusions(sights, most=effort.max_soft_decoded):
        if not any(fusion.is_at(one.frame, one.symbol) for one in found):
            found += (Found(symbol, FUSED, frame) for frame, symbol in fusion.read(tools))
    return found


def fusions(sights: Iterable[Sight], *, most: int) -> Iterator[Fusion]:
    """Sums over sights that show the same code, each begun with the surest sight left, at ``most`` so many.

    The sights that nothing agrees with are skipped, at ``_LONELY`` so many.

    A fusion grows by the sight that agrees best with the sum so far, one of each frame, until none agrees.
    """
    left = sorted(sights, key=lambda sight: -sight.reading.confidence)
    lonely = 0
    while left and most and lonely <= _LONELY:
        fusion = _grown(left[0], left[1:])
        used = [sight for sight, _ in fusion.members]
        left = [sight for sight in left if sight not in used]
        if len(used) > 1:
            most -= 1
            yield fusion
        else:
            lonely += 1


def _grown(first: Sight, others: Sequence[Sight]) -> Fusion:
    members = [(first, AS_IT_IS)]
    total = _evidence(first, AS_IT_IS)
    rivals = [sight for sight in others if sight.version == first.version and sight.frame != first.frame]
    while rivals:
        excess, sight, pose = max(
            ((excess, sight, pose) for sight in rivals for excess, pose in [best_pose(total, sight)]),
            key=lambda rival: rival[0],
        )
        if excess < 1:
            break
        members.append((sight, pose))
        total = total + _evidence(sight, pose)
        rivals = [rival for rival in rivals if rival.frame != sight.frame]
    return Fusion(tuple(members), total)


def best_pose(total: LogOdds, sight: Sight) -> tuple[float, Pose]:
    """The pose in which a sight agrees best with log-odds (M, M), and how well: at 1 and above not by chance."""
    return max(((_agreement(total, sight, pose), pose) for pose in POSES), key=lambda trial: trial[0])


def _agreement(total: LogOdds, sight: Sight, pose: Pose) -> float:
    """Correlation of the modules that carry codewords in both, in units of what chance may give.

    Of N modules that have nothing to do with one another the correlation deviates by 1 / sqrt(N).
    """
    both = _carries_codewords(sight.version, pose)
    one, other = (np.tanh(log_odds[both] / 2) for log_odds in (total, pose.onto(sight.reading.log_odds)))
    deviations = correlation(one, other) * float(both.sum()) ** 0.5
    return float(deviations / (_CHANCE if pose == AS_IT_IS else _CHANCE_TURNED))


def _evidence(sight: Sight, pose: Pose) -> LogOdds:
    """What a sight adds: bounded, and nothing where turned function patterns were taken for granted."""
    log_odds = pose.onto(np.clip(sight.reading.log_odds, -_SUREST, _SUREST))
    return log_odds if pose == AS_IT_IS else np.where(_carries_codewords(sight.version, pose), log_odds, np.float32(0))


def _carries_codewords(version: int, pose: Pose) -> NDArray[np.bool_]:
    """(M, M), where both a symbol and the same one in a pose have codewords."""
    data = function_patterns(version).data
    return data & pose.onto(data)
