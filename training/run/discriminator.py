"""The discriminator's side of an adversarial run."""

import torch
from torch import Tensor, nn

from training.objectives.adversarial import Adversary
from training.run.parallel import Team
from training.run.state import Parts, moments, restore_moments


class Opponent:
    """A discriminator with its own optimizer: learns one step at a time, and tells the generator how it was caught.

    Adam without weight decay (Goodfellow et al., "Generative Adversarial Nets", NIPS 2014, algorithm 1 with one
    discriminator step for each of the generator's). It sees the generator's output as it is, not clamped.
    """

    def __init__(self, adversary: Adversary, *, betas: tuple[float, float], team: Team) -> None:
        self.adversary = adversary
        self.network = adversary.make().to(team.device)
        self.optimizer = torch.optim.Adam(self.network.parameters(), lr=adversary.learning_rate, betas=betas)
        self._team = team
        self._together: nn.Module | None = None

    def meet(self, real: Tensor, fake: Tensor, *, factor: float, bfloat16: bool) -> tuple[Tensor, dict[str, float]]:
        """A step of the discriminator on ``real`` and ``fake``, then the generator's loss against the new weights.

        ``fake`` carries the generator's graph; ``factor`` is the share of the learning rates that the schedule leaves.
        Returns a scalar to add to the generator's loss, whose gradient is that of ``weight`` times the adversarial
        loss (its value is not), and what the log follows.
        """
        for group in self.optimizer.param_groups:
            group["lr"] = factor * self.adversary.learning_rate
        judged = self._learn(real, fake.detach(), bfloat16=bfloat16)
        seen = fake.detach().requires_grad_()
        with torch.no_grad():
            logits = self._judge(self.network, real, bfloat16=bfloat16)
        _, loss = self.adversary.losses(logits, self._judge(self.network, seen, bfloat16=bfloat16))
        # Only the picture's gradient is asked for, so that none gathers in the discriminator's weights.
        (slope,) = torch.autograd.grad(loss, seen)
        self._team.share_buffers(self.network)
        figures = {"discriminator_loss": judged, "adversarial_loss": float(loss.detach())}
        return self.adversary.weight * (fake * slope).sum(), figures

    def _learn(self, real: Tensor, fake: Tensor, *, bfloat16: bool) -> float:
        """A step whose gradient is not finite moves nothing."""
        if self._together is None:
            self._together = self._team.wrap(self.network)
        self.optimizer.zero_grad(set_to_none=True)
        logits = [self._judge(self._together, picture, bfloat16=bfloat16) for picture in (real, fake)]
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
        """What the run's state keeps."""
        return {"discriminator": self.network.state_dict(), "opponent": moments(self.optimizer)}

    def restore(self, parts: Parts) -> None:
        """Goes on from ``parts``; begins anew where a run that had no discriminator has left none."""
        if "discriminator" in parts:
            self.network.load_state_dict(parts["discriminator"])
            restore_moments(self.optimizer, parts.get("opponent", {}))
