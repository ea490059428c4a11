import numpy as np
import pytest
import reedsolo
from numpy.random import Generator
from numpy.typing import NDArray

from app.pipeline.qrcode.reed_solomon import (
    decode,
    encode,
    least_errors,
    parity_check,
    reduced_bases,
    reduced_basis,
    syndromes,
)

SHAPES = [(26, 7), (26, 17), (44, 10), (50, 18), (34, 22), (153, 30), (255, 30)]
Words = NDArray[np.uint8]


def codewords(rng: Generator, batch: int, n: int, ec: int) -> Words:
    data = rng.integers(0, 256, (batch, n - ec), dtype=np.uint8)
    return np.concatenate([data, encode(data, ec)], axis=1)


def damaged(rng: Generator, words: Words, erased: int, errors: int) -> tuple[Words, NDArray[np.bool_]]:
    """The words with ``erasures`` erased symbols and ``errors`` other wrong symbols."""
    places = rng.permuted(np.tile(np.arange(words.shape[1]), (len(words), 1)), axis=1)
    rows = np.arange(len(words))[:, None]
    received, erasures = words.copy(), np.zeros(words.shape, dtype=np.bool_)
    erasures[rows, places[:, :erased]] = True
    received[rows, places[:, :erased]] = rng.integers(0, 256, (len(words), erased), dtype=np.uint8)
    wrong = places[:, erased : erased + errors]
    received[rows, wrong] ^= rng.integers(1, 256, wrong.shape, dtype=np.uint8)
    return received, erasures


def reference(word: Words, ec: int, erasures: NDArray[np.bool_]) -> bytes | None:
    try:
        return bytes(reedsolo.RSCodec(ec).decode(bytes(word), erase_pos=np.flatnonzero(erasures).tolist())[1])
    except reedsolo.ReedSolomonError:
        return None


@pytest.mark.parametrize(("n", "ec"), SHAPES)
def test_check_symbols_are_those_of_another_encoder(n: int, ec: int) -> None:
    words = codewords(np.random.default_rng(n), 5, n, ec)
    assert [bytes(word) for word in words] == [bytes(reedsolo.RSCodec(ec).encode(bytes(word[:-ec]))) for word in words]
    assert not syndromes(words, ec).any()


