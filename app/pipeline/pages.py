"""Reads files of several pictures: page after page, or the frames of an animation together."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from math import inf
from time import monotonic, perf_counter
from typing import Final, Protocol, TypeVar

import numpy as np

from app.errors import NoSuchPage, RequestError
from app.pipeline.files.documents.document import Area, Document, Page
from app.pipeline.fusing import FUSED
from app.pipeline.imaging import GreyImage, LookAgain
from app.pipeline.inference.severity import laplacian_variance
from app.pipeline.part import Part
from app.pipeline.quad import SAME_PLACE, Quad
from app.pipeline.results import Effort, Found, Outcome, PageInfo, Stage, Unread, add_up
from app.pipeline.seeing import in_whole, see
from app.pipeline.symbologies import QR_FAMILY

T = TypeVar("T")

IMAGING_STAGE: Final = "imaging"
"""The first stage of every trace: from the bytes of a file to grey pixels."""
CLOSER_STAGE: Final = "closer"
"""The stage that draws parts of a page finer."""
_MOST_CLOSER: Final = 8  # places of a page that are drawn finer
_FINE_MODULE: Final = 3.0  # pixels a module from which nothing is gained by drawing finer
_DRAWN_MODULE: Final = 5.0  # pixels a module of what is drawn finer
_MARGIN: Final = 0.25  # of the size of a place, around what is drawn finer
_MOST_FACTOR: Final = 8.0
_FRAMES_CLIMBED: Final = 3  # of a film without a plain code, for which there is time to look as into a picture
_MOST_CLIMBED: Final = 8  # frames that share this time at balanced effort; each needs enough of it for the quick rungs

PageRanges = tuple[tuple[int, int | None], ...]
"""First and last page of each range, counted from 0, both included; no last page for a range without end."""


class Reader(Protocol):
    """The part of a ladder that reads pages."""

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


@dataclass(frozen=True, slots=True)
class Task:
    """How to read a file: ``budget`` seconds for each page, ``total`` for all of several, at most ``most_pages`` of
    those in ``ranges``, and at most ``max_codes`` codes, or ``expect``, of these ``symbologies``, and only in a
    ``part`` of each page."""

    effort: Effort
    budget: float = inf
    total: float = inf
    expect: int | None = None
    ranges: PageRanges | None = None
    most_pages: int = 1
    max_codes: int = 1 << 20
    part: Part | None = None
    symbologies: frozenset[str] = QR_FAMILY


def read_document(reader: Reader, opened: Callable[[], Document], task: Task) -> Outcome:
    """Opens a file and reads its pictures. Raises NoSuchPage, and what opening and decoding raise.

    Each page gets an equal share of the time that is left, and what it leaves over is for the others. Of several pages,
    one that cannot be decoded is told with its problem; the outcome is then not complete.
    """
    document, stage = _timed(opened)
    task = replace(task, total=max(0.0, task.total - stage.seconds))  # a film is decoded as it is opened
    with closing(document):
        wanted = _wanted(document.count, task.ranges)
        chosen = wanted[: task.most_pages]
        if document.is_film and len(chosen) > 1:
            outcome = _read_film(reader, document, chosen, task)
        else:
            outcome = _read_pages(reader, document, chosen, task)
        is_cut = len(wanted) > len(chosen) or document.is_cut
        return replace(
            outcome,
            trace=tuple(add_up((stage, *outcome.trace)).values()),
            truncated=outcome.truncated or is_cut,
            page_count=document.count,
        )


def _wanted(count: int, ranges: PageRanges | None) -> list[int]:
    """The pages of a file that are to be read, in the order of the file."""
    if ranges is None:
        return list(range(count))
    wanted = [index for index in range(count) if any(a <= index and (b is None or index <= b) for a, b in ranges)]
    if not wanted:
        raise NoSuchPage(f"The file has {count} page{'s' if count > 1 else ''}; none of them is asked for.")
    return wanted


def _read_pages(reader: Reader, document: Document, chosen: Sequence[int], task: Task) -> Outcome:
    began = monotonic()
    outcomes: list[Outcome] = []
    problems: list[PageInfo] = []
    is_late = False
    for done, index in enumerate(chosen):
        budget, expect = task.budget, task.expect
        if len(chosen) > 1:
            left = task.total - (monotonic() - began)
            is_late = left <= 0
            budget = min(budget, left / (len(chosen) - done))
        if expect is not None:
            expect -= sum(len(one.codes) for one in outcomes)
        if outcomes and (is_late or (expect is not None and expect <= 0)):
            break
        try:
            outcomes.append(_read_page(reader, document, index, replace(task, budget=budget, expect=expect)))
        except RequestError as exc:
            if not outcomes and index == chosen[-1]:
                raise
            problems.append(PageInfo(index, 0, 0, problem=exc.detail))
    outcome = _together(outcomes, task)
    pages = sorted((*outcome.pages, *problems), key=lambda page: page.index)
    return replace(outcome, pages=tuple(pages), complete=outcome.complete and not (is_late or problems))


def _read_page(reader: Reader, document: Document, index: int, task: Task) -> Outcome:
    page, stage = _timed(lambda: document.page(index))
    began = monotonic()
    seen = see(page, task.part)
    outcome = reader.run(
        seen.image,
        effort=task.effort,
        budget=task.budget,
        expect=task.expect,
        look_again=seen.look_again,
        symbologies=task.symbologies,
    )
    outcome = replace(in_whole(outcome, seen), trace=(stage, *outcome.trace), pages=(_info(page),))
    left = task.budget - (monotonic() - began)
    if outcome.unread and left > 0 and not (task.expect and len(outcome.codes) >= task.expect):
        outcome = _look_closer(reader, document, outcome, replace(task, budget=left))
    return replace(
        outcome,
        codes=tuple(replace(one, page=page.index) for one in outcome.codes),
        unread=tuple(replace(one, page=page.index) for one in outcome.unread),
    )


def _look_closer(reader: Reader, document: Document, outcome: Outcome, task: Task) -> Outcome:
    """Reads what lies too coarsely in a page from a finer drawing of its place, where the file has one."""
    (page,) = outcome.pages
    began, start = monotonic(), perf_counter()
    codes, unread = list(outcome.codes), list(outcome.unread)
    small = [one for one in unread if one.module_pixels is not None and one.module_pixels < _FINE_MODULE]
    drawn = 0
    for place in small[:_MOST_CLOSER]:
        for area, factor, picture in _drawings(document, page, place):
            drawn += 1
            left = task.budget - (monotonic() - began)
            if left <= 0:
                break
            closer = reader.run(picture, effort=task.effort, budget=left, expect=1, symbologies=task.symbologies)
            found = [_moved(one, area, factor, page) for one in closer.codes]
            if found:
                codes += [one for one in found if not _is_known(one, codes)]
                unread.remove(place)
                break
    if not drawn:
        return outcome
    stage = Stage(CLOSER_STAGE, perf_counter() - start, len(codes) - len(outcome.codes))
    return replace(outcome, codes=tuple(codes), unread=tuple(unread), trace=(*outcome.trace, stage))


def _drawings(document: Document, page: PageInfo, place: Unread) -> Iterator[tuple[Area, float, GreyImage]]:
    """Finer drawings of a place: the area, how much finer, and the picture; smooth first, then with hard edges."""
    left, top, right, bottom = place.corners.bounds
    margin = _MARGIN * max(right - left, bottom - top)
    area = (
        max(0, int(left - margin)),
        max(0, int(top - margin)),
        min(page.width, round(right + margin)),
        min(page.height, round(bottom + margin)),
    )
    factor = min(_MOST_FACTOR, _DRAWN_MODULE / (place.module_pixels or 1.0))
    if area[0] >= area[2] or area[1] >= area[3]:
        return
    for smooth in (True, False):
        picture = document.closer(page.index, area, factor, smooth=smooth)
        if picture is not None:
            yield area, factor, picture


def _moved(found: Found, area: Area, factor: float, page: PageInfo) -> Found:
    """A code of a finer drawing, with its corners in pixels of the page."""
    corners = found.symbol.corners.scaled(1 / factor)
    points = [(x + area[0], y + area[1]) for x, y in corners.as_tuple]
    return replace(found, symbol=found.symbol.at(Quad.of(points)), size=(page.width, page.height))


def _is_known(one: Found, codes: Iterable[Found]) -> bool:
    return any(one.symbol.corners.overlap(other.symbol.corners) >= SAME_PLACE for other in codes)


def _read_film(reader: Reader, document: Document, chosen: Sequence[int], task: Task) -> Outcome:
    """Reads each frame alone and, if none gives a code, their evidence added up; each payload counts once.

    Most codes in animations are plain to see in some frame, or in frames laid over one another, so that is tried first.
    """
    pages, stage = _timed(lambda: [document.page(index) for index in chosen])
    seen = [see(page, task.part) for page in pages]
    outcome = in_whole(_read_frames(reader, [one.image for one in seen], task), *seen)
    return replace(
        outcome,
        codes=tuple(replace(one, frame=0, page=pages[one.frame].index) for one in outcome.codes),
        unread=tuple(replace(one, frame=0, page=pages[one.frame].index) for one in outcome.unread),
        trace=(stage, *outcome.trace),
        pages=tuple(_info(page) for page in pages),
    )


def _read_frames(reader: Reader, frames: Sequence[GreyImage], task: Task) -> Outcome:
    began = monotonic()
    glance = replace(task, effort=Effort.FAST)
    plain = reader.fuse(frames, effort=Effort.FAST, budget=task.total, expect=task.expect, symbologies=task.symbologies)
    if task.effort is Effort.BALANCED and not plain.codes:
        plain = _read_overlaid(reader, frames, plain, glance)
        if plain.codes:
            return plain
    if task.effort is Effort.FAST or (task.expect and len(plain.codes) >= task.expect):
        return plain
    budget = min(task.total - (monotonic() - began), task.budget * (1 if plain.codes else _FRAMES_CLIMBED))
    chosen = _promising(frames, plain)
    if task.effort is Effort.BALANCED:
        chosen = chosen[:_MOST_CLIMBED]
    outcome = reader.fuse(
        [frames[index] for index in chosen],
        effort=task.effort,
        budget=max(0.0, budget),
        expect=task.expect,
        symbologies=task.symbologies,
    )
    codes = (replace(one, frame=chosen[one.frame]) for one in outcome.codes)
    outcome = replace(
        outcome,
        codes=tuple(sorted(codes, key=lambda one: one.frame)),
        unread=tuple(replace(one, frame=chosen[one.frame]) for one in outcome.unread),
    )
    known = {one.symbol.identity for one in outcome.codes}
    missed = [one for one in plain.codes if one.symbol.identity not in known]
    outcome = replace(outcome, codes=(*outcome.codes, *missed), trace=(*plain.trace, *outcome.trace))
    left = min(task.total, budget) - (monotonic() - began)
    if not outcome.codes and left > 0:
        outcome = _read_overlaid(reader, frames, outcome, replace(task, budget=left))
    return outcome


def _promising(frames: Sequence[GreyImage], plain: Outcome) -> list[int]:
    """The numbers of the frames: first those in which a plain look saw a code, and of these the sharpest first."""
    seen = {one.frame for one in plain.unread}
    return sorted(range(len(frames)), key=lambda index: (index not in seen, -laplacian_variance(frames[index])))


def _read_overlaid(reader: Reader, frames: Sequence[GreyImage], outcome: Outcome, task: Task) -> Outcome:
    """Reads frames laid over one another, for codes of which each frame shows a part: the darkest of each pixel, the
    lightest, and the mean."""
    began, start = monotonic(), perf_counter()
    for overlay in _overlays(frames):
        left = task.budget - (monotonic() - began)
        if left <= 0:
            break
        read = reader.run(overlay, effort=task.effort, budget=left, expect=task.expect, symbologies=task.symbologies)
        if read.codes:
            stage = Stage(FUSED, perf_counter() - start, len(read.codes))
            codes = tuple(replace(one, rung=FUSED, frame=0) for one in read.codes)
            return replace(outcome, codes=codes, unread=(), trace=(*outcome.trace, stage))
    return outcome


def _overlays(frames: Sequence[GreyImage]) -> Iterator[GreyImage]:
    yield _fold(np.minimum, frames)
    yield _fold(np.maximum, frames)
    total = np.zeros(frames[0].shape, np.uint32)
    for frame in frames:
        total += frame
    yield (total // len(frames)).astype(np.uint8)


def _fold(operation: np.ufunc, frames: Sequence[GreyImage]) -> GreyImage:
    result = frames[0].copy()
    for frame in frames[1:]:
        operation(result, frame, out=result)
    return result


def _together(outcomes: Sequence[Outcome], task: Task) -> Outcome:
    """The outcome of a file, from those of its pages; its size is that of the first page that could be decoded."""
    first = outcomes[0]
    if len(outcomes) == 1:
        return first
    codes = [code for one in outcomes for code in one.codes]
    read = [one for one in outcomes if one.codes and one.route] or [one for one in outcomes if one.route]
    return Outcome(
        codes=tuple(codes[: task.max_codes]),
        width=first.width,
        height=first.height,
        route=read[0].route if read else None,
        trace=tuple(add_up(stage for one in outcomes for stage in one.trace).values()),
        truncated=any(one.truncated for one in outcomes) or len(codes) > task.max_codes,
        unread=tuple(unread for one in outcomes for unread in one.unread)[: task.max_codes],
        complete=all(one.complete for one in outcomes),
        pages=tuple(page for one in outcomes for page in one.pages),
    )


def _info(page: Page) -> PageInfo:
    height, width = page.image.shape
    return PageInfo(page.index, width, height, page.dpi, page.orientation, seconds=page.seconds)


def _timed(decode: Callable[[], T]) -> tuple[T, Stage]:
    began = perf_counter()
    decoded = decode()
    return decoded, Stage(stage=IMAGING_STAGE, seconds=perf_counter() - began, codes=0)
