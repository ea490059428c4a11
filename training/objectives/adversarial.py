"""What a generator and its discriminator each minimise, and how the second joins a run.

A loss takes logits, of any shape, of real and of restored pictures and gives the discriminator's loss and the
generator's, both scalar. A step asks twice: for the first with logits of restored pictures that are detached from the
generator, for the second with the discriminator's weights held.
"""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn import functional

AdversarialLosses = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
"""(logits of real, logits of fake) -> (discriminator's loss, generator's loss)."""


@dataclass(frozen=True, kw_only=True)
class Adversary:
    """A discriminator in a run: ``make`` builds it; it sees the clean pictures as real and the network's unclamped
    output as fake.

    ``weight`` is the generator's adversarial loss's in the whole loss; ``learning_rate`` is the discriminator's;
    ``after_minutes_share`` in [0, 1) is the part of the run before it joins. Raises ValueError outside that range, or
    for a weight or rate that is not positive.
    """

    make: Callable[[], nn.Module]
    losses: AdversarialLosses
    weight: float
    learning_rate: float
    after_minutes_share: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.after_minutes_share < 1:
            raise ValueError(f"after_minutes_share must be in [0, 1), not {self.after_minutes_share}")
        if self.weight <= 0 or self.learning_rate <= 0:
            raise ValueError(f"weight {self.weight} and learning rate {self.learning_rate} must be positive")


def standard(real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
    """Goodfellow et al. (NeurIPS 2014) with the generator's loss that does not saturate, as in SRGAN (Ledig et al.,
    CVPR 2017, Eq. 2 and 6).

    L_D = -E log s(real) - E log(1 - s(fake)); L_G = -E log s(fake); s the sigmoid, E the mean over all logits.
    """
    return _as_real(real) + _as_fake(fake), _as_real(fake)


def relativistic_average(real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
    """The relativistic average GAN (Jolicoeur-Martineau, ICLR 2019) of ESRGAN (Wang et al., ECCV workshops 2018,
    Eq. 1 and 2).

    A picture is judged against the mean of the other kind: r = real - E fake, f = fake - E real.
    L_D = -E log s(r) - E log(1 - s(f)); L_G = -E log(1 - s(r)) - E log s(f). E is the mean over the batch and, where
    there is a logit a pixel, over these. Real pictures take part in L_G too.
    """
    real_to_fake, fake_to_real = real - fake.mean(), fake - real.mean()
    return _as_real(real_to_fake) + _as_fake(fake_to_real), _as_fake(real_to_fake) + _as_real(fake_to_real)


def _as_real(logits: Tensor) -> Tensor:
    """-E log s(logits)."""
    return functional.softplus(-logits.float()).mean()


def _as_fake(logits: Tensor) -> Tensor:
    """-E log(1 - s(logits))."""
    return functional.softplus(logits.float()).mean()
