"""What of a page is looked at: all of it, or a part."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial

from app.pipeline.files.documents.document import Page
from app.pipeline.imaging import Colours, GreyImage, LookAgain
from app.pipeline.part import Part
from app.pipeline.quad import Quad
from app.pipeline.results import Found, Outcome


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """The ``image`` of a part of the ``whole`` grey picture, which lies at these ``rows`` and ``columns``; other looks
    at it come from ``look_again``. ``orientation``: how viewers turn the whole, 1 to 8 as EXIF counts them."""

    whole: GreyImage
    image: GreyImage
    rows: slice
    columns: slice
    look_again: LookAgain
    orientation: int = 1

    def painted(self, image: GreyImage) -> GreyImage:
        """The whole with another image of the part."""
        if self.image is self.whole:
            return image
        whole = self.whole.copy()
        whole[self.rows, self.columns] = image
        return whole

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the whole."""
        height, width = self.whole.shape
        return width, height

    def found(self, one: Found) -> Found:
        """What was found in the part, as found in the whole."""
        return replace(one, symbol=one.symbol.at(self.place(one.symbol.corners)), size=self.size)

    def place(self, corners: Quad) -> Quad:
        """Corners in the part, in pixels of the whole."""
        return corners if self.image is self.whole else corners.moved(self.columns.start, self.rows.start)


def see(page: Page, part: Part | None) -> Seen:
    """Looks at a page, or at a part of it. Raises RegionOutside."""
    if part is None:
        rows, columns = slice(None), slice(None)
        image = page.image
    else:
        rows, columns = part.of(*page.image.shape)
        image = page.image[rows, columns].copy()
    return Seen(page.image, image, rows, columns, partial(_look_again, page, (rows, columns)), page.orientation)


def _look_again(page: Page, part: tuple[slice, slice], *, colours: Colours) -> Iterator[GreyImage]:
    return iter(()) if page.looks is None else page.looks(colours=colours, part=part)


def in_whole(outcome: Outcome, *seen: Seen) -> Outcome:
    """The outcome of what was seen, of which there is one for each frame, in pixels of the whole pictures."""
    if all(one.image is one.whole for one in seen):
        return outcome
    codes = (seen[one.frame].found(one) for one in outcome.codes)
    unread = (replace(one, corners=seen[one.frame].place(one.corners)) for one in outcome.unread)
    width, height = seen[0].size
    return replace(outcome, codes=tuple(codes), unread=tuple(unread), width=width, height=height)
