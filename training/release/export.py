"""Exports networks to ONNX, which the service can run instead of torch: python -m training.release.export NAME | all.

NAME.onnx computes what the checkpoint's network computes under torch, up to ``TOLERANCE``; this is checked at several
sizes before the file is put in place. With ``--int8`` the light networks are also written as 8-bit NAME.int8.onnx;
``python -m training.release.backends`` measures what that costs in reads. The metadata of both files holds the
checkpoint's provenance and its fingerprint; the service rejects files without a matching fingerprint.
"""

import argparse
import json
import logging
import warnings
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from torch import nn
from torch.export import Dim

from app.models import checkpoint
from app.models.checkpoint import Checkpoint, fingerprint
from app.models.contract import PLANES
from app.models.module_reader import ModuleReader
from app.pipeline.inference.onnx import FINGERPRINT_KEY, INT8_SUFFIX, SUFFIX, OnnxRunner
from app.pipeline.inference.runners import Runner
from app.pipeline.inference.torch_runner import TorchRunner
from training.release.quantise import BATCHES, quantised, recipe_inputs
from training.release.rewriting import fix_slopes, part_convolutions

OPSET = 20
"""Version of ONNX's operators; the first that has GELU."""
TOLERANCE = 1e-3
"""Most that an exported network's answers may differ from torch's, as a share of the largest of these."""
LIGHT = {"lenet": 1, "srresnet-x4": 1, "module-reader": 1, "quad-locator": 9}
"""Networks of which ``--int8`` makes 8-bit forms, those that are there to be fast, and how many of their last
convolutions stay as they are: the locator's whole decoder, whose corners would be off else."""

_TRACED = (2, 64, 96)
_CHECKED = ((1, 64, 64), (2, 96, 160), (3, 181, 116))  # pictures, height and width in pixels, before padding
_LONGEST_SIDE = 1 << 14


class UnequalAnswersError(Exception):
    """An exported network that does not compute what torch does."""


def multiple(network: nn.Module) -> int:
    """What heights and widths of a network's pictures must be divisible by."""
    return network.pixels if isinstance(network, ModuleReader) else int(getattr(network, "size_multiple", 1))


