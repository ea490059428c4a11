from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from tests.support.tiny_recipes import adversarial, plain
from training.objectives.adversarial import Adversary, standard
from training.run.config import TrainConfig
from training.run.discriminator import DiscriminatorTrainer
from training.run.loop import Run
from training.run.parallel import Team
from training.run.progress import read_log

BETAS = (0.9, 0.99)


class Brightness(nn.Module):
    """One logit a picture: its mean, weighed."""

    def __init__(self, weight: float = 0.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(weight))

    def forward(self, picture: Tensor) -> Tensor:
        return self.weight * picture.mean(dim=(1, 2, 3))


def adversary(**changes: object) -> Adversary:
    usual = Adversary(make=Brightness, losses=standard, weight=0.5, learning_rate=0.1)
    return replace(usual, **changes)


def config(**changes: object) -> TrainConfig:
    return replace(adversarial(), steps=100, patience=None, **changes)


def started(directory: Path, chosen: TrainConfig) -> Run:
    run = Run(chosen, directory)
    run.clock.bfloat16 = False
    return run


def test_a_discriminator_learns_to_tell_real_from_fake() -> None:
    trainer = DiscriminatorTrainer(adversary(), betas=BETAS, team=Team())
    real, fake = torch.full((2, 1, 4, 4), 0.9), torch.full((2, 1, 4, 4), 0.1, requires_grad=True)
    losses = [trainer.step(real, fake, factor=1.0, bfloat16=False)[1]["discriminator_loss"] for _ in range(50)]
    assert losses[0] == pytest.approx(2 * 0.6931, abs=1e-3)
    assert losses[-1] < losses[0] - 0.1
    logits = trainer.network(torch.cat([real, fake]))
    assert logits[:2].min() > logits[2:].max()


def test_the_generator_is_given_the_gradient_of_its_weighted_loss() -> None:
    """Against autograd through the whole: with the discriminator standing still, whose rate is 0."""
    generator = nn.Conv2d(1, 1, 3, padding=1)
    trainer = DiscriminatorTrainer(adversary(make=lambda: Brightness(2.0)), betas=BETAS, team=Team())
    real, low = torch.rand(2, 1, 6, 6), torch.rand(2, 1, 6, 6)
    added, figures = trainer.step(real, generator(low), factor=0.0, bfloat16=False)
    added.backward()
    given = [parameter.grad.clone() for parameter in generator.parameters()]
    generator.zero_grad()
    loss = -(torch.sigmoid(2.0 * generator(low).mean(dim=(1, 2, 3)))).log().mean()
    (0.5 * loss).backward()
    for parameter, gradient in zip(generator.parameters(), given, strict=True):
        assert torch.allclose(parameter.grad, gradient, rtol=1e-4)
    assert figures["adversarial_loss"] == pytest.approx(float(loss.detach()), rel=1e-5)


def test_neither_side_moves_the_other() -> None:
    generator = nn.Conv2d(1, 1, 3, padding=1)
    trainer = DiscriminatorTrainer(adversary(make=lambda: Brightness(1.0)), betas=BETAS, team=Team())
    added, _ = trainer.step(torch.rand(2, 1, 6, 6), generator(torch.rand(2, 1, 6, 6)), factor=1.0, bfloat16=False)
    assert all(parameter.grad is None for parameter in generator.parameters())
    before = float(trainer.network.weight.grad)
    added.backward()
    assert float(trainer.network.weight.grad) == before


def test_a_discriminators_gradient_that_is_not_finite_moves_nothing() -> None:
    trainer = DiscriminatorTrainer(adversary(make=lambda: Brightness(1.0)), betas=BETAS, team=Team())
    trainer.step(torch.full((2, 1, 4, 4), torch.nan), torch.ones(2, 1, 4, 4), factor=1.0, bfloat16=False)
    assert float(trainer.network.weight.detach()) == 1.0


def test_an_adversarial_run_trains_both_and_logs_them_apart(tmp_path: Path) -> None:
    run = started(tmp_path, config())
    before = [value.clone() for value in run.discriminator.network.parameters()]
    run.train(stop_after=20)
    assert not all(
        torch.equal(one, other) for one, other in zip(before, run.discriminator.network.parameters(), strict=True)
    )
    (row,) = read_log(tmp_path)
    assert 0 < row["discriminator_loss"] < 10
    assert 0 < row["adversarial_loss"] < 10
    assert row["adversarial_loss"] != row["discriminator_loss"] != row["loss"]


def test_the_generator_feels_its_adversary(tmp_path: Path) -> None:
    without = started(tmp_path / "without", replace(config(), adversary=None))
    against = started(tmp_path / "against", config())
    for run in (without, against):
        run.train(stop_after=2)
    assert any(
        not torch.equal(one, other)
        for one, other in zip(without.network.parameters(), against.network.parameters(), strict=True)
    )


def test_an_adversary_may_join_later(tmp_path: Path) -> None:
    """Joins after a quarter of 100 steps: in the 26th."""
    chosen = config(adversary=replace(adversarial().adversary, start_share=0.25))
    run = started(tmp_path, chosen)
    run.train(stop_after=25)
    assert not run.discriminator.optimizer.state
    run.train(stop_after=15)
    assert len(run.discriminator.optimizer.state) == len(list(run.discriminator.network.parameters()))
    rows = read_log(tmp_path)
    assert [row["discriminator_loss"] > 0 for row in rows] == [False, True]  # nan before


def test_the_discriminators_rate_falls_with_the_generators(tmp_path: Path) -> None:
    run = started(tmp_path, config(learning_rate=0.01, warmup_steps=0))
    run.clock.step = 50
    run.train(stop_after=1)
    assert run.optimizer.param_groups[0]["lr"] == pytest.approx(0.005)
    assert run.discriminator.optimizer.param_groups[0]["lr"] == pytest.approx(0.5 * 1e-3)


def test_a_plain_run_may_become_an_adversarial_one(tmp_path: Path) -> None:
    """Its state has no discriminator: that begins anew; the log gains columns."""
    name = adversarial().name
    started(tmp_path, replace(plain(), name=name, steps=100)).train(stop_after=20)
    run = Run(config(), tmp_path)
    assert run.clock.step == 20
    run.train(stop_after=20)
    rows = read_log(tmp_path)
    assert [row["discriminator_loss"] > 0 for row in rows] == [False, True]


def test_provenance_names_the_adversary(tmp_path: Path) -> None:
    described = started(tmp_path, config()).checkpoint().provenance["adversary"]
    assert described == {
        "discriminator": "Sequential",
        "losses": "relativistic_average",
        "weight": 0.01,
        "learning_rate": 1e-3,
        "after_share": 0.001,
    }


def test_a_state_of_an_earlier_version_restores_the_optimizer() -> None:
    first, second = (DiscriminatorTrainer(adversary(), betas=BETAS, team=Team()) for _ in range(2))
    first.step(torch.ones(2, 1, 4, 4), torch.zeros(2, 1, 4, 4), factor=1.0, bfloat16=False)
    parts = first.parts()
    second.restore({"discriminator": parts["discriminator"], "opponent": parts["discriminator_optimizer"]})
    assert second.parts()["discriminator_optimizer"] == parts["discriminator_optimizer"] != {}
    assert torch.equal(second.network.weight, first.network.weight)
