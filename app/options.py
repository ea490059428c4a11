"""Wire types: the options of /decode and /restore, in the query or in the body."""

from typing import Annotated, Final, Literal, Self, TypedDict

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from app.pipeline import symbologies
from app.pipeline.pages import PageRanges
from app.pipeline.part import Part
from app.pipeline.payload.charsets import Charset, find_charset
from app.pipeline.results import AUTO, COMPARE, Effort, Frame, View

_FRAME: Final = (
    "what positions, rotations and sizes refer to: `stored`, the picture as its pixels are stored; `upright`, the "
    "picture as viewers show it, turned by its EXIF orientation"
)
PAGES_PATTERN: Final = r"^[1-9]\d{0,5}(-([1-9]\d{0,5})?)?(,[1-9]\d{0,5}(-([1-9]\d{0,5})?)?)*$"
"""Numbers and ranges of pages, separated by commas."""


class Wanted(TypedDict):
    """What the jobs of a request share, by the names that they have there.

    ``part`` of each picture: where alone is looked, None for all of it. ``symbologies``: their names. ``charset``: that
    of bytes that a symbol names none for, None if it is to be guessed. ``frame``: how positions see the pictures.
    """

    part: Part | None
    symbologies: frozenset[str]
    charset: Charset | None
    frame: Frame


def _valid_region(text: str) -> str:
    Part.parse(text)
    return text


def _valid_symbologies(text: str) -> str:
    symbologies.parse(text)
    return text


def _valid_charset(label: str) -> str:
    if find_charset(label) is None:
        raise ValueError("this is no charset of the WHATWG Encoding Standard")
    return label


Region = Annotated[
    str,
    AfterValidator(_valid_region),
    Field(
        description="`x,y,width,height`: the part of the picture in which alone is looked, as stored in the file. Four "
        "whole numbers are pixels; if one has a decimal point, all are shares of the picture from 0 to 1. Positions "
        "stay those in the whole picture",
        examples=["120,80,400,300", "0.5,0,0.5,1"],
    ),
]


def _part(region: str | None) -> Part | None:
    return None if region is None else Part.parse(region)


class DecodeOptions(BaseModel):
    """Options of POST /decode."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    effort: Effort | None = Field(
        default=None,
        description="`fast`: one plain look at the picture; `balanced`: every code that can be read within the budget; "
        "`thorough`: every code that can be read, without a budget. The service's own default if left out",
    )
    budget: float | None = Field(
        default=None,
        gt=0,
        allow_inf_nan=False,
        description="seconds of work after which the search ends, at any effort; what is unread then is named in "
        "`unread`, and `complete` is false. A budget beyond the deadline of the request is cut to what the deadline "
        "allows. If left out, `balanced` has the service's own budget, `fast` and `thorough` have none",
        examples=[0.5],
    )
    expect: int | None = Field(
        default=None,
        ge=1,
        le=254,
        description="number of codes to read: the search ends when it has read so many",
        examples=[1],
    )
    fuse: bool = Field(
        default=False,
        description="treat several files as frames of one label, and combine them to read codes that no single frame "
        "shows well enough; each payload is then answered once",
        examples=[True],
    )
    region: Region | None = None
    symbologies: Annotated[str, AfterValidator(_valid_symbologies)] = Field(
        default="qr",
        description="what is read, by words between commas: `qr` (QR, Micro QR and rMQR codes), `matrix` (these and "
        f"the others of two dimensions), `linear` (bar codes), `all`, or names: "
        f"{', '.join(sorted(symbologies.GROUPS['all']))}. Only codes of the QR family are restored; others are read "
        "as the picture and its variants show them",
        examples=["all", "qr,DataMatrix"],
    )
    charset: Annotated[str, AfterValidator(_valid_charset)] | None = Field(
        default=None,
        max_length=40,
        description="charset of bytes that the symbol names none for: a name of the WHATWG Encoding Standard, such as "
        "`shift_jis` or `windows-1251`. If left out, it is guessed",
        examples=["shift_jis"],
    )
    pages: str | None = Field(
        default=None,
        pattern=PAGES_PATTERN,
        max_length=200,
        description="pages to read of a PDF or TIFF, or frames of an animation, counted from 1 as people do: `2`, "
        "`1-3`, `1,4-6`, `10-`. The codes on page 1 have `page` 0. If left out, all of them up to the service's limit",
        examples=["1-3"],
    )

    frame: Frame = Field(
        default=Frame.STORED,
        description=f"{_FRAME}. A region is always one of the stored picture",
        examples=[Frame.UPRIGHT],
    )

    @property
    def wanted(self) -> Wanted:
        """What is looked for in each picture."""
        return Wanted(
            part=_part(self.region),
            symbologies=symbologies.parse(self.symbologies),
            charset=None if self.charset is None else find_charset(self.charset),
            frame=self.frame,
        )

    @property
    def page_ranges(self) -> PageRanges | None:
        """The pages asked for, counted from 0."""
        if self.pages is None:
            return None
        parts = (part.partition("-") for part in self.pages.split(","))
        return tuple(
            (int(first) - 1, int(last) - 1 if last else None if dash else int(first) - 1) for first, dash, last in parts
        )

    @model_validator(mode="after")
    def _pages_of_one_file(self) -> Self:
        if self.pages is not None and self.fuse:
            raise ValueError("fuse combines the first pages of several files, so pages cannot be chosen")
        return self


def _text_of_number(value: object) -> object:
    """JSON may give the number itself."""
    return str(value) if type(value) is int else value


class RestoreOptions(BaseModel):
    """Options of POST /restore."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    network: str = Field(
        default=AUTO,
        pattern=r"^[A-Za-z0-9._-]{1,64}$",
        description="`modules` redraws the symbol from its decoded modules; the name of a restoring network in /models "
        "runs that network; `auto` redraws the symbol if its modules decode, otherwise it runs the network that suits "
        "the blur; `compare` runs every network and answers a contact sheet of their results",
        examples=["modules", "lenet", "compare"],
    )
    scale: Annotated[Literal["1", "4"], BeforeValidator(_text_of_number)] = Field(
        default="1",
        description="1: 4 pixels per module; 4: 16 pixels per module, by the x4 network; `view=original` needs 1",
    )
    binary: bool = Field(default=False, description="answer black and white only, instead of grey")
    view: View = Field(
        default=View.STRAIGHTENED,
        description="`straightened`: the code alone, upright; `original`: the whole picture in grey at its own size, "
        "with the restored code painted over the damaged one in the greys of its paper and ink",
        examples=[View.ORIGINAL],
    )
    region: Region | None = None
    frame: Frame = Field(
        default=Frame.STORED,
        description=f"{_FRAME}. The PNG follows: with `view=original`, and where no code is located, it is the picture "
        "as viewers show it; a contact sheet stays as it is. A region is always one of the stored picture",
        examples=[Frame.UPRIGHT],
    )

    @property
    def part(self) -> Part | None:
        """As in `DecodeOptions`."""
        return _part(self.region)

    @model_validator(mode="after")
    def _original_has_its_own_size(self) -> Self:
        if self.view is View.ORIGINAL and self.scale != "1":
            raise ValueError("view=original keeps the size of the picture, so scale must be 1")
        return self

    @model_validator(mode="after")
    def _sheets_have_one_form(self) -> Self:
        if self.network == COMPARE and (self.view, self.scale, self.binary) != (View.STRAIGHTENED, "1", False):
            raise ValueError("network=compare draws straightened codes at scale 1, not binary")
        return self