def random_inputs(
    network: nn.Module, rng: Generator, *, count: int, height: int, width: int
) -> tuple[NDArray[np.float32], ...]:
    """What a network takes, at random in [0, 1]: ``count`` samples of at least so many pixels."""
    unit, channels = multiple(network), int(getattr(network, "channels", 1))
    rows, columns = -(-height // unit), -(-width // unit)
    picture = rng.random((count, channels, rows * unit, columns * unit), dtype=np.float32)
    if isinstance(network, ModuleReader):
        return picture, rng.random((count, PLANES, rows, columns), dtype=np.float32)
    return (picture,)


def exported(card: Checkpoint) -> ir.Model:
    """A checkpoint's network as an ONNX graph for any number, height and width of pictures that the network takes."""
    network = card.network.cpu().eval()
    count, height, width = _TRACED
    arrays = random_inputs(network, np.random.default_rng(0), count=count, height=height, width=width)
    unit, most = multiple(network), _LONGEST_SIDE // multiple(network)
    n, h, w = Dim("n", min=1), Dim("h", min=2, max=most), Dim("w", min=2, max=most)
    shapes = ({0: n, 2: unit * h, 3: unit * w}, {0: n, 2: h, 3: w})
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", r".*LeafSpec.* is deprecated", FutureWarning)  # torch's own use of its own
        warnings.filterwarnings("ignore", "# The axis name: . will not be used", UserWarning)  # it is shared on purpose
        program = torch.onnx.export(
            network,
            tuple(torch.from_numpy(values) for values in arrays),
            dynamo=True,
            dynamic_shapes=shapes[: len(arrays)],
            opset_version=OPSET,
            output_names=["output"],
            verbose=False,
        )
    if program is None:
        raise TypeError("torch exported no program")
    part_convolutions(program.model)
    fix_slopes(program.model)
    return program.model


def largest_difference(card: Checkpoint, run: Runner, *, seed: int = 1) -> float:
    """Most that a runner's answers differ from torch's over several sizes, as a share of the largest of torch's."""
    torch_runner, rng = TorchRunner(card.network), np.random.default_rng(seed)
    worst = 0.0
    for count, height, width in _CHECKED:
        inputs = random_inputs(card.network, rng, count=count, height=height, width=width)
        expected = torch_runner(*inputs)
        difference = np.abs(run(*inputs) - expected).max() / np.abs(expected).max()
        worst = max(worst, float(difference))
    return worst


def write(card: Checkpoint, folder: Path) -> float:
    """Writes NAME.onnx, in one step; returns the largest difference from torch. Raises UnequalAnswersError."""
    path = folder / f"{card.name}{SUFFIX}"
    partial = path.with_suffix(".partial")
    model = ir.to_proto(exported(card))
    _describe(model, card, {"exporter": f"torch {torch.__version__}, opset {OPSET}"})
    onnx.save(model, partial)
    difference = largest_difference(card, OnnxRunner(partial, card.name, fingerprint=fingerprint(card)))
    if not difference <= TOLERANCE:
        partial.unlink()
        raise UnequalAnswersError(f"{card.name}: the exported network's answers differ by {difference:.1e} of torch's")
    partial.replace(path)
    return difference


def write_int8(card: Checkpoint, folder: Path) -> float:
    """Writes NAME.int8.onnx from NAME.onnx, in one step, calibrated on the recipe that the checkpoint is called after.

    Returns the root of the mean square difference from torch on further samples, as a share of the deviation of
    torch's answers. Raises KeyError for a network that is not ``LIGHT``.
    """
    path = folder / f"{card.name}{INT8_SUFFIX}"
    partial = path.with_suffix(".partial")
    samples = recipe_inputs(card.name)
    model = quantised(onnx.load(folder / f"{card.name}{SUFFIX}"), islice(samples, BATCHES), last=LIGHT[card.name])
    how = f"int8, static, least and greatest values of {BATCHES} batches of the recipe {card.name}"
    _describe(model, card, {"exporter": f"torch {torch.__version__}, opset {OPSET}", "quantisation": how})
    onnx.save(model, partial)
    inputs = next(samples)
    expected = TorchRunner(card.network)(*inputs)
    difference = OnnxRunner(partial, card.name, fingerprint=fingerprint(card))(*inputs) - expected
    partial.replace(path)
    return float(np.sqrt(np.mean(difference**2)) / expected.std())


def _describe(model: onnx.ModelProto, card: Checkpoint, more: Mapping[str, str]) -> None:
    """Puts what is known of the weights into a file's metadata, in the place of what is there."""
    about = {
        "name": card.name,
        "architecture": card.architecture,
        "config": json.dumps(dict(card.config), sort_keys=True),
        "provenance": json.dumps(dict(card.provenance), sort_keys=True),
        FINGERPRINT_KEY: fingerprint(card),
        "size_multiple": str(multiple(card.network)),
        **more,
    }
    del model.metadata_props[:]
    onnx.helper.set_model_props(model, about)


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m training.release.export", description="Write networks as ONNX files."
    )
    parser.add_argument("names", nargs="+", metavar="NAME", help="checkpoints' names, or all")
    parser.add_argument("--weights", type=Path, default=Path("weights"), help="folder of checkpoints (weights)")
    parser.add_argument("--out", type=Path, required=True, help="where the files go; to be served: the same folder")
    parser.add_argument("--int8", action="store_true", help=f"8-bit forms as well, of {', '.join(LIGHT)}")
    arguments = parser.parse_args(argv)
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # it warns of packages that nothing here uses
    suffix = checkpoint.SUFFIX
    present = sorted(path.name.removesuffix(suffix) for path in arguments.weights.glob(f"*{suffix}"))
    arguments.out.mkdir(parents=True, exist_ok=True)
    for name in present if arguments.names == ["all"] else arguments.names:
        card = checkpoint.load(arguments.weights / f"{name}{suffix}")
        difference = write(card, arguments.out)
        print(f"{name}{SUFFIX}: differs from torch by {difference:.1e} of the largest value", flush=True)
        if arguments.int8 and name in LIGHT:
            difference = write_int8(card, arguments.out)
            print(f"{name}{INT8_SUFFIX}: differs by {difference:.1e} of the deviation, on training samples", flush=True)


if __name__ == "__main__":
    main()
