"""The locator finds what its network sees, at any place and size; a network of a few lines sees white quads."""

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from app.models.checkpoint import Checkpoint
from app.models.contract import CORNER_UNIT, MAPS, STRIDE, Kind
from app.pipeline.imaging import GreyImage
from app.pipeline.inference import window_locator
from app.pipeline.inference.window_locator import WindowLocator
from app.pipeline.locating.candidates import Candidate
from tests.support.codes import square_at
from tests.support.networks import locator_of

Quad = NDArray[np.float64]
WINDOW = 256
FINE = 4  # parts of a pixel in which the fake network and the pictures measure


class Seeing(nn.Module):
    """Sees white convex quads on a darker ground that lie entirely in the window, and votes for their corners.

    Each position names the corners from another start. ``bias`` is the share by which it takes quads for more square
    than they are, as a network does that knows steep ones less. ``seen`` are its windows.
    """

    kind, scale, size_multiple = Kind.QUAD_LOCATOR, 1, 32

    def __init__(self, *, bias: float = 0.0, modules: int = 25, chance: float = 6.0) -> None:
        super().__init__()
        self.bias, self.modules, self.chance = bias, modules, chance
        self.seen: list[NDArray[np.float32]] = []

    def forward(self, batch: Tensor) -> Tensor:
        windows = [window[0].numpy() for window in batch]
        self.seen += windows
        return torch.from_numpy(np.stack([self._maps(window) for window in windows]))

    def _maps(self, window: NDArray[np.float32]) -> NDArray[np.float32]:
        cells = window.shape[0] // STRIDE
        maps = np.zeros((MAPS, cells, cells), dtype=np.float32)
        maps[0] = -6
        at = np.stack(np.meshgrid(*(np.arange(cells) * STRIDE + STRIDE / 2,) * 2), axis=-1)
        for quad in quads_in(window):
            vote = quad + self.bias * (squared(quad) - quad)
            for row, column in np.argwhere([[inside(place, quad) for place in line] for line in at]):
                offsets = (np.roll(vote, row + 3 * column, axis=0) - at[row, column]) / CORNER_UNIT
                maps[:, row, column] = [self.chance, *offsets.ravel(), np.log2(self.modules / 32)]
        return maps


