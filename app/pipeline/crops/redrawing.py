"""Redraws the symbol in a canonical crop: averages each module, decides dark or light, draws it clean."""

import cv2
import numpy as np
from numpy.typing import NDArray

from app.pipeline.imaging import GreyImage
from app.pipeline.qrcode.patterns import QUIET_ZONE, Bits, dimension, function_patterns, render

_NEIGHBOURHOOD = 9  # modules a side over which the light level of an unrestored crop is averaged


def module_means(crop: GreyImage, version: int) -> NDArray[np.float32]:
    """What redrawing decides by: mean grey, 0 to 255, of the inner half of each module of a canonical crop, quiet zone
    included: (M + 8, M + 8) for a symbol of M modules a side."""
    size = dimension(version) + 2 * QUIET_ZONE
    pixels = crop.shape[0] // size
    cells = crop[: size * pixels, : size * pixels].reshape(size, pixels, size, pixels).astype(np.float32)
    rim = pixels // 4
    inner = cells[:, rim : pixels - rim, :, rim : pixels - rim]
    return np.asarray(inner.mean(axis=(1, 3)), dtype=np.float32)


def repaint_quiet_zone(crop: GreyImage, version: int) -> GreyImage:
    """Redraws the quiet zone of a canonical crop as light as the lightest parts of the symbol, over whatever is printed
    there."""
    margin = QUIET_ZONE * (crop.shape[0] // (dimension(version) + 2 * QUIET_ZONE))
    inner = crop[margin:-margin, margin:-margin]
    return np.pad(inner, margin, constant_values=int(np.percentile(inner, 95)))


def dark_modules(crop: GreyImage, version: int, *, local: bool) -> Bits:
    """The modules (M, M) of the symbol in a canonical crop, True is dark.

    A module is dark below mid-grey or, with ``local``, below the mean of its neighbourhood, which follows shading that
    no network removed.
    """
    means = module_means(crop, version)
    level = cv2.blur(means, (_NEIGHBOURHOOD, _NEIGHBOURHOOD)) if local else np.float32(127.5)
    return np.asarray((means < level)[QUIET_ZONE:-QUIET_ZONE, QUIET_ZONE:-QUIET_ZONE])


def clean_symbol(crop: GreyImage, version: int, *, local: bool, pixels: int) -> GreyImage:
    """Redraws the symbol in a canonical crop at ``pixels`` a module, quiet zone included; ``local``: see
    `dark_modules`. Function patterns are drawn as the standard fixes them."""
    patterns = function_patterns(version)
    return render(np.where(patterns.known, patterns.dark, dark_modules(crop, version, local=local)), pixels=pixels)
