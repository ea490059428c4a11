"""Interpolates between two trainings of one network, or measures the interpolations:

    python -m training.compare.interpolate PSNR.safetensors GAN.safetensors --share 0.2 --out FILE
    python -m training.compare.interpolate PSNR.safetensors GAN.safetensors --sweep

The sweep measures whether interpolation trades PSNR for sharpness, as its authors say, and how that affects decoding.
"""

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import cv2
import numpy as np
import torch
from matplotlib.figure import Figure

from app.models import checkpoint
from app.models.checkpoint import SUFFIX, Checkpoint
from app.pipeline.crops.rectifying import PIXELS_PER_MODULE, rectify
from app.pipeline.engines.zbar import ZBar
from app.pipeline.engines.zxing import ZXing
from app.pipeline.imaging import GreyImage
from app.pipeline.inference.restorer import NetworkRestorer
from app.pipeline.inference.torch_runner import TorchRunner
from app.pipeline.qrcode.patterns import dimension, render
from training.compare.mixing import interpolate
from training.compare.rows import Row
from training.compare.systems import Kind, Reads
from training.compare.trials import Fidelity, Trial, trial_of
from training.data.pairs import code_picture
from training.measure.charts import COLOURS, new_figure, plot_rates, save
from training.measure.quality import Rate
from training.measure.sets import SETS, VALIDATION, Sample, samples

SHARES = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
SWEPT = tuple(name for name in SETS if name != "scene")
"""Sets whose pictures hold one code that fills them, so that the clean picture is known at any size."""


@dataclass(frozen=True)
class Point:
    """What one share gave on the set ``name``; ``row`` holds the trials of that set alone."""

    share: float
    name: str
    row: Row

    @property
    def fidelity(self) -> Fidelity:
        """Means over the set's pictures."""
        found = self.row.fidelity([self.name])
        return found if found else Fidelity(float("nan"), float("nan"), float("nan"))

    @property
    def rates(self) -> tuple[Rate, Rate]:
        """Read by ZBar alone, and by ZBar and zxing-cpp."""
        return self.row.rate_by_zbar([self.name]) or Rate(0, 0), self.row.rate([self.name])

    def figures(self) -> dict[str, object]:
        """JSON-ready."""
        return {"share": self.share, **self.row.decode_figures(self.name)}


def sweep(
    psnr: Checkpoint, gan: Checkpoint, *, name: str, count: int, shares: Sequence[float] = SHARES
) -> Iterator[Point]:
    """Every share on the first ``count`` samples of a set.

    Networks that enlarge see the whole pictures, others the canonical crops between the true corners; ZBar and
    zxing-cpp look at what comes out. Nothing has to be located, so rates are those of the networks alone.
    """
    chosen = list(samples(name, count=count))
    for share in shares:
        made = interpolate(psnr, gan, share, name=f"share {share:g}")
        restorer = NetworkRestorer(made.card, TorchRunner.of(made))
        kind = Kind.ENLARGER if restorer.scale > 1 else Kind.RESTORER
        trials = [_trial(restorer, sample) for sample in chosen]
        yield Point(share, name, Row(name=restorer.name, kind=kind, trials={name: trials}))


def _trial(restorer: NetworkRestorer, sample: Sample) -> Trial:
    degraded, clean = _pair(sample, restorer.scale)
    began = perf_counter()
    restored = restorer.restore([degraded])[0]
    seconds = perf_counter() - began
    by_zbar, by_zxing = (engine.read(restored) for engine in (ZBar(), ZXing()))
    reads = Reads([*by_zbar, *by_zxing], by_zbar, tried=True, seconds=seconds)
    return trial_of(sample, reads, Fidelity.of(restored, clean))


def _pair(sample: Sample, scale: int) -> tuple[GreyImage, GreyImage]:
    """What the network sees, and the clean picture in the size of its answer."""
    modules = sample.symbol.modules
    if scale == 1:
        crop = rectify(sample.image, sample.corners, dimension(sample.symbol.version))
        return crop, render(modules, pixels=PIXELS_PER_MODULE)
    clean = code_picture(modules, scale * sample.image.shape[0])
    return sample.image, np.rint(255 * clean).astype(np.uint8)


def table(points: Sequence[Point]) -> str:
    """Markdown, a row a share."""
    rows = ["| share | PSNR | SSIM | sharpness | ZBar % | all engines % | wrong | ms |", "|---" * 8 + "|"]
    for point in points:
        mean, (by_zbar, by_all) = point.fidelity, point.rates
        fidelity = f"{mean.psnr:.2f} | {mean.ssim:.4f} | {mean.sharpness:.2f}"
        wrong, spent = point.row.wrong([point.name]), point.row.mean_ms([point.name]) or 0.0
        rows.append(f"| {point.share:g} | {fidelity} | {by_zbar} | {by_all} | {wrong} | {spent:.1f} |")
    return "\n".join(rows)


