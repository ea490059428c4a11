"""Wire types: the schemas of answers, which are made from the pipeline's results."""

from base64 import b64encode
from dataclasses import asdict
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, ConfigDict, Field

from app.codes import Code, Confidence, Message, Pixels, Point, Wire
from app.errors import UnsupportedImage
from app.pipeline.inference import severity
from app.pipeline.results import Compared, Outcome, PageInfo, Reason, Restored, Stage, Unread

Dpi = Annotated[float, AfterValidator(lambda value: round(value, 1))]
Seconds = Annotated[float, AfterValidator(lambda value: round(value, 6))]
Moment = Annotated[float, AfterValidator(lambda value: round(value, 3))]
Decibels = Annotated[float, AfterValidator(lambda value: round(value, 2))]
Variance = Annotated[float, AfterValidator(lambda value: round(value, 3))]


class UnreadCode(Wire):
    """Answer schema: one code that was seen but not read."""

    position: Annotated[
        tuple[Point, Point, Point, Point],
        Field(
            description="outer corners, clockwise as seen, in pixels of the image as stored, or as `frame` says; "
            "where the version is unknown they may begin at any corner, and lie less exactly than those of a code that "
            "was read"
        ),
    ]
    reason: Reason = Field(
        description="`too_small`: its modules cover too few pixels; `cut_off`: a part of it lies outside the picture; "
        "`unreadable`: nothing that was tried made it readable; `budget`: the budget ended first; `other_symbology`: "
        "it is readable, but of a symbology that was not asked for: see the option `symbologies`"
    )
    symbology: str = Field(description="QRCode, or what `symbologies` calls it", examples=["QRCode"])
    module_pixels: Pixels | None = Field(
        description="side of one module in pixels of the image as stored; null if unknown"
    )
    confidence: Confidence = Field(
        description="0 to 1: how well the picture agrees with the patterns that every symbol of this kind has"
    )
    version: int | None = Field(description="null if unknown")
    frame: int = Field(description="index of the file that shows it, from 0", examples=[0])
    page: int = Field(
        description="index of the page, or of the frame of an animation, that shows it, from 0", examples=[0]
    )

    @classmethod
    def of(cls, unread: Unread) -> Self:
        return cls(
            position=unread.corners.as_tuple,
            reason=unread.reason,
            symbology=unread.symbology,
            module_pixels=unread.module_pixels,
            confidence=unread.confidence,
            version=unread.version,
            frame=unread.frame,
            page=unread.page,
        )


class ImageSize(Wire):
    """Answer schema: the size of a picture, in pixels."""

    width: int
    height: int


class ImageAnswer(ImageSize):
    """Answer schema: the size of a picture that was sent, and how viewers turn it."""

    orientation: int = Field(
        ge=1,
        le=8,
        description="how viewers turn the image as stored, as EXIF counts: 1, not at all; 6, by 90 degrees clockwise",
    )


class PageAnswer(Wire):
    """Answer schema: one picture of the file that was looked at."""

    index: int = Field(
        description="from 0: its number in the file, less 1; of an animation, that of the frame; of a video, "
        "that among the frames looked at"
    )
    width: int = Field(
        description="pixels, as stored or, with `frame=upright`, as shown; of a PDF, as rendered. 0 if it could not be "
        "decoded"
    )
    height: int
    dpi: Dpi | None = Field(description="pixels an inch; null if the file does not say")
    orientation: int = Field(
        ge=1,
        le=8,
        description="how viewers turn it, as EXIF counts; positions refer to the picture as it is before that, unless "
        "`frame` is `upright`",
    )
    problem: str | None = Field(description="why it could not be decoded; null if it could")
    seconds: Moment | None = Field(description="when a video shows it, from its first frame on; null for other files")

    @classmethod
    def of(cls, page: PageInfo) -> Self:
        return cls.model_validate(page)


class Route(Wire):
    """Answer schema: the network that was chosen first, and the sharpness that decided it."""

    laplacian_variance: Variance
    threshold: Variance
    network: str

    @classmethod
    def of(cls, route: severity.Route | None) -> Self | None:
        return None if route is None else cls.model_validate(route)


class TraceEntry(Wire):
    """Answer schema: how long one stage of the pipeline took, and how many codes it found."""

    stage: str
    seconds: Seconds
    codes: int

    @classmethod
    def list_of(cls, trace: tuple[Stage, ...]) -> list[Self]:
        return [cls.model_validate(stage) for stage in trace]


