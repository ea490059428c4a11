"""What runs the networks: torch on a GPU, else the fastest engine installed, and torch where nothing else can."""

import re
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from app.errors import InvalidCheckpoint, InvalidConfiguration
from app.pipeline.inference import choosing
from app.pipeline.inference.choosing import Engine, choose_backend, fastest, probe
from app.pipeline.inference.loading import load_networks
from app.pipeline.inference.runners import Backend, LazyRunner
from tests.support.exports import save_tiny, write_export
from tests.support.paths import ROOT

F32, BF16, ONNX = Engine(Backend.OPENVINO), Engine(Backend.OPENVINO, "bf16"), Engine(Backend.ONNX)


def absent(monkeypatch: pytest.MonkeyPatch, *packages: str) -> None:
    for package in packages:
        monkeypatch.setitem(sys.modules, package, None)


def gpu(monkeypatch: pytest.MonkeyPatch, *, there: bool) -> None:
    monkeypatch.setattr(choosing, "_GPU_NODES", (Path("/dev/null" if there else "/dev/absent"),))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: there)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)


def test_a_gpu_is_used_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    gpu(monkeypatch, there=True)
    assert choose_backend("auto") == ((Backend.TORCH,), "cuda")
    assert choose_backend("cpu") == ((Backend.OPENVINO, Backend.ONNX), "cpu")
    absent(monkeypatch, "torch")
    assert choose_backend("auto") == ((Backend.OPENVINO, Backend.ONNX), "cpu")
    with pytest.raises(InvalidConfiguration, match=r"cuda needs torch: .*qrestore\[gpu\]"):
        choose_backend("cuda")


def test_without_one_the_engines_for_the_cpu_are_taken_as_they_are_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    gpu(monkeypatch, there=False)
    assert choose_backend("auto") == ((Backend.OPENVINO, Backend.ONNX), "cpu")
    absent(monkeypatch, "openvino")
    assert choose_backend("auto") == ((Backend.ONNX,), "cpu")
    absent(monkeypatch, "onnxruntime")
    assert choose_backend("auto") == ((Backend.TORCH,), "cpu")
    absent(monkeypatch, "torch")
    assert choose_backend("auto") == ((Backend.OPENVINO,), "cpu")


@pytest.mark.parametrize(
    ("taken", "chosen"),
    [
        ({F32: 5.0, ONNX: 4.8, BF16: 4.6}, F32),
        ({F32: 5.0, ONNX: 4.0, BF16: 2.5}, BF16),
        ({F32: 5.0, ONNX: 4.0, BF16: 3.9}, ONNX),
        ({ONNX: 9.0}, ONNX),
    ],
)
def test_a_less_exact_engine_must_be_clearly_faster(taken: dict[Engine, float], chosen: Engine) -> None:
    assert fastest(taken) == chosen


def test_a_probe_times_each_engine_after_its_first_run() -> None:
    runs: list[str] = []

    def make(name: str, seconds: float) -> LazyRunner:
        def run(picture: np.ndarray) -> np.ndarray:  # type: ignore[type-arg]
            runs.append(name)
            until = time.process_time() + (0.3 if runs.count(name) == 1 else seconds)
            while time.process_time() < until:
                pass
            time.sleep(0.03 if name == "quick" else 0)  # others have the processor: that is not the engine's time
            return picture

        return LazyRunner(lambda: run)

    taken = probe({F32: make("slow", 0.02), ONNX: make("quick", 0.005)}, np.zeros(1, np.float32))
    assert runs == ["slow", "quick"] * (len(runs) // 2)
    assert 20 <= taken[F32] < 250
    assert 5 <= taken[ONNX] < taken[F32]


def test_networks_say_what_runs_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gpu(monkeypatch, there=False)
    write_export(tmp_path, save_tiny(tmp_path, "locates", "QuadLocator"))
    loaded = load_networks(tmp_path, "auto", backend=Backend.AUTO)
    assert loaded.device == "cpu"
    assert loaded.engine.split()[0] in {"openvino", "onnxruntime"}
    assert {"openvino f32", "onnx f32"} <= set(loaded.probed)
    assert load_networks(tmp_path, "auto").engine == f"torch {torch.__version__}"
    save_tiny(tmp_path, "other")
    mixed = load_networks(tmp_path, "auto", backend=Backend.AUTO)
    assert re.fullmatch(rf"\w+ [\w.]+, f32.*; torch {re.escape(torch.__version__)} for other", mixed.engine)
    assert mixed.restorers["other"].restore([np.zeros((16, 16), np.uint8)])[0].shape == (16, 16)


def test_a_network_without_export_needs_torch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gpu(monkeypatch, there=False)
    save_tiny(tmp_path, "theirs")
    assert load_networks(tmp_path, "auto", backend=Backend.AUTO).engine == f"torch {torch.__version__}"
    absent(monkeypatch, "torch")
    with pytest.raises(InvalidCheckpoint, match=r"theirs\.onnx: it does not exist; make it with .*export theirs"):
        load_networks(tmp_path, "auto", backend=Backend.AUTO)
    with pytest.raises(InvalidConfiguration, match="torch is not installed"):
        load_networks(tmp_path, "cpu", backend=Backend.TORCH)


def test_networks_that_are_not_asked_for_load_at_their_first_run(tmp_path: Path) -> None:
    for name in ("now", "later"):
        write_export(tmp_path, save_tiny(tmp_path, name))
    loaded = load_networks(tmp_path, "cpu", backend=Backend.OPENVINO, eager=("now",))
    assert not isinstance(loaded.restorers["now"].runner, LazyRunner)
    assert isinstance(loaded.restorers["later"].runner, LazyRunner)
    crop = np.random.default_rng(1).choice(np.array([0, 255], np.uint8), (24, 40))
    for name in ("now", "later"):
        assert np.array_equal(loaded.restorers[name].restore([crop])[0], 255 - crop)


def test_a_lazy_runner_is_made_once() -> None:
    made: list[int] = []

    def make() -> LazyRunner:
        made.append(1)
        return LazyRunner(lambda: lambda values: values)

    run = LazyRunner(make)
    assert made == []
    for _ in range(3):
        assert run(np.ones(2, np.float32)).sum() == 2
    assert made == [1]


_READS_WITHOUT_TORCH = """
import sys
sys.modules["torch"] = None
from pathlib import Path
from app.pipeline.results import Effort
from app.settings import Settings
from app.startup import load_service
from app.telemetry.metrics import Metrics
from app.workers.jobs import DecodeJob
import time

if __name__ == "__main__":
    made = load_service(Settings(device="cpu", workers=1), Metrics())
    job = DecodeJob(Path("docs/label.jpg").read_bytes(), Effort.BALANCED)
    outcome = made.worker.run(job, deadline=time.monotonic() + 60, seconds=60)
    made.worker.close()
    made.close()
    modules = sorted(name for name in sys.modules if name.partition(".")[0] == "torch")
    print(made.engine.split()[0], len(outcome.codes), modules)
"""


def test_the_service_reads_where_torch_is_not_installed(tmp_path: Path) -> None:
    script = tmp_path / "reads.py"
    script.write_text(_READS_WITHOUT_TORCH)
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-W", "error", str(script)]
    ran = subprocess.run(command, check=False, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, ran.stderr
    engine, codes, modules = ran.stdout.split(maxsplit=2)
    assert engine in {"openvino", "onnxruntime"}
    assert codes == "1"
    assert modules.strip() == "['torch']"
