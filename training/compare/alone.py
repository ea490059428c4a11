"""Trials of a network alone: nothing is located, so that what is measured is the network's own."""

from time import perf_counter

from app.pipeline.crops.rectifying import PIXELS_PER_MODULE, rectify
from app.pipeline.engines.zbar import ZBar
from app.pipeline.engines.zxing import ZXing
from app.pipeline.imaging import GreyImage
from app.pipeline.inference.restorer import NetworkRestorer
from app.pipeline.qrcode.patterns import dimension, render
from training.compare.fidelity import Fidelity
from training.compare.systems import SystemResult
from training.compare.trials import Trial, sample_trial
from training.data.degrade import to_uint8
from training.data.pairs import code_picture
from training.measure.sets import SETS, Sample

WHOLE_CODE_SETS = tuple(name for name in SETS if name != "scene")
"""Sets whose codes fill the pictures, so that the clean picture can be drawn at any size."""


def try_alone(restorer: NetworkRestorer, sample: Sample) -> Trial:
    """What a network makes of a sample of `WHOLE_CODE_SETS`, read by ZBar and zxing-cpp.

    Upscalers see whole pictures, other networks the canonical crops at the true corners.
    """
    degraded, clean = _pair(sample, restorer.scale)
    began = perf_counter()
    restored = restorer.restore([degraded])[0]
    seconds = perf_counter() - began
    by_zbar, by_zxing = (engine.read(restored) for engine in (ZBar(), ZXing()))
    result = SystemResult([*by_zbar, *by_zxing], by_zbar, applicable=True, seconds=seconds)
    return sample_trial(sample, result, Fidelity.of(restored, clean))


def _pair(sample: Sample, scale: int) -> tuple[GreyImage, GreyImage]:
    """The network's input, and the clean picture in the size of its output."""
    modules = sample.symbol.modules
    if scale == 1:
        crop = rectify(sample.image, sample.corners, dimension(sample.symbol.version))
        return crop, render(modules, pixels=PIXELS_PER_MODULE)
    clean = code_picture(modules, scale * sample.image.shape[0])
    return sample.image, to_uint8(clean)