_REQUEST_ID = "3f1c5f0ab7e24b0c8a7c2d9e6b0f4d11"
_CODE_EXAMPLE: dict[str, Any] = {
    "text": "https://example.org/parcel/7F3K-2291-0C",
    "bytes_base64": "aHR0cHM6Ly9leGFtcGxlLm9yZy9wYXJjZWwvN0YzSy0yMjkxLTBD",
    "exact": True,
    "content_type": "Text",
    "symbology": "QRCode",
    "symbology_identifier": "]Q1",
    "version": 3,
    "ec_level": "M",
    "mask": 7,
    "segments": [{"mode": "byte", "eci": None, "bytes_base64": "aHR0cHM6Ly9leGFtcGxlLm9yZy9wYXJjZWwvN0YzSy0yMjkxLTBD"}],
    "charset": "UTF-8",
    "charset_source": "guessed",
    "structured_append": None,
    "gs1": [],
    "gs1_hri": None,
    "errors_corrected": 0,
    "confidence": 0.954,
    "mirrored": False,
    "inverted": False,
    "rotation": 354.1,
    "module_pixels": 7.2,
    "engine": "zxing",
    "rung": "modules",
    "frame": 0,
    "page": 0,
    "position": [[141.82, 245.03], [340.35, 224.5], [339.88, 444.79], [130.22, 452.51]],
    "position_normalised": [[0.15758, 0.36033], [0.37817, 0.33015], [0.37765, 0.65411], [0.14468, 0.66546]],
}
_UNREAD_EXAMPLE: dict[str, Any] = {
    "position": [[702.5, 118.25], [733.75, 117.5], [734.25, 149.0], [703.0, 149.5]],
    "reason": "too_small",
    "symbology": "QRCode",
    "module_pixels": 1.08,
    "confidence": 0.714,
    "version": 3,
    "frame": 0,
    "page": 0,
}
_DECODE_EXAMPLE: dict[str, Any] = {
    "codes": [_CODE_EXAMPLE],
    "messages": [],
    "unread": [_UNREAD_EXAMPLE],
    "image": {"width": 900, "height": 680, "orientation": 1},
    "pages": [
        {"index": 0, "width": 900, "height": 680, "dpi": None, "orientation": 1, "problem": None, "seconds": None}
    ],
    "page_count": 1,
    "route": None,
    "trace": [
        {"stage": "imaging", "seconds": 0.001631, "codes": 0},
        {"stage": "direct", "seconds": 0.001602, "codes": 0},
        {"stage": "locate", "seconds": 0.086483, "codes": 0},
        {"stage": "rectified", "seconds": 0.003704, "codes": 0},
        {"stage": "modules", "seconds": 0.008059, "codes": 1},
    ],
    "truncated": False,
    "complete": True,
    "request_id": _REQUEST_ID,
}
_RESTORE_EXAMPLE: dict[str, Any] = {
    "located": True,
    "png_base64": "iVBORw0KGgoAAAANSUhEUgAAAJQAAACUCAAAAABQV18IAAAgAElEQVR4AczB++/t2X3X9+f7vdb6fD57fy/nzMWe8d...",
    "restored": {"width": 592, "height": 592},
    "network": "modules",
    "comparison": [],
    "codes": [_CODE_EXAMPLE],
    "image": {"width": 900, "height": 680, "orientation": 1},
    "route": None,
    "trace": [
        {"stage": "imaging", "seconds": 0.002406, "codes": 0},
        {"stage": "locate", "seconds": 0.454222, "codes": 0},
        {"stage": "modules", "seconds": 0.146462, "codes": 1},
    ],
    "truncated": False,
    "request_id": _REQUEST_ID,
}


class DecodeAnswer(Wire):
    """Answer schema: the codes that were read in the picture, and those that were only seen. Both may be empty."""

    model_config = ConfigDict(json_schema_extra={"examples": [_DECODE_EXAMPLE]})

    codes: list[Code]
    messages: list[Message] = Field(description="messages that several of the codes hold together in structured append")
    unread: list[UnreadCode] = Field(description="codes that were seen but not read, the most credible first")
    image: ImageAnswer = Field(
        description="size of the image as stored or, with `frame=upright`, as viewers show it; of the first one if "
        "there are several frames"
    )
    pages: list[PageAnswer] = Field(description="the pictures of the file that were looked at, of several files none")
    page_count: int = Field(description="number of pages that the file has, or of different frames of an animation")
    route: Route | None = Field(description="null if no region was routed to a network")
    trace: list[TraceEntry]
    truncated: bool = Field(
        description="true if there are more codes than one answer may hold, or more pages than are read"
    )
    complete: bool = Field(
        description="false if the budget ended before the search did: more time, as with `budget` or "
        "`effort=thorough`, may find more; also if a page could not be decoded"
    )
    request_id: str

    @classmethod
    def of(cls, outcome: Outcome, *, request_id: str) -> Self:
        unread = [UnreadCode.of(place) for place in outcome.unread]
        return cls(
            unread=unread,
            complete=outcome.complete,
            messages=[Message.of(message) for message in outcome.messages],
            pages=[PageAnswer.of(page) for page in outcome.pages],
            page_count=outcome.page_count,
            **_findings(outcome, request_id),
        )


