"""Network interpolation: between two trainings of one network lies another, without training.

Wang et al., "ESRGAN", ECCV workshops 2018, section 3.4: from a network trained for PSNR and the same one trained on
with a discriminator comes theta = (1 - a) theta_PSNR + a theta_GAN, tensor by tensor, for any share a in [0, 1].
"""

import torch

from app.models.checkpoint import Checkpoint
from app.models.registry import NETWORKS


def interpolate(psnr: Checkpoint, gan: Checkpoint, share: float, *, name: str) -> Checkpoint:
    """(1 - ``share``) of one checkpoint's values and ``share`` of the other's; whole numbers, such as batch
    normalisation's counts, are the first one's.

    ESRGAN's networks have no batch normalisation; where there is one, its running means and variances are interpolated
    too, which is exact for neither. Raises ValueError for a share outside [0, 1] or networks that are not of one
    architecture and configuration.
    """
    if not 0 <= share <= 1:
        raise ValueError(f"a share is in [0, 1], not {share}")
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
