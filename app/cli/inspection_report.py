"""The report of an inspection, made of its records: as plain values for `report.json`, and as text for `report.txt`."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from app.cli.inspection_records import Corners, LocatorRecord, RegionRecord, StepRecord, SymbolRecord


@dataclass(frozen=True, slots=True)
class Report:
    """The report of what was seen in a picture. ``answer`` is the ladder's, ``trace`` its stages with their seconds and
    codes."""

    file: str
    width: int
    height: int
    effort: str
    limits: dict[str, int]
    answer: tuple[SymbolRecord, ...]
    trace: tuple[tuple[str, float, int], ...]
    picture: str
    steps: tuple[StepRecord, ...]
    locators: tuple[LocatorRecord, ...]
    regions: tuple[RegionRecord, ...]

    @property
    def has_read(self) -> bool:
        """Whether the ladder or any step read something."""
        steps = (*self.steps, *(step for region in self.regions for step in region.steps))
        return bool(self.answer) or any(step.read for step in steps)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

    def as_text(self) -> str:
        return "".join(f"{line}\n" for line in self._lines())

    def _lines(self) -> Iterator[str]:
        yield f"{self.file}: {self.width} x {self.height} px, effort {self.effort}"
        yield "Limits of the effort: " + ", ".join(f"{name} {value}" for name, value in self.limits.items())
        yield ""
        yield "THE LADDER" if self.answer else "THE LADDER reads nothing"
        yield from (f"  {symbol.rung:10} {symbol.line}" for symbol in self.answer)
        yield "  " + ", ".join(f"{stage} {seconds:.3f} s" for stage, seconds, _ in self.trace)
        yield ""
        yield f"THE WHOLE PICTURE  {self.picture}"
        for step in self.steps:
            yield from _step_lines(step)
        for locator in self.locators:
            yield from _locator_lines(locator)
        for region in self.regions:
            yield from _region_lines(region)


def _locator_lines(locator: LocatorRecord) -> Iterator[str]:
    yield ""
    yield f"LOCATOR {locator.number} {locator.name}  {locator.picture}"
    yield "  asked by the ladder" if locator.asked else "  not asked by the ladder"
    if not locator.candidates:
        yield "  no candidates"
    for candidate in locator.candidates:
        modules = f"{candidate.modules} modules" if candidate.modules else "modules unknown"
        yield f"  candidate {candidate.number}: {modules}, score {candidate.score:.2f}, {_corners(candidate.corners)}"
        for one in candidate.registrations:
            fate = f"region {one.region}" if one.region else f"dropped: {one.refusal}"
            if one.twin:
                fate += f", number {one.twin}"
            if one.version is None:
                yield f"    {fate}"
            else:
                yield f"    version {one.version}, agreement {one.agreement:.2f}: {fate}"


def _region_lines(region: RegionRecord) -> Iterator[str]:
    yield ""
    yield f"REGION {region.number}  {region.folder}/  of locator {region.locator}, candidate {region.candidate}"
    polarity = "light on dark" if region.inverted else "dark on light"
    yield (
        f"  version {region.version}, agreement {region.agreement:.2f}, {polarity}, "
        f"{region.module:.2f} px a module, {_corners(region.corners)}"
    )
    yield (
        f"  Laplacian variance {region.laplacian_variance:.0f}, threshold {region.threshold:.0f}: "
        f"routed to {region.network}"
    )
    yield f"  the ladder: {region.ladder}"
    for step in region.steps:
        yield from _step_lines(step)


def _step_lines(step: StepRecord) -> Iterator[str]:
    came = "; ".join(f"READ {symbol.line}" for symbol in step.read) or step.refusal
    yield f"  {step.name}: {came}"
    yield from (f"    doubted: {symbol.line}" for symbol in step.doubted)
    if step.notes:
        values = ((name, f"{value:.2f}" if isinstance(value, float) else value) for name, value in step.notes.items())
        yield "    " + ", ".join(f"{name} {value}" for name, value in values)
    if step.files:
        yield "    " + " ".join(step.files)


def _corners(corners: Corners) -> str:
    return " ".join(f"({x:.1f}, {y:.1f})" for x, y in corners)
