"""What an attack measured, and what was wanted."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tools.load import reckoning


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the report: what was measured, the figure in words, what is wanted, and whether it is so."""

    name: str
    figure: str
    wanted: str
    ok: bool


def at_most(name: str, value: float, bound: float, *, unit: str, beside: str = "") -> Figure:
    """A figure that must not exceed ``bound``; ``beside`` stands behind it."""
    return Figure(name, f"{value:.1f} {unit}{beside}", f"<= {bound:g} {unit}", value <= bound)


def is_true(name: str, ok: bool, *, figure: str = "", wanted: str = "yes") -> Figure:
    return Figure(name, figure or ("yes" if ok else "no"), wanted, ok)


def percentile(values: Sequence[float], share: float) -> float:
    """That of `tools.load.reckoning`; infinite without values."""
    return reckoning.percentile(values, share) if values else float("inf")


def lines(number: int, figures: Iterator[Figure]) -> Iterator[tuple[str, bool]]:
    """Each figure as a line of the report, with whether it is as wanted."""
    for each in figures:
        verdict = "ok" if each.ok else "FAIL"
        yield f"{number:>3}  {each.name:<46} {each.figure:<44} {each.wanted:<14} {verdict}", each.ok
