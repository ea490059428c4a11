"""Trials count what they say, wherever they run."""

import argparse
import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from app.models.checkpoint import Checkpoint
from app.models.registry import NETWORKS
from app.pipeline.engines.symbol import Symbol
from app.pipeline.engines.zbar import ZBar
from app.pipeline.engines.zxing import ZXing
from app.pipeline.imaging import GreyImage
from app.pipeline.inference.networks import Networks
from app.pipeline.qrcode.patterns import render
from app.pipeline.tools import Tools
from tests.support.codes import qr_picture
from tests.support.fakes import FakeLocator, FakeReader, FakeRestorer, FakeWindows
from tests.support.networks import TINY, restorer_of
from training.compare import trials
from training.compare.fidelity import measure_fidelity
from training.compare.systems import Interpolation, Kind, SharedPicture, System
from training.compare.trials import (
    HALFWAY,
    PHOTOGRAPHS,
    Bench,
    Trial,
    group_trials,
    run_tasks,
    sample_task,
    time_trials,
    try_photo,
    try_sample,
)
from training.compare.weight_interpolation import interpolate_weights
from training.measure.photos import Photo, select_photos
from training.measure.served_tools import add_options
from training.measure.sets import Sample, samples

SMALL = FakeRestorer("small")


def bench(*systems: System, locator: FakeLocator | None = None) -> Bench:
    tools = Tools(
        zxing=ZXing(),
        zbar=ZBar(),
        windows=FakeWindows(),
        evened=FakeLocator(),
        stretched=FakeLocator(),
        locators=(locator or FakeLocator(),),
        reader=FakeReader(),
        restorers={"small": SMALL},
        light="small",
        heavy="small",
        upscaler="small",
        threshold=0.0,
    )
    return Bench(Networks({}, {}, {}), tools, systems)


def sample_of(name: str, index: int = 0) -> Sample:
    return next(samples(name, start=index, count=1))


def symbol(payload: bytes, engine: str = "zxing") -> Symbol:
    corners = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0))
    return Symbol(payload, payload.decode(), "Text", "QRCode", 1, "M", engine, corners)


def answering(*payloads: bytes, applicable: bool = True) -> System:
    read = [symbol(payload) for payload in payloads]
    return System(name="fixed", kind=Kind.DECODER, read=lambda *_: read if applicable else None)


# --- one sample -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("payloads", "right", "wrong"),
    [(("truth",), True, False), (("truth", "other"), True, True), (("truth ",), False, True), ((), False, False)],
)
def test_a_read_is_right_to_the_byte(payloads: tuple[str, ...], right: bool, wrong: bool) -> None:
    sample = sample_of("blur64")
    truth = sample.symbol.payload
    read = answering(*(payload.encode().replace(b"truth", truth) for payload in payloads))
    trial = try_sample(bench(read), sample, (0,))["fixed"]
    assert (trial.by_all, trial.by_zbar, trial.wrong, trial.applicable) == (right, right, wrong, True)


def test_nothing_to_try_is_told_apart_from_nothing_read() -> None:
    trial = try_sample(bench(answering(applicable=False)), sample_of("blur64"), (0,))["fixed"]
    assert (trial.applicable, trial.by_all) == (False, False)


def test_time_alone_leaves_fidelity_out() -> None:
    sample = sample_of("blur64")
    system = replace(answering(), restorer=SMALL)
    assert try_sample(bench(system), sample, (0,))["fixed"].fidelity is not None
    trial = try_sample(bench(system), sample, (0,), time_only=True)["fixed"]
    assert (trial.fidelity, trial.by_zbar) == (None, None)


# --- fidelity -------------------------------------------------------------------------------------------------------


def look(sample: Sample) -> SharedPicture:
    return SharedPicture(sample.image, bench().tools, seed=(0,))


def printed(sample: Sample, side: int) -> GreyImage:
    """The clean symbol with its quiet zone on side x side pixels, by area."""
    fine = render(sample.symbol.modules, pixels=32)
    return np.asarray(cv2.resize(fine, (side, side), interpolation=cv2.INTER_AREA), dtype=np.uint8)


@pytest.mark.parametrize("name", ["lr32", "blur64", "jpeg10"])
def test_a_perfect_enlarger_is_nearly_perfect_and_one_pixel_off_is_not(name: str) -> None:
    """So the enlarged picture is held to the clean symbol without a shift."""
    sample = sample_of(name)
    side = 4 * sample.image.shape[0]
    clean = printed(sample, side)

    def judged(made: GreyImage) -> float:
        fidelity = measure_fidelity(sample, look(sample), FakeRestorer("ideal", lambda _: made, scale=4))
        assert fidelity is not None
        return fidelity.psnr

    shifts = [np.roll(clean, (down, right), axis=(0, 1)) for down, right in ((1, 0), (-1, 0), (0, 1), (0, -1))]
    assert judged(clean) > 35
    assert judged(clean) > max(map(judged, shifts)) + 15


