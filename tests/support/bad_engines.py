"""Engines that misbehave, to be run in processes of their own."""

import os
import time

from app.pipeline.engines.symbol import Symbol
from app.pipeline.engines.zxing import ZXing
from app.pipeline.imaging import GreyImage


class Moody:
    """Reads as zxing-cpp does, but hangs on pictures whose first pixel is 1 and ends its process on those of 2."""

    name = "moody"

    def __init__(self) -> None:
        self._engine = ZXing()

    def read(self, image: GreyImage) -> list[Symbol]:
        if image[0, 0] == 1:
            time.sleep(60)
        if image[0, 0] == 2:
            os._exit(3)
        return self._engine.read(image)
