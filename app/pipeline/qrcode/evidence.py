"""How much log-odds say for a codeword, in bits."""

from functools import cache
from math import comb, log2

import numpy as np
from numpy.typing import NDArray

# Bit channels that `evidence` compares: log-odds are multiplied by a scale and then clipped at a ceiling.
_SCALES = np.array([0.25, 0.5, 1, 2, 4], dtype=np.float32)[:, None, None]
_CEILINGS = np.array([1.5, 2.5, 4, 8], dtype=np.float32)[:, None]
_CHANNEL_BITS = log2(_SCALES.size * _CEILINGS.size)


def evidence(agreement: NDArray[np.float32]) -> float:
    """Evidence, in bits, that soft decoding has for given bits against fair coins; ``agreement`` (n,) has their
    log-odds, positive if they agree.

    That of the bit channel with the most evidence, less the bits that name the channel.
    """
    seen = np.clip(_SCALES * agreement, -_CEILINGS, _CEILINGS)
    return float(likelihood_bits(seen).sum(axis=-1).max()) - _CHANNEL_BITS


def likelihood_bits(agreement: NDArray[np.float32]) -> NDArray[np.float32]:
    """By how many bits log-odds, positive if they agree, make each bit likelier than a fair coin does: at most 1."""
    return np.asarray(1 - np.logaddexp2(0, -agreement / np.float32(np.log(2))), dtype=np.float32)


@cache
def byte_evidence(length: int, ec: int, erased: int, errors: int) -> float:
    """Evidence, in bits beyond those of the data, for a codeword of ``length`` bytes of which ``erased`` were erased
    and ``errors`` others were wrong."""
    return 8 * (ec - erased - errors) - log2(comb(length - erased, errors))