def quads_in(window: NDArray[np.float32]) -> list[Quad]:
    """White quads that lie entirely in a window; pixels of exactly 0 are padding."""
    shown = np.where(window == 0, window.min(), window)
    fine = cv2.resize(shown, None, fx=FINE, fy=FINE, interpolation=cv2.INTER_LINEAR)
    light = (fine > (shown.min() + shown.max()) / 2) & (np.ptp(shown) > 0.5)
    contours, _ = cv2.findContours(light.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    found = []
    for contour in contours:
        corners = cv2.approxPolyDP(contour, 0.03 * cv2.arcLength(contour, True), True)[:, 0]
        if len(corners) == 4 and corners.min() > 4 and corners.max() < FINE * WINDOW - 5:
            quad = fitted(contour[:, 0], corners)
            found.append(quad if cv2.contourArea(quad.astype(np.float32), oriented=True) > 0 else quad[::-1])
    return found


def fitted(outline: NDArray[np.int32], corners: NDArray[np.int32]) -> Quad:
    """The corners where lines through the sides of an outline meet, in pixels of the window."""
    starts = [int(np.abs(outline - corner).sum(axis=1).argmin()) for corner in corners]
    lines = []
    for start, end in zip(starts, np.roll(starts, -1), strict=True):
        side = np.roll(outline, -start, axis=0)[: (end - start) % len(outline)]
        along_x, along_y, x, y = cv2.fitLine(side[len(side) // 8 : -len(side) // 8], cv2.DIST_L2, 0, 0.01, 0.01).ravel()
        lines.append((along_y, -along_x, along_x * y - along_y * x))
    meet = np.cross(np.roll(lines, 1, axis=0), lines)
    return np.asarray((meet[:, :2] / meet[:, 2:] + 0.5) / FINE)


def inside(place: NDArray[np.float64], quad: Quad) -> bool:
    x, y = (float(value) for value in place)
    return cv2.pointPolygonTest(quad.astype(np.float32), (x, y), False) >= 0


def squared(quad: Quad) -> Quad:
    """The square closest to a quad: its diagonals made equal and perpendicular."""
    middle = quad.mean(axis=0)
    arms = (quad - middle) @ np.array([1, 1j])
    arm = (arms * 1j ** -np.arange(4)).mean() * 1j ** np.arange(4)
    return middle + np.stack([arm.real, arm.imag], axis=1)


def drawn(shape: tuple[int, int], *quads: Quad, ground: int = 60) -> GreyImage:
    """White quads on grey, antialiased."""
    height, width = shape
    fine = np.zeros((height * FINE, width * FINE), np.uint8)
    for quad in quads:
        cv2.fillConvexPoly(fine, np.rint((quad * FINE - 0.5) * 16).astype(np.int32), 255, shift=4)
    share = cv2.resize(fine, (width, height), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    return np.rint(ground + (250 - ground) * share).astype(np.uint8)


@pytest.fixture(autouse=True)
def _everything_is_textured(monkeypatch: pytest.MonkeyPatch) -> None:
    """White quads are flat inside, unlike codes; `test_glance.py` tests what flat windows cost."""
    monkeypatch.setattr(window_locator, "texture", lambda picture, _: np.ones(picture.shape, np.bool_))


def locator(network: nn.Module, **more: object) -> WindowLocator:
    return locator_of(Checkpoint("seeing", "Seeing", network, {}), **more)


def farthest(candidate: Candidate, quad: Quad) -> float:
    """The error of the worst corner in pixels, for the best cyclic order of corners."""
    corners = np.array(candidate.corners)
    return float(min(np.linalg.norm(np.roll(corners, turn, axis=0) - quad, axis=1).max() for turn in range(4)))


def turned(quad: Quad, degrees: float) -> Quad:
    angle = np.deg2rad(degrees)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    return np.asarray((quad - quad.mean(axis=0)) @ turn + quad.mean(axis=0))


STEEP = np.array([[400.0, 180.0], [505.0, 205.0], [560.0, 420.0], [300.0, 380.0]])
"""One side is less than half as long as the one across."""


# --- places ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("degrees", [0, 20, 45, 70, 135])
@pytest.mark.parametrize("side", [60.0, 110.0, 300.0])
def test_a_code_is_found_to_the_pixel(side: float, degrees: float) -> None:
    quad = turned(square_at(270, 170, side), degrees)
    (found,) = locator(Seeing()).locate(drawn((620, 800), quad))
    assert farthest(found, quad) < 1.0
    assert found.dimension == 25
    assert found.score > 0.9


def test_a_steep_code_is_found_and_its_corners_are_clockwise_as_seen() -> None:
    quad = 0.5 * STEEP + 40
    (found,) = locator(Seeing()).locate(drawn((620, 800), quad))
    assert farthest(found, quad) < 1.0
    assert cv2.contourArea(np.array(found.corners, np.float32), oriented=True) > 0


def test_small_codes_are_found_wherever_windows_meet() -> None:
    """At this scale a code of 32 px lies entirely in at least one window."""
    for along in range(2, 700 - 32, 13):
        quad = square_at(along, 700 - 32 - along, 30.0)
        (found,) = locator(Seeing(), sizes=(700,)).locate(drawn((700, 700), quad))
        assert farthest(found, quad) < 1.0


def test_a_code_larger_than_a_window_is_seen_in_the_reduced_picture() -> None:
    quad = turned(square_at(150, 120, 700.0), 12)
    (found,) = locator(Seeing()).locate(drawn((960, 1280), quad))
    assert farthest(found, quad) < 700 / 205  # a pixel of the closer look


def test_several_codes_are_all_found_once_best_first() -> None:
    quads = [
        square_at(60, 60, 150.0),
        turned(square_at(420, 90, 110.0), 30),
        square_at(620, 400, 170.0),
        STEEP - (250, -60),
    ]
    found = locator(Seeing()).locate(drawn((620, 840), *quads))
    assert len(found) == 4
    for quad in quads:
        assert min(farthest(one, quad) for one in found) < 1.0
    scores = [one.score for one in found]
    assert scores == sorted(scores, reverse=True)
    assert len(locator(Seeing(), limit=2).locate(drawn((620, 840), *quads))) == 2


# --- closer looks ---------------------------------------------------------------------------------------------------


def test_a_second_window_straightens_a_steep_code(monkeypatch: pytest.MonkeyPatch) -> None:
    """The network takes quads for squarer than they are; the squarer the view, the smaller its error."""
    errors = []
    for looks in (0, 1, 2):
        monkeypatch.setattr(window_locator, "_MOST_LOOKS", looks)
        (found,) = locator(Seeing(bias=0.25)).locate(drawn((620, 800), STEEP))
        errors.append(farthest(found, STEEP))
    assert errors[0] > 10
    assert errors[1] < 0.5 * errors[0]
    assert errors[2] < 0.5 * errors[1]
    assert errors[2] < 2.0


def test_the_second_window_shows_the_code_large_upright_and_centred() -> None:
    network = Seeing()
    small = turned(square_at(300, 280, 64.0), 30)
    locator(network).locate(drawn((640, 640), small))
    low, high = (WINDOW - 205) / 2, (WINDOW + 205) / 2
    (quad,) = quads_in(network.seen[-1])
    corners = Candidate(tuple(map(tuple, quad)), None, 0.0)
    assert farthest(corners, np.array([[low, low], [high, low], [high, high], [low, high]])) < 3.0


@pytest.mark.parametrize(("bias", "looks"), [(0.0, 1), (0.25, 2)])
def test_corners_that_stay_in_place_are_final(bias: float, looks: int) -> None:
    network = Seeing(bias=bias)
    steep = 0.4 * (STEEP - STEEP.min(axis=0)) + 20
    assert len(locator(network, sizes=(256,)).locate(drawn((256, 256), steep))) == 1
    assert len(network.seen) == 1 + looks


class Fickle(Seeing):
    """Sees codes in its first window only."""

    def forward(self, batch: Tensor) -> Tensor:
        maps = super().forward(batch)
        if len(self.seen) > 1:
            maps[:, 0] = -6
        return maps


def test_candidates_that_the_second_window_refutes_are_dropped() -> None:
    quad = square_at(60, 60, 120.0)
    image = drawn((256, 256), quad)
    assert len(locator(Seeing(), sizes=(256,)).locate(image)) == 1
    assert locator(Fickle(), sizes=(256,)).locate(image) == []


# --- votes ----------------------------------------------------------------------------------------------------------


def test_confident_and_consistent_votes_score_higher() -> None:
    class Divided(Seeing):
        """Its votes disagree by a few pixels."""

        def _maps(self, window: NDArray[np.float32]) -> NDArray[np.float32]:
            maps = super()._maps(window)
            maps[1:9] += np.random.default_rng(0).normal(0, 12 / CORNER_UNIT, maps[1:9].shape)
            return maps

    quad = square_at(200, 150, 160.0)
    image = drawn((500, 600), quad)
    (sure,), (unsure,), (divided,) = (locator(one).locate(image) for one in (Seeing(), Seeing(chance=0.5), Divided()))
    assert sure.score > 0.95
    assert unsure.score < 0.7
    assert divided.score < 0.85
    assert farthest(unsure, quad) < 1.0
    assert farthest(divided, quad) < 3.0  # the median of hundreds of votes
    assert locator(Seeing(chance=-0.6)).locate(image) == []


@pytest.mark.parametrize(
    ("modules", "expected"), [(21, 21), (25, 25), (27, 29), (34, 33), (36, 37), (177, 177), (400, 177), (9, 21)]
)
def test_sizes_are_rounded_to_those_of_the_standard(modules: int, expected: int) -> None:
    (found,) = locator(Seeing(modules=modules)).locate(drawn((500, 600), square_at(200, 150, 160.0)))
    assert found.dimension == expected


# --- pictures of any shape ------------------------------------------------------------------------------------------


def test_small_pictures_are_enlarged_and_padded() -> None:
    quad = square_at(9, 6, 30.0)
    network = Seeing()
    (found,) = locator(network).locate(drawn((44, 70), quad))
    assert farthest(found, quad) < 0.5
    assert {window.shape for window in network.seen} == {(WINDOW, WINDOW)}
    assert (network.seen[0][round(44 * 256 / 70) :] == 0).all()  # below the picture is nothing


@pytest.mark.parametrize("shape", [(300, 20), (20, 300), (5, 5), (0, 0)])
def test_too_small_pictures_are_skipped(shape: tuple[int, int]) -> None:
    network = Seeing()
    assert locator(network).locate(np.full(shape, 255, np.uint8)) == []
    assert network.seen == []


@pytest.mark.parametrize("grey", [0, 255])
def test_flat_pictures_show_nothing(grey: int) -> None:
    network = Seeing()
    assert locator(network).locate(np.full((300, 400), grey, np.uint8)) == []
    assert all((window == 0).all() for window in network.seen)


@pytest.mark.parametrize("shape", [(24, 20_000), (20_000, 30)])
def test_long_pictures_are_searched_at_every_size(shape: tuple[int, int]) -> None:
    assert locator(Seeing(), sizes=(256, 640, 1500, 3000)).locate(np.full(shape, 90, np.uint8)) == []


# --- sizes ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("side", "at", "sizes"), [(20.0, (700, 520), (1500,)), (22.0, (2000, 1500), (3000,))])
def test_small_codes_need_larger_sizes(side: float, at: tuple[float, float], sizes: tuple[int, ...]) -> None:
    quad = square_at(*at, side)
    image = drawn((sizes[0] * 4 // 5, sizes[0]), quad)
    assert locator(Seeing(), sizes=(256, 640)).locate(image) == []
    (found,) = locator(Seeing(), sizes=sizes).locate(image)
    assert farthest(found, quad) < 1.0


def test_windows_have_zero_mean_and_unit_deviation() -> None:
    network = Seeing()
    locator(network).locate(drawn((620, 800), square_at(100, 100, 300.0)))
    whole = [window for window in network.seen if not (window == 0).any()]
    assert whole
    assert all(window.mean() == pytest.approx(0, abs=1e-3) for window in whole)
    assert all(window.std() == pytest.approx(1, abs=1e-3) for window in whole if window.std() > 0.5)


def test_warm_up_runs_the_network_once() -> None:
    network = Seeing()
    locator(network).warm_up()
    assert len(network.seen) == 1
