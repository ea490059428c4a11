"""Wire types of codes: what an answer says of each code that was read, and of messages of several."""

from base64 import b64encode
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from app.pipeline.confidence import confidence
from app.pipeline.payload.appending import AppendedMessage
from app.pipeline.qrcode.segments import Segment, StructuredAppend
from app.pipeline.results import Found

Pixels = Annotated[float, AfterValidator(lambda value: round(value, 2))]
Confidence = Annotated[float, AfterValidator(lambda value: round(value, 3)), Field(ge=0, le=1)]
Degrees = Annotated[float, AfterValidator(lambda value: round(value, 1) % 360)]
Share = Annotated[float, AfterValidator(lambda value: round(value, 5))]
Shares = tuple[Share, Share]
Point = Annotated[tuple[Pixels, Pixels], Field(description="x and y in pixels, from the top left of the image")]


class Wire(BaseModel):
    """Base of the answer schemas."""

    model_config = ConfigDict(frozen=True, from_attributes=True)


class CodeSegment(Wire):
    """Answer schema: characters of one mode in a symbol."""

    mode: Literal["numeric", "alphanumeric", "byte", "kanji", "hanzi"]
    eci: int | None = Field(description="number of the ECI in force. null before the first", examples=[26])
    bytes_base64: str = Field(description="bytes of the characters: of kanji in Shift JIS, of hanzi in GB 2312")

    @classmethod
    def of(cls, segment: Segment) -> Self:
        return cls.model_validate({"mode": segment.mode, "eci": segment.eci, "bytes_base64": _base64(segment.payload)})


class AppendedPart(Wire):
    """Answer schema: the place of a symbol in a message of several."""

    index: int = Field(ge=0, le=15, description="counted from 0")
    total: int = Field(ge=1, le=16)
    parity: int = Field(ge=0, le=255, description="XOR of all bytes of the whole message")

    @classmethod
    def of(cls, place: StructuredAppend | None) -> Self | None:
        return None if place is None else cls.model_validate(place)


class Gs1Element(Wire):
    """Answer schema: one element of GS1 data."""

    ai: str = Field(description="application identifier", examples=["01"])
    value: str = Field(examples=["09521234543213"])


