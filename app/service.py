"""The running service, free of HTTP: loaded networks, settings, metrics and slots, and the two jobs it does."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from time import perf_counter
from typing import Final, Protocol, TypeVar

from app.admission import Slots
from app.errors import ImageTooLarge, NotReady, RequestError
from app.metrics import Metrics
from app.pipeline.climbing import Effort, Outcome, Stage
from app.pipeline.imaging import GreyImage, decode_image, read_header
from app.pipeline.ladder import AUTO, Restoration, View
from app.schemas import ModelCard
from app.settings import Settings

T = TypeVar("T")

IMAGING_STAGE: Final = "imaging"
"""First stage of every trace: from file bytes to grey pixels."""


class LadderLike(Protocol):
    """What the service asks of a ladder: synchronous, and safe to call from several threads at once."""

    def run(self, image: GreyImage, *, effort: Effort) -> Outcome: ...

    def fuse(self, frames: Sequence[GreyImage], *, effort: Effort) -> Outcome: ...

    def restore(
        self,
        image: GreyImage,
        *,
        network: str = AUTO,
        scale: int = 1,
        binary: bool = False,
        view: View = View.STRAIGHTENED,
    ) -> Restoration: ...


@dataclass(frozen=True, slots=True)
class Pipeline:
    """A ladder whose networks are loaded and warm. Every job raises what `decode_image` raises."""

    ladder: LadderLike
    max_pixels: int
    device: str = "cpu"
    models: tuple[ModelCard, ...] = ()

    def read(self, data: bytes, *, effort: Effort) -> Outcome:
        """Every code in an encoded image."""
        image, stage = self._imaging(data)
        outcome = self.ladder.run(image, effort=effort)
        return replace(outcome, trace=(stage, *outcome.trace))

    def read_together(self, frames: Sequence[bytes], *, effort: Effort) -> Outcome:
        """Every payload that encoded images of one thing give together.

        No image is left out: the first that cannot be read fails them all, and its error says which it was. Together
        they may have `max_pixels`.
        """
        total = 0
        for index, data in enumerate(frames):
            header = _of_frame(index, partial(read_header, data))
            total += header.width * header.height
        if total > self.max_pixels:
            raise ImageTooLarge(
                f"The frames have {total} pixels together; at most {self.max_pixels} pixels are accepted."
            )
        made = [_of_frame(index, partial(self._imaging, data)) for index, data in enumerate(frames)]
        outcome = self.ladder.fuse([image for image, _ in made], effort=effort)
        return replace(outcome, trace=(*(stage for _, stage in made), *outcome.trace))

    def restore(self, data: bytes, *, network: str, scale: int, binary: bool, view: View) -> Restoration:
        """The restored picture of the code in an encoded image. Raises UnknownNetwork too."""
        image, stage = self._imaging(data)
        restoration = self.ladder.restore(image, network=network, scale=scale, binary=binary, view=view)
        outcome = replace(restoration.outcome, trace=(stage, *restoration.outcome.trace))
        return replace(restoration, outcome=outcome)

    def _imaging(self, data: bytes) -> tuple[GreyImage, Stage]:
        began = perf_counter()
        image = decode_image(data, max_pixels=self.max_pixels)
        return image, Stage(stage=IMAGING_STAGE, seconds=perf_counter() - began, codes=0)


def _of_frame(index: int, read: Callable[[], T]) -> T:
    try:
        return read()
    except RequestError as exc:
        raise type(exc)(f"Frame {index}: {exc.detail}") from exc


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
