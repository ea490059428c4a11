"""Squares of texture beside a code that was read: small codes are, clean paper, text and edges are not."""

import cv2
import numpy as np
import pytest

from app.pipeline.imaging import GreyImage
from app.pipeline.ladder import Ladder
from app.pipeline.locating.squares import shows_square_beside
from app.pipeline.qrcode.patterns import render
from app.pipeline.quad import Quad
from app.pipeline.results import Effort
from tests.support.bench import shipped_tools, texts
from tests.support.codes import encode, square_at

LARGE = Quad.of(square_at(40, 40, 210))


def with_large_code() -> GreyImage:
    """A large code at the left of a picture that has no room for another one of its size."""
    picture = np.full((290, 430), 220, np.uint8)
    code = render(encode("a large code", version=1), pixels=10, quiet_zone=4)
    picture[:, :290] = np.minimum(code, 220)
    return picture


def with_small_code(*, angle: float, contrast: int, is_light: bool) -> GreyImage:
    """The same beside a code of a third of its size, blurred so that zxing-cpp does not see it."""
    code = 255 - render(encode("small", version=1), pixels=4, quiet_zone=5)
    turn = cv2.getRotationMatrix2D((len(code) / 2, len(code) / 2), angle, 1)
    ink = cv2.GaussianBlur(cv2.warpAffine(code, turn, code.shape), (0, 0), 2.4).astype(np.float32) / 255
    picture = with_large_code()
    picture[80 : 80 + len(ink), 300 : 300 + len(ink)] = (
        (220 - contrast + contrast * ink) if is_light else (220 - contrast * ink)
    )
    return picture


@pytest.mark.parametrize("angle", [0.0, 35.0])
@pytest.mark.parametrize(("contrast", "is_light"), [(60, False), (150, False), (150, True)])
def test_a_small_blurred_code_is_a_square_and_read(angle: float, contrast: int, is_light: bool) -> None:
    picture = with_small_code(angle=angle, contrast=contrast, is_light=is_light)
    assert shows_square_beside(picture, [LARGE])
    outcome = Ladder(tools=shipped_tools(), max_codes=9).run(picture, effort=Effort.BALANCED)
    assert sorted(texts(outcome)) == ["a large code", "small"]


def test_a_large_picture_is_looked_at_reduced() -> None:
    picture = with_small_code(angle=0, contrast=150, is_light=False)
    larger = np.asarray(cv2.resize(picture, None, fx=5, fy=5, interpolation=cv2.INTER_CUBIC), np.uint8)
    assert shows_square_beside(larger, [LARGE.scaled(5)])


def test_paper_text_edges_and_noise_are_no_squares() -> None:
    rng = np.random.default_rng(5)
    plain, text, edge, noisy = (with_large_code() for _ in range(4))
    for line in range(9):
        cv2.putText(text, "no. 4711 " * 2, (300, 40 + 26 * line), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (20,), 1, cv2.LINE_AA)
    edge[:, 340:] = 60
    noisy = np.clip(noisy + rng.normal(0, 8, noisy.shape), 0, 255).astype(np.uint8)
    assert [shows_square_beside(picture, [LARGE]) for picture in (plain, text, edge, noisy)] == [False] * 4
    assert not shows_square_beside(np.zeros((5, 9), np.uint8), [Quad.of(square_at(0, 0, 4))])
