"""What compares backends times each in turn, counts right reads, and sets them against torch's."""

from pathlib import Path
from time import process_time

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from app.pipeline.engines.zbar import ZBar
from app.pipeline.engines.zxing import ZXing
from app.pipeline.inference.runners import Runner
from tests.support.exports import save_tiny, write_export
from tests.support.fakes import FakeReader
from training.measure.sets import samples
from training.release.backends import READ_SETS, Bfloat16Runner, hits, main, milliseconds, row, sample_reader

Array = NDArray[np.float32]
ENGINES = (ZXing(), ZBar())


def test_times_are_medians_of_turns() -> None:
    turns: list[str] = []

    def backend(name: str, seconds: float) -> Runner:
        def run(*_: Array) -> Array:
            turns.append(name)
            until = process_time() + (0.2 if len(turns) in {1, 9} else seconds)  # the first, and one that was disturbed
            while process_time() < until:
                pass
            return np.zeros(1, np.float32)

        return run

    taken = milliseconds({"slow": backend("slow", 0.006), "quick": backend("quick", 0.001)}, [], runs=5, warm_ups=1)
    assert turns == ["slow", "quick"] * 6
    assert 6 <= taken["slow"] < 20
    assert 1 <= taken["quick"] < 6


def test_a_sixteen_bit_rival_answers_roughly_as_torch_does(tmp_path: Path) -> None:
    card = save_tiny(tmp_path, "light")
    image = np.random.default_rng(1).random((1, 1, 16, 16), dtype=np.float32)
    answer = Bfloat16Runner(card)(image)
    assert answer.dtype == np.float32
    assert 0 < np.abs(answer - card.network(torch.from_numpy(image)).numpy()).max() < 0.1


def means(crop: Array, planes: Array) -> Array:
    """Log-odds of each module by its mean."""
    count, _, side, _ = crop.shape
    return np.asarray(8 * (0.5 - crop.reshape(count, 1, side // 4, 4, side // 4, 4).mean(axis=(3, 5))), np.float32)


@pytest.mark.parametrize(
    ("architecture", "leaves", "destroys"),
    [
        ("LENet", lambda image: image, np.ones_like),
        ("SRResNet", lambda x: x.repeat(4, 2).repeat(4, 3), lambda x: np.ones_like(x).repeat(4, 2).repeat(4, 3)),
        ("ModuleReader", means, lambda crop, planes: np.zeros_like(planes[:, :1])),
    ],
)
def test_reads_are_those_of_the_network(architecture: str, leaves: Runner, destroys: Runner, tmp_path: Path) -> None:
    """The picture as it is reads; what a network makes of it that destroys it does not."""
    card = save_tiny(tmp_path, "any", architecture)
    backends = {
        name: sample_reader(card, run, ENGINES, FakeReader())
        for name, run in (("leaves", leaves), ("destroys", destroys))
    }
    assert hits(backends, "blur64", count=2) == {"leaves": [True, True], "destroys": [False, False]}


def test_a_locator_is_judged_by_what_is_read_where_it_found(tmp_path: Path) -> None:
    def nothing(windows: Array) -> Array:
        return np.full((len(windows), 10, 32, 32), -9, np.float32)

    (sample,) = samples("blur64", count=1)
    assert sample_reader(save_tiny(tmp_path, "any", "QuadLocator"), nothing, ENGINES, FakeReader())(sample) == []


def test_a_row_counts_what_was_lost_and_gained() -> None:
    assert row("onnx", [True, False, False, True], [True, True, True, False]).split() == [
        *("onnx", "50.0", "[15-85]", "2", "1"),
    ]


def test_the_command_compares_what_lies_in_a_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    architectures = dict(zip(READ_SETS, ("LENet", "SRResNet", "ModuleReader", "QuadLocator"), strict=True))
    for name, architecture in architectures.items():
        card = save_tiny(tmp_path, name, architecture)
        for suffix in (".onnx", ".int8.onnx"):
            write_export(tmp_path, card, suffix=suffix)
    main(["--weights", str(tmp_path), "--runs", "1", "--count", "1", "--reads", "lenet", "srresnet-x4"])
    header, *lines = capsys.readouterr().out.splitlines()
    assert header.split()[:3] == ["torch", "torch", "bf16"]
    assert [line.split()[0] for line in lines[:5]] == [*READ_SETS][:2] + ["module-reader"] * 2 + ["quad-locator"]
    assert all(float(line.split()[-6]) > 0 for line in lines[:5])
    assert [line.split()[:3] for line in lines[5:]] == [
        [name, READ_SETS[name], backend]
        for name in ("lenet", "srresnet-x4")
        for backend in ("torch", "onnx", "onnx", "openvino", "openvino")
    ]
