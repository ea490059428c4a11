"""Exports networks to ONNX, which the service can run instead of torch: python -m training.release.export NAME | all.

NAME.onnx computes what the checkpoint's network computes under torch, up to ``TOLERANCE``; this is checked at several
sizes before the file is put in place. It holds no weights but refers to those in the checkpoint's file beside it;
``--out`` gets a copy of that if it is another folder. With ``--int8`` the light networks are also written as 8-bit
NAME.int8.onnx; ``python -m training.release.backends`` measures what that costs in reads. The metadata of both files
holds the checkpoint's provenance and its fingerprint; the service rejects files without a matching fingerprint.
``--outdated`` exports only what has changed: the command for whoever has retrained a network or measured it anew.
"""

import argparse
import logging
import shutil
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from torch import nn
from torch.export import Dim

from app.errors import InvalidCheckpoint
from app.models import checkpoint
from app.models.checkpoint import Checkpoint, fingerprint
from app.models.contract import PLANES
from app.models.header import checkpoint_files, file_of, name_of
from app.models.module_reader import ModuleReader
from app.pipeline.inference.exported import FINGERPRINT_KEY, INT8_SUFFIX, START_KEY, SUFFIX, statements
from app.pipeline.inference.onnx import OnnxRunner
from app.pipeline.inference.runners import Runner
from app.pipeline.inference.torch_runner import TorchRunner
from training.release.external import follow_weights, refer_to_weights
from training.release.metadata import OPSET, set_metadata
from training.release.quantise import LIGHT, export_int8
from training.release.rewriting import forget_origins, replace_shared_slopes, simplify, split_convolutions

TOLERANCE = 1e-3
"""Largest allowed difference of an exported network's output from torch's, as a share of the largest value."""

_TRACED = (2, 64, 96)
_CHECKED = ((1, 64, 64), (2, 96, 160), (3, 181, 116))  # pictures, height and width in pixels, before padding
_LONGEST_SIDE = 1 << 14


class ExportMismatchError(Exception):
    """An exported network's output differs from torch's by more than ``TOLERANCE``."""


