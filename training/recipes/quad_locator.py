"""Recipe for the quad locator, which finds codes in windows of a picture."""

from functools import partial

from training.data.hard_scenes import HARD_DATA
from training.data.lookalike_scenes import LOOKALIKE_DATA
from training.data.mixed_scenes import mixed_scene_batch
from training.data.stretched_scenes import STRETCHED_DATA
from training.objectives.losses import quad_error, quad_loss
from training.run.config import TrainConfig
from training.run.sample_sheets import quad_sheet


def quad_locator() -> TrainConfig:
    """Trains the quad locator, on windows of synthetic scenes.

    ``python -m training quad-locator --threads 1``: 105 minutes on one of two virtual cores (AVX-512, bfloat16) shared
    with the module reader's run, 8,437 steps. Corner loss in units of a code's side: 0.44 after 40 steps, 0.19 after
    1,740, 0.063 at the end.

    In that run half of the scenes were hard (`training.data.hard_scenes`), and none was filled with lookalikes or
    stretched. Four more runs went on from it, with lookalikes, then also with stretched scenes: 65 minutes (6,568
    steps, seed 222), 24 (2,493, seed 333), 135 (7,848, seed 444) and 62 (5,714, seed 555, at a rate of 5e-4). The last
    one alone had the present mixture, with codes that the picture's end cuts off: of `cut` (n = 200) 91 % are read with
    the weights before it (90 %, mixed with 10 % of the first run's), and 97 % with its own. The shipped weights mix
    99 % of the last run with 1 % of the first (`training.compare.interpolate --share 0.99`); of `dark` and `cut` the
    mix reads one and two codes more than the last run alone.
    """
    batch_size = 16
    return TrainConfig(
        name="quad-locator",
        architecture="QuadLocator",
        network={"widths": (32, 64, 96, 160), "blocks": (1, 1, 2, 3), "residual_init": 0.1},
        make_batch=partial(mixed_scene_batch, size=batch_size, side=256, hard=0.45, lookalikes=0.12, stretched=0.1),
        loss=quad_loss,
        error=quad_error,
        picture=quad_sheet,
        data={
            "sample": "windows of 256 px, 12 % without a code, 35 % with one code of 0.55-0.95 of the side",
            "symbols": "versions 1-40 (weight 1 / (version + 2)) of 28-205 px, fair random bits; 8 % dots",
            "clutter": "plain, octave noise or dead leaves; bar codes, other matrices, lone finders, text, grids",
            "print": "quiet zone 0.5-6 modules, ink spread, logos 10 %, frames 10 %, inverted 6 %, see-through 10 %",
            "geometry": "any turn, tilt to 69 degrees (30 % steep), waves of up to 5 % of the side 30 %",
            "light": "gradients, shadows, glare 25 %, motion, shake, defocus, low resolution, noise, JPEG 10-95",
            **HARD_DATA,
            **LOOKALIKE_DATA,
            **STRETCHED_DATA,
        },
        minutes=105,
        batch_size=batch_size,
        learning_rate=1e-3,
        warmup_steps=200,
        seed=22,
    )
