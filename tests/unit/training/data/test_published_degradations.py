from collections.abc import Callable
from math import factorial

import cv2
import numpy as np
import pytest
from numpy.random import Generator

from app.pipeline.qrcode.patterns import render
from tests.support.codes import encode
from training.data import degrade
from training.data.degrade import Image, resize
from training.data.published_degradations import (
    NOISE_UNIT,
    Augmentation,
    BlurOrNoise,
    DegradationRound,
    PublishedDegradation,
    SecondOrderDegradation,
    add_noise,
    bell_kernel,
    blur,
    sinc_kernel,
    unsharp,
)

CODE = cv2.resize((render(encode("published", version=1), pixels=9) / 255).astype(np.float32), (256, 256))
FLAT = np.full((256, 256), 0.5, np.float32)
SEEDS = range(8)
KINDS: dict[str, PublishedDegradation] = {
    "blurred": blur,
    "noised": add_noise,
    "blur or noise": BlurOrNoise(),
    "augmented": Augmentation(),
    "second order": SecondOrderDegradation(),
}


def rng(seed: int = 0) -> Generator:
    return np.random.default_rng(seed)


def point(side: int = 256) -> Image:
    picture = np.zeros((side, side), np.float32)
    picture[side // 2, side // 2] = 1
    return picture


@pytest.mark.parametrize("kind", KINDS)
def test_each_gives_a_small_picture_and_a_target_and_repeats(kind: str) -> None:
    before = CODE.copy()
    made = []
    for seed in (*SEEDS, 0):
        degraded, target = KINDS[kind](CODE, rng(seed), low=64)
        assert degraded.dtype == target.dtype == np.float32
        assert (degraded.shape, target.shape) == ((64, 64), (256, 256))
        assert np.isfinite(degraded).all()
        assert target.min() >= 0
        assert target.max() <= 1
        made.append(degraded)
    assert np.array_equal(made[0], made[-1])
    assert not np.array_equal(made[0], made[1])
    assert np.array_equal(CODE, before)


@pytest.mark.parametrize("kind", ["blurred", "noised", "blur or noise"])
def test_targets_are_the_clean_code_where_nothing_moves_it(kind: str) -> None:
    assert KINDS[kind](CODE, rng(), low=64)[1] is CODE


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "noised"])
def test_small_pictures_show_their_targets(kind: str) -> None:
    agreements = []
    for seed in range(16):
        degraded, target = KINDS[kind](CODE, rng(seed), low=64)
        small = cv2.resize(target, (64, 64), interpolation=cv2.INTER_AREA)
        agreements.append(np.corrcoef(degraded.ravel(), small.ravel())[0, 1])
    assert np.median(agreements) > 0.8


def test_reduction_is_by_area() -> None:
    assert np.allclose(resize(CODE, 64), CODE.reshape(64, 4, 64, 4).mean(axis=(1, 3)), atol=1e-6)


# --- PaperGen -------------------------------------------------------------------------------------------------------


def test_blurs_have_the_published_kernels_and_deviations() -> None:
    """At the large size, where the reduction of a point's picture to itself hides nothing."""
    sides, deviations = set(), []
    x = np.arange(64) - 32
    for seed in range(60):
        spread = blur(point(64), rng(seed), low=64)[0]
        profile = spread.sum(axis=0)
        assert float(profile.sum()) == pytest.approx(1, abs=1e-5)
        sides.add(int((profile > 1e-9).sum()))
        if profile.astype(bool).sum() == 11:
            deviations.append(float(np.sqrt((profile * x**2).sum())))
    assert sides == {3, 5, 7, 9, 11}
    assert 1.08 < min(deviations) < max(deviations) < 1.62


def test_noise_is_in_units_of_64_grey_levels() -> None:
    deviations = [float((add_noise(FLAT, rng(seed), low=64)[0] - 0.5).std()) * 255 for seed in range(40)]
    assert pytest.approx(64 / 255) == NOISE_UNIT
    assert 0.68 * 64 < min(deviations) < 0.8 * 64
    assert 1.1 * 64 < max(deviations) < 1.23 * 64


@pytest.mark.parametrize(("share", "expected"), [(0.0, 0), (3 / 13, 3 / 13), (1.0, 1)])
def test_blur_and_noise_come_in_their_shares(share: float, expected: float) -> None:
    mixture = BlurOrNoise(blur_share=share)
    still = [float(mixture(FLAT, rng(seed), low=16)[0].std()) < 1e-6 for seed in range(400)]
    assert np.mean(still) == pytest.approx(expected, abs=0.06)
    assert BlurOrNoise().blur_share == 3 / 13


