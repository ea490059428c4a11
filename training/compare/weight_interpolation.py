"""Network interpolation: mixes the weights of two trainings of one network.

Wang et al., "ESRGAN", ECCV workshops 2018, section 3.4: theta = (1 - a) theta_PSNR + a theta_GAN, for a share a in
[0, 1], a network trained for PSNR and the same network trained further with a discriminator. Wortsman et al., "Robust
fine-tuning of zero-shot models", CVPR 2022, mix a network with the same one trained further on other data, so that it
keeps what it knew.
"""

import torch

from app.models.checkpoint import Checkpoint
from app.models.registry import NETWORKS


def interpolate_weights(first: Checkpoint, second: Checkpoint, share: float, *, name: str) -> Checkpoint:
    """Mixes the weights of two trainings: (1 - ``share``) times the values of ``first`` plus ``share`` times those of
    ``second``; integers, such as batch normalisation's counts, are those of ``first``.

    Running means and variances of batch normalisation, which ESRGAN's networks do not have, are interpolated too, which
    is not exact. Raises ValueError for a share outside [0, 1] and for networks of different architectures or
    configurations.
    """
    if not 0 <= share <= 1:
        raise ValueError(f"the share must be in [0, 1], not {share}")
    if (first.architecture, first.config) != (second.architecture, second.config):
        raise ValueError(
            f"{first.name} is {first.architecture} {dict(first.config)}, {second.name} is {second.architecture}"
            f" {dict(second.config)}: only two trainings of one network can be interpolated"
        )
    network = NETWORKS[first.architecture](**first.config)
    others = second.network.state_dict()
    network.load_state_dict(
        {
            key: torch.lerp(value, others[key], share) if value.is_floating_point() else value
            for key, value in first.network.state_dict().items()
        }
    )
    network.eval().requires_grad_(False)
    return Checkpoint(
        name=name,
        architecture=first.architecture,
        network=network,
        config=first.config,
        provenance={
            "recipe": "network interpolation",
            "share": share,
            "first": {"name": first.name, **first.provenance},
            "second": {"name": second.name, **second.provenance},
        },
    )
