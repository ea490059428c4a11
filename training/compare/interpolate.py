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

from matplotlib.figure import Figure

from app.models import checkpoint
from app.models.checkpoint import SUFFIX, Checkpoint
from app.pipeline.inference.restorer import NetworkRestorer
from app.pipeline.inference.torch_runner import TorchRunner
from training.compare.alone import WHOLE_CODE_SETS, try_alone
from training.compare.fidelity import Fidelity
from training.compare.rows import Row
from training.compare.systems import Kind
from training.compare.tables import table
from training.compare.weight_interpolation import interpolate_weights
from training.measure.charts import COLOURS, new_figure, plot_rates, save
from training.measure.rates import Rate
from training.measure.served_tools import set_threads
from training.measure.sets import VALIDATION, samples

SHARES = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)


@dataclass(frozen=True)
class Point:
    """One point of an interpolation sweep: a share's result on the set ``name``; ``row`` holds that set's trials
    alone."""

    share: float
    name: str
    row: Row

    @property
    def fidelity(self) -> Fidelity:
        """Means over the set's pictures; NaN without pictures."""
        return self.row.fidelity([self.name]) or Fidelity(float("nan"), float("nan"), float("nan"))

    @property
    def rates(self) -> tuple[Rate, Rate]:
        """Rates of ZBar alone, and of ZBar and zxing-cpp together."""
        return self.row.rate_by_zbar([self.name]) or Rate(0, 0), self.row.rate([self.name])

    def figures(self) -> dict[str, object]:
        """The figures, JSON-ready."""
        return {"share": self.share, **self.row.decode_figures(self.name)}


def sweep(
    psnr: Checkpoint, gan: Checkpoint, *, name: str, count: int, shares: Sequence[float] = SHARES
) -> Iterator[Point]:
    """Sweeps over interpolations: measures every share on the first ``count`` samples of a set.

    The rates are those of the networks alone. Raises ValueError as `interpolate_weights` does.
    """
    set_samples = list(samples(name, count=count))
    for share in shares:
        mixed = interpolate_weights(psnr, gan, share, name=f"share {share:g}")
        restorer = NetworkRestorer(mixed.card, TorchRunner.of(mixed))
        kind = Kind.UPSCALER if restorer.scale > 1 else Kind.RESTORER
        trials = [try_alone(restorer, sample) for sample in set_samples]
        yield Point(share, name, Row(name=restorer.name, kind=kind, trials={name: trials}))


def sweep_table(points: Sequence[Point]) -> str:
    """Markdown table of an interpolation sweep, with a row for every share."""
    head = ["share", "PSNR", "SSIM", "sharpness", "ZBar %", "all engines %", "wrong", "ms"]
    return table(head, map(_cells, points))


def _cells(point: Point) -> list[str]:
    mean, (by_zbar, by_all) = point.fidelity, point.rates
    fidelity = f"{mean.psnr:.2f}", f"{mean.ssim:.4f}", f"{mean.sharpness:.2f}"
    wrong, spent = point.row.wrong([point.name]), point.row.mean_ms([point.name]) or 0.0
    return [f"{point.share:g}", *fidelity, str(by_zbar), str(by_all), str(wrong), f"{spent:.1f}"]


def draw_sweep(points: Sequence[Point], title: str) -> Figure:
    """Plots an interpolation sweep: PSNR, SSIM, sharpness and decode rates, with 95 % intervals, against the share."""
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
        raise argparse.ArgumentTypeError(f"the share must be in [0, 1], not {word}")
    return share


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m training.compare.interpolate", description="Mix two trainings of one network."
    )
    parser.add_argument("psnr", type=Path, help="checkpoint, such as one trained for PSNR")
    parser.add_argument("gan", type=Path, help="another of the same network, such as one trained with a discriminator")
    parser.add_argument("--share", type=_share, help="share of the second in [0, 1]; requires --out")
    parser.add_argument("--out", type=Path, help=f"write the mixed network to this {SUFFIX} file; requires --share")
    parser.add_argument("--half", action="store_true", help="write it as 16-bit floats")
    parser.add_argument("--sweep", action="store_true", help="measure several shares on a synthetic set")
    parser.add_argument(
        "--shares", type=_share, nargs="+", default=list(SHARES), help="of the sweep (default: 0 to 1 in steps of 0.2)"
    )
    parser.add_argument("--set", choices=WHOLE_CODE_SETS, default="jpeg10", help="of the sweep (default: jpeg10)")
    parser.add_argument("--count", type=int, default=50, help=f"samples, at most {VALIDATION} (default: 50)")
    parser.add_argument("--threads", type=int, default=1, help="threads of torch and OpenCV (default: 1)")
    parser.add_argument("--json", type=Path, help="also write the sweep's figures to this file")
    parser.add_argument("--picture", type=Path, help="plot the sweep to this PNG file")
    arguments = parser.parse_args(argv)
    if (arguments.share is None) != (arguments.out is None) or not (arguments.out or arguments.sweep):
        parser.error("--share and --out, or --sweep, or all three are required")
    if arguments.out and arguments.out.suffix != SUFFIX:
        parser.error(f"--out must end in {SUFFIX}")
    set_threads(arguments.threads)
    psnr, gan = checkpoint.load(arguments.psnr), checkpoint.load(arguments.gan)
    try:
        mixed = interpolate_weights(psnr, gan, arguments.share or 0.0, name="mixed")
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
    print(sweep_table(points))
    if arguments.json:
        figures = {"set": arguments.set, "psnr": psnr.name, "gan": gan.name, "shares": [p.figures() for p in points]}
        arguments.json.write_text(json.dumps(figures, indent=1))
    if arguments.picture:
        title = f"{psnr.name} to {gan.name} on {arguments.set}, n = {count}"
        save(draw_sweep(points, title), arguments.picture)


if __name__ == "__main__":
    main()
