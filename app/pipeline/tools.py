"""The engines, locators and networks that the rungs use."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from app.pipeline.engines.symbol import Engine
from app.pipeline.engines.zbar import ZBar
from app.pipeline.engines.zxing import ZXing
from app.pipeline.gates import Gates
from app.pipeline.inference.module_reader import ModuleReader
from app.pipeline.inference.networks import Networks
from app.pipeline.inference.restorer import Restorer
from app.pipeline.inference.severity import PAPER_THRESHOLD, THRESHOLD_KEY
from app.pipeline.inference.views import EvenedLocator, StretchedLocator
from app.pipeline.inference.window_locator import WindowLocator
from app.pipeline.locating.candidates import Locator
from app.pipeline.locating.finder_patterns import FinderLocator
from app.pipeline.locating.locators import SightingLocator, WholePicture


@dataclass(frozen=True, kw_only=True)
class Tools:
    """The engines, locators and networks that the rungs use.

    ``windows`` is asked first. Where nothing was read ``evened`` and ``locators`` follow, then ``stretched`` if a
    candidate is steep or a place hopeful, and ``slow_locators`` if a place is; if the effort is thorough, all of them.
    ``restorers`` holds every restoring network by name; ``light``, ``heavy`` and ``upscaler`` name those of the ladder.
    ``threshold`` is the Laplacian variance above which the light one runs first; ``gates`` says what is worth trying.
    """

    zxing: ZXing
    zbar: Engine
    windows: WindowLocator
    evened: Locator
    stretched: Locator
    locators: Sequence[Locator] = ()
    slow_locators: Sequence[Locator] = ()
    reader: ModuleReader
    restorers: Mapping[str, Restorer]
    light: str
    heavy: str
    upscaler: str
    threshold: float
    gates: Gates = field(default_factory=Gates)

    @property
    def engines(self) -> tuple[Engine, Engine]:
        """Both engines, in the order in which they see crops."""
        return self.zxing, self.zbar

    @classmethod
    def standard(
        cls, networks: Networks, *, light: str, heavy: str, upscaler: str, reader: str, locator: str
    ) -> "Tools":
        """Both engines, every locator, and the routing threshold that calibration stored in the light checkpoint, else
        the paper's.

        Raises UnknownNetwork if ``reader`` or ``locator`` is not loaded.
        """
        measured = networks.restorers[light].card.measured if light in networks.restorers else {}
        threshold = measured.get(THRESHOLD_KEY, PAPER_THRESHOLD)
        windows = networks.locator(locator)
        return cls(
            zxing=ZXing(),
            zbar=ZBar(),
            windows=windows,
            locators=(WholePicture(),),
            evened=EvenedLocator(windows, least=Gates().score),
            stretched=StretchedLocator(windows),
            slow_locators=(SightingLocator(), FinderLocator()),
            reader=networks.reader(reader),
            restorers=networks.restorers,
            light=light,
            heavy=heavy,
            upscaler=upscaler,
            threshold=float(threshold) if isinstance(threshold, int | float) else PAPER_THRESHOLD,
        )
