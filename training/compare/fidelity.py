"""Fidelity: how close a restored picture comes to the clean one, in PSNR, SSIM and sharpness."""

from dataclasses import dataclass
from typing import Self

import cv2
import numpy as np
from numpy.typing import NDArray

from app.pipeline.crops.rectifying import PIXELS_PER_MODULE, rectify
from app.pipeline.imaging import GreyImage, psnr
from app.pipeline.inference.restorer import Restorer
from app.pipeline.inference.severity import laplacian_variance
from app.pipeline.locating.regions import Region
from app.pipeline.locating.registering import Registration
from app.pipeline.qrcode.patterns import QUIET_ZONE, dimension, render
from app.pipeline.quad import square
from training.compare.systems import SharedPicture
from training.data.degrade import pixel_centre_homography
from training.measure.sets import Sample

_FINE = 8  # points per pixel and per module, along each axis, that a clean pixel's grey is averaged over


def ssim(restored: GreyImage, clean: GreyImage) -> float:
    """Mean structural similarity, in [-1, 1], with an 11-pixel gaussian window of sigma 1.5 (Wang et al., TIP 2004)."""

    def mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(cv2.GaussianBlur(values, (11, 11), 1.5), dtype=np.float64)

    x, y = restored.astype(np.float64), clean.astype(np.float64)
    mx, my = mean(x), mean(y)
    vx, vy, cov = mean(x * x) - mx * mx, mean(y * y) - my * my, mean(x * y) - mx * my
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    return float(np.mean((2 * mx * my + c1) * (2 * cov + c2) / ((mx * mx + my * my + c1) * (vx + vy + c2))))


@dataclass(frozen=True, slots=True)
class Fidelity:
    """How close a restored canonical crop comes to the clean symbol.

    ``psnr`` in dB; ``ssim`` in [-1, 1]; ``sharpness``: the variance of its Laplacian (the routing unit's measure) over
    that of the clean symbol, 1 for equal sharpness, above 1 for noise.
    """

    psnr: float
    ssim: float
    sharpness: float

    @classmethod
    def of(cls, restored: GreyImage, clean: GreyImage) -> Self:
        """Compares two pictures of equal size."""
        sharpness = laplacian_variance(restored) / laplacian_variance(clean)
        return cls(psnr(restored, clean), ssim(restored, clean), sharpness)


def measure_fidelity(sample: Sample, picture: SharedPicture, restorer: Restorer) -> Fidelity | None:
    """Fidelity of the restored symbol at its true place; None for an upscaler if the modules are not small.

    An upscaler's output is rectified to the canonical crop. It is compared with a flawlessly upscaled clean symbol,
    with grey pixels on its edges, that is rectified in the same way.
    """
    modules = dimension(sample.symbol.version)
    crop = rectify(sample.image, sample.corners, modules)
    if restorer.scale == 1:
        return Fidelity.of(restorer.restore([crop])[0], render(sample.symbol.modules, pixels=PIXELS_PER_MODULE))
    truth = Registration(corners=sample.corners, version=sample.symbol.version, agreement=1.0, inverted=False)
    region = Region(truth, crop)
    if not region.is_small:
        return None
    _, offset = region.cut_out(sample.image)
    upscaled = picture.upscale(region, restorer)
    corners = (sample.corners - np.array(offset)) * restorer.scale

    def rectify_clean() -> GreyImage:
        return rectify(_print_symbol(sample, corners, upscaled.shape), corners, modules)

    clean = picture.cached(("clean", offset, upscaled.shape), rectify_clean)  # shared by upscalers of one scale
    return Fidelity.of(rectify(upscaled, corners, modules), clean)


def _print_symbol(sample: Sample, corners: NDArray[np.float64], shape: tuple[int, ...]) -> GreyImage:
    """The clean symbol on white with its outer corners at ``corners``; each pixel is the mean over its area."""
    fine = render(sample.symbol.modules, pixels=_FINE)
    inner = _FINE * (square(dimension(sample.symbol.version)) + QUIET_ZONE)
    matrix = cv2.getPerspectiveTransform(inner.astype(np.float32), (corners * _FINE).astype(np.float32))
    height, width = shape
    large = cv2.warpPerspective(
        fine,
        pixel_centre_homography(matrix),
        (_FINE * width, _FINE * height),
        flags=cv2.INTER_NEAREST,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=255.0,
    )
    return np.asarray(cv2.resize(large, (width, height), interpolation=cv2.INTER_AREA), dtype=np.uint8)
