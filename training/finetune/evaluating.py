"""Measures the served networks on photographs of one's own: python -m training evaluate --data DIR.

Prints what zxing-cpp and the ladder read of them, by group, then the share of wrong modules of each network that works
on crops of codes.
"""

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from app.errors import InvalidCheckpoint, UnknownNetwork
from app.models import checkpoint
from app.models.header import file_of
from app.pipeline.results import Effort
from app.pipeline.tools import Tools
from training.compare.claims import mean_difference
from training.finetune.folder import HELD_OUT, TRAIN, Photograph
from training.finetune.labelling import Labelled, count_codes
from training.finetune.measuring import mean_errors, network_of, try_examples
from training.finetune.preparing import Prepared, add_data_options, load_photographs, prepare
from training.measure.photos import Photo, Result, measure_photo, report_photos
from training.measure.rates import Rate
from training.measure.served_tools import load_tools


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m training evaluate", description=(__doc__ or "").split("\n\n")[1])
    add_data_options(parser)
    parser.add_argument("--held-out-only", action="store_true", help="only the photographs that finetune holds out")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures to this file")
    options = parser.parse_args(argv)
    try:
        photographs = load_photographs(options)
        tools = load_tools(options)
        prepared = prepare(photographs, options, tools, may_be_empty=True)
    except (ValueError, InvalidCheckpoint, UnknownNetwork) as error:
        parser.error(str(error))
    parts = (HELD_OUT,) if options.held_out_only else (TRAIN, HELD_OUT)
    known = [one for part in parts for one in prepared.of(part)]
    results = [
        measure_photo(_photo(prepared.photographs[one.file], one), tools, Effort(options.effort)) for one in known
    ]
    print(*report_photos(results), sep="\n")
    errors = dict(_errors(options, prepared, parts, tools))
    print(*_lines(errors), sep="\n")
    if options.json:
        options.json.write_text(json.dumps(_figures(results, errors), indent=1))


def _photo(photograph: Photograph, labelled: Labelled) -> Photo:
    """The photograph as `training.measure.photos` measures it; its places count if every code has an outline."""
    payloads = frozenset(bytes.fromhex(payload).strip() for payload in labelled.payloads)
    outlines = [code.outline for code in photograph.codes]
    is_placed = bool(outlines) and all(outlines) and not any(code.relative for code in photograph.codes)
    return Photo(
        path=photograph.path,
        group=photograph.group or "no group",
        codes=max(count_codes(photograph.codes), len(payloads)),
        payloads=payloads,
        quads=tuple(outline for outline in outlines if outline) if is_placed else (),
    )


def _errors(
    options: argparse.Namespace, prepared: Prepared, parts: Sequence[str], tools: Tools
) -> Iterator[tuple[str, list[float]]]:
    """The share of wrong modules of each photograph by the networks of the ladder that work on crops."""
    examples = [example for part in parts for example in prepared.examples(part)]
    for name in (options.reader, options.light, options.heavy):
        network = network_of(checkpoint.load(file_of(options.weights, name)))
        outcomes = try_examples(network, examples, prepared.folder, tools)
        yield name, list(mean_errors(outcomes).values())


def _lines(errors: Mapping[str, Sequence[float]]) -> Iterator[str]:
    for name, values in errors.items():
        mean = mean_difference(values, [0.0] * len(values))
        told = f"{100 * mean.mean:.2f} [{100 * mean.low:.2f} to {100 * mean.high:.2f}] %" if mean else "too few to tell"
        yield f"wrong modules, {name}: {told} (n = {len(values)} photographs)"


def _figures(results: Sequence[Result], errors: Mapping[str, Sequence[float]]) -> dict[str, object]:
    read = Rate(sum(bool(result.outcome.codes) for result in results), len(results))
    return {
        "photographs": len(results),
        "read": {"value": read.value, "interval": read.interval},
        "contradicted": sum(result.wrong for result in results),
        "wrong_modules": {name: sum(values) / len(values) for name, values in errors.items() if values},
    }
