"""What a picture shows around its finder patterns."""

from app.pipeline.imaging import GreyImage
from app.pipeline.locating.lone_finders import GLANCE, find_lone_finders
from app.pipeline.locating.surroundings import Surroundings


def surroundings(picture: GreyImage) -> list[Surroundings]:
    """Of every lone finder pattern that a glance finds, the strongest first."""
    seen = [Surroundings.of(picture, finder) for finder in find_lone_finders(picture, GLANCE)]
    return [one for one in seen if one]
