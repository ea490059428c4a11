"""The networks, one file each, named as in their papers, and the one format in which their weights are kept."""

from torch import nn

from app.models.eg_restormer import EGRestormer
from app.models.lenet import LENet
from app.models.srresnet import SRResNet

NETWORKS: dict[str, type[nn.Module]] = {
    "LENet": LENet,
    "EGRestormer": EGRestormer,
    "SRResNet": SRResNet,
}
"""Every architecture a checkpoint may name."""
