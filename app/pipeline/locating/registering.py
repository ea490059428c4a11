"""Registration: decides which symbol a quad holds, and where exactly, by the known function patterns.

A quad from a locator is roughly placed, may start at any corner, and says little about the version. Each hypothesis
(version, turn, polarity) predicts where finder, timing and alignment modules lie; its agreement is the correlation of
the grey values there with the values that the standard fixes. The best hypotheses are refined by moving their corners.

A ring of the quiet zone anchors the outer corners, and is compared as well. Where a symbol lies on a page of the ink's
own tone, touches something or is cut off, the ring contradicts it: hypotheses without one are tried, too, if those with
one agree poorly.
"""

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from app.pipeline.imaging import GreyImage
from app.pipeline.locating.fields import BLURS, Field, Template, agreements
from app.pipeline.qrcode.patterns import VERSIONS, dimension, function_patterns
from app.pipeline.quad import bilinear_weights, side_length

# Measured on 680 candidates of the quad locator in photographs. The 187 that are codes and register with 0.55 or more
# agree with 0.14 or more where they start (others: median 0.14) and with 0.32 or more when probed (0.27); the best of
# 10 hypotheses is among the first 4 by its probe 182 times.
_PROBED = 8  # hypotheses, by their agreement where they start, that are refined a little to see how promising they are
_RIVAL_START = 0.5  # share of the best agreement at the start below which a hypothesis is not probed
_PROBE_ITERATIONS = 3
_REFINED = 3  # of them, by their probes, that are refined further, beside one that agreed better still at the start
_IN_PLACE = 0.5  # agreement at the start from which a hypothesis may be left where it is
_PATIENTLY_REFINED = 6  # hypotheses that agree best where they start, where registration must not fail
_LEAST_PROBE = 0.3
_RIVAL_PROBE = 0.6  # share of the best probe below which a hypothesis is not refined
_RIVAL = 0.9  # share of the best agreement below which a hypothesis is dropped
_RINGED = 0.62  # agreement with a quiet zone from which no hypothesis without one is tried
# Measured on the sets dark, darksoft and cut: of those without a quiet zone that are codes 39 of 40 start with 0.19 or
# more and end with 0.67 or more. In 33 photographs without a code they end with 0.51 at most.
_BARE_START = 0.17  # agreement of one without a quiet zone, where it starts
_LEAST_BARE = 0.5  # once it is refined; where the finder patterns are round 0.5 to 0.6
_BARE_GAIN = 0.08  # by which it must agree better than those with one
_MOST_CENTRES = 700  # known modules that hypotheses are compared at; high versions have several times as many
_SMALLEST = 16  # pixels a side below which a quad has no registration
_FINEST_MODULE = 0.8  # pixels a module below which a version is not tried
_TURNS = tuple(tuple((start + i) % 4 for i in range(4)) for start in range(4))


@dataclass(frozen=True, slots=True)
class Registration:
    """A symbol of ``version`` with its outer ``corners`` (4, 2) in picture pixels, clockwise from its own top left.

    A mirrored symbol has the same known patterns, except for one module: engines tell the two apart. ``agreement`` is
    the correlation, 0 to 1, of the known patterns with the picture; ``inverted``: light and dark are exchanged;
    ``bare``: no quiet zone was compared, since there seems to be none.
    """

    corners: NDArray[np.float64]
    version: int
    agreement: float
    inverted: bool
    bare: bool = False


def _template(version: int) -> Template:
    """The known modules, then one ring of the quiet zone, which anchors the outer corners; a module of it weighs as
    much as any other."""
    patterns = function_patterns(version)
    rows, columns = np.nonzero(patterns.known)
    values = np.where(patterns.dark[rows, columns], -1.0, 1.0)
    size = dimension(version)
    along = np.arange(size) + 0.5
    ring = [np.stack(pair, axis=1) for pair in ((along, 0 * along - 0.5), (along, 0 * along + size + 0.5))]
    ring += [pair[:, ::-1] for pair in ring]
    centres = np.concatenate([np.stack([columns + 0.5, rows + 0.5], axis=1), *ring]) / size
    values = np.concatenate([values, np.ones(4 * size)])
    weights = bilinear_weights(*centres.T)
    return _part(Template(*(a.astype(np.float32) for a in (centres, values, weights))), np.arange(len(values)))


