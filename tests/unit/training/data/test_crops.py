import cv2
import numpy as np
import pytest
import torch

from app.pipeline.crops.redrawing import module_means
from app.pipeline.inference.module_reader import planes
from app.pipeline.qrcode.patterns import VERSIONS, function_patterns, render
from training.data.crops import (
    CropBatch,
    ReadingSample,
    aligned_batch,
    aligned_sample,
    reading_sample,
    upscaling_batch,
)
from training.data.hard_readings import mixed_reading_batch
from training.data.symbols import draw_dots, draw_symbol, draw_symbol_on_label, random_symbol


def aligned(seed: int, *, size: int = 3, max_version: int = 4, size_multiple: int = 8) -> CropBatch:
    return aligned_batch(np.random.default_rng(seed), size=size, max_version=max_version, size_multiple=size_multiple)


def equal(first: CropBatch, second: CropBatch) -> bool:
    return first.degraded.shape == second.degraded.shape and all(
        torch.equal(getattr(first, part), getattr(second, part)) for part in ("degraded", "clean")
    )


@pytest.mark.parametrize("size_multiple", [8, 32])
def test_aligned_batches_are_shaped_as_documented(size_multiple: int) -> None:
    batch = aligned(0, size_multiple=size_multiple)
    assert batch.dark is not None
    modules = batch.dark.shape[-1]
    assert (modules - 8 - 17) % 4 == 0
    side = -(-4 * modules // size_multiple) * size_multiple
    assert batch.degraded.shape == batch.clean.shape == (3, 1, side, side)
    assert batch.dark.shape == (3, 1, modules, modules)
    for tensor in (batch.degraded, batch.clean, batch.dark):
        assert tensor.dtype == torch.float32
    assert float(batch.degraded.min()) == 0
    assert float(batch.degraded.max()) == 1
    assert set(batch.clean.unique().tolist()) == set(batch.dark.unique().tolist()) == {0, 1}


def test_clean_pixels_and_dark_modules_tell_the_same() -> None:
    batch = aligned(1)
    assert batch.dark is not None
    modules = batch.dark.shape[-1]
    light = batch.clean[:, :, : 4 * modules : 4, : 4 * modules : 4]
    assert torch.equal(light, 1 - batch.dark)
    assert not batch.dark[..., :4, :].any()
    assert not batch.dark[..., -4:].any()


def test_function_patterns_are_in_every_truth() -> None:
    batch = aligned(2)
    assert batch.dark is not None
    patterns = function_patterns((batch.dark.shape[-1] - 8 - 17) // 4)
    for dark in batch.dark[:, 0, 4:-4, 4:-4].bool().numpy():
        assert np.array_equal(dark[patterns.known], patterns.dark[patterns.known])
    assert not torch.equal(batch.dark[0], batch.dark[1])


def test_batches_depend_on_the_seed_alone() -> None:
    assert equal(aligned(3), aligned(3))
    assert not equal(aligned(3), aligned(4))
    upscaling = [upscaling_batch(np.random.default_rng(seed), size=2, patch=16) for seed in (5, 5, 6)]
    assert equal(upscaling[0], upscaling[1])
    assert not equal(upscaling[0], upscaling[2])


def test_small_versions_come_more_often_and_none_above_the_highest() -> None:
    sides = [aligned_version(seed) for seed in range(60)]
    assert set(sides) <= {1, 2, 3}
    assert sides.count(1) > sides.count(3) > 0


def aligned_version(seed: int) -> int:
    dark = aligned(seed, size=1, max_version=3).dark
    assert dark is not None
    return (dark.shape[-1] - 8 - 17) // 4


def test_crops_lie_on_the_grid_of_their_truth() -> None:
    """Degraded as they are, most crops still agree with the function patterns at their places."""
    agreements = []
    for seed in range(24):
        crop, modules = aligned_sample(np.random.default_rng(seed), 3)
        assert crop.shape == (37 * 4, 37 * 4)
        means = module_means(np.rint(crop * 255).astype(np.uint8), 3)[4:-4, 4:-4]
        known = function_patterns(3).known
        agreements.append(-np.corrcoef(means[known], modules[known])[0, 1])
    assert np.median(agreements) > 0.5
    assert np.mean(np.array(agreements) > 0.2) > 0.7


def test_corner_error_moves_the_crop() -> None:
    exact = aligned_sample(np.random.default_rng(7), 2, corner_error=1e-9)
    off = aligned_sample(np.random.default_rng(7), 2, corner_error=2.0)
    assert np.array_equal(exact[1], off[1])
    assert not np.array_equal(exact[0], off[0])


def test_labels_hold_the_symbol_amid_a_quiet_zone() -> None:
    for seed in range(6):
        modules = random_symbol(np.random.default_rng(seed), 2)
        label = draw_symbol_on_label(np.random.default_rng(seed), draw_symbol(modules, pixels=6), pixels=6)
        assert label.shape == ((25 + 16) * 6,) * 2
        middle = label[48:-48, 48:-48]
        assert np.array_equal(middle * 255, render(modules, pixels=6, quiet_zone=0))
        ring = label[42:-42, 42:-42].copy()
        ring[6:-6, 6:-6] = 1
        assert (ring == 1).all()


def test_upscaling_batches_are_four_times_as_large() -> None:
    batch = upscaling_batch(np.random.default_rng(8), size=3, patch=24)
    assert batch.degraded.shape == (3, 1, 24, 24)
    assert batch.clean.shape == (3, 1, 96, 96)
    assert batch.dark is None
    for tensor in (batch.degraded, batch.clean):
        assert tensor.dtype == torch.float32
        assert float(tensor.min()) >= 0
        assert float(tensor.max()) <= 1


def test_patches_show_what_their_clean_counterparts_show() -> None:
    batch = upscaling_batch(np.random.default_rng(9), size=24, patch=32)
    correlations = []
    for degraded, clean in zip(batch.degraded[:, 0].numpy(), batch.clean[:, 0].numpy(), strict=True):
        small = cv2.resize(clean, (32, 32), interpolation=cv2.INTER_AREA)
        at_place = np.corrcoef(degraded.ravel(), small.ravel())[0, 1]
        moved = np.corrcoef(degraded[:, 1:].ravel(), small[:, :-1].ravel())[0, 1]
        assert at_place > moved
        correlations.append(at_place)
    assert np.median(correlations) > 0.7


# --- for the module reader ------------------------------------------------------------------------------------------


def reading(seed: int, version: int, *, window: int = 41) -> ReadingSample:
    return reading_sample(np.random.default_rng(seed), version, window=window)


@pytest.mark.parametrize(("version", "side"), [(1, 29), (4, 41), (5, 41), (20, 41)])
def test_reading_samples_are_windows_of_the_module_grid(version: int, side: int) -> None:
    for seed in range(4):
        sample = reading(seed, version)
        assert sample.crop.shape == (4 * side, 4 * side)
        assert sample.dark.shape == (side, side)
        assert sample.planes.shape == (4, side, side)
        assert sample.crop.dtype == sample.planes.dtype == np.float32
        assert 0 <= sample.crop.min() < sample.crop.max() <= 1


@pytest.mark.parametrize("version", [1, 3, 7, 20])
def test_what_is_known_of_a_window_is_true_of_it(version: int) -> None:
    for seed in range(6):
        sample = reading(seed, version)
        known, value = sample.planes[0] == 1, sample.planes[1]
        assert np.array_equal(value[known] == 1, sample.dark[known])
        assert (value[~known] == 0).all()
        assert 0.3 < sample.dark[~known].mean() < 0.7


def test_windows_of_large_symbols_are_parts_that_lie_where_their_planes_say() -> None:
    corners = set()
    for seed in range(12):
        sample = reading(seed, 20)
        whole = planes(20)
        steps = (np.unique(sample.planes[axis]) for axis in (2, 3))
        column, row = (int(np.argmin(np.abs(whole[2, 0] - along[0]))) for along in steps)
        assert np.array_equal(sample.planes, whole[:, row : row + 41, column : column + 41])
        corners.add((row, column))
    assert len(corners) > 9
    assert max(row for row, _ in corners) > 45
    assert max(column for _, column in corners) > 45


def test_most_reading_samples_still_show_their_modules() -> None:
    """Degraded as they are: parts of large symbols as well as whole small ones."""
    for version, window in ((3, 41), (12, 41), (12, 73)):
        agreements = []
        for seed in range(16):
            sample = reading(seed, version, window=window)
            size = sample.dark.shape[0]
            means = sample.crop.reshape(size, 4, size, 4).mean(axis=(1, 3))
            unknown = sample.planes[0] == 0
            agreements.append(-np.corrcoef(means[unknown], sample.dark[unknown])[0, 1])
        assert np.median(agreements) > 0.4
        assert np.mean(np.array(agreements) > 0.1) > 0.7


def test_corner_error_moves_the_reading() -> None:
    exact, off = (reading_sample(np.random.default_rng(7), 2, window=41, corner_error=error) for error in (1e-9, 2.0))
    assert np.array_equal(exact.dark, off.dark)
    assert not np.array_equal(exact.crop, off.crop)


def plain_batch(seed: int, *, size: int, window: int) -> CropBatch:
    return mixed_reading_batch(np.random.default_rng(seed), size=size, window=window, hard=0.0)


def test_reading_batches_are_samples_of_one_version() -> None:
    batch, same, other = (plain_batch(seed, size=3, window=41) for seed in (1, 1, 2))
    assert batch.dark is not None
    assert batch.planes is not None
    side = batch.dark.shape[-1]
    assert batch.degraded.shape == (3, 1, 4 * side, 4 * side)
    assert batch.clean.shape == batch.dark.shape == (3, 1, side, side)
    assert batch.planes.shape == (3, 4, side, side)
    assert torch.equal(batch.clean, 1 - batch.dark)
    assert set(batch.dark.unique().tolist()) == {0, 1}
    assert batch.inputs == (batch.degraded, batch.planes)
    known = batch.planes[:, :1] == 1
    assert torch.equal((batch.planes[:, 1:2] == 1)[known], batch.dark.bool()[known])
    assert equal(batch, same)
    assert not equal(batch, other)


def test_all_versions_are_read_small_ones_more_often(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[int] = []

    def watched(rng: np.random.Generator, version: int, *, window: int) -> ReadingSample:
        drawn.append(version)
        return ReadingSample(np.zeros((4, 4), np.float32), np.zeros((1, 1), np.bool_), np.zeros((4, 1, 1), np.float32))

    monkeypatch.setattr("training.data.hard_readings.reading_sample", watched)
    for seed in range(2000):
        plain_batch(seed, size=1, window=41)
    assert set(drawn) == set(VERSIONS)
    assert drawn.count(1) > 3 * drawn.count(5) > 3 * drawn.count(12)


def test_batches_move_whole() -> None:
    batch = plain_batch(3, size=2, window=29)
    moved = batch.to(torch.device("meta"))
    assert all(part is not None and part.is_meta for part in vars(moved).values())
    assert [part.shape for part in moved.inputs] == [part.shape for part in batch.inputs]
    assert aligned(0).to(torch.device("meta")).planes is None
    assert aligned(0).inputs[0].shape == aligned(0).degraded.shape


# --- symbols as they are printed ------------------------------------------------------------------------------------


def test_dots_stand_for_dark_modules_outside_the_finder_patterns() -> None:
    modules = random_symbol(np.random.default_rng(4), 2)
    squares, dots = draw_symbol(modules, pixels=8), draw_dots(np.random.default_rng(4), modules, pixels=8)
    assert dots.shape == squares.shape == (200, 200)
    assert dots.dtype == squares.dtype == np.float32
    for corner in (np.s_[:56, :56], np.s_[:56, -56:], np.s_[-56:, :56]):
        assert np.array_equal(dots[corner], squares[corner])
    cells = dots.reshape(25, 8, 25, 8)
    assert np.array_equal(cells[:, 3:5, :, 3:5].mean(axis=(1, 3)) < 0.5, modules)
    outside = modules.copy()
    outside[:7, :7] = outside[:7, -7:] = outside[-7:, :7] = False
    assert (cells[:, 0, :, 0][outside] == 1).all()
    ink = 1 - cells.mean(axis=(1, 3))[outside]
    assert np.ptp(ink) < 1e-6
    assert 0.3 < ink[0] < 0.85
