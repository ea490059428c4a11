from dataclasses import replace

import numpy as np
import pytest

from app.pipeline.engines.symbol import Symbol
from app.pipeline.fusing import (
    IDENTITY,
    POSES,
    FrameReading,
    Fusion,
    Pose,
    add_up,
    best_pose,
    fusions,
    witnesses,
)
from app.pipeline.qrcode.patterns import function_patterns
from app.pipeline.quad import Quad
from app.pipeline.results import SOFT
from app.pipeline.tools import Tools
from tests.support.bench import (
    bench,
)
from tests.support.codes import Modules, encode, scrambled
from tests.support.frames import FULL, PLACES, evidence, frame_reading


def noisy(frames: int, clarity: float, modules: Modules = FULL) -> list[FrameReading]:
    return [frame_reading(frame, evidence(modules, clarity, seed=frame), modules=modules) for frame in range(frames)]


@pytest.fixture
def tools() -> Tools:
    return bench().tools


# --- poses ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pose", POSES)
def test_a_pose_and_its_inverse_cancel(pose: Pose) -> None:
    modules = np.random.default_rng(0).random((25, 25)).astype(np.float32)
    assert np.array_equal(pose.undo(pose.apply(modules)), modules)
    assert np.array_equal(pose.apply(pose.undo(modules)), modules)


def test_the_poses_are_all_different() -> None:
    modules = np.arange(9, dtype=np.float32).reshape(3, 3)
    assert len({pose.apply(modules).tobytes() for pose in POSES}) == 8
    assert np.array_equal(Pose(mirrored=True).apply(modules), modules.T)


@pytest.mark.parametrize("pose", POSES)
def test_the_pose_of_a_turned_reading_is_found(pose: Pose) -> None:
    first, second = evidence(FULL, 0.85, seed=1), evidence(FULL, 0.85, seed=2)
    excess, found = best_pose(first, frame_reading(1, pose.undo(second)))
    assert found == pose
    assert excess > 1


def test_readings_of_unrelated_codes_differ_from_those_of_one() -> None:
    """The same 60 noisy trials with one code, and with codes that share only their patterns."""
    same, other = 0, 0
    for seed in range(60):
        first = evidence(scrambled(FULL, seed=seed), 0.7, seed=seed)
        same += best_pose(first, frame_reading(1, evidence(scrambled(FULL, seed=seed), 0.7, seed=100 + seed)))[0] >= 1
        other += (
            best_pose(first, frame_reading(1, evidence(scrambled(FULL, seed=500 + seed), 0.7, seed=200 + seed)))[0] >= 1
        )
    assert same >= 55
    assert other <= 1


# --- growing --------------------------------------------------------------------------------------------------------


def test_frames_of_one_code_are_added_up() -> None:
    (fusion,) = fusions(noisy(6, 0.7), most=4)
    assert sorted(one.frame for one, _ in fusion.members) == list(range(6))
    assert {pose for _, pose in fusion.members} == {IDENTITY}
    frames = [evidence(FULL, 0.7, seed=frame).clip(-8, 8) for frame in range(6)]
    assert np.allclose(fusion.log_odds, sum(frames) * (witnesses(frames) / 6), atol=1e-4)


def test_a_fusion_has_one_reading_of_a_frame() -> None:
    readings = [
        *noisy(2, 0.85),
        frame_reading(1, evidence(FULL, 0.85, seed=9)),
        frame_reading(1, evidence(FULL, 0.85, seed=10)),
    ]
    first, *rest = fusions(readings, most=4)
    assert sorted(one.frame for one, _ in first.members) == [0, 1]
    assert rest == []  # what is left is of frame 1 alone


def test_versions_are_not_mixed() -> None:
    larger = encode("https://example.org/fused/9021", version=3)
    readings = [
        *noisy(2, 1.3),
        *(frame_reading(frame, evidence(larger, 1.3, seed=frame), modules=larger, version=3) for frame in (2, 3)),
    ]
    assert sorted(sorted(one.frame for one, _ in fusion.members) for fusion in fusions(readings, most=4)) == [
        [0, 1],
        [2, 3],
    ]


def test_unrelated_readings_are_not_fused() -> None:
    readings = [frame_reading(frame, evidence(scrambled(FULL, seed=frame), 1.3, seed=frame)) for frame in range(6)]
    assert list(fusions(readings, most=6)) == []


def test_no_frame_has_a_veto() -> None:
    """A confident wrong frame is outvoted by two less confident right ones."""
    wrong = evidence(FULL, 1.3, seed=0)
    wrong[9:12, 9:12] = np.where(FULL[9:12, 9:12], -500, 500)
    right = [np.where(FULL, np.float32(5), np.float32(-5)) for _ in range(2)]
    (fusion,) = fusions([frame_reading(frame, one) for frame, one in enumerate([wrong, *right])], most=1)
    assert len(fusion.members) == 3
    assert np.array_equal(fusion.log_odds[9:12, 9:12] > 0, FULL[9:12, 9:12])


@pytest.mark.parametrize(("unmatched", "found"), [(12, 1), (13, 0)])
def test_a_few_confident_readings_of_noise_are_tolerated(unmatched: int, found: int) -> None:
    nothing = [
        frame_reading(seed % 4, 3 * evidence(scrambled(FULL, seed=seed), 1.3, seed=50 + seed))
        for seed in range(unmatched)
    ]
    assert len(list(fusions([*noisy(2, 1.3), *nothing], most=1))) == found


def test_the_number_of_fusions_is_bounded() -> None:
    readings = [
        frame_reading(frame, evidence(scrambled(FULL, seed=code), 1.3, seed=frame))
        for code in range(5)
        for frame in range(2)
    ]
    assert len(list(fusions(readings, most=9))) == 5
    assert len(list(fusions(readings, most=2))) == 2