def _part(template: Template, kept: NDArray[np.intp]) -> Template:
    """The template with some of its modules only."""
    values = template.values[kept] - template.values[kept].mean()
    return Template(template.centres[kept], values / np.linalg.norm(values), template.weights[kept])


def _thinned(template: Template) -> Template:
    """The template with ``_MOST_CENTRES`` of its modules, drawn at random, in their order, if it has more."""
    count = len(template.values)
    if count <= _MOST_CENTRES:
        return template
    return _part(template, np.sort(np.random.default_rng(0).choice(count, _MOST_CENTRES, replace=False)))


def _bare(template: Template) -> Template:
    """The template without the quiet zone: a beginning of it."""
    inside = ((template.centres > 0) & (template.centres < 1)).all(axis=1)
    return _part(template, np.flatnonzero(inside))


_RINGED_TEMPLATES = {version: _template(version) for version in VERSIONS}
_TEMPLATES = {False: _RINGED_TEMPLATES, True: {version: _bare(one) for version, one in _RINGED_TEMPLATES.items()}}
"""By whether they are bare, then by version."""
_THINNED_RINGED = {version: _thinned(template) for version, template in _RINGED_TEMPLATES.items()}
_THINNED = {False: _THINNED_RINGED, True: {version: _bare(one) for version, one in _THINNED_RINGED.items()}}


