"""Decides which symbol a quad holds, and where exactly: the known function patterns must agree with the picture.

A quad from a locator is roughly placed, may start at any corner, and says little of the version. Each hypothesis
(version, turn, polarity) predicts where finder, timing and alignment modules lie; its agreement is the correlation of
the grey values found there with the values the standard fixes. The best hypotheses are refined corner by corner.
"""

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from app.pipeline.crops.rectifying import homography, rectify, side_length
from app.pipeline.imaging import GreyImage
from app.pipeline.qrcode.patterns import VERSIONS, dimension, function_patterns

_WORKING_STEP = 4  # pixels a module at which patterns are compared
_AROUND = 5  # modules around a quad in which its corners may be
_BLURS = (1.4, 0.8, 0.35)  # in modules: a coarser picture draws corners in from farther away
_ITERATIONS = 6  # at most, at each blur
_REFINED = 5  # hypotheses refined: those that agree best where they start
_TRIED = 10  # those up to here are refined a little, to see how promising they are
_TRIED_ITERATIONS = 3
_PROMISING = 2  # of these, refined as well
_RIVAL = 0.9  # of the best agreement: hypotheses below it are not worth a second look
_SMALLEST = 16  # pixels a side of a quad below which nothing can be told
_FINEST_MODULE = 0.8  # pixels a module below which a version is not supposed
_TURNS = tuple(tuple((start + i) % 4 for i in range(4)) for start in range(4))


@dataclass(frozen=True, slots=True)
class Registration:
    """A symbol of ``version`` with its outer corners in picture pixels, clockwise from its own top-left, (4, 2).

    Known patterns are the same in a mirrored symbol (all but one module): engines tell these apart. ``agreement`` is
    the correlation of the known patterns with the picture, 0 to 1; ``inverted`` says that light and dark are exchanged.
    """

    corners: NDArray[np.float64]
    version: int
    agreement: float
    inverted: bool


@dataclass(frozen=True, slots=True)
class _Template:
    """``centres`` of the known modules in units of the symbol's side, (N, 2) as x, y; their ``values``, zero mean and
    unit norm, (N,); and how far each follows the quad's four corners, (N, 4): bilinear weights."""

    centres: NDArray[np.float32]
    values: NDArray[np.float32]
    weights: NDArray[np.float32]


def _template(version: int) -> _Template:
    patterns = function_patterns(version)
    rows, columns = np.nonzero(patterns.known)
    values = np.where(patterns.dark[rows, columns], -1.0, 1.0)
    size = dimension(version)
    # One ring of the quiet zone anchors the outer corners, at the weight of any other module.
    along = np.arange(size) + 0.5
    ring = [np.stack(pair, axis=1) for pair in ((along, 0 * along - 0.5), (along, 0 * along + size + 0.5))]
    ring += [pair[:, ::-1] for pair in ring]
    centres = np.concatenate([np.stack([columns + 0.5, rows + 0.5], axis=1), *ring]) / size
    values = np.concatenate([values, np.ones(4 * size)])
    values -= values.mean()
    x, y = centres.T
    weights = np.stack([(1 - x) * (1 - y), x * (1 - y), x * y, (1 - x) * y], axis=1)
    return _Template(*(a.astype(np.float32) for a in (centres, values / np.linalg.norm(values), weights)))


_TEMPLATES = {version: _template(version) for version in VERSIONS}


