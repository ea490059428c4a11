"""Every step on a region, as the rungs take it, with what it showed the engines."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import numpy as np

from app.cli.inspection_records import StepRecord, SymbolRecord
from app.pipeline.climb import Climb
from app.pipeline.engines.symbol import Symbol
from app.pipeline.engines.variants import read_variants
from app.pipeline.files.png import encode_png
from app.pipeline.flattening import flatten
from app.pipeline.imaging import GreyImage
from app.pipeline.locating.lone_finders import PATIENT, find_lone_finders
from app.pipeline.locating.regions import SMALL_MODULE, Exhibit, Region, Verdict
from app.pipeline.micro import MICRO, read_small
from app.pipeline.place import Place
from app.pipeline.qrcode.log_odds import LogOdds, confidence, probability
from app.pipeline.qrcode.soft import SoftRead
from app.pipeline.reading import Reading
from app.pipeline.rungs import LAST_RUNGS, read_middles, read_patch, upscale

_PIXELS: Final = 8  # a module in pictures of log-odds


class Files:
    """Writes what steps show into a folder. Raises OSError where that cannot be done."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def enter(self, name: str) -> str:
        """Makes a folder inside."""
        (self._folder / name).mkdir()
        return name

    def picture(self, name: str, picture: GreyImage) -> str:
        (self._folder / name).write_bytes(encode_png(picture))
        return name

    def pictures(self, pictures: dict[str, GreyImage]) -> tuple[str, ...]:
        """Pictures by name, without suffix."""
        return tuple(self.picture(f"{name}.png", picture) for name, picture in pictures.items())

    def array(self, name: str, array: LogOdds) -> str:
        np.save(self._folder / name, array)
        return name


def steps_on_picture(climb: Climb) -> Iterator[StepRecord]:
    """Both engines on the whole picture, and its variants, which the ladder shows them of single places only; then the
    Micro QR and rMQR codes in it."""
    tools, image = climb.tools, climb.image
    symbols, sightings = tools.zxing.look(image)
    nothing = f"saw {len(sightings)} codes that it could not read" if sightings else "the engine read nothing"
    yield _step(f"direct, {tools.zxing.name}", Verdict(symbols, "" if symbols else nothing))
    yield _step(f"direct, {tools.zbar.name}", _believed(tools.zbar.read(image)))
    for variant, found in read_variants(image):
        yield _step(f"variants, {variant.name}", _believed(found))
    known = [found.symbol for found in climb.found if found.rung == MICRO]
    micro = known or [read.symbol for read in read_small(climb, is_patient=True)]
    finders = len(find_lone_finders(image, PATIENT))
    yield _step("micro", Verdict(micro, "" if micro else f"none at {finders} lone finder patterns"))


def steps_on_place(climb: Climb, place: Place) -> Iterator[StepRecord]:
    """The step that needs no region: the place with its surroundings, at other sizes and contrasts."""
    yield _step("variants", _believed([read.symbol for read in read_patch(climb, place)]))


