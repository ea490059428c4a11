import numpy as np
import pytest
import segno

from app.pipeline.qrcode.patterns import VERSIONS, alignment_centres, dimension, function_patterns, render, version_of
from tests.support.codes import Modules, encode


def masked(version: int, mask: int) -> Modules:
    return encode("7", version=version, error="l", mask=mask)


@pytest.mark.parametrize("version", VERSIONS)
def test_known_modules_are_those_of_an_encoder(version: int) -> None:
    modules = encode("3.14159", version=version, error="h")
    patterns = function_patterns(version)
    assert modules.shape == patterns.known.shape == (dimension(version),) * 2
    assert np.array_equal(modules[patterns.known], patterns.dark[patterns.known])
    assert not patterns.dark[~patterns.known].any()


@pytest.mark.parametrize("version", VERSIONS)
def test_data_modules_are_those_that_masks_change(version: int) -> None:
    """Two symbols with the same codewords differ where their mask patterns differ, and in their format information."""
    row, column = np.indices((dimension(version),) * 2)
    patterns = function_patterns(version)
    differs = masked(version, 0) ^ masked(version, 1)
    assert np.array_equal(differs & patterns.data, ((row + column) % 2 != row % 2) & patterns.data)
    elsewhere = differs & ~patterns.data
    assert not (elsewhere & patterns.known).any()
    near_finders = (np.minimum(row, column) <= 8) & ((row == 8) | (column == 8))
    assert not (elsewhere & ~near_finders).any()


@pytest.mark.parametrize(
    ("version", "count"),
    [(1, 208), (2, 359), (6, 1383), (7, 1568), (14, 4651), (21, 9252), (28, 15371), (35, 23008), (40, 29648)],
)
def test_data_modules_count_as_in_the_standard(version: int, count: int) -> None:
    assert int(function_patterns(version).data.sum()) == count


@pytest.mark.parametrize("version", VERSIONS)
def test_the_other_modules_are_format_and_version_information(version: int) -> None:
    patterns = function_patterns(version)
    assert not (patterns.known & patterns.data).any()
    assert int((~patterns.known & ~patterns.data).sum()) == (30 if version < 7 else 66)


@pytest.mark.parametrize(
    ("version", "centres"),
    [
        (1, ()),
        (2, (6, 18)),
        (7, (6, 22, 38)),
        (15, (6, 26, 48, 70)),
        (16, (6, 26, 50, 74)),
        (22, (6, 26, 50, 74, 98)),
        (32, (6, 34, 60, 86, 112, 138)),
        (36, (6, 24, 50, 76, 102, 128, 154)),
        (39, (6, 26, 54, 82, 110, 138, 166)),
        (40, (6, 30, 58, 86, 114, 142, 170)),
    ],
)
def test_alignment_centres_as_in_annex_e(version: int, centres: tuple[int, ...]) -> None:
    assert alignment_centres(version) == centres


def test_dimension_and_version() -> None:
    assert [dimension(version) for version in (1, 2, 40)] == [21, 25, 177]
    assert [version_of(dimension(version)) for version in VERSIONS] == list(VERSIONS)
    assert [version_of(modules) for modules in (0, 17, 20, 22, 23, 181)] == [None] * 6


def test_patterns_are_shared_and_cannot_be_written() -> None:
    patterns = function_patterns(3)
    assert patterns is function_patterns(3)
    for array in (patterns.known, patterns.dark, patterns.data):
        with pytest.raises(ValueError, match="read-only"):
            array[0, 0] = False


def test_render_draws_dark_on_light_with_a_quiet_zone() -> None:
    drawn = render(np.array([[True, False], [False, True]]), pixels=3, quiet_zone=1)
    light, dark = np.full((3, 3), 255, np.uint8), np.zeros((3, 3), np.uint8)
    expected = np.block([[light] * 4, [light, dark, light, light], [light, light, dark, light], [light] * 4])
    assert drawn.dtype == np.uint8
    assert np.array_equal(drawn, expected)


def test_render_is_what_an_encoder_draws() -> None:
    code = segno.make("same picture", error="q", micro=False)
    rows = [[255 * (1 - bit) for bit in row] for row in code.matrix_iter(scale=5, border=4)]
    modules = np.array([list(row) for row in code.matrix], dtype=np.bool_)
    assert np.array_equal(render(modules, pixels=5), np.array(rows))
