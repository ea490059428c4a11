import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from app.models.eg_restormer import EGRestormer
from app.models.restormer import GDFN, MDTA, Restormer, TransformerBlock
from tests.support.networks import TINY


def tiny(**more: object) -> Restormer:
    torch.manual_seed(0)
    return Restormer(**{**TINY["Restormer"], **more})


def guided_pair(edge_source: str) -> tuple[EGRestormer, Restormer]:
    """EG-Restormer as it begins, and Restormer with the same weights."""
    torch.manual_seed(0)
    guided, plain = EGRestormer(**TINY["EGRestormer"], edge_source=edge_source), tiny()
    state = guided.state_dict()
    weights = {key: value for key, value in state.items() if not key.endswith("edge_weight")}
    assert len(weights) < len(state)
    plain.load_state_dict(weights)
    return guided, plain


def edge_weights(network: nn.Module) -> list[nn.Parameter]:
    return [parameter for name, parameter in network.named_parameters() if name.endswith("edge_weight")]


@pytest.mark.parametrize("edge_source", ["input", "normalised"])
def test_its_weights_are_eg_restormers_without_those_of_edges(edge_source: str) -> None:
    guided, plain = guided_pair(edge_source)
    image = torch.rand(1, 1, 32, 32)
    assert torch.equal(guided(image), plain(image))  # guidance starts neutral


def test_edges_of_the_input_guide_and_those_of_the_normalised_input_do_not() -> None:
    """As long as normalisation weighs all channels alike, as it does when training begins."""
    moved = {}
    for edge_source in ("input", "normalised"):
        guided, plain = guided_pair(edge_source)
        for parameter in edge_weights(guided):
            nn.init.normal_(parameter, std=3.0)
        image = torch.rand(1, 1, 32, 32)
        with torch.no_grad():
            moved[edge_source] = float((guided(image) - plain(image)).abs().max())
    assert moved["input"] > 1e-3
    assert moved["normalised"] < 1e-5


def test_it_refuses_other_sources_of_edges() -> None:
    with pytest.raises(ValueError, match="elsewhere"):
        EGRestormer(**TINY["EGRestormer"], edge_source="elsewhere")


def test_attention_is_between_channels() -> None:
    """The result does not depend on the places of pixels, except by the 3 x 3 convolution, which is pointwise here."""
    attention = tiny().latent[0].attention
    with torch.no_grad():
        attention.qkv_depthwise.weight.zero_()
        attention.qkv_depthwise.weight[:, :, 1, 1] = 1
    x = torch.randn(1, 64, 4, 4)
    order = torch.randperm(16)

    def shuffled(tensor: Tensor) -> Tensor:
        return tensor.flatten(2)[..., order].unflatten(2, (4, 4))

    assert torch.allclose(attention(shuffled(x)), shuffled(attention(x)), atol=1e-5)


def test_attention_weighs_by_cosines_within_each_head() -> None:
    torch.manual_seed(0)
    attention = MDTA(channels=6, heads=2)
    with torch.no_grad():
        attention.temperature.copy_(torch.tensor([1.0, 5.0]).reshape(2, 1, 1))
    x = torch.randn(2, 6, 4, 5)
    q, k, v = attention.queries_keys_values(x)
    mixed = torch.empty_like(v)
    for n in range(2):
        for head, temperature in ((0, 1.0), (1, 5.0)):
            inside = range(3 * head, 3 * head + 3)
            for c in inside:
                cosines = [functional.cosine_similarity(q[n, c].flatten(), k[n, d].flatten(), dim=0) for d in inside]
                shares = (temperature * torch.stack(cosines)).softmax(dim=0)
                mixed[n, c] = sum(share * v[n, d] for share, d in zip(shares, inside, strict=True))
    assert torch.allclose(attention(x), attention.project(mixed), atol=1e-5)


def test_feed_forward_gates_one_half_by_the_other() -> None:
    torch.manual_seed(0)
    layer = GDFN(channels=3, expansion=2.66)
    assert layer.contract.in_channels == 7  # 3 x 2.66, rounded down
    x = torch.randn(1, 3, 5, 5)
    both = layer.depthwise(layer.expand(x))
    assert torch.allclose(layer(x), layer.contract(functional.gelu(both[:, :7]) * both[:, 7:]), atol=1e-6)


def test_block_adds_two_residuals() -> None:
    torch.manual_seed(0)
    block = TransformerBlock(channels=4, attention=MDTA(channels=4, heads=2), expansion=2.0)
    x = torch.randn(1, 4, 6, 6)
    nn.init.zeros_(block.attention.project.weight)
    assert torch.allclose(block(x), x + block.feed_forward(block.norm2(x)), atol=1e-6)
    nn.init.zeros_(block.feed_forward.contract.weight)
    assert torch.equal(block(x), x)


@pytest.mark.parametrize("stem", [1, 2])
def test_it_adds_a_residual_to_its_input(stem: int) -> None:
    network = tiny(stem=stem)
    image = torch.rand(1, 1, 32, 16)
    assert not torch.allclose(network(image), image, atol=1e-3)
    nn.init.zeros_(network.outro.weight)
    assert torch.equal(network(image), image)


@pytest.mark.parametrize("build", [Restormer, EGRestormer])
def test_level_counts_follow_blocks(build: type[nn.Module]) -> None:
    network = build(width=8, blocks=(1, 2, 3, 4), heads=(1, 2, 4, 8), refinement=5)
    assert [len(level) for level in network.encoders] == [1, 2, 3]
    assert len(network.latent) == 4
    assert [len(level) for level in network.decoders] == [3, 2, 1]
    assert len(network.refinement) == 5
    assert [level[0].attention.heads for level in network.encoders] == [1, 2, 4]
    assert [level[0].attention.heads for level in network.decoders] == [4, 2, 1]
