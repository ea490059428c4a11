"""Compares the surroundings of a quad with the known modules of a symbol, and moves the quad's corners to where they
agree best."""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from app.pipeline.crops.rectifying import rectify
from app.pipeline.imaging import GreyImage
from app.pipeline.quad import homography

WORKING_STEP: Final = 4
"""Pixels a module at which patterns are compared."""
BLURS: Final = (1.4, 0.8, 0.35)
"""Sigmas in modules at which patterns are compared; a coarser picture attracts corners from farther away."""
SHADING: Final = 16
"""Modules a side over which the light level is averaged."""
_AROUND = 5  # modules around a quad within which its corners may move
_ITERATIONS = 6  # at most, at each blur
_LEAST_NORM = 1e-3  # grey levels; less is flat
_FREE: Final[NDArray[np.float64]] = np.asarray(np.eye(8), dtype=np.float64)
_AFFINE: Final[NDArray[np.float64]] = np.asarray(
    np.kron(np.eye(2), np.array([[1, 0, 0], [0, 1, 0], [-1, 1, 1], [0, 0, 1]])), dtype=np.float64
)
"""Moves of the corners: each for itself, or the third one as the others demand."""


@dataclass(frozen=True, slots=True)
class Template:
    """The known modules of a version and, unless it is bare, a ring of the quiet zone.

    ``centres`` (N, 2): x and y in units of the symbol's sides. ``values`` (N,): lightness, zero mean and unit norm.
    ``weights`` (N, 4): bilinear weights by which each centre follows the quad's corners.
    """

    centres: NDArray[np.float32]
    values: NDArray[np.float32]
    weights: NDArray[np.float32]


