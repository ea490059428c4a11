"""The images that are pinned: one table, in the runbook, lists them all as they are written where they are used."""

import re
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

import pytest
import yaml

from tests.support.paths import ROOT

TEXT: Final = (ROOT / "docs/runbook.md").read_text()
COMPOSE: Final[dict[str, Any]] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
REPLICAS: Final = (ROOT / "docker/replicas/compose.yml").read_text()
DOCKERFILE: Final = (ROOT / "Dockerfile").read_text()
FORM: Final = re.compile(r"v?(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)")
"""A patch release: no range, no floating tag, no pre-release."""


@dataclass(frozen=True)
class Pinned:
    """A line of the table."""

    image: str
    version: str
    place: str
    line: str
    looked_at: str


TABLE: Final = [
    Pinned(*(cell.strip().strip("`") for cell in row.strip("|").split("|")))
    for row in re.findall(r"(?m)^\| `.*$", TEXT.partition("## Every month")[2])
]


def used() -> dict[str, tuple[str, str]]:
    """Image -> its version and the file that names it, for every image of others."""
    images = {
        service["image"]: "docker-compose.yml" for service in COMPOSE["services"].values() if "build" not in service
    }
    images |= dict.fromkeys(re.findall(r"(?m)^    image: (.+)$", REPLICAS), "docker/replicas/compose.yml")
    found = {
        name: (tag, place) for (name, _, tag), place in ((image.partition(":"), at) for image, at in images.items())
    }
    (python,) = re.findall(r"(?m)^ARG PYTHON=(.+)$", DOCKERFILE)
    return found | {"python": (python, "Dockerfile")}


def test_the_table_lists_every_image_as_it_is_used() -> None:
    assert {each.image: (each.version, each.place) for each in TABLE} == used()
    assert len({each.image for each in TABLE}) == len(TABLE)


@pytest.mark.parametrize("pinned", TABLE, ids=lambda pinned: pinned.image)
class TestEveryImage:
    def test_is_one_patch_release_of_a_line_that_is_named(self, pinned: Pinned) -> None:
        form = FORM.fullmatch(pinned.version)
        assert form
        assert re.search(rf"\b{form[1]}(\.{form[2]})?\b", pinned.line)

    def test_was_looked_at_on_a_day(self, pinned: Pinned) -> None:
        assert date(2026, 1, 1) < date.fromisoformat(pinned.looked_at)

    def test_is_named_nowhere_else_in_another_version(self, pinned: Pinned) -> None:
        everywhere = "\n".join(path.read_text() for path in [*ROOT.glob("docs/*.md"), ROOT / "README.md"])
        assert set(re.findall(rf"\b{pinned.image}:(v?\d+\.\d+\.\d+)", everywhere)) <= {pinned.version}


@pytest.mark.parametrize("version", ["latest", "3", "3.13", "v3.13.4-rc.1", "12.4.x", "^12.4.1", "03.1.1"])
def test_what_is_no_patch_release(version: str) -> None:
    assert not FORM.fullmatch(version)
