import numpy as np
import pytest
from numpy.typing import NDArray

from app.pipeline.crops.rectifying import rectify
from app.pipeline.engines.zxing import ZXing
from app.pipeline.imaging import GreyImage
from app.pipeline.locating.regions import Region
from app.pipeline.locating.registering import Registration
from app.pipeline.painting import paint
from app.pipeline.qrcode.patterns import function_patterns, render
from tests.support.codes import encode, photograph, square_at

TRUTH = encode("painted over", version=2)
BROKEN = TRUTH ^ (function_patterns(2).data & (np.random.default_rng(3).random(TRUTH.shape) < 0.12))
TILTED = np.array([[60.0, 35.5], [225.25, 50.0], [210.0, 230.0], [40.0, 205.0]])
SHAPE = (260, 280)


def region_of(picture: GreyImage, corners: NDArray[np.float64], *, inverted: bool = False) -> Region:
    crop = rectify(picture, corners, 25)
    return Region(Registration(corners, 2, 1.0, inverted), ~crop if inverted else crop)


def inside(corners: NDArray[np.float64], modules: float) -> NDArray[np.bool_]:
    """A mask of the pixels that the code and ``modules`` modules around it may touch."""
    side = 25 + 2 * modules
    drawn = photograph(np.ones((1, 1), bool), grown(corners, side / 25), SHAPE, dark=0, light=255)
    return drawn < 255


def grown(corners: NDArray[np.float64], factor: float) -> NDArray[np.float64]:
    """The quad a symbol's surroundings have, by the symbol's own projection."""
    margin = (factor - 1) / 2
    unit = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], float)
    rows = []
    for (u, v), (x, y) in zip(unit, corners, strict=True):
        rows += [[u, v, 1, 0, 0, 0, -x * u, -x * v], [0, 0, 0, u, v, 1, -y * u, -y * v]]
    matrix = np.append(np.linalg.solve(np.array(rows), corners.ravel()), 1).reshape(3, 3)
    projected = np.c_[unit * factor - margin, np.ones(4)] @ matrix.T
    return projected[:, :2] / projected[:, 2:]


@pytest.mark.parametrize("turn", range(4))
@pytest.mark.parametrize(("pixels", "apart"), [(4, 5.0), (8, 2.5), (16, 2.5)])
def test_a_clean_code_lies_where_the_broken_one_did(turn: int, pixels: int, apart: float) -> None:
    """Upsampling softens edges: ``apart`` is the mean difference in grey levels."""
    corners = np.roll(TILTED, turn, axis=0)
    picture = photograph(BROKEN, corners, SHAPE)
    assert ZXing().read(picture) == []
    painted = paint(picture, region_of(picture, corners), render(TRUTH, pixels=pixels))
    assert painted.shape == picture.shape
    assert painted.dtype == np.uint8
    assert [symbol.text for symbol in ZXing().read(painted)] == ["painted over"]
    wanted = photograph(TRUTH, corners, SHAPE).astype(int)
    assert np.abs(painted - wanted).mean() < apart
    assert np.corrcoef(painted.ravel(), wanted.ravel())[0, 1] > 0.97


def test_the_rest_of_the_picture_is_not_touched() -> None:
    paper = np.random.default_rng(0).integers(0, 256, SHAPE, dtype=np.uint8)
    picture = photograph(BROKEN, TILTED, SHAPE, paper=paper)
    before = picture.copy()
    painted = paint(picture, region_of(picture, TILTED), render(TRUTH, pixels=4))
    assert np.array_equal(picture, before)
    outside = ~inside(TILTED, 1.6)
    assert outside.sum() > 20_000
    assert np.array_equal(painted[outside], picture[outside])


def test_print_close_to_the_code_is_painted_over_for_one_module_only() -> None:
    """One module around the code becomes paper; print in the rest of the quiet zone stays."""
    close = photograph(np.ones((33, 33), bool), grown(TILTED, 33 / 25), SHAPE)
    picture = photograph(BROKEN, TILTED, SHAPE)
    picture[~inside(TILTED, 0)] = close[~inside(TILTED, 0)]
    painted = paint(picture, region_of(picture, TILTED), render(TRUTH, pixels=4))
    ring = ~inside(TILTED, 0.2) & inside(TILTED, 0.8)
    beyond = ~inside(TILTED, 1.3) & inside(TILTED, 2)
    assert np.median(painted[ring]) > 150
    assert np.median(picture[ring]) < 60
    assert np.array_equal(painted[beyond], picture[beyond])


@pytest.mark.parametrize(("dark", "light"), [(20, 230), (90, 140), (0, 60)])
def test_ink_and_paper_have_the_levels_of_the_picture(dark: int, light: int) -> None:
    corners = square_at(60.0, 50.0, 150.0)
    picture = photograph(BROKEN, corners, SHAPE, dark=dark, light=light)
    painted = paint(picture, region_of(picture, corners), render(TRUTH, pixels=4))
    code = painted[inside(corners, 0)]
    assert abs(np.percentile(code, 10) - dark) < 0.15 * (light - dark)
    assert abs(np.percentile(code, 90) - light) < 0.15 * (light - dark)


def test_light_ink_on_dark_paper_stays_light() -> None:
    picture = ~photograph(BROKEN, TILTED, SHAPE)
    painted = paint(picture, region_of(picture, TILTED, inverted=True), render(TRUTH, pixels=8))
    wanted = ~photograph(TRUTH, TILTED, SHAPE)
    assert np.abs(painted.astype(int) - wanted).mean() < 2.5


def test_a_shadow_falls_on_what_is_painted() -> None:
    corners = square_at(60.0, 50.0, 150.0)
    shade = np.linspace(0.3, 1.0, SHAPE[1])
    picture = np.rint(photograph(BROKEN, corners, SHAPE) * shade).astype(np.uint8)
    painted = paint(picture, region_of(picture, corners), render(TRUTH, pixels=4))
    wanted = photograph(TRUTH, corners, SHAPE) * shade
    code = inside(corners, 0)
    assert np.abs(painted - wanted)[code].mean() < 12
    assert np.percentile(painted[code & (np.arange(SHAPE[1]) < 80)], 95) < 120


@pytest.mark.parametrize("module", [1.6, 2.5, 3.7])
def test_small_codes_are_painted_without_missing_modules(module: float) -> None:
    corners = square_at(30.3, 20.6, 25 * module)
    picture = photograph(BROKEN, corners, (140, 150))
    painted = paint(picture, region_of(picture, corners), render(TRUTH, pixels=16))
    wanted = photograph(TRUTH, corners, (140, 150)).astype(int)
    assert np.corrcoef(painted.ravel(), wanted.ravel())[0, 1] > 0.97


def test_a_code_beyond_the_picture_is_painted_within_it() -> None:
    corners = square_at(-20.0, 100.0, 150.0)
    picture = photograph(BROKEN, corners, SHAPE)
    painted = paint(picture, region_of(picture, corners), render(TRUTH, pixels=8))
    assert np.abs(painted - photograph(TRUTH, corners, SHAPE).astype(int)).mean() < 4