def register(
    image: GreyImage,
    corners: ArrayLike,
    modules: int | None,
    *,
    keep: int = 2,
    least_start: float = 0.0,
    is_patient: bool = False,
) -> list[Registration]:
    """Registers a quad: the ``keep`` hypotheses that agree best with the picture, best first, perhaps none.

    ``corners`` (4, 2) are in any order. ``modules`` is the locator's estimate of the modules a side: versions up to two
    away from it are tried, or all of them if it is None. A quad where no hypothesis agrees by ``least_start`` before it
    is refined has no registration. A patient registration refines more hypotheses, which takes twice as long.
    """
    quad = np.asarray(corners, dtype=np.float64).reshape(4, 2)
    if cv2.contourArea(quad.astype(np.float32), oriented=True) < 0:
        quad = quad[::-1]
    if side_length(quad) < _SMALLEST or not cv2.isContourConvex(quad.astype(np.float32)):
        return []
    guess = None if modules is None else round((modules - 17) / 4)
    versions = [
        version
        for version in VERSIONS
        if (guess is None or abs(version - guess) <= 2) and side_length(quad) >= _FINEST_MODULE * dimension(version)
    ]
    if not versions:
        return []
    field = Field(image, quad, modules or dimension(versions[len(versions) // 3]))
    starts = [_Trial.start(field, version, quad[list(turn)]) for version in versions for turn in _TURNS]
    found = _search(field, [ringed for ringed, _ in starts], least_start=least_start, is_patient=is_patient)
    best = found[0].agreement if found else 0.0
    if best < _RINGED:
        least = max(least_start, _BARE_START)
        bare = _search(field, [bare for _, bare in starts], least_start=least, is_patient=is_patient)[:1]
        found = [*(one for one in bare if one.agreement >= max(_LEAST_BARE, best + _BARE_GAIN)), *found]
    return sorted((_polish(image, one) for one in found[:keep]), key=lambda registration: -registration.agreement)


def _search(field: Field, trials: "list[_Trial]", *, least_start: float, is_patient: bool) -> list[Registration]:
    """The hypotheses that agree best once they are refined, best first; rivals of the best only."""
    trials = sorted(trials, key=lambda trial: -abs(trial.agreement))
    if abs(trials[0].agreement) < least_start:
        return []
    refined = (trial.refine(field) for trial in _most_promising(trials, field, is_patient=is_patient))
    found = [
        Registration(t.corners, version=t.version, agreement=abs(t.agreement), inverted=t.agreement < 0, bare=t.bare)
        for t in refined
    ]
    found = _drop_duplicates(sorted(found, key=lambda registration: -registration.agreement))
    return [one for one in found if one.agreement >= _RIVAL * found[0].agreement]


def _most_promising(trials: "list[_Trial]", field: Field, *, is_patient: bool) -> "list[_Trial]":
    """Of hypotheses, sorted by their agreement, those worth refining; none if even a little refining helps none."""
    least = _RIVAL_START * abs(trials[0].agreement)
    probes = (trial.probe(field) for trial in trials[:_PROBED] if abs(trial.agreement) >= least)
    probed = sorted(probes, key=lambda trial: -abs(trial.agreement))
    best = abs(probed[0].agreement)
    if best < _LEAST_PROBE:
        return []
    promising = [trial for trial in probed[:_REFINED] if abs(trial.agreement) >= _RIVAL_PROBE * best]
    if abs(trials[0].agreement) > max(best, _IN_PLACE):
        promising.insert(0, trials[0])  # already in place, where the coarse probe could only move it away
    return [*promising, *trials[:_PATIENTLY_REFINED]] if is_patient else promising


def _polish(image: GreyImage, rough: Registration) -> Registration:
    """Refines once more, in the picture straightened by the registration itself."""
    field = Field(image, rough.corners, dimension(rough.version))
    sign, finest = -1.0 if rough.inverted else 1.0, len(BLURS) - 1
    template = _TEMPLATES[rough.bare][rough.version]
    corners = field.refine(rough.corners, template, finest, sign)
    agreement = sign * float(agreements(field.values(corners, template), template)[finest])
    return replace(rough, corners=corners, agreement=max(0.0, agreement))


@dataclass(frozen=True, slots=True)
class _Trial:
    """A hypothesis under trial. ``agreement`` is the strongest over the blurs, at ``layer``; negative if inverted."""

    version: int
    corners: NDArray[np.float64]
    agreement: float
    layer: int
    bare: bool

    @classmethod
    def start(cls, field: Field, version: int, corners: NDArray[np.float64]) -> "tuple[_Trial, _Trial]":
        """The hypothesis with a quiet zone, and without one."""
        values = field.values(corners, _THINNED[False][version])
        return cls._of(values, version, corners, bare=False), cls._of(values, version, corners, bare=True)

    @classmethod
    def _of(cls, values: NDArray[np.float32], version: int, corners: NDArray[np.float64], *, bare: bool) -> "_Trial":
        template = _THINNED[bare][version]
        by_blur = agreements(values[: len(template.values)], template)
        layer = int(np.argmax(np.abs(by_blur)))
        return cls(version, corners, float(by_blur[layer]), layer, bare)

    @property
    def template(self) -> Template:
        return _THINNED[self.bare][self.version]

    @property
    def sign(self) -> float:
        return 1.0 if self.agreement >= 0 else -1.0

    def probe(self, field: Field) -> "_Trial":
        """The hypothesis after a few steps at the coarsest blur."""
        corners = field.refine(self.corners, self.template, 0, self.sign, iterations=_PROBE_ITERATIONS)
        probed = self._of(field.values(corners, self.template), self.version, corners, bare=self.bare)
        return probed if probed.sign == self.sign else self

    def refine(self, field: Field) -> "_Trial":
        """Refines the corners from the blur at which they agree best down to the finest."""
        corners = self.corners
        for layer in range(self.layer, len(BLURS)):
            corners = field.refine(corners, self.template, layer, self.sign)
        finest = len(BLURS) - 1
        agreement = float(agreements(field.values(corners, self.template), self.template)[finest])
        return replace(self, corners=corners, agreement=agreement, layer=finest)


def _drop_duplicates(registrations: list[Registration]) -> list[Registration]:
    """Drops registrations with the version, polarity and, within a module, the corners of a better one."""
    kept: list[Registration] = []
    for one in registrations:
        step = side_length(one.corners) / dimension(one.version)
        same = (
            other.version == one.version
            and np.abs(other.corners - one.corners).max() < step
            and other.inverted == one.inverted
            for other in kept
        )
        if not any(same):
            kept.append(one)
    return kept
