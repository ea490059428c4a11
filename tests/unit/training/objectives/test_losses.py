import math

import pytest
import torch
from torch import Tensor

from training.data.crops import CropBatch
from training.objectives.losses import (
    Loss,
    WeightedSum,
    binary_pattern_loss,
    decoding_loss,
    loss_name,
    mean_squared_loss,
    module_error,
    module_logits,
    pixel_loss,
    reading_error,
    reading_loss,
)

SIDE = 9  # modules of a made-up symbol of 1 x 1 module in its quiet zone


def batch(clean: Tensor, dark: Tensor | None = None) -> CropBatch:
    return CropBatch(degraded=torch.zeros_like(clean), clean=clean, dark=dark)


def single_module(*, dark: bool) -> CropBatch:
    """One module amid a quiet zone of four, padded by four pixels."""
    modules = torch.zeros(1, 1, SIDE, SIDE)
    modules[..., 4, 4] = float(dark)
    clean = torch.ones(1, 1, 4 * SIDE + 4, 4 * SIDE + 4)
    clean[..., 16:20, 16:20] = 1 - float(dark)
    return batch(clean, modules)


def test_pixel_loss_is_the_mean_absolute_error() -> None:
    restored = torch.tensor([[[[0.0, 0.5], [1.0, 2.0]]]])
    assert float(pixel_loss(restored, batch(torch.tensor([[[[1.0, 0.5], [0.5, 0.0]]]])))) == pytest.approx(3.5 / 4)


def test_mean_squared_loss_is_the_mean_squared_error() -> None:
    restored = torch.tensor([[[[0.0, 0.5], [1.0, 2.0]]]])
    assert float(mean_squared_loss(restored, batch(torch.tensor([[[[1.0, 0.5], [0.5, 0.0]]]])))) == pytest.approx(
        (1 + 0.25 + 4) / 4
    )


# --- binary pattern -------------------------------------------------------------------------------------------------


def pattern(value: float, truth: float) -> float:
    return float(binary_pattern_loss(torch.full((1, 1, 2, 3), value), batch(torch.full((1, 1, 2, 3), truth))))


def test_binary_pattern_loss_by_hand() -> None:
    side = 1 / (1 + math.exp(-2))
    assert pattern(0.7, 1.0) == pytest.approx(4 * side * (1 - side) * 0.09)
    assert pattern(0.5, 1.0) == pytest.approx(0.25)
    assert pattern(0.5, 0.0) == pytest.approx(0.25)


def test_binary_pattern_loss_is_of_grey_pixels() -> None:
    """A right pixel costs nothing, grey or not; one as far from the truth costs more, the greyer it is."""
    assert pattern(0.5, 0.5) == 0
    assert pattern(0.0, 0.0) == 0
    assert pattern(0.5, 0.0) > 5 * pattern(1.0, 0.5) > 0
    assert pattern(1.0, 0.0) < 0.03


def test_binary_pattern_loss_is_a_mean_over_pixels() -> None:
    restored = torch.tensor([[[[0.5, 1.0], [1.0, 1.0]]]])
    assert float(binary_pattern_loss(restored, batch(torch.ones(1, 1, 2, 2)))) == pytest.approx(0.25 / 4)


@pytest.mark.parametrize("truth", [0.0, 1.0])
def test_binary_pattern_loss_always_pulls_towards_the_truth(truth: float) -> None:
    """Also from the wrong side, where a weight that is not constant would push away from it."""
    restored = torch.linspace(-0.2, 1.2, 29).view(1, 1, 1, -1).requires_grad_()
    binary_pattern_loss(restored, batch(torch.full((1, 1, 1, 29), truth))).backward()
    assert restored.grad is not None
    wrong = (restored.detach() - truth).abs() > 1e-6
    assert (restored.grad.sign() == (restored.detach() - truth).sign())[wrong].all()


# --- weighted sums --------------------------------------------------------------------------------------------------


