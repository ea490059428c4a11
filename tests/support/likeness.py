"""How much a place of a scene looks like a code."""

import cv2
import numpy as np

from app.pipeline.qrcode.patterns import function_patterns
from app.pipeline.quad import homography
from training.data.degrade import Image
from training.data.scenes import SceneCode


def likeness(image: Image, code: SceneCode, *, shift: tuple[int, int] = (0, 0)) -> float:
    """Correlation with the patterns that its version fixes, whatever the polarity; the place shifted by modules."""
    patterns = function_patterns((code.modules - 17) // 4)
    rows, columns = np.nonzero(patterns.known)
    centres = np.stack([columns + 0.5 + shift[0], rows + 0.5 + shift[1]], axis=1)[None]
    at = cv2.perspectiveTransform(centres, homography(code.corners, code.modules))[0].astype(np.float32) - 0.5
    inside = ((at > 0) & (at < np.array(image.shape[::-1]) - 1)).all(axis=1)
    values = cv2.remap(image, at[inside, :1], at[inside, 1:], cv2.INTER_LINEAR)[:, 0]
    return abs(float(np.corrcoef(values, patterns.dark[rows, columns][inside])[0, 1])) if values.std() else 0.0
