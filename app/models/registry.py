"""Every architecture that a checkpoint may name."""

from torch import nn

from app.models.advanced_simple_qr import AdvancedSimpleQR
from app.models.eg_restormer import EGRestormer
from app.models.lenet import LENet
from app.models.module_reader import ModuleReader
from app.models.nafnet import NAFNet
from app.models.paper_gen import PaperGen
from app.models.quad_locator import QuadLocator
from app.models.restormer import Restormer
from app.models.rrdbnet import RRDBNet
from app.models.srgan import SRGANGenerator
from app.models.srresnet import SRResNet

NETWORKS: dict[str, type[nn.Module]] = {
    "LENet": LENet,
    "EGRestormer": EGRestormer,
    "Restormer": Restormer,
    "NAFNet": NAFNet,
    "SRResNet": SRResNet,
    "PaperGen": PaperGen,
    "AdvancedSimpleQR": AdvancedSimpleQR,
    "SRGANGenerator": SRGANGenerator,
    "RRDBNet": RRDBNet,
    "ModuleReader": ModuleReader,
    "QuadLocator": QuadLocator,
}
"""Architectures by the name that checkpoints state."""
