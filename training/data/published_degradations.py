"""The degradations of the published systems: each turns a large clean picture into a small degraded one and a target.

Lengths are in pixels of the large picture unless stated otherwise, greys in [0, 1]; steps follow the source's order.
"""

from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np
import torch
from numpy.random import Generator

from training.data import degrade
from training.data.degrade import Image, resize

NOISE_UNIT = 64 / 255
"""The deviation that PaperGen's noise level 1 is taken for: 64 of 255 grey levels. The source gives no unit; at levels
of 0.7-1.2, one grey level would not disturb a decoder."""
BLUR_SHARE = 3 / 13
"""The share of PaperGen's training that is on blur: 3 of its 13 epochs."""


class PublishedDegradation(Protocol):
    """A published system's degradation: turns ``clean`` (S, S) in [0, 1] into a degraded picture (``low``, ``low``),
    not clipped to [0, 1], and a target (S, S).

    The target is ``clean`` unless the system moves or sharpens its targets too.
    """

    def __call__(self, clean: Image, rng: Generator, *, low: int) -> tuple[Image, Image]: ...


def blur(clean: Image, rng: Generator, *, low: int) -> tuple[Image, Image]:
    """PaperGen's blur: gaussian, with a kernel of 3, 5, 7, 9 or 11 and sigma 1.1-1.6, then reduction by area."""
    kernel = 2 * int(rng.integers(1, 6)) + 1
    soft = cv2.GaussianBlur(clean, (kernel, kernel), float(rng.uniform(1.1, 1.6)))
    return resize(np.asarray(soft, dtype=np.float32), low), clean


def add_noise(clean: Image, rng: Generator, *, low: int) -> tuple[Image, Image]:
    """PaperGen's noise: reduction by area, then gaussian noise of (0.7-1.2) x ``NOISE_UNIT``, independent per pixel."""
    small = resize(clean, low)
    noise = rng.normal(0, rng.uniform(0.7, 1.2) * NOISE_UNIT, small.shape)
    return np.asarray(small + noise, dtype=np.float32), clean


@dataclass(frozen=True, kw_only=True)
class BlurOrNoise:
    """PaperGen's two trainings in one: `blur` for ``blur_share`` of the samples, `add_noise` for the rest.

    The published run had 3 epochs of blur followed by 10 of noise; a mixture in these shares forgets neither.
    """

    blur_share: float = BLUR_SHARE

    def __call__(self, clean: Image, rng: Generator, *, low: int) -> tuple[Image, Image]:
        return (blur if rng.random() < self.blur_share else add_noise)(clean, rng, low=low)


