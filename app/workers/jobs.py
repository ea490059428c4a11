"""The service's jobs, and the pipeline that does them: from encoded images to results.

Jobs travel to a child process and results travel back, so everything here can be pickled. `RESULTS` names every class
that a result is made of.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from math import inf
from time import perf_counter
from typing import ClassVar, Final, Protocol, TypeVar, overload

import numpy as np

from app.errors import ImageTooLarge, RequestError
from app.pipeline.engines.symbol import Symbol
from app.pipeline.files.decoding import decode_image, read_header
from app.pipeline.files.looks import other_looks
from app.pipeline.files.png import encode_png
from app.pipeline.imaging import GreyImage, LookAgain
from app.pipeline.inference.severity import Route
from app.pipeline.part import Part
from app.pipeline.quad import Quad
from app.pipeline.results import AUTO, Effort, Found, Outcome, Reason, Restoration, Restored, Stage, Unread, View
from app.pipeline.symbologies import QR_FAMILY

T = TypeVar("T")

IMAGING_STAGE: Final = "imaging"
"""The first stage of every trace: from the bytes of a file to grey pixels."""
_EVERYTHING: Final = Part(0, 0, 1, 1, shared=True)


@dataclass(frozen=True, slots=True)
class DecodeJob:
    """Read every code in one encoded image, or ``expect`` of them, within a ``budget`` of seconds; see `Ladder.run`.

    Looks only at a ``part`` of the image if one is given; positions are those in the whole image all the same.
    """

    data: bytes
    effort: Effort
    budget: float = inf
    expect: int | None = None
    part: Part | None = None
    symbologies: frozenset[str] = QR_FAMILY
    images: ClassVar[int] = 1


@dataclass(frozen=True, slots=True)
class FuseJob:
    """Read every payload that several encoded images of one label show, each alone or all combined; see
    `Ladder.fuse`. ``part`` is one of each image."""

    frames: tuple[bytes, ...]
    effort: Effort
    budget: float = inf
    expect: int | None = None
    part: Part | None = None
    symbologies: frozenset[str] = QR_FAMILY

    @property
    def images(self) -> int:
        return len(self.frames)


@dataclass(frozen=True, slots=True)
class RestoreJob:
    """Restore the picture of the code in one encoded image, or in a ``part`` of it. The other options are those of
    `LadderLike.restore`."""

    data: bytes
    network: str
    scale: int
    binary: bool
    view: View
    budget: float = inf
    part: Part | None = None
    images: ClassVar[int] = 1


Job = DecodeJob | FuseJob | RestoreJob

RESULTS: Final = (Outcome, Found, Symbol, Quad, Stage, Route, Restored, Unread, Reason)
"""Every class that a result is made of."""


class LadderLike(Protocol):
    """The part of a ladder that jobs need. Synchronous, and safe to call from several threads at once."""

    def run(
        self,
        image: GreyImage,
        *,
        effort: Effort,
        budget: float = inf,
        expect: int | None = None,
        look_again: LookAgain | None = None,
        symbologies: frozenset[str] = QR_FAMILY,
    ) -> Outcome: ...

    def fuse(
        self,
        frames: Sequence[GreyImage],
        *,
        effort: Effort,
        budget: float = inf,
        expect: int | None = None,
        look_again: Sequence[LookAgain] = (),
        symbologies: frozenset[str] = QR_FAMILY,
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
        look_again: LookAgain | None = None,
    ) -> Restoration: ...


@dataclass(frozen=True, slots=True)
class _View:
    """What of an encoded image is looked at: ``seen``, the ``part`` (rows and columns) of the ``whole`` grey picture,
    which took the time of ``stage`` to decode."""

    data: bytes
    whole: GreyImage
    seen: GreyImage
    part: tuple[slice, slice]
    stage: Stage

    @property
    def origin(self) -> tuple[int, int]:
        """x and y of the part."""
        rows, columns = self.part
        return columns.start, rows.start

    def look_again(self, *, colours: bool) -> Iterator[GreyImage]:
        return other_looks(self.data, colours=colours, part=self.part)


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
    def do(self, job: Job) -> Outcome | Restored:
        """The job's result; its trace begins with one imaging stage an image.

        Raises what `decode_image` raises, of a `FuseJob` with the number of the first bad frame in front, and
        UnknownNetwork from a `RestoreJob`.
        """
        match job:
            case DecodeJob():
                view = self._view(job.data, job.part)
                outcome = self.ladder.run(
                    view.seen,
                    effort=job.effort,
                    budget=job.budget,
                    expect=job.expect,
                    look_again=view.look_again,
                    symbologies=job.symbologies,
                )
                return _as_sent(outcome, view)
            case FuseJob():
                self._check_total(job.frames)
                views = [_of_frame(i, partial(self._view, data, job.part)) for i, data in enumerate(job.frames)]
                outcome = self.ladder.fuse(
                    [view.seen for view in views],
                    effort=job.effort,
                    budget=job.budget,
                    expect=job.expect,
                    look_again=[view.look_again for view in views],
                    symbologies=job.symbologies,
                )
                return _as_sent(outcome, *views)
            case RestoreJob():
                return self._restore(job)

    def _restore(self, job: RestoreJob) -> Restored:
        view = self._view(job.data, job.part)
        restoration = self.ladder.restore(
            view.seen,
            network=job.network,
            scale=job.scale,
            binary=job.binary,
            view=job.view,
            budget=job.budget,
            look_again=view.look_again,
        )
        restored = restoration.image
        if job.view is View.ORIGINAL and job.part is not None:
            restored = view.whole.copy()
            restored[view.part] = restoration.image
        height, width = restored.shape
        return Restored(
            png=encode_png(restored),
            width=width,
            height=height,
            network=restoration.network,
            outcome=_as_sent(restoration.outcome, view),
        )

    def _view(self, data: bytes, part: Part | None) -> _View:
        """Decodes an image. Raises RegionOutside, too."""
        began = perf_counter()
        whole = decode_image(data, max_pixels=self.max_pixels)
        inside = (part or _EVERYTHING).of(*whole.shape)
        seen = whole if part is None else np.ascontiguousarray(whole[inside])
        return _View(data, whole, seen, inside, Stage(IMAGING_STAGE, perf_counter() - began, 0))

    def _check_total(self, frames: Sequence[bytes]) -> None:
        """Raises ImageTooLarge where the frames have too many pixels together, before any of them is decoded."""
        headers = [_of_frame(index, partial(read_header, data)) for index, data in enumerate(frames)]
        total = sum(header.width * header.height for header in headers)
        if total > self.max_pixels:
            raise ImageTooLarge(
                f"The frames have {total} pixels together; at most {self.max_pixels} pixels are accepted."
            )


def _as_sent(outcome: Outcome, *views: _View) -> Outcome:
    """The outcome of what was seen in the frames of the whole images, with the stages of decoding these in front."""
    outcome = replace(outcome, trace=(*(view.stage for view in views), *outcome.trace))
    if all(view.seen is view.whole for view in views):
        return outcome
    height, width = views[0].whole.shape

    def move(corners: Quad, frame: int) -> Quad:
        return corners.moved(*views[frame].origin)

    codes = (replace(one, symbol=one.symbol.at(move(one.symbol.corners, one.frame))) for one in outcome.codes)
    unread = (replace(one, corners=move(one.corners, one.frame)) for one in outcome.unread)
    return replace(outcome, codes=tuple(codes), unread=tuple(unread), width=width, height=height)


def _of_frame(index: int, read: Callable[[], T]) -> T:
    """The result of ``read``, whose errors then name the frame."""
    try:
        return read()
    except RequestError as exc:
        raise type(exc)(f"Frame {index}: {exc.detail}") from exc
