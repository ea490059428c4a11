from inspect import signature

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from app.models.eg_restormer import EdgeGuidedMDTA, EdgeMap
from app.models.lenet import SGDB, EdgeSharpening
from app.models.registry import NETWORKS
from app.models.srresnet import SRResNet
from tests.support.networks import RESTORERS, TINY, random_inputs


def tiny(architecture: str, **more: object) -> nn.Module:
    torch.manual_seed(0)
    return NETWORKS[architecture](**{**TINY[architecture], **more})


def parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def convolution_macs(network: nn.Module) -> int:
    """Multiply-accumulates of the convolutions alone for a 3 x 512 x 512 picture.

    Profilers as papers use them hook modules, so they do not see the products inside attention; comparing with the
    papers' figures means leaving these out.
    """
    with FlopCounterMode(display=False) as counter:
        network(torch.empty(1, 3, 512, 512, device="meta"))
    return int(counter.get_flop_counts()["Global"][torch.ops.aten.convolution]) // 2


@pytest.mark.parametrize(
    ("architecture", "config", "millions", "gmac"),
    [
        ("LENet", {"base": 16}, 0.28, 3.87),
        ("EGRestormer", {}, 26.13, 565.14),
        ("Restormer", {}, 26.13, 564.96),
        ("NAFNet", {}, 17.11, 64.44),
        ("SRGANGenerator", {}, 1.55, None),
        ("RRDBNet", {}, 16.70, None),
    ],
)
def test_size_of_the_paper(architecture: str, config: dict[str, object], millions: float, gmac: float | None) -> None:
    with torch.device("meta"):
        network = NETWORKS[architecture](channels=3, **config)
    assert parameters(network) == pytest.approx(millions * 1e6, abs=6e3)
    if gmac is not None:
        assert convolution_macs(network) == pytest.approx(gmac * 1e9, rel=0.03)


STEMMED = [name for name in RESTORERS if "stem" in signature(NETWORKS[name]).parameters]
STEMS = [(name, {"stem": stem}) for name in STEMMED for stem in (1, 2, 4)]
STEMLESS = [(name, {}) for name in RESTORERS if name not in STEMMED]


def test_six_networks_offer_a_stem() -> None:
    assert STEMMED == ["LENet", "EGRestormer", "Restormer", "NAFNet", "SRResNet", "RRDBNet"]


@pytest.mark.parametrize(("architecture", "config"), STEMS + STEMLESS)
def test_shape_is_kept_or_scaled(architecture: str, config: dict[str, object]) -> None:
    for channels in (1, 3):
        network = tiny(architecture, channels=channels, **config)
        step, scale = network.size_multiple, network.scale
        assert network.channels == channels
        for rows, columns in ((1, 1), (2, 3)):
            image = torch.rand(2, channels, rows * step, columns * step)
            assert network(image).shape == (2, channels, scale * rows * step, scale * columns * step)


def test_only_super_resolution_enlarges() -> None:
    enlarging = [name for name in RESTORERS if tiny(name).scale != 1]
    assert enlarging == ["SRResNet", "PaperGen", "AdvancedSimpleQR", "SRGANGenerator", "RRDBNet"]
    assert {tiny(name).scale for name in enlarging} == {4}


