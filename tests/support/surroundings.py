"""What a picture shows around its finder patterns, and blots where there are none."""

from collections.abc import Iterator

import cv2
import numpy as np
from numpy.random import Generator

from app.pipeline.imaging import GreyImage
from app.pipeline.locating.lone_finders import GLANCE, LoneFinder, find_lone_finders
from app.pipeline.locating.surroundings import Surroundings


def surroundings(picture: GreyImage) -> list[Surroundings]:
    """Of every lone finder pattern that a glance finds, the strongest first."""
    seen = [Surroundings.of(picture, finder) for finder in find_lone_finders(picture, GLANCE)]
    return [one for one in seen if one]


def blots(rng: Generator, count: int) -> Iterator[tuple[GreyImage, LoneFinder]]:
    """Pictures of noise and blots, each with a finder pattern supposed in it, at its edge or beyond."""
    for _ in range(count):
        height, width = rng.integers(20, 200, 2)
        noise = rng.integers(0, 256, (height, width)).astype(np.float32)
        picture = cv2.GaussianBlur(noise, (0, 0), float(rng.uniform(0.3, 6)))
        picture = cv2.normalize(picture, picture, 0, 255, cv2.NORM_MINMAX).astype(np.uint8)
        centre = float(rng.uniform(-20, width + 20)), float(rng.uniform(-20, height + 20))
        module, turn = float(rng.uniform(1, 9)), int(rng.integers(8))
        yield picture, LoneFinder(centre, module, turn, 0.5, inverted=bool(rng.integers(2)))
