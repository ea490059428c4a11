"""The console script: arguments, exit statuses, and a doctor that runs where nothing else does."""

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from app.cli import doctor, terminal
from app.cli.decode import decode_file
from app.cli.main import _parser, main
from app.pipeline.results import Effort
from app.workers.jobs import Pipeline
from tests.support.fakes import FakeLadder, symbol
from tests.support.paths import ROOT


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "app.cli", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False)


def run_bare(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Runs the command in a Python that has only the standard library and this package."""
    program = (
        f"import sys; sys.path = [p for p in sys.path if 'site-packages' not in p] + [{str(ROOT)!r}];"
        f"from app.cli.main import main; raise SystemExit(main({list(arguments)!r}))"
    )
    command = [sys.executable, "-I", "-S", "-c", program]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False)


class TestDecode:
    def test_a_line_of_json_per_image(
        self, weights: Path, code_png: Path, blank_file: Path, capsys: pytest.CaptureFixture[str], configured: None
    ) -> None:
        assert main(["decode", "--effort", "fast", str(code_png), str(blank_file)]) == terminal.NOT_ALL_READ
        first, second = (json.loads(line) for line in capsys.readouterr().out.splitlines())
        assert first["file"] == str(code_png)
        assert [code["text"] for code in first["codes"]] == ["over the counter"]
        assert set(first) == {"file", "codes", "image", "route", "trace", "truncated", "request_id"}
        assert second["codes"] == []

    def test_bare_text(self, code_png: Path, capsys: pytest.CaptureFixture[str], configured: None) -> None:
        assert main(["decode", "--text", str(code_png)]) == terminal.SUCCESS
        assert capsys.readouterr().out == "over the counter\n"

    def test_unreadable_files_are_named_and_the_rest_is_read(
        self, tmp_path: Path, code_png: Path, capsys: pytest.CaptureFixture[str], configured: None
    ) -> None:
        (tmp_path / "notes.png").write_text("no image")
        files = [str(tmp_path / "notes.png"), str(tmp_path / "absent.png"), str(tmp_path), str(code_png)]
        assert main(["decode", "--text", *files]) == terminal.BAD_FILE
        output = capsys.readouterr()
        assert output.out == "over the counter\n"
        assert [line.split(":")[1].strip() for line in output.err.splitlines()] == files[:3]

    def test_limits_of_the_service_apply(self, code_png: Path) -> None:
        pipeline = Pipeline(ladder=FakeLadder(symbols=(symbol(),)), max_pixels=10)
        refused = decode_file(code_png, pipeline, effort=Effort.FAST, max_bytes=1 << 20)
        assert refused.answer is None
        assert "pixels" in refused.problem
        assert "bytes" in decode_file(code_png, pipeline, effort=Effort.FAST, max_bytes=10).problem

    def test_efforts_are_those_of_the_ladder(self) -> None:
        (decode,) = (a for a in _parser()._actions if a.choices and "decode" in a.choices)
        (effort,) = (a for a in decode.choices["decode"]._actions if a.dest == "effort")
        assert tuple(effort.choices) == tuple(Effort)


class TestStart:
    def test_corrupt_checkpoint_is_named_without_a_traceback(self, weights: Path, tmp_path: Path) -> None:
        for file in weights.iterdir():
            (tmp_path / file.name).write_bytes(file.read_bytes())
        broken = tmp_path / "lenet.safetensors"
        broken.write_bytes(broken.read_bytes()[:-100])
        result = run("serve", "--port", "0", QRESTORE_WEIGHTS=str(tmp_path))
        assert result.returncode == terminal.CANNOT_START
        assert f"cannot load weights from {broken}" in result.stderr
        assert "Traceback" not in result.stderr

    def test_missing_network_is_named(
        self,
        code_png: Path,
        configured: None,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        monkeypatch.setenv("QRESTORE_HEAVY_NETWORK", "colossus")
        assert main(["decode", str(code_png)]) == terminal.CANNOT_START
        (line,) = capsys.readouterr().err.splitlines()
        assert "colossus" in line

    @pytest.mark.parametrize("command", [("serve",), ("decode", "x.png")], ids=" ".join)
    def test_invalid_setting_is_named(
        self, command: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setenv("QRESTORE_WORKERS", "many")
        assert main(command) == terminal.CANNOT_START
        assert "QRESTORE_WORKERS" in capsys.readouterr().err

    @pytest.mark.parametrize("command", [("serve",), ("decode", "x.png")], ids=" ".join)
    def test_a_missing_dependency_is_named_and_the_doctor_too(self, command: tuple[str, ...], tmp_path: Path) -> None:
        result = run_bare(*command, folder=tmp_path)
        assert result.returncode == terminal.CANNOT_START
        (line,) = result.stderr.splitlines()
        assert line.startswith("qrestore: No module named")
        assert "qrestore doctor" in line

    def test_a_port_is_between_0_and_65535(self, capsys: pytest.CaptureFixture[str]) -> None:
        with pytest.raises(SystemExit) as stop:
            main(["serve", "--port", "70000"])
        assert stop.value.code == 2
        assert "65535" in capsys.readouterr().err


class TestDoctor:
    def test_healthy_machine(self, weights: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["doctor", "--weights", str(weights), "--port", "0"]) == 0
        output = capsys.readouterr().out
        assert "MISSING" not in output
        assert "lenet" in output
        assert "child processes: start, and are confined" in output

    def test_missing_weights(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["doctor", "--weights", str(tmp_path), "--port", "0"]) == 1
        assert "MISSING weights" in capsys.readouterr().out

    def test_port_taken(self, weights: Path) -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            *_, last = doctor.examine(weights=weights, host="127.0.0.1", port=port)
        assert not last.good
        assert last.name == f"port {port}"
        assert f"--port {port + 1}" in last.fix

    def test_bare_python(self, tmp_path: Path) -> None:
        """With only the standard library and this package, every check reports, and each failure names a command."""
        result = run_bare("doctor", folder=tmp_path)
        assert result.returncode == 1
        assert result.stderr == ""
        lines = result.stdout.splitlines()
        for name in ("openvino", "cv2", "zxingcpp", "fastapi", "zbar library", "settings"):
            at = next(i for i, line in enumerate(lines) if line.startswith(f"MISSING {name}:"))
            assert lines[at + 1].strip().startswith("fix: ")
        assert "-m pip install 'openvino" in result.stdout

    @pytest.mark.parametrize(
        ("platform", "release", "expected"),
        [
            ("darwin", {}, "brew install zbar"),
            ("linux", {"ID": "ubuntu"}, "apt-get install -y libzbar0"),
            ("linux", {"ID": "mint", "ID_LIKE": "ubuntu debian"}, "apt-get install -y libzbar0"),
            ("linux", {"ID": "fedora"}, "your package manager's equivalent of: apt-get install -y libzbar0"),
        ],
    )
    def test_commands_fit_the_system(self, platform: str, release: dict[str, str], expected: str) -> None:
        command = doctor.system_command(
            debian="apt-get install -y libzbar0", macos="brew install zbar", platform=platform, release=release
        )
        assert command.removeprefix("sudo ") == expected
