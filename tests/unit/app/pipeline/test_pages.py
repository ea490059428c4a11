"""Files of several pages: which pages are read, with what time, and what an outcome says of them."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest

from app.errors import InvalidImage, NoSuchPage
from app.pipeline.files.documents.document import Area, Page
from app.pipeline.files.documents.opening import open_file
from app.pipeline.fusing import FUSED
from app.pipeline.imaging import GreyImage
from app.pipeline.pages import PageRanges, Task, read_document
from app.pipeline.quad import Quad
from app.pipeline.results import Effort, Found, Outcome, PageInfo, Reason, Stage, Unread
from tests.support.codes import qr_picture
from tests.support.fakes import symbol
from tests.support.pdfs import PdfWriter, drawn_symbol
from tests.support.plain_reader import PlainReader

BLANK = np.full((60, 80), 255, np.uint8)


@dataclass
class Pages:
    """A document of these pictures; of those that are None, decoding fails."""

    pictures: list[GreyImage | None]
    is_film: bool = False
    is_cut: bool = False
    finer: Callable[[float, bool], GreyImage] | None = None
    is_closed: bool = False
    asked: list[tuple[Area, float, bool]] = field(default_factory=list)

    @property
    def count(self) -> int:
        return len(self.pictures)

    def page(self, index: int) -> Page:
        picture = self.pictures[index]
        if picture is None:
            raise InvalidImage(f"Number {index} is damaged.")
        return Page(index, picture, dpi=300.0, orientation=6)

    def closer(self, index: int, area: Area, factor: float, *, smooth: bool) -> GreyImage | None:
        self.asked.append((area, factor, smooth))
        return self.finer(factor, smooth) if self.finer else None

    def close(self) -> None:
        self.is_closed = True


@dataclass
class Scripted:
    """A reader that finds in a picture as many codes as its upper left pixel says, and takes ``seconds`` for it."""

    seconds: float = 0.0
    complete: bool = True
    unread: tuple[Unread, ...] = ()
    budgets: list[float] = field(default_factory=list)
    expected: list[int | None] = field(default_factory=list)

    def run(self, image: GreyImage, *, budget: float, expect: int | None = None, **_: Any) -> Outcome:
        self.budgets.append(budget)
        self.expected.append(expect)
        time.sleep(self.seconds)
        height, width = image.shape
        codes = tuple(Found(symbol(f"{image[0, 0]}-{number}"), "direct") for number in range(image[0, 0] % 9))
        trace = (Stage("direct", self.seconds, len(codes)),)
        return Outcome(codes, width, height, None, trace, False, self.unread, self.complete)

    def fuse(self, frames: Any, **options: Any) -> Outcome:
        raise AssertionError("no film")


def pictures(*codes: int) -> list[GreyImage | None]:
    return [np.full((10, 10 + number), codes_here, np.uint8) for number, codes_here in enumerate(codes)]


def read(reader: Any, pages: Pages, **options: Any) -> Outcome:
    return read_document(reader, lambda: pages, Task(Effort.BALANCED, **{"most_pages": 9, **options}))


def test_every_code_with_its_page() -> None:
    pages = Pages(pictures(0, 2, 0, 1))
    outcome = read(Scripted(), pages)
    assert [(found.symbol.text, found.page, found.frame) for found in outcome.codes] == [
        ("2-0", 1, 0),
        ("2-1", 1, 0),
        ("1-0", 3, 0),
    ]
    assert outcome.pages == tuple(PageInfo(number, 10 + number, 10, 300.0, 6) for number in range(4))
    assert (outcome.page_count, outcome.truncated, outcome.complete) == (4, False, True)
    assert (outcome.width, outcome.height) == (10, 10)
    assert [(stage.stage, stage.codes) for stage in outcome.trace] == [("imaging", 0), ("direct", 3)]
    assert pages.is_closed


@pytest.mark.parametrize(
    ("ranges", "read_pages"),
    [
        (((0, 0),), [0]),
        (((1, 2),), [1, 2]),
        (((2, None),), [2, 3]),
        (((3, 3), (0, 0)), [0, 3]),
        (((0, 90),), [0, 1, 2, 3]),
        (((3, 9), (3, 3)), [3]),
    ],
)
def test_chosen_pages(ranges: PageRanges, read_pages: list[int]) -> None:
    outcome = read(Scripted(), Pages(pictures(1, 1, 1, 1)), ranges=ranges)
    assert [page.index for page in outcome.pages] == [found.page for found in outcome.codes] == read_pages
    assert outcome.page_count == 4
    assert not outcome.truncated


def test_pages_that_are_not_there() -> None:
    with pytest.raises(NoSuchPage, match="The file has 2 pages; none"):
        read(Scripted(), Pages(pictures(1, 1)), ranges=((2, 5),))


def test_more_pages_than_are_read() -> None:
    outcome = read(Scripted(), Pages(pictures(1, 1, 1)), most_pages=2)
    assert [page.index for page in outcome.pages] == [0, 1]
    assert outcome.truncated
    assert outcome.page_count == 3
    assert read(Scripted(), Pages(pictures(1), is_cut=True)).truncated


def test_more_codes_than_are_answered() -> None:
    outcome = read(Scripted(), Pages(pictures(3, 3)), max_codes=4)
    assert len(outcome.codes) == 4
    assert outcome.truncated


def test_expected_codes_are_counted_over_all_pages() -> None:
    reader = Scripted()
    outcome = read(reader, Pages(pictures(0, 2, 1, 5)), expect=3)
    assert reader.expected == [3, 3, 1]
    assert len(outcome.codes) == 3
    assert outcome.complete


def test_time_is_shared_and_what_is_left_goes_on() -> None:
    reader = Scripted()
    read(reader, Pages(pictures(0, 0, 0, 0)), budget=5000, total=1200)
    assert reader.budgets == pytest.approx([300, 400, 600, 1200], abs=20)
    reader = Scripted()
    read(reader, Pages(pictures(0)), budget=50, total=8)
    assert reader.budgets == [50]


def test_pages_without_time_are_left_out() -> None:
    outcome = read(Scripted(seconds=0.05), Pages(pictures(1, 1, 1, 1)), total=0.08)
    assert 1 <= len(outcome.pages) < 4
    assert not outcome.complete
    assert outcome.page_count == 4


def test_a_damaged_page_does_not_cost_the_others() -> None:
    first, second, third = pictures(1, 1, 1)
    del second
    outcome = read(Scripted(), Pages([first, None, third]))
    assert [found.page for found in outcome.codes] == [0, 2]
    assert outcome.pages[1] == PageInfo(1, 0, 0, problem="Number 1 is damaged.")
    assert not outcome.complete
    with pytest.raises(InvalidImage, match="Number 1"):
        read(Scripted(), Pages([None, None]))
    assert read(Scripted(), Pages([None, third])).codes[0].page == 1


def test_any_page_may_be_incomplete() -> None:
    assert not read(Scripted(complete=False), Pages(pictures(1, 1))).complete


def seen_at(left: float, top: float, side: float, module: float | None) -> Unread:
    corners = [(left, top), (left + side, top), (left + side, top + side), (left, top + side)]
    return Unread(Quad.of(corners), Reason.TOO_SMALL, 0.8, module_pixels=module)


def test_what_lies_too_coarsely_is_drawn_finer() -> None:
    """The corners of what is read there come back in pixels of the page."""

    def finer(factor: float, smooth: bool) -> GreyImage:
        return np.full((40, 40), 0 if smooth else 1, np.uint8)

    reader = Scripted(unread=(seen_at(20, 10, 20, 1.0), seen_at(0, 0, 9, 4.0), seen_at(0, 40, 9, None)))
    pages = Pages([BLANK], finer=finer)
    outcome = read(reader, pages)
    assert [(area, factor, smooth) for area, factor, smooth in pages.asked] == [
        ((15, 5, 45, 35), 5.0, True),
        ((15, 5, 45, 35), 5.0, False),
    ]
    (found,) = [one for one in outcome.codes if one.symbol.text == "1-0"]
    drawn = symbol().corners
    assert found.symbol.corners == drawn.scaled(1 / 5).moved(15, 5)
    assert [one.module_pixels for one in outcome.unread] == [4.0, None]
    assert outcome.trace[-1].stage == "closer"


def test_a_file_with_nothing_finer_stays_as_it_was() -> None:
    outcome = read(Scripted(unread=(seen_at(20, 10, 20, 1.0),)), Pages([BLANK]))
    assert len(outcome.unread) == 1
    assert [stage.stage for stage in outcome.trace] == ["imaging", "direct"]


def film(*frames: GreyImage) -> Pages:
    return Pages(list(frames), is_film=True)


CODE = qr_picture("film", scale=4)
THIRDS = [
    np.where((np.indices(CODE.shape) // 4).sum(axis=0) % 3 == part, CODE, 255).astype(np.uint8) for part in range(3)
]


@pytest.mark.parametrize("inverted", [False, True])
def test_frames_that_each_show_a_part(inverted: bool) -> None:
    frames = [255 - frame for frame in THIRDS] if inverted else THIRDS
    outcome = read(PlainReader(), film(np.full_like(CODE, 0 if inverted else 255), *frames))
    assert [(found.symbol.text, found.rung) for found in outcome.codes] == [("film", FUSED)]
    assert len(outcome.pages) == 4


def test_noise_that_differs_from_frame_to_frame() -> None:
    generator = np.random.default_rng(8)
    noise = [generator.normal(0, 160, CODE.shape) for _ in range(40)]
    frames = [np.clip(CODE / 2 + 64 + each, 0, 255).astype(np.uint8) for each in noise]
    assert read(PlainReader(), film(frames[0])).codes == ()
    assert [found.symbol.text for found in read(PlainReader(), film(*frames), most_pages=40).codes] == ["film"]


def test_a_code_that_one_frame_shows() -> None:
    outcome = read(PlainReader(), film(np.full_like(CODE, 255), CODE, CODE // 2))
    assert [(found.symbol.text, found.page, found.frame, found.rung) for found in outcome.codes] == [
        ("film", 1, 0, "direct")
    ]


@dataclass(frozen=True)
class Filmed(PlainReader):
    """A reader that sees a code wherever the upper left pixel is black, and keeps the first pixels of what it fused."""

    fused: list[tuple[Effort, float, list[int]]] = field(default_factory=list)

    def fuse(self, frames: Any, *, effort: Effort, budget: float, **options: Any) -> Outcome:
        self.fused.append((effort, budget, [int(frame[0, 1]) for frame in frames]))
        outcome = super().fuse(frames, effort=effort, budget=budget, **options)
        seen = [number for number, frame in enumerate(frames) if frame[0, 0] == 0]
        return replace(outcome, unread=tuple(replace(seen_at(2, 2, 9, 1.0), frame=number) for number in seen))


def scene(number: int, *, is_seen: bool, contrast: int) -> GreyImage:
    """A frame with this number in a pixel, in which a code is seen or not, with edges of this many grey levels."""
    frame = np.full((30, 40), 100, np.uint8)
    frame[10:20] += np.uint8(contrast)
    frame[0, 0], frame[0, 1] = (0 if is_seen else 100), number
    return frame


def test_frames_in_which_a_code_was_seen_and_sharp_ones_get_the_time() -> None:
    scenes = [scene(number, is_seen=number in {4, 9}, contrast=3 * number) for number in range(20)]
    reader = Filmed()
    outcome = read(reader, film(*scenes), most_pages=20, budget=2.0, total=18.0)
    (glance, _, all_of_them), (balanced, budget, chosen) = reader.fused
    assert (glance, balanced) == (Effort.FAST, Effort.BALANCED)
    assert all_of_them == list(range(20))
    assert chosen == [9, 4, 19, 18, 17, 16, 15, 14]
    assert budget == pytest.approx(6.0)
    assert [one.page for one in outcome.unread] == [9, 4]
    reader.fused.clear()
    read_document(reader, lambda: film(*scenes), Task(Effort.THOROUGH, most_pages=20))
    assert sorted(reader.fused[-1][2]) == list(range(20))


def test_codes_of_chosen_frames_state_their_page() -> None:
    scenes = [np.full_like(CODE, 255) for _ in range(11)]
    for number, each in enumerate(scenes):
        each[:9, : 3 * number] = 0
    scenes[5] = CODE
    (found,) = read(PlainReader(), film(*scenes), most_pages=20).codes
    assert (found.page, found.frame) == (5, 0)


def test_opening_counts_as_time() -> None:
    """The frames of a film are decoded as it is opened."""

    def slowly() -> Pages:
        time.sleep(0.2)
        return Pages(pictures(0, 0))

    reader = Scripted()
    read_document(reader, slowly, Task(Effort.BALANCED, most_pages=9, total=20.0))
    assert 0 < reader.budgets[0] <= (20.0 - 0.2) / 2


def test_fast_effort_looks_at_no_overlay() -> None:
    task = Task(Effort.FAST, most_pages=9)
    assert read_document(PlainReader(), lambda: film(*THIRDS), task).codes == ()


def test_small_codes_of_a_pdf_lie_where_they_are() -> None:
    """A code of less than a pixel a module, which a sighting places, is read from a finer drawing."""
    writer = PdfWriter()
    writer.page(drawn_symbol(qr_picture("tiny", scale=1), 100, 600, 0.2))
    module, left, top = 0.2 * 300 / 72, 100 * 300 / 72, (842 - 600) * 300 / 72
    side = 21 * module
    place = seen_at(left + 4 * module, top - 25 * module, side, module)
    reader = replace(PlainReader(), unread=(place,))
    outcome = read_document(
        reader, lambda: open_file(writer.written(), max_pixels=50_000_000, most_frames=1), Task(Effort.BALANCED)
    )
    (found,) = outcome.codes
    assert found.symbol.text == "tiny"
    assert found.symbol.corners.overlap(place.corners) > 0.8
    assert outcome.unread == ()
