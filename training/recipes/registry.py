"""All recipes by name."""

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from training.recipes.advanced_simple_qr import advanced_simple_qr
from training.recipes.lenet import lenet, lenet_paper
from training.recipes.module_reader import module_reader
from training.recipes.nafnet import nafnet_32, nafnet_small
from training.recipes.papergen import papergen, papergen_staged, papergen_transposed
from training.recipes.qr_esrgan import qr_esrgan, qr_esrgan_full, qr_esrgan_psnr, qr_esrgan_psnr_full
from training.recipes.quad_locator import quad_locator
from training.recipes.restormer import (
    eg_restormer,
    eg_restormer_small,
    eg_restormer_small_as_coded,
    restormer,
    restormer_small,
)
from training.recipes.srgan import srgan
from training.recipes.srresnet import srresnet, srresnet_l1, srresnet_mse
from training.run.config import TrainConfig

Recipe = Callable[[], TrainConfig]


class VGG19Recipe(Protocol):
    """A recipe of the registry whose perceptual loss can use VGG19's weights from torchvision's file."""

    def __call__(self, *, vgg19: Path | None = None) -> TrainConfig: ...


RECIPES: dict[str, Recipe] = {
    "lenet": lenet,
    "lenet-paper": lenet_paper,
    "eg-restormer-small": eg_restormer_small,
    "eg-restormer-small-as-coded": eg_restormer_small_as_coded,
    "eg-restormer": eg_restormer,
    "srresnet-x4": srresnet,
    "module-reader": module_reader,
    "quad-locator": quad_locator,
    "papergen": papergen,
    "papergen-staged": papergen_staged,
    "papergen-transposed": papergen_transposed,
    "advanced-simple-qr": advanced_simple_qr,
    "srgan": srgan,
    "qr-esrgan-psnr": qr_esrgan_psnr,
    "qr-esrgan-psnr-full": qr_esrgan_psnr_full,
    "qr-esrgan": qr_esrgan,
    "qr-esrgan-full": qr_esrgan_full,
    "srresnet-l1": srresnet_l1,
    "srresnet-mse": srresnet_mse,
    "restormer-small": restormer_small,
    "nafnet-small": nafnet_small,
    "restormer": restormer,
    "nafnet-32": nafnet_32,
}
VGG19_RECIPES: dict[str, VGG19Recipe] = {
    "srgan": srgan,
    "qr-esrgan": qr_esrgan,
    "qr-esrgan-full": qr_esrgan_full,
}
"""Recipes that take torchvision's file of VGG19's weights, by name."""


def find_recipe(name: str, *, vgg19: Path | None = None) -> TrainConfig:
    """Finds a recipe's configuration by its name in the registry, or by MODULE:FUNCTION for recipes outside this
    package.

    ``vgg19``: torchvision's weights, for recipes with a perceptual loss. Raises ValueError for an unknown recipe or one
    without perceptual loss, InvalidCheckpoint for another file, ImportError and AttributeError for a missing module or
    function.
    """
    if vgg19 is not None:
        if name not in VGG19_RECIPES:
            raise ValueError(f"--vgg19 applies only to {', '.join(VGG19_RECIPES)}")
        return VGG19_RECIPES[name](vgg19=vgg19)
    if name in RECIPES:
        return RECIPES[name]()
    module, _, function = name.partition(":")
    if not function:
        raise ValueError(f"unknown recipe {name!r}; the recipes are {', '.join(RECIPES)}, or MODULE:FUNCTION")
    config: TrainConfig = getattr(importlib.import_module(module), function)()
    return config
