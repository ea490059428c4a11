"""The console script: arguments, exit statuses, and a doctor that runs where nothing else does."""

import json
import math
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from app.cli import doctor, terminal
from app.cli.main import _parser, main
from app.pipeline.results import Effort, Reason
from app.schemas import DecodeAnswer
from app.settings import Settings
from tests.support.command import decode_with
from tests.support.fakes import FakeLadder, symbol, unread
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
        assert set(first) == {"file", *DecodeAnswer.model_fields}
        assert second["codes"] == []

    def test_bare_text(self, code_png: Path, capsys: pytest.CaptureFixture[str], configured: None) -> None:
        assert main(["decode", "--text", str(code_png)]) == terminal.SUCCESS
        assert capsys.readouterr().out == "over the counter\n"

    def test_unreadable_files_are_named_and_the_rest_is_read(
        self, tmp_path: Path, code_png: Path, capsys: pytest.CaptureFixture[str], configured: None
    ) -> None:
        (tmp_path / "notes.png").write_text("no image")
        files = [str(tmp_path / "notes.png"), str(tmp_path / "absent.png"), str(code_png)]
        assert main(["decode", "--text", *files]) == terminal.BAD_FILE
        output = capsys.readouterr()
        assert output.out == "over the counter\n"
        assert [line.split(":")[1].strip() for line in output.err.splitlines()] == files[:2]

    @pytest.mark.parametrize(
        ("setting", "kind"), [("MAX_PIXELS", "image_too_large"), ("MAX_UPLOAD_BYTES", "upload_too_large")]
    )
    def test_limits_of_the_service_apply(
        self,
        setting: str,
        kind: str,
        code_png: Path,
        capsys: pytest.CaptureFixture[str],
        configured: None,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setenv(f"QRESTORE_{setting}", "10")
        assert main(["decode", str(code_png)]) == terminal.BAD_FILE
        line = json.loads(capsys.readouterr().out)
        assert line["file"] == str(code_png)
        assert line["problem"]["type"] == f"urn:qrestore:problem:{kind}"
        assert set(line) == {"file", "problem"}

    @pytest.mark.parametrize("backend", ["openvino", "onnx"])
    def test_children_run_networks_behind_links_and_warn_of_nothing(
        self, backend: str, code_png: Path, tmp_path: Path
    ) -> None:
        if backend == "onnx":
            pytest.importorskip("onnxruntime", reason="is optional")
        weights, pictures = tmp_path / "weights", tmp_path / "pictures"
        for folder in (weights, pictures):
            folder.mkdir()
        for path in Settings().weights.iterdir():
            (weights / path.name).symlink_to(path)
        shutil.copy(code_png, pictures)
        environment = {"QRESTORE_WEIGHTS": str(weights), "QRESTORE_BACKEND": backend, "QRESTORE_DEVICE": "cpu"}
        done = run("decode", "--text", str(pictures), **environment)
        assert (done.returncode, done.stdout, done.stderr) == (terminal.SUCCESS, "over the counter\n", "")

    def test_efforts_are_those_of_the_ladder(self) -> None:
        (decode,) = (a for a in _parser()._actions if a.choices and "decode" in a.choices)
        (effort,) = (a for a in decode.choices["decode"]._actions if a.dest == "effort")
        assert tuple(effort.choices) == tuple(Effort)


class TestUnread:
    """`qrestore decode` over a fake ladder that sees codes which it does not read."""

    @pytest.fixture
    def ladder(self, monkeypatch: pytest.MonkeyPatch) -> FakeLadder:
        ladder = FakeLadder(symbols=(symbol(),))
        decode_with(ladder, monkeypatch)
        return ladder

    def test_lines_carry_unread_codes_and_completeness(
        self, ladder: FakeLadder, code_png: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        ladder.unread, ladder.complete = (unread(Reason.TOO_SMALL, module_pixels=1.5),), False
        assert main(["decode", str(code_png)]) == terminal.NOT_ALL_READ
        answer = json.loads(capsys.readouterr().out)
        assert [(place["reason"], place["module_pixels"]) for place in answer["unread"]] == [("too_small", 1.5)]
        assert answer["complete"] is False

    def test_text_leaves_them_to_standard_error(
        self, ladder: FakeLadder, code_png: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        ladder.unread, ladder.complete = (unread(Reason.BUDGET), unread(Reason.BUDGET), unread(Reason.CUT_OFF)), False
        assert main(["decode", "--text", str(code_png)]) == terminal.NOT_ALL_READ
        output = capsys.readouterr()
        assert output.out == "hello\n"
        assert output.err.splitlines() == [
            f"qrestore: {code_png}: seen but not read: 2 budget, 1 cut_off",
            f"qrestore: {code_png}: the budget ended before the search did",
        ]

    @pytest.mark.parametrize(
        ("codes", "seen", "options", "status"),
        [
            (1, 0, (), terminal.SUCCESS),
            (1, 1, (), terminal.NOT_ALL_READ),
            (0, 0, (), terminal.NOT_ALL_READ),
            (1, 1, ("--expect", "1"), terminal.SUCCESS),
            (1, 0, ("--expect", "2"), terminal.NOT_ALL_READ),
            (0, 0, ("--expect", "1"), terminal.NOT_ALL_READ),
        ],
    )
    def test_exit_status(
        self, ladder: FakeLadder, code_png: Path, codes: int, seen: int, options: tuple[str, ...], status: int
    ) -> None:
        ladder.symbols, ladder.unread = (symbol(),) * codes, (unread(),) * seen
        assert main(["decode", *options, str(code_png)]) == status

    @pytest.mark.parametrize(
        ("options", "budget", "expect"),
        [
            ((), 4.0, None),
            (("--effort", "fast"), 4.0, None),
            (("--effort", "thorough"), math.inf, None),
            (("--budget", "0.25", "--effort", "thorough", "--expect", "254"), 0.25, 254),
            (("--budget", "3600"), 3600.0, None),
        ],
    )
    def test_options_reach_the_ladder(
        self, ladder: FakeLadder, code_png: Path, options: tuple[str, ...], budget: float, expect: int | None
    ) -> None:
        main(["decode", *options, str(code_png)])
        (call,) = ladder.calls
        assert (call["budget"], call["expect"]) == (budget, expect)

    @pytest.mark.parametrize(
        "options",
        [("--budget", text) for text in ("0", "-1", "nan", "inf", "soon")]
        + [("--expect", text) for text in ("0", "-1", "255", "1.5", "all")]
        + [("--jobs", text) for text in ("0", "-1", "257", "many")],
        ids=" ".join,
    )
    def test_options_that_are_not_valid(self, options: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
        with pytest.raises(SystemExit) as stop:
            main(["decode", *options, "x.png"])
        assert stop.value.code == terminal.USAGE
        assert options[0] in capsys.readouterr().err

    @pytest.mark.parametrize(
        ("options", "words"),
        [
            ((), "name a file"),
            (("-", "--from", "-"), "once only"),
            (("x.png", "--resume"), "--output"),
            (("x.png", "--resume", "--output", "o.txt", "--text"), "format"),
            (("--from", "absent.txt"), "absent.txt"),
            (("--from", "/dev/null"), "pipe the names"),
        ],
        ids=[
            "nothing to read",
            "standard input twice",
            "nothing to resume",
            "bare texts",
            "no list",
            "a list that is no file",
        ],
    )
    def test_options_that_make_no_sense_together(
        self, options: tuple[str, ...], words: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main(["decode", *options]) == terminal.USAGE
        assert words in capsys.readouterr().err


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
        for role in ("HEAVY", "UPSCALE"):
            with monkeypatch.context() as patch:
                patch.setenv(f"QRESTORE_{role}_NETWORK", "colossus")
                assert main(["decode", str(code_png)]) == terminal.CANNOT_START
            (line,) = capsys.readouterr().err.splitlines()
            assert f"QRESTORE_{role}_NETWORK: no network named colossus" in line
            assert "lenet" in line

    @pytest.mark.parametrize("command", [("serve",), ("decode", "x.png")], ids=" ".join)
    def test_videos_need_their_extra(
        self,
        command: tuple[str, ...],
        configured: None,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        monkeypatch.setenv("QRESTORE_VIDEO", "true")
        monkeypatch.setitem(sys.modules, "av", None)
        assert main(command) == terminal.CANNOT_START
        assert "QRESTORE_VIDEO=true needs PyAV: pip install 'qrestore[video]'" in capsys.readouterr().err

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

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            (["serve", "--port", "70000"], "a port is a whole number from 0 to 65535"),
            (["decode", "--jobs", "many", "x.png"], "a number of jobs is a whole number from 1 to 256"),
            (["decode", "--budget", "nan", "x.png"], "a budget is a number of seconds above 0"),
            (["decode", "--budget", "soon", "x.png"], "a budget is a number of seconds above 0"),
        ],
    )
    def test_a_number_that_will_not_do_is_explained(
        self, arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        with pytest.raises(SystemExit) as stop:
            main(arguments)
        assert stop.value.code == 2
        assert words in capsys.readouterr().err


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

    def test_missing_decoder_of_videos(self, monkeypatch: pytest.MonkeyPatch, weights: Path) -> None:
        monkeypatch.setenv("QRESTORE_VIDEO", "true")
        (found,) = [check for check in doctor.examine(weights=weights, port=0) if check.name == "av"]
        assert found.good
        monkeypatch.setitem(sys.modules, "av", None)
        (missing,) = [check for check in doctor.examine(weights=weights, port=0) if check.name == "av"]
        assert not missing.good
        assert "pip install" in missing.fix

    def test_port_taken(self, weights: Path) -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            *_, last = doctor.examine(weights=weights, host="127.0.0.1", port=port)
        assert not last.good
        assert last.name == f"port {port}"
        assert f"--port {port + 1}" in last.fix

    @pytest.mark.parametrize(
        ("settings", "name", "words"),
        [
            ({"QRESTORE_WORKER": "2"}, "settings", "did you mean QRESTORE_WORKERS?"),
            ({"QRESTORE_DEVICE": "cuda"}, "device", "QRESTORE_DEVICE=cuda: torch"),
            ({"QRESTORE_API_KEYS_FILE": "pyproject.toml"}, "API keys", "line 1: "),
        ],
        ids=["unknown setting", "no GPU", "keys"],
    )
    def test_what_would_stop_the_start(
        self, settings: dict[str, str], name: str, words: str, weights: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for variable, value in settings.items():
            monkeypatch.setenv(variable, value)
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
        monkeypatch.chdir(ROOT)
        (fault,) = (check for check in doctor.examine(weights=weights, port=0) if not check.good)
        assert fault.name == name
        assert words in fault.found
        assert fault.fix

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
