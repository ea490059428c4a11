"""Wire types: the schemas of queries, bodies and answers; answers are made from the pipeline's results."""

from base64 import b64encode
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from app.pipeline.inference import severity
from app.pipeline.results import AUTO, Effort, Found, Outcome, Reason, Restored, Stage, Unread, View

Pixels = Annotated[float, AfterValidator(lambda value: round(value, 2))]
Seconds = Annotated[float, AfterValidator(lambda value: round(value, 6))]
Variance = Annotated[float, AfterValidator(lambda value: round(value, 3))]
Confidence = Annotated[float, AfterValidator(lambda value: round(value, 3)), Field(ge=0, le=1)]
Point = Annotated[tuple[Pixels, Pixels], Field(description="x and y in pixels, from the top left of the stored image")]


class Wire(BaseModel):
    """Base of the answer schemas."""

    model_config = ConfigDict(frozen=True, from_attributes=True)


class Code(Wire):
    """Answer schema: one code that was read."""

    text: str = Field(description="payload as text; unpaired surrogates are replaced by question marks")
    bytes_base64: str = Field(description="exact payload bytes")
    content_type: str
    symbology: str = Field(description="QRCode, MicroQRCode or RMQRCode")
    version: int | None
    ec_level: str | None
    engine: str = Field(description="decoder that read it")
    rung: str = Field(description="rung of the ladder that read it, or `fused` if only several frames combined did")
    frame: int = Field(description="index of the file that shows it, from 0", examples=[0])
    position: Annotated[
        tuple[Point, Point, Point, Point],
        Field(
            description="outer corners, clockwise from the symbol's own top left, in pixels of the image as stored: "
            "EXIF orientation is not applied"
        ),
    ]

    @classmethod
    def of(cls, found: Found) -> Self:
        symbol = found.symbol
        return cls(
            text=symbol.text.encode("utf-8", "replace").decode("utf-8"),
            bytes_base64=b64encode(symbol.payload).decode("ascii"),
            content_type=symbol.content_type,
            symbology=symbol.symbology,
            version=symbol.version,
            ec_level=symbol.ec_level,
            engine=symbol.engine,
            rung=found.rung,
            frame=found.frame,
            position=symbol.corners.as_tuple,
        )


class UnreadCode(Wire):
    """Answer schema: one code that was seen but not read."""

    position: Annotated[
        tuple[Point, Point, Point, Point],
        Field(
            description="outer corners, clockwise as seen, in pixels of the image as stored; where the version is "
            "unknown they may begin at any corner, and lie less exactly than those of a code that was read"
        ),
    ]
    reason: Reason = Field(
        description="`too_small`: its modules cover too few pixels; `cut_off`: a part of it lies outside the picture; "
        "`unreadable`: nothing that was tried made it readable; `budget`: the budget ended first"
    )
    module_pixels: Pixels | None = Field(
        description="side of one module in pixels of the image as stored; null if unknown"
    )
    confidence: Confidence = Field(
        description="0 to 1: how well the picture agrees with the patterns that every symbol of this kind has"
    )
    version: int | None = Field(description="null if unknown")
    frame: int = Field(description="index of the file that shows it, from 0", examples=[0])

    @classmethod
    def of(cls, unread: Unread) -> Self:
        return cls(
            position=unread.corners.as_tuple,
            reason=unread.reason,
            module_pixels=unread.module_pixels,
            confidence=unread.confidence,
            version=unread.version,
            frame=unread.frame,
        )


