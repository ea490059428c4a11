from collections.abc import Callable
from itertools import pairwise

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from training.objectives.discriminators import ConvDiscriminator, UNetDiscriminator, VGGDiscriminator

SIDE = 32


def conv(**more: int) -> nn.Module:
    return ConvDiscriminator(**{"width": 4, "halvings": 3, **more})


def vgg(**more: int) -> nn.Module:
    return VGGDiscriminator(**{"side": SIDE, "width": 4, "dense": 8, **more})


def unet(**more: int) -> nn.Module:
    return UNetDiscriminator(**{"width": 4, **more})


Make = Callable[..., nn.Module]
ALL = pytest.mark.parametrize("make", [conv, vgg, unet])


def made(make: Make, **more: int) -> nn.Module:
    torch.manual_seed(0)
    return make(**more)


def parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("make", "shape"), [(conv, (2, 1)), (vgg, (2, 1)), (unet, (2, 1, SIDE, SIDE))])
def test_logits_are_one_a_picture_or_one_a_pixel(make: Make, shape: tuple[int, ...], channels: int) -> None:
    assert made(make, channels=channels)(torch.rand(2, channels, SIDE, SIDE)).shape == shape


@ALL
def test_answers_are_logits(make: Make) -> None:
    network = made(make)
    judge = [module for module in network.modules() if isinstance(module, nn.Conv2d | nn.Linear)][-1]
    picture = torch.rand(2, 1, SIDE, SIDE)
    before = network.eval()(picture)
    nn.init.constant_(judge.bias, float(judge.bias.detach()[0]) - 7)
    assert torch.allclose(network(picture), before - 7, atol=1e-5)  # nothing squashes them


@ALL
def test_pictures_of_a_batch_are_judged_alone(make: Make) -> None:
    network = made(make).eval()
    pictures = torch.rand(3, 1, SIDE, SIDE)
    with torch.inference_mode():
        together = network(pictures)
        alone = torch.cat([network(pictures[i : i + 1]) for i in range(3)])
    assert torch.allclose(together, alone, atol=1e-5)
    assert not torch.allclose(alone[0], alone[1], atol=1e-6)


@ALL
@pytest.mark.parametrize("bfloat16", [False, True])
def test_gradient_of_two_passes_reaches_pictures_and_weights(make: Make, bfloat16: bool) -> None:
    """A step judges real and fake pictures before it goes back."""
    network = made(make)
    real, fake = (torch.rand(2, 1, SIDE, SIDE, requires_grad=True) for _ in range(2))
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=bfloat16):
        logits = network(real), network(fake)
    (logits[0].float().square().mean() - logits[1].float().square().mean()).backward()
    for picture in (real, fake):
        assert picture.grad is not None
        assert bool(picture.grad.isfinite().all())
        assert bool(picture.grad.any())
    assert [name for name, p in network.named_parameters() if p.grad is None or not p.grad.any()] == []


@ALL
def test_what_was_saved_is_loaded(make: Make) -> None:
    network, other = made(make), make()
    picture = torch.rand(2, 1, SIDE, SIDE)
    network(picture)  # moves the buffers
    other.load_state_dict({key: value.clone() for key, value in network.state_dict().items()})
    assert torch.equal(network.eval()(picture), other.eval()(picture))


