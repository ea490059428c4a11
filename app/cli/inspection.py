"""Takes a climb further than the ladder: every place is looked at in every way, and each step leaves what it saw."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from app.cli.inspection_records import (
    CandidateRecord,
    LocatorRecord,
    RegionRecord,
    RegistrationRecord,
    StepRecord,
    SymbolRecord,
    rounded,
)
from app.cli.inspection_report import Report
from app.pipeline.climb import Climb, Reading
from app.pipeline.engines.symbol import Symbol, is_covered
from app.pipeline.engines.variants import read_variants
from app.pipeline.files.png import encode_png
from app.pipeline.flattening import flatten
from app.pipeline.imaging import GreyImage
from app.pipeline.locating.regions import PROMISING, SMALL_MODULE, Exhibit, Hypothesis, Region, Verdict
from app.pipeline.qrcode.log_odds import LogOdds, confidence, probability
from app.pipeline.qrcode.soft import SoftRead
from app.pipeline.rungs import upscale

_PIXELS: Final = 8  # a module in pictures of log-odds
_OVERVIEW: Final = (640, 2000)  # shortest and longest that the longest side of an outlined picture may be
_KEPT, _DROPPED, _REGION = (0, 160, 0), (0, 0, 220), (220, 120, 0)  # blue, green, red


class Inspection:
    """What each step sees in the picture of a climb, written into a folder.

    The climb is one that a ladder has ended; it learns of further regions and readings, but its codes stay the
    ladder's.
    """

    def __init__(self, climb: Climb, folder: Path) -> None:
        self._climb = climb
        self._folder = folder
        self._asked = len(climb.regions_by_locator)
        self._trace = tuple((stage.stage, stage.seconds, stage.codes) for stage in climb.trace)
        self._looked_at = {reading.region for reading in climb.readings}
        self._flattened = {region for region in self._looked_at if climb.is_flattened(region)}

    def report(self, file: str) -> Report:
        """Looks at everything. Raises OSError where the folder cannot be written to."""
        climb, effort = self._climb, self._climb.effort
        height, width = climb.image.shape
        places = [(index, region) for index in range(len(climb.locators)) for region in climb.regions_of(index)]
        numbers = {region: number for number, (_, region) in enumerate(places, start=1)}
        return Report(
            file=file,
            width=width,
            height=height,
            effort=effort,
            limits={
                "regions of a locator": effort.max_regions,
                "readings decoded softly": effort.max_soft_decoded,
                "regions flattened": effort.max_flattened,
            },
            answer=tuple(SymbolRecord.of(found.symbol, rung=found.rung) for found in climb.found),
            trace=self._trace,
            picture=self._save("picture.png", climb.image),
            steps=tuple(self._whole_picture()),
            locators=tuple(self._locator(index, numbers) for index in range(len(climb.locators))),
            regions=tuple(self._region(index, region, numbers[region]) for index, region in places),
        )

    def _whole_picture(self) -> Iterator[StepRecord]:
        tools, image = self._climb.tools, self._climb.image
        symbols, sightings = tools.zxing.look(image)
        nothing = f"saw {len(sightings)} codes that it could not read" if sightings else "the engine read nothing"
        yield _step(f"direct, {tools.zxing.name}", Verdict(symbols, "" if symbols else nothing))
        yield _step(f"direct, {tools.zbar.name}", _verdict(tools.zbar.read(image)))
        for variant, found in read_variants(image):
            yield _step(f"variants, {variant.name}", _verdict(found))

    def _locator(self, index: int, numbers: dict[Region, int]) -> LocatorRecord:
        hypotheses = self._climb.hypotheses[index]
        number, name = index + 1, type(self._climb.locators[index]).__name__
        candidates = []
        for rank in sorted({one.rank for one in hypotheses}):
            those = [one for one in hypotheses if one.rank == rank]
            candidate = those[0].candidate
            candidates.append(
                CandidateRecord(
                    number=rank + 1,
                    corners=rounded(candidate.corners),
                    modules=candidate.dimension,
                    score=candidate.score,
                    registrations=tuple(_registration(one, numbers) for one in those),
                )
            )
        return LocatorRecord(
            number=number,
            name=name,
            asked=index < self._asked,
            picture=self._save(f"locator-{number}.png", _outline(self._climb.image, hypotheses)),
            candidates=tuple(candidates),
        )

    # --- regions ----------------------------------------------------------------------------------------------------

    def _region(self, index: int, region: Region, number: int) -> RegionRecord:
        route = self._climb.route_of(region)
        folder = f"region-{number:02}"
        (self._folder / folder).mkdir()
        return RegionRecord(
            number=number,
            locator=index + 1,
            candidate=next(one.rank for one in self._climb.hypotheses[index] if one.region is region) + 1,
            version=region.version,
            agreement=region.registration.agreement,
            inverted=region.registration.inverted,
            module=region.module,
            corners=rounded(region.corners),
            laplacian_variance=route.laplacian_variance,
            threshold=route.threshold,
            network=route.network,
            ladder=self._what_the_ladder_did(index, region),
            folder=folder,
            steps=tuple(self._steps(region, folder)),
        )

    def _what_the_ladder_did(self, index: int, region: Region) -> str:
        here = [found for found in self._climb.found if is_covered(region.corners, [found.symbol])]
        if here:
            return f"place was read by {here[0].rung}: {here[0].symbol.text!r}"
        if index >= self._asked:
            return "did not look here: it ended before it asked this locator"
        if region not in self._looked_at:
            return "did not look here: it ended before it read the modules of this region"
        return "looked and read nothing" + ("" if region in self._flattened else "; did not flatten")

    def _steps(self, region: Region, folder: str) -> Iterator[StepRecord]:
        exhibit = region.show(region.crop, restored=False)
        files = self._save_all({f"{folder}/crop": region.crop, f"{folder}/redrawn": exhibit.pictures[0]})
        yield _step("rectified", self._judge(region, exhibit), files=files)
        reading = self._reading(region)
        yield from self._read_modules(reading, f"{folder}/")
        if region.is_promising:
            yield from self._flatten(reading, folder)
            tools = self._climb.tools
            for role, name in (("light", tools.light), ("heavy", tools.heavy)):
                restored = tools.restorers[name].restore([region.crop])[0]
                exhibit = region.show(restored, restored=True)
                files = self._save_all({f"{folder}/{role}": restored, f"{folder}/{role}-redrawn": exhibit.pictures[0]})
                yield _step(role, self._judge(region, exhibit), files=files)
            yield self._upscale(region, folder)
        else:
            refusal = f"not promising: agreement {region.registration.agreement:.2f} is below {PROMISING}"
            yield from (StepRecord(name, refusal=refusal) for name in ("flattened", "light", "heavy", "upscale"))

    def _reading(self, region: Region) -> Reading:
        """The ladder's own reading of a region's crop, if it made one."""
        readings = (one for one in self._climb.readings if one.region is region and not one.is_flattened)
        return next(readings, None) or self._climb.read_modules_of(region)

    def _read_modules(self, reading: Reading, prefix: str, name: str = "") -> Iterator[StepRecord]:
        """A reading decoded hard, then softly. ``prefix`` begins its files' names, ``name`` its steps'."""
        region = reading.region
        exhibit = region.show_modules(reading.crop, reading.log_odds)
        pictures = {f"{prefix}log-odds": _picture_of(reading.log_odds), f"{prefix}symbol": exhibit.pictures[0]}
        if reading.is_flattened:
            pictures = {f"{prefix}crop": reading.crop, **pictures}
        array = f"{prefix}log-odds.npy"
        np.save(self._folder / array, reading.log_odds)
        notes: dict[str, float | str] = {
            "mean confidence": confidence(reading.log_odds),
            "confidence times agreement": reading.confidence,
        }
        files = (*self._save_all(pictures), array)
        yield _step(f"{name}modules", self._judge(region, exhibit), notes=notes, files=files)
        files = ()
        if reading.soft_modules is not None:
            corrected = region.show_symbol(reading.crop, reading.soft_modules).pictures[0]
            files = self._save_all({f"{prefix}corrected": corrected})
        verdict = reading.judge_corrected(self._climb.tools.engines)
        yield _step(f"{name}soft", verdict, notes=_soft_notes(reading), files=files)

    def _flatten(self, reading: Reading, folder: str) -> Iterator[StepRecord]:
        """Every round up to the first that reads, as the ladder takes them."""
        region = reading.region
        rounds = flatten(
            self._climb.image, region.registration, reading.crop, reading.log_odds, self._climb.tools.reader
        )
        for number, (crop, log_odds) in enumerate(rounds, start=1):
            name = f"flattened {number}, "
            steps = [*self._read_modules(Reading(region, crop, log_odds), f"{folder}/flattened-{number}-", name)]
            yield from steps
            if any(step.read for step in steps):
                return

    def _upscale(self, region: Region, folder: str) -> StepRecord:
        if not region.is_small:
            return StepRecord(
                "upscale", refusal=f"not small: {region.module:.2f} px a module is not below {SMALL_MODULE}"
            )
        enlarged, symbols = upscale(self._climb, region)
        return _step("upscale", _verdict(symbols), files=(self._save(f"{folder}/upscale.png", enlarged),))

    def _judge(self, region: Region, exhibit: Exhibit) -> Verdict:
        return region.judge(exhibit, self._climb.tools.engines)

    # --- files ------------------------------------------------------------------------------------------------------

    def _save(self, name: str, picture: GreyImage) -> str:
        (self._folder / name).write_bytes(encode_png(picture))
        return name

    def _save_all(self, pictures: dict[str, GreyImage]) -> tuple[str, ...]:
        """Pictures by name, without suffix."""
        return tuple(self._save(f"{name}.png", picture) for name, picture in pictures.items())


def _step(
    name: str, verdict: Verdict, *, notes: dict[str, float | str] | None = None, files: tuple[str, ...] = ()
) -> StepRecord:
    read, doubted = (tuple(map(SymbolRecord.of, symbols)) for symbols in (verdict.symbols, verdict.doubted))
    return StepRecord(name, read, verdict.refusal, doubted, notes, files)


def _verdict(symbols: list[Symbol]) -> Verdict:
    """For engines that are believed whatever they read."""
    return Verdict(symbols, "" if symbols else "the engine read nothing")


def _registration(one: Hypothesis, numbers: dict[Region, int]) -> RegistrationRecord:
    registration = one.registration
    return RegistrationRecord(
        version=registration.version if registration else None,
        agreement=registration.agreement if registration else None,
        inverted=registration.inverted if registration else None,
        region=numbers[one.region] if one.region else None,
        refusal=one.refusal,
        twin=numbers[one.twin] if one.twin else None,
    )


def _soft_notes(reading: Reading) -> dict[str, float | str] | None:
    read = reading.soft_attempts[-1]
    if not isinstance(read, SoftRead):
        return None
    return {
        "level": read.level,
        "mask": str(read.mask),
        "corrected modules": str(read.corrected_modules),
        "bits of evidence": read.confidence,
        "method": read.method,
    }


def _picture_of(log_odds: LogOdds) -> GreyImage:
    """Black where a module is surely dark, white where it is surely light, grey where it is neither."""
    light = np.rint(255 * (1 - probability(log_odds))).astype(np.uint8)
    return light.repeat(_PIXELS, axis=0).repeat(_PIXELS, axis=1)


def _outline(image: GreyImage, hypotheses: Sequence[Hypothesis]) -> GreyImage:
    """The picture in colour, brought to a size to look at: candidates with their numbers, green if a region came of
    them, red if not; regions as they were registered, blue."""
    low, high = _OVERVIEW
    longest = max(image.shape)
    factor = min(max(longest, low), high) / longest
    method = cv2.INTER_AREA if factor < 1 else cv2.INTER_NEAREST
    size = tuple(max(1, round(factor * side)) for side in image.shape[::-1])
    picture = cv2.cvtColor(cv2.resize(image, size, interpolation=method), cv2.COLOR_GRAY2BGR)

    def draw(corners: object, colour: tuple[int, int, int]) -> tuple[int, int]:
        points = np.rint(np.asarray(corners) * factor).astype(np.int32)
        cv2.polylines(picture, [points], isClosed=True, color=colour, thickness=2, lineType=cv2.LINE_AA)
        return int(points[0, 0]), int(points[0, 1])

    kept = {one.rank for one in hypotheses if one.region}
    for rank, corners in {one.rank: one.candidate.corners for one in hypotheses}.items():
        colour = _KEPT if rank in kept else _DROPPED
        cv2.putText(picture, str(rank + 1), draw(corners, colour), cv2.FONT_HERSHEY_SIMPLEX, 0.7, colour, 2)
    for one in hypotheses:
        if one.region:
            draw(one.region.corners, _REGION)
    return np.asarray(picture, dtype=np.uint8)
