"""Tunes a network on photographs of one's own: python -m training finetune [RECIPE] --data DIR.

Labels the photographs, splits them by group, trains from the served weights on a mixture with synthetic samples, and
compares before and after on the photographs held out and on the synthetic sets. Weights are written only if they read
no less of these sets, but for a margin, and nothing wrong.
"""

import argparse
import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import torch

from app.errors import InvalidCheckpoint, UnknownNetwork
from app.models import checkpoint
from app.models.checkpoint import SUFFIX, Checkpoint
from app.pipeline.inference.module_reader import NetworkModuleReader
from app.pipeline.tools import Tools
from training.finetune.examples import Example
from training.finetune.folder import HELD_OUT, TRAIN
from training.finetune.ladder_reads import LadderReads, read_by_ladder
from training.finetune.measuring import Network, mean_errors, network_of, try_examples, try_sets
from training.finetune.mixing import can_be_tuned, tuned
from training.finetune.preparing import Prepared, add_data_options, load_photographs, prepare
from training.finetune.verdict import Line, Verdict, judge
from training.measure.served_tools import load_tools
from training.measure.sets import SETS, VALIDATION
from training.recipes.registry import find_recipe
from training.run.config import TrainConfig
from training.run.loop import Run

_RATE = 0.3  # of the recipe's learning rate: the weights are trained already
_STEPS = 400


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m training finetune", description=(__doc__ or "").split("\n\n")[1])
    parser.add_argument("recipe", nargs="?", default="module-reader", help="whose network (default: %(default)s)")
    add_data_options(parser)
    parser.add_argument("--start", type=Path, metavar="FILE", help="weights to tune (default: WEIGHTS/RECIPE)")
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--budget", type=float, metavar="MINUTES", help="of training")
    length.add_argument("--steps", type=int, help=f"of training (default: {_STEPS})")
    parser.add_argument("--share", type=float, default=0.5, help="of batches from photographs (default: 0.5)")
    parser.add_argument("--rate", type=float, default=_RATE, help="times the recipe's learning rate (default: 0.3)")
    parser.add_argument("--sets", nargs="*", choices=SETS, default=list(SETS), help="older sets (default: all)")
    parser.add_argument("--count", type=int, default=20, help="samples of each older set (default: 20)")
    parser.add_argument(
        "--margin", type=float, default=2.0, metavar="POINTS", help="that the older sets may lose (default: 2)"
    )
    parser.add_argument("--write", type=Path, metavar="DIR", help="folder for accepted weights (default: OUT/tuned)")
    options = parser.parse_args(argv)
    if not 0 < options.share <= 1 or not 0 < options.held_out < 1:
        parser.error("--share must be in (0, 1], --held-out between 0 and 1")
    try:
        start, config = _start(options)
        photographs = load_photographs(options)
        tools = load_tools(options)
        prepared = prepare(photographs, options, tools)
        config = tuned(
            config,
            prepared.examples(TRAIN),
            prepared.folder,
            share=options.share,
            rate=options.rate,
            data={**prepared.provenance, "photographs in": f"{100 * options.share:g} % of batches"},
        )
    except (ValueError, InvalidCheckpoint, UnknownNetwork, ImportError, AttributeError) as error:
        parser.error(str(error))
    verdict, made = _train_and_judge(options, config, start, prepared, tools)
    print(*verdict.table(), sep="\n")
    table = options.out / config.name / "table.json"
    table.write_text(json.dumps({"figures": verdict.figures(), "refusals": verdict.refusals}, indent=1))
    if verdict.refusals:
        raise SystemExit(1)
    print(f"wrote {_write(made, start, verdict, options.write or options.out / 'tuned')}")


