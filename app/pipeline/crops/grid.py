"""From a canonical crop to the clean symbol it shows: average each module, decide dark or light, draw it again."""

import cv2
import numpy as np
from numpy.typing import NDArray

from app.pipeline.imaging import GreyImage
from app.pipeline.qrcode.patterns import QUIET_ZONE, dimension, function_patterns, render

_NEIGHBOURHOOD = 9  # modules a side over which an unrestored crop's light level is taken


def module_means(crop: GreyImage, version: int) -> NDArray[np.float32]:
    """Mean grey of the inner half of each module of a canonical crop, quiet zone included, (M, M) in [0, 255]."""
    size = dimension(version) + 2 * QUIET_ZONE
    pixels = crop.shape[0] // size
    cells = crop[: size * pixels, : size * pixels].reshape(size, pixels, size, pixels).astype(np.float32)
    rim = pixels // 4
    inner = cells[:, rim : pixels - rim, :, rim : pixels - rim]
    return np.asarray(inner.mean(axis=(1, 3)), dtype=np.float32)


def repaint_quiet_zone(crop: GreyImage, version: int) -> GreyImage:
    """A canonical crop with its margin painted as light as its lightest parts: whatever is printed there is gone."""
    margin = QUIET_ZONE * (crop.shape[0] // (dimension(version) + 2 * QUIET_ZONE))
    inner = crop[margin:-margin, margin:-margin]
    return np.pad(inner, margin, constant_values=int(np.percentile(inner, 95)))


def clean_symbol(crop: GreyImage, version: int, *, local: bool, pixels: int) -> GreyImage:
    """The symbol in a canonical crop, drawn anew at ``pixels`` a module with a quiet zone.

    A module is dark below mid-grey, or with ``local`` below the mean of its neighbourhood, which follows shading that
    no network took away. Function patterns are set to what the standard says.
    """
    means = module_means(crop, version)
    level = cv2.blur(means, (_NEIGHBOURHOOD, _NEIGHBOURHOOD)) if local else np.float32(127.5)
    inner = slice(QUIET_ZONE, -QUIET_ZONE)
    patterns = function_patterns(version)
    dark = np.where(patterns.known, patterns.dark, (means < level)[inner, inner])
    return render(dark, pixels=pixels)