# --- SRGAN's augmentation -------------------------------------------------------------------------------------------


def moved(image: Image, seed: int, **only: float) -> Image:
    """The target of an augmentation that does ``only`` this."""
    chosen = {"rotation": 0.0, "shear": 0.0, "zoom": 0.0, **only}
    return Augmentation(**chosen)(image, rng(seed), low=16)[1]


def long_side(mask: Image) -> float:
    """Length of a bright bar, in pixels."""
    (_, size, _) = cv2.minAreaRect(np.argwhere(mask > 0.5).astype(np.float32))
    return max(size)


def bar() -> Image:
    picture = np.zeros((128, 128), np.float32)
    picture[62:66, 24:104] = 1
    return picture


def test_without_motion_only_flips_remain() -> None:
    flips = [CODE[::down, ::right] for down in (1, -1) for right in (1, -1)]
    seen = set()
    for seed in range(24):
        target = moved(CODE, seed)
        matches = [bool(np.allclose(target, flip, atol=1e-5)) for flip in flips]
        assert sum(matches) == 1
        seen.add(matches.index(True))
    assert seen == {0, 1, 2, 3}


def test_rotation_reaches_its_limit_and_no_farther() -> None:
    angles = []
    for seed in range(60):
        y, x = np.nonzero(moved(bar(), seed, rotation=40.0) > 0.5)
        angles.append(float(np.rad2deg(np.arctan(np.polyfit(x, y, 1)[0]))))
    assert max(np.abs(angles)) < 41
    assert max(angles) > 30
    assert min(angles) < -30


def test_zoom_stretches_by_a_fifth_at_most() -> None:
    lengths = [long_side(moved(bar(), seed, zoom=0.2)) / long_side(bar()) for seed in range(60)]
    assert 0.78 < min(lengths) < 0.85
    assert 1.15 < max(lengths) < 1.22


def test_shear_slants_by_a_fifth_at_most() -> None:
    slants = []
    for seed in range(60):
        y, x = np.nonzero(moved(np.ascontiguousarray(bar().T), seed, shear=0.2) > 0.5)
        slants.append(float(np.polyfit(y, x, 1)[0]))
    assert 0.15 < max(np.abs(slants)) < 0.21
    assert max(slants) > 0.1
    assert min(slants) < -0.1


def test_augmentation_keeps_the_middle_and_continues_borders() -> None:
    white = np.ones((64, 64), np.float32)
    for seed in SEEDS:
        assert np.allclose(Augmentation()(white, rng(seed), low=16)[1], 1, atol=1e-6)
    spot = np.zeros((129, 129), np.float32)
    spot[60:69, 60:69] = 1
    for seed in SEEDS:
        y, x = np.nonzero(Augmentation()(spot, rng(seed), low=32)[1] > 0.5)
        assert (y.mean(), x.mean()) == pytest.approx((64, 64), abs=0.6)


def test_brightness_changes_the_small_picture_alone_and_clips_at_white() -> None:
    factors = []
    for seed in range(60):
        degraded, target = Augmentation()(FLAT, rng(seed), low=16)
        assert np.allclose(target, 0.5)
        factors.append(float(degraded.mean()) / 0.5)
    assert 0.5 <= min(factors) < 0.6
    assert 1.4 < max(factors) <= 1.5 + 1e-6
    assert max(float(Augmentation()(np.ones_like(FLAT), rng(seed), low=16)[0].max()) for seed in SEEDS) == 1


# --- QR-ESRGAN ------------------------------------------------------------------------------------------------------


def test_unsharp_masks_leave_black_and_white_and_steepen_edges() -> None:
    ramp = np.tile(np.clip((np.arange(200, dtype=np.float32) - 95) / 10, 0, 1), (200, 1))
    sharp = unsharp(ramp)
    assert sharp.dtype == np.float32
    flat = (ramp == 0) | (ramp == 1)
    assert np.array_equal(sharp[flat], ramp[flat])
    steps = (np.diff(picture[100]).max() for picture in (sharp, ramp))
    assert next(steps) > 1.2 * next(steps)


def test_unsharp_masks_leave_faint_detail_alone() -> None:
    faint = (0.5 + 0.015 * np.sign(np.sin(np.arange(200) / 3))).astype(np.float32)
    picture = np.tile(faint, (200, 1))
    assert np.array_equal(unsharp(picture), picture)
    assert not np.array_equal(unsharp(picture, threshold=1.0), picture)


