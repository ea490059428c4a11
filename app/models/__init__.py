"""The networks, one file each, named as in their papers, and the one format in which their weights are kept."""

from torch import nn

from app.models.eg_restormer import EGRestormer
from app.models.lenet import LENet
from app.models.module_reader import ModuleReader
from app.models.quad_locator import QuadLocator
from app.models.srresnet import SRResNet

NETWORKS: dict[str, type[nn.Module]] = {
    "LENet": LENet,
    "EGRestormer": EGRestormer,
    "SRResNet": SRResNet,
    "ModuleReader": ModuleReader,
    "QuadLocator": QuadLocator,
}
"""Every architecture a checkpoint may name."""
