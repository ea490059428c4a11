"""The service's jobs, and the pipeline that does them: from encoded images to results.

Jobs travel to a child process and results travel back, so everything here can be pickled. `RESULTS` names every class
that a result is made of.
"""

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import KW_ONLY, dataclass, replace
from functools import partial
from math import inf
from time import perf_counter
from typing import ClassVar, Final, Protocol, TypeVar, overload

from app.errors import ImageTooLarge, NoSuchPage, RequestError
from app.pipeline.engines.symbol import Symbol
from app.pipeline.files.documents.document import Document, Page
from app.pipeline.files.documents.opening import count_pixels, first_page, open_file
from app.pipeline.files.png import encode_png
from app.pipeline.finishing import finish
from app.pipeline.imaging import GreyImage, LookAgain
from app.pipeline.inference.severity import Route
from app.pipeline.orienting import Stored, stored_page, turn_upright
from app.pipeline.pages import IMAGING_STAGE, PageRanges, Reader, Task, read_document
from app.pipeline.painting import outline
from app.pipeline.part import Part
from app.pipeline.payload.appending import AppendedMessage
from app.pipeline.payload.charsets import Charset
from app.pipeline.payload.interpreting import CharsetSource
from app.pipeline.qrcode.contents import Contents
from app.pipeline.qrcode.segments import Message, Segment, StructuredAppend
from app.pipeline.quad import Quad
from app.pipeline.results import (
    AUTO,
    Compared,
    Effort,
    Found,
    Frame,
    Outcome,
    PageInfo,
    Reason,
    Restoration,
    Restored,
    Stage,
    Unread,
    View,
)
from app.pipeline.seeing import Seen, in_whole, see
from app.pipeline.symbologies import QR_FAMILY

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class DecodeJob:
    """Read every code in one file, or ``expect`` of them; see `read_document`.

    ``budget``: seconds for each page; ``total``: seconds for all pages of a file that has several. ``pages``: those to
    read, None for all. ``part``: the one of each page in which alone is looked; positions are those in the whole page.
    ``charset`` is that of bytes without an ECI. ``frame``: how the outcome sees the pages.
    """

    data: bytes
    effort: Effort
    _: KW_ONLY
    budget: float = inf
    expect: int | None = None
    total: float = inf
    pages: PageRanges | None = None
    part: Part | None = None
    symbologies: frozenset[str] = QR_FAMILY
    charset: Charset | None = None
    frame: Frame = Frame.STORED
    images: ClassVar[int] = 1


@dataclass(frozen=True, slots=True)
class FuseJob:
    """Read every payload that several encoded images of one label show, each alone or all combined; see
    `Ladder.fuse`. ``part`` is one of each image, ``charset`` and ``frame`` as in `DecodeJob`."""

    frames: tuple[bytes, ...]
    effort: Effort
    _: KW_ONLY
    budget: float = inf
    expect: int | None = None
    part: Part | None = None
    symbologies: frozenset[str] = QR_FAMILY
    charset: Charset | None = None
    frame: Frame = Frame.STORED

    @property
    def images(self) -> int:
        return len(self.frames)


@dataclass(frozen=True, slots=True)
class RestoreJob:
    """Restore the picture of the code in one encoded image, or in a ``part`` of it. ``frame``: how the outcome and what
    is restored see the image. The other options are those of `LadderLike.restore`."""

    data: bytes
    network: str
    scale: int
    binary: bool
    view: View
    budget: float = inf
    part: Part | None = None
    frame: Frame = Frame.STORED
    images: ClassVar[int] = 1


@dataclass(frozen=True, slots=True)
class OutlineJob:
    """Draw the outlines of codes into one page of a file: of those that were ``read``, and of those that were not,
    their corners in the page as ``frame`` says. The result is the bytes of a PNG."""

    data: bytes
    page: int
    read: tuple[Quad, ...]
    unread: tuple[Quad, ...]
    frame: Frame = Frame.STORED


Job = DecodeJob | FuseJob | RestoreJob
"""The jobs of requests."""

RESULTS: Final = (
    *(Outcome, Found, Symbol, Quad, Stage, Route, Restored, Compared, Unread, Reason, PageInfo),
    *(Contents, Message, Segment, StructuredAppend, CharsetSource, AppendedMessage),
)
"""Every class that a result is made of."""


