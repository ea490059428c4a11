"""The two sides' losses by hand, and that each pulls its own way."""

import math
from typing import Any

import pytest
import torch
from torch import nn

from training.objectives.adversarial import AdversarialLosses, Adversary, relativistic_average, standard

BOTH = pytest.mark.parametrize("losses", [standard, relativistic_average])


def log_sigmoid(logit: float) -> float:
    return -math.log1p(math.exp(-logit))


def test_standard_by_hand() -> None:
    judge, maker = standard(torch.tensor([2.0, -1.0]), torch.tensor([0.5, 3.0]))
    real = -(log_sigmoid(2.0) + log_sigmoid(-1.0)) / 2
    assert float(judge) == pytest.approx(real - (log_sigmoid(-0.5) + log_sigmoid(-3.0)) / 2)
    assert float(maker) == pytest.approx(-(log_sigmoid(0.5) + log_sigmoid(3.0)) / 2)


def test_relativistic_average_by_hand() -> None:
    """Means: 1 of the real, 3 of the fake; so the real logits count as -1 and -3, the fake ones as 1 and 3."""
    judge, maker = relativistic_average(torch.tensor([2.0, 0.0]), torch.tensor([2.0, 4.0]))
    unlikely = -(log_sigmoid(-1.0) + log_sigmoid(-3.0)) / 2
    likely = -(log_sigmoid(1.0) + log_sigmoid(3.0)) / 2
    assert float(judge) == pytest.approx(2 * unlikely)
    assert float(maker) == pytest.approx(2 * likely)


@BOTH
@pytest.mark.parametrize("shape", [(3,), (3, 1), (3, 1, 4, 5)], ids=str)
def test_logits_of_any_shape_give_scalars(losses: AdversarialLosses, shape: tuple[int, ...]) -> None:
    """Equal logits: nobody can tell, each of two halves costs log 2."""
    for loss, halves in zip(losses(torch.zeros(shape), torch.zeros(shape)), (2, 1), strict=True):
        assert loss.shape == ()
        expected = 2 if losses is relativistic_average else halves
        assert float(loss) == pytest.approx(expected * math.log(2))


@BOTH
def test_each_side_pulls_its_way(losses: AdversarialLosses) -> None:
    logits = torch.tensor([1.5, 0.2, -0.4]), torch.tensor([-0.3, 0.9])

    def slopes(side: int) -> tuple[Any, ...]:
        real, fake = (part.clone().requires_grad_() for part in logits)
        losses(real, fake)[side].backward()
        return real.grad, fake.grad

    real, fake = slopes(0)
    assert (real < 0).all()  # the discriminator raises the logits of real pictures
    assert (fake > 0).all()
    real, fake = slopes(1)
    assert (fake < 0).all()
    if losses is relativistic_average:
        assert (real > 0).all()
    else:
        assert real is None  # the generator of a standard pair never sees the real ones


@BOTH
def test_a_sure_discriminator_still_teaches(losses: AdversarialLosses) -> None:
    """Logits that saturate a sigmoid in float32 leave losses finite and the generator's slope at its steepest."""
    real, fake = torch.full((4,), 200.0), torch.full((4,), -200.0, requires_grad=True)
    judge, maker = losses(real, fake)
    assert float(judge.detach()) == pytest.approx(0, abs=1e-6)
    maker.backward()
    assert fake.grad is not None
    assert float(fake.grad.sum()) == pytest.approx(-2.0 if losses is relativistic_average else -1.0)


def test_logits_in_bfloat16_are_averaged_in_float32() -> None:
    logits = torch.linspace(-2, 2, 300).to(torch.bfloat16)
    for losses in (standard, relativistic_average):
        for rough, fine in zip(losses(logits, logits - 1), losses(logits.float(), logits.float() - 1), strict=True):
            assert rough.dtype == torch.float32
            assert float(rough) == pytest.approx(float(fine), rel=2e-3)


def discriminator() -> nn.Module:
    return nn.Conv2d(1, 1, 3)


def adversary(**changes: float) -> Adversary:
    values = {"weight": 1e-3, "learning_rate": 1e-4, **changes}
    return Adversary(make=discriminator, losses=standard, **values)


def test_an_adversary_joins_at_once_unless_told() -> None:
    assert adversary().start_share == 0
    assert adversary(start_share=0.5).start_share == 0.5
    assert isinstance(adversary().make(), nn.Conv2d)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"start_share": 1.0}, "must be in"),
        ({"start_share": -0.1}, "must be in"),
        ({"weight": 0.0}, "must be positive"),
        ({"learning_rate": -1e-4}, "must be positive"),
    ],
)
def test_adversaries_that_make_no_sense_are_refused(change: dict[str, float], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        adversary(**change)
