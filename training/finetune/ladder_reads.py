"""Reads photographs with the whole ladder, to compare two sets of weights."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from app.pipeline.ladder import Ladder
from app.pipeline.results import Effort
from app.pipeline.tools import Tools
from training.finetune.folder import Photograph
from training.finetune.labelling import Labelled
from training.measure.photos import load_picture, texts_of
from training.measure.served_tools import MAX_CODES


@dataclass
class LadderReads:
    """Whether each known payload of each photograph was read, in their order, and how many payloads were read that
    labels contradict."""

    read: list[bool] = field(default_factory=list)
    wrong: int = 0


def read_by_ladder(
    photographs: Iterable[tuple[Photograph, Labelled]], tools: Tools, *, effort: str, budget: float
) -> LadderReads:
    """Reads photographs that can be decoded, each within ``budget`` seconds."""
    ladder, reads = Ladder(tools=tools, max_codes=MAX_CODES), LadderReads()
    for photograph, labelled in photographs:
        image = load_picture(photograph.path)
        symbols = [found.symbol for found in ladder.run(image, effort=Effort(effort), budget=budget).codes]
        texts = [texts_of(symbol) for symbol in symbols if symbol.symbology == "QRCode"]
        known = [bytes.fromhex(payload).strip() for payload in labelled.payloads]
        reads.read += (any(payload in text for text in texts) for payload in known)
        reads.wrong += sum(text.isdisjoint(known) for text in texts) if labelled.labelled else 0
    return reads
