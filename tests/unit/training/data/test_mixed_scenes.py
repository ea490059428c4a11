"""Batches hold scenes of the kinds that are asked for."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from app.models.contract import STRIDE
from training.data import mixed_scenes
from training.data.mixed_scenes import mixed_scene_batch
from training.data.scene_batches import SceneBatch
from training.data.scenes import MAX_CODES, SceneCode

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


@pytest.mark.parametrize(("hard", "lookalikes"), [(1.0, 0.0), (0.0, 1.0), (0.0, 0.0), (0.5, 0.3)])
def test_the_shares_are_those_asked_for(hard: float, lookalikes: float, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[str] = []

    def maker(name: str) -> Callable[..., tuple[NDArray[np.float32], list[SceneCode]]]:
        def make(_: np.random.Generator, side: int) -> tuple[NDArray[np.float32], list[SceneCode]]:
            drawn.append(name)
            return np.zeros((side, side), np.float32), []

        return make

    for name in ("hard_scene", "lookalike_scene", "scene"):
        monkeypatch.setattr(mixed_scenes, name, maker(name))
    mixed_scene_batch(np.random.default_rng(1), size=400, side=64, hard=hard, lookalikes=lookalikes)
    shares = {"hard_scene": hard, "lookalike_scene": lookalikes, "scene": 1 - hard - lookalikes}
    for name, share in shares.items():
        assert drawn.count(name) / 400 == pytest.approx(share, abs=0.08)
