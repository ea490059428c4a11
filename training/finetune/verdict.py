"""Compares a network before and after, and decides whether the new weights may be written."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

from training.compare.claims import Difference, mean_difference, rate_difference
from training.finetune.measuring import Outcome
from training.measure.rates import Rate


@dataclass(frozen=True)
class Line:
    """A figure before and after on the same pictures, in percent, with the 95 % interval of the difference, None for
    fewer than three pictures. ``higher_is_better`` says which way it should go."""

    name: str
    n: int
    before: float
    after: float
    difference: Difference | None
    higher_is_better: bool = True

    @classmethod
    def of_rates(cls, name: str, before: Sequence[bool], after: Sequence[bool]) -> Self:
        """The share of pictures that are read."""
        old, new = (100 * Rate(sum(reads), len(reads)).value for reads in (before, after))
        return cls(name, len(before), old, new, rate_difference(after, before))

    @classmethod
    def of_errors(cls, name: str, before: Sequence[float], after: Sequence[float]) -> Self:
        """The mean of errors, of which less is better."""
        old, new = (100 * sum(errors) / max(1, len(errors)) for errors in (before, after))
        return cls(name, len(before), old, new, mean_difference(after, before), higher_is_better=False)

    @property
    def gain(self) -> str:
        """Whether the interval lies on one side of zero: "better", "worse" or "undecided"."""
        if self.difference is None or self.difference.low <= 0 <= self.difference.high:
            return "undecided"
        return "better" if (self.difference.low > 0) is self.higher_is_better else "worse"

    def __str__(self) -> str:
        found = self.difference
        interval = f"{100 * found.mean:+6.2f} [{100 * found.low:+.2f} to {100 * found.high:+.2f}]" if found else "-"
        return f"{self.name:36s} {self.n:4d} {self.before:7.2f} {self.after:7.2f}  {interval:26s} {self.gain}"


HEAD = f"{'':36s} {'n':>4s} {'before':>7s} {'after':>7s}  {'after - before [95 %]':26s}"


@dataclass(frozen=True)
class Verdict:
    """The table of a comparison. ``refusals``: why the weights may not be written, none if they may."""

    lines: tuple[Line, ...]
    refusals: tuple[str, ...] = field(default=())

    def table(self) -> Iterator[str]:
        """The lines of the table, then the verdict."""
        yield HEAD
        yield from map(str, self.lines)
        yield from (f"refused: {reason}" for reason in self.refusals)

    def figures(self) -> dict[str, object]:
        """The table for a file or a header."""
        return {
            line.name: {
                "n": line.n,
                "before": round(line.before, 3),
                "after": round(line.after, 3),
                "interval": None
                if line.difference is None
                else [round(100 * line.difference.low, 3), round(100 * line.difference.high, 3)],
            }
            for line in self.lines
        }


def judge(
    own: Sequence[Line], older: Mapping[str, tuple[Sequence[Outcome], Sequence[Outcome]]], *, margin: float, wrong: int
) -> Verdict:
    """Judges new weights: ``own`` are the lines of the held-out photographs, the network's module error first;
    ``older`` holds the outcomes before and after on each older set; ``wrong`` counts payloads that only the new
    weights read wrong on the held-out photographs.

    They are refused if they read fewer of the older sets' pictures, all together, by more than ``margin`` percentage
    points; if they read a payload wrong that the old ones did not; or if their module error on the held-out photographs
    is higher.
    """
    lines = list(own)
    pairs = [(a, b) for before, after in older.values() for a, b in zip(before, after, strict=True)]
    lines += (
        Line.of_rates(f"{name}, read", [one.read for one in before], [one.read for one in after])
        for name, (before, after) in older.items()
    )
    refusals = []
    if pairs:
        together = Line.of_rates("older sets, read", [a.read for a, _ in pairs], [b.read for _, b in pairs])
        lines.append(together)
        lost = together.before - together.after
        if lost > margin:
            refusals.append(f"they read {lost:.2f} points less of the older sets; the margin is {margin:g}")
    new_wrong = wrong + sum(b.wrong and not a.wrong for a, b in pairs)
    if new_wrong:
        refusals.append(f"they read {new_wrong} payload(s) wrong that the old weights do not")
    if own and own[0].after > own[0].before:
        refusals.append("their module error on the held-out photographs is higher than before")
    return Verdict(tuple(lines), tuple(refusals))
