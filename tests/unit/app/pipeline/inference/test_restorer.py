from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from app.models.checkpoint import Checkpoint
from app.models.contract import Kind
from app.models.registry import NETWORKS
from app.pipeline.imaging import GreyImage, normalise, pad, standardise
from app.pipeline.inference.loading import pick_device
from app.pipeline.inference.restorer import NetworkRestorer
from tests.support.networks import RESTORERS, restorer_of


class Made(nn.Module):
    """A network that applies a function; ``seen`` are its inputs."""

    kind = Kind.RESTORER

    def __init__(self, answer: Callable[[Tensor], Tensor], *, size_multiple: int = 1, scale: int = 1) -> None:
        super().__init__()
        self.answer, self.size_multiple, self.scale = answer, size_multiple, scale
        self.seen: list[Tensor] = []

    def forward(self, image: Tensor) -> Tensor:
        self.seen.append(image)
        return self.answer(image)


def restorer(network: nn.Module) -> NetworkRestorer:
    return restorer_of(Checkpoint("made", "Made", network, {}))


def real(architecture: str) -> NetworkRestorer:
    torch.manual_seed(3)
    return restorer(NETWORKS[architecture](**RESTORERS[architecture]))


def stretched(shape: tuple[int, int], seed: int = 0) -> GreyImage:
    """A crop of black and white only, which normalising does not change."""
    return np.random.default_rng(seed).choice(np.array([0, 255], np.uint8), shape)


# --- normalise and pad ----------------------------------------------------------------------------------------------


def test_normalise_stretches_percentiles_over_the_unit_range() -> None:
    crop = np.arange(101, dtype=np.uint8).reshape(1, 101) + 50
    normal = normalise(crop)[0]
    assert normal.dtype == np.float32
    assert (normal[:3] == 0).all()
    assert (normal[98:] == 1).all()
    assert normal[50] == pytest.approx(0.5)
    assert np.allclose(np.diff(normal[2:99]), 1 / 96)


def test_normalise_does_not_depend_on_contrast() -> None:
    crop = np.random.default_rng(1).integers(0, 100, (20, 20), dtype=np.uint8)
    assert np.allclose(normalise(crop), normalise(2 * crop + 30), atol=1e-6)


@pytest.mark.parametrize("grey", [0, 77, 255])
def test_flat_crops_become_middle_grey(grey: int) -> None:
    assert (normalise(np.full((3, 4), grey, np.uint8)) == 0.5).all()


@pytest.mark.parametrize(
    ("greys", "expected"), [([10, 30], [-1, 1]), ([0, 0, 255], [-0.7071, -0.7071, 1.4142]), ([7, 7], [0, 0])]
)
def test_standardise_gives_zero_mean_and_unit_deviation(greys: list[int], expected: list[float]) -> None:
    standard = standardise(np.array([greys], np.uint8))
    assert standard.dtype == np.float32
    assert standard[0] == pytest.approx(expected, abs=1e-4)


def test_nearly_flat_crops_are_not_amplified() -> None:
    assert standardise(np.array([[7, 8]], np.uint8)).tolist() == [[-0.5, 0.5]]


def test_pad_repeats_the_border_right_and_below() -> None:
    crop = np.array([[1, 2, 3], [4, 5, 6]], np.float32)
    assert pad(crop, 4).tolist() == [[1, 2, 3, 3], [4, 5, 6, 6], [4, 5, 6, 6], [4, 5, 6, 6]]
    assert pad(crop, 1).tolist() == crop.tolist()


# --- restoring ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(9, 16), (8, 8), (1, 23)])
@pytest.mark.parametrize("scale", [1, 4])
def test_padding_is_added_and_removed(shape: tuple[int, int], scale: int) -> None:
    network = Made(lambda x: x.repeat_interleave(scale, 2).repeat_interleave(scale, 3), size_multiple=8, scale=scale)
    crop = stretched(shape)
    (restored,) = restorer(network).restore([crop])
    assert restored.dtype == np.uint8
    assert np.array_equal(restored, crop.repeat(scale, axis=0).repeat(scale, axis=1))
    (seen,) = network.seen
    assert seen.dtype == torch.float32
    assert seen.shape == (1, 1, -(-shape[0] // 8) * 8, -(-shape[1] // 8) * 8)


@pytest.mark.parametrize("shape", [(260, 192), (430, 250)])
def test_large_crops_are_enlarged_in_tiles_without_seams(shape: tuple[int, int]) -> None:
    torch.manual_seed(4)
    network = NETWORKS["SRResNet"](**RESTORERS["SRResNet"]).eval()
    crop = stretched(shape)
    with torch.inference_mode():
        whole = network(torch.from_numpy(crop)[None, None] / 255)[0, 0].clamp(0, 1).numpy() * 255
    watched = Made(network, scale=4)
    (restored,) = restorer(watched).restore([crop])
    assert restored.shape == (4 * shape[0], 4 * shape[1])
    assert np.abs(restored - whole).max() < 1.01
    assert max(max(seen.shape) for seen in watched.seen) < max(shape)


def test_answers_are_clamped_and_rounded() -> None:
    values = torch.tensor([[-3.0, 0.0, 100.4 / 255, 100.6 / 255, 1.0, 7.0]])
    (restored,) = restorer(Made(lambda _: values[None, None])).restore([np.zeros((1, 6), np.uint8)])
    assert restored.tolist() == [[0, 0, 100, 101, 255, 255]]


def test_half_precision_answers_are_widened_first() -> None:
    (restored,) = restorer(Made(lambda x: x.bfloat16())).restore([stretched((5, 5))])
    assert np.array_equal(restored, stretched((5, 5)))


@pytest.mark.parametrize("architecture", RESTORERS)
def test_a_batch_equals_single_calls(architecture: str) -> None:
    runner = real(architecture)
    crops = [np.random.default_rng(seed).integers(0, 256, (13, 21), dtype=np.uint8) for seed in range(3)]
    together = runner.restore(crops)
    assert len(together) == 3
    for crop, batched in zip(crops, together, strict=True):
        (alone,) = runner.restore([crop])
        assert batched.shape == (13 * runner.scale, 21 * runner.scale)
        assert np.abs(alone.astype(int) - batched).max() <= 1  # grey levels, by rounding
    assert not np.array_equal(together[0], together[1])


def test_networks_run_in_evaluation_mode_without_gradients() -> None:
    network = Made(lambda x: x)
    network.train()
    restorer(network).restore([stretched((4, 4))])
    assert not network.training
    assert network.seen[0].is_inference()


def test_name_and_scale_are_the_checkpoints() -> None:
    runner = restorer(Made(lambda x: x, scale=4))
    assert (runner.name, runner.scale) == ("made", 4)


def test_warm_up_runs_the_network_once() -> None:
    network = Made(lambda x: x)
    restorer(network).warm_up()
    assert len(network.seen) == 1


# --- device ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cuda", "mps", "expected"), [(True, True, "cuda"), (False, True, "mps"), (False, False, "cpu")]
)
def test_auto_picks_the_fastest_device(cuda: bool, mps: bool, expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    assert pick_device("auto") == expected
    assert pick_device("cpu") == "cpu"