@ALL
def test_it_learns_to_tell_codes_from_blurred_ones(make: Make) -> None:
    network = made(make, width=8)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3, betas=(0.5, 0.99))
    real = torch.rand(2, 1, SIDE // 4, SIDE // 4).round().repeat_interleave(4, 2).repeat_interleave(4, 3)
    fake = nn.functional.avg_pool2d(real, 5, stride=1, padding=2)

    def loss() -> Tensor:
        return nn.functional.softplus(-network(real)).mean() + nn.functional.softplus(network(fake)).mean()

    for _ in range(50):
        optimizer.zero_grad()
        loss().backward()
        optimizer.step()
    assert float(loss().detach()) < 1.0  # chance is 2 ln 2 = 1.39


@ALL
def test_constructors_take_keywords_only(make: Make) -> None:
    with pytest.raises(TypeError):
        type(made(make))(3)


def test_names_in_state_dicts_are_a_contract() -> None:
    def first_levels(network: nn.Module) -> list[str]:
        return list(dict.fromkeys(key.split(".")[0] for key in network.state_dict()))

    assert first_levels(conv()) == ["features", "judge"]
    assert first_levels(vgg()) == ["features", "judge"]
    assert first_levels(unet()) == ["head", "downs", "ups", "refine", "judge"]


# --- PaperGen's -----------------------------------------------------------------------------------------------------


def test_conv_discriminator_takes_pictures_of_any_size() -> None:
    network = made(conv).eval()
    for height, width in ((8, 8), (40, 17), (256, 256)):
        assert network(torch.rand(1, 1, height, width)).shape == (1, 1)


def test_conv_discriminator_halves_and_widens_without_normalisation() -> None:
    network = ConvDiscriminator()
    assert [type(layer).__name__ for layer in network.features] == ["Conv2d", "LeakyReLU"] * 4
    convolutions = [layer for layer in network.features if isinstance(layer, nn.Conv2d)]
    assert [layer.out_channels for layer in convolutions] == [64, 128, 256, 512]
    assert network.features(torch.rand(1, 1, 64, 32)).shape == (1, 512, 4, 2)


def test_conv_discriminator_judges_by_the_mean_over_all_positions() -> None:
    network = made(conv).eval()
    picture = torch.rand(1, 1, SIDE, SIDE)
    seen = network.features(picture).flatten(2)
    expected = network.judge.weight @ (seen.sum(dim=2)[0] / seen.shape[2]) + network.judge.bias
    assert torch.allclose(network(picture)[0], expected, atol=1e-6)


# --- SRGAN's --------------------------------------------------------------------------------------------------------


def test_vgg_discriminator_is_built_as_figure_4_draws_it() -> None:
    with torch.device("meta"):
        network = VGGDiscriminator(channels=3, side=96)
    convolutions = [layer for layer in network.features if isinstance(layer, nn.Conv2d)]
    assert [layer.out_channels for layer in convolutions] == [64, 64, 128, 128, 256, 256, 512, 512]
    assert [layer.stride[0] for layer in convolutions] == [1, 2] * 4
    assert sum(isinstance(layer, nn.BatchNorm2d) for layer in network.features) == 7
    widths = [3, 64, 64, 128, 128, 256, 256, 512, 512]
    by_hand = (
        sum(9 * before * after for before, after in pairwise(widths))
        + 64
        + 2 * sum(widths[2:])
        + (512 * 6 * 6 * 1024 + 1024)
        + (1024 + 1)
    )
    assert parameters(network) == by_hand == 23_563_649


@pytest.mark.parametrize("side", [0, 8, 100, -16])
def test_side_is_a_multiple_of_16(side: int) -> None:
    with pytest.raises(ValueError, match=f"multiple of 16, not {side}"):
        VGGDiscriminator(side=side)


def test_vgg_discriminator_refuses_pictures_of_another_size() -> None:
    with pytest.raises(ValueError, match=r"32 px a side, not \(32, 48\)"):
        made(vgg)(torch.rand(1, 1, 32, 48))


# --- Real-ESRGAN's --------------------------------------------------------------------------------------------------


def test_unet_discriminator_has_the_size_of_the_papers() -> None:
    assert parameters(UNetDiscriminator(channels=3)) == pytest.approx(4.38e6, abs=6e3)


def test_inner_convolutions_have_spectral_norm_one() -> None:
    network = made(unet, width=8).train()
    for _ in range(20):
        network(torch.rand(1, 1, 16, 16))
    network.eval()
    inner = [*network.downs, *network.ups, *network.refine]
    assert len(inner) == 8
    for convolution in inner:
        assert parametrize.is_parametrized(convolution, "weight")
        assert float(torch.linalg.matrix_norm(convolution.weight.detach().flatten(1), ord=2)) == pytest.approx(
            1, rel=0.02
        )
    for outer in (network.head, network.judge):
        assert not parametrize.is_parametrized(outer)


def test_skips_carry_the_finest_level_past_the_others() -> None:
    network = made(unet).eval()
    for up in network.ups:
        parametrize.remove_parametrizations(up, "weight")
        nn.init.zeros_(up.weight)
    picture = torch.rand(1, 1, SIDE, SIDE)
    other = picture.clone()
    other[..., 16, 16] += 1
    changed = (network(picture) != network(other))[0, 0].nonzero()
    assert changed.min() >= 16 - 4  # four 3x3 convolutions at full resolution are left
    assert changed.max() <= 16 + 4
    assert len(changed) > 9


def test_unet_discriminator_needs_multiples_of_8() -> None:
    with pytest.raises(RuntimeError):
        made(unet)(torch.rand(1, 1, 20, 16))
