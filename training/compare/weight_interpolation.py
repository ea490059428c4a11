"""Network interpolation: mixes the weights of two trainings of one network.

Wang et al., "ESRGAN", ECCV workshops 2018, section 3.4: theta = (1 - a) theta_PSNR + a theta_GAN, for a share a in
[0, 1], a network trained for PSNR and the same network trained further with a discriminator.
"""

import torch

from app.models.checkpoint import Checkpoint
from app.models.registry import NETWORKS


def interpolate_weights(psnr: Checkpoint, gan: Checkpoint, share: float, *, name: str) -> Checkpoint:
    """Mixes the weights of two trainings: (1 - ``share``) times the values of ``psnr`` plus ``share`` times those of
    ``gan``; integers, such as batch normalisation's counts, are those of ``psnr``.

    Running means and variances of batch normalisation, which ESRGAN's networks do not have, are interpolated too, which
    is not exact. Raises ValueError for a share outside [0, 1] and for networks of different architectures or
    configurations.
    """
    if not 0 <= share <= 1:
        raise ValueError(f"the share must be in [0, 1], not {share}")
    if (psnr.architecture, psnr.config) != (gan.architecture, gan.config):
        raise ValueError(
            f"{psnr.name} is {psnr.architecture} {dict(psnr.config)}, {gan.name} is {gan.architecture}"
            f" {dict(gan.config)}: only two trainings of one network can be interpolated"
        )
    network = NETWORKS[psnr.architecture](**psnr.config)
    second = gan.network.state_dict()
    network.load_state_dict(
        {
            key: torch.lerp(first, second[key], share) if first.is_floating_point() else first
            for key, first in psnr.network.state_dict().items()
        }
    )
    network.eval().requires_grad_(False)
    return Checkpoint(
        name=name,
        architecture=psnr.architecture,
        network=network,
        config=psnr.config,
        provenance={
            "recipe": "network interpolation",
            "share": share,
            "psnr": {"name": psnr.name, **psnr.provenance},
            "gan": {"name": gan.name, **gan.provenance},
        },
    )
