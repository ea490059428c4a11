"""Trains the discriminator of an adversarial run."""

import torch
from torch import Tensor, nn

from training.objectives.adversarial import Adversary
from training.run.parallel import Team
from training.run.state import Parts, optimizer_state, restore_optimizer

_OPTIMIZER = "discriminator_optimizer"
_FORMER_OPTIMIZER = "opponent"  # the same part in states that earlier versions wrote


class DiscriminatorTrainer:
    """The discriminator of an adversarial run with its own optimizer, which takes one step for each step of the
    generator.

    Adam without weight decay; Goodfellow et al., "Generative Adversarial Nets", NIPS 2014, algorithm 1 with k = 1. The
    generator's output is not clamped.
    """

    def __init__(self, adversary: Adversary, *, betas: tuple[float, float], team: Team) -> None:
        self.adversary = adversary
        self.network = adversary.make().to(team.device)
        self.optimizer = torch.optim.Adam(self.network.parameters(), lr=adversary.learning_rate, betas=betas)
        self._team = team
        self._distributed: nn.Module | None = None

    def step(self, real: Tensor, fake: Tensor, *, factor: float, bfloat16: bool) -> tuple[Tensor, dict[str, float]]:
        """Takes a step on ``real`` and ``fake``, (N, C, H, W), and returns what the generator and the log need.

        ``fake`` carries the generator's graph; ``factor`` multiplies the discriminator's learning rate. Returns a
        scalar to add to the generator's loss, whose gradient, not its value, is that of ``weight`` times the
        adversarial loss under the discriminator's new weights; and the figures for the log.
        """
        for group in self.optimizer.param_groups:
            group["lr"] = factor * self.adversary.learning_rate
        discriminator_loss = self._learn(real, fake.detach(), bfloat16=bfloat16)
        seen = fake.detach().requires_grad_()
        with torch.no_grad():
            logits = self._judge(self.network, real, bfloat16=bfloat16)
        _, loss = self.adversary.losses(logits, self._judge(self.network, seen, bfloat16=bfloat16))
        # Only the gradient of the picture, so that the discriminator's weights accumulate none.
        (slope,) = torch.autograd.grad(loss, seen)
        self._team.average_buffers(self.network)
        figures = {"discriminator_loss": discriminator_loss, "adversarial_loss": float(loss.detach())}
        return self.adversary.weight * (fake * slope).sum(), figures

    def _learn(self, real: Tensor, fake: Tensor, *, bfloat16: bool) -> float:
        """Takes one step, unless its gradient is not finite; returns the loss before it."""
        if self._distributed is None:
            self._distributed = self._team.wrap(self.network)
        self.optimizer.zero_grad(set_to_none=True)
        logits = [self._judge(self._distributed, picture, bfloat16=bfloat16) for picture in (real, fake)]
        loss, _ = self.adversary.losses(logits[0], logits[1])
        loss.backward()
        norm = nn.utils.get_total_norm([p.grad for p in self.network.parameters() if p.grad is not None])
        if norm.isfinite():
            self.optimizer.step()
        return float(loss.detach())

    @staticmethod
    def _judge(network: nn.Module, picture: Tensor, *, bfloat16: bool) -> Tensor:
        with torch.autocast(picture.device.type, dtype=torch.bfloat16, enabled=bfloat16):
            logits: Tensor = network(picture)
        return logits.float()

    def parts(self) -> Parts:
        """The discriminator's parts of the run's state."""
        return {"discriminator": self.network.state_dict(), _OPTIMIZER: optimizer_state(self.optimizer)}

    def restore(self, parts: Parts) -> None:
        """Resumes from ``parts``; a state without a discriminator leaves the new one as it is."""
        if "discriminator" in parts:
            self.network.load_state_dict(parts["discriminator"])
            restore_optimizer(self.optimizer, parts.get(_OPTIMIZER, parts.get(_FORMER_OPTIMIZER, {})))
