"""Every checkpoint of a weights folder is served by its architecture, and a bad folder is refused."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from app.errors import InvalidCheckpoint, UnknownNetwork
from app.models.checkpoint import Checkpoint, save
from app.models.contract import Kind
from app.models.registry import NETWORKS
from app.pipeline.inference.loading import load_networks
from app.pipeline.inference.module_reader import NetworkModuleReader
from app.pipeline.inference.restorer import NetworkRestorer
from app.pipeline.inference.window_locator import WindowLocator
from tests.support.networks import RESTORERS, TINY

KINDS = {
    **dict.fromkeys(RESTORERS, ("restorers", NetworkRestorer)),
    "ModuleReader": ("readers", NetworkModuleReader),
    "QuadLocator": ("locators", WindowLocator),
}


def put(folder: Path, name: str, architecture: str) -> None:
    torch.manual_seed(0)
    config = TINY[architecture]
    save(Checkpoint("", architecture, NETWORKS[architecture](**config), config), folder / f"{name}.safetensors")


@pytest.mark.parametrize("architecture", NETWORKS)
def test_a_network_has_the_kind_of_its_architecture_and_the_name_of_its_file(architecture: str, tmp_path: Path) -> None:
    put(tmp_path, "mine.2", architecture)
    (tmp_path / "README.md").write_text("not weights")
    loaded = load_networks(tmp_path, "cpu")
    kind, served = KINDS[architecture]
    for other in ("restorers", "readers", "locators"):
        assert list(getattr(loaded, other)) == (["mine.2"] if other == kind else [])
    made = getattr(loaded, kind)["mine.2"]
    assert type(made) is served
    assert made.card.architecture == architecture
    assert loaded.cards == [made.card]


def test_networks_of_every_kind_are_listed_by_name(tmp_path: Path) -> None:
    names = {architecture: f"{len(NETWORKS) - i:02}" for i, architecture in enumerate(NETWORKS)}
    for architecture, name in names.items():
        put(tmp_path, name, architecture)
    loaded = load_networks(tmp_path, "cpu")
    assert [card.name for card in loaded.cards] == sorted(names.values())
    assert {card.name: card.architecture for card in loaded.cards} == {name: key for key, name in names.items()}
    assert set(loaded.restorers) == {names[architecture] for architecture in RESTORERS}
    assert loaded.restorers[names["SRResNet"]].scale == 4
    assert loaded.reader(names["ModuleReader"]) is loaded.readers[names["ModuleReader"]]
    assert loaded.locator(names["QuadLocator"]) is loaded.locators[names["QuadLocator"]]


def test_names_of_another_kind_are_unknown(tmp_path: Path) -> None:
    put(tmp_path, "light", "LENet")
    put(tmp_path, "reads", "ModuleReader")
    loaded = load_networks(tmp_path, "cpu")
    for name in ("light", "absent"):
        with pytest.raises(UnknownNetwork, match=rf"{name}.*reads"):
            loaded.reader(name)
    with pytest.raises(UnknownNetwork, match=r"reads.*none"):
        loaded.locator("reads")


@pytest.mark.parametrize("architecture", NETWORKS)
def test_every_network_has_run_once(architecture: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path, "mine", architecture)
    run: list[str] = []
    monkeypatch.setattr(KINDS[architecture][1], "warm_up", lambda self: run.append(self.card.name))
    load_networks(tmp_path, "cpu")
    assert run == ["mine"]


def test_folders_without_weights_or_with_bad_ones_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidCheckpoint, match="holds no"):
        load_networks(tmp_path, "cpu")
    with pytest.raises(InvalidCheckpoint, match="holds no"):
        load_networks(tmp_path / "absent", "cpu")
    put(tmp_path, "good", "LENet")
    (tmp_path / "bad.safetensors").write_bytes(b"1234")
    with pytest.raises(InvalidCheckpoint, match=r"bad\.safetensors"):
        load_networks(tmp_path, "cpu")


class Toy(nn.Module):
    """A network that returns its input."""

    kind, scale, size_multiple = Kind.RESTORER, 1, 1

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))

    def forward(self, picture: Tensor) -> Tensor:
        return self.weight * picture


class HalfAsLarge(Toy):
    """Declares a scale of 1 but shrinks."""

    def forward(self, picture: Tensor) -> Tensor:
        return nn.functional.interpolate(picture, scale_factor=0.5)


class Stuck(Toy):
    """Does not run on the inputs that it declares."""

    def forward(self, picture: Tensor) -> Tensor:
        return picture.reshape(7, 7)


class Unfinished(Toy):
    """Does not declare its size multiple."""

    size_multiple = None


class Muddled(Toy):
    kind = "restorer"


class Shrinking(Toy):
    scale = 0


@pytest.mark.parametrize(
    ("network", "reason"),
    [
        (Unfinished, "Unfinished has no attribute 'size_multiple'"),
        (Muddled, "Muddled.kind is no Kind"),
        (Shrinking, "must be whole numbers from 1"),
        (HalfAsLarge, r"its output has shape \(32, 32\), not \(64, 64\)"),
        (Stuck, "shape '\\[7, 7\\]' is invalid"),
    ],
)
def test_a_network_that_breaks_its_contract_is_refused_in_one_line(
    network: type[Toy], reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(NETWORKS, "Toy", network)
    save(Checkpoint("", "Toy", network(), {}), tmp_path / "toy.safetensors")
    with pytest.raises(
        InvalidCheckpoint, match=rf"toy\.safetensors: its network breaks the contract: .*{reason}"
    ) as one:
        load_networks(tmp_path, "cpu")
    assert "\n" not in one.value.detail


def test_a_new_network_that_keeps_it_is_served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(NETWORKS, "Toy", Toy)
    save(Checkpoint("", "Toy", Toy(), {}), tmp_path / "toy.safetensors")
    crop = np.random.default_rng(0).choice(np.array([0, 255], np.uint8), (20, 20))
    (restored,) = load_networks(tmp_path, "cpu").restorers["toy"].restore([crop])
    assert np.array_equal(restored, crop)
