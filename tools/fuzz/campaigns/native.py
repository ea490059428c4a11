"""Campaigns against native code in a child process: the image reader and the decoding engines.

Native code reports no coverage. The signature of a report, which holds the complaints of the C libraries, replaces it:
an input with a new signature becomes a parent of further inputs.
"""

from collections.abc import Callable
from random import Random

from tools.fuzz.child import Child
from tools.fuzz.findings import Budget, Finding, Tally, kept, shrink
from tools.fuzz.inputs import containers
from tools.fuzz.inputs.documents import paged_files, pictures_without_pieces
from tools.fuzz.inputs.mutation import mutate_bytes, mutate_image
from tools.fuzz.inputs.pictures import bitstream, picture, redrawn
from tools.fuzz.inputs.seeds import seeds
from tools.fuzz.inputs.videos import short_videos

_WORTH = {"refused": 0.2}
"""Probability that a new input of this outcome becomes a parent: its mutants are mostly refused for the same reason."""

Mutator = Callable[[Random, list[bytes]], bytes]
"""Makes an input from the parents so far, the newest last."""


def _image(rng: Random, parents: list[bytes]) -> bytes:
    return mutate_image(rng, _parent(rng, parents), rng.choice(parents))


def _symbol(rng: Random, parents: list[bytes]) -> bytes:
    if rng.random() < 0.6 or not parents:
        return bitstream(rng)
    return mutate_bytes(rng, _parent(rng, parents), rng.choice(parents)) + b"\0\0"


def _picture(rng: Random, parents: list[bytes]) -> bytes:
    return picture(rng) if rng.random() < 0.6 or not parents else redrawn(rng, _parent(rng, parents))


def _parent(rng: Random, parents: list[bytes]) -> bytes:
    """One of all parents or one of the newest 24, with equal probability."""
    return rng.choice(parents if rng.random() < 0.5 else parents[-24:])


def images(seed: int, budget: Budget) -> Tally:
    parents = [*seeds().values(), *pictures_without_pieces().values(), *_corpus("images")]
    return _campaign("images", _image, parents, seed, budget)


def documents(seed: int, budget: Budget) -> Tally:
    """PDFs, pages of TIFFs and animations."""
    animated = [data for name, data in seeds().items() if name.startswith("animated")]
    parents = [*paged_files().values(), *pictures_without_pieces().values(), *animated, *_corpus("documents")]
    return _campaign("documents", _image, parents, seed, budget)


def videos(seed: int, budget: Budget) -> Tally:
    """MP4, MOV and WebM of every codec."""
    return _campaign("videos", _image, [*short_videos().values(), *_corpus("videos")], seed, budget)


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