def _start(options: argparse.Namespace) -> tuple[Checkpoint, TrainConfig]:
    """The weights to tune and the recipe's run, with the network as these weights state it.

    Raises ValueError for weights of another architecture, InvalidCheckpoint.
    """
    steps = _STEPS if options.steps is None and options.budget is None else options.steps
    config = find_recipe(options.recipe).with_length(minutes=options.budget, steps=steps)
    if not can_be_tuned(config):
        raise ValueError(f"{config.name} does not train on crops of codes: photographs cannot tune it")
    path = options.start or options.weights / f"{config.name}{SUFFIX}"
    start = checkpoint.load(path)
    if start.architecture != config.architecture:
        raise ValueError(f"{path} holds a {start.architecture}; {config.name} trains a {config.architecture}")
    return start, replace(config, network=dict(start.config))


def _train_and_judge(
    options: argparse.Namespace, config: TrainConfig, start: Checkpoint, prepared: Prepared, tools: Tools
) -> tuple[Verdict, Checkpoint]:
    directory = options.out / config.name
    directory.mkdir(parents=True, exist_ok=True)
    _hold_to_data(directory / "data.sha256", prepared.examples(TRAIN))
    cv2.setNumThreads(1)
    torch.set_num_threads(options.threads)
    Run(config, directory, start=start).train()
    made = checkpoint.load(directory / f"{config.name}{SUFFIX}")
    return _compare(options, network_of(start), network_of(made), prepared, tools), made


def _hold_to_data(file: Path, examples: Sequence[Example]) -> None:
    """Ends the command if a run that would be resumed began with other examples."""
    digest = hashlib.sha256(repr(sorted(map(repr, examples))).encode()).hexdigest()
    if file.exists() and file.read_text() != digest:
        raise SystemExit(f"{file.parent} holds a run on other photographs: choose another --out, or delete it")
    file.write_text(digest)


def _compare(options: argparse.Namespace, before: Network, after: Network, prepared: Prepared, tools: Tools) -> Verdict:
    """Measures both networks on what is held out and on the older sets."""
    name, examples = before.card.name, prepared.examples(HELD_OUT)
    old, new = (list(try_examples(network, examples, prepared.folder, tools)) for network in (before, after))
    errors = [mean_errors(outcomes) for outcomes in (old, new)]
    own = [Line.of_errors("held out, wrong modules", *(list(each.values()) for each in errors))] if examples else []
    own += [Line.of_rates(f"held out, read by {name}", *([one.read for _, one in each] for each in (old, new)))]
    reads = [_ladder(network, prepared, tools, options) for network in (before, after)]
    own += [Line.of_rates("held out, read by the ladder", *(each.read for each in reads))]
    wrong = sum(b.wrong and not a.wrong for (_, a), (_, b) in zip(old, new, strict=True))
    wrong += max(0, reads[1].wrong - reads[0].wrong)
    count = min(options.count, VALIDATION)
    sets = try_sets([before, after], options.sets, count=count, tools=tools) if count else {}
    older = {each: (outcomes[0], outcomes[1]) for each, outcomes in sets.items()}
    return judge(own, older, margin=options.margin, wrong=wrong)


def _ladder(network: Network, prepared: Prepared, tools: Tools, options: argparse.Namespace) -> LadderReads:
    """What the ladder reads of the photographs held out, with a network in its place."""
    if isinstance(network, NetworkModuleReader):
        tools = replace(tools, reader=network)
    else:
        tools = replace(tools, restorers={**tools.restorers, network.name: network})
    photographs = [(prepared.photographs[one.file], one) for one in prepared.of(HELD_OUT)]
    return read_by_ladder(photographs, tools, effort=options.effort, budget=options.seconds)


def _write(made: Checkpoint, start: Checkpoint, verdict: Verdict, folder: Path) -> Path:
    """Writes accepted weights in 16 bits; of what was measured before, only what says how to use them stays."""
    kept = {key: value for key, value in start.measured.items() if key != "decode"}
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{made.name}{SUFFIX}"
    checkpoint.save(checkpoint.add_measured(made, {**kept, "finetuned": verdict.figures()}), path, half=True)
    return path