class RegionSteps:
    """Every step on a region, into a folder of its own."""

    def __init__(self, climb: Climb, place: Place, region: Region, files: Files, folder: str) -> None:
        self._climb = climb
        self._place = place
        self._region = region
        self._files = files
        self._folder = folder

    def all(self, *, left_out: str) -> Iterator[StepRecord]:
        """The steps in the order of the rungs; ``left_out`` says why the dear ones are not taken, "" if they are."""
        region = self._region
        exhibit = region.show(region.crop, restored=False)
        yield _step("rectified", self._judge(exhibit), files=self._save(crop=region.crop, redrawn=exhibit.pictures[0]))
        reading = self._reading()
        yield from self._modules(reading)
        if left_out:
            yield from (StepRecord(rung.name, refusal=left_out) for rung in LAST_RUNGS)
            return
        yield from self._halftone()
        yield from self._flattened(reading)
        tools = self._climb.tools
        for role, name in (("light", tools.light), ("heavy", tools.heavy)):
            restored = tools.restorers[name].restore([region.crop])[0]
            exhibit = region.show(restored, restored=True)
            files = self._save(**{role: restored, f"{role}-redrawn": exhibit.pictures[0]})
            yield _step(role, self._judge(exhibit), files=files)
        yield self._upscaled()

    def _reading(self) -> Reading:
        """The ladder's own reading of the region's crop, if it made one."""
        here = (one for one in self._place.readings if one.region is self._region and not one.has_other_crop)
        return next(here, None) or self._climb.read_modules_of(self._place, self._region)

    def _modules(self, reading: Reading, prefix: str = "", name: str = "") -> Iterator[StepRecord]:
        """A reading decoded hard, then softly. ``prefix`` begins its files' names, ``name`` its steps'."""
        region = self._region
        exhibit = region.show_modules(reading.crop, reading.log_odds)
        pictures = {f"{prefix}log-odds": _picture_of(reading.log_odds), f"{prefix}symbol": exhibit.pictures[0]}
        if reading.has_other_crop:
            pictures = {f"{prefix}crop": reading.crop, **pictures}
        notes: dict[str, float | str] = {
            "mean confidence": confidence(reading.log_odds),
            "confidence times agreement": reading.confidence,
        }
        array = self._files.array(f"{self._folder}/{prefix}log-odds.npy", reading.log_odds)
        files = (*self._save(**pictures), array)
        yield _step(f"{name}modules", self._judge(exhibit), notes=notes, files=files)
        files = ()
        if reading.soft_modules is not None:
            corrected = region.show_symbol(reading.crop, reading.soft_modules).pictures[0]
            files = self._save(**{f"{prefix}corrected": corrected})
        verdict = reading.judge_corrected(self._climb.tools.engines)
        yield _step(f"{name}soft", verdict, notes=_soft_notes(reading), files=files)

    def _halftone(self) -> Iterator[StepRecord]:
        reading = read_middles(self._climb, self._region)
        if reading is None:
            yield StepRecord("halftone", refusal="hardly anything varies within modules")
        else:
            yield from self._modules(reading, "halftone-", "halftone, ")

    def _flattened(self, reading: Reading) -> Iterator[StepRecord]:
        """Every round up to the first that reads, as the ladder takes them."""
        region, climb = self._region, self._climb
        rounds = flatten(climb.image, region.registration, reading.crop, reading.log_odds, climb.tools.reader)
        for number, (crop, log_odds) in enumerate(rounds, start=1):
            straighter = Reading(region, crop, log_odds)
            steps = [*self._modules(straighter, f"flattened-{number}-", f"flattened {number}, ")]
            yield from steps
            if any(step.read for step in steps):
                return

    def _upscaled(self) -> StepRecord:
        region = self._region
        if not region.is_small:
            refusal = f"not small: {region.module:.2f} px a module is not below {SMALL_MODULE}"
            return StepRecord("upscale", refusal=refusal)
        enlarged, symbols = upscale(self._climb, region)
        return _step("upscale", _believed(symbols), files=self._save(upscale=enlarged))

    def _judge(self, exhibit: Exhibit) -> Verdict:
        return self._region.judge(exhibit, self._climb.tools.engines)

    def _save(self, **pictures: GreyImage) -> tuple[str, ...]:
        return self._files.pictures({f"{self._folder}/{name}": picture for name, picture in pictures.items()})


def _step(
    name: str, verdict: Verdict, *, notes: dict[str, float | str] | None = None, files: tuple[str, ...] = ()
) -> StepRecord:
    return StepRecord(name, _records(verdict.symbols), verdict.refusal, _records(verdict.doubted), notes, files)


def _records(symbols: Iterable[Symbol]) -> tuple[SymbolRecord, ...]:
    return tuple(SymbolRecord.of(symbol) for symbol in symbols)


def _believed(symbols: list[Symbol]) -> Verdict:
    """For engines that are believed whatever they read."""
    return Verdict(symbols, "" if symbols else "the engine read nothing")


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
