"""Recipes for Restormer (Zamir et al., CVPR 2022) and ADNet's EG-Restormer (Li et al., arXiv 2510.12098)."""

from dataclasses import replace
from functools import partial

from app.models.eg_restormer import EdgeSource
from training.data.crops import ALIGNED_DATA, aligned_batch
from training.objectives.losses import decoding_loss
from training.recipes.lenet import STEM
from training.run.config import TrainConfig


def restormer_small() -> TrainConfig:
    """Trains Restormer in a size that a CPU can train, on aligned crops: eg-restormer-small without edge guidance.

    ``python -m training restormer-small``: 30 minutes on two cores are about 34,000 samples (0.1 s of CPU time each),
    in the same batches as for eg-restormer-small.
    """
    return _without_edges(eg_restormer_small(), name="restormer-small")


def restormer() -> TrainConfig:
    """Trains Restormer at the paper's size (26 M parameters, no stem): needs a GPU.

    ``python -m training restormer --device cuda``. Not trained yet. The same as eg-restormer but for the edge guidance.
    """
    return _without_edges(eg_restormer(), name="restormer")


def _without_edges(config: TrainConfig, *, name: str) -> TrainConfig:
    network = {key: value for key, value in config.network.items() if key != "edge_source"}
    return replace(config, name=name, architecture="Restormer", network=network)


def eg_restormer_small() -> TrainConfig:
    """Trains EG-Restormer in a size that a CPU can train, on aligned crops, with the edges of the paper's equations.

    ``python -m training eg-restormer-small --threads 1``: 1.0 (AMD EPYC) to 1.7 s (Xeon) of processor time a step in
    float32, and 2 GB. The shipped weights are 1,674 steps of eg-restormer-small-as-coded, then
    ``--start THAT.safetensors --seed 112 --steps 3348``: guidance starts neutral. That took an hour of the processor.
    """
    batch_size = 12
    return TrainConfig(
        name="eg-restormer-small",
        architecture="EGRestormer",
        network={
            "channels": 1,
            "width": 24,
            "blocks": (1, 2, 2, 3),
            "heads": (1, 2, 4, 8),
            "refinement": 1,
            "edge_source": EdgeSource.INPUT.value,
            "stem": STEM,
        },
        make_batch=partial(aligned_batch, size=batch_size, max_version=10, size_multiple=8 * STEM),
        loss=decoding_loss,
        data=dict(ALIGNED_DATA),
        minutes=100,
        batch_size=batch_size,
        learning_rate=1e-3,
        seed=12,
    )


def eg_restormer_small_as_coded() -> TrainConfig:
    """Trains eg-restormer-small with the edges of the authors' code, which do nothing, to compare it with.

    ``python -m training eg-restormer-small-as-coded --threads 1``: first 98 minutes on one of two virtual cores (AVX2)
    shared with two other runs, 1,674 steps. The data changed during that run: its first 480 steps had motion kernels
    that were not centred, its first 940 an easier mixture of motion and bends. From there the shipped weights went on
    with ``--seed 112 --steps 3348``, on the samples of eg-restormer-small in their order.
    """
    guided = eg_restormer_small()
    network = {**guided.network, "edge_source": EdgeSource.NORMALISED.value}
    return replace(guided, name="eg-restormer-small-as-coded", network=network)


def eg_restormer() -> TrainConfig:
    """Trains EG-Restormer at the paper's size (26 M parameters, no stem): needs a GPU.

    ``python -m training eg-restormer --device cuda``, with ``--gopro DIR`` for the paper's first stage. Not trained
    yet. AdamW from 3e-4 to 1e-6 on a cosine, betas 0.9 and 0.999, as published. The paper's growing patches belong to
    the first stage; here a batch holds whole crops of one version. There are no flips: a mirrored symbol is not valid.
    """
    batch_size = 16
    return TrainConfig(
        name="eg-restormer",
        architecture="EGRestormer",
        network={"channels": 1, "edge_source": EdgeSource.INPUT.value},
        make_batch=partial(aligned_batch, size=batch_size, max_version=10, size_multiple=8),
        loss=decoding_loss,
        data=dict(ALIGNED_DATA),
        minutes=600,
        batch_size=batch_size,
        learning_rate=3e-4,
        final_learning_rate=1e-6,
        betas=(0.9, 0.999),
        seed=13,
    )
