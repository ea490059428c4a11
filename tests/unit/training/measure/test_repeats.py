"""Codes that are taken several times in the same way."""

import numpy as np
import pytest
import zxingcpp

from training.measure.repeats import KINDS, Repeated, Setting


def test_everything_depends_on_seed_and_index() -> None:
    first, again, other = (Repeated.draw(3, index) for index in (5, 5, 6))
    assert (first.payload, first.setting) == (again.payload, again.setting)
    assert np.array_equal(first.picture(1), again.picture(1))
    assert first.payload != other.payload


def test_pictures_of_a_code_differ_by_chance_only() -> None:
    for index in range(12):
        code = Repeated.draw(0, index)
        one, two = (code.picture(number).astype(float) for number in (0, 1))
        assert one.shape == two.shape == code.still.shape
        assert not np.array_equal(one, two)
        # The mean over the picture keeps what is taken, whatever noise and blur do.
        assert one.mean() == pytest.approx(two.mean(), abs=6)


@pytest.mark.parametrize("kind", KINDS)
def test_severity_degrades(kind: str) -> None:
    still = Repeated.draw(0, 1).still
    distances = []
    for severity in (0.1, 0.9):
        quality = max(1, round(30 - 29 * severity)) if kind == "jpeg" else None
        grain = 0.9 * severity if kind == "noise" else 0.004
        setting = Setting(kind, severity, 4.0, grain, quality)
        picture = setting.take(still, np.random.default_rng(0)) / 255
        distances.append(float(np.abs(picture - np.clip(still, 0, 1)).mean()))
    mild, severe = distances
    assert severe > mild or kind == "small"


def test_coarse_pictures_have_fewer_pixels_a_module() -> None:
    settings = [Setting.random(np.random.default_rng(seed)) for seed in range(300)]
    coarse = [one for one in settings if one.kind == "small"]
    assert coarse
    assert {one.kind for one in settings} == set(KINDS)
    for one in coarse:
        assert one.module == pytest.approx(2.4 - 1.7 * one.severity)
    assert min(one.module for one in settings if one.kind != "small") >= 2


def test_small_symbols_are_read_where_nothing_hides_them() -> None:
    read = set()
    for index in range(40):
        code = Repeated.draw(1, index, small=True)
        assert code.setting.severity <= 0.4
        clear = np.rint(np.clip(code.still, 0, 1) * 255).astype(np.uint8)
        for one in zxingcpp.read_barcodes(np.ascontiguousarray(clear)):
            assert one.bytes == code.payload
            read.add(one.format)
    assert read == {zxingcpp.MicroQRCode, zxingcpp.RMQRCode}