class Field:
    """The surroundings of a quad of ``modules`` columns and ``rows`` rows, by default as many, straightened by it to
    ``WORKING_STEP`` pixels a module, without shading.

    They are straightened because in steep perspective a module is several times as high as wide, while blurs and steps
    are isotropic.
    """

    def __init__(self, image: GreyImage, quad: NDArray[np.float64], modules: int, rows: int | None = None) -> None:
        straight = rectify(image, quad, modules, pixels=WORKING_STEP, margin=_AROUND, rows=rows)
        values = straight.astype(np.float32)
        window = (SHADING * WORKING_STEP | 1,) * 2
        values -= cv2.blur(values, window)
        smooth = [cv2.GaussianBlur(values, (0, 0), blur * WORKING_STEP) for blur in BLURS]
        self._smooth = np.asarray(cv2.merge(smooth), dtype=np.float32)
        self._layers: dict[int, NDArray[np.float32]] = {}
        origin = _AROUND * WORKING_STEP
        from_modules = np.array([[WORKING_STEP, 0, origin], [0, WORKING_STEP, origin], [0, 0, 1]])
        self._to_field = from_modules @ np.linalg.inv(homography(quad, modules, rows))

    def _layer(self, layer: int) -> NDArray[np.float32]:
        """The blurred picture and its derivatives along x and y, (H, W, 3)."""
        if layer not in self._layers:
            smooth = self._smooth[..., layer]
            slopes = (cv2.Sobel(smooth, cv2.CV_32F, *order, ksize=3, scale=1 / 8) for order in ((1, 0), (0, 1)))
            self._layers[layer] = np.asarray(cv2.merge((smooth, *slopes)), dtype=np.float32)
        return self._layers[layer]

    @staticmethod
    def _sample(channels: NDArray[np.float32], corners: NDArray[np.float64], template: Template) -> NDArray[np.float32]:
        """Values (N, 3) of three channels at the known modules of a quad in field coordinates."""
        points = cv2.perspectiveTransform(template.centres[None], homography(corners, 1.0)) - np.float32(0.5)
        at = points[0].astype(np.float32, copy=False)
        sampled = cv2.remap(channels, at[:, :1], at[:, 1:], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return np.asarray(sampled[:, 0], dtype=np.float32)

    def values(self, corners: NDArray[np.float64], template: Template) -> NDArray[np.float32]:
        """Grey values (N, B) at the template's modules, at each of B blurs, for corners in picture pixels."""
        return self._sample(self._smooth, self.to_field(corners), template)

    def refine(
        self,
        corners: NDArray[np.float64],
        template: Template,
        layer: int,
        sign: float,
        *,
        iterations: int = _ITERATIONS,
        affine: bool = False,
    ) -> NDArray[np.float64]:
        """Moves the corners (picture pixels) to a higher correlation; ``affine``: a parallelogram remains one.

        Damped maximisation of the enhanced correlation coefficient over corner displacements (Evangelidis and Psarakis,
        TPAMI 2008, forward additive form).
        """
        channels = self._layer(layer)
        quad = self.to_field(corners)
        moments = _Moments.of(sign * self._sample(channels, quad, template), template)
        best, damping = moments.correlation, 1e-3
        for _ in range(iterations):
            trial = quad + moments.step(damping, _AFFINE if affine else _FREE)
            if not cv2.isContourConvex(trial.astype(np.float32)):
                break
            tried = _Moments.of(sign * self._sample(channels, trial, template), template)
            if tried.correlation > best:
                converged = tried.correlation - best < 1e-4
                quad, moments, best, damping = trial, tried, tried.correlation, damping / 4
                if converged:
                    break
            else:
                damping *= 16
        return np.asarray(cv2.perspectiveTransform(quad[None], np.linalg.inv(self._to_field))[0], dtype=np.float64)

    def to_field(self, corners: NDArray[np.float64]) -> NDArray[np.float64]:
        """Transforms corners from picture pixels to field coordinates."""
        return np.asarray(cv2.perspectiveTransform(corners[None], self._to_field)[0], dtype=np.float64)


@dataclass(frozen=True, slots=True)
class _Moments:
    """Centred second moments (10, 10) of the derivatives by each corner coordinate, the values and the target."""

    matrix: NDArray[np.float64]

    @classmethod
    def of(cls, sampled: NDArray[np.float32], template: Template) -> "_Moments":
        """Of values and derivatives (N, 3) at the modules of a template."""
        columns = np.empty((len(sampled), 10), dtype=np.float32)
        np.multiply(template.weights, sampled[:, 1:2], out=columns[:, :4])
        np.multiply(template.weights, sampled[:, 2:3], out=columns[:, 4:8])
        columns[:, 8], columns[:, 9] = sampled[:, 0], template.values
        columns -= columns.mean(axis=0)
        return cls((columns.T @ columns).astype(np.float64))

    @property
    def correlation(self) -> float:
        """Of values and target, -1 to 1."""
        norm = float(self.matrix[8, 8]) ** 0.5
        return float(self.matrix[8, 9]) / norm if norm > _LEAST_NORM and np.isfinite(norm) else 0.0

    def step(self, damping: float, moves: NDArray[np.float64]) -> NDArray[np.float64]:
        """Displacement (4, 2) of the corners in field pixels, at most a module along each axis; a sum of ``moves``
        (8, K): displacements along x, then along y."""
        normal = moves.T @ self.matrix[:8, :8] @ moves
        normal[np.diag_indices(len(normal))] += damping * (np.trace(normal) / len(normal) + 1e-9)
        by_values, by_target = (moves @ np.linalg.solve(normal, moves.T @ self.matrix[:8, 8:])).T
        values, target = self.matrix[8], self.matrix[9]
        gain = target[8] - target[:8] @ by_values
        scale = (values[8] - values[:8] @ by_values) / gain if gain > 1e-9 else values[8] ** 0.5
        step = scale * by_target - by_values
        return np.asarray(np.clip(step.reshape(2, 4).T, -WORKING_STEP, WORKING_STEP), dtype=np.float64)


def agreements(values: NDArray[np.float32], template: Template) -> NDArray[np.float64]:
    """Correlation, -1 to 1, of values (N, B) with the template at each blur; negative if the symbol is inverted."""
    sums, squares = values.sum(axis=0, dtype=np.float64), np.einsum("nb,nb->b", values, values, dtype=np.float64)
    norms = np.sqrt(np.maximum(squares - sums * sums / len(values), 0))
    return np.where(norms > _LEAST_NORM, template.values @ values / np.maximum(norms, _LEAST_NORM), 0.0)
