"""The structure of PaperGen, AdvancedSimpleQR, SRGAN's generator and RRDBNet, and their run in the service."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from app.models.advanced_simple_qr import ResidualGroup
from app.models.checkpoint import Checkpoint
from app.models.layers import pixel_shuffle_step
from app.models.paper_gen import PaperGen, transposed_step
from app.models.registry import NETWORKS
from app.models.rrdbnet import RRDB, DenseBlock, RRDBNet
from app.models.srgan import SRGANGenerator
from tests.support.networks import RESTORERS, restorer_of

ENLARGERS = ["PaperGen", "AdvancedSimpleQR", "SRGANGenerator", "RRDBNet"]


def tiny(architecture: str, **more: object) -> nn.Module:
    torch.manual_seed(0)
    return NETWORKS[architecture](**{**RESTORERS[architecture], **more})


def count(network: nn.Module, kind: type[nn.Module]) -> int:
    return sum(isinstance(module, kind) for module in network.modules())


def last(network: nn.Module) -> nn.Conv2d:
    return [module for module in network.modules() if isinstance(module, nn.Conv2d)][-1]


# --- what they have in common ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("architecture", ENLARGERS)
def test_bicubic_skip_is_a_switch(architecture: str) -> None:
    image = torch.rand(1, 1, 7, 9)
    bicubic = functional.interpolate(image, size=(28, 36), mode="bicubic", align_corners=False)
    for switch, expected in ((True, bicubic + 0.25), (False, torch.full_like(bicubic, 0.25))):
        network = tiny(architecture, bicubic_skip=switch)
        nn.init.zeros_(last(network).weight)
        nn.init.constant_(last(network).bias, 0.25)
        assert torch.allclose(network(image), expected, atol=1e-6)


@pytest.mark.parametrize(
    ("architecture", "skips"),
    [("PaperGen", False), ("AdvancedSimpleQR", True), ("SRGANGenerator", False), ("RRDBNet", False)],
)
def test_only_advanced_simple_qr_adds_to_the_enlarged_input_by_default(architecture: str, skips: bool) -> None:
    assert NETWORKS[architecture]().bicubic_skip == skips


@pytest.mark.parametrize("architecture", ENLARGERS)
def test_a_skip_leads_over_all_blocks(architecture: str) -> None:
    """If the blocks return zero, the picture still passes."""
    network = tiny(architecture, bicubic_skip=False).eval()
    for parameter in network.merge.parameters():
        nn.init.zeros_(parameter)
    picture = torch.rand(1, 1, 8, 8)
    expected = network.tail(network.upscale(network.head(picture)))
    assert torch.allclose(network(picture), expected, atol=1e-6)
    assert network(picture).std() > 1e-4


@pytest.mark.parametrize("architecture", ENLARGERS)
def test_the_service_runs_it_in_tiles_without_seams(architecture: str) -> None:
    network = tiny(architecture, bicubic_skip=False).eval()
    with torch.no_grad():  # as strong as may be without being clamped
        last(network).bias.fill_(0.0)
        last(network).weight.mul_(0.1 / network(torch.rand(1, 1, 32, 32)).std())
        last(network).bias.fill_(0.5)
    crop = np.random.default_rng(0).choice(np.array([0, 255], np.uint8), (203, 90))
    (restored,) = restorer_of(Checkpoint("made", architecture, network, {})).restore([crop])
    assert restored.shape == (4 * 203, 4 * 90)
    assert restored.std() > 10
    with torch.inference_mode():
        whole = network(torch.from_numpy(crop)[None, None] / 255)[0, 0].clamp(0, 1).numpy() * 255
    assert np.abs(restored - whole).max() < 1.01


# --- PaperGen -------------------------------------------------------------------------------------------------------


def test_both_ways_of_enlarging_double() -> None:
    x = torch.rand(2, 3, 5, 7)
    for step in (pixel_shuffle_step(channels=3), transposed_step(channels=3)):
        assert step(x).shape == (2, 3, 10, 14)


def test_transposed_convolutions_take_the_place_of_pixel_shuffle() -> None:
    shuffled, transposed = PaperGen(width=6), PaperGen(width=6, upsampling="transposed")
    assert (count(shuffled, nn.PixelShuffle), count(shuffled, nn.ConvTranspose2d)) == (2, 0)
    assert (count(transposed, nn.PixelShuffle), count(transposed, nn.ConvTranspose2d)) == (0, 2)
    weights = [
        sum(p.numel() for p in network.upscale.parameters() if p.dim() == 4) for network in (shuffled, transposed)
    ]
    assert weights[1] / weights[0] == pytest.approx(4 / 9)
    others = [[k for k in network.state_dict() if not k.startswith("upscale")] for network in (shuffled, transposed)]
    assert others[0] == others[1]


def test_transposed_convolutions_cover_all_pixels_alike() -> None:
    """Equal weights leave no checkerboard except at the border."""
    step = transposed_step(channels=1)
    nn.init.ones_(step[0].weight)
    inside = step(torch.ones(1, 1, 6, 6))[0, 0, 1:-1, 1:-1]
    assert torch.allclose(inside, inside[0, 0].expand_as(inside))


def test_other_ways_of_enlarging_are_refused() -> None:
    with pytest.raises(ValueError, match="pixelshuffle, transposed, not 'nearest'"):
        PaperGen(upsampling="nearest")


@pytest.mark.parametrize(("batch_norm", "norms"), [(True, 6), (False, 0)])
def test_batch_normalisation_of_paper_gen_is_a_switch(batch_norm: bool, norms: int) -> None:
    assert count(PaperGen(width=4, blocks=3, batch_norm=batch_norm), nn.BatchNorm2d) == norms


# --- AdvancedSimpleQR -----------------------------------------------------------------------------------------------


def test_groups_have_a_skip_each() -> None:
    network = tiny("AdvancedSimpleQR", groups=3, blocks=2)
    assert [len(group.blocks) for group in network.body] == [2, 2, 2]
    group = ResidualGroup(channels=4, blocks=2)
    x = torch.rand(1, 4, 5, 5)
    assert torch.allclose(group(x), x + group.merge(group.blocks(x)), atol=1e-6)
    nn.init.zeros_(group.merge.weight)
    nn.init.zeros_(group.merge.bias)
    assert torch.equal(group(x), x)
    assert count(network, nn.BatchNorm2d) == 0


# --- SRGAN ----------------------------------------------------------------------------------------------------------


def test_srgan_is_built_as_figure_4_draws_it() -> None:
    network = SRGANGenerator(channels=3)
    convolutions = [module for module in network.modules() if isinstance(module, nn.Conv2d)]
    drawn = [(9, 64), *[(3, 64)] * 32, (3, 64), (3, 256), (3, 256), (9, 3)]
    assert [(c.kernel_size[0], c.out_channels) for c in convolutions] == drawn
    assert all(c.stride == (1, 1) for c in convolutions)
    assert count(network, nn.BatchNorm2d) == 33
    assert count(network, nn.PixelShuffle) == 2
    assert count(network, nn.PReLU) == 1 + 16 + 2
    by_hand = (
        (3 * 81 * 64 + 64)
        + 33 * (64 * 9 * 64 + 64 + 2 * 64)
        + 2 * (64 * 9 * 256 + 256)
        + (64 * 81 * 3 + 3)
        + (1 + 16 + 2)
    )
    assert sum(p.numel() for p in network.parameters()) == by_hand


# --- RRDBNet --------------------------------------------------------------------------------------------------------


def test_dense_blocks_see_all_before_them() -> None:
    torch.manual_seed(0)
    block = DenseBlock(channels=4, growth=3, residual_init=1.0)
    assert [c.in_channels for c in block.convolutions] == [4, 7, 10, 13, 16]
    assert [c.out_channels for c in block.convolutions] == [3, 3, 3, 3, 4]
    x = torch.randn(1, 4, 6, 6)
    seen = x
    for convolution in block.convolutions[:4]:
        made = convolution(seen)
        seen = torch.cat((seen, torch.where(made > 0, made, 0.2 * made)), dim=1)
    assert torch.allclose(block(x), x + 0.2 * block.convolutions[4](seen), atol=1e-5)


def test_rrdb_adds_a_fifth_of_three_dense_blocks() -> None:
    torch.manual_seed(0)
    block = RRDB(channels=4, growth=3, residual_init=1.0)
    assert len(block.dense) == 3
    x = torch.randn(1, 4, 6, 6)
    inner = block.dense[2](block.dense[1](block.dense[0](x)))
    assert torch.allclose(block(x), x + 0.2 * inner, atol=1e-5)


def test_weights_of_dense_blocks_start_small() -> None:
    torch.manual_seed(0)
    small = DenseBlock(channels=64, growth=32, residual_init=0.1).convolutions[0]
    torch.manual_seed(0)
    large = DenseBlock(channels=64, growth=32, residual_init=1.0).convolutions[0]
    assert torch.allclose(small.weight, 0.1 * large.weight)
    assert float(large.weight.detach().std()) == pytest.approx((2 / (1.04 * 64 * 9)) ** 0.5, rel=0.02)
    assert not small.bias.any()


def test_rrdbnet_has_no_normalisation_and_doubles_twice() -> None:
    network = RRDBNet(width=8, growth=4, blocks=2)
    assert count(network, nn.BatchNorm2d) == 0
    assert count(network, nn.Upsample) == 2
    assert len(network.body) == 2
    doubled = network.upscale[0](torch.arange(2.0).reshape(1, 1, 1, 2))
    assert doubled.tolist() == [[[[0, 0, 1, 1]] * 2]]


def test_stem_of_rrdbnet_moves_the_blocks_to_a_coarser_grid() -> None:
    seen: list[torch.Size] = []
    network = tiny("RRDBNet", stem=2)
    network.body.register_forward_hook(lambda module, inputs, output: seen.append(output.shape))
    assert network(torch.rand(1, 1, 8, 6)).shape == (1, 1, 32, 24)
    assert seen == [(1, 4, 4, 3)]
