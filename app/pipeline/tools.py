"""What the rungs work with."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from app.pipeline.engines.symbol import Engine
from app.pipeline.engines.zbar import ZBar
from app.pipeline.engines.zxing import ZXing
from app.pipeline.inference.module_reader import ModuleReader
from app.pipeline.inference.networks import Networks
from app.pipeline.inference.restorer import Restorer
from app.pipeline.inference.severity import PAPER_THRESHOLD, THRESHOLD_KEY
from app.pipeline.inference.window_locator import StretchedLocator
from app.pipeline.locating.candidates import Locator
from app.pipeline.locating.finder_patterns import FinderLocator
from app.pipeline.locating.locators import SightingLocator, WholePicture


@dataclass(frozen=True, kw_only=True)
class Tools:
    """What the rungs work with. ``locators`` are asked in turn, each only when what the ones before it found did not
    read; ``slow_locators`` after them, where thoroughness was asked for. ``restorers`` holds every network by name;
    ``light``, ``heavy`` and ``upscaler`` name the ones of the ladder, and ``threshold`` is the Laplacian variance above
    which the light one goes first."""

    zxing: ZXing
    zbar: Engine
    locators: Sequence[Locator]
    slow_locators: Sequence[Locator] = ()
    reader: ModuleReader
    restorers: Mapping[str, Restorer]
    light: str
    heavy: str
    upscaler: str
    threshold: float

    @property
    def engines(self) -> tuple[Engine, Engine]:
        """Both, in the order in which crops are shown to them."""
        return self.zxing, self.zbar

    @classmethod
    def standard(
        cls, networks: Networks, *, light: str, heavy: str, upscaler: str, reader: str, locator: str
    ) -> "Tools":
        """Both engines, every locator, and the threshold that calibration left in the light checkpoint.

        Raises UnknownNetwork where ``reader`` or ``locator`` names none.
        """
        measured = networks.restorers[light].card.measured if light in networks.restorers else {}
        threshold = measured.get(THRESHOLD_KEY, PAPER_THRESHOLD)
        windows = networks.locator(locator)
        return cls(
            zxing=ZXing(),
            zbar=ZBar(),
            locators=(
                SightingLocator(),
                windows,
                WholePicture(),
                windows.finer(),
                StretchedLocator(windows),
                FinderLocator(),
            ),
            slow_locators=(windows.finest(),),
            reader=networks.reader(reader),
            restorers=networks.restorers,
            light=light,
            heavy=heavy,
            upscaler=upscaler,
            threshold=float(threshold) if isinstance(threshold, int | float) else PAPER_THRESHOLD,
        )
