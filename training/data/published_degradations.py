"""What the published systems did to their clean codes: each takes the large clean picture and gives the small degraded
one and the target.

Lengths are in pixels of the large picture unless said otherwise, greys in [0, 1]; steps come in the source's order.
"""

from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np
import torch
from numpy.random import Generator

from training.data import degrade
from training.data.degrade import Image

NOISE_UNIT = 64 / 255
"""Grey that PaperGen's noise level 1 stands for: 64 of 255, the reading under which its figures cost stock decoders
anything (0.7-1.2 of a single grey level is nothing)."""


class Degradation(Protocol):
    """``clean`` (S, S) in [0, 1] -> degraded (``low``, ``low``), not yet clipped to [0, 1], and target (S, S).

    The target is ``clean`` unless the system moves or sharpens its targets too.
    """

    def __call__(self, clean: Image, rng: Generator, *, low: int) -> tuple[Image, Image]: ...


def _resized(image: Image, side: int, *, interpolation: int = cv2.INTER_AREA) -> Image:
    return np.asarray(cv2.resize(image, (side, side), interpolation=interpolation), dtype=np.float32)


def reduced(clean: Image, rng: Generator, *, low: int) -> tuple[Image, Image]:
    """Reduction by area and nothing else; draws nothing."""
    return _resized(clean, low), clean


def blurred(clean: Image, rng: Generator, *, low: int) -> tuple[Image, Image]:
    """PaperGen's blur: gaussian, kernel 3, 5, 7, 9 or 11 of sigma 1.1-1.6, then reduction by area."""
    kernel = 2 * int(rng.integers(1, 6)) + 1
    soft = cv2.GaussianBlur(clean, (kernel, kernel), float(rng.uniform(1.1, 1.6)))
    return _resized(np.asarray(soft, dtype=np.float32), low), clean


def noised(clean: Image, rng: Generator, *, low: int) -> tuple[Image, Image]:
    """PaperGen's noise: reduction by area, then gaussian noise of (0.7-1.2) x ``NOISE_UNIT``, independent by pixel."""
    small = _resized(clean, low)
    noise = rng.normal(0, rng.uniform(0.7, 1.2) * NOISE_UNIT, small.shape)
    return np.asarray(small + noise, dtype=np.float32), clean


@dataclass(frozen=True, kw_only=True)
class BlurOrNoise:
    """PaperGen's two trainings in one: ``blur_share`` of the samples are ``blurred``, the rest ``noised``.

    The published run saw 3 epochs of blur and then 10 of noise; mixed in these shares, neither is forgotten.
    """

    blur_share: float = 3 / 13

    def __call__(self, clean: Image, rng: Generator, *, low: int) -> tuple[Image, Image]:
        return (blurred if rng.random() < self.blur_share else noised)(clean, rng, low=low)


