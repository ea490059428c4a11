"""Parts of messages in structured append that are alone in a picture, for measuring what is made of cut characters."""

import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from app.pipeline.payload.charsets import REPLACEMENT
from app.pipeline.payload.interpreting import interpret
from app.pipeline.qrcode.segments import Message, Segment, StructuredAppend
from training.measure.charsets.strings import UTF_8, UTF_16_BE, UTF_16_LE, Sample, encode

SHORTEST, LONGEST = 10, 40
"""Bytes of a part in UTF-8, and twice the characters of one in another charset."""
_JOINED: Final = 4
"""Strings in one charset that make a message."""


@dataclass(frozen=True, slots=True)
class Part:
    """The middle part of a message, and its characters that are whole."""

    charset: str
    payload: bytes
    text: str

    @property
    def is_right(self) -> bool:
        """Whether the service gives the text, apart from what stands for cut characters."""
        message = Message((Segment("byte", None, self.payload),), StructuredAppend(1, 3, 0), 0, b"", 0)
        return interpret([message]).text.strip(REPLACEMENT) == self.text


def draw_parts(samples: Sequence[Sample], count: int, seed: int) -> Iterator[Part]:
    """Draws ``count`` parts in UTF-8, cut anywhere, of texts of each charset, and as many in each charset itself, but
    for Unicode's, cut between characters."""
    rng = random.Random(seed)
    texts: defaultdict[str, list[str]] = defaultdict(list)
    for sample in samples:
        texts[sample.charset].append(sample.text)
    for charset, each in texts.items():
        for _ in range(count):
            text = " ".join(rng.sample(each, _JOINED))
            yield _cut_anywhere(text, rng)
            if charset not in (UTF_8, UTF_16_LE, UTF_16_BE):
                begin = rng.randrange(len(text) // 2)
                whole = text[begin : begin + rng.randrange(SHORTEST // 2, LONGEST // 2)]
                if stored := encode(whole, charset):
                    yield Part(charset, stored, whole)


def _cut_anywhere(text: str, rng: random.Random) -> Part:
    stored = text.encode()
    begin = rng.randrange(1, len(stored) // 2)
    payload = stored[begin : begin + rng.randrange(SHORTEST, LONGEST + 1)]
    return Part(UTF_8, payload, payload.decode(errors="ignore"))