class ImageSize(Wire):
    """Answer schema: the size of a picture, in pixels."""

    width: int
    height: int


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
    "content_type": "Text",
    "symbology": "QRCode",
    "version": 3,
    "ec_level": "M",
    "engine": "zxing",
    "rung": "modules",
    "frame": 0,
    "position": [[142.42, 245.22], [340.62, 224.56], [339.9, 445.05], [130.12, 453.56]],
}
_UNREAD_EXAMPLE: dict[str, Any] = {
    "position": [[702.5, 118.25], [733.75, 117.5], [734.25, 149.0], [703.0, 149.5]],
    "reason": "too_small",
    "module_pixels": 1.08,
    "confidence": 0.714,
    "version": 3,
    "frame": 0,
}
_DECODE_EXAMPLE: dict[str, Any] = {
    "codes": [_CODE_EXAMPLE],
    "unread": [_UNREAD_EXAMPLE],
    "image": {"width": 900, "height": 680},
    "route": None,
    "trace": [
        {"stage": "imaging", "seconds": 0.010996, "codes": 0},
        {"stage": "direct", "seconds": 0.03479, "codes": 0},
        {"stage": "variants", "seconds": 0.205581, "codes": 0},
        {"stage": "locate", "seconds": 0.539447, "codes": 0},
        {"stage": "rectified", "seconds": 0.01416, "codes": 0},
        {"stage": "modules", "seconds": 0.185396, "codes": 1},
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
    "codes": [_CODE_EXAMPLE],
    "image": {"width": 900, "height": 680},
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
    unread: list[UnreadCode] = Field(description="codes that were seen but not read, the most credible first")
    image: ImageSize = Field(description="size of the image as stored; of the first one if there are several frames")
    route: Route | None = Field(description="null if no region was routed to a network")
    trace: list[TraceEntry]
    truncated: bool = Field(description="true if there are more codes than one answer may hold")
    complete: bool = Field(
        description="false if the budget ended before the search did: more time, as with `budget` or "
        "`effort=thorough`, may find more"
    )
    request_id: str

    @classmethod
    def of(cls, outcome: Outcome, *, request_id: str) -> Self:
        unread = [UnreadCode.of(place) for place in outcome.unread]
        return cls(unread=unread, complete=outcome.complete, **_findings(outcome, request_id))


class RestoreAnswer(Wire):
    """Answer schema: the restored code as a PNG, alone or in its place in the picture, and what was read from it."""

    model_config = ConfigDict(json_schema_extra={"examples": [_RESTORE_EXAMPLE]})

    located: bool = Field(description="false if no code was located: there is then nothing to restore, and no PNG")
    png_base64: str | None = Field(description="grey PNG of the restored code; null if none was located")
    restored: ImageSize | None = Field(description="size of that PNG; null if there is none")
    network: str | None = Field(
        description="network that restored it; `modules` if it was redrawn from its decoded modules; null if neither",
        examples=["modules", "lenet"],
    )
    codes: list[Code]
    image: ImageSize = Field(description="size of the uploaded image as stored")
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
            **_findings(restored.outcome, request_id),
        )


def _findings(outcome: Outcome, request_id: str) -> dict[str, Any]:
    return {
        "codes": [Code.of(found) for found in outcome.codes],
        "image": ImageSize(width=outcome.width, height=outcome.height),
        "route": Route.of(outcome.route),
        "trace": TraceEntry.list_of(outcome.trace),
        "truncated": outcome.truncated,
        "request_id": request_id,
    }


class DecodeOptions(BaseModel):
    """Query schema of POST /decode."""

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


class RestoreOptions(BaseModel):
    """Query schema of POST /restore."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    network: str = Field(
        default=AUTO,
        pattern=r"^[A-Za-z0-9._-]{1,64}$",
        description="`modules` redraws the symbol from its decoded modules; the name of a restoring network in /models "
        "runs that network; `auto` redraws the symbol if its modules decode, otherwise it runs the network that suits "
        "the blur",
        examples=["modules", "lenet"],
    )
    scale: Literal["1", "4"] = Field(
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

    @model_validator(mode="after")
    def _original_has_its_own_size(self) -> Self:
        if self.view is View.ORIGINAL and self.scale != "1":
            raise ValueError("view=original keeps the size of the picture, so scale must be 1")
        return self


class Base64Upload(BaseModel):
    """Body schema: an upload as JSON."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    image_base64: str = Field(description="the image file, standard base64 with padding")


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
                    "detail": "The file is not a PNG, JPEG, WebP, BMP or GIF image.",
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
