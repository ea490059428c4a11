"""Recipes for the published systems, one function per run.

Each uses the published data, losses and learning rates as far as they are known, in a size that two CPU cores can
train; sizes that need a GPU have separate recipes. Systems that upscale by four train on the pairs of
`training.data.pairs`; systems that keep the size train on the aligned crops that LENet and EG-Restormer use. Samples
are generated without end, so no validation part is held back: validation batches have their own seeds. Adam is AdamW
without weight decay.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from training.data.crops import aligned_batch
from training.data.pairs import pair_batch, pair_provenance
from training.data.published_degradations import BlurOrNoise
from training.objectives.adversarial import Adversary, standard
from training.objectives.discriminators import ConvDiscriminator
from training.objectives.losses import mean_squared_loss, pixel_loss
from training.recipes.adnet import eg_restormer, eg_restormer_small
from training.recipes.published_gans import qr_esrgan, qr_esrgan_full, qr_esrgan_psnr, qr_esrgan_psnr_full, srgan
from training.run.config import MakeBatch, TrainConfig

_VERSIONS = 4  # version 4 has 1.6 px per module at 64 px, quiet zone included
_BLUR_OR_NOISE = (
    "3 of 13 samples: gaussian kernel 3-11, sigma 1.1-1.6 at 256 px, then 64 px by area; 10 of 13: 64 px by area, then "
    "gaussian noise of (0.7-1.2) x 64 grey levels (published: 3 epochs of blur, then 10 of noise)"
)

_WHOLE_CODES = pair_provenance(low=64, max_version=_VERSIONS, degradation=_BLUR_OR_NOISE)


def _whole_codes(size: int) -> MakeBatch:
    return partial(pair_batch, size=size, low=64, scale=4, degradation=BlurOrNoise(), max_version=_VERSIONS)


# --- 64 -> 256 px: PaperGen, AdvancedSimpleQR, SRResNet ------------------------------------------------------------


def papergen() -> TrainConfig:
    """PaperGen, a student project's GAN, x4 on whole codes.

    ``python -m training papergen``: 30 minutes on two cores are about 13,500 samples (0.27 s of CPU time each). MSE
    plus 1e-3 times the adversarial loss; the project's weight is unknown, this is SRGAN's.
    """
    batch_size = 16
    return TrainConfig(
        name="papergen",
        architecture="PaperGen",
        network={"channels": 1, "width": 32, "blocks": 8, "upsampling": "pixelshuffle", "bicubic_skip": True},
        make_batch=_whole_codes(batch_size),
        loss=mean_squared_loss,
        data=dict(_WHOLE_CODES),
        minutes=30,
        batch_size=batch_size,
        learning_rate=2e-4,
        weight_decay=0.0,
        warmup_steps=20,
        adversary=Adversary(
            make=partial(ConvDiscriminator, channels=1, width=32), losses=standard, weight=1e-3, learning_rate=2e-4
        ),
        seed=31,
        picture_every=50,
    )


def papergen_transposed() -> TrainConfig:
    """PaperGen with transposed convolutions instead of PixelShuffle, otherwise unchanged.

    ``python -m training papergen-transposed``: as papergen, 0.25 s of CPU time per sample.
    """
    plain = papergen()
    return replace(plain, name="papergen-transposed", network={**plain.network, "upsampling": "transposed"})


def advanced_simple_qr() -> TrainConfig:
    """AdvancedSimpleQR, a student project's residual CNN, x4 on whole codes by MSE alone.

    ``python -m training advanced-simple-qr``: 30 minutes on two cores are about 23,000 samples (0.16 s of CPU time
    each). Eight blocks of width 32, as in papergen. The project's degradation is unknown; this is PaperGen's.
    """
    batch_size = 8
    return TrainConfig(
        name="advanced-simple-qr",
        architecture="AdvancedSimpleQR",
        network={"channels": 1, "width": 32, "groups": 4, "blocks": 2, "bicubic_skip": True},
        make_batch=_whole_codes(batch_size),
        loss=mean_squared_loss,
        data=dict(_WHOLE_CODES),
        minutes=30,
        batch_size=batch_size,
        learning_rate=1e-3,
        weight_decay=0.0,
        warmup_steps=50,
        seed=32,
    )


def srresnet_l1() -> TrainConfig:
    """SRResNet of 8 blocks with an L1 loss, x4 on whole codes; for comparison with srresnet-mse.

    ``python -m training srresnet-l1``: 30 minutes on two cores are about 19,000 samples (0.19 s of CPU time each). Adam
    on a cosine; ends early after 8 consecutive validations, one every 100 steps, without improvement.
    """
    batch_size = 8
    return TrainConfig(
        name="srresnet-l1",
        architecture="SRResNet",
        network={"channels": 1, "width": 32, "blocks": 8},
        make_batch=_whole_codes(batch_size),
        loss=pixel_loss,
        data=dict(_WHOLE_CODES),
        minutes=30,
        batch_size=batch_size,
        learning_rate=1e-3,
        weight_decay=0.0,
        warmup_steps=50,
        patience=8,
        validate_every=100,
        seed=33,
    )


def srresnet_mse() -> TrainConfig:
    """SRResNet with an MSE loss, otherwise the same as srresnet-l1, on the same batches.

    ``python -m training srresnet-mse``.
    """
    return replace(srresnet_l1(), name="srresnet-mse", loss=mean_squared_loss)


# --- the baselines of ADNet's Table 1, on the data of ADNet's own networks -------------------------------------------


def restormer_small() -> TrainConfig:
    """Restormer in a size that a CPU can train, on aligned crops: eg-restormer-small without edge guidance.

    ``python -m training restormer-small``: 30 minutes on two cores are about 34,000 samples (0.1 s of CPU time each),
    in the same batches as for eg-restormer-small.
    """
    return replace(eg_restormer_small(), name="restormer-small", architecture="Restormer")


def nafnet_small() -> TrainConfig:
    """NAFNet in a size that a CPU can train, on aligned crops.

    ``python -m training nafnet-small``: 30 minutes on two cores are about 50,000 samples (0.06 s of CPU time each).
    Most blocks are in the last encoder level, as in the paper.
    """
    plain = eg_restormer_small()
    return replace(
        plain,
        name="nafnet-small",
        architecture="NAFNet",
        network={
            "channels": 1,
            "width": 32,
            "encoder_blocks": (1, 1, 12),
            "middle_blocks": 1,
            "decoder_blocks": (1, 1, 1),
            "stem": plain.network["stem"],
            "residual_init": 0.1,
        },
    )


def restormer() -> TrainConfig:
    """Restormer at the paper's size (26 M parameters, no stem): needs a GPU.

    ``python -m training restormer --device cuda``. Not trained yet. The same as eg-restormer but for the edge guidance.
    """
    return replace(eg_restormer(), name="restormer", architecture="Restormer")


def nafnet_32() -> TrainConfig:
    """NAFNet-32 at the paper's size (17 M parameters, no stem): needs a GPU.

    ``python -m training nafnet-32 --device cuda``. Not trained yet. Learning rate, betas and weight decay are the
    paper's for GoPro.
    """
    plain = eg_restormer()
    return replace(
        plain,
        name="nafnet-32",
        architecture="NAFNet",
        make_batch=partial(aligned_batch, size=plain.batch_size, max_version=10, size_multiple=16),
        learning_rate=1e-3,
        betas=(0.9, 0.9),
        weight_decay=0.0,
    )


PUBLISHED: dict[str, Callable[[], TrainConfig]] = {
    "papergen": papergen,
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
