"""Batches hold scenes of the kinds that are asked for."""

import numpy as np
import pytest

from app.models.contract import STRIDE
from training.data.mixed_scenes import mixed_scene_batch
from training.data.scenes import MAX_CODES, SceneBatch

SIDE = 256


def batch(*, hard: float, lookalikes: float) -> SceneBatch:
    return mixed_scene_batch(np.random.default_rng(3), size=6, side=SIDE, hard=hard, lookalikes=lookalikes)


@pytest.mark.parametrize(("hard", "lookalikes"), [(1.0, 0.0), (0.0, 1.0), (0.0, 0.0), (0.4, 0.3)])
def test_batches_have_the_shape_of_the_network_and_number_the_codes(hard: float, lookalikes: float) -> None:
    one, same = (batch(hard=hard, lookalikes=lookalikes) for _ in range(2))
    cells = SIDE // STRIDE
    assert one.window.shape == (6, 1, SIDE, SIDE)
    assert one.corners.shape == (6, 8, cells, cells)
    assert np.array_equal(one.window, same.window)
    assert int(one.owner.max()) < MAX_CODES


def test_each_kind_is_another() -> None:
    kinds = [batch(hard=1.0, lookalikes=0.0), batch(hard=0.0, lookalikes=1.0), batch(hard=0.0, lookalikes=0.0)]
    assert len({one.window.numpy().tobytes() for one in kinds}) == 3