class ComparedNetwork(Wire):
    """Answer schema: what one network made of the code, on the contact sheet of a comparison."""

    network: str
    ran: bool = Field(description="false if it would not have ended within the budget")
    seconds: Seconds | None = Field(description="that it took; null if it was not run")
    text: str | None = Field(description="what reads in its result; null if nothing does")
    agrees: bool | None = Field(
        description="whether that is what the symbol says that was redrawn from its modules; null if either is missing"
    )
    psnr: Decibels | None = Field(description="in dB against the redrawn symbol; null where none was redrawn")

    @classmethod
    def of(cls, compared: Compared) -> Self:
        return cls(ran=compared.seconds is not None, **asdict(compared))


class RestoreAnswer(Wire):
    """Answer schema: the restored code as a PNG, alone or in its place in the picture, and what was read from it."""

    model_config = ConfigDict(json_schema_extra={"examples": [_RESTORE_EXAMPLE]})

    located: bool = Field(description="false if no code was located: there is then nothing to restore, and no PNG")
    png_base64: str | None = Field(description="grey PNG of the restored code; null if none was located")
    restored: ImageSize | None = Field(description="size of that PNG; null if there is none")
    network: str | None = Field(
        description="network that restored it; `modules` if it was redrawn from its decoded modules; `compare` for a "
        "contact sheet; null if none of these",
        examples=["modules", "lenet"],
    )
    comparison: list[ComparedNetwork] = Field(
        description="of `network=compare`, each network on the sheet; otherwise empty"
    )
    codes: list[Code]
    image: ImageAnswer = Field(
        description="size of the uploaded image as stored or, with `frame=upright`, as viewers show it"
    )
    route: Route | None
    trace: list[TraceEntry]
    truncated: bool
    request_id: str

    @classmethod
    def of(cls, restored: Restored, *, request_id: str) -> Self:
        return cls(
            located=restored.located,
            png_base64=b64encode(restored.png).decode("ascii") if restored.located else None,
            restored=ImageSize(width=restored.width, height=restored.height) if restored.located else None,
            network=restored.network,
            comparison=[ComparedNetwork.of(one) for one in restored.comparison],
            **_findings(restored.outcome, request_id),
        )


def _findings(outcome: Outcome, request_id: str) -> dict[str, Any]:
    return {
        "codes": [Code.of(found) for found in outcome.codes],
        "image": ImageAnswer(width=outcome.width, height=outcome.height, orientation=outcome.orientation),
        "route": Route.of(outcome.route),
        "trace": TraceEntry.list_of(outcome.trace),
        "truncated": outcome.truncated,
        "request_id": request_id,
    }


class ModelCard(Wire):
    """Answer schema: a loaded checkpoint, as its file describes it."""

    name: str
    architecture: str
    parameters: int
    scale: int = Field(description="output pixels per input pixel")
    config: dict[str, Any]
    provenance: dict[str, Any] = Field(description="recipe, seed, data and training time")
    measured: dict[str, Any] = Field(description="rates measured with this checkpoint")


class Models(Wire):
    """Answer schema of GET /models: the loaded checkpoints."""

    device: str = Field(description="where the networks run: cuda, mps or cpu")
    models: list[ModelCard]


class Version(Wire):
    """Answer schema of GET /version."""

    name: str
    version: str
    engine: str | None = Field(description="what runs the networks, with its release; null until the service is ready")


class Health(Wire):
    """Answer schema of GET /livez and GET /readyz."""

    status: Literal["alive", "ready"]


class InvalidField(Wire):
    """Answer schema: a part of the request that is not valid, and why."""

    location: str
    message: str


class Problem(Wire):
    """Answer schema: RFC 9457 problem details."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "type": "urn:qrestore:problem:unsupported_image",
                    "title": "Unsupported image format",
                    "status": 415,
                    "detail": UnsupportedImage.default_detail,
                    "instance": "/decode",
                    "request_id": _REQUEST_ID,
                }
            ]
        }
    )

    type: str
    title: str
    status: int
    detail: str
    instance: str
    request_id: str
    errors: list[InvalidField] | None = Field(default=None, description="the parts of the request that are not valid")