@pytest.mark.parametrize(("n", "ec"), SHAPES)
def test_corrects_every_mixture_up_to_the_capacity(n: int, ec: int) -> None:
    rng = np.random.default_rng(ec)
    for erased in {0, 1, 2, ec // 2, ec - 2, ec}:
        errors = (ec - erased) // 2
        words = codewords(rng, 8, n, ec)
        received, erasures = damaged(rng, words, min(erased, n), errors)
        corrected, ok, found = decode(received, ec, erasures)
        assert ok.all()
        assert np.array_equal(corrected, words)
        assert (found == errors).all()


def test_a_batch_may_mix_words_with_different_erasures() -> None:
    rng = np.random.default_rng(3)
    words = codewords(rng, 30, 44, 10)
    received, erasures = words.copy(), np.zeros(words.shape, dtype=np.bool_)
    for i in range(len(words)):
        part = slice(i, i + 1)
        received[part], erasures[part] = damaged(rng, words[part], i % 11, int(rng.integers(0, (10 - i % 11) // 2 + 1)))
    corrected, ok, _ = decode(received, 10, erasures)
    assert ok.all()
    assert np.array_equal(corrected, words)


@pytest.mark.parametrize(("n", "ec", "erased"), [(26, 7, 0), (26, 7, 3), (44, 10, 4), (50, 18, 0), (34, 22, 21)])
def test_beyond_the_capacity_it_agrees_with_another_decoder(n: int, ec: int, erased: int) -> None:
    rng = np.random.default_rng(n + ec + erased)
    received, erasures = damaged(rng, codewords(rng, 40, n, ec), erased, (ec - erased) // 2 + 1)
    corrected, ok, _ = decode(received, ec, erasures)
    for word, flags, answer, is_ok in zip(received, erasures, corrected, ok, strict=True):
        expected = reference(word, ec, flags)
        if expected is not None:  # the other decoder goes beyond the bound where it happens to succeed
            errors = int(((np.frombuffer(expected, np.uint8) != word) & ~flags).sum())
            expected = expected if 2 * errors + erased <= ec else None
        assert bytes(answer) == (bytes(word) if expected is None else expected)
        assert bool(is_ok) == (expected is not None)
    assert not syndromes(corrected[ok], ec).any()


def test_too_many_erasures_are_refused() -> None:
    words = codewords(np.random.default_rng(0), 1, 26, 7)
    erasures = np.arange(26)[None] < 8
    assert not decode(words, 7, erasures)[1].any()


def test_all_zero_is_a_codeword_and_one_error_in_it_is_found() -> None:
    words = np.zeros((2, 26), dtype=np.uint8)
    words[1, 4] = 0x80
    corrected, ok, errors = decode(words, 7, np.zeros(words.shape, dtype=np.bool_))
    assert ok.all()
    assert not corrected.any()
    assert errors.tolist() == [0, 1]


@pytest.mark.parametrize(
    ("n", "ec", "reserved", "correctable"),
    [(26, 7, 3, 2), (26, 10, 2, 4), (26, 13, 1, 6), (26, 17, 1, 8), (44, 10, 2, 4), (70, 15, 1, 7), (44, 16, 0, 8)],
)
def test_reserved_symbols_bound_the_distance(n: int, ec: int, reserved: int, correctable: int) -> None:
    """The figures of table 9 of ISO/IEC 18004."""
    rng = np.random.default_rng(n)
    words = codewords(rng, 6, n, ec)
    for errors in (correctable, correctable + 1):
        received, erasures = damaged(rng, words, 0, errors)
        corrected, ok, _ = decode(received, ec, erasures, reserved)
        assert (ok & (corrected == words).all(axis=1)).all() == (errors == correctable)
        assert not (ok & (corrected != words).any(axis=1)).any()


def test_parity_checks_hold_for_codewords_only() -> None:
    words = codewords(np.random.default_rng(2), 4, 44, 10)
    bits = np.unpackbits(words, axis=1)
    assert not ((parity_check(44, 10).astype(int) @ bits.T) % 2).any()
    bits[:, 100] ^= 1
    assert ((parity_check(44, 10).astype(int) @ bits.T) % 2).any(axis=0).all()


def test_ordered_statistics_give_the_cheapest_pattern() -> None:
    """Compared with a search through all 256 codewords of a small code."""
    rng = np.random.default_rng(4)
    everyone = np.arange(256, dtype=np.uint8)[:, None]
    table = np.unpackbits(np.concatenate([everyone, encode(everyone, 3)], axis=1), axis=1)
    for _ in range(40):
        soft = rng.normal(size=32).astype(np.float32)
        hard = soft > 0
        wrong, cost = least_errors(reduced_basis(hard, np.abs(soft), 3), pairs=8, triples=8)
        costs = ((table != hard) * np.abs(soft)).sum(axis=1)
        assert cost >= costs.min() - 1e-4
        assert any(np.array_equal(hard ^ wrong, row) for row in table)
        assert cost == pytest.approx(float(costs[(table == (hard ^ wrong)).all(axis=1)][0]), rel=1e-4)
        # All but one in a thousand of such patterns have at most three errors in the eight most reliable bits.
        assert cost == pytest.approx(costs.min(), rel=1e-4)


def test_known_bits_are_kept() -> None:
    rng = np.random.default_rng(5)
    word = np.unpackbits(codewords(rng, 1, 44, 10)[0]).astype(np.bool_)
    soft = np.where(word, 1, -1) + rng.normal(size=word.shape) * 0.55
    known = np.zeros(word.shape, dtype=np.bool_)
    known[100:272] = True
    hard = np.where(known, word, soft > 0)
    wrong, cost = least_errors(
        reduced_basis(hard, np.where(known, np.inf, np.abs(soft)).astype(np.float32), 10), pairs=400
    )
    assert np.isfinite(cost)
    assert np.array_equal(hard ^ wrong, word)


def test_known_bits_that_fit_no_codeword_give_no_pattern() -> None:
    word = np.unpackbits(codewords(np.random.default_rng(6), 1, 26, 7)[0]).astype(np.bool_)
    word[30] ^= True
    cost = np.full(word.shape, np.inf, dtype=np.float32)
    cost[-8:] = 1.0
    assert least_errors(reduced_basis(word, cost, 7), pairs=400)[1] == np.inf


def test_several_words_are_reduced_as_each_alone() -> None:
    rng = np.random.default_rng(7)
    soft = np.abs(rng.normal(size=26 * 8)).astype(np.float32)
    words = rng.random((3, 26 * 8)) < 0.5
    for word, basis in zip(words, reduced_bases(words, soft, 7), strict=True):
        alone = reduced_basis(word, soft, 7)
        for name in ("dependent", "free", "gap", "effect", "cost"):
            assert np.array_equal(getattr(basis, name), getattr(alone, name)), name
