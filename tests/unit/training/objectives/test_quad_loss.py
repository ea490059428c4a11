from dataclasses import replace
from functools import partial

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from app.models.contract import CORNER_UNIT, MAPS, STRIDE
from app.pipeline.imaging import standardise
from tests.support.codes import square_at
from training.data.mixed_scenes import mixed_scene_batch
from training.data.scene_batches import SceneBatch, stack_scenes
from training.data.scenes import SceneCode, scene
from training.objectives.losses import quad_error, quad_loss
from training.run.sample_sheets import quad_sheet

SIDE = 128
CELLS = SIDE // STRIDE
LARGE = SceneCode(np.array([[20.0, 12.0], [70.0, 18.0], [62.0, 75.0], [14.0, 60.0]]), 25, visible=True)
SMALL = SceneCode(square_at(84.0, 84.0, 32.0), 57, visible=True)
HIDDEN = SceneCode(square_at(88.0, -22.0, 44.0), 21, visible=False)


def stacked(*codes: list[SceneCode]) -> SceneBatch:
    """A window of noise for each list of codes."""
    rng = np.random.default_rng(0)
    return stack_scenes([(rng.standard_normal((SIDE, SIDE), dtype=np.float32), each) for each in codes])


@pytest.fixture
def batch() -> SceneBatch:
    """Two scenes: one with two codes and one that hardly shows, one with a code alone."""
    return stacked([LARGE, SMALL, HIDDEN], [SMALL])


def places() -> NDArray[np.float64]:
    """Pixels that the positions of the maps look at, (rows, columns, 2)."""
    along = np.arange(CELLS) * 8.0 + 4
    return np.stack(np.meshgrid(along, along), axis=-1)


def depth(code: SceneCode) -> NDArray[np.float64]:
    """How far within a code each position lies, in pixels; negative outside."""
    outline = code.corners.astype(np.float32)
    return np.array([[cv2.pointPolygonTest(outline, (float(x), float(y)), True) for x, y in row] for row in places()])


def perfect(batch: SceneBatch, *, turns: tuple[int, ...] = (0, 0, 0)) -> Tensor:
    """What a network that knows answers; the corners of code number i start ``turns[i]`` corners later."""
    maps = torch.zeros(len(batch.window), MAPS, CELLS, CELLS)
    maps[:, :1] = torch.where(batch.code > 0, 20.0, -20.0)
    corners = batch.corners.unflatten(1, (4, 2))
    for index, turn in enumerate(turns):
        mine = batch.owner[:, None] == index
        maps[:, 1:9] += (torch.roll(corners, -turn, dims=1) * mine).flatten(1, 2)
    maps[:, 9:] = batch.log_size
    return maps


# --- batches --------------------------------------------------------------------------------------------------------


def test_maps_are_of_positions_inside_a_code(batch: SceneBatch) -> None:
    for index, code in ((0, LARGE), (1, SMALL)):
        inside = depth(code)
        mine = batch.owner[0, 0].numpy() == index
        assert mine[inside > 1].all()
        assert not mine[inside < -STRIDE / 2].any()
        assert (batch.code[0, 0].numpy()[mine] == 1).all()
        assert batch.code_side[0, 0].numpy()[mine] == pytest.approx(
            cv2.contourArea(code.corners.astype(np.float32)) ** 0.5
        )
        assert batch.log_size[0, 0].numpy()[mine] == pytest.approx(np.log2(code.modules / 32))
    none = (depth(LARGE) < -4) & (depth(SMALL) < -4)
    assert (batch.code[0, 0].numpy()[none] == 0).all()
    assert (batch.owner[0, 0].numpy()[none] == -1).all()


def test_offsets_lead_from_each_position_to_the_corners(batch: SceneBatch) -> None:
    for index, code in ((0, LARGE), (1, SMALL)):
        mine = batch.owner[0, 0].numpy() == index
        assert mine.sum() > 8
        offsets = batch.corners[0].numpy()[:, mine].T.reshape(-1, 4, 2) * CORNER_UNIT
        assert np.allclose(places()[mine][:, None] + offsets, code.corners, atol=1e-3)


def test_codes_that_hardly_show_are_neither_taught_nor_punished(batch: SceneBatch) -> None:
    supervised = batch.supervised[0, 0].numpy()
    assert (supervised[depth(HIDDEN) > 1] == 0).all()
    assert (supervised[depth(HIDDEN) < -4] == 1).all()
    assert (batch.code[0, 0].numpy()[supervised == 0] == 0).all()
    assert bool(batch.supervised[1].all())


def test_batches_are_standardised_scenes_and_depend_on_the_seed_alone() -> None:
    drawn = partial(mixed_scene_batch, size=2, side=SIDE, hard=0, lookalikes=0, stretched=0)
    one, same, other = (drawn(np.random.default_rng(seed)) for seed in (1, 1, 2))
    rng = np.random.default_rng(1)
    rng.random()  # decides the kind of scene
    image, _ = scene(rng, SIDE)
    assert np.array_equal(one.window[0, 0].numpy(), standardise(np.rint(image * 255).astype(np.uint8)))
    assert one.inputs == (one.window,)
    assert one.window.shape == (2, 1, SIDE, SIDE)
    assert one.corners.shape == (2, 8, CELLS, CELLS)
    for name, value in vars(one).items():
        assert value.dtype == torch.float32
        assert torch.equal(value, getattr(same, name))
        if name not in {"window", "corners"}:
            assert value.shape == (2, 1, CELLS, CELLS)
    assert not torch.equal(one.window, other.window)
    assert torch.equal(one.to(torch.device("cpu")).corners, one.corners)


