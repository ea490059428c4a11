"""Ways in which the pipeline reads one picture: by one engine alone, and by one rung alone."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Any, Final

from app.codes import Code
from app.pipeline.climb import Climb, Survey
from app.pipeline.engines.symbol import Engine, Symbol
from app.pipeline.engines.zbar import ZBar
from app.pipeline.engines.zxing import ZXing
from app.pipeline.finishing import finish
from app.pipeline.imaging import GreyImage
from app.pipeline.inference.module_reader import ModuleReader
from app.pipeline.ladder import Ladder
from app.pipeline.locating.candidates import Candidate
from app.pipeline.qrcode.log_odds import LogOdds
from app.pipeline.results import Effort, Outcome
from app.pipeline.rungs import LAST_RUNGS, QUICK_RUNGS, SLOW_RUNGS
from app.pipeline.tools import Tools
from tests.conformance.pictures import Scene
from tests.support.bench import shipped_tools

_REMEMBERED: Final = 8  # crops
RUNGS: Final = {rung.name: rung for rung in (*QUICK_RUNGS, *SLOW_RUNGS, *LAST_RUNGS)}
_OF_THE_READ: Final = {
    "engine", "rung", "frame", "page", "errors_corrected", "confidence", "module_pixels", "rotation", "position",
    "position_normalised",
}  # fmt: skip


class _BlindZXing(ZXing):
    """Finds nothing, so that ZBar has to."""

    def read(self, image: GreyImage) -> list[Symbol]:
        return []

    def look(self, *_: object, **__: object) -> tuple[list[Symbol], list[Any]]:
        return [], []


class _BlindZBar:
    name = "zbar"

    def read(self, image: GreyImage) -> list[Symbol]:
        return []


ENGINES: Final[Mapping[str, Mapping[str, Engine]]] = {
    "zxing": {"zxing": ZXing(), "zbar": _BlindZBar()},
    "zbar": {"zxing": _BlindZXing(), "zbar": ZBar()},
}


class _Remembering:
    """The shipped module reader, which reads the same crop once for both engines."""

    def __init__(self, reader: ModuleReader) -> None:
        self._reader = reader
        self._known: dict[tuple[bytes, int], LogOdds] = {}

    def read(self, crops: Sequence[GreyImage], version: int) -> list[LogOdds]:
        (crop,) = crops
        key = crop.tobytes(), version
        if key not in self._known:
            self._known = {key: self._reader.read(crops, version)[0], **dict(list(self._known.items())[:_REMEMBERED])}
        return [self._known[key]]


@cache
def tools_of(engine: str | None) -> Tools:
    """The shipped tools, with one of the engines only."""
    tools = _remembering_tools()
    return tools if engine is None else replace(tools, **ENGINES[engine])  # type: ignore[arg-type]


@cache
def _remembering_tools() -> Tools:
    tools = shipped_tools()
    return replace(tools, reader=_Remembering(tools.reader))  # type: ignore[arg-type]


def look_once(image: GreyImage, engine: str | None = None) -> list[Code]:
    """What fast effort answers."""
    return _answers(Ladder(tools=tools_of(engine), max_codes=8).run(image, effort=Effort.FAST))


def climb(image: GreyImage, engine: str | None = None) -> list[Code]:
    """What the whole ladder answers."""
    return _answers(Ladder(tools=tools_of(engine), max_codes=8).run(image, effort=Effort.BALANCED))


def fuse(images: Sequence[GreyImage]) -> list[Code]:
    """What several pictures of one symbol say together."""
    return _answers(Ladder(tools=tools_of(None), max_codes=8).fuse(images, effort=Effort.BALANCED))


def by_rungs(
    scene: Scene, names: Iterable[str], engine: str | None = None, *, size: int | None = None
) -> Iterator[tuple[str, list[Code]]]:
    """What each of these rungs answers at the place of the symbol, ``size`` modules a side, whatever others have read
    there."""
    climb = Climb(scene.image, Effort.BALANCED, tools_of(engine))
    places = climb.register(Survey("given", [Candidate(scene.corners, size, 1.0)]))
    for name in names:
        climb.found.clear()
        for place in places:
            climb.take(RUNGS[name].read(climb, place), name)
        yield name, _answers(climb.outcome())


def fields(code: Code) -> dict[str, Any]:
    """What an answer says of the symbol itself, whoever read it."""
    return code.model_dump(mode="json", exclude=_OF_THE_READ)


def _answers(outcome: Outcome) -> list[Code]:
    return [Code.of(found) for found in finish(outcome).codes]
