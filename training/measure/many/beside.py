"""What the stock decoders read of the same pictures, each on the untouched picture."""

from collections import Counter
from collections.abc import Iterable, Sequence

from app.pipeline.engines.symbol import Engine
from training.measure.many.picture import Picture


def count_beside(engines: Sequence[Engine], pictures: Iterable[Picture]) -> Counter[str]:
    """The number of codes that each engine reads, by its name. Places are not compared: payloads differ."""
    reads: Counter[str] = Counter({engine.name: 0 for engine in engines})
    for picture in pictures:
        for engine in engines:
            reads[engine.name] += _hits(engine, picture)
    return reads


def _hits(engine: Engine, picture: Picture) -> int:
    found = {symbol.payload for symbol in engine.read(picture.image)}
    return sum(code.symbol.payload in found for code in picture.codes)