@dataclass(frozen=True, kw_only=True)
class Augmented:
    """The augmentation of the QR codes' SRGAN: the clean code is moved, which moves the target, then reduced by area.

    Rotation of up to ``rotation`` degrees either way, shear by a factor of up to ``shear`` either way, each axis zoomed
    by 1 - ``zoom`` to 1 + ``zoom``, flips along either axis half of the time each, borders continued. ``brightness``
    multiplies the small picture alone, clipped at white: the target stays black on white. Normalisation undoes most of
    that, here as in service.
    """

    rotation: float = 40.0
    shear: float = 0.2
    zoom: float = 0.2
    brightness: tuple[float, float] = (0.5, 1.5)

    def __call__(self, clean: Image, rng: Generator, *, low: int) -> tuple[Image, Image]:
        angle = np.deg2rad(rng.uniform(-self.rotation, self.rotation))
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        slant = np.array([[1, rng.uniform(-self.shear, self.shear)], [0, 1]])
        stretch = np.diag(rng.uniform(1 - self.zoom, 1 + self.zoom, 2) * rng.choice((-1, 1), 2))
        linear = turn @ slant @ stretch
        middle = np.full(2, (clean.shape[0] - 1) / 2)
        matrix = np.column_stack((linear, middle - linear @ middle))
        moved = cv2.warpAffine(
            clean, matrix, clean.shape[::-1], flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        target = np.asarray(moved, dtype=np.float32)
        return np.minimum(_resized(target, low) * np.float32(rng.uniform(*self.brightness)), 1), target


def unsharp(image: Image, *, radius: int = 50, weight: float = 0.5, threshold: float = 10.0) -> Image:
    """The unsharp mask of Real-ESRGAN's targets: adds ``weight`` of what a gaussian takes away, where that is more than
    ``threshold`` grey levels of 255 (the border of that region softened); clipped to [0, 1].

    ``radius`` is the gaussian's kernel (one more if even), its sigma is 0.15 of that + 0.35, as OpenCV has it.
    On black and white codes it moves only the grey pixels of the edges, since black and white are clipped.
    """
    side = radius + 1 - radius % 2

    def soft(picture: Image) -> Image:
        return np.asarray(cv2.GaussianBlur(picture, (side, side), 0), dtype=np.float32)

    detail = image - soft(image)
    where = soft((np.abs(detail) * 255 > threshold).astype(np.float32))
    return np.asarray(image + where * (np.clip(image + weight * detail, 0, 1) - image), dtype=np.float32)


_INTERPOLATIONS = (cv2.INTER_AREA, cv2.INTER_LINEAR, cv2.INTER_CUBIC)
_SHAPES = ("gaussian", "generalised", "plateau")
_SHAPE_ODDS = (0.45, 0.25, 0.12, 0.03, 0.12, 0.03)  # each shape round, then turned and stretched


def sinc_kernel(*, side: int, cutoff: float) -> Image:
    """The ideal low-pass filter of ``cutoff`` radians a pixel cut to an odd ``side``, sum 1: it rings as sharpening
    and compression do (Real-ESRGAN, Eq. 6)."""
    reach = side // 2
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    distance = np.hypot(x, y)
    distance[reach, reach] = 1.0
    kernel = cutoff * torch.special.bessel_j1(torch.from_numpy(cutoff * distance)).numpy() / (2 * np.pi * distance)
    kernel[reach, reach] = cutoff**2 / (4 * np.pi)
    return np.asarray(kernel / kernel.sum(), dtype=np.float32)


def bell_kernel(*, side: int, sigmas: tuple[float, float], angle: float, shape: str, power: float) -> Image:
    """A blur of odd ``side``, sum 1, with ``sigmas`` along two axes turned by ``angle`` radians (Real-ESRGAN, 3.1).

    With q the squared distance in sigmas: "gaussian" is exp(-q / 2), "generalised" exp(-q ** ``power`` / 2), and
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
class Round:
    """One of the two rounds of Real-ESRGAN's degradation: blur, resize, noise, and JPEG; the defaults are the first's.

    ``blur_share`` of the samples are blurred at all, ``sinc_share`` of these by a sinc filter; ``resize_odds`` are the
    chances of up, down and neither; ``noise`` is the deviation of gaussian noise (half of the samples) in grey levels
    of 255, ``poisson`` what multiplies the noise of 256 photons at white (the other half); ``jpeg`` is the quality.
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
        """A blur of 7-21 pixels a side."""
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

    def blurred(self, image: Image, rng: Generator) -> Image:
        return degrade.convolve(image, self.kernel(rng)) if rng.random() < self.blur_share else image

    def resized(self, image: Image, rng: Generator, *, base: int) -> Image:
        """``base`` pixels a side, times the drawn factor."""
        kind = rng.choice(3, p=self.resize_odds)
        factor = (rng.uniform(1, self.resize[1]), rng.uniform(self.resize[0], 1), 1.0)[kind]
        return _resized(image, max(1, round(base * factor)), interpolation=int(rng.choice(_INTERPOLATIONS)))

    def noisy(self, image: Image, rng: Generator) -> Image:
        """Clipped to [0, 1]."""
        if rng.random() < 0.5:
            noise = rng.normal(0, rng.uniform(*self.noise) / 255, image.shape)
        else:
            light = np.clip(image, 0, 1)
            noise = (rng.poisson(light * 256.0) / 256.0 - light) * rng.uniform(*self.poisson)
        return np.asarray(np.clip(image + noise, 0, 1), dtype=np.float32)

    def compressed(self, image: Image, rng: Generator) -> Image:
        return degrade.jpeg(image, quality=int(rng.integers(self.jpeg[0], self.jpeg[1] + 1)))


@dataclass(frozen=True, kw_only=True)
class SecondOrder:
    """QR-ESRGAN's degradation: the two rounds of Real-ESRGAN (Wang et al., "Real-ESRGAN: Training Real-World Blind
    Super-Resolution with Pure Synthetic Data", ICCV workshops 2021, section 3) with its published ranges, grey.

    The second round's resizes are relative to the small size; a sinc filter comes last in ``final_sinc`` of the
    samples, before or behind the second JPEG. The target, and what is degraded, is the unsharp-masked picture.
    """

    first: Round = Round()
    second: Round = Round(
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
        image = self.first.resized(self.first.blurred(target, rng), rng, base=clean.shape[0])
        image = self.first.compressed(self.first.noisy(image, rng), rng)
        image = self.second.resized(self.second.blurred(image, rng), rng, base=low)
        image = self.second.noisy(image, rng)
        if rng.random() < 0.5:
            return self.second.compressed(self._finished(image, rng, low), rng), target
        return self._finished(self.second.compressed(image, rng), rng, low), target

    def _finished(self, image: Image, rng: Generator, low: int) -> Image:
        """At its final size, through the last sinc filter."""
        image = _resized(image, low, interpolation=int(rng.choice(_INTERPOLATIONS)))
        if rng.random() >= self.final_sinc:
            return image
        side = 2 * int(rng.integers(3, 11)) + 1
        return degrade.convolve(image, sinc_kernel(side=side, cutoff=rng.uniform(np.pi / 3, np.pi)))
