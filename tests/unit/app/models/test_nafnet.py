import pytest
import torch
from torch import nn

from app.models.nafnet import NAFBlock, NAFNet
from tests.support.networks import TINY


def tiny(**more: object) -> NAFNet:
    torch.manual_seed(0)
    return NAFNet(**{**TINY["NAFNet"], **more})


def test_names_in_a_blocks_state_dict_are_a_contract() -> None:
    names = list(dict.fromkeys(key.split(".")[0] for key in NAFBlock(channels=2, residual_init=0.0).state_dict()))
    assert names == [
        "beta",
        "gamma",
        "norm1",
        "expand",
        "depthwise",
        "attend",
        "contract",
        "norm2",
        "feed_expand",
        "feed_contract",
    ]


def test_block_starts_as_identity() -> None:
    x = torch.randn(1, 3, 5, 5)
    assert torch.equal(NAFBlock(channels=3, residual_init=0.0)(x), x)


def test_first_half_of_a_block_gates_and_attends() -> None:
    torch.manual_seed(0)
    block = NAFBlock(channels=3, residual_init=0.5)
    nn.init.zeros_(block.gamma)
    x = torch.randn(2, 3, 5, 4)
    both = block.depthwise(block.expand(block.norm1(x)))
    gated = both[:, :3] * both[:, 3:]
    means = gated.flatten(2).sum(dim=2) / 20
    weights = means @ block.attend.weight[:, :, 0, 0].T + block.attend.bias
    assert torch.allclose(block(x), x + 0.5 * block.contract(gated * weights[:, :, None, None]), atol=1e-6)


def test_second_half_of_a_block_gates_each_position_alone() -> None:
    torch.manual_seed(0)
    block = NAFBlock(channels=3, residual_init=0.5)
    nn.init.zeros_(block.beta)
    x = torch.randn(2, 3, 5, 4)
    both = block.feed_expand(block.norm2(x))
    assert torch.allclose(block(x), x + 0.5 * block.feed_contract(both[:, :3] * both[:, 3:]), atol=1e-6)
    assert torch.allclose(block(x)[..., :1, :1], block(x[..., :1, :1]), atol=1e-6)


def test_normalisation_has_the_papers_epsilon() -> None:
    """A channel difference of 1e-3 is normalised by sqrt(2.5e-7 + 1e-6), not by sqrt(2.5e-7 + 1e-5)."""
    norm = NAFBlock(channels=2, residual_init=0.0).norm1
    low, high = norm(torch.tensor([0.0, 1e-3]).reshape(1, 2, 1, 1)).flatten().tolist()
    assert (low, high) == pytest.approx((-0.4472, 0.4472), abs=1e-3)


@pytest.mark.parametrize("stem", [1, 2])
def test_it_adds_a_residual_to_its_input(stem: int) -> None:
    network = tiny(stem=stem)
    image = torch.rand(1, 1, 16, 8)
    assert not torch.allclose(network(image), image, atol=1e-3)
    nn.init.zeros_(network.outro.weight)
    nn.init.constant_(network.outro.bias, 0.25)
    assert torch.allclose(network(image), image + 0.25)


def test_level_counts_follow_blocks() -> None:
    network = tiny(encoder_blocks=(1, 2, 3), middle_blocks=4, decoder_blocks=(5, 6, 7))
    assert [len(level) for level in network.encoders] == [1, 2, 3]
    assert len(network.middle) == 4
    assert [len(level) for level in network.decoders] == [5, 6, 7]
    assert network.size_multiple == 8
    assert [level[0].expand.in_channels for level in network.decoders] == [16, 8, 4]


def test_encoder_and_decoder_have_equally_many_levels() -> None:
    with pytest.raises(ValueError, match="encoder has 2 levels and the decoder 1"):
        tiny(decoder_blocks=(1,))


def test_the_whole_picture_decides_a_channels_weight() -> None:
    """Without it a position would depend on the reach of the convolutions only."""
    network = tiny().eval()
    image = torch.rand(1, 1, 128, 8)
    other = image.clone()
    other[:, :, 96:] = 1 - other[:, :, 96:]
    assert not torch.equal(network(image)[:, :, :8], network(other)[:, :, :8])
