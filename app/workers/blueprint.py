"""The pipeline in child processes. The networks stay with the parent, except those that a child is told to run itself;
everything else is built anew in each child."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import cv2

from app.models.contract import Card
from app.pipeline.inference.networks import Networks
from app.pipeline.inference.runners import RemoteRunner, Runner
from app.pipeline.ladder import Ladder
from app.pipeline.tools import Tools
from app.workers.jobs import Pipeline
from app.workers.process import Handler, Infer


@dataclass(frozen=True)
class Blueprint:
    """What a child builds its pipeline from. ``roles`` are the names that `Tools.standard` takes, ``threads`` those of
    OpenCV, ``own`` make the runners of the networks that a child runs itself."""

    cards: tuple[Card, ...]
    roles: Mapping[str, str]
    max_codes: int
    max_pixels: int
    threads: int
    max_pages: int = 50
    video: bool = False
    own: Mapping[str, Callable[[], Runner]] = field(default_factory=dict)

    def build(self, runner: Mapping[str, Runner]) -> Pipeline:
        """The pipeline on these runners, each under its network's name."""
        return Pipeline(
            ladder=self.ladder(runner),
            max_pixels=self.max_pixels,
            max_pages=self.max_pages,
            max_codes=self.max_codes,
            video=self.video,
        )

    def ladder(self, runner: Mapping[str, Runner]) -> Ladder:
        """The pipeline's ladder, alone."""
        networks = Networks.of(self.cards, lambda card: runner[card.name])
        return Ladder(tools=Tools.standard(networks, **self.roles), max_codes=self.max_codes)

    def handler(self, infer: Infer) -> Handler:
        """What does the jobs in a child."""
        cv2.setNumThreads(self.threads)
        remote = {card.name: RemoteRunner(infer, card.name) for card in self.cards}
        return self.build(remote | {name: make() for name, make in self.own.items()}).do