# --- reading --------------------------------------------------------------------------------------------------------


def single(one: FrameReading, tools: Tools) -> list[Symbol]:
    """Everything that a frame gives alone, by soft decoding too."""
    reading = one.reading
    return [
        *reading.region.read_modules(reading.crop, reading.log_odds, tools.engines),
        *reading.read_corrected(tools.engines),
    ]


@pytest.mark.parametrize(("clarity", "engine"), [(1.1, "zxing"), (0.8, SOFT)])
def test_frames_together_give_what_none_gives_alone(tools: Tools, clarity: float, engine: str) -> None:
    readings = noisy(6, clarity)
    assert [single(one, tools) for one in readings] == [[]] * 6
    (fusion,) = fusions(readings, most=1)
    ((frame, symbol),) = fusion.read(tools)
    assert symbol.text == "https://example.org/fused/9021"
    assert symbol.engine == engine
    assert np.allclose(symbol.corners, PLACES[frame])


def test_turned_and_mirrored_frames_take_part(tools: Tools) -> None:
    """Two rotated frames that cannot be read alone are read together."""
    upright, turned = evidence(FULL, 1.35, seed=1), Pose(turns=1).undo(evidence(FULL, 1.35, seed=2))
    readings = [frame_reading(0, upright), frame_reading(1, turned, modules=np.rot90(FULL, -1))]
    assert [single(one, tools) for one in readings] == [[], []]
    (fusion,) = fusions(readings, most=1)
    ((frame, symbol),) = fusion.read(tools)
    assert (frame, symbol.text) == (0, "https://example.org/fused/9021")


def test_assumed_patterns_of_a_turned_reading_count_nothing() -> None:
    turned = Pose(turns=2).undo(evidence(FULL, 1.6, seed=2))
    fusion = next(iter(fusions([frame_reading(0, evidence(FULL, 1.6, seed=1)), frame_reading(1, turned)], most=1)))
    granted = np.rot90(~function_patterns(2).data, 2)
    alone = fusion.members[0][0].reading.log_odds.clip(-8, 8)
    share = fusion.log_odds[granted] / alone[granted]
    assert np.allclose(share, share[0], rtol=1e-4)
    assert 0.5 <= share[0] <= 1
    assert not np.allclose(fusion.log_odds, share[0] * alone)


@pytest.mark.parametrize(("agreements", "frames"), [((0.9, 0.1, 0.1), [0]), ((0.1, 0.1, 0.9), [2]), ((0.1,) * 3, [])])
def test_one_frame_must_show_the_code(tools: Tools, agreements: tuple[float, ...], frames: list[int]) -> None:
    """In frames that agree badly the crop decides, and these crops show quite another symbol."""
    lies = np.random.default_rng(7).random(FULL.shape) < 0.5
    readings = [
        frame_reading(frame, evidence(FULL, 1.05, seed=frame), modules=lies, agreement=agreement)
        for frame, agreement in enumerate(agreements)
    ]
    (fusion,) = fusions(readings, most=1)
    assert [frame for frame, _ in fusion.read(tools)] == frames


def test_a_fusion_is_at_the_places_of_its_members() -> None:
    (fusion,) = fusions(noisy(2, 1.3), most=1)
    here, elsewhere = Quad.of(PLACES[0]), Quad.of(PLACES[0] + 200)
    symbol = Symbol(b"", "", "Text", "QRCode", 2, "L", "fake", here)
    assert fusion.is_at(0, symbol)
    assert not fusion.is_at(3, symbol)
    assert not fusion.is_at(0, replace(symbol, corners=elsewhere))


def test_noise_is_not_fused_into_payloads(tools: Tools) -> None:
    """Readings of noise have little confidence; their sum gives nothing."""
    rng = np.random.default_rng(0)
    for _ in range(12):
        noise = [rng.normal(0, 2, FULL.shape).astype(np.float32) for _ in range(6)]
        lies = rng.random(FULL.shape) < 0.5
        readings = [frame_reading(frame, one, modules=lies, agreement=0.4) for frame, one in enumerate(noise)]
        everything = Fusion(tuple((one, IDENTITY) for one in readings), np.sum(noise, axis=0))
        assert everything.read(tools) == []


# --- frames that are not independent --------------------------------------------------------------------------------


def test_one_file_eight_times_counts_once() -> None:
    once = evidence(FULL, 0.7, seed=1).clip(-8, 8)
    assert witnesses([once] * 8) == pytest.approx(1, abs=1e-6)
    assert np.allclose(add_up([once] * 8), once, atol=1e-5)


def test_independent_frames_count_fully() -> None:
    assert witnesses([evidence(FULL, 0.7, seed=frame) for frame in range(8)]) > 6


@pytest.mark.parametrize("correlation", [0.25, 0.5, 0.8])
def test_correlated_frames_count_by_the_design_effect(correlation: float) -> None:
    shared = np.random.default_rng(99).normal(size=FULL.shape)
    frames = []
    for frame in range(8):
        own = np.random.default_rng(frame).normal(size=FULL.shape)
        noise = correlation**0.5 * shared + (1 - correlation) ** 0.5 * own
        frames.append((2 * (np.where(FULL, 1, -1) + noise)).astype(np.float32))
    assert witnesses(frames) == pytest.approx(8 / (1 + 7 * correlation), rel=0.25)


def test_frames_without_differences_are_one() -> None:
    sure = np.where(FULL, np.float32(8), np.float32(-8))
    assert witnesses([sure] * 3) == 1
