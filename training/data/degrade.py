"""Degradations of a printed symbol on its way into a file, in the order in which they happen.

Images are float32 (H, W) in [0, 1]; random degradations also take a numpy Generator. Lengths are in pixels of the given
image.
"""

import cv2
import numpy as np
from cv2.typing import MatLike
from numpy.random import Generator
from numpy.typing import NDArray

Image = NDArray[np.float32]
"""Grey picture, (H, W), in [0, 1]."""


def to_uint8(image: Image) -> NDArray[np.uint8]:
    """Ends a chain of degradations: clips to [0, 1] and rounds to 8 bits."""
    return np.rint(np.clip(image, 0, 1) * 255).astype(np.uint8)


def to_float(picture: NDArray[np.uint8]) -> Image:
    """Begins a chain of degradations: an 8-bit picture as an image in [0, 1]."""
    return picture.astype(np.float32) / np.float32(255)


def resize(image: Image, side: int, *, interpolation: int = cv2.INTER_AREA) -> Image:
    """Degrades the resolution: resizes to (``side``, ``side``) with one of OpenCV's interpolations; not clipped."""
    return np.asarray(cv2.resize(image, (side, side), interpolation=interpolation), dtype=np.float32)


def rotation(angle: float) -> NDArray[np.float64]:
    """The matrix, (2, 2), that turns what is degraded: rotates column vectors (x, y) by ``angle`` radians."""
    return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])


def ink(image: Image, rng: Generator, *, module: float) -> Image:
    """Ink spread or loss of up to a quarter of a module (``module`` pixels), then random reflectances of paper and ink.

    The reflectances differ by at least 0.2.
    """
    spread = rng.uniform(-0.25, 0.25) * module
    if abs(spread) >= 0.5:
        kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (1 + 2 * round(abs(spread)),) * 2)
        image = np.asarray((cv2.erode if spread > 0 else cv2.dilate)(image, kernel), dtype=np.float32)
    dark = rng.uniform(0.0, 0.45)
    light = rng.uniform(dark + 0.2, 1.0)
    return (dark + (light - dark) * image).astype(np.float32)


def shade(image: Image, rng: Generator) -> Image:
    """A linear light gradient and, for a quarter of the images, a shadow with a soft straight border."""
    height, width = image.shape
    y, x = np.mgrid[-0.5 : 0.5 : height * 1j, -0.5 : 0.5 : width * 1j].astype(np.float32)
    angle = rng.uniform(0, 2 * np.pi)
    along = x * np.float32(np.cos(angle)) + y * np.float32(np.sin(angle))
    image = image * (1 + rng.uniform(0, 0.5) * along)
    if rng.random() < 0.25:
        edge = 0.5 + 0.5 * np.tanh((along - rng.uniform(-0.4, 0.4)) * rng.uniform(5, 60))
        image = image * (1 - rng.uniform(0.2, 0.7) * edge)
    return image.astype(np.float32)


def glare(image: Image, rng: Generator) -> Image:
    """One to three soft bright ellipses that wash out the picture beneath."""
    height, width = image.shape
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    for _ in range(rng.integers(1, 4)):
        centre = rng.uniform(0, 1, 2) * (height, width)
        radii = rng.uniform(0.04, 0.3, 2) * (height, width)
        angle = rng.uniform(0, np.pi)
        dy, dx = y - centre[0], x - centre[1]
        u = (dx * np.cos(angle) + dy * np.sin(angle)) / radii[1]
        v = (dy * np.cos(angle) - dx * np.sin(angle)) / radii[0]
        distance = u * u + v * v
        strength = rng.uniform(0.3, 1.1) * np.exp(-(distance ** rng.uniform(0.7, 2.5)))
        image = image + strength * (1.05 - image)
    return image.astype(np.float32)


def occlude(image: Image, rng: Generator, *, module: float) -> Image:
    """One to four discs or strokes of uniform grey over the symbol; ``module`` is in pixels."""
    image = image.copy()
    height, width = image.shape
    for _ in range(rng.integers(1, 5)):
        grey = float(rng.uniform(0, 1))
        x, y = (int(v) for v in rng.uniform(0, 1, 2) * (width, height))
        if rng.random() < 0.6:
            cv2.circle(image, (x, y), max(1, round(rng.uniform(0.5, 2.5) * module)), grey, -1, cv2.LINE_AA)
        else:
            end = rng.uniform(0, 1, 2) * (width, height)
            stroke = max(1, round(rng.uniform(0.3, 1.2) * module))
            cv2.line(image, (x, y), (int(end[0]), int(end[1])), grey, stroke, cv2.LINE_AA)
    return image