@pytest.mark.parametrize("architecture", STEMMED)
def test_no_smaller_size_multiple_would_do(architecture: str) -> None:
    network = tiny(architecture, stem=2)
    with pytest.raises(RuntimeError):
        network(torch.rand(1, 1, network.size_multiple + network.size_multiple // 2, network.size_multiple))


def idle(network: nn.Module) -> list[str]:
    """The names of the parameters that no gradient has reached."""
    return [
        name for name, parameter in network.named_parameters() if parameter.grad is None or not parameter.grad.any()
    ]


@pytest.mark.parametrize("architecture", NETWORKS)
def test_gradient_reaches_every_parameter(architecture: str) -> None:
    network = tiny(architecture).eval()  # in training, batch normalisation takes away what a bias before it adds
    network(*random_inputs(architecture, count=2)).square().mean().backward()
    assert idle(network) == []


@pytest.mark.parametrize("architecture", STEMMED)
def test_gradient_reaches_every_parameter_behind_a_stem(architecture: str) -> None:
    network = tiny(architecture, stem=4)
    image = torch.rand(2, 1, 64, 64)  # two positions a side on the last level, or there are no edges
    network(image).square().mean().backward()
    assert idle(network) == []


@pytest.mark.parametrize("architecture", NETWORKS)
def test_samples_of_a_batch_do_not_mix(architecture: str) -> None:
    network = tiny(architecture).eval()
    inputs = random_inputs(architecture, count=3)
    with torch.inference_mode():
        together = network(*inputs)
        alone = torch.cat([network(*(part[i : i + 1] for part in inputs)) for i in range(3)])
    assert not torch.allclose(alone[0], alone[1], atol=1e-3)
    assert torch.allclose(together, alone, atol=1e-5)


def first_levels(network: nn.Module) -> list[str]:
    return list(dict.fromkeys(key.split(".")[0] for key in network.state_dict()))


def test_names_in_state_dicts_are_a_contract() -> None:
    assert first_levels(tiny("LENet")) == [
        "intro",
        "encoders",
        "downs",
        "bottleneck",
        "ups",
        "decoders",
        "sharpen",
        "outro",
    ]
    assert first_levels(tiny("EGRestormer")) == [
        "embed",
        "encoders",
        "downs",
        "latent",
        "ups",
        "reduces",
        "decoders",
        "refinement",
        "outro",
    ]
    assert first_levels(tiny("Restormer")) == first_levels(tiny("EGRestormer"))
    assert first_levels(tiny("NAFNet")) == ["intro", "encoders", "downs", "middle", "ups", "decoders", "outro"]
    assert first_levels(tiny("SRResNet")) == ["head", "body", "merge", "unfold", "upscale", "tail"]
    for architecture in ("PaperGen", "AdvancedSimpleQR", "SRGANGenerator", "RRDBNet"):
        assert first_levels(tiny(architecture)) == ["head", "body", "merge", "upscale", "tail"]
    assert first_levels(tiny("RRDBNet", stem=2)) == ["head", "body", "merge", "unfold", "upscale", "tail"]
    assert [key.removeprefix("bottleneck.0.") for key in tiny("LENet").state_dict() if "bottleneck.0" in key] == [
        "beta",
        "norm.weight",
        "norm.bias",
        "expand.weight",
        "expand.bias",
        "depthwise.weight",
        "depthwise.bias",
        "contract.weight",
        "contract.bias",
    ]
    assert [key.removeprefix("latent.0.") for key in tiny("EGRestormer").state_dict() if "latent.0" in key] == [
        "norm1.weight",
        "norm1.bias",
        "attention.temperature",
        "attention.edge_weight",
        "attention.qkv.weight",
        "attention.qkv_depthwise.weight",
        "attention.project.weight",
        "norm2.weight",
        "norm2.bias",
        "feed_forward.expand.weight",
        "feed_forward.depthwise.weight",
        "feed_forward.contract.weight",
    ]


def test_constructors_take_keywords_only() -> None:
    for build in NETWORKS.values():
        with pytest.raises(TypeError):
            build(1)


# --- LENet ----------------------------------------------------------------------------------------------------------


def test_lenet_adds_a_residual_to_its_input() -> None:
    network = tiny("LENet")
    nn.init.zeros_(network.outro.weight)
    nn.init.constant_(network.outro.bias, 0.25)
    image = torch.rand(1, 1, 16, 16)
    assert torch.allclose(network(image), image + 0.25)


def test_lenet_level_counts_follow_blocks() -> None:
    network = tiny("LENet", blocks=(1, 2, 3, 4))
    assert [len(level) for level in network.encoders] == [1, 2, 3]
    assert len(network.bottleneck) == 4
    assert [len(level) for level in network.decoders] == [3, 2, 1]


def test_sgdb_starts_as_identity_and_gates_two_halves() -> None:
    block = SGDB(channels=3)
    x = torch.randn(1, 3, 5, 5)
    assert torch.equal(block(x), x)
    nn.init.ones_(block.beta)
    a, b = block.depthwise(block.expand(block.norm(x))).chunk(2, dim=1)
    assert torch.allclose(block(x), x + block.contract(a * b), atol=1e-6)


def test_edge_sharpening_weighs_between_one_and_two() -> None:
    layer = EdgeSharpening(channels=4)
    x = torch.rand(1, 4, 6, 6) + 0.1
    ratio = layer(x) / x
    assert bool((ratio > 1).all())
    assert bool((ratio < 2).all())
    nn.init.zeros_(layer.weigh.weight)
    nn.init.zeros_(layer.weigh.bias)
    assert torch.allclose(layer(x), 1.5 * x)


# --- EG-Restormer ---------------------------------------------------------------------------------------------------


def ring(kernel: Tensor) -> list[float]:
    """The eight outer weights of a 3 x 3 kernel, in a circle."""
    return [float(kernel[i]) for i in ((0, 0), (0, 1), (0, 2), (1, 2), (2, 2), (2, 1), (2, 0), (1, 0))]


def test_sobel_kernels_are_one_kernel_turned_by_45_degrees() -> None:
    kernels = EdgeMap().kernels[:, 0]
    horizontal = [-1.0, 0.0, 1.0, 2.0, 1.0, 0.0, -1.0, -2.0]
    assert [float(kernel[1, 1]) for kernel in kernels] == [0.0] * 4
    turned = [horizontal[turn:] + horizontal[:turn] for turn in range(4)]
    for kernel, expected in zip(kernels, turned, strict=True):
        assert ring(kernel) in (expected, [-value for value in expected])


@pytest.mark.parametrize("normal", [(1, 0), (1, -1), (0, 1), (1, 1)], ids=["0", "45", "90", "135"])
def test_edge_map_is_equally_strong_in_four_directions(normal: tuple[int, int]) -> None:
    y, x = torch.meshgrid(torch.arange(-4, 5), torch.arange(-4, 5), indexing="ij")
    step = (normal[0] * x + normal[1] * y > 0).float()[None, None]
    assert float(EdgeMap()(step)[0, 0, 4, 4]) == 4.0


def test_edge_map_is_zero_on_flat_pictures_and_takes_the_channel_mean() -> None:
    edges = EdgeMap()
    assert not edges(torch.full((1, 3, 6, 6), 0.5)).any()
    x = torch.rand(2, 3, 8, 8)
    assert edges(x).shape == (2, 1, 8, 8)
    assert torch.allclose(edges(x), edges(x.mean(dim=1, keepdim=True)))


def restormer_pair() -> tuple[nn.Module, nn.Module]:
    """The network with and without edge guidance, on the same weights."""
    guided, plain = tiny("EGRestormer"), tiny("EGRestormer", edge_guidance=False)
    missing, unexpected = plain.load_state_dict(guided.state_dict(), strict=False)
    assert missing == []
    assert unexpected
    assert {key.rsplit(".", 1)[1] for key in unexpected} == {"edge_weight"}
    return guided, plain


def test_without_edge_weight_it_is_restormer() -> None:
    guided, plain = restormer_pair()
    image = torch.rand(1, 1, 16, 16)
    assert torch.allclose(guided(image), plain(image), atol=1e-6)


def test_edge_guidance_multiplies_queries_and_keys() -> None:
    torch.manual_seed(0)
    attention = EdgeGuidedMDTA(channels=8, heads=2)
    nn.init.normal_(attention.edge_weight, std=3.0)
    nn.init.constant_(attention.temperature, 4.0)
    x = torch.randn(2, 8, 6, 5)
    q, k, v = attention.qkv_depthwise(attention.qkv(x)).chunk(3, dim=1)
    guide = 1 + attention.edge_weight * EdgeMap()(x)

    def expected(q: Tensor, k: Tensor) -> Tensor:
        q, k = (t.unflatten(1, (2, 4)).flatten(3) for t in (q, k))
        cosine = torch.einsum("nhcp,nhdp->nhcd", q, k) / (q.norm(dim=3)[..., None] * k.norm(dim=3)[:, :, None])
        mixed = torch.einsum("nhcd,nhdp->nhcp", (4.0 * cosine).softmax(dim=-1), v.unflatten(1, (2, 4)).flatten(3))
        return attention.project(mixed.reshape(x.shape))

    assert torch.allclose(attention(x), expected(q * guide, k * guide), atol=1e-5)
    other = torch.randn(2, 8, 6, 5)
    guide = 1 + attention.edge_weight * EdgeMap()(other)
    assert torch.allclose(attention(x, other), expected(q * guide, k * guide), atol=1e-5)
    assert not torch.allclose(attention(x), expected(q, k), atol=1e-3)


def waves(shape: tuple[int, ...], phase: float) -> Tensor:
    return torch.sin(0.7 * torch.arange(torch.Size(shape).numel()) + phase).reshape(shape)


def test_eg_restormer_answers_as_when_its_first_weights_were_trained() -> None:
    network = tiny("EGRestormer", edge_source="normalised")
    with torch.no_grad():
        for index, parameter in enumerate(network.parameters()):
            parameter.copy_(0.3 * waves(parameter.shape, index))
        image = waves((1, 1, 16, 16), 0.0)
        diagonal = (network(image) - image)[0, 0].diagonal()[::3]
    assert diagonal.tolist() == pytest.approx([-2.06776, -4.86914, -10.3917, -2.22428, -8.31089, 1.92424], abs=1e-3)


# --- SRResNet -------------------------------------------------------------------------------------------------------


def test_srresnet_adds_detail_to_bicubic_enlargement() -> None:
    network = tiny("SRResNet")
    nn.init.zeros_(network.tail.weight)
    nn.init.zeros_(network.tail.bias)
    image = torch.rand(1, 1, 7, 9)
    bicubic = functional.interpolate(image, size=(28, 36), mode="bicubic", align_corners=False)
    assert torch.allclose(network(image), bicubic, atol=1e-6)


@pytest.mark.parametrize("batch_norm", [False, True])
def test_srresnet_batch_norm_is_a_switch(batch_norm: bool) -> None:
    network = SRResNet(width=4, blocks=3, batch_norm=batch_norm)
    assert sum(isinstance(module, nn.BatchNorm2d) for module in network.modules()) == (6 if batch_norm else 0)
    block = network.body[0]
    nn.init.zeros_(block.body[3].weight)
    nn.init.constant_(block.body[3].bias, 1.0)
    x = torch.rand(1, 4, 5, 5)
    expected = x if batch_norm else x + 0.1  # normalisation takes the constant away; without it the branch is scaled
    assert torch.allclose(block(x), expected, atol=1e-6)
