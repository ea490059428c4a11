"""Measures the parts of the ladder on the synthetic sets: python -m training.compare.evaluate.

Every part runs along the served path. Prints one table: decode rates with 95 % intervals (all engines, and ZBar alone
where it can run alone), wrong payloads, PSNR and SSIM of the networks, and milliseconds per image; ``--json FILE``
writes the same figures. A read counts when the payload's bytes equal the truth. `training.compare` adds every other
system to the comparison.
"""

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from app.pipeline.inference.loading import pick_device
from training.compare.rows import Row, record_rates
from training.compare.systems import READER, ladder_systems
from training.compare.trials import Bench, build_bench, group_trials, seed_of, try_sample
from training.measure.served_tools import add_options
from training.measure.sets import SETS, VALIDATION, samples


def evaluate(bench: Bench, name: str, count: int) -> Iterator[Row]:
    """Evaluates every system of the bench on the first ``count`` samples of a set; yields a row per system."""
    indexed = enumerate(samples(name, count=count))
    trials = group_trials((name, try_sample(bench, sample, seed_of(name, index))) for index, sample in indexed)
    for system in bench.systems:
        yield Row(name=system.name, kind=system.kind, trials={name: trials[name][system.name]})


def result_line(row: Row, name: str) -> str:
    """A row's results on a set as a line of the table that this command prints."""
    names = (name,)
    mean, spent = row.fidelity(names), row.mean_ms(names) or 0.0
    fidelity = f"{mean.psnr:6.2f} {mean.ssim:7.4f}" if mean else f"{'':6s} {'':7s}"
    rates = f"{row.rate_by_zbar(names) or '-'!s:>16s} {row.rate(names)!s:>16s}"
    return f"{name:9s}{row.name:24s} {rates} {row.wrong(names):5d} {fidelity} {spent:8.1f}"


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m training.compare.evaluate", description="Measure decode rates on synthetic sets."
    )
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS), help="default: all")
    parser.add_argument(
        "--count", type=int, default=VALIDATION, help=f"samples per set, at most {VALIDATION} (default: {VALIDATION})"
    )
    add_options(parser)
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    parser.add_argument("--record", action="store_true", help="write each network's rates into its checkpoint")
    options = parser.parse_args(argv)
    bench = build_bench(options, device=pick_device("auto"))
    bench = replace(bench, systems=ladder_systems(bench.tools))
    count = min(options.count, VALIDATION)
    print(f"n = {count} per set, {options.threads} thread(s), routing threshold {bench.tools.threshold:.1f}")
    print(f"{'set':9s}{'':24s} {'ZBar %':>16s} {'all engines %':>16s} wrong   PSNR    SSIM ms/image")
    results: dict[str, list[Row]] = {}
    for name in options.sets:
        results[name] = list(evaluate(bench, name, count))
        print(*(result_line(row, name) for row in results[name]), sep="\n", flush=True)
    if options.json:
        figures = {name: {row.name: row.decode_figures(name) for row in rows} for name, rows in results.items()}
        options.json.write_text(json.dumps(figures, indent=1))
    if options.record:
        all_sets = [
            replace(rows[0], trials={name: trials for row in rows for name, trials in row.trials.items()})
            for rows in zip(*results.values(), strict=True)
        ]
        record_rates(all_sets, options.weights, {READER: (options.reader, options.locator)})


if __name__ == "__main__":
    main()
