"""Campaigns against native code, in a child process: the image reader, and the engines that read codes.

Native code tells no coverage. In its place stands the signature of a report, which holds what the C libraries complain
of: an input with a signature never seen before becomes a parent of further ones.
"""

from collections.abc import Callable
from random import Random

from tools.fuzz import containers
from tools.fuzz.child import Child
from tools.fuzz.findings import Budget, Finding, Tally, kept, shrink
from tools.fuzz.mutation import mutate_bytes, mutate_image
from tools.fuzz.pictures import bitstream, picture, redrawn
from tools.fuzz.seeds import seeds

_WORTH = {"refused": 0.2}
"""How often an input of that outcome becomes a parent: what is refused once mostly is again, for the same reason."""

Mutator = Callable[[Random, list[bytes]], bytes]
"""A new input, out of the parents so far, of which the last ones are the newest."""


def _image(rng: Random, parents: list[bytes]) -> bytes:
    return mutate_image(rng, _parent(rng, parents), rng.choice(parents))


def _symbol(rng: Random, parents: list[bytes]) -> bytes:
    if rng.random() < 0.6 or not parents:
        return bitstream(rng)
    return mutate_bytes(rng, _parent(rng, parents), rng.choice(parents)) + b"\0\0"


def _picture(rng: Random, parents: list[bytes]) -> bytes:
    return picture(rng) if rng.random() < 0.6 or not parents else redrawn(rng, _parent(rng, parents))


def _parent(rng: Random, parents: list[bytes]) -> bytes:
    """One of all, or one of the newest, equally likely."""
    return rng.choice(parents if rng.random() < 0.5 else parents[-24:])


def images(seed: int, budget: Budget) -> Tally:
    return _campaign("images", _image, [*seeds().values(), *_corpus("images")], seed, budget)


def symbols(seed: int, budget: Budget) -> Tally:
    return _campaign("symbols", _symbol, _corpus("symbols"), seed, budget)


def pictures(seed: int, budget: Budget) -> Tally:
    return _campaign("pictures", _picture, _corpus("pictures"), seed, budget)


def _corpus(target: str) -> list[bytes]:
    return [path.read_bytes() for path in kept(target)]


def _campaign(target: str, mutator: Mutator, parents: list[bytes], seed: int, budget: Budget) -> Tally:
    rng, tally, paths = Random(f"{target} {seed}"), Tally(target), set[str]()
    with Child(target) as child:
        for parent in parents:
            paths.add(child.run(parent).signature)
        while budget.allows(tally.tried):
            data = mutator(rng, parents)
            report = child.run(data)
            tally.tried += 1
            tally.outcomes[report.outcome] += 1
            if report.finding is not None:
                finding = Finding(target, report.finding, data, suffix(data))
                if tally.found(finding):
                    tally.findings[-1] = _shrunk(child, finding)
            elif report.signature not in paths and rng.random() < _WORTH.get(report.outcome.split()[0], 1.0):
                parents.append(data)
            paths.add(report.signature)
    tally.seconds, tally.paths = budget.spent, len(paths)
    return tally


def _shrunk(child: Child, finding: Finding) -> Finding:
    def still(data: bytes) -> bool:
        what = child.run(data).finding
        return what is not None and Finding(finding.target, what, data).kind == finding.kind

    if finding.what.startswith("no answer"):
        return finding
    data = shrink(finding.data, still)
    return Finding(finding.target, finding.what, data, finding.suffix)


def suffix(data: bytes) -> str:
    container = containers.of(data)
    return container.suffix if container else ".bin"
