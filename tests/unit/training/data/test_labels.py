"""Labels lie where their homography says, and cover what is beneath."""

import numpy as np
import pytest

from app.pipeline.engines.zxing import ZXing
from app.pipeline.qrcode.patterns import QUIET_ZONE
from tests.support.codes import encode
from training.data import degrade
from training.data.labels import (
    PIXELS,
    Label,
    add_strip,
    facing,
    move,
    print_bars,
    print_text,
    put,
    symbol_label,
    transform,
)
from training.data.symbols import draw_symbol

SYMBOL = encode("label", version=1)


@pytest.fixture
def label() -> Label:
    return symbol_label(draw_symbol(SYMBOL, pixels=PIXELS))


def test_a_label_has_a_quiet_zone(label: Label) -> None:
    assert label.image.shape == (29 * PIXELS, 29 * PIXELS)
    margin = QUIET_ZONE * PIXELS
    assert label.corners.tolist() == [[margin, margin], [200, margin], [200, 200], [margin, 200]]
    assert (label.image[:margin] == 1).all()
    assert label.image[margin, margin] == 0


def test_put_covers_the_paper_and_nothing_else(label: Label) -> None:
    picture = np.full((200, 300), 0.5, dtype=np.float32)
    half = np.diag([0.5, 0.5, 1.0])
    corners = put(picture, label, move(half, 100, 40))
    assert np.allclose(corners, label.corners / 2 + [100, 40])
    assert np.allclose(picture[45:50, 105:210], 1, atol=1e-4)
    assert (picture[:, :99] == 0.5).all()
    assert (picture[:39] == 0.5).all()
    assert (picture[:, 217:] == 0.5).all()
    (symbol,) = ZXing().read(degrade.to_uint8(picture))
    assert symbol.payload == b"label"
    assert np.abs(symbol.corners.array - corners).max() < 1.5


def test_blur_reaches_beyond_the_paper(label: Label) -> None:
    sharp, soft = (np.zeros((200, 300), dtype=np.float32) for _ in range(2))
    matrix = move(np.diag([0.5, 0.5, 1.0]), 100, 40)
    put(sharp, label, matrix)
    put(soft, label, matrix, blur=lambda image: degrade.gaussian(image, sigma=3), reach=12)
    assert sharp[100, 97] == 0
    assert 0.05 < soft[100, 97] < 0.45
    assert abs(soft.sum() / sharp.sum() - 1) < 0.01


@pytest.mark.parametrize("place", [(-400.0, 0.0), (0.0, 5000.0)])
def test_outside_the_picture_nothing_is_put(label: Label, place: tuple[float, float]) -> None:
    picture = np.zeros((100, 100), dtype=np.float32)
    put(picture, label, move(np.eye(3), *place))
    assert not picture.any()


def test_labels_at_the_border_are_cut(label: Label) -> None:
    picture = np.zeros((100, 100), dtype=np.float32)
    put(picture, label, move(np.eye(3), -100, -100))
    assert picture.any()


def test_facing_keeps_the_middle_and_the_module(label: Label) -> None:
    rng = np.random.default_rng(0)
    turns = set()
    for _ in range(40):
        matrix = facing(rng, label, module=3.0, jitter=0.0, upright=1.0)
        frame = transform(label.frame, matrix)
        assert np.abs(frame.mean(axis=0)).max() < 1e-3
        side = frame[1] - frame[0]
        assert abs(np.hypot(*side) - 29 * 3) < 1e-3
        turns.add(round(np.arctan2(side[1], side[0]) / (np.pi / 2)) % 4)
    assert turns == {0, 1, 2, 3}


def test_a_strip_goes_below(label: Label) -> None:
    longer = add_strip(label, np.full((10, 58), 0.25, dtype=np.float32))
    assert longer.image.shape == (29 * PIXELS + 40, 29 * PIXELS)
    assert np.allclose(longer.image[-40:], 0.25)
    assert np.array_equal(longer.corners, label.corners)


@pytest.mark.parametrize("seed", range(4))
def test_prints_are_black_on_white(seed: int) -> None:
    rng = np.random.default_rng(seed)
    for page in (print_text(rng, (120, 300), height=24), print_bars(rng, (60, 300))):
        assert page.min() < 0.2
        assert page.max() == 1
        assert 0.02 < (page < 0.5).mean() < 0.6
    assert not ZXing().read(degrade.to_uint8(print_bars(rng, (60, 300))))
