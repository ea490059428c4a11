"""Pictures of clean symbols."""

import io

import cv2
import numpy as np
import segno

from app.pipeline.imaging import GreyImage


def symbol_picture(symbol: segno.QRCode, *, scale: int = 6) -> GreyImage:
    """A symbol with its quiet zone, black on white, ``scale`` pixels a module."""
    buffer = io.BytesIO()
    symbol.save(buffer, kind="png", scale=scale, border=4)
    return np.asarray(cv2.imdecode(np.frombuffer(buffer.getvalue(), np.uint8), cv2.IMREAD_GRAYSCALE), np.uint8)


def qr_picture(content: str | bytes, *, scale: int = 6, error: str = "m") -> GreyImage:
    """A symbol that decodes to ``content``, drawn as by `symbol_picture`."""
    return symbol_picture(segno.make(content, error=error, micro=False), scale=scale)
