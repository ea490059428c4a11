from collections.abc import Callable

import cv2
import numpy as np
import pytest
from numpy.random import Generator
from numpy.typing import NDArray

from app.pipeline.qrcode.patterns import render
from tests.support.codes import encode
from training.data import degrade

CLEAN = (render(encode("degraded", version=2), pixels=6) / 255).astype(np.float32)
SEEDS = range(8)


def rng(seed: int = 0) -> Generator:
    return np.random.default_rng(seed)


def centroid(kernel: NDArray[np.float32]) -> tuple[float, float]:
    """x and y from the middle of the kernel."""
    reach = kernel.shape[0] // 2
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    return float((kernel * x).sum()), float((kernel * y).sum())


def extent(kernel: NDArray[np.float32], angle: float) -> float:
    """Distance between the farthest weights along a direction, a pixel of interpolation taken off."""
    y, x = np.nonzero(kernel > 1e-4)
    return float(np.ptp(x * np.cos(angle) + y * np.sin(angle))) - 1


KERNELS: dict[str, Callable[[Generator], NDArray[np.float32]]] = {
    "motion": lambda rng: degrade.motion_kernel(rng, length=rng.uniform(1, 40)),
    "shake": lambda rng: degrade.shake_kernel(rng, length=rng.uniform(1, 30)),
    "disc": lambda rng: degrade.disc_kernel(radius=rng.uniform(0.3, 9)),
}


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("kind", KERNELS)
def test_point_spread_functions_move_no_light(kind: str, seed: int) -> None:
    kernel = KERNELS[kind](rng(seed))
    assert kernel.shape[0] == kernel.shape[1]
    assert kernel.shape[0] % 2 == 1
    assert float(kernel.min()) >= 0
    assert float(kernel.sum()) == pytest.approx(1, abs=1e-5)
    assert centroid(kernel) == pytest.approx((0, 0), abs=1e-3)


@pytest.mark.parametrize("length", [5.0, 20.0, 60.0])
@pytest.mark.parametrize("degrees", [0, 30, 90, 135])
def test_motion_is_as_long_and_turned_as_asked_for(length: float, degrees: int) -> None:
    angle = np.deg2rad(degrees)
    kernel = degrade.motion_kernel(rng(), length=length, angle=angle, exponent=0.5)
    assert extent(kernel, angle) == pytest.approx(length, abs=1.5)
    assert extent(kernel, angle + np.pi / 2) < 2


def test_even_motion_spreads_light_evenly_and_a_low_exponent_does_not() -> None:
    even = degrade.motion_kernel(rng(), length=40, angle=0.0, exponent=1.0).sum(axis=0)
    middle = even[even > 0][3:-3]
    assert np.ptp(middle) < 0.2 * middle.mean()
    slowing = degrade.motion_kernel(rng(), length=40, angle=0.0, exponent=0.4).sum(axis=0)
    occupied = slowing[slowing > 0]
    assert occupied[-8:].sum() > 3 * occupied[:8].sum()  # slowest, so brightest, where it ends


def test_disc_has_the_radius_asked_for() -> None:
    kernel = degrade.disc_kernel(radius=6)
    assert int((kernel > kernel.max() / 2).sum()) == pytest.approx(np.pi * 36, rel=0.05)


def test_convolving_spreads_each_point_as_the_kernel_says_and_reflects_at_the_border() -> None:
    kernel = degrade.disc_kernel(radius=2.5)
    reach = kernel.shape[0] // 2
    point = np.zeros((31, 31), np.float32)
    point[15, 12] = 1
    spread = degrade.convolve(point, kernel)
    assert np.allclose(spread[15 - reach : 16 + reach, 12 - reach : 13 + reach], kernel, atol=1e-6)
    assert np.allclose(degrade.convolve(np.ones((9, 9), np.float32), kernel), 1, atol=1e-6)


@pytest.mark.parametrize("seed", SEEDS)
def test_blur_keeps_the_mean_grey_and_the_place(seed: int) -> None:
    spot = np.zeros((161, 161), np.float32)
    spot[78:83, 78:83] = 1
    blurred = degrade.blur(spot, rng(seed), module=6)
    assert float(blurred.sum()) == pytest.approx(25, rel=1e-3)
    assert centroid(blurred / blurred.sum()) == pytest.approx((0, 0), abs=0.05)


def test_reach_limits_the_blur() -> None:
    def spread(reach: float) -> float:
        spot = np.zeros((161, 161), np.float32)
        spot[80, 80] = 1
        return max(extent(degrade.blur(spot, rng(seed), module=6, reach=reach), 0.0) for seed in range(30))

    assert spread(0.4) < 0.6 * spread(1.0)