def test_a_perfect_restorer_is_perfect() -> None:
    sample = sample_of("qrdata")
    clean = render(sample.symbol.modules, pixels=4)
    fidelity = measure_fidelity(sample, look(sample), FakeRestorer("ideal", lambda _: clean))
    assert fidelity == trials.Fidelity(100.0, 1.0, 1.0)


def test_blur_is_less_sharp_and_enlargers_are_not_judged_on_large_modules() -> None:
    sample = sample_of("qrdata")
    blurred = measure_fidelity(sample, look(sample), Interpolation(name="as it is", method=cv2.INTER_NEAREST, scale=1))
    assert blurred is not None
    assert blurred.sharpness < 0.5
    assert measure_fidelity(sample, look(sample), Interpolation(name="bicubic", method=cv2.INTER_CUBIC)) is None


# --- photographs ----------------------------------------------------------------------------------------------------


@pytest.fixture
def photo(tmp_path: Path) -> Photo:
    file = tmp_path / "a.png"
    cv2.imwrite(str(file), qr_picture("on the wall"))
    return Photo(path=file, group="walls", codes=1, payloads=frozenset({b"on the wall"}))


def test_photographs_count_known_payloads(photo: Photo) -> None:
    def trial_of(*payloads: bytes, codes: int = 1) -> Trial:
        return try_photo(bench(answering(*payloads)), replace(photo, codes=codes), (0,))["fixed"]

    right, other = trial_of(b"on the wall"), trial_of(b"elsewhere")
    assert (right.by_all, right.wrong) == (True, False)
    assert (other.by_all, other.wrong) == (False, True)
    unknown = trial_of(b"elsewhere", codes=2)  # it may be the second code
    assert (unknown.by_all, unknown.wrong) == (False, False)


def test_photographs_are_spread_over_those_that_are_known(tmp_path: Path) -> None:
    rows = [
        {"file": f"{index}.png", "set": "s", "codes": 1, "payloads_hex": [] if index % 2 else ["ff"]}
        for index in range(20)
    ]
    (tmp_path / "manifest.json").write_text(json.dumps(rows))
    chosen = [int(photo.path.stem) for photo in select_photos(tmp_path, 4)]
    assert (chosen[0], chosen[-1], len(chosen)) == (0, 18, 4)
    assert len(select_photos(tmp_path, 100)) == 10
    assert all(index % 2 == 0 for index in chosen)


# --- interpolation --------------------------------------------------------------------------------------------------


def test_half_way_between_two_networks_is_tried_where_no_checkpoint_is() -> None:
    def checkpoint(name: str) -> Checkpoint:
        return Checkpoint(name, "LENet", NETWORKS["LENet"](**TINY["LENet"]).eval(), TINY["LENet"])

    pair = {name: checkpoint(name) for name in (trials.PSNR_TRAINED, trials.GAN_TRAINED)}
    halfway_restorer = trials._halfway(pair, "cpu")
    assert halfway_restorer is not None
    assert halfway_restorer.name == HALFWAY
    picture = np.random.default_rng(0).integers(0, 256, (24, 24), dtype=np.uint8)
    halfway = interpolate_weights(pair[trials.PSNR_TRAINED], pair[trials.GAN_TRAINED], 0.5, name=HALFWAY)
    (restored,), (expected,) = halfway_restorer.restore([picture]), restorer_of(halfway).restore([picture])
    assert np.array_equal(restored, expected)
    assert trials._halfway({**pair, HALFWAY: halfway}, "cpu") is None
    assert trials._halfway({trials.GAN_TRAINED: halfway}, "cpu") is None


# --- many -----------------------------------------------------------------------------------------------------------


def test_times_are_medians_for_each_number_of_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    spent = iter([0.9, *(0.1, 0.5, 0.2), *(0.4, 0.4, 0.1)])

    def fake(*_: object, **__: object) -> dict[str, Trial]:
        return {"fixed": Trial(True, True, None, False, next(spent))}

    monkeypatch.setattr(trials, "try_sample", fake)
    times = time_trials(bench(), ["blur64", "lr32"], count=1, threads=(1,))
    assert [times[1][name]["fixed"][0].seconds for name in ("blur64", "lr32")] == [0.2, 0.4]


def test_gathering_keeps_the_order() -> None:
    results = [
        (name, {"a": Trial(True, False, None, False, index)}) for index, name in enumerate(("x", PHOTOGRAPHS) * 2)
    ]
    kept = group_trials(results)
    assert {name: [trial.seconds for trial in each["a"]] for name, each in kept.items()} == {
        "x": [0, 2],
        PHOTOGRAPHS: [1, 3],
    }


@pytest.mark.slow
def test_processes_agree(weights: Path) -> None:
    """Two processes give what one gives, in the same order, but for the time."""
    parser = argparse.ArgumentParser()
    add_options(parser)
    options = parser.parse_args(["--weights", str(weights)])
    tasks = [sample_task("blur64", index) for index in range(2)]
    alone, shared = (
        [
            (name, {system: replace(trial, seconds=0.0) for system, trial in each.items()})
            for name, each in run_tasks(tasks, options, jobs=jobs)
        ]
        for jobs in (1, 2)
    )
    assert alone == shared
    assert sum(each["zxing"].by_all for _, each in alone) == 2
