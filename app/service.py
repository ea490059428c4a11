"""The running service, free of HTTP: loaded networks, settings, metrics and slots, and the two jobs it does."""

from dataclasses import dataclass, replace
from time import perf_counter
from typing import Final, Protocol

from app.admission import Slots
from app.errors import NotReady
from app.metrics import Metrics
from app.pipeline.climbing import Effort, Outcome, Stage
from app.pipeline.imaging import GreyImage, decode_image
from app.pipeline.ladder import Restoration
from app.schemas import ModelCard
from app.settings import Settings

IMAGING_STAGE: Final = "imaging"
"""First stage of every trace: from file bytes to grey pixels."""


class LadderLike(Protocol):
    """What the service asks of a ladder: synchronous, and safe to call from several threads at once."""

    def run(self, image: GreyImage, *, effort: Effort) -> Outcome: ...

    def restore(
        self, image: GreyImage, *, network: str = "auto", scale: int = 1, binary: bool = False
    ) -> Restoration: ...


@dataclass(frozen=True, slots=True)
class Pipeline:
    """A ladder whose networks are loaded and warm. Both jobs raise what `decode_image` raises."""

    ladder: LadderLike
    max_pixels: int
    device: str = "cpu"
    models: tuple[ModelCard, ...] = ()

    def read(self, data: bytes, *, effort: Effort) -> Outcome:
        """Every code in an encoded image."""
        image, stage = self._imaging(data)
        outcome = self.ladder.run(image, effort=effort)
        return replace(outcome, trace=(stage, *outcome.trace))

    def restore(self, data: bytes, *, network: str, scale: int, binary: bool) -> Restoration:
        """The restored picture of the code in an encoded image. Raises UnknownNetwork too."""
        image, stage = self._imaging(data)
        restoration = self.ladder.restore(image, network=network, scale=scale, binary=binary)
        outcome = replace(restoration.outcome, trace=(stage, *restoration.outcome.trace))
        return replace(restoration, outcome=outcome)

    def _imaging(self, data: bytes) -> tuple[GreyImage, Stage]:
        began = perf_counter()
        image = decode_image(data, max_pixels=self.max_pixels)
        return image, Stage(stage=IMAGING_STAGE, seconds=perf_counter() - began, codes=0)


@dataclass(slots=True)
class Service:
    """One application's state. `pipeline` is None until start-up is over, and again once shutdown begins."""

    settings: Settings
    metrics: Metrics
    slots: Slots
    pipeline: Pipeline | None = None

    def ready_pipeline(self) -> Pipeline:
        if self.pipeline is None:
            raise NotReady
        return self.pipeline