def test_a_weighted_sum_adds_its_terms() -> None:
    torch.manual_seed(0)
    truth, restored = batch(torch.rand(2, 1, 4, 4)), torch.rand(2, 1, 4, 4)
    both = WeightedSum((("squares", 2.0, mean_squared_loss), ("pattern", 0.5, binary_pattern_loss)))
    squares, grey = float(mean_squared_loss(restored, truth)), float(binary_pattern_loss(restored, truth))
    parts = both.parts(restored, truth)
    assert list(parts) == ["squares", "pattern"]
    assert [float(part) for part in parts.values()] == pytest.approx([2 * squares, 0.5 * grey])
    assert float(both(restored, truth)) == pytest.approx(2 * squares + 0.5 * grey)


def test_the_gradient_of_a_weighted_sum_is_the_weighted_sum_of_gradients() -> None:
    truth = batch(torch.ones(1, 1, 2, 2))
    restored = torch.full((1, 1, 2, 2), 0.25, requires_grad=True)
    WeightedSum((("squares", 3.0, mean_squared_loss), ("pixels", 5.0, pixel_loss)))(restored, truth).backward()
    assert restored.grad is not None
    assert restored.grad.flatten().tolist() == pytest.approx([(3 * 2 * -0.75 - 5) / 4] * 4)


def test_a_weighted_sum_of_one_term() -> None:
    truth, restored = batch(torch.ones(1, 1, 2, 2)), torch.zeros(1, 1, 2, 2)
    assert float(WeightedSum((("pixels", 0.25, pixel_loss),))(restored, truth)) == 0.25


def test_provenance_can_name_every_loss() -> None:
    alone: Loss = WeightedSum((("grey", 0.1, binary_pattern_loss),))
    both = WeightedSum((("pixels", 1.0, mean_squared_loss), ("rest", 1e-3, alone)))
    assert loss_name(pixel_loss) == "pixel_loss"
    assert loss_name(both) == "1 pixels (mean_squared_loss) + 0.001 rest (0.1 grey (binary_pattern_loss))"

    class Nameless:
        def __call__(self, restored: Tensor, truth: CropBatch) -> Tensor:
            return restored.sum()

    assert loss_name(Nameless()) == "Nameless"


@pytest.mark.parametrize("names", [(), ("pixels", "pixels")])
def test_terms_need_names_of_their_own(names: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="different name"):
        WeightedSum(tuple((name, 1.0, pixel_loss) for name in names))


# --- of modules -----------------------------------------------------------------------------------------------------


def test_module_logits_are_of_each_modules_mean() -> None:
    restored = torch.zeros(1, 1, 12, 12)
    restored[..., :4, 4:8] = 1.0
    restored[..., 4:8, :2] = 1.0  # half a module
    restored[..., 8:, :] = 9.0  # padding
    restored[..., 8:] = 9.0
    assert module_logits(restored, 2).tolist() == [[[[4.0, -4.0], [0.0, 4.0]]]]


@pytest.mark.parametrize("dark", [True, False])
def test_decoding_loss_by_hand(dark: bool) -> None:
    truth = single_module(dark=dark)
    perfect = float(decoding_loss(truth.clean, truth))
    assert perfect == pytest.approx(0.5 * math.log1p(math.exp(-4)), rel=1e-4)
    grey = truth.clean.clone()
    grey[..., 16:20, 16:20] = 0.5
    pixels = 16 * 0.5 / grey.numel()
    assert float(decoding_loss(grey, truth)) == pytest.approx(pixels + 0.5 * math.log(2), rel=1e-4)


def test_decoding_loss_does_not_count_modules_of_the_quiet_zone() -> None:
    truth = single_module(dark=True)
    dirty = truth.clean.clone()
    dirty[..., :4, :4] = 0.0
    expected = 16 / dirty.numel() + 0.5 * math.log1p(math.exp(-4))
    assert float(decoding_loss(dirty, truth)) == pytest.approx(expected, rel=1e-4)


def test_decoding_loss_pulls_towards_the_truth() -> None:
    truth = single_module(dark=True)
    grey = torch.full_like(truth.clean, 0.5, requires_grad=True)
    decoding_loss(grey, truth).backward()
    assert grey.grad is not None
    assert (grey.grad[..., 16:20, 16:20] > 0).all()
    assert (grey.grad[..., :16, :] < 0).all()