def draw_sweep(points: Sequence[Point], title: str) -> Figure:
    """PSNR, SSIM, sharpness and decode rates against the share; bars are 95 % intervals."""
    shares = [point.share for point in points]
    means = [point.fidelity for point in points]
    figure, (psnr, ssim, sharpness, rates) = new_figure(4, columns=2)
    psnr.plot(shares, [mean.psnr for mean in means], "o-", color=COLOURS[0])
    psnr.set_title("PSNR, dB")
    ssim.plot(shares, [mean.ssim for mean in means], "o-", color=COLOURS[0])
    ssim.set_title("SSIM")
    sharpness.plot(shares, [mean.sharpness for mean in means], "o-", color=COLOURS[0])
    sharpness.set_title("sharpness (clean picture = 1)")
    by_engines = zip(*(point.rates for point in points), strict=True)
    for label, line, colour in zip(("ZBar", "all engines"), by_engines, COLOURS, strict=False):
        plot_rates(rates, shares, line, fmt="o-", capsize=3, color=colour, label=label)
    rates.set_title("% read")
    rates.legend()
    for panel in figure.axes:
        panel.set_xlabel("share of the GAN")
    figure.suptitle(title)
    return figure


def _share(word: str) -> float:
    share = float(word)
    if not 0 <= share <= 1:
        raise argparse.ArgumentTypeError(f"a share is in [0, 1], not {word}")
    return share


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m training.compare.interpolate", description="Mix two trainings of one network."
    )
    parser.add_argument("psnr", type=Path, help="checkpoint trained for PSNR")
    parser.add_argument("gan", type=Path, help="checkpoint of the same network trained with a discriminator")
    parser.add_argument("--share", type=_share, help="share of the GAN in [0, 1]; with --out")
    parser.add_argument("--out", type=Path, help=f"write the mixed network to this {SUFFIX} file")
    parser.add_argument("--half", action="store_true", help="write it as 16-bit floats")
    parser.add_argument("--sweep", action="store_true", help="measure shares from 0 to 1 on a synthetic set")
    parser.add_argument(
        "--shares", type=_share, nargs="+", default=list(SHARES), help="of the sweep (default: 0 to 1 by 0.2)"
    )
    parser.add_argument("--set", choices=SWEPT, default="jpeg10", help="of the sweep (default: jpeg10)")
    parser.add_argument("--count", type=int, default=50, help=f"samples, at most {VALIDATION} (default: 50)")
    parser.add_argument("--threads", type=int, default=1, help="threads of torch and OpenCV (default: 1)")
    parser.add_argument("--json", type=Path, help="write the sweep's figures to this file as well")
    parser.add_argument("--picture", type=Path, help="draw the sweep into this PNG file")
    arguments = parser.parse_args(argv)
    if (arguments.share is None) != (arguments.out is None) or not (arguments.out or arguments.sweep):
        parser.error("give --share and --out, or --sweep, or all three")
    if arguments.out and arguments.out.suffix != SUFFIX:
        parser.error(f"--out must end in {SUFFIX}")
    torch.set_num_threads(arguments.threads)
    cv2.setNumThreads(arguments.threads)
    psnr, gan = checkpoint.load(arguments.psnr), checkpoint.load(arguments.gan)
    try:
        mixed = interpolate(psnr, gan, arguments.share or 0.0, name="mixed")
    except ValueError as error:
        parser.error(str(error))
    if arguments.out:
        checkpoint.save(mixed, arguments.out, half=arguments.half)
        print(f"{arguments.out}: {1 - arguments.share:g} {psnr.name} + {arguments.share:g} {gan.name}")
    if arguments.sweep:
        _sweep(psnr, gan, arguments)


def _sweep(psnr: Checkpoint, gan: Checkpoint, arguments: argparse.Namespace) -> None:
    count = min(arguments.count, VALIDATION)
    points = list(sweep(psnr, gan, name=arguments.set, count=count, shares=sorted(arguments.shares)))
    print(f"{arguments.set}, n = {count}, {arguments.threads} thread(s)\n")
    print(table(points))
    if arguments.json:
        figures = {"set": arguments.set, "psnr": psnr.name, "gan": gan.name, "shares": [p.figures() for p in points]}
        arguments.json.write_text(json.dumps(figures, indent=1))
    if arguments.picture:
        title = f"{psnr.name} to {gan.name} on {arguments.set}, n = {count}"
        save(draw_sweep(points, title), arguments.picture)


if __name__ == "__main__":
    main()
