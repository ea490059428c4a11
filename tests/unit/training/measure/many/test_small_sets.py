"""What the sets of Micro QR and of rMQR codes have in common."""

import numpy as np
import pytest

from tests.support.bench import shipped_tools
from training.measure.many.ceiling import count_readable
from training.measure.many.micro import MICRO_SETS
from training.measure.many.rectangular import RECTANGULAR_SETS
from training.measure.many.sets import pictures

COUNT = 8


@pytest.mark.parametrize("name", [*MICRO_SETS, *RECTANGULAR_SETS])
def test_pictures_depend_on_their_set_and_index_alone(name: str) -> None:
    whole = list(pictures(name, count=2))
    (second,) = pictures(name, start=1, count=1)
    assert np.array_equal(second.image, whole[1].image)
    assert whole[0].codes[0].symbol.payload != whole[1].codes[0].symbol.payload


@pytest.mark.parametrize("name", ["micro-M1", "micro-M2", "micro-M3", "micro-M4", "rmqr-small", "rmqr-large"])
def test_blurred_ones_can_be_read_by_whoever_finds_them(name: str) -> None:
    reader = shipped_tools().reader
    assert sum(count_readable(reader, one) for one in pictures(name, count=COUNT)) >= COUNT - 1
