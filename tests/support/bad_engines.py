"""An engine that misbehaves, for a process of its own."""

import os
import time

from app.pipeline.engines.symbol import Symbol
from app.pipeline.engines.zxing import ZXing
from app.pipeline.imaging import GreyImage


class UnreliableEngine:
    """Reads with zxing-cpp, but hangs on pictures whose first pixel is 1 and ends its process on those with a 2."""

    name = "unreliable"

    def __init__(self) -> None:
        self._engine = ZXing()

    def read(self, image: GreyImage) -> list[Symbol]:
        if image[0, 0] == 1:
            time.sleep(60)
        if image[0, 0] == 2:
            os._exit(3)
        return self._engine.read(image)
