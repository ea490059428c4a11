"""Recipe for the module reader, which reads canonical crops."""

from functools import partial

from training.data.crops import ALIGNED_DATA
from training.data.hard_readings import HARD_DATA, mixed_reading_batch
from training.objectives.losses import reading_error, reading_loss
from training.run.config import TrainConfig
from training.run.sample_sheets import reading_sheet


def module_reader() -> TrainConfig:
    """Trains the module reader, on windows of aligned crops of all versions.

    ``python -m training module-reader --threads 1``: three runs on one of two virtual cores (AVX-512), the second and
    third starting from the weights of the previous one (``--start``): 105 minutes (4,414 steps), 27 (1,332) and 88
    (3,218). Module error on the training mixture was 12.7 % after the first run, 11 % after the second, and 7.5 % after
    the third, whose mixture was harder. Without soft decoding it decodes 78 % of the scene set after the second run and
    90 % (n = 100, 83-94) after the third.

    The shipped run was not uniform. Its first 970 steps drew versions with weight 1 / (version + 2); it then diverged
    at a rate of 1.5e-3 and continued at 1e-3. Its first 6,700 steps had less defocus, rarely over one module: such
    codes had 15-20 % wrong modules, and 3-5 % after 580 steps of the mixture that followed.

    Half of the samples of the present mixture are hard (`training.data.hard_readings`). On it the weights of those
    three runs have 12.1 % wrong modules (the first 40 steps), 9.7 % after 90 more minutes in two processes (2,642 steps
    of 32 samples; mean of the last 12 rows), and 8.7 % after another 90 (6,974 steps, seed 502): the shipped weights.
    Of modules that nothing shows of under a logo, 18.5 % had log-odds beyond 3 before, and 3.5 % after the fourth run
    (`training.measure.reliability`, 60 crops). At their true corners creased codes are read in 54 % of 200 after the
    fourth run and in 67 % after the fifth.
    """
    batch_size = 16
    return TrainConfig(
        name="module-reader",
        architecture="ModuleReader",
        network={"pixels": 4, "width": 64, "blocks": 10, "residual_init": 0.1},
        make_batch=partial(mixed_reading_batch, size=batch_size, window=41, hard=0.5),
        loss=reading_loss,
        error=reading_error,
        picture=reading_sheet,
        data={
            **ALIGNED_DATA,
            "sample": "windows of 41 modules of canonical crops at 4 px a module, corners off by up to 0.5 module",
            "symbols": "function patterns of versions 1-40 (weight (version + 2) ** -1.6), fair random bits; 7 % dots",
            "sensor": "noise 0.1 u^2.5 for 75 %, or (22 %) 0.05-0.32 of the contrast; JPEG 10-95 for 67 %",
            "resolution": "0.95-2.6 px a module (35 %, coarse), else 2.6-8",
            "blur": "modules: motion 6.5 (33 %), shake 4.5 (6), defocus 2 (42), gaussian 1.15 (5), two (7), far ones "
            "more often; if coarse 0.35x, if grainy 0.15x, in parts without quiet zone 0.5x",
            **HARD_DATA,
        },
        minutes=105,
        batch_size=batch_size,
        learning_rate=1e-3,
        warmup_steps=200,
        seed=21,
    )