class Code(Wire):
    """Answer schema: one code that was read."""

    text: str = Field(description="payload as text; unpaired surrogates are replaced by question marks")
    bytes_base64: str = Field(description="payload bytes, as stored in the symbol if `exact`")
    exact: bool = Field(
        description="whether the payload is what the symbol stores, taken from its codewords; if false, a decoder "
        "handed out text only, and version, level, mode, ECI, FNC1 and structured append are unknown"
    )
    content_type: str = Field(
        description="Text, Binary, Mixed, GS1 (FNC1 in first position), ISO15434 (its message header), or UnknownECI",
        examples=["Text", "GS1"],
    )
    symbology: str = Field(description="QRCode, MicroQRCode, RMQRCode, or another that `symbologies` asked for")
    symbology_identifier: str | None = Field(
        description="symbology identifier of ISO/IEC 15424: ]Q1, with ECI ]Q2; with FNC1 in first position ]Q3 or "
        "]Q4, in second position ]Q5 or ]Q6; ]Q0 for Model 1. null if unknown: `exact` is false",
        examples=["]Q1", "]Q3"],
    )
    version: int | str | None = Field(
        description="number of a QR code; name of a Micro QR code (M4) or rMQR code (R11x27). null if unknown: "
        "`exact` is false",
        examples=[3, "M4", "R11x27"],
    )
    ec_level: str | None = Field(description="L, M, Q or H. null if unknown: `exact` is false", examples=["M"])
    mask: int | None = Field(
        description="number of the data mask: 0 to 7, of Micro QR codes 0 to 3, of rMQR codes always 4. null if the "
        "codewords are not known",
        examples=[4],
    )
    segments: list[CodeSegment] | None = Field(description="the payload in parts. null if the codewords are not known")
    charset: str | None = Field(
        description="charset of the bytes of the text: of byte segments, the first if there are several; without any, "
        "that of the mode. null if a decoder made the text and does not say: `charset_source` is `decoder`",
        examples=["UTF-8", "Shift_JIS"],
    )
    charset_source: Literal["eci", "hint", "mode", "guessed", "decoder"] = Field(
        description="who says so: `eci`, the symbol; `hint`, the option `charset`; `mode`, the segments, none of "
        "which has plain bytes; `guessed`, nobody; `decoder`, see `charset`"
    )
    structured_append: AppendedPart | None = Field(
        description="place in a message of several symbols, see `messages`. null if the symbol is no part of one, as "
        "far as its codewords are known"
    )
    gs1: list[Gs1Element] = Field(
        description="elements of GS1 data, or of a web address that is a GS1 Digital Link. Empty if the payload is "
        "neither, or cannot be taken apart"
    )
    gs1_hri: str | None = Field(
        description="these elements as they are printed for people. null exactly where `gs1` is empty",
        examples=["(01)09521234543213(10)ABC123"],
    )
    errors_corrected: int | None = Field(
        description="codewords that error correction changed. null if the codewords are not known", examples=[3]
    )
    confidence: Confidence | None = Field(
        description="0 to 1: the chance that another picture of the code, taken in the same way, is read as well. Low "
        "values mean that the code is about to become unreadable, not that its payload may be wrong. null where this "
        "is not known: `exact` is false, the symbology is of another family than QR, or `rung` is `halftone`, `light`, "
        "`heavy`, `upscale` or `fused`"
    )
    mirrored: bool = Field(description="whether the picture shows the symbol as in a mirror")
    inverted: bool = Field(description="whether the picture shows the symbol light on dark")
    rotation: Degrees = Field(
        ge=0, lt=360, description="degrees by which the symbol's own top edge is turned clockwise in the picture"
    )
    module_pixels: Pixels | None = Field(
        description="side of one module in pixels, the mean over the symbol. null if `version` is"
    )
    engine: str = Field(description="decoder that read it")
    rung: str = Field(description="rung of the ladder that read it, or `fused` if only several frames combined did")
    frame: int = Field(description="index of the file that shows it, from 0", examples=[0])
    page: int = Field(
        description="index of the page, or of the frame of an animation, that shows it, from 0", examples=[0]
    )
    position: Annotated[
        tuple[Point, Point, Point, Point],
        Field(
            description="outer corners, clockwise from the symbol's own top left, in pixels of the image as stored: "
            "EXIF orientation is not applied, unless `frame` is `upright`"
        ),
    ]
    position_normalised: Annotated[
        tuple[Shares, Shares, Shares, Shares],
        Field(description="`position` in shares of the width and height of the image"),
    ]

    @classmethod
    def of(cls, found: Found) -> Self:
        symbol, contents = found.symbol, found.symbol.contents
        segments = contents.message.segments if contents else None
        width, height = found.size
        return cls(
            text=_clean(symbol.text),
            bytes_base64=_base64(symbol.payload),
            exact=symbol.exact,
            content_type=symbol.content_type,
            symbology=symbol.symbology,
            symbology_identifier=symbol.identifier,
            version=symbol.small_version or symbol.version,
            ec_level=symbol.ec_level,
            mask=contents.mask if contents else None,
            segments=None if segments is None else [CodeSegment.of(segment) for segment in segments],
            charset=symbol.charset,
            charset_source=symbol.charset_source.value if symbol.charset_source else "decoder",
            structured_append=AppendedPart.of(symbol.structured_append),
            gs1=[Gs1Element(ai=ai, value=value) for ai, value in symbol.gs1],
            gs1_hri=symbol.hri,
            errors_corrected=contents.errors if contents else None,
            confidence=confidence(found),
            mirrored=symbol.mirrored,
            inverted=symbol.inverted,
            rotation=symbol.rotation,
            module_pixels=symbol.module_pixels,
            engine=symbol.engine,
            rung=found.rung,
            frame=found.frame,
            page=found.page,
            position=symbol.corners.as_tuple,
            position_normalised=tuple((x / width, y / height) for x, y in symbol.corners.as_tuple),
        )


class Message(Wire):
    """Answer schema: a message that several codes hold together in structured append."""

    text: str = Field(description="text of the parts there are, decoded as a whole")
    bytes_base64: str = Field(description="payload bytes of the parts there are")
    parts: list[int] = Field(
        description="its codes, as indices into `codes`, in the order of the message; a part that several codes hold "
        "alike is named once",
        examples=[[2, 0, 1]],
    )
    complete: bool = Field(
        description="whether every part is there, and the bytes have the parity that the symbols state (or the text "
        "has it in Latin-1 or Shift JIS, in which some encoders count). False without `missing` parts if only the "
        "parity differs: parts of different messages may have been mixed"
    )
    missing: list[int] = Field(description="indices, from 0, of the parts that are not there", examples=[[1]])

    @classmethod
    def of(cls, message: AppendedMessage) -> Self:
        return cls(
            text=_clean(message.text),
            bytes_base64=_base64(message.payload),
            parts=list(message.parts),
            complete=message.complete,
            missing=list(message.missing),
        )


def _clean(text: str) -> str:
    return text.encode("utf-8", "replace").decode("utf-8")


def _base64(payload: bytes) -> str:
    return b64encode(payload).decode("ascii")