class _Field:
    """A picture's surroundings of a quad, straightened by it at ``_WORKING_STEP`` pixels a module, freed of shading.

    Straightened, because in steep perspective a module is several times as high as wide, and blurs and steps are round.
    """

    def __init__(self, image: GreyImage, quad: NDArray[np.float64], modules: int) -> None:
        straight = rectify(image, quad, modules, pixels=_WORKING_STEP, margin=_AROUND)
        values = straight.astype(np.float32)
        window = (16 * _WORKING_STEP | 1,) * 2
        values -= cv2.blur(values, window)
        self._layers = [self._layer(values, blur * _WORKING_STEP) for blur in _BLURS]
        origin = _AROUND * _WORKING_STEP
        from_modules = np.array([[_WORKING_STEP, 0, origin], [0, _WORKING_STEP, origin], [0, 0, 1]])
        self._to_field = from_modules @ np.linalg.inv(homography(quad, modules))

    @staticmethod
    def _layer(values: NDArray[np.float32], sigma: float) -> NDArray[np.float32]:
        """The blurred picture with its derivatives along x and y, (H, W, 3)."""
        smooth = cv2.GaussianBlur(values, (0, 0), sigma)
        along_x, along_y = (cv2.Sobel(smooth, cv2.CV_32F, *order, ksize=3, scale=1 / 8) for order in ((1, 0), (0, 1)))
        return np.asarray(cv2.merge((smooth, along_x, along_y)), dtype=np.float32)

    def _sample(self, corners: NDArray[np.float64], template: _Template, layer: int) -> NDArray[np.float32]:
        """Values and derivatives at the known modules of a quad in field coordinates, (N, 3)."""
        points = cv2.perspectiveTransform(template.centres[None], homography(corners, 1.0)) - np.float32(0.5)
        at = points[0].astype(np.float32)
        sampled = cv2.remap(
            self._layers[layer], at[:, :1], at[:, 1:], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        return np.asarray(sampled[:, 0], dtype=np.float32)

    def agreement(self, corners: NDArray[np.float64], template: _Template, layer: int) -> float:
        """Correlation in [-1, 1] of a quad in picture pixels; negative where the symbol is inverted."""
        return _correlation(self._sample(self.inside(corners), template, layer)[:, 0], template)

    def refine(
        self,
        corners: NDArray[np.float64],
        template: _Template,
        layer: int,
        sign: float,
        *,
        iterations: int = _ITERATIONS,
    ) -> NDArray[np.float64]:
        """Moves the corners (picture pixels) uphill in correlation: enhanced correlation coefficient maximisation
        (Evangelidis and Psarakis, TPAMI 2008, forward additive form), damped; parameters are corner displacements."""
        quad = self.inside(corners)
        sampled = sign * self._sample(quad, template, layer)
        best, damping = _correlation(sampled[:, 0], template), 1e-3
        for _ in range(iterations):
            trial = quad + _ecc_step(sampled, template, damping)
            if not cv2.isContourConvex(trial.astype(np.float32)):
                break
            resampled = sign * self._sample(trial, template, layer)
            value = _correlation(resampled[:, 0], template)
            if value > best:
                converged = value - best < 1e-4
                quad, sampled, best, damping = trial, resampled, value, damping / 4
                if converged:
                    break
            else:
                damping *= 16
        return np.asarray(cv2.perspectiveTransform(quad[None], np.linalg.inv(self._to_field))[0], dtype=np.float64)

    def inside(self, corners: NDArray[np.float64]) -> NDArray[np.float64]:
        """Corners in picture pixels as they lie in the field."""
        return np.asarray(cv2.perspectiveTransform(corners[None], self._to_field)[0], dtype=np.float64)


def _correlation(values: NDArray[np.float32], template: _Template) -> float:
    centred = values - values.mean()
    norm = float(np.linalg.norm(centred))
    return float(centred @ template.values) / norm if norm > 1e-6 and np.isfinite(norm) else 0.0


def _ecc_step(sampled: NDArray[np.float32], template: _Template, damping: float) -> NDArray[np.float64]:
    """Displacement of the four corners in field pixels, (4, 2), at most a module each."""
    values, along_x, along_y = (sampled[:, i].astype(np.float64) for i in range(3))
    jacobian = np.concatenate([template.weights * along_x[:, None], template.weights * along_y[:, None]], axis=1)
    jacobian -= jacobian.mean(axis=0)
    values -= values.mean()
    target = template.values.astype(np.float64)
    normal = jacobian.T @ jacobian
    normal[np.diag_indices(8)] += damping * (np.trace(normal) / 8 + 1e-9)
    project = np.linalg.solve(normal, jacobian.T @ np.stack([values, target], axis=1))
    explained = jacobian @ project
    gain = target @ values - target @ explained[:, 0]
    scale = (values @ values - values @ explained[:, 0]) / gain if gain > 1e-9 else np.linalg.norm(values)
    step = project @ np.array([-1.0, scale])
    return np.asarray(np.clip(step.reshape(2, 4).T, -_WORKING_STEP, _WORKING_STEP), dtype=np.float64)


def register(image: GreyImage, corners: ArrayLike, modules: int | None, *, keep: int = 2) -> list[Registration]:
    """The ``keep`` hypotheses that agree best with the picture, best first.

    ``corners``: a quad in any order, (4, 2); ``modules``: modules a side as far as the locator can tell: versions up
    to two from it are tried, all of them where it is None.
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
    field = _Field(image, quad, modules or dimension(versions[len(versions) // 3]))
    trials = [_Trial.start(field, version, quad[list(turn)]) for version in versions for turn in _TURNS]
    trials.sort(key=lambda trial: -abs(trial.agreement))
    promising = sorted(trials[_REFINED:_TRIED], key=lambda trial: -trial.promise(field))
    trials = [*trials[:_REFINED], *promising[:_PROMISING]]
    trials = [trial.refined(field) for trial in trials]
    found = [
        Registration(corners=t.corners, version=t.version, agreement=abs(t.agreement), inverted=t.agreement < 0)
        for t in trials
    ]
    found = _distinct(sorted(found, key=lambda registration: -registration.agreement))
    found = [one for one in found if one.agreement >= _RIVAL * found[0].agreement][:keep]
    return sorted((_polished(image, one) for one in found), key=lambda registration: -registration.agreement)


def _polished(image: GreyImage, rough: Registration) -> Registration:
    """Refined once more as the picture looks when it is straightened by the registration itself."""
    field = _Field(image, rough.corners, dimension(rough.version))
    sign, finest = -1.0 if rough.inverted else 1.0, len(_BLURS) - 1
    corners = field.refine(rough.corners, _TEMPLATES[rough.version], finest, sign)
    agreement = sign * field.agreement(corners, _TEMPLATES[rough.version], finest)
    return replace(rough, corners=corners, agreement=max(0.0, agreement))


@dataclass(frozen=True, slots=True)
class _Trial:
    """A hypothesis: ``agreement`` is its highest over the blurs, at ``layer``; negative where it is inverted."""

    version: int
    corners: NDArray[np.float64]
    agreement: float
    layer: int

    @classmethod
    def start(cls, field: _Field, version: int, corners: NDArray[np.float64]) -> "_Trial":
        template = _TEMPLATES[version]
        agreements = [field.agreement(corners, template, layer) for layer in range(len(_BLURS))]
        layer = int(np.argmax(np.abs(agreements)))
        return cls(version, corners, agreements[layer], layer)

    @property
    def sign(self) -> float:
        return 1.0 if self.agreement >= 0 else -1.0

    def promise(self, field: _Field) -> float:
        """The agreement, 0 to 1, that a few steps at the coarsest blur lead to."""
        template = _TEMPLATES[self.version]
        corners = field.refine(self.corners, template, 0, self.sign, iterations=_TRIED_ITERATIONS)
        return max(self.sign * field.agreement(corners, template, layer) for layer in range(len(_BLURS)))

    def refined(self, field: _Field) -> "_Trial":
        """Refined from the blur at which it agrees best down to the finest."""
        template, corners = _TEMPLATES[self.version], self.corners
        for layer in range(self.layer, len(_BLURS)):
            corners = field.refine(corners, template, layer, self.sign)
        finest = len(_BLURS) - 1
        return _Trial(self.version, corners, field.agreement(corners, template, finest), finest)


def _distinct(registrations: list[Registration]) -> list[Registration]:
    """Leaves out what names the same version and nearly the same corners as a better one."""
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
