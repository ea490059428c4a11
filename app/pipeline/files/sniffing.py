"""Names what a file is that the service does not read, and says what to do with it."""

import re
from typing import Final

from app.errors import ACCEPTED_FILES

_SAVE_AS_PNG: Final = "Save it as PNG."
_FRAMES: Final = "Send frames of it as pictures, several of them with fuse=true."
_VIDEO: Final = f"{_FRAMES[:-1]}, or have QRESTORE_VIDEO=true set where the service runs."
_PRINT: Final = "Print it to a PDF."
_KINDS: Final[tuple[tuple[bytes, str, str], ...]] = (
    (rb".{4}ftyp(?:jxl|JXL)|\xff\x0a|\x00\x00\x00\x0cJXL ", "a JPEG XL picture", _SAVE_AS_PNG),
    (rb".{4}ftypqt  |.{4}(?:moov|mdat|wide)", "a QuickTime video", _VIDEO),
    (rb".{4}ftyp(?:crx)", "a Canon raw picture", _SAVE_AS_PNG),
    (rb".{4}ftyp", "an MP4 video", _VIDEO),
    (rb"\x1a\x45\xdf\xa3", "a WebM or Matroska video", _VIDEO),
    (rb"RIFF.{4}AVI ", "an AVI video", _FRAMES),
    (rb"RIFF.{4}WAVE", "a WAV sound", ""),
    (rb"\x00\x00\x01[\xb3\xba]", "an MPEG video", _FRAMES),
    (rb"\x76\x2f\x31\x01", "an OpenEXR picture", _SAVE_AS_PNG),
    (rb"#\?(?:RADIANCE|RGBE)", "a Radiance HDR picture", _SAVE_AS_PNG),
    (rb"\x59\xa6\x6a\x95", "a Sun raster picture", _SAVE_AS_PNG),
    (rb"P7\s|P[fF]\s", "a PAM or PFM picture", _SAVE_AS_PNG),
    (rb"8BPS", "a Photoshop document", _SAVE_AS_PNG),
    (rb"gimp xcf", "a GIMP document", _SAVE_AS_PNG),
    (rb"\x00\x00[\x01\x02]\x00[^\x00]", "a Windows icon", _SAVE_AS_PNG),
    (rb"II\xbc\x01", "a JPEG XR picture", _SAVE_AS_PNG),
    (rb"%!PS|\xc5\xd0\xd3\xc6", "a PostScript document", "Convert it to PDF."),
    (rb"AT&TFORM", "a DjVu document", "Convert it to PDF."),
    (rb"PK\x03\x04.{26}(?:\[Content_Types\]|_rels/|word/|xl/|ppt/|mimetype)", "an office document", _PRINT),
    (rb"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an office document", _PRINT),
    (rb"\{\\rtf", "an RTF document", _PRINT),
    (rb"PK\x03\x04", "a ZIP archive", "Send the files in it one by one."),
    (rb"\x1f\x8b|BZh\d|\xfd7zXZ\x00|7z\xbc\xaf\x27\x1c|Rar!\x1a\x07|\x28\xb5\x2f\xfd", "a packed file", "Unpack it."),
    (rb"(?:\xef\xbb\xbf)?\s*(?i:<!doctype html|<html|<head|<body)", "an HTML page", "Send the picture itself."),
    (rb"(?:\xef\xbb\xbf)?\s*<.{0,4096}?<?svg[\s>]", "an SVG drawing", "Render it to PNG first."),
    (rb"(?:\xef\xbb\xbf)?\s*<\?xml", "an XML document", "Send the picture itself."),
    (rb"(?i:data:[a-z]{1,20}/)", "a data URL", "Send the picture itself."),
    (rb"ID3|\xff[\xfb\xf3\xf2]|OggS|fLaC", "a sound", ""),
    (rb"MZ.|\x7fELF", "a program", ""),
)  # fmt: skip
"""What the first bytes look like, what that is, and what its sender can do."""
_PATTERNS: Final = tuple((re.compile(magic, re.DOTALL), name, advice) for magic, name, advice in _KINDS)
_LOOKED_AT: Final = 8192
_TEXT: Final = re.compile(rb"(?:\xef\xbb\xbf)?[\t\n\r\x20-\x7e\x80-\xff]{1,512}")


def refusal_of(data: bytes) -> str:
    """The detail of the answer that refuses a file."""
    name, advice = _recognise(data[:_LOOKED_AT])
    return f"The file is {name}. {advice + ' ' if advice else ''}The service reads {ACCEPTED_FILES}."


def _recognise(begin: bytes) -> tuple[str, str]:
    for pattern, name, advice in _PATTERNS:
        if pattern.match(begin):
            return name, advice
    found = _TEXT.match(begin)
    if found and found.end() >= min(len(begin), 512):
        return "a text", "Send a picture."
    return "of a kind that the service does not know", ""
