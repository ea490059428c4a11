import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from app.models.contract import MAPS, STRIDE
from app.models.quad_locator import LocatorBlock, QuadLocator
from training.recipes.quad_locator import quad_locator


def tiny(**more: object) -> QuadLocator:
    torch.manual_seed(0)
    return QuadLocator(**{"widths": (4, 4, 8, 8), "blocks": (1, 1, 1, 1), **more})


def answer(network: nn.Module, window: Tensor) -> Tensor:
    with torch.inference_mode():
        maps: Tensor = network.eval()(window)
    return maps


@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (2, 3), (8, 8)])
def test_maps_are_an_eighth_of_the_window(rows: int, columns: int) -> None:
    network = tiny()
    step = network.size_multiple
    maps = answer(network, torch.randn(2, 1, rows * step, columns * step))
    assert maps.shape == (2, MAPS, rows * step // STRIDE, columns * step // STRIDE)


def test_no_smaller_size_multiple_would_do() -> None:
    network = tiny()
    assert network.size_multiple == 32
    with pytest.raises(RuntimeError):
        network(torch.randn(1, 1, 48, 32))


def test_names_in_state_dicts_are_a_contract() -> None:
    names = list(tiny().state_dict())
    first = list(dict.fromkeys(name.split(".")[0] for name in names))
    assert first == ["head", "encoders", "downs", "ups", "decoders", "tail"]
    assert [name.removeprefix("encoders.3.0.") for name in names if name.startswith("encoders.3.0.")] == [
        "norm.weight",
        "norm.bias",
        "first.weight",
        "first.bias",
        "second.weight",
        "second.bias",
    ]


def test_level_counts_follow_blocks() -> None:
    network = tiny(blocks=(1, 2, 3, 4))
    assert [len(level) for level in network.encoders] == [1, 2, 3, 4]
    assert [len(level) for level in network.decoders] == [3, 2]


def test_the_recipes_network_is_small_and_quick() -> None:
    """Parameters, and multiply-adds of one window of 256 pixels a side."""
    with torch.device("meta"):
        network = QuadLocator(**quad_locator().network)
    assert sum(parameter.numel() for parameter in network.parameters()) == 2_342_538
    with FlopCounterMode(display=False) as counter:
        network(torch.empty(1, 1, 256, 256, device="meta"))
    assert counter.get_total_flops() / 2 == pytest.approx(0.531e9, rel=0.001)


def test_blocks_add_to_their_input() -> None:
    torch.manual_seed(0)
    block = LocatorBlock(channels=4, residual_init=0.0)
    x = torch.randn(1, 4, 6, 6)
    nn.init.constant_(block.second.bias, 0.5)
    assert torch.allclose(block(x), x + 0.5)


def test_the_deepest_level_reaches_far_and_the_maps_stay_in_place() -> None:
    """A spot in the window changes the maps most around its own position, but also far from it."""
    network = tiny(residual_init=1.0)
    window = torch.randn(1, 1, 256, 256)
    spot = window.clone()
    spot[..., 64:80, 160:176] += 4
    change = (answer(network, spot) - answer(network, window)).abs().sum(dim=1)[0]
    row, column = divmod(int(change.argmax()), 32)
    assert abs(row - 8.5) <= 1.5
    assert abs(column - 20.5) <= 1.5
    assert change[8:10, 10].min() > 0  # ten positions to the left, 80 pixels