@pytest.mark.parametrize(
    "function",
    [
        lambda image, rng: degrade.ink(image, rng, module=6),
        degrade.shade,
        degrade.glare,
        lambda image, rng: degrade.occlude(image, rng, module=6),
        lambda image, rng: degrade.bend(image, rng, amplitude=4),
        lambda image, rng: degrade.blur(image, rng, module=6),
        lambda image, rng: degrade.noise(image, rng, sigma=0.1),
        degrade.sensor,
    ],
    ids=["ink", "shade", "glare", "occlude", "bend", "blur", "noise", "sensor"],
)
def test_each_step_is_repeatable_and_leaves_its_input_alone(
    function: Callable[[NDArray[np.float32], Generator], NDArray[np.float32]],
) -> None:
    before = CLEAN.copy()
    changed = 0
    for seed in SEEDS:
        once, again = function(CLEAN, rng(seed)), function(CLEAN, rng(seed))
        assert once.dtype == np.float32
        assert once.shape == CLEAN.shape
        assert np.array_equal(once, again)
        assert np.isfinite(once).all()
        changed += not np.array_equal(once, CLEAN)
    assert changed >= len(SEEDS) - 3
    assert np.array_equal(CLEAN, before)


@pytest.mark.parametrize("seed", SEEDS)
def test_ink_leaves_contrast(seed: int) -> None:
    inked = degrade.ink(CLEAN, rng(seed), module=6)
    assert np.ptp(inked) >= 0.2 - 1e-6
    assert inked.min() >= 0
    assert inked.max() <= 1
    share = (inked < (inked.min() + inked.max()) / 2).mean()
    assert share == pytest.approx((CLEAN < 0.5).mean(), rel=0.8)


def test_bend_displaces_by_no_more_than_the_amplitude() -> None:
    ramp = np.tile(np.arange(200, dtype=np.float32), (200, 1))
    moved = [np.abs(degrade.bend(ramp, rng(seed), amplitude=3) - ramp)[:, 4:-4].max() for seed in SEEDS]
    assert max(moved) <= 3.01
    assert max(moved) > 1


@pytest.mark.parametrize("sigma", [0.02, 0.1])
def test_noise_is_as_strong_as_asked_for_grainy_or_not(sigma: float) -> None:
    flat = np.full((200, 200), 0.5, np.float32)
    noisy = [degrade.noise(flat, rng(seed), sigma=sigma) for seed in SEEDS]
    for image in noisy:
        assert float(image.std()) == pytest.approx(sigma, rel=0.05)
        assert float(image.mean()) == pytest.approx(0.5, abs=0.1 * sigma)

    def grain(image: NDArray[np.float32]) -> float:
        return float(np.corrcoef(image[:, 1:].ravel(), image[:, :-1].ravel())[0, 1])

    correlated = [grain(image) > 0.2 for image in noisy]
    assert any(correlated)
    assert not all(correlated)


def test_noise_is_clipped() -> None:
    noisy = degrade.noise(CLEAN, rng(), sigma=0.5)
    assert (float(noisy.min()), float(noisy.max())) == (0.0, 1.0)


def test_low_jpeg_quality_costs_more() -> None:
    errors = [float(np.abs(degrade.jpeg(CLEAN, quality=quality) - CLEAN).mean()) for quality in (95, 40, 10)]
    assert errors == sorted(errors)
    assert errors[0] < 0.01
    assert errors[-1] > errors[0]


def test_gaussian_is_of_the_sigma_asked_for() -> None:
    point = np.zeros((41, 41), np.float32)
    point[20, 20] = 1
    blurred = degrade.gaussian(point, sigma=2.5)
    x = np.arange(-20, 21)
    assert float((blurred.sum(axis=0) * x**2).sum()) == pytest.approx(2.5**2, rel=0.03)


def test_occlusion_covers_something_but_not_everything() -> None:
    for seed in SEEDS:
        covered = (degrade.occlude(CLEAN, rng(seed), module=6) != CLEAN).mean()
        assert 0 < covered < 0.5


def test_glare_only_brightens_dark_parts() -> None:
    for seed in SEEDS:
        assert (degrade.glare(CLEAN, rng(seed)) >= CLEAN - 1e-6).all()


def test_shade_is_smooth() -> None:
    flat = np.full((100, 100), 0.6, np.float32)
    for seed in SEEDS:
        shaded = degrade.shade(flat, rng(seed))
        assert cv2.Laplacian(shaded, cv2.CV_32F)[2:-2, 2:-2].std() < 0.05
        assert shaded.std() > 0