class LadderLike(Reader, Protocol):
    """The part of a ladder that jobs need. Synchronous, and safe to call from several threads at once."""

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
class Pipeline:
    """Does jobs on a ladder. The images of one job may have ``max_pixels`` pixels in total, but each page of a file may
    have as many. Of one file ``max_pages`` pages are read, and ``max_codes`` codes answered. With ``video``
    videos are read.
    """

    ladder: LadderLike
    max_pixels: int
    max_pages: int = 50
    max_codes: int = 1 << 20
    video: bool = False

    @overload
    def do(self, job: DecodeJob | FuseJob) -> Outcome: ...
    @overload
    def do(self, job: RestoreJob) -> Restored: ...
    @overload
    def do(self, job: Job) -> Outcome | Restored: ...
    @overload
    def do(self, job: OutlineJob) -> bytes: ...
    def do(self, job: Job | OutlineJob) -> Outcome | Restored | bytes:
        """The job's result; its trace begins with an imaging stage.

        Raises what `open_file` and `read_document` raise, of a `FuseJob` with the number of the first bad frame in
        front, and UnknownNetwork from a `RestoreJob`.
        """
        match job:
            case DecodeJob():
                return _turned_pages(finish(self._read(job), job.charset), job.frame)
            case FuseJob():
                return self._fuse(job)
            case RestoreJob():
                return self._restore(job)
            case OutlineJob():
                with closing(self._open(job.data)) as document:
                    page = _page_of(document, job.page)
                image = page.image
                if job.frame is Frame.UPRIGHT:
                    image = _stored(image, page.orientation).turned(image)
                return encode_png(outline(image, read=job.read, unread=job.unread))

    def _read(self, job: DecodeJob) -> Outcome:
        task = Task(
            job.effort,
            budget=job.budget,
            total=job.total,
            expect=job.expect,
            ranges=job.pages,
            most_pages=self.max_pages,
            max_codes=self.max_codes,
            part=job.part,
            symbologies=job.symbologies,
        )
        return read_document(self.ladder, partial(self._open, job.data), task)

    def _fuse(self, job: FuseJob) -> Outcome:
        self._check_total(job.frames)
        frames = [_of_frame(i, partial(self._see, data, job.part)) for i, data in enumerate(job.frames)]
        seen = [one for one, _ in frames]
        outcome = self.ladder.fuse(
            [one.image for one in seen],
            effort=job.effort,
            budget=job.budget,
            expect=job.expect,
            look_again=[one.look_again for one in seen],
            symbologies=job.symbologies,
        )
        outcome = finish(_traced(in_whole(outcome, *seen), *(stage for _, stage in frames)), job.charset)
        outcome = replace(outcome, orientation=seen[0].orientation)
        stored = [_stored(one.whole, one.orientation) for one in seen]
        return outcome if job.frame is Frame.STORED else turn_upright(outcome, lambda one: stored[one.frame])

    def _open(self, data: bytes) -> Document:
        return open_file(data, max_pixels=self.max_pixels, most_frames=self.max_pages, video=self.video)

    def _restore(self, job: RestoreJob) -> Restored:
        seen, stage = self._see(job.data, job.part)
        restoration = self.ladder.restore(
            seen.image,
            network=job.network,
            scale=job.scale,
            binary=job.binary,
            view=job.view,
            budget=job.budget,
            look_again=seen.look_again,
        )
        restored = seen.painted(restoration.image) if job.view is View.ORIGINAL else restoration.image
        outcome = finish(_traced(in_whole(restoration.outcome, seen), stage))
        outcome = replace(outcome, orientation=seen.orientation)
        if job.frame is Frame.UPRIGHT:
            stored = _stored(seen.whole, seen.orientation)
            outcome = turn_upright(outcome, lambda _: stored)
            if not restoration.comparison:
                restored = stored.turned(restored) if restoration.whole else stored.straightened(restored)
        height, width = restored.shape
        return Restored(
            png=encode_png(restored),
            width=width,
            height=height,
            network=restoration.network,
            located=restoration.located,
            comparison=restoration.comparison,
            outcome=outcome,
        )

    def _see(self, data: bytes, part: Part | None) -> tuple[Seen, Stage]:
        """Decodes the first page of a file. Raises RegionOutside, too."""
        began = perf_counter()
        page = first_page(data, max_pixels=self.max_pixels, video=self.video)
        return see(page, part), Stage(stage=IMAGING_STAGE, seconds=perf_counter() - began, codes=0)

    def _check_total(self, frames: Sequence[bytes]) -> None:
        """Raises ImageTooLarge where the frames have too many pixels together, before any of them is decoded."""
        total = sum(
            _of_frame(index, partial(count_pixels, data, max_pixels=self.max_pixels, video=self.video))
            for index, data in enumerate(frames)
        )
        if total > self.max_pixels:
            raise ImageTooLarge(
                f"The frames have {total} pixels together; at most {self.max_pixels} pixels are accepted."
            )


def _page_of(document: Document, index: int) -> Page:
    """The page with this index; frames of an animation that repeat others have none. Raises NoSuchPage."""
    numbers = range(document.count) if document.is_film else range(index, min(index + 1, document.count))
    found = next((page for page in map(document.page, numbers) if page.index == index), None)
    if found is None:
        raise NoSuchPage
    return found


def _stored(image: GreyImage, orientation: int) -> Stored:
    height, width = image.shape
    return Stored(width, height, orientation)


def _turned_pages(outcome: Outcome, frame: Frame) -> Outcome:
    """The outcome of a file's pages with the orientation of the first one that could be decoded, and if asked for with
    everything as viewers show the pages."""
    stored = {page.index: stored_page(page) for page in outcome.pages if page.problem is None}
    first = next((page.orientation for page in outcome.pages if page.problem is None), 1)
    outcome = replace(outcome, orientation=first)
    return outcome if frame is Frame.STORED else turn_upright(outcome, lambda one: stored[one.page])


def _traced(outcome: Outcome, *stages: Stage) -> Outcome:
    """The outcome with these stages in front of its trace."""
    return replace(outcome, trace=(*stages, *outcome.trace))


def _of_frame(index: int, read: Callable[[], T]) -> T:
    """The result of ``read``, whose errors then name the frame."""
    try:
        return read()
    except RequestError as exc:
        raise type(exc)(f"Frame {index}: {exc.detail}") from exc
