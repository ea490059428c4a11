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


def batch(hard: float, lookalikes: float, stretched: float) -> SceneBatch:
    rng = np.random.default_rng(3)
    return mixed_scene_batch(rng, size=6, side=SIDE, hard=hard, lookalikes=lookalikes, stretched=stretched)


@pytest.mark.parametrize(
    "shares", [(1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0), (0.0, 0.0, 0.0), (0.3, 0.3, 0.2)]
)
def test_batches_have_the_shape_of_the_network_and_number_the_codes(shares: tuple[float, float, float]) -> None:
    one, same = (batch(*shares) for _ in range(2))
    cells = SIDE // STRIDE
    assert one.window.shape == (6, 1, SIDE, SIDE)
    assert one.corners.shape == (6, 8, cells, cells)
    assert np.array_equal(one.window, same.window)
    assert int(one.owner.max()) < MAX_CODES


@pytest.mark.parametrize(
    "shares", [(1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0), (0.0, 0.0, 0.0), (0.4, 0.3, 0.2)]
)
def test_the_shares_are_those_asked_for(shares: tuple[float, float, float], monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[str] = []

    def maker(name: str) -> Callable[..., tuple[NDArray[np.float32], list[SceneCode]]]:
        def make(_: np.random.Generator, side: int) -> tuple[NDArray[np.float32], list[SceneCode]]:
            drawn.append(name)
            return np.zeros((side, side), np.float32), []

        return make

    wanted = dict(zip(("hard_scene", "lookalike_scene", "stretched_scene"), shares, strict=True), scene=1 - sum(shares))
    for name in wanted:
        monkeypatch.setattr(mixed_scenes, name, maker(name))
    hard, lookalikes, stretched = shares
    rng = np.random.default_rng(1)
    mixed_scene_batch(rng, size=400, side=64, hard=hard, lookalikes=lookalikes, stretched=stretched)
    for name, share in wanted.items():
        assert drawn.count(name) / 400 == pytest.approx(share, abs=0.08)
