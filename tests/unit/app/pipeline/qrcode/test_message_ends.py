import numpy as np
import pytest
from numpy.typing import NDArray

from app.pipeline.qrcode.evidence import likelihood_bits
from app.pipeline.qrcode.message_ends import MOST_ENDS, PADDINGS, padding_evidence, rank_ends

HELLO = "0100 00000101 0100100001100101011011000110110001101111 0000"
HANZI = "1101 0001 00000010 0000110010011 0001011001001 0000"
GS1 = "0101 0010 000000100 00001001001 00001001001 0000"
UTF_8 = "0111 00011010 0100 00000010 1100001110100100 0000"
TWO_SEGMENTS = "0001 0000000001 0101 0100 00000001 11110111 0000"


def data_of(bits: str, padding: tuple[int, ...], codewords: int = 28) -> NDArray[np.bool_]:
    """(D, 8) bits of a message and its padding."""
    plain = bits.replace(" ", "")
    plain += "0" * (-len(plain) % 8)
    message = [int(plain[i : i + 8], 2) for i in range(0, len(plain), 8)]
    words = np.array((message + list(padding) * codewords)[:codewords], dtype=np.uint8)
    return np.unpackbits(words).astype(np.bool_).reshape(-1, 8)


@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("bits", [HELLO, HANZI, GS1, UTF_8, TWO_SEGMENTS], ids=["byte", "hanzi", "gs1", "eci", "two"])
def test_the_end_of_a_message_is_found_whatever_pads_it(bits: str, padding: tuple[int, ...]) -> None:
    data = data_of(bits, padding)
    soft = np.where(data, 4, -4) + np.random.default_rng(1).normal(0, 1.8, data.shape)
    ends = rank_ends(soft.astype(np.float32), 2)
    right = [end for end in ends if not (end.known & (end.ones != data)).any()]
    assert right
    assert right[0].known.ravel()[len(bits.replace(" ", "")) + 7 :].all()
    assert len(ends) <= MOST_ENDS
    if bits != TWO_SEGMENTS:
        assert right[0] is ends[0]
        assert right[0].known[0].all()  # the header


def test_an_idle_codeword_before_the_padding_is_expected() -> None:
    data = data_of(HELLO + "00000000", (0xEC, 0x11))
    best = rank_ends(np.where(data, 4, -4).astype(np.float32), 2)[0]
    assert not (best.known & (best.ones != data)).any()


def test_grey_padding_does_not_outweigh_a_clear_header() -> None:
    """Under mask 0 such padding is a chessboard, which a blur turns into grey: the reader guesses, and errs on half."""
    data = data_of(HELLO + "00000000", (0xFF,), 80)
    rng = np.random.default_rng(2)
    soft = np.where(data, 7, -7) + rng.normal(0, 1, data.shape)
    guess = rng.exponential(2, (71, 8))
    right = rng.random((71, 8)) < 1 / (1 + np.exp(-guess / 5))  # far less sure than it says
    soft[9:] = np.where(right == data[9:], guess, -guess)
    ends = rank_ends(soft.astype(np.float32), 4)
    assert any(not (end.known & (end.ones != data)).any() and end.known[:, 0].sum() > 70 for end in ends)


def test_noise_has_no_end_that_costs_a_trial() -> None:
    rng = np.random.default_rng(3)
    ends = [rank_ends((3 * rng.standard_normal((28, 8))).astype(np.float32), 2, 17.0) for _ in range(100)]
    assert sum(map(len, ends)) < 5


def test_the_evidence_of_padding_is_that_of_its_bits() -> None:
    soft = np.random.default_rng(4).normal(0, 3, (2, 9, 8)).astype(np.float32)
    found = padding_evidence(likelihood_bits(soft), likelihood_bits(-soft))
    assert found.shape == (len(PADDINGS), 2, 10)
    for number, padding in enumerate(PADDINGS):
        for begin in range(10):
            words = np.resize(np.array(padding, dtype=np.uint8), 9 - begin)
            ones = np.unpackbits(words).reshape(-1, 8).astype(np.bool_)
            bits = likelihood_bits(np.where(ones, soft[1, begin:], -soft[1, begin:])).sum()
            assert found[number, 1, begin] == pytest.approx(bits, abs=1e-3)
