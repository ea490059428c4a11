"""Hard crops lie on the grid of their truth, hide what they say, and are the share of a batch that was asked for."""

from dataclasses import fields

import numpy as np
import pytest
import torch

from app.pipeline.inference.module_reader import planes
from app.pipeline.qrcode.patterns import function_patterns
from training.data import hard_readings
from training.data.crops import ReadingSample
from training.data.hard_readings import HardKinds, hard_reading_sample, mixed_reading_batch

FLAGS = tuple(field.name for field in fields(HardKinds) if field.name != "occluder")


def drawn(seed: int, version: int = 3, **kinds: bool | str) -> ReadingSample:
    chosen = HardKinds(**kinds) if kinds else None  # type: ignore[arg-type]
    return hard_reading_sample(np.random.default_rng(seed), version, window=41, kinds=chosen)


def agreement(sample: ReadingSample, which: np.ndarray) -> float:
    """Correlation of darkness with the truth over some modules."""
    size = sample.dark.shape[0]
    means = sample.crop.reshape(size, 4, size, 4)[:, 1:3, :, 1:3].mean(axis=(1, 3))
    return -float(np.corrcoef(means[which], sample.dark[which])[0, 1])


@pytest.mark.parametrize(("version", "side"), [(1, 29), (4, 41), (9, 41)])
@pytest.mark.parametrize("kind", FLAGS)
def test_samples_are_windows_of_the_module_grid(kind: str, version: int, side: int) -> None:
    sample = drawn(version, version, **{kind: True})
    assert sample.crop.shape == (4 * side, 4 * side)
    assert sample.dark.shape == (side, side)
    assert sample.planes.shape == (4, side, side)
    assert sample.hidden is not None
    assert sample.hidden.shape == (side, side)
    assert 0 <= sample.crop.min() <= sample.crop.max() <= 1
    known, value = sample.planes[0] == 1, sample.planes[1]
    assert np.array_equal(value[known] == 1, sample.dark[known])


@pytest.mark.parametrize("kind", FLAGS)
def test_what_is_not_hidden_still_shows(kind: str) -> None:
    found = []
    for seed in range(14):
        sample = drawn(seed, **{kind: True})
        assert sample.hidden is not None
        found.append(agreement(sample, (sample.planes[0] == 0) & ~sample.hidden))
    assert np.median(found) > 0.3


@pytest.mark.parametrize(("kind", "occluder"), [("hidden", "logo"), ("hidden", "tear"), ("cut", "")])
def test_hidden_modules_are_hidden(kind: str, occluder: str) -> None:
    """The crop tells nothing of them, while it tells the others."""
    hidden, shown = [], []
    for seed in range(40):
        kinds: dict[str, bool | str] = {kind: True}
        sample = drawn(seed, **(kinds | {"occluder": occluder} if occluder else kinds))
        assert sample.hidden is not None
        free = sample.planes[0] == 0
        size = sample.dark.shape[0]
        means = sample.crop.reshape(size, 4, size, 4)[:, 1:3, :, 1:3].mean(axis=(1, 3))
        hidden.append(np.stack([means, sample.dark])[:, free & sample.hidden])
        shown.append(np.stack([means, sample.dark])[:, free & ~sample.hidden])
    told = [-np.corrcoef(np.concatenate(part, axis=1))[0, 1] for part in (hidden, shown)]
    assert sum(part.shape[1] for part in hidden) > 500
    assert abs(told[0]) < 0.12
    assert told[1] > 0.4


def test_enough_of_the_hard_samples_is_hidden() -> None:
    shares = [float(np.mean(sample.hidden)) for sample in map(drawn, range(80)) if sample.hidden is not None]
    assert 0.03 < np.mean(shares) < 0.25
    assert np.mean(np.array(shares) > 0.1) > 0.12


def test_bare_pages_have_no_quiet_zone() -> None:
    known = planes(2)[0] == 1
    quiet = np.pad(~np.ones((25, 25), np.bool_), 4, constant_values=True)
    dark = []
    for seed in range(30):
        sample = drawn(seed, 2, bare=True)
        means = sample.crop.reshape(33, 4, 33, 4).mean(axis=(1, 3))
        dark.append(means[quiet & known].mean() < 0.4)
    assert 0.3 < np.mean(dark) < 0.9


def test_faint_pictures_are_rounded_to_few_greys() -> None:
    levels = [len(np.unique(drawn(seed, faint=True).crop)) for seed in range(20)]
    assert np.median(levels) < 90
    assert min(levels) >= 4


def test_random_kinds_are_at_least_one_and_all_come() -> None:
    kinds = [HardKinds.draw(np.random.default_rng(seed)) for seed in range(200)]
    assert all(any(getattr(one, name) for name in FLAGS) for one in kinds)
    assert all(any(getattr(one, name) for one in kinds) for name in FLAGS)
    assert np.mean([one.hidden for one in kinds]) > 0.45


def test_batches_have_the_share_of_hard_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = mixed_reading_batch(np.random.default_rng(1), size=3, window=41, hard=0.0)
    again = mixed_reading_batch(np.random.default_rng(1), size=3, window=41, hard=0.0)
    assert torch.equal(plain.degraded, again.degraded)
    counts = {"hard": 0, "plain": 0}

    def counting(name: str) -> object:
        def make(rng: np.random.Generator, version: int, *, window: int) -> ReadingSample:
            counts[name] += 1
            size = 29
            picture = np.zeros((4 * size, 4 * size), np.float32)
            return ReadingSample(picture, np.zeros((size, size), np.bool_), np.zeros((4, size, size), np.float32))

        return make

    monkeypatch.setattr(hard_readings, "hard_reading_sample", counting("hard"))
    monkeypatch.setattr(hard_readings, "reading_sample", counting("plain"))
    for seed in range(60):
        mixed_reading_batch(np.random.default_rng(seed), size=16, window=41, hard=0.5)
    assert 0.44 < counts["hard"] / (counts["hard"] + counts["plain"]) < 0.56


def test_function_patterns_are_in_the_truth() -> None:
    patterns = function_patterns(2)
    for seed in range(4):
        dark = drawn(seed, 2).dark[4:-4, 4:-4]
        assert np.array_equal(dark[patterns.known], patterns.dark[patterns.known])
