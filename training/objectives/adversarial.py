"""Adversarial losses, and the configuration of a discriminator in a run.

An adversarial loss takes the logits, of any shape, of real and of restored pictures and returns two scalars: the
discriminator's loss and the generator's. A training step evaluates it twice: for the discriminator with restored
pictures detached from the generator, then for the generator with the discriminator's weights fixed.
"""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn import functional

AdversarialLosses = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
"""(logits of real, logits of fake) -> (discriminator's loss, generator's loss)."""


@dataclass(frozen=True, kw_only=True)
class Adversary:
    """A discriminator in a run: ``make`` builds it; clean pictures are real, the network's unclamped output is fake.

    ``weight`` multiplies the generator's adversarial loss; ``learning_rate`` is the discriminator's; it joins after
    ``start_share`` of the run, in [0, 1). Raises ValueError for a share outside that range and for a weight or rate
    that is not positive.
    """

    make: Callable[[], nn.Module]
    losses: AdversarialLosses
    weight: float
    learning_rate: float
    start_share: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.start_share < 1:
            raise ValueError(f"start_share must be in [0, 1), not {self.start_share}")
        if self.weight <= 0 or self.learning_rate <= 0:
            raise ValueError(f"weight {self.weight} and learning rate {self.learning_rate} must be positive")


def standard(real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
    """The losses of Goodfellow et al. (NeurIPS 2014) with the non-saturating generator's loss, as in SRGAN (Ledig et
    al., CVPR 2017, Eq. 2 and 6).

    L_D = -E log s(real) - E log(1 - s(fake)); L_G = -E log s(fake), where s is the sigmoid and E the mean over all
    logits.
    """
    return _as_real(real) + _as_fake(fake), _as_real(fake)


def relativistic_average(real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
    """The losses of the relativistic average GAN (Jolicoeur-Martineau, ICLR 2019), as in ESRGAN (Wang et al., ECCV
    workshops 2018, Eq. 1 and 2).

    A picture is compared with the mean of the other kind: r = real - E fake, f = fake - E real.
    L_D = -E log s(r) - E log(1 - s(f)); L_G = -E log(1 - s(r)) - E log s(f), where E is the mean over the batch and, if
    there is one logit per pixel, over the pixels. L_G depends on real pictures too.
    """
    real_to_fake, fake_to_real = real - fake.mean(), fake - real.mean()
    return _as_real(real_to_fake) + _as_fake(fake_to_real), _as_fake(real_to_fake) + _as_real(fake_to_real)


def _as_real(logits: Tensor) -> Tensor:
    """-E log s(logits)."""
    return functional.softplus(-logits.float()).mean()


def _as_fake(logits: Tensor) -> Tensor:
    """-E log(1 - s(logits))."""
    return functional.softplus(logits.float()).mean()
