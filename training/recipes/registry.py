"""All recipes by name, and the recipes of the networks that read, upscale and locate codes."""

import importlib
from collections.abc import Callable
from functools import partial
from pathlib import Path

from training.data.crops import reading_batch, upscaling_batch
from training.data.pictures import reading_picture
from training.data.quads import quad_error, quad_loss, quad_picture, scene_batch
from training.objectives.losses import pixel_loss, reading_error, reading_loss
from training.recipes.adnet import ALIGNED_DATA, eg_restormer, eg_restormer_small, lenet, lenet_paper
from training.recipes.published import PUBLISHED
from training.recipes.published_gans import VGG19_RECIPES
from training.run.loop import TrainConfig


def srresnet() -> TrainConfig:
    """SRResNet x4 on low-resolution patches of any rotation.

    ``python -m training srresnet-x4 --threads 1``: 30 minutes on one of two virtual cores (AVX2) shared with two other
    runs, 471 steps. The engines read 96 % of noise64 from its output (n = 100, 90-98); zxing-cpp alone reads 32 %.
    """
    batch_size = 16
    return TrainConfig(
        name="srresnet-x4",
        architecture="SRResNet",
        network={"channels": 1, "width": 24, "blocks": 8},
        make_batch=partial(upscaling_batch, size=batch_size, patch=40),
        loss=pixel_loss,
        data={
            "sample": "40 px patches at 1-3.2 px a module, any turn (40 %) or a multiple of 90 degrees",
            "symbols": "function patterns of versions 1-8, fair random bits elsewhere",
            "degradation": "gaussian 0.2-0.8 modules (50 %), noise 0.25 u^2, JPEG 10-95 (50 %), contrast",
        },
        minutes=32,
        batch_size=batch_size,
        learning_rate=1e-3,
        seed=14,
    )


def module_reader() -> TrainConfig:
    """The module reader, on windows of aligned crops of all versions.

    ``python -m training module-reader --threads 1``: three runs on one of two virtual cores (AVX-512), the second and
    third starting from the weights of the previous one (``--start``): 105 minutes (4,414 steps), 27 (1,332) and 88
    (3,218). Module error on the training mixture was 12.7 % after the first run, 11 % after the second, and 7.5 % after
    the third, whose mixture was harder. Without soft decoding it decodes 78 % of the scene set after the second run and
    90 % (n = 100, 83-94) after the third.

    The shipped run was not uniform. Its first 970 steps drew versions with weight 1 / (version + 2); it then diverged
    at a rate of 1.5e-3 and continued at 1e-3. Its first 6,700 steps had less defocus, rarely over one module: such
    codes had 15-20 % wrong modules, and 3-5 % after 580 steps of the present mixture. A new run has the same mixture
    throughout.
    """
    batch_size = 16
    return TrainConfig(
        name="module-reader",
        architecture="ModuleReader",
        network={"pixels": 4, "width": 64, "blocks": 10, "residual_init": 0.1},
        make_batch=partial(reading_batch, size=batch_size, window=41),
        loss=reading_loss,
        error=reading_error,
        picture=reading_picture,
        data={
            **ALIGNED_DATA,
            "sample": "windows of 41 modules of canonical crops at 4 px a module, corners off by up to 0.5 module",
            "symbols": "function patterns of versions 1-40 (weight (version + 2) ** -1.6), fair random bits; 7 % dots",
            "sensor": "noise 0.1 u^2.5 for 75 %, or (22 %) 0.05-0.32 of the contrast; JPEG 10-95 for 67 %",
            "resolution": "0.95-2.6 px a module (35 %, coarse), else 2.6-8",
            "blur": "modules: motion 6.5 (33 %), shake 4.5 (6), defocus 2 (42), gaussian 1.15 (5), two (7), far ones "
            "more often; if coarse 0.35x, if grainy 0.15x, in parts without quiet zone 0.5x",
        },
        minutes=105,
        batch_size=batch_size,
        learning_rate=1e-3,
        warmup_steps=200,
        seed=21,
    )


def quad_locator() -> TrainConfig:
    """The quad locator, on windows of synthetic scenes.

    ``python -m training quad-locator --threads 1``: 105 minutes on one of two virtual cores (AVX-512, bfloat16) shared
    with the module reader's run, 8,437 steps. Corner loss in units of a code's side: 0.44 after 40 steps, 0.19 after
    1,740, 0.063 at the end.
    """
    batch_size = 16
    return TrainConfig(
        name="quad-locator",
        architecture="QuadLocator",
        network={"widths": (32, 64, 96, 160), "blocks": (1, 1, 2, 3), "residual_init": 0.1},
        make_batch=partial(scene_batch, size=batch_size, side=256),
        loss=quad_loss,
        error=quad_error,
        picture=quad_picture,
        data={
            "sample": "windows of 256 px, 12 % without a code, 35 % with one code of 0.55-0.95 of the side",
            "symbols": "versions 1-40 (weight 1 / (version + 2)) of 28-205 px, fair random bits; 8 % dots",
            "clutter": "plain, octave noise or dead leaves; bar codes, other matrices, lone finders, text, grids",
            "print": "quiet zone 0.5-6 modules, ink spread, logos 10 %, frames 10 %, inverted 6 %, see-through 10 %",
            "geometry": "any turn, tilt to 69 degrees (30 % steep), waves of up to 5 % of the side 30 %",
            "light": "gradients, shadows, glare 25 %, motion, shake, defocus, low resolution, noise, JPEG 10-95",
        },
        minutes=105,
        batch_size=batch_size,
        learning_rate=1e-3,
        warmup_steps=200,
        seed=22,
    )


Recipe = Callable[[], TrainConfig]

RECIPES: dict[str, Recipe] = {
    "lenet": lenet,
    "lenet-paper": lenet_paper,
    "eg-restormer-small": eg_restormer_small,
    "eg-restormer": eg_restormer,
    "srresnet-x4": srresnet,
    "module-reader": module_reader,
    "quad-locator": quad_locator,
    **PUBLISHED,
}


def find_recipe(name: str, *, vgg19: Path | None = None) -> TrainConfig:
    """The configuration of a recipe by its name, or by MODULE:FUNCTION for recipes outside this package.

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
