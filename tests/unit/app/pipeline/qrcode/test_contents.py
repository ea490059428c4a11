"""Reading modules: every format, errors up to the capacity and beyond, mirror images."""

import numpy as np
import pytest
import segno

from app.pipeline.qrcode.codewords import blocks
from app.pipeline.qrcode.contents import correct_modules, read_contents
from app.pipeline.qrcode.patterns import FORMATS, dimension, format_positions, function_patterns, zigzag
from tests.support.codes import Modules, bits_of, encode, modules_of_bits


def spoil(modules: Modules, codewords: int, *, first: int = 0) -> Modules:
    """Inverts one module of each of so many drawn codewords, from number ``first`` on."""
    rows, columns = zigzag((len(modules) - 17) // 4)
    at = 8 * np.arange(first, first + codewords) + 5
    spoiled = modules.copy()
    spoiled[rows[at], columns[at]] ^= True
    return spoiled


@pytest.mark.parametrize(("level", "mask"), FORMATS)
def test_every_format(level: str, mask: int) -> None:
    contents = read_contents(modules_of_bits(bits_of(("byte", b"any format")), version=3, level=level, mask=mask))
    assert contents is not None
    assert (contents.version, contents.level, contents.mask) == (3, level, mask)
    assert contents.message.payload == b"any format"
    assert (contents.errors, contents.agreement, contents.mirrored) == (0, 1.0, False)


@pytest.mark.parametrize("version", [1, 6, 7, 14, 21, 27, 40])
def test_what_segno_writes(version: int) -> None:
    payload = bytes(np.random.default_rng(version).integers(0, 256, 10, dtype=np.uint8))
    code = segno.make(payload, version=version, mode="byte", micro=False)
    contents = read_contents(np.array([list(row) for row in code.matrix], dtype=np.bool_))
    assert contents is not None
    assert (contents.message.payload, contents.version, contents.level) == (payload, version, code.error)
    assert contents.mask == code.mask


@pytest.mark.parametrize(("version", "level"), [(1, "L"), (2, "M"), (5, "Q"), (7, "H"), (9, "H")])
def test_errors_up_to_the_capacity(version: int, level: str) -> None:
    structure = blocks(version, level)
    modules = modules_of_bits(bits_of(("byte", b"hello")), version=version, level=level)
    whole = read_contents(modules)
    assert whole is not None
    most = structure.count * (structure.ec // 2)
    # Check codewords come last and in turns, so that the last ones hit every block alike.
    first = len(structure.stream) - structure.ec * structure.count
    spoiled = read_contents(spoil(modules, most, first=first))
    assert spoiled is not None
    assert spoiled.message == whole.message
    assert spoiled.errors == most
    assert read_contents(spoil(modules, most + 1, first=first)) is None
    half = read_contents(spoil(modules, 1, first=first))
    assert half is not None
    assert half.errors == 1


def test_errors_are_those_of_what_was_seen() -> None:
    modules = modules_of_bits(bits_of(("byte", b"fog")), version=2, level="H")
    seen = spoil(modules, 20)
    contents = read_contents(modules, seen)
    assert contents is not None
    assert contents.errors == 20
    assert contents.message.payload == b"fog"


def test_agreement_falls_with_the_function_patterns() -> None:
    modules = encode("patterns", version=2)
    known = function_patterns(2).known
    flipped = modules ^ (known & (np.indices(modules.shape).sum(axis=0) % 4 == 0))
    flipped[8, :] = modules[8, :]
    flipped[:, 8] = modules[:, 8]
    contents = read_contents(flipped)
    assert contents is not None
    wrong = (flipped != modules)[known].mean()
    assert contents.errors == 0
    assert contents.agreement == pytest.approx(1 - 2 * wrong)
    assert 0.4 < contents.agreement < 0.8


def test_mirror_images() -> None:
    modules = encode("mirror", version=4)
    contents = read_contents(modules.T)
    assert contents is not None
    assert contents.mirrored
    assert contents.message.payload == b"mirror"


@pytest.mark.parametrize("mirrored", [False, True])
def test_corrected_modules_are_those_that_were_printed(mirrored: bool) -> None:
    printed = encode("printed without a fault", error="q")
    printed = printed.T if mirrored else printed
    seen = printed.copy()
    seen[9:12, 9:12] ^= True  # codewords
    seen[2, 2] ^= True  # a finder pattern
    corrected = correct_modules(seen)
    assert corrected is not None
    assert corrected[0] == read_contents(seen)
    assert np.array_equal(corrected[1], printed)


def test_modules_beyond_correction_have_no_corrected_ones() -> None:
    assert correct_modules(encode("gone", error="l") ^ (np.random.default_rng(0).random((21, 21)) < 0.3)) is None


def test_format_information_with_three_wrong_bits() -> None:
    modules = encode("format", version=2, mask=5)
    rows, columns = format_positions(2)
    modules[rows[:, :3], columns[:, :3]] ^= True
    contents = read_contents(modules)
    assert contents is not None
    assert contents.mask == 5
    modules[rows[:, 5:9], columns[:, 5:9]] ^= True
    assert read_contents(modules) is None


@pytest.mark.parametrize("shape", [(20, 20), (21, 25), (23, 23), (181, 181), (21,)])
def test_other_sizes_are_no_symbols(shape: tuple[int, ...]) -> None:
    assert read_contents(np.zeros(shape, dtype=np.bool_)) is None


def test_random_modules_are_never_believed() -> None:
    """Random blocks of level H are corrected in less than one case of 10,000; those of 1-L (7 check codewords of 26) in
    one of 12. The format information alone lets most of the others fail."""
    rng = np.random.default_rng(8)
    read = sum(read_contents(rng.random((dimension(3),) * 2) < 0.5) is not None for _ in range(500))
    assert read <= 1
