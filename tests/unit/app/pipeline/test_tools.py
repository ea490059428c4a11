"""The standard tools: the order of the locators and the calibrated threshold."""

import pytest
import torch

from app.errors import UnknownNetwork
from app.models.checkpoint import Checkpoint
from app.models.registry import NETWORKS
from app.pipeline.inference.networks import Networks
from app.pipeline.inference.severity import PAPER_THRESHOLD, THRESHOLD_KEY
from app.pipeline.inference.views import EvenedLocator, StretchedLocator
from app.pipeline.locating.finder_patterns import FinderLocator
from app.pipeline.locating.locators import SightingLocator, WholePicture
from app.pipeline.tools import Tools
from tests.support.networks import TINY, locator_of, reader_of, restorer_of


def card(name: str, architecture: str, **measured: object) -> Checkpoint:
    torch.manual_seed(0)
    return Checkpoint(name, architecture, NETWORKS[architecture](**TINY[architecture]), {}, {}, measured)


def networks(**measured: object) -> Networks:
    return Networks(
        restorers={"quick": restorer_of(card("quick", "LENet", **measured))},
        readers={"reads": reader_of(card("reads", "ModuleReader"))},
        locators={"finds": locator_of(card("finds", "QuadLocator"))},
    )


ROLES = {"light": "quick", "heavy": "slow", "upscaler": "large", "reader": "reads", "locator": "finds"}


@pytest.mark.parametrize(
    ("measured", "threshold"), [({THRESHOLD_KEY: 42.5}, 42.5), ({}, PAPER_THRESHOLD), ({THRESHOLD_KEY: "x"}, 100.0)]
)
def test_standard_tools_take_the_calibrated_threshold(measured: dict[str, object], threshold: float) -> None:
    tools = Tools.standard(networks(**measured), **ROLES)
    assert tools.threshold == threshold
    assert (tools.light, tools.heavy, tools.upscaler) == ("quick", "slow", "large")


def test_standard_tools_ask_slow_locators_last() -> None:
    loaded = networks()
    tools = Tools.standard(loaded, **ROLES)
    assert tools.windows is loaded.locators["finds"]
    assert [type(locator) for locator in tools.locators] == [WholePicture]
    assert [type(locator) for locator in tools.slow_locators] == [SightingLocator, FinderLocator]
    assert isinstance(tools.evened, EvenedLocator)
    assert isinstance(tools.stretched, StretchedLocator)
    assert tools.reader is loaded.readers["reads"]
    assert [engine.name for engine in tools.engines] == ["zxing", "zbar"]


@pytest.mark.parametrize("role", ["reader", "locator"])
def test_standard_tools_need_a_reader_and_a_locator(role: str) -> None:
    with pytest.raises(UnknownNetwork, match="absent"):
        Tools.standard(networks(), **{**ROLES, role: "absent"})