# --- loss -----------------------------------------------------------------------------------------------------------


def test_perfect_answers_cost_nothing(batch: SceneBatch) -> None:
    assert float(quad_loss(perfect(batch), batch)) == pytest.approx(0, abs=1e-6)
    assert quad_error(perfect(batch), batch) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("turns", [(1, 0, 0), (2, 3, 0), (3, 1, 0)])
def test_corners_may_start_anywhere_but_the_same_for_all_of_a_code(batch: SceneBatch, turns: tuple[int, ...]) -> None:
    assert float(quad_loss(perfect(batch, turns=turns), batch)) == pytest.approx(0, abs=1e-6)
    divided = perfect(batch)
    divided[..., ::2] = perfect(batch, turns=(2, 2, 2))[..., ::2]
    assert float(quad_loss(divided, batch)) > 0.1


def test_corners_in_the_wrong_direction_cost(batch: SceneBatch) -> None:
    backwards = perfect(batch)
    backwards[:, 1:9] = backwards[:, 1:9].unflatten(1, (4, 2)).flip(1).flatten(1, 2)
    assert float(quad_loss(backwards, batch)) > 0.1


def test_corner_errors_count_in_sides_of_the_code(batch: SceneBatch) -> None:
    """Smooth L1 with beta 0.05 of 0.2 in all x and none in y: (0.2 - 0.025) / 2, twice in the loss."""
    off = perfect(batch)
    off[:, 1:9:2] += 0.2 * batch.code_side / CORNER_UNIT
    assert quad_error(off, batch) == pytest.approx(0.0875, rel=1e-3)
    assert float(quad_loss(off, batch)) == pytest.approx(0.175, rel=1e-3)
    near = perfect(batch)
    near[:, 1:9:2] += 0.01 * batch.code_side / CORNER_UNIT
    assert quad_error(near, batch) == pytest.approx(0.01**2 / 0.05 / 4, rel=1e-2)


def test_every_code_counts_alike_however_large(batch: SceneBatch) -> None:
    for index in (0, 1):  # of the three codes in both scenes
        off = perfect(batch)
        off[0, 1:9] += (0.3 * (batch.owner == index) * batch.code_side / CORNER_UNIT)[0]
        assert quad_error(off, batch) == pytest.approx((0.3 - 0.025) / 3, rel=1e-3)


def test_size_errors_count_a_fifth(batch: SceneBatch) -> None:
    off = perfect(batch)
    off[:, 9] += 0.5
    assert float(quad_loss(off, batch)) == pytest.approx(0.1, rel=1e-3)


def test_places_that_are_not_taught_do_not_count(batch: SceneBatch) -> None:
    """Nor do corners and sizes where there is no code."""
    wild = perfect(batch)
    wild[:, :1] = torch.where(batch.supervised == 0, 15.0, wild[:, :1])
    wild[:, 1:] += torch.where(batch.code == 0, 9.0, 0.0)
    assert float(quad_loss(wild, batch)) == pytest.approx(0, abs=1e-6)
    seen = replace(batch, supervised=torch.ones_like(batch.supervised))
    assert float(quad_loss(wild, seen)) > 0.1


def test_the_loss_pulls_towards_the_truth(batch: SceneBatch) -> None:
    answer = torch.zeros(2, MAPS, CELLS, CELLS, requires_grad=True)
    first = quad_loss(answer, batch)
    first.backward()
    assert answer.grad is not None
    within, without = batch.code[:, 0] == 1, (batch.code[:, 0] == 0) & (batch.supervised[:, 0] == 1)
    assert (answer.grad[:, 0][within] < 0).all()
    assert (answer.grad[:, 0][without] > 0).all()
    assert (answer.grad[:, 0][batch.supervised[:, 0] == 0] == 0).all()
    halfway = quad_loss(answer.detach() + 0.5 * (perfect(batch).clamp(-5, 5) - answer.detach()), batch)
    assert halfway < 0.6 * first


def test_scenes_without_codes_teach_where_there_is_none() -> None:
    empty = stacked([], [])
    answer = torch.zeros(2, MAPS, CELLS, CELLS)
    assert float(quad_loss(answer, empty)) == pytest.approx(np.log(2), rel=1e-5)
    assert quad_error(answer, empty) == 0.0


# --- picture --------------------------------------------------------------------------------------------------------


def test_pictures_show_windows_chances_and_the_surest_quad(batch: SceneBatch) -> None:
    known, unknown = perfect(batch), torch.full((2, MAPS, CELLS, CELLS), -20.0)
    picture, without = quad_sheet(known, batch), quad_sheet(unknown, batch)
    assert picture.shape == without.shape == (2 * SIDE, 2 * SIDE)
    assert picture.dtype == np.uint8
    chances = batch.code.numpy().repeat(STRIDE, axis=2).repeat(STRIDE, axis=3) * 255
    assert np.array_equal(picture[SIDE:], np.hstack([chances[0, 0], chances[1, 0]]))
    assert not without[SIDE:].any()
    outline = np.zeros((SIDE, SIDE), np.uint8)
    cv2.polylines(outline, [SMALL.corners.astype(np.int32)], True, 1, 2)
    shown = picture[:SIDE, SIDE:] != without[:SIDE, SIDE:]
    assert shown[outline == 0].sum() == 0
    assert shown[outline == 1].mean() > 0.9
