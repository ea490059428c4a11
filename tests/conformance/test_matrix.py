"""Every encoder's symbols, clean and spoilt, read by each engine and each rung alone: one answer, and the truth."""

from collections.abc import Iterator

import numpy as np
import pytest

from app.codes import Code
from app.pipeline.rungs import DIRECT
from tests.conformance.cells import ENCODERS, NPM_ENCODERS, SAYS, draw, faults
from tests.conformance.encoders.encoder import Modules
from tests.conformance.pictures import Scene, take
from tests.conformance.reading import by_rungs, climb, fields, fuse, look_once
from tests.conformance.wanted import APPENDS, ECIS, FULL, GS1S, MASKS, MODES, QR, SMALL, VERSIONS, Wanted

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]
GROUPS = {
    "modes": MODES, "ecis": ECIS, "appends": APPENDS, "gs1": GS1S, "full": FULL, "masks": MASKS, "versions": VERSIONS,
}  # fmt: skip
ZBAR_READS_NOTHING = {
    "hanzi": "it has no Hanzi mode",
    "eci-and-kanji": "it refuses Kanji mode under another ECI",
    "append-16-of-16": "it drops digits and letters that are not the first part of a structured append",
}
_EARLY_RUNGS = ("rectified", "modules", "soft")
_LATE_RUNGS = ("variants", "flattened", "light", "heavy", "upscale")
_MOST_CLIMBED = 80  # modules a side: larger symbols climb for long
_LADDER = "whole ladder, spoilt"
_LATE = QR[::7]  # what the dear ways are shown
Read = tuple[str, Scene, list[Code]]


def spoil(modules: Modules, seed: int = 0, **more: float) -> Scene:
    """A picture that engines cannot read as it is."""
    return take(modules, **{"pixels": 4, "turned": -12, "blur": 0.65, "noise": 10, "seed": seed, **more})  # type: ignore[arg-type]


def ways(modules: Modules, wanted: Wanted) -> Iterator[Read]:
    """Every cheap way to read a symbol, less those that no engine has."""
    engines = ("zxing",) if wanted.name in ZBAR_READS_NOTHING else ("zxing", "zbar")
    clean, spoilt = take(modules, pixels=4, turned=7), spoil(modules)
    size = len(modules)
    for engine in engines:
        yield f"fast, {engine}", clean, look_once(clean.image, engine)
        for scene, name, rungs in ((clean, "clean", _EARLY_RUNGS), (spoilt, "spoilt", _EARLY_RUNGS[1:])):
            for rung, codes in by_rungs(scene, rungs, engine, size=size):
                yield f"{rung}, {engine}, {name}", scene, codes
    if size <= _MOST_CLIMBED:
        yield _LADDER, spoilt, climb(spoilt.image)


def differences(reads: Iterator[Read], encoder: str, wanted: Wanted, modules: Modules) -> Iterator[str]:
    """What is wrong with each read, in words."""
    first: dict[str, object] | None = None
    for way, scene, codes in reads:
        if len(codes) != 1:
            yield f"{wanted.name}: {way}: {len(codes)} codes"
            continue
        (code,) = codes
        if wrong := faults(code, encoder, wanted, modules):
            yield f"{wanted.name}: {way}: {wrong}"
        if abs((code.rotation - scene.rotation + 180) % 360 - 180) > 2:
            yield f"{wanted.name}: {way}: turned by {code.rotation:.1f}, not {scene.rotation:.1f}"
        if way == _LADDER and code.rung == DIRECT:
            yield f"{wanted.name}: {way}: the engines read it as it is"
        answer = fields(code)
        first = first or answer
        if answer != first:
            pairs = {name: (first[name], answer[name]) for name in answer if first[name] != answer[name]}
            yield f"{wanted.name}: {way}: {pairs}"


@pytest.mark.parametrize("encoder", NPM_ENCODERS)
def test_encoders_of_npm_say_what_they_can(encoder: str) -> None:
    drawn = [sum(draw(encoder, wanted) is not None for wanted in group) for group in (QR, SMALL)]
    assert tuple(drawn) == SAYS[encoder]


@pytest.mark.parametrize("group", GROUPS)
@pytest.mark.parametrize("encoder", ENCODERS)
def test_one_symbol_one_answer(encoder: str, group: str) -> None:
    wrong: list[str] = []
    for wanted in GROUPS[group]:
        modules = draw(encoder, wanted)
        if modules is not None:
            wrong += differences(ways(modules, wanted), encoder, wanted, modules)
    assert wrong == []