def test_unsharp_masks_add_half_of_what_the_gaussian_takes_away() -> None:
    picture = np.tile((0.5 + 0.2 * np.sign(np.sin(np.arange(200) / 5))).astype(np.float32), (200, 1))
    soft = cv2.GaussianBlur(picture, (51, 51), 8.0)
    inner = np.s_[60:140, 60:140]
    assert np.allclose(unsharp(picture)[inner], (picture + 0.5 * (picture - soft))[inner], atol=5e-3)


@pytest.mark.parametrize("cutoff", [np.pi / 3, np.pi / 2])
def test_sinc_filters_pass_what_is_slower_than_their_cutoff(cutoff: float) -> None:
    kernel = sinc_kernel(side=21, cutoff=cutoff)
    assert kernel.shape == (21, 21)
    assert float(kernel.sum()) == pytest.approx(1, abs=1e-5)
    assert float(kernel.min()) < 0
    assert np.allclose(kernel, kernel.T, atol=1e-7)
    assert np.allclose(kernel, kernel[::-1, ::-1], atol=1e-7)
    x = np.arange(-10, 11)

    def response(frequency: float) -> float:
        return float((kernel.sum(axis=0) * np.cos(frequency * x)).sum())

    assert response(0.6 * cutoff) == pytest.approx(1, abs=0.15)
    assert abs(response(1.5 * cutoff)) < 0.15


@pytest.mark.parametrize("cutoff", [0.8, np.pi / 2, 3.0])
def test_sinc_filters_are_the_low_pass_filters_of_a_disc(cutoff: float) -> None:
    """The neighbour over the middle: 2 J1(c) / c, by the series of the Bessel function."""
    kernel = sinc_kernel(side=7, cutoff=cutoff)
    series = sum((-1) ** k / (factorial(k) * factorial(k + 1)) * (cutoff / 2) ** (2 * k) for k in range(12))
    assert float(kernel[3, 4] / kernel[3, 3]) == pytest.approx(series, rel=1e-4)


