"""Draws pictures of one code taken several times in the same way, from what is easy to what nothing reads.

The symbol, its label, its place and the settings of the camera stay; what chance adds is drawn afresh for each picture:
the noise, the path of a motion or a shake, the direction of a blur. Everything depends only on a seed and an index.
"""

from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from numpy.random import Generator

from app.pipeline.imaging import GreyImage
from app.pipeline.qrcode.small.versions import MICRO_VERSIONS, RECTANGULAR_VERSIONS
from training.data import degrade
from training.data.crops import photograph
from training.data.degrade import Image
from training.data.symbols import PIXELS_DRAWN, draw_symbol, draw_symbol_on_label, random_text_symbol
from training.measure.many.micro import micro_symbol_of
from training.measure.many.rectangular import rectangular_symbol_of

_VERSIONS: Final = np.arange(1, 11)
_VERSION_ODDS: Final = (1 / (_VERSIONS + 2)) / (1 / (_VERSIONS + 2)).sum()
_SEVEREST: Final = {
    "motion": 8.0,  # modules of path
    "shake": 6.0,  # modules of path
    "defocus": 2.4,  # modules of radius
    "gaussian": 1.4,  # modules of standard deviation
    "noise": 0.9,  # of the range of grey levels, standard deviation
    "small": 1.7,  # fewer pixels a module than 2.4
    "jpeg": 1.0,  # from quality 30 down to 1, at 2-4 pixels a module
}
"""The kinds of degradation, with what severity 1 means."""
_SEVEREST_SMALL: Final = 0.4
_STAINED: Final = 0.2
_LEVELS: Final = 6  # a multiple of the number of levels that each version of Micro QR has, 1 to 3
KINDS: Final = tuple(_SEVEREST)


@dataclass(frozen=True)
class Setting:
    """How a code is taken: the main degradation and its severity, 0 to 1 (see `_SEVEREST`), ``module`` in pixels,
    ``grain`` (standard deviation of the noise, in shares of the range) and JPEG quality, None without compression."""

    kind: str
    severity: float
    module: float
    grain: float
    quality: int | None

    @classmethod
    def random(cls, rng: Generator, *, severest: float = 1.0) -> Self:
        """Any kind, any severity up to ``severest``; 2.5-6 pixels a module, fewer where the kind says so."""
        kind, severity = KINDS[rng.integers(len(KINDS))], severest * float(rng.random())
        module, grain = rng.uniform(2.5, 6.0), rng.uniform(0.004, 0.03)
        quality = int(rng.integers(50, 96)) if rng.random() < 0.5 else None
        if kind == "small":
            module, quality = 2.4 - _SEVEREST[kind] * severity, None
        elif kind == "jpeg":
            module, quality = rng.uniform(2.0, 4.0), max(1, round(30 - 29 * _SEVEREST[kind] * severity))
        elif kind == "noise":
            grain = _SEVEREST[kind] * severity
        return cls(kind, severity, float(module), float(grain), quality)

    def take(self, still: Image, rng: Generator) -> GreyImage:
        """A picture of ``still``, with degradations of this severity."""
        reach = _SEVEREST[self.kind] * self.severity * self.module
        match self.kind:
            case "motion":
                still = degrade.convolve(still, degrade.motion_kernel(rng, length=max(reach, 0.1)))
            case "shake":
                still = degrade.convolve(still, degrade.shake_kernel(rng, length=max(reach, 0.1)))
            case "defocus":
                still = degrade.convolve(still, degrade.disc_kernel(radius=reach))
            case "gaussian":
                still = degrade.gaussian(still, sigma=reach)
        still = degrade.noise(still, rng, sigma=self.grain)
        return degrade.to_uint8(still if self.quality is None else degrade.jpeg(still, quality=self.quality))


@dataclass(frozen=True)
class Repeated:
    """A code's ``payload``, how it is taken, and what is taken, (H, W), before the camera degrades it."""

    payload: bytes
    setting: Setting
    still: Image
    seed: tuple[int, ...]

    @classmethod
    def draw(cls, seed: int, index: int, *, small: bool = False) -> Self:
        """A QR code of version 1 to 10, or a ``small`` one, Micro QR or rMQR, which less severe degradations hide; any
        level, on a cluttered label, in any ink and light, half of them slanted; a fifth is stained, alike in every
        picture."""
        rng = np.random.default_rng((seed, index))
        payload, drawn = _small_symbol(rng) if small else _symbol(rng)
        setting = Setting.random(rng, severest=_SEVEREST_SMALL if small else 1.0)
        label = degrade.ink(draw_symbol_on_label(rng, drawn), rng, module=PIXELS_DRAWN)
        if rng.random() < _STAINED:
            label = degrade.occlude(label, rng, module=PIXELS_DRAWN)
        label = degrade.shade(label, rng)
        still, _, _ = photograph(label, rng, modules=len(drawn) // PIXELS_DRAWN, module=setting.module)
        return cls(payload, setting, still, (seed, index))

    def picture(self, number: int) -> GreyImage:
        """The picture of this number, from 0."""
        return self.setting.take(self.still, np.random.default_rng((*self.seed, number + 1)))


def _symbol(rng: Generator) -> tuple[bytes, Image]:
    symbol = random_text_symbol(rng, int(rng.choice(_VERSIONS, p=_VERSION_ODDS)))
    return symbol.payload, draw_symbol(symbol.modules)


def _small_symbol(rng: Generator) -> tuple[bytes, Image]:
    """Two Micro QR codes, M1 to M4, for one rMQR code of any version, this one on a square of paper. Needs segno."""
    if rng.random() < 2 / 3:
        symbol = micro_symbol_of(rng, str(rng.choice(MICRO_VERSIONS)), int(rng.integers(_LEVELS)))
    else:
        symbol = rectangular_symbol_of(rng, str(rng.choice(RECTANGULAR_VERSIONS)), high=bool(rng.integers(2)))
    rows, side = symbol.modules.shape
    paper = np.zeros((side, side), dtype=np.bool_)
    top = (side - rows) // 2
    paper[top : top + rows] = symbol.modules
    return symbol.payload, draw_symbol(paper)
