"""Text and content type of a payload whose engine states neither."""

import re

_LATIN_CONTROLS = re.compile(r"[\x80-\x9f]")
_JAPANESE_RUN = re.compile(r"[^\x00-\x7f]{3}")


def guess_text(payload: bytes) -> str:
    """The text of a payload without an ECI: UTF-8, else Shift JIS if that is plausible, else Latin-1."""
    try:
        return payload.decode("utf-8")
    except UnicodeDecodeError:
        pass
    latin = payload.decode("latin-1")
    try:
        japanese = payload.decode("shift_jis")
    except UnicodeDecodeError:
        return latin
    return japanese if _LATIN_CONTROLS.search(latin) or _JAPANESE_RUN.search(japanese) else latin


def guess_content_type(payload: bytes) -> str:
    """The content type of a payload: "Binary" if control characters other than tab, line feed and carriage return
    occur, else "Text"."""
    return "Binary" if any(byte < 0x20 and byte not in b"\t\n\r" for byte in payload) else "Text"
