"""The report of an inspection, made of its records: as plain values for `report.json`, and as text for `report.txt`."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from app.cli.inspection_records import (
    CandidateRecord,
    Corners,
    PlaceRecord,
    RegionRecord,
    RegistrationRecord,
    StepRecord,
    SurveyRecord,
    SymbolRecord,
    UnreadRecord,
)
from app.telemetry.escaping import escape


@dataclass(frozen=True, slots=True)
class Report:
    """The report of what was seen in a picture. ``answer``, ``unread`` and ``complete`` are the ladder's, ``trace`` its
    stages with their seconds and codes."""

    file: str
    width: int
    height: int
    effort: str
    answer: tuple[SymbolRecord, ...]
    unread: tuple[UnreadRecord, ...]
    complete: bool
    trace: tuple[tuple[str, float, int], ...]
    picture: str
    steps: tuple[StepRecord, ...]
    surveys: tuple[SurveyRecord, ...]
    places: tuple[PlaceRecord, ...]
    regions: tuple[RegionRecord, ...]

    @property
    def has_read(self) -> bool:
        """Whether the ladder or any step read something."""
        return bool(self.answer) or any(step.read for step in self.all_steps)

    @property
    def all_steps(self) -> Iterator[StepRecord]:
        """Those on the picture, on its places and on their regions."""
        yield from self.steps
        yield from (step for place in self.places for step in place.steps)
        yield from (step for region in self.regions for step in region.steps)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

    def as_text(self) -> str:
        return "".join(f"{line}\n" for line in self._lines())

    def _lines(self) -> Iterator[str]:
        yield f"{escape(self.file)}: {self.width} x {self.height} px, effort {self.effort}"
        yield ""
        yield "THE LADDER" if self.answer else "THE LADDER reads nothing"
        yield from (f"  {symbol.rung:10} {symbol.line}" for symbol in self.answer)
        yield from (f"  not read: {unread.line}" for unread in self.unread)
        if not self.complete:
            yield "  ended before it was through"
        yield "  " + ", ".join(f"{stage} {seconds:.3f} s" for stage, seconds, _ in self.trace)
        yield ""
        yield f"THE WHOLE PICTURE  {self.picture}"
        for step in self.steps:
            yield from _step_lines(step)
        yield ""
        for survey in self.surveys:
            yield from _survey_lines(survey)
        for place in self.places:
            yield from _place_lines(place)
            for region in self.regions:
                if region.number in place.regions:
                    yield from _region_lines(region)


def _survey_lines(survey: SurveyRecord) -> Iterator[str]:
    whose = "made by the ladder" if survey.by_ladder else "not made by the ladder"
    if not survey.candidates:
        yield f"SURVEY {survey.number} {survey.name}, {whose}: no candidates"
        return
    yield f"SURVEY {survey.number} {survey.name}, {whose}  {survey.picture}"
    for candidate in survey.candidates:
        yield from _candidate_lines(candidate)


def _candidate_lines(candidate: CandidateRecord) -> Iterator[str]:
    modules = f"{candidate.modules} modules" if candidate.modules else "modules unknown"
    place = f"place {candidate.place}" if candidate.place else "no place"
    corners = _corners(candidate.corners)
    yield f"  candidate {candidate.number}: {modules}, score {candidate.score:.2f}, {corners}: {place}"
    if not candidate.registrations:
        yield "    not looked at: too many before it were no codes, or the climb had ended"
    yield from (f"    {_fate(one)}" for one in candidate.registrations)


def _fate(one: RegistrationRecord) -> str:
    fate = f"region {one.region}" if one.region else f"dropped: {one.refusal}"
    if one.twin:
        fate += f", number {one.twin}"
    return fate if one.version is None else f"version {one.version}, agreement {one.agreement:.2f}: {fate}"


def _place_lines(place: PlaceRecord) -> Iterator[str]:
    yield ""
    yield f"PLACE {place.number}  of survey {place.survey}, candidate {place.candidate}"
    yield f"  agreement {place.agreement:.2f}, score {place.score:.2f}, {_corners(place.corners)}"
    yield f"  {place.result}"
    if place.ladder:
        yield "  the ladder:"
        by_done: dict[str, list[str]] = {}
        for rung in place.ladder:
            by_done.setdefault(rung.done, []).append(rung.name)
        yield from (f"    {', '.join(names)}: {done}" for done, names in by_done.items())
    for step in place.steps:
        yield from _step_lines(step)


def _region_lines(region: RegionRecord) -> Iterator[str]:
    yield ""
    yield f"REGION {region.number}  {region.folder}/  of place {region.place}"
    polarity = "light on dark" if region.inverted else "dark on light"
    yield (
        f"  version {region.version}, agreement {region.agreement:.2f}, {polarity}, "
        f"{region.module:.2f} px a module, {_corners(region.corners)}"
    )
    yield (
        f"  Laplacian variance {region.laplacian_variance:.0f}, threshold {region.threshold:.0f}: "
        f"routed to {region.network}"
    )
    for step in region.steps:
        yield from _step_lines(step)


def _step_lines(step: StepRecord) -> Iterator[str]:
    came = [*(f"READ {symbol.line}" for symbol in step.read), *([step.refusal] if step.refusal else [])]
    yield f"  {step.name}: {'; '.join(came)}"
    yield from (f"    doubted: {symbol.line}" for symbol in step.doubted)
    if step.notes:
        values = ((name, f"{value:.2f}" if isinstance(value, float) else value) for name, value in step.notes.items())
        yield "    " + ", ".join(f"{name} {value}" for name, value in values)
    if step.files:
        yield "    " + " ".join(step.files)


def _corners(corners: Corners) -> str:
    return " ".join(f"({x:.1f}, {y:.1f})" for x, y in corners)