def test_losses_on_modules_need_a_grid() -> None:
    clean = torch.ones(1, 1, 8, 8)
    with pytest.raises(ValueError, match="grid"):
        decoding_loss(clean, batch(clean))
    assert math.isnan(module_error(clean, batch(clean)))


def test_module_error_is_the_share_of_wrong_modules() -> None:
    modules = torch.zeros(2, 1, 10, 10)
    modules[:, :, 4:6, 4] = 1
    clean = torch.ones(2, 1, 40, 40)
    clean[:, :, 16:24, 16:20] = 0
    truth = batch(clean, modules)
    assert module_error(clean, truth) == 0
    assert module_error(1 - clean, truth) == 1
    one_wrong = clean.clone()
    one_wrong[0, :, 16:20, 16:20] = 0.51
    one_wrong[:, :, :16] = 0  # the quiet zone does not count
    assert module_error(one_wrong, truth) == 1 / 8


# --- of the module reader -------------------------------------------------------------------------------------------


def window() -> CropBatch:
    """Two windows of 2 x 3 modules; the standard fixes the first row of the first and all but one of the second."""
    dark = torch.tensor([[[[1.0, 0.0, 1.0], [0.0, 1.0, 1.0]]], [[[1.0, 1.0, 0.0], [0.0, 0.0, 1.0]]]])
    planes = torch.zeros(2, 4, 2, 3)
    planes[0, 0, 0] = 1
    planes[1, 0] = 1
    planes[1, 0, 1, 2] = 0
    return CropBatch(degraded=torch.zeros(2, 1, 8, 12), clean=1 - dark, dark=dark, planes=planes)


def test_reading_loss_by_hand() -> None:
    """The mean over the four modules that nobody knows, whichever window they are in."""
    truth = window()
    assert truth.dark is not None
    assert float(reading_loss(torch.zeros(2, 1, 2, 3), truth)) == pytest.approx(math.log(2))
    sure = torch.where(truth.dark == 1, 3.0, -3.0)
    assert float(reading_loss(sure, truth)) == pytest.approx(math.log1p(math.exp(-3)), rel=1e-5)
    sure[1, 0, 1, 2] = -3.0
    expected = (3 * math.log1p(math.exp(-3)) + math.log1p(math.exp(3))) / 4
    assert float(reading_loss(sure, truth)) == pytest.approx(expected, rel=1e-5)


def test_known_modules_do_not_count_in_readings() -> None:
    truth = window()
    assert truth.dark is not None
    assert truth.planes is not None
    log_odds = torch.where(truth.dark == 1, 3.0, -3.0)
    wrong = torch.where(truth.planes[:, :1] == 1, -9 * log_odds, log_odds).requires_grad_()
    loss = reading_loss(wrong, truth)
    assert float(loss.detach()) == pytest.approx(math.log1p(math.exp(-3)), rel=1e-5)
    assert reading_error(wrong, truth) == 0
    loss.backward()
    assert wrong.grad is not None
    assert (wrong.grad[truth.planes[:, :1] == 1] == 0).all()
    assert (wrong.grad[truth.planes[:, :1] == 0] != 0).all()


def test_reading_error_is_the_share_of_unknown_modules_that_are_wrong() -> None:
    truth = window()
    assert truth.dark is not None
    log_odds = torch.where(truth.dark == 1, 0.1, -0.1)
    assert reading_error(log_odds, truth) == 0
    assert reading_error(-log_odds, truth) == 1
    log_odds[0, 0, 1, 0] *= -1
    assert reading_error(log_odds, truth) == 0.25


def test_readings_need_a_grid_and_what_is_known_of_it() -> None:
    clean = torch.ones(1, 1, 2, 2)
    for unfit in (batch(clean), batch(clean, torch.zeros_like(clean))):
        for judge in (reading_loss, reading_error):
            with pytest.raises(ValueError, match="grid"):
                judge(clean, unfit)