@pytest.mark.parametrize("encoder", ENCODERS)
def test_small_symbols_are_answered_as_said(encoder: str) -> None:
    """zxing-cpp is the only engine that reads them."""

    def seen(modules: Modules) -> Iterator[Read]:
        for turns in range(4):
            scene = take(np.rot90(modules, -turns), pixels=4)
            yield f"fast, turned {turns}", Scene(scene.image, scene.corners, 90.0 * turns), look_once(scene.image)

    wrong: list[str] = []
    for wanted in SMALL:
        modules = draw(encoder, wanted)
        if modules is not None:
            wrong += differences(seen(modules), encoder, wanted, modules)
    assert wrong == []


@pytest.mark.parametrize("name", ZBAR_READS_NOTHING)
def test_what_zbar_cannot_read_it_does_not_misread(name: str) -> None:
    wanted = next(one for one in QR if one.name == name)
    modules = draw("qrcodegen", wanted)
    assert modules is not None
    clean = take(modules, pixels=4, turned=7)
    assert look_once(clean.image, "zbar") == []
    assert [codes for _, codes in by_rungs(clean, _EARLY_RUNGS, "zbar") if codes] == []


def late_ways(modules: Modules, wanted: Wanted) -> Iterator[Read]:
    mild, noisy = (
        take(modules, pixels=4, turned=7, blur=0.3),
        [spoil(modules, seed, noise=45, turned=0) for seed in range(4)],
    )
    for rung, codes in by_rungs(mild, _LATE_RUNGS[:1], size=len(modules)):
        yield rung, mild, codes
    for rung, codes in by_rungs(spoil(modules), ("modules", *_LATE_RUNGS[1:4]), size=len(modules)):
        yield f"{rung}, spoilt", spoil(modules), codes
    small = take(modules, pixels=2.5, turned=7, blur=0.4, noise=3)
    for rung, codes in by_rungs(small, _LATE_RUNGS[4:], size=len(modules)):
        yield f"{rung}, small", small, codes
    yield "fused", noisy[0], fuse([scene.image for scene in noisy])


@pytest.mark.parametrize(
    "wanted", [one for one in _LATE if one.version is None or one.version < 7], ids=lambda one: one.name
)
def test_dear_rungs_and_fusing_answer_alike(wanted: Wanted) -> None:
    modules = draw("qrcodegen", wanted)
    assert modules is not None
    assert list(differences(late_ways(modules, wanted), "qrcodegen", wanted, modules)) == []


@pytest.mark.parametrize("turned", [3, 97, 181, 264])
@pytest.mark.parametrize("mirrored", [False, True], ids=["plain", "mirrored"])
@pytest.mark.parametrize("inverted", [False, True], ids=["dark", "light"])
def test_mirrored_inverted_turned(inverted: bool, mirrored: bool, turned: int) -> None:
    def seen(modules: Modules, has_zbar: bool) -> Iterator[Read]:
        scene = take(modules, pixels=6, turned=turned, mirrored=mirrored, inverted=inverted)
        spoilt = spoil(modules, turned=turned, mirrored=mirrored, inverted=inverted)
        yield "fast, zxing", scene, look_once(scene.image, "zxing")
        if not inverted and has_zbar:
            yield "fast, zbar", scene, look_once(scene.image, "zbar")
        for engine in ("zxing", "zbar") if has_zbar else ("zxing",):
            for rung, codes in by_rungs(spoilt, ("modules", "soft"), engine, size=len(modules)):
                yield f"{rung}, {engine}, spoilt", spoilt, codes

    wrong: list[str] = []
    for wanted in (*MODES[::5], *ECIS[::6], *GS1S[::3]):
        modules = draw("qrcodegen", wanted)
        assert modules is not None
        reads = list(seen(modules, wanted.name not in ZBAR_READS_NOTHING))
        wrong += differences(iter(reads), "qrcodegen", wanted, modules)
        codes = [(way, code) for way, _, found in reads for code in found]
        wrong += [f"{wanted.name}: {way}" for way, one in codes if (one.mirrored, one.inverted) != (mirrored, inverted)]
    assert wrong == []