@dataclass(frozen=True, kw_only=True)
class Augmentation:
    """The augmentation of SRGAN for QR codes: transforms the clean code and with it the target, then reduces by area.

    Rotation by up to ``rotation`` degrees, shear by a factor of up to ``shear``, both in either direction; each axis
    scaled by 1 - ``zoom`` to 1 + ``zoom`` and flipped with probability 1/2; borders are replicated. ``brightness``
    multiplies only the small picture, clipped at white; the target stays black on white. Normalisation undoes most of
    the change of brightness, here as in service.
    """

    rotation: float = 40.0
    shear: float = 0.2
    zoom: float = 0.2
    brightness: tuple[float, float] = (0.5, 1.5)

    def __call__(self, clean: Image, rng: Generator, *, low: int) -> tuple[Image, Image]:
        turn = degrade.rotation(np.deg2rad(rng.uniform(-self.rotation, self.rotation)))
        slant = np.array([[1, rng.uniform(-self.shear, self.shear)], [0, 1]])
        stretch = np.diag(rng.uniform(1 - self.zoom, 1 + self.zoom, 2) * rng.choice((-1, 1), 2))
        linear = turn @ slant @ stretch
        middle = np.full(2, (clean.shape[0] - 1) / 2)
        matrix = np.column_stack((linear, middle - linear @ middle))
        moved = cv2.warpAffine(
            clean, matrix, clean.shape[::-1], flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        target = np.asarray(moved, dtype=np.float32)
        return np.minimum(resize(target, low) * np.float32(rng.uniform(*self.brightness)), 1), target


def unsharp(image: Image, *, radius: int = 50, weight: float = 0.5, threshold: float = 10.0) -> Image:
    """The unsharp mask of Real-ESRGAN's targets, clipped to [0, 1].

    Adds ``weight`` times the difference from a gaussian blur where that is more than ``threshold`` grey levels of 255,
    with a soft border around that region. ``radius`` is the size of the gaussian's kernel (one more if even); sigma is
    0.15 times the size + 0.35, OpenCV's default. On black and white codes only the grey pixels of edges change, since
    black and white are clipped.
    """
    side = radius + 1 - radius % 2

    def soft(picture: Image) -> Image:
        return np.asarray(cv2.GaussianBlur(picture, (side, side), 0), dtype=np.float32)

    detail = image - soft(image)
    where = soft((np.abs(detail) * 255 > threshold).astype(np.float32))
    return np.asarray(image + where * (np.clip(image + weight * detail, 0, 1) - image), dtype=np.float32)


_INTERPOLATIONS = (cv2.INTER_AREA, cv2.INTER_LINEAR, cv2.INTER_CUBIC)
_SHAPES = ("gaussian", "generalised", "plateau")
_SHAPE_ODDS = (0.45, 0.25, 0.12, 0.03, 0.12, 0.03)  # for each shape: isotropic, anisotropic


def sinc_kernel(*, side: int, cutoff: float) -> Image:
    """The ideal low-pass filter of ``cutoff`` radians per pixel, cropped to an odd ``side``, sum 1.

    It rings, as sharpening and compression do (Real-ESRGAN, Eq. 6).
    """
    reach = side // 2
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    distance = np.hypot(x, y)
    distance[reach, reach] = 1.0
    kernel = cutoff * torch.special.bessel_j1(torch.from_numpy(cutoff * distance)).numpy() / (2 * np.pi * distance)
    kernel[reach, reach] = cutoff**2 / (4 * np.pi)
    return np.asarray(kernel / kernel.sum(), dtype=np.float32)


def bell_kernel(*, side: int, sigmas: tuple[float, float], angle: float, shape: str, power: float) -> Image:
    """A blur kernel of odd ``side``, sum 1, with ``sigmas`` along axes turned by ``angle`` radians (Real-ESRGAN, 3.1).

    For the squared distance q in sigmas, "gaussian" is exp(-q / 2), "generalised" exp(-q ** ``power`` / 2), and
    "plateau" 1 / (1 + q ** ``power``).
    """
    reach = side // 2
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    along, across = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    squared = (along / sigmas[0]) ** 2 + (across / sigmas[1]) ** 2
    if shape == "plateau":
        kernel = 1 / (1 + squared**power)
    else:
        kernel = np.exp(-0.5 * squared ** (power if shape == "generalised" else 1.0))
    return np.asarray(kernel / kernel.sum(), dtype=np.float32)


@dataclass(frozen=True, kw_only=True)
class DegradationRound:
    """One of the two rounds of Real-ESRGAN's degradation: blur, resize, noise and JPEG; defaults are the first round's.

    ``blur_share`` of the samples are blurred, ``sinc_share`` of these by a sinc filter; ``resize_odds`` are the
    probabilities of enlarging, reducing and neither, by factors in ``resize``. Half of the samples have gaussian noise
    whose deviation in grey levels of 255 is in ``noise``; the other half have the Poisson noise of 256 photons at white
    times a factor in ``poisson``. ``jpeg`` is the range of the quality.
    """

    blur_share: float = 1.0
    sigma: tuple[float, float] = (0.2, 3.0)
    sinc_share: float = 0.1
    resize_odds: tuple[float, float, float] = (0.2, 0.7, 0.1)
    resize: tuple[float, float] = (0.15, 1.5)
    noise: tuple[float, float] = (1.0, 30.0)
    poisson: tuple[float, float] = (0.05, 3.0)
    jpeg: tuple[int, int] = (30, 95)

    def kernel(self, rng: Generator) -> Image:
        """A random blur kernel of 7-21 pixels a side."""
        side = 2 * int(rng.integers(3, 11)) + 1
        if rng.random() < self.sinc_share:
            return sinc_kernel(side=side, cutoff=rng.uniform(np.pi / (3 if side < 13 else 5), np.pi))
        kind = int(rng.choice(6, p=_SHAPE_ODDS))
        first, second = rng.uniform(*self.sigma, 2)
        shape = _SHAPES[kind // 2]
        low, high = (0.5, 4.0) if shape == "generalised" else (1.0, 2.0)
        power = rng.uniform(low, 1.0) if rng.random() < 0.5 else rng.uniform(1.0, high)
        sigmas = (first, second if kind % 2 else first)
        return bell_kernel(side=side, sigmas=sigmas, angle=rng.uniform(-np.pi, np.pi), shape=shape, power=power)

    def apply_blur(self, image: Image, rng: Generator) -> Image:
        """Blurs ``blur_share`` of the images."""
        return degrade.convolve(image, self.kernel(rng)) if rng.random() < self.blur_share else image

    def apply_resize(self, image: Image, rng: Generator, *, base: int) -> Image:
        """Resizes to ``base`` pixels a side times a random factor."""
        kind = rng.choice(3, p=self.resize_odds)
        factor = (rng.uniform(1, self.resize[1]), rng.uniform(self.resize[0], 1), 1.0)[kind]
        return resize(image, max(1, round(base * factor)), interpolation=int(rng.choice(_INTERPOLATIONS)))

    def apply_noise(self, image: Image, rng: Generator) -> Image:
        """Adds gaussian or Poisson noise; clips to [0, 1]."""
        if rng.random() < 0.5:
            noise = rng.normal(0, rng.uniform(*self.noise) / 255, image.shape)
        else:
            light = np.clip(image, 0, 1)
            noise = (rng.poisson(light * 256.0) / 256.0 - light) * rng.uniform(*self.poisson)
        return np.asarray(np.clip(image + noise, 0, 1), dtype=np.float32)

    def apply_jpeg(self, image: Image, rng: Generator) -> Image:
        """Compresses with a random quality."""
        return degrade.jpeg(image, quality=int(rng.integers(self.jpeg[0], self.jpeg[1] + 1)))


@dataclass(frozen=True, kw_only=True)
class SecondOrderDegradation:
    """QR-ESRGAN's degradation: the two rounds of Real-ESRGAN in grey, with the published ranges.

    Wang et al., "Real-ESRGAN: Training Real-World Blind Super-Resolution with Pure Synthetic Data", ICCV workshops
    2021, section 3. The second round's sizes are relative to the small size; ``final_sinc`` of the samples end with a
    sinc filter, before or after the second JPEG. The picture is unsharp-masked first (``sharpen``), which also gives
    the target.
    """

    first: DegradationRound = DegradationRound()
    second: DegradationRound = DegradationRound(
        blur_share=0.8,
        sigma=(0.2, 1.5),
        resize_odds=(0.3, 0.4, 0.3),
        resize=(0.3, 1.2),
        noise=(1, 25),
        poisson=(0.05, 2.5),
    )
    final_sinc: float = 0.8
    sharpen: bool = True

    def __call__(self, clean: Image, rng: Generator, *, low: int) -> tuple[Image, Image]:
        target = unsharp(clean) if self.sharpen else clean
        image = self.first.apply_resize(self.first.apply_blur(target, rng), rng, base=clean.shape[0])
        image = self.first.apply_jpeg(self.first.apply_noise(image, rng), rng)
        image = self.second.apply_resize(self.second.apply_blur(image, rng), rng, base=low)
        image = self.second.apply_noise(image, rng)
        if rng.random() < 0.5:
            return self.second.apply_jpeg(self._finish(image, rng, low), rng), target
        return self._finish(self.second.apply_jpeg(image, rng), rng, low), target

    def _finish(self, image: Image, rng: Generator, low: int) -> Image:
        """Resizes to the final size and applies the last sinc filter."""
        image = resize(image, low, interpolation=int(rng.choice(_INTERPOLATIONS)))
        if rng.random() >= self.final_sinc:
            return image
        side = 2 * int(rng.integers(3, 11)) + 1
        return degrade.convolve(image, sinc_kernel(side=side, cutoff=rng.uniform(np.pi / 3, np.pi)))
