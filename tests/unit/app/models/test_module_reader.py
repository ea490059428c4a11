import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from app.models.contract import PLANES
from app.models.module_reader import ModuleReader, ReadingBlock
from training.recipes.module_reader import module_reader


def tiny(**more: object) -> ModuleReader:
    torch.manual_seed(0)
    return ModuleReader(**{"width": 8, "blocks": 2, **more})


def answer(network: nn.Module, crop: torch.Tensor, planes: torch.Tensor) -> torch.Tensor:
    with torch.inference_mode():
        log_odds: torch.Tensor = network.eval()(crop, planes)
    return log_odds


@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (29, 29), (41, 41), (7, 30)])
@pytest.mark.parametrize("pixels", [2, 4])
def test_the_answer_has_a_position_for_each_module(pixels: int, rows: int, columns: int) -> None:
    network = tiny(pixels=pixels)
    log_odds = answer(network, torch.rand(2, 1, pixels * rows, pixels * columns), torch.rand(2, PLANES, rows, columns))
    assert log_odds.shape == (2, 1, rows, columns)
    assert log_odds.dtype == torch.float32


def test_names_in_state_dicts_are_a_contract() -> None:
    names = list(tiny().state_dict())
    assert list(dict.fromkeys(name.split(".")[0] for name in names)) == ["head", "body", "tail"]
    assert [name.removeprefix("body.0.") for name in names if name.startswith("body.0.")] == [
        "norm.weight",
        "norm.bias",
        "expand.weight",
        "expand.bias",
        "attend.weight",
        "attend.bias",
        "contract.weight",
        "contract.bias",
    ]


def test_the_recipes_network_is_small_and_quick() -> None:
    """Parameters and multiply-adds of one crop of version 3, quiet zone included."""
    with torch.device("meta"):
        network = ModuleReader(**module_reader().network)
    assert sum(parameter.numel() for parameter in network.parameters()) == 1_162_881
    side = 29 + 8
    with FlopCounterMode(display=False) as counter:
        network(torch.empty(1, 1, 4 * side, 4 * side, device="meta"), torch.empty(1, PLANES, side, side, device="meta"))
    assert counter.get_total_flops() / 2 == pytest.approx(1.531e9, rel=0.001)


def test_blocks_start_close_to_the_identity() -> None:
    torch.manual_seed(0)
    x = torch.randn(2, 8, 9, 9)
    for share, most in ((0.0, 1e-1), (0.1, 0.3)):
        block = ReadingBlock(channels=8, residual_init=share)
        nn.init.zeros_(block.contract.bias)
        change = (block(x) - x).square().mean().sqrt()
        assert change <= most
        assert bool(change > 0) is bool(share)


def test_blocks_gate_and_attend() -> None:
    block = ReadingBlock(channels=4, residual_init=1.0)
    x = torch.randn(1, 4, 6, 6)
    a, b = block.expand(block.norm(x)).chunk(2, dim=1)
    weights = block.attend((a * b).mean(dim=(2, 3), keepdim=True))
    assert torch.allclose(block(x), x + block.contract(a * b * weights), atol=1e-6)


def test_known_modules_change_the_reading_around_them() -> None:
    network = tiny()
    crop, planes = torch.rand(1, 1, 80, 80), torch.zeros(1, PLANES, 20, 20)
    known = planes.clone()
    known[..., 10, 10] = 1
    change = (answer(network, crop, known) - answer(network, crop, planes)).abs()[0, 0]
    assert change[10, 10] > 0
    assert change[8:13, 8:13].mean() > 10 * change[:4, :4].mean()


def test_each_module_sees_its_own_pixels() -> None:
    """The pixels of a module belong to its own position: noise there changes the answer there most."""
    network = tiny(blocks=1)
    crop, planes = torch.rand(1, 1, 64, 64), torch.zeros(1, PLANES, 16, 16)
    changed = crop.clone()
    changed[..., 24:28, 40:44] = 1 - changed[..., 24:28, 40:44]
    change = (answer(network, changed, planes) - answer(network, crop, planes)).abs()[0, 0]
    row, column = divmod(int(change.argmax()), 16)
    assert abs(row - 6) <= 1
    assert abs(column - 10) <= 1
