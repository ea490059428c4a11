"""The service's jobs, and the pipeline that does them: from encoded images to results.

Jobs travel to a child process and results travel back, so everything here can be pickled. `RESULTS` names every class
that a result is made of.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from math import inf
from time import perf_counter
from typing import ClassVar, Final, Protocol, TypeVar, overload

from app.errors import ImageTooLarge, RequestError
from app.pipeline.engines.symbol import Symbol
from app.pipeline.files.decoding import decode_image, read_header
from app.pipeline.files.png import encode_png
from app.pipeline.imaging import GreyImage
from app.pipeline.inference.severity import Route
from app.pipeline.painting import outline
from app.pipeline.quad import Quad
from app.pipeline.results import AUTO, Effort, Found, Outcome, Reason, Restoration, Restored, Stage, Unread, View

T = TypeVar("T")

IMAGING_STAGE: Final = "imaging"
"""The first stage of every trace: from the bytes of a file to grey pixels."""


@dataclass(frozen=True, slots=True)
class DecodeJob:
    """Read every code in one encoded image, or ``expect`` of them, within a ``budget`` of seconds; see `Ladder.run`."""

    data: bytes
    effort: Effort
    budget: float = inf
    expect: int | None = None
    images: ClassVar[int] = 1


@dataclass(frozen=True, slots=True)
class FuseJob:
    """Read every payload that several encoded images of one label show, each alone or all combined; see
    `Ladder.fuse`."""

    frames: tuple[bytes, ...]
    effort: Effort
    budget: float = inf
    expect: int | None = None

    @property
    def images(self) -> int:
        return len(self.frames)


@dataclass(frozen=True, slots=True)
class RestoreJob:
    """Restore the picture of the code in one encoded image. The options are those of `LadderLike.restore`."""

    data: bytes
    network: str
    scale: int
    binary: bool
    view: View
    budget: float = inf
    images: ClassVar[int] = 1


@dataclass(frozen=True, slots=True)
class OutlineJob:
    """Draw the outlines of codes into one encoded image: of those that were ``read``, and of those that were not. The
    result is the bytes of a PNG."""

    data: bytes
    read: tuple[Quad, ...]
    unread: tuple[Quad, ...]


Job = DecodeJob | FuseJob | RestoreJob
"""The jobs of requests."""

RESULTS: Final = (Outcome, Found, Symbol, Quad, Stage, Route, Restored, Unread, Reason)
"""Every class that a result is made of."""


class LadderLike(Protocol):
    """The part of a ladder that jobs need. Synchronous, and safe to call from several threads at once."""

    def run(self, image: GreyImage, *, effort: Effort, budget: float = inf, expect: int | None = None) -> Outcome: ...

    def fuse(
        self, frames: Sequence[GreyImage], *, effort: Effort, budget: float = inf, expect: int | None = None
    ) -> Outcome: ...

    def restore(
        self,
        image: GreyImage,
        *,
        network: str = AUTO,
        scale: int = 1,
        binary: bool = False,
        view: View = View.STRAIGHTENED,
        budget: float = inf,
    ) -> Restoration: ...


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Does jobs on a ladder. The images of one job may have ``max_pixels`` pixels in total."""

    ladder: LadderLike
    max_pixels: int

    @overload
    def do(self, job: DecodeJob | FuseJob) -> Outcome: ...
    @overload
    def do(self, job: RestoreJob) -> Restored: ...
    @overload
    def do(self, job: Job) -> Outcome | Restored: ...
    @overload
    def do(self, job: OutlineJob) -> bytes: ...
    def do(self, job: Job | OutlineJob) -> Outcome | Restored | bytes:
        """The job's result; its trace begins with one imaging stage an image.

        Raises what `decode_image` raises, of a `FuseJob` with the number of the first bad frame in front, and
        UnknownNetwork from a `RestoreJob`.
        """
        match job:
            case DecodeJob():
                image, stage = self._decode_image(job.data)
                return _traced(self.ladder.run(image, effort=job.effort, budget=job.budget, expect=job.expect), stage)
            case FuseJob():
                self._check_total(job.frames)
                frames = [_of_frame(i, partial(self._decode_image, data)) for i, data in enumerate(job.frames)]
                images = [image for image, _ in frames]
                outcome = self.ladder.fuse(images, effort=job.effort, budget=job.budget, expect=job.expect)
                return _traced(outcome, *(stage for _, stage in frames))
            case RestoreJob():
                return self._restore(job)
            case OutlineJob():
                image, _ = self._decode_image(job.data)
                return encode_png(outline(image, read=job.read, unread=job.unread))

    def _restore(self, job: RestoreJob) -> Restored:
        image, stage = self._decode_image(job.data)
        restoration = self.ladder.restore(
            image, network=job.network, scale=job.scale, binary=job.binary, view=job.view, budget=job.budget
        )
        height, width = restoration.image.shape
        return Restored(
            png=encode_png(restoration.image),
            width=width,
            height=height,
            network=restoration.network,
            located=restoration.located,
            outcome=_traced(restoration.outcome, stage),
        )

    def _decode_image(self, data: bytes) -> tuple[GreyImage, Stage]:
        began = perf_counter()
        image = decode_image(data, max_pixels=self.max_pixels)
        return image, Stage(stage=IMAGING_STAGE, seconds=perf_counter() - began, codes=0)

    def _check_total(self, frames: Sequence[bytes]) -> None:
        """Raises ImageTooLarge where the frames have too many pixels together, before any of them is decoded."""
        headers = [_of_frame(index, partial(read_header, data)) for index, data in enumerate(frames)]
        total = sum(header.width * header.height for header in headers)
        if total > self.max_pixels:
            raise ImageTooLarge(
                f"The frames have {total} pixels together; at most {self.max_pixels} pixels are accepted."
            )


def _traced(outcome: Outcome, *stages: Stage) -> Outcome:
    """The outcome with these stages in front of its trace."""
    return replace(outcome, trace=(*stages, *outcome.trace))


def _of_frame(index: int, read: Callable[[], T]) -> T:
    """The result of ``read``, whose errors then name the frame."""
    try:
        return read()
    except RequestError as exc:
        raise type(exc)(f"Frame {index}: {exc.detail}") from exc
