import numpy as np
import pytest
import torch
from numpy.random import Generator

from training.data.crops import CropBatch
from training.data.progressive_patches import ProgressivePatches


def grey(rng: Generator, *, size: int, side: int) -> CropBatch:
    patch = torch.full((size, 1, side, side), float(rng.random()))
    return CropBatch(degraded=patch, clean=patch, dark=None)


def shape_at(share: float, patches: ProgressivePatches | None = None) -> tuple[int, int]:
    """Patches a batch, and pixels a side."""
    count, _, side, _ = (patches or ProgressivePatches(make=grey)).at(share)(np.random.default_rng(0)).degraded.shape
    return count, side


@pytest.mark.parametrize(
    ("thousands", "expected"),
    [
        (0, (8, 128)),
        (91.9, (8, 128)),
        (92, (5, 160)),
        (156, (4, 192)),
        (204, (2, 256)),
        (240, (1, 320)),
        (275.9, (1, 320)),
        (276, (1, 384)),
        (300, (1, 384)),
        (310, (1, 384)),
    ],
)
def test_patches_grow_and_batches_shrink_as_published(thousands: float, expected: tuple[int, int]) -> None:
    assert shape_at(thousands / 300) == expected


def test_sizes_and_shares_may_be_others() -> None:
    patches = ProgressivePatches(make=grey, sides=(16, 32), sizes=(4, 3), until=(0.5, 1.0))
    assert [shape_at(share, patches) for share in (0.0, 0.49, 0.5, 1.0)] == [(4, 16), (4, 16), (3, 32), (3, 32)]


def test_called_as_they_are_they_make_the_first_stage() -> None:
    patches = ProgressivePatches(make=grey)
    assert patches(np.random.default_rng(3)).degraded.shape == (8, 1, 128, 128)
    assert torch.equal(patches(np.random.default_rng(3)).clean, patches.at(0.0)(np.random.default_rng(3)).clean)
    assert not torch.equal(patches(np.random.default_rng(3)).clean, patches(np.random.default_rng(4)).clean)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sizes": (8, 4)}, "same length"),
        ({"sides": (), "sizes": (), "until": ()}, "at least 1"),
        ({"until": (0.2, 0.4, 0.4, 0.6, 0.8, 1.0)}, "increase"),
        ({"until": (0.4, 0.2, 0.5, 0.6, 0.8, 1.0)}, "increase"),
        ({"until": (0.1, 0.2, 0.3, 0.4, 0.5, 0.9)}, "to 1"),
        ({"until": (0.0, 0.2, 0.3, 0.4, 0.5, 1.0)}, "above 0"),
    ],
)
def test_stages_that_do_not_fit_together_are_refused(changes: dict[str, tuple[float, ...]], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ProgressivePatches(make=grey, **changes)