def test_cutoffs_of_sinc_filters_depend_on_their_size(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: dict[int, list[float]] = {}

    def watched(*, side: int, cutoff: float) -> Image:
        drawn.setdefault(side, []).append(cutoff)
        return sinc_kernel(side=side, cutoff=cutoff)

    monkeypatch.setattr("training.data.published_degradations.sinc_kernel", watched)
    for seed in range(400):
        DegradationRound(sinc_share=1.0).kernel(rng(seed))
    assert sorted(drawn) == list(range(7, 22, 2))
    for side, cutoffs in drawn.items():
        lowest = np.pi / (3 if side < 13 else 5)
        assert lowest <= min(cutoffs) < lowest + 0.4
        assert np.pi - 0.4 < max(cutoffs) <= np.pi


@pytest.mark.parametrize("shape", ["gaussian", "generalised", "plateau"])
def test_bells_are_as_wide_and_turned_as_asked_for(shape: str) -> None:
    kernel = bell_kernel(side=41, sigmas=(4.0, 1.5), angle=0.5, shape=shape, power=1.6)
    y, x = np.mgrid[-20:21, -20:21]
    assert float(kernel.sum()) == pytest.approx(1, abs=1e-5)
    assert float(kernel.min()) >= 0
    covariance = np.array([[(kernel * a * b).sum() for a in (x, y)] for b in (x, y)])
    values, vectors = np.linalg.eigh(covariance)
    assert values[1] > 3 * values[0]
    assert abs(vectors[:, 1] @ (np.cos(0.5), np.sin(0.5))) == pytest.approx(1, abs=1e-3)
    if shape == "gaussian":
        assert np.sqrt(values) == pytest.approx((1.5, 4.0), rel=0.02)


def test_powers_flatten_or_sharpen_the_bells() -> None:
    def peak(shape: str, power: float) -> float:
        """How far the middle stands above a place half a sigma away."""
        kernel = bell_kernel(side=21, sigmas=(6.0, 6.0), angle=0.0, shape=shape, power=power)
        return float(kernel[10, 10] / kernel[10, 13])

    assert peak("generalised", 0.5) == pytest.approx(np.exp(0.25), rel=1e-4)
    assert peak("generalised", 4.0) == pytest.approx(np.exp(0.5**9), rel=1e-4)
    assert peak("gaussian", 4.0) == pytest.approx(np.exp(0.125), rel=1e-4)
    assert peak("plateau", 1.0) == pytest.approx(1.25, rel=1e-4)
    assert peak("plateau", 2.0) == pytest.approx(1 + 0.5**4, rel=1e-4)


def test_kernels_are_7_to_21_pixels_a_side() -> None:
    kernels = [DegradationRound().kernel(rng(seed)) for seed in range(300)]
    assert {kernel.shape for kernel in kernels} == {(side, side) for side in range(7, 22, 2)}
    ringing = np.mean([float(kernel.min()) < -1e-6 for kernel in kernels])
    assert ringing == pytest.approx(0.1, abs=0.06)
    turned = np.mean([not np.allclose(kernel, kernel.T, atol=1e-6) for kernel in kernels])
    assert turned == pytest.approx(0.9 * 0.31, abs=0.1)


def test_resizes_are_relative_to_the_base() -> None:
    sides = [DegradationRound().apply_resize(FLAT, rng(seed), base=100).shape[0] for seed in range(200)]
    assert 15 <= min(sides) < 25
    assert 130 < max(sides) <= 150
    assert np.mean(np.array(sides) == 100) == pytest.approx(0.1, abs=0.06)
    assert np.mean(np.array(sides) > 100) == pytest.approx(0.2, abs=0.08)


@pytest.mark.parametrize(
    ("strength", "limit"),
    [({"noise": (30.0, 30.0), "poisson": (0.0, 0.0)}, 30 / 255), ({"noise": (0.0, 0.0), "poisson": (2.0, 2.0)}, None)],
)
def test_noise_is_gaussian_for_half_and_of_photons_for_the_other(strength: dict[str, tuple], limit: float) -> None:
    expected = limit or 2 * np.sqrt(0.5 / 256)
    deviations = [float(DegradationRound(**strength).apply_noise(FLAT, rng(seed)).std()) for seed in range(60)]
    loud = [deviation for deviation in deviations if deviation > 1e-6]
    assert 15 < len(loud) < 45
    assert loud == pytest.approx([expected] * len(loud), rel=0.05)


def test_noise_of_photons_grows_with_light_and_leaves_black() -> None:
    steps = np.repeat(np.array([0.0, 0.2, 0.8], np.float32), 100)[:, None].repeat(200, axis=1)
    noisy = DegradationRound(noise=(0.0, 0.0), poisson=(1.0, 1.0)).apply_noise(steps, rng(1))
    black, dim, bright = (noisy[part].std() for part in (np.s_[:100], np.s_[100:200], np.s_[200:]))
    assert black == 0
    assert bright == pytest.approx(2 * dim, rel=0.1)


def count(monkeypatch: pytest.MonkeyPatch, name: str, run: Callable[[], object]) -> list[object]:
    """Arguments of each call of a function that the second-order degradation uses."""
    calls: list[object] = []
    original = getattr(degrade, name)

    def watched(*given: object, **named: object) -> object:
        calls.append((given[0].shape[0], named))  # type: ignore[attr-defined]
        return original(*given, **named)

    monkeypatch.setattr(degrade, name, watched)
    run()
    return calls


def test_every_picture_is_compressed_twice_by_qualities_30_to_95(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = count(
        monkeypatch, "jpeg", lambda: [SecondOrderDegradation()(CODE, rng(seed), low=64) for seed in range(40)]
    )
    qualities = [named["quality"] for _, named in calls]
    assert len(calls) == 80
    assert 30 <= min(qualities) < 40
    assert 85 < max(qualities) <= 95
    last = [side for side, _ in calls[1::2]]
    assert (
        0.3 * 64 - 1 <= min(last) < max(last) <= 1.2 * 64 + 1
    )  # the second round's sizes are relative to the small one
    assert 8 < last.count(64) < 40  # final size: the sinc filter came before the compression, or no resize at all


def test_blurs_and_the_last_sinc_come_in_their_shares(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = count(
        monkeypatch, "convolve", lambda: [SecondOrderDegradation()(CODE, rng(seed), low=64) for seed in range(60)]
    )
    assert sum(side == 256 for side, _ in calls) >= 60
    assert len(calls) / 60 == pytest.approx(1 + 0.8 + 0.8, abs=0.2)


def test_the_target_is_unsharp_masked_unless_told_otherwise() -> None:
    assert np.array_equal(SecondOrderDegradation()(CODE, rng(), low=64)[1], unsharp(CODE))
    assert SecondOrderDegradation(sharpen=False)(CODE, rng(), low=64)[1] is CODE


def test_the_second_round_is_milder() -> None:
    first, second = SecondOrderDegradation().first, SecondOrderDegradation().second
    assert first.sigma[1] > second.sigma[1]
    assert first.noise[1] > second.noise[1]
    assert second.blur_share == 0.8
    assert first.resize_odds == (0.2, 0.7, 0.1)
    assert second.resize_odds == (0.3, 0.4, 0.3)
