"""Measures networks on the codes of photographs, and on the synthetic sets that they were measured on before."""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from app.models.checkpoint import Checkpoint
from app.models.contract import Kind
from app.pipeline.crops.redrawing import dark_modules
from app.pipeline.engines.symbol import Symbol
from app.pipeline.inference.module_reader import NetworkModuleReader
from app.pipeline.inference.restorer import NetworkRestorer
from app.pipeline.inference.torch_runner import TorchRunner
from app.pipeline.locating.regions import Region
from app.pipeline.qrcode.patterns import Bits, function_patterns
from app.pipeline.reading import Reading
from app.pipeline.tools import Tools
from training.compare.systems import SharedPicture
from training.compare.trials import seed_of
from training.finetune.examples import Example
from training.measure.sets import samples

Network = NetworkModuleReader | NetworkRestorer


def network_of(checkpoint: Checkpoint) -> Network:
    """The network of a checkpoint as the ladder uses it, on torch. Raises ValueError for one that sees no crops."""
    card = checkpoint.card
    if card.kind is Kind.MODULE_READER:
        return NetworkModuleReader(card, TorchRunner.of(checkpoint))
    if card.kind is Kind.RESTORER and card.scale == 1:
        return NetworkRestorer(card, TorchRunner.of(checkpoint))
    raise ValueError(f"{checkpoint.name} does not work on crops of codes")


@dataclass(frozen=True)
class Look:
    """What a network makes of a region: the ``modules`` (M, M) that it decides on, True is dark, and what is read."""

    modules: Bits
    symbols: list[Symbol]


def look(network: Network, region: Region, tools: Tools) -> Look:
    """Has a network read or restore a region's crop, and the engines read its result, as the ladder does; a module
    reader's also by soft decoding."""
    if isinstance(network, NetworkModuleReader):
        log_odds = network.read([region.crop], region.version)[0]
        symbols = region.read_modules(region.crop, log_odds, tools.engines)
        if not symbols:
            symbols = Reading(region, region.crop, log_odds).read_corrected(tools.engines)
        return Look(log_odds > 0, symbols)
    restored = network.restore([region.crop])[0]
    return Look(
        dark_modules(restored, region.version, local=False), region.read(restored, tools.engines, restored=True)
    )


@dataclass(frozen=True)
class Outcome:
    """A network on one picture: the share of modules that are wrong, None on pictures without a region; whether its
    payload is read, and whether another is."""

    error: float | None
    read: bool
    wrong: bool


def try_example(network: Network, example: Example, folder: Path, tools: Tools) -> Outcome:
    """Runs a network on a code as the service registers it. Modules that the standard fixes do not count."""
    region = example.region(example.load(folder))
    seen = look(network, region, tools)
    open_modules = ~function_patterns(example.version).known
    error = float((seen.modules != example.dark)[open_modules].mean())
    return _outcome(seen.symbols, bytes.fromhex(example.payload), error)


def try_examples(
    network: Network, examples: Iterable[Example], folder: Path, tools: Tools
) -> Iterator[tuple[Example, Outcome]]:
    """Runs a network on several codes."""
    return ((example, try_example(network, example, folder, tools)) for example in examples)


def try_sets(
    networks: Sequence[Network], names: Sequence[str], *, count: int, tools: Tools
) -> dict[str, list[list[Outcome]]]:
    """Runs networks on the first ``count`` samples of each synthetic set, all on the same regions: by set, for each
    network, an outcome a picture."""
    results: dict[str, list[list[Outcome]]] = {}
    for name in names:
        results[name] = [[] for _ in networks]
        for index, sample in enumerate(samples(name, count=count)):
            picture = SharedPicture(sample.image, tools, seed=seed_of(name, index))
            shared = itertools.tee(picture.regions(), len(networks))
            for network, regions, outcomes in zip(networks, shared, results[name], strict=True):
                looks = (look(network, region, tools).symbols for region in regions)
                symbols = next((symbols for symbols in looks if symbols), [])
                outcomes.append(_outcome(symbols, sample.symbol.payload, None))
    return results


def _outcome(symbols: Sequence[Symbol], truth: bytes, error: float | None) -> Outcome:
    right = [symbol.payload == truth for symbol in symbols]
    return Outcome(error, any(right), not all(right))


def mean_errors(outcomes: Iterable[tuple[Example, Outcome]]) -> dict[str, float]:
    """The mean share of wrong modules of each photograph, by name: the codes of one photograph are not independent."""
    by_file: dict[str, list[float]] = {}
    for example, outcome in outcomes:
        if outcome.error is not None:
            by_file.setdefault(example.file, []).append(outcome.error)
    return {name: float(np.mean(errors)) for name, errors in by_file.items()}
