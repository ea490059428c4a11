"""Pictures of any shape are answered: those that no engine or resampler accepts hold no code and raise nothing."""

import numpy as np
import pytest

from app.pipeline.ladder import Ladder
from app.pipeline.results import Effort

SHAPES = [(1, 1), (3, 3), (20, 20), (21, 22), (1, 60_000), (60_000, 1), (24, 32_767), (33_000, 40), (16, 70_000)]


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: "x".join(map(str, shape)))
def test_no_code_and_no_error(ladder: Ladder, shape: tuple[int, int]) -> None:
    noise = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    for effort in Effort:
        outcome = ladder.run(noise, effort=effort)
        assert outcome.codes == ()
        assert (outcome.height, outcome.width) == shape
    restoration = ladder.restore(noise, binary=True)
    assert restoration.outcome.codes == ()
    assert not restoration.located
    assert restoration.image.dtype == np.uint8
    assert max(restoration.image.shape) <= max(shape)