def bend(image: Image, rng: Generator, *, amplitude: float) -> Image:
    """Smooth displacement along both axes by up to ``amplitude`` pixels, as imperfect rectification leaves."""
    height, width = image.shape
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    waves = []
    for _ in range(2):
        frequency = rng.uniform(0.3, 1.5, 2) * 2 * np.pi / (height, width)
        wave = np.sin(y * frequency[0] + x * frequency[1] + rng.uniform(0, 2 * np.pi))
        waves.append((rng.uniform(0, amplitude) * wave).astype(np.float32))
    bent = cv2.remap(image, x + waves[0], y + waves[1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(bent, dtype=np.float32)


def motion_kernel(rng: Generator, *, length: float, angle: float | None = None, exponent: float | None = None) -> Image:
    """Point spread function of a straight non-uniform motion over ``length`` pixels, sum 1, centred on its centroid.

    The position along the path follows t ** ``exponent``, 0.3-0.7 by default; ``angle`` is in radians, uniform in
    [0, 2 pi) by default. Registration puts the symbol at the centroid, so truth and registered crops stay aligned.
    """
    angle = float(rng.uniform(0, 2 * np.pi)) if angle is None else angle
    exponent = float(rng.uniform(0.3, 0.7)) if exponent is None else exponent
    steps = np.linspace(0, 1, max(8, int(8 * length)), dtype=np.float64)
    distance = (steps**exponent - (steps**exponent).mean()) * length
    return _splat(distance * np.cos(angle), distance * np.sin(angle))


def shake_kernel(rng: Generator, *, length: float) -> Image:
    """Point spread function of camera shake, sum 1: a smoothed random walk that spans about ``length`` pixels."""
    walk = np.cumsum(np.cumsum(rng.normal(size=(64, 2)), axis=0) * 0.2 + rng.normal(size=(64, 2)), axis=0)
    walk = np.stack([np.interp(np.linspace(0, 63, 512), np.arange(64), walk[:, axis]) for axis in (0, 1)], axis=1)
    walk -= walk.mean(axis=0)
    walk *= length / max(np.ptp(walk, axis=0).max(), 1e-6)
    return _splat(walk[:, 0], walk[:, 1])


def disc_kernel(*, radius: float) -> Image:
    """Point spread function of defocus, sum 1: a disc of ``radius`` pixels with an antialiased edge."""
    reach = int(np.ceil(radius)) + 1
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    kernel = np.clip(radius + 0.5 - np.hypot(x, y), 0, 1)
    return np.asarray(kernel / kernel.sum(), dtype=np.float32)


def _splat(x: NDArray[np.float64], y: NDArray[np.float64]) -> Image:
    """Equal weights at the points (x, y), spread bilinearly over an odd square kernel centred on the origin."""
    reach = int(np.ceil(max(np.abs(x).max(), np.abs(y).max()))) + 1
    kernel = np.zeros((2 * reach + 1, 2 * reach + 1), dtype=np.float64)
    column, row = np.floor(x).astype(int), np.floor(y).astype(int)
    fx, fy = x - column, y - row
    for dy, wy in ((0, 1 - fy), (1, fy)):
        for dx, wx in ((0, 1 - fx), (1, fx)):
            np.add.at(kernel, (row + reach + dy, column + reach + dx), wy * wx)
    return np.asarray(kernel / kernel.sum(), dtype=np.float32)


def pixel_centre_homography(matrix: MatLike) -> NDArray[np.float64]:
    """Adapts a homography for warping what is degraded: from positions measured from outer edges to pixel centres, as
    OpenCV expects."""
    half = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1]])
    return np.asarray(np.linalg.inv(half) @ matrix @ half, dtype=np.float64)


def convolve(image: Image, kernel: Image) -> Image:
    """Convolves with a point spread function; the border is reflected."""
    return np.asarray(
        cv2.filter2D(image, -1, cv2.flip(kernel, -1), borderType=cv2.BORDER_REFLECT_101), dtype=np.float32
    )


def gaussian(image: Image, *, sigma: float) -> Image:
    """Gaussian blur of ``sigma`` pixels."""
    return np.asarray(cv2.GaussianBlur(image, (0, 0), max(sigma, 0.05)), dtype=np.float32)


BLUR_ODDS = (0.55, 0.1, 0.11, 0.08, 0.06, 0.1)
"""Default probabilities of the six outcomes of `blur`."""


def blur(
    image: Image, rng: Generator, *, module: float, reach: float = 1.0, odds: tuple[float, ...] = BLUR_ODDS
) -> Image:
    """One of straight motion, shake, defocus, gaussian blur, motion with defocus, or no blur; ``module`` in pixels.

    ``reach`` scales the lengths: at 1, motion covers up to 6.5 modules and defocus has a radius of up to 2. ``odds``
    are the probabilities of the six outcomes, in that order.
    """
    kind = rng.choice(6, p=odds)
    if kind in (0, 4):
        image = convolve(image, motion_kernel(rng, length=(0.5 + (6.5 * reach - 0.5) * rng.random() ** 0.6) * module))
    if kind == 1:
        image = convolve(image, shake_kernel(rng, length=rng.uniform(0.5, 4.5 * reach) * module))
    if kind in (2, 4):
        farthest = 2.0 if kind == 2 else 0.9
        image = convolve(image, disc_kernel(radius=reach * (0.3 + (farthest - 0.3) * rng.random() ** 0.6) * module))
    if kind == 3:
        image = gaussian(image, sigma=reach * rng.uniform(0.2, 1.15) * module)
    return image


def noise(image: Image, rng: Generator, *, sigma: float) -> Image:
    """Adds gaussian noise, in a third of the images correlated over about a pixel; clipped to [0, 1]."""
    grain = rng.normal(0, 1, image.shape).astype(np.float32)
    if rng.random() < 0.33:
        grain = gaussian(grain, sigma=0.7)
        grain /= max(float(grain.std()), 1e-6)
    return np.clip(image + np.float32(sigma) * grain, 0, 1)


def jpeg(image: Image, *, quality: int) -> Image:
    """Rounds to 8 bits and compresses with JPEG at ``quality`` (1-100). Raises RuntimeError if the encoder fails."""
    ok, data = cv2.imencode(".jpg", to_uint8(image), [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not ok:
        raise RuntimeError("OpenCV could not encode the picture as JPEG")
    return to_float(np.asarray(cv2.imdecode(data, cv2.IMREAD_GRAYSCALE), dtype=np.uint8))


def sensor(image: Image, rng: Generator, *, worst_noise: float = 0.15) -> Image:
    """Noise of up to ``worst_noise``, mostly small, in three of four images; then JPEG in two of three."""
    if rng.random() < 0.75:
        image = noise(image, rng, sigma=worst_noise * rng.random() ** 2.5)
    return jpeg(image, quality=int(rng.integers(10, 96))) if rng.random() < 0.67 else image
