"""Other detectors of charsets behind one signature, as far as they are installed: they are no dependencies."""

from collections.abc import Callable, Iterator
from importlib import import_module
from importlib.metadata import version
from typing import Any, Final

from app.pipeline.payload.charsets import guess_charset

Detector = Callable[[bytes], str | None]
"""Names the Python codec of bytes, or None where it has no guess."""

CODECS: Final = (
    *("utf_8", "shift_jis", "cp932", "gb18030", "big5", "big5hkscs", "cp949", "euc_kr", "cp1250", "cp1251", "cp1252"),
    *("latin_1", "iso8859_2", "iso8859_5", "iso8859_7", "utf_16", "utf_16_le", "utf_16_be"),
)
"""What detectors that can be told so choose from: the charsets of the measured strings."""


def detectors() -> Iterator[tuple[str, Detector]]:
    """The service's guess, and each installed detector as it is and, where it can be told, among `CODECS` only."""
    yield "qrestore", lambda payload: guess_charset(payload).codec
    for package, module, adapt in _OTHERS:
        try:
            imported = import_module(module)
        except ModuleNotFoundError:
            continue
        for label, detector in adapt(imported):
            yield f"{package} {version(package)}{label}", detector


def decode(payload: bytes, codec: str | None) -> str:
    """Without a guess, and where Python has not the codec, the text in Latin-1."""
    try:
        return payload.decode(codec or "latin-1", "replace").removeprefix("\ufeff")
    except LookupError:
        return payload.decode("latin-1")


def _normalizer(module: Any) -> Iterator[tuple[str, Detector]]:
    def best(payload: bytes, codecs: list[str] | None = None) -> str | None:
        found = module.from_bytes(payload, cp_isolation=codecs).best()
        return str(found.encoding) if found else None

    yield "", best
    yield ", told", lambda payload: best(payload, [one for one in CODECS if one != "big5hkscs"])


def _chardet(module: Any) -> Iterator[tuple[str, Detector]]:
    names = [one.replace("_", "-").replace("latin-1", "iso-8859-1").replace("iso8859", "iso-8859") for one in CODECS]
    names = [one.replace("big5-hkscs", "big5hkscs").replace("utf-16-", "utf-16") for one in names]
    names = [f"windows-{one[2:]}" if one.startswith("cp125") else one for one in names]
    yield "", lambda payload: module.detect(payload)["encoding"]
    yield ", told", lambda payload: module.detect(payload, include_encodings=names)["encoding"]


def _detect(module: Any) -> Iterator[tuple[str, Detector]]:
    yield "", lambda payload: module.detect(payload)["encoding"]


def _chardetng(module: Any) -> Iterator[tuple[str, Detector]]:
    yield "", lambda payload: module.detect(payload, allow_utf8=True)


_OTHERS: Final[tuple[tuple[str, str, Callable[[Any], Iterator[tuple[str, Detector]]]], ...]] = (
    ("chardet", "chardet", _chardet),
    ("charset-normalizer", "charset_normalizer", _normalizer),
    ("faust-cchardet", "cchardet", _detect),
    ("chardetng-py", "chardetng_py", _chardetng),
)
