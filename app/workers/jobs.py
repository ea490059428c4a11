"""The jobs of the service, from encoded images to results: what a child process is handed, and what it answers.

Everything here can be pickled, and `RESULTS` names every class that a result is made of.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from time import perf_counter
from typing import ClassVar, Final, Protocol, TypeVar

from app.errors import ImageTooLarge, RequestError
from app.pipeline.engines.symbol import Symbol
from app.pipeline.files.image_files import decode_image, encode_png, read_header
from app.pipeline.imaging import GreyImage
from app.pipeline.inference.severity import Route
from app.pipeline.results import AUTO, Effort, Found, Outcome, Restoration, Restored, Stage, View

T = TypeVar("T")

IMAGING_STAGE: Final = "imaging"
"""First stage of every trace: from file bytes to grey pixels."""


class LadderLike(Protocol):
    """What the jobs ask of a ladder: synchronous, and safe to call from several threads at once."""

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
    """A ladder, and the most pixels that the images of a job may have. Every job raises what `decode_image` raises."""

    ladder: LadderLike
    max_pixels: int

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

    def restore(self, data: bytes, *, network: str, scale: int, binary: bool, view: View) -> Restored:
        """The restored picture of the code in an encoded image. Raises UnknownNetwork too."""
        image, stage = self._imaging(data)
        made = self.ladder.restore(image, network=network, scale=scale, binary=binary, view=view)
        height, width = made.image.shape
        return Restored(
            png=encode_png(made.image),
            width=width,
            height=height,
            network=made.network,
            outcome=replace(made.outcome, trace=(stage, *made.outcome.trace)),
        )

    def _imaging(self, data: bytes) -> tuple[GreyImage, Stage]:
        began = perf_counter()
        image = decode_image(data, max_pixels=self.max_pixels)
        return image, Stage(stage=IMAGING_STAGE, seconds=perf_counter() - began, codes=0)


def _of_frame(index: int, read: Callable[[], T]) -> T:
    try:
        return read()
    except RequestError as exc:
        raise type(exc)(f"Frame {index}: {exc.detail}") from exc


@dataclass(frozen=True, slots=True)
class Read:
    """Every code in an encoded image."""

    data: bytes
    effort: Effort
    images: ClassVar[int] = 1

    def run(self, pipeline: Pipeline) -> Outcome:
        return pipeline.read(self.data, effort=self.effort)


@dataclass(frozen=True, slots=True)
class ReadTogether:
    """Every payload that encoded images of one thing give together."""

    frames: tuple[bytes, ...]
    effort: Effort

    @property
    def images(self) -> int:
        return len(self.frames)

    def run(self, pipeline: Pipeline) -> Outcome:
        return pipeline.read_together(self.frames, effort=self.effort)


@dataclass(frozen=True, slots=True)
class Restore:
    """The restored picture of the code in an encoded image."""

    data: bytes
    network: str
    scale: int
    binary: bool
    view: View
    images: ClassVar[int] = 1

    def run(self, pipeline: Pipeline) -> Restored:
        return pipeline.restore(self.data, network=self.network, scale=self.scale, binary=self.binary, view=self.view)


RESULTS: Final = (Outcome, Found, Symbol, Stage, Route, Restored)
"""The classes of results."""
