"""Words one by one: the same as many at once."""

import numpy as np
import pytest

from app.pipeline.qrcode.reed_solomon import decode, encode
from app.pipeline.qrcode.single_words import correct_word


def word_of(rng: np.random.Generator, n: int, ec: int) -> np.ndarray:
    data = rng.integers(0, 256, (1, n - ec), dtype=np.uint8)
    return np.concatenate([data, encode(data, ec)], axis=1)[0]


@pytest.mark.parametrize(("n", "ec"), [(26, 7), (26, 17), (44, 16), (70, 30), (153, 30), (255, 2)])
def test_up_to_half_of_the_check_symbols_may_be_wrong(n: int, ec: int) -> None:
    rng = np.random.default_rng(n + ec)
    for errors in range(ec // 2 + 1):
        word = word_of(rng, n, ec)
        received = word.copy()
        at = rng.choice(n, errors, replace=False)
        received[at] ^= rng.integers(1, 256, errors, dtype=np.uint8)
        np.testing.assert_array_equal(correct_word(received, ec), word)


@pytest.mark.parametrize(("n", "ec"), [(26, 7), (44, 16), (70, 30)])
def test_the_same_as_many_words_at_once(n: int, ec: int) -> None:
    rng = np.random.default_rng(3)
    for errors in range(ec // 2 - 1, ec):
        received = word_of(rng, n, ec)
        received[rng.choice(n, errors, replace=False)] ^= rng.integers(1, 256, errors, dtype=np.uint8)
        words, ok, _ = decode(received[None], ec, np.zeros((1, n), np.bool_))
        single = correct_word(received, ec)
        assert (single is not None) == ok[0]
        if single is not None:
            np.testing.assert_array_equal(single, words[0])
