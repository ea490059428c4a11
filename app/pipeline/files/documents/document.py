"""What a file of one or several pictures is, once it is open."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from app.pipeline.imaging import Colours, GreyImage

Area = tuple[int, int, int, int]
"""Left, top, right and bottom in pixels of a page."""


class Looks(Protocol):
    """Other grey pictures of a page, see `app.pipeline.imaging.LookAgain`."""

    def __call__(self, *, colours: Colours, part: tuple[slice, slice]) -> Iterator[GreyImage]:
        """Yields those of a part (rows and columns) of the page."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Page:
    """One decoded picture of a file.

    ``orientation``, 1 to 8 as EXIF counts them, says how viewers turn it; ``dpi`` is pixels an inch, None if unknown.
    ``looks`` shows what the grey image may hide; None if nothing more is known than that. ``seconds``: when a video
    shows it, counted from its first frame; None for other files.
    """

    index: int
    image: GreyImage
    dpi: float | None = None
    orientation: int = 1
    looks: Looks | None = None
    seconds: float | None = None


class Document(Protocol):
    """An open file. ``count``: pictures in it, at least 1.

    ``is_film``: its pictures are frames of one scene, all of one size, so that evidence of several may be added up.
    ``is_cut``: the file has more pictures than ``count``.
    """

    @property
    def count(self) -> int: ...

    @property
    def is_film(self) -> bool: ...

    @property
    def is_cut(self) -> bool: ...

    def page(self, index: int) -> Page:
        """Decodes a picture, counted from 0. Raises InvalidImage, ImageTooLarge or UnsupportedImage."""
        ...

    def closer(self, index: int, area: Area, factor: float, *, smooth: bool) -> GreyImage | None:
        """Draws an area of a page ``factor`` times as fine; None where the file has nothing finer to show.

        Without ``smooth``, pictures on the page keep hard edges between their pixels.
        """
        ...

    def close(self) -> None: ...