def random_inputs(
    network: nn.Module, rng: Generator, *, count: int, height: int, width: int
) -> tuple[NDArray[np.float32], ...]:
    """Random inputs that check an exported network, in [0, 1]: ``count`` samples of at least ``height`` x ``width``
    pixels."""
    unit, channels = int(str(network.size_multiple)), int(getattr(network, "channels", 1))
    rows, columns = -(-height // unit), -(-width // unit)
    picture = rng.random((count, channels, rows * unit, columns * unit), dtype=np.float32)
    if isinstance(network, ModuleReader):
        return picture, rng.random((count, PLANES, rows, columns), dtype=np.float32)
    return (picture,)


def export_graph(model: Checkpoint) -> ir.Model:
    """A checkpoint's network as an ONNX graph for any number, height and width of pictures that the network accepts.

    Raises TypeError if torch exports nothing.
    """
    network = model.network.cpu().eval()
    count, height, width = _TRACED
    arrays = random_inputs(network, np.random.default_rng(0), count=count, height=height, width=width)
    unit = model.card.size_multiple
    longest = _LONGEST_SIDE // unit
    n, h, w = Dim("n", min=1), Dim("h", min=2, max=longest), Dim("w", min=2, max=longest)
    shapes = ({0: n, 2: unit * h, 3: unit * w}, {0: n, 2: h, 3: w})
    merges = any(isinstance(module, nn.BatchNorm2d) for module in network.modules())
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", r".*LeafSpec.* is deprecated", FutureWarning)  # torch's own call
        warnings.filterwarnings("ignore", "# The axis name: . will not be used", UserWarning)  # both inputs share it
        program = torch.onnx.export(
            network,
            tuple(torch.from_numpy(values) for values in arrays),
            dynamo=True,
            dynamic_shapes=shapes[: len(arrays)],
            opset_version=OPSET,
            output_names=["output"],
            optimize=not merges,
            verbose=False,
        )
    if program is None:
        raise TypeError("torch exported no program")
    if merges:
        simplify(program.model)
    split_convolutions(program.model)
    replace_shared_slopes(program.model)
    forget_origins(program.model)
    return program.model


def largest_difference(model: Checkpoint, run: Runner, *, seed: int = 1) -> float:
    """The largest difference of an export's output from torch's over several sizes, as a share of the largest value."""
    torch_runner, rng = TorchRunner(model.network), np.random.default_rng(seed)
    worst = 0.0
    for count, height, width in _CHECKED:
        inputs = random_inputs(model.network, rng, count=count, height=height, width=width)
        expected = torch_runner(*inputs)
        difference = np.abs(run(*inputs) - expected).max() / np.abs(expected).max()
        worst = max(worst, float(difference))
    return worst


def export(model: Checkpoint, folder: Path) -> float:
    """Exports a checkpoint to NAME.onnx atomically, beside its file in the folder; returns the largest difference from
    torch. Raises ExportMismatchError."""
    path = folder / f"{model.name}{SUFFIX}"
    partial = path.with_suffix(".partial")
    graph = ir.to_proto(export_graph(model))
    set_metadata(graph, model, {"exporter": f"torch {torch.__version__}, opset {OPSET}"})
    refer_to_weights(graph, file_of(folder, model.name))
    onnx.save(graph, partial)
    difference = largest_difference(model, OnnxRunner(partial, model.name, fingerprint=fingerprint(model)))
    if not difference <= TOLERANCE:
        partial.unlink()
        raise ExportMismatchError(
            f"{model.name}: the exported network's output differs from torch's by {difference:.1e}"
        )
    partial.replace(path)
    return difference


def renew(model: Checkpoint, folder: Path) -> str:
    """Exports a checkpoint again if its weights have changed, and otherwise only has its export follow its header.

    Returns what was done; empty if there was nothing to do. Raises as `export` does.
    """
    path = folder / f"{model.name}{SUFFIX}"
    try:
        stated = statements(path, model.name)
    except InvalidCheckpoint:
        stated = {}
    if stated.get(FINGERPRINT_KEY) != fingerprint(model) or START_KEY not in stated:
        return _exported(model, folder)
    graph = onnx.load(path, load_external_data=False)
    set_metadata(graph, model, {key: stated[key] for key in ("exporter", START_KEY)})
    follow_weights(graph, file_of(folder, model.name))
    content = graph.SerializeToString()
    if content == path.read_bytes():
        return ""
    partial = path.with_suffix(".partial")
    partial.write_bytes(content)
    partial.replace(path)
    return "follows the header of its weights"


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m training.release.export", description="Write networks as ONNX files."
    )
    parser.add_argument("names", nargs="+", metavar="NAME", help="names of checkpoints, or all")
    parser.add_argument(
        "--weights", type=Path, default=Path("weights"), help="folder of checkpoints (default: weights)"
    )
    parser.add_argument("--out", type=Path, required=True, help="folder to write to; the service expects --weights")
    parser.add_argument("--int8", action="store_true", help=f"also write 8-bit forms of {', '.join(LIGHT)}")
    parser.add_argument("--outdated", action="store_true", help="leave alone what still fits its checkpoint")
    arguments = parser.parse_args(argv)
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # it warns about packages that are not needed here
    arguments.out.mkdir(parents=True, exist_ok=True)
    present = map(name_of, checkpoint_files(arguments.weights))
    for name in present if arguments.names == ["all"] else arguments.names:
        file = file_of(arguments.weights, name)
        model = checkpoint.load(file)
        if arguments.out.resolve() != arguments.weights.resolve():
            shutil.copyfile(file, file_of(arguments.out, name))
        done = renew(model, arguments.out) if arguments.outdated else _exported(model, arguments.out)
        print(f"{name}{SUFFIX}: {done or 'is up to date'}", flush=True)
        if arguments.int8 and name in LIGHT:
            difference = export_int8(model, arguments.out)
            print(f"{name}{INT8_SUFFIX}: differs by {difference:.1e} deviations on training samples", flush=True)


def _exported(model: Checkpoint, folder: Path) -> str:
    return f"differs from torch by {export(model, folder):.1e} of the largest value"


if __name__ == "__main__":
    main()
