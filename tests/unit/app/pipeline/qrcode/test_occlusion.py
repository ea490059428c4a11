import numpy as np
import pytest

from app.pipeline.qrcode.log_odds import LogOdds
from app.pipeline.qrcode.occlusion import leave_out_patches
from tests.support.codes import encode


def log_odds_of(version: int, mask: int) -> LogOdds:
    return np.where(encode("whole", version=version, error="h", mask=mask), 5, -5).astype(np.float32)


@pytest.mark.parametrize("mask", range(8))
@pytest.mark.parametrize("version", [1, 4, 10])
def test_a_symbol_without_a_patch_is_left_alone(version: int, mask: int) -> None:
    assert leave_out_patches(log_odds_of(version, mask)) is None


@pytest.mark.parametrize("tone", [-5, 5])
def test_a_patch_of_one_tone_is_left_out_and_little_else(tone: int) -> None:
    whole = log_odds_of(6, 3)
    covered = whole.copy()
    covered[12:26, 14:27] = tone
    left = leave_out_patches(covered)
    assert left is not None
    assert (left[12:26, 14:27] == 0).all()
    beside = np.ones(left.shape, dtype=np.bool_)
    beside[12:26, 14:27] = False
    assert (left[beside] == 0).sum() < 30  # modules of the same tone that touch it
    assert np.array_equal(left[beside & (left != 0)], whole[beside & (left != 0)])


def test_a_disc_is_left_out_up_to_its_rim() -> None:
    covered = log_odds_of(6, 3)
    rows, columns = np.indices(covered.shape)
    disc = np.hypot(rows - 20, columns - 20) < 7.5
    covered[disc] = 5
    left = leave_out_patches(covered)
    assert left is not None
    assert (left[disc] == 0).mean() > 0.9


def test_small_patches_are_taken_for_modules() -> None:
    covered = log_odds_of(6, 3)
    covered[15:19, 15:19] = 5
    covered[14, 14:20] = covered[19, 14:20] = covered[14:20, 14] = covered[14:20, 19] = -5
    assert leave_out_patches(covered) is None
