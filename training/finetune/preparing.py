"""What fine-tuning and evaluating on photographs have in common: options, labelling, and what is said of it."""

import argparse
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from app.pipeline.results import Effort
from app.pipeline.tools import Tools
from training.finetune.examples import Example
from training.finetune.folder import HELD_OUT, TRAIN, Photograph
from training.finetune.labelling import LABEL, READ, Labelled, Labeller
from training.finetune.labels import load_folder
from training.finetune.splitting import Split, split
from training.measure.rates import Rate
from training.measure.served_tools import add_options

_HELD_OUT_SHARE = 0.25
_MOST_FALSE = 5.0  # percent
_LADDER_BOUND = 0.19  # percent of pictures without a code; see docs/measurements.md, false reads


def add_data_options(parser: argparse.ArgumentParser) -> None:
    """Adds the options that say which photographs, and how they are labelled and split."""
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="folder of photographs and labels")
    parser.add_argument("--labels", type=Path, metavar="FILE", help="file of labels (default: all in the folder)")
    parser.add_argument("--work", type=Path, metavar="DIR", help="keeps what was cut out (default: OUT/photographs)")
    parser.add_argument("--out", type=Path, default=Path("runs"), help="folder for everything written (default: runs)")
    parser.add_argument(
        "--held-out",
        type=float,
        default=_HELD_OUT_SHARE,
        metavar="SHARE",
        help="share of groups (default: %(default)s)",
    )
    parser.add_argument("--seed", type=int, default=0, help="of the split (default: 0)")
    parser.add_argument("--effort", choices=[effort.value for effort in Effort], default=Effort.BALANCED.value)
    parser.add_argument("--seconds", type=float, default=20.0, help="for a photograph, to label it (default: 20)")
    parser.add_argument(
        "--most-false",
        type=float,
        default=_MOST_FALSE,
        metavar="PERCENT",
        help="wrong reads up to which unlabelled photographs are labelled by reading (default: 5)",
    )
    add_options(parser)


@dataclass(frozen=True)
class Prepared:
    """Labelled and split photographs; ``folder`` holds the patches of the examples."""

    photographs: Mapping[str, Photograph]
    labelled: Sequence[Labelled]
    parts: Split
    folder: Path
    trusts_reads: bool

    def examples(self, part: str) -> list[Example]:
        """The codes of a part whose modules are known."""
        names = set(self.parts.of(part))
        return [
            example
            for one in self.labelled
            if one.file in names
            for example in one.examples
            if example.source == LABEL or self.trusts_reads
        ]

    def of(self, part: str) -> list[Labelled]:
        """The photographs of a part that could be decoded."""
        names = set(self.parts.of(part))
        return [one for one in self.labelled if one.file in names and one.problem is None]

    @property
    def provenance(self) -> dict[str, object]:
        """What a checkpoint that was trained on them states."""
        examples = self.examples(TRAIN)
        files, reads = {one.file for one in examples}, sum(one.source == READ for one in examples)
        checked, wrong = _checked(self.labelled)
        return {
            "photographs": f"{len(files)} in {len(self.parts.groups_of(TRAIN))} groups, {len(examples)} codes, {reads}"
            f" of them labelled by reading alone ({wrong} of {checked} reads that labels could check were wrong)",
            "held out": f"{len(self.parts.of(HELD_OUT))} photographs in {len(self.parts.groups_of(HELD_OUT))} groups",
        }


def load_photographs(options: argparse.Namespace) -> dict[str, Photograph]:
    """The photographs that the options name, by name. Raises BadLabels."""
    return {one.name: one for one in load_folder(options.data, options.labels)}


def prepare(
    photographs: Mapping[str, Photograph], options: argparse.Namespace, tools: Tools, *, may_be_empty: bool = False
) -> Prepared:
    """Labels and splits photographs, and says what was found.

    Raises BadLabels if a part of the split is empty, unless it ``may_be_empty``.
    """
    folder = options.work or options.out / "photographs"
    labeller = Labeller(tools, folder, effort=Effort(options.effort), budget=options.seconds)
    labelled = []
    for number, one in enumerate(labeller.label(list(photographs.values())), start=1):
        labelled.append(one)
        if number % 100 == 0:
            print(f"{number} of {len(photographs)} photographs labelled", flush=True)
    stated = {name: one.split for name, one in photographs.items()}
    parts = split(labelled, share=options.held_out, seed=options.seed, stated=stated, may_be_empty=may_be_empty)
    checked, wrong = _checked(labelled)
    bound = 100 * Rate(wrong, checked).interval[1]
    prepared = Prepared(photographs, labelled, parts, folder, trusts_reads=wrong == 0 or bound <= options.most_false)
    print(*_describe(prepared, checked=checked, wrong=wrong, bound=bound), sep="\n", flush=True)
    return prepared


def _checked(labelled: Iterable[Labelled]) -> tuple[int, int]:
    """How many reads labels could check, and how many of these they contradict."""
    known = [one for one in labelled if one.labelled]
    wrong = sum(one.wrong for one in known)
    return sum(one.right for one in known) + wrong, wrong


def _describe(prepared: Prepared, *, checked: int, wrong: int, bound: float) -> Iterator[str]:
    labelled = prepared.labelled
    examples = [example for one in labelled for example in one.examples]
    sources = {source: sum(example.source == source for example in examples) for source in (LABEL, READ)}
    yield (
        f"{len(labelled)} photographs, {sum(one.labelled for one in labelled)} with payloads in their labels;"
        f" {sum(one.unread for one in labelled)} codes that labels speak of are unread"
    )
    yield (
        f"modules known of {len(examples)} codes: {sources[LABEL]} by labels that the picture bears out,"
        f" {sources[READ]} by reading alone"
    )
    if checked:
        yield f"of {checked} reads that labels could check {wrong} are wrong: at most {bound:.1f} % (95 %)"
    else:
        yield f"no label could check a read; false reads are at most {_LADDER_BOUND} % of pictures without a code"
    if not prepared.trusts_reads:
        yield "codes that only reading labels are left out: too many reads are wrong (--most-false)"
    for one in labelled:
        if one.problem:
            yield f"cannot be decoded: {one.file}: {one.problem}"
        elif one.labelled and one.wrong:
            yield f"contradicts its label: {one.file}"
    for part in (TRAIN, HELD_OUT):
        names = prepared.parts.of(part)
        groups = len(prepared.parts.groups_of(part))
        yield f"{part}: {len(names)} photographs in {groups} groups, {len(prepared.examples(part))} codes"
    if prepared.parts.shared:
        yield f"warning: {prepared.parts.shared} payloads are in both parts; the held-out figures may flatter"
