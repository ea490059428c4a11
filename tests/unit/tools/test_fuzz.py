"""A slice of every campaign, the inputs of earlier findings, and proof that a campaign notices what is planted."""

from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import pytest

from tests.support.live.servers import Answer, Server, running
from tools.fuzz.__main__ import SHARES, main
from tools.fuzz.campaigns import native
from tools.fuzz.campaigns.openapi import openapi
from tools.fuzz.campaigns.parsers import blind, guided, installed
from tools.fuzz.campaigns.raw_http import SETTINGS, TARGET, Health, ask, judge, raw_http
from tools.fuzz.child import Child
from tools.fuzz.findings import Budget, Finding, Tally, kept, shrink
from tools.fuzz.inputs import containers
from tools.fuzz.inputs.mutation import MOST_BYTES, mutate_image
from tools.fuzz.inputs.requests import request
from tools.fuzz.inputs.seeds import seeds
from tools.fuzz.targets import NATIVE, PARSERS, load

pytestmark = pytest.mark.slow

SEED = 20


@pytest.fixture(scope="module")
def children() -> Iterator[dict[str, Child]]:
    made = {target: Child(target) for target in NATIVE}
    yield made
    for child in made.values():
        child.__exit__(None, None, None)


@pytest.fixture(scope="module")
def server(weights: Path) -> Iterator[Server]:
    with running(weights=weights, workers=2, **SETTINGS) as service:
        yield service


def files(*targets: str) -> list[tuple[str, Path]]:
    return [(target, path) for target in targets for path in kept(target)]


def by_name(value: object) -> str:
    return value.name if isinstance(value, Path) else str(value)


def test_kept_inputs_of_native_code(children: dict[str, Child]) -> None:
    found = {file: children[target].run(file.read_bytes()).finding for target, file in files(*NATIVE)}
    assert {file: finding for file, finding in found.items() if finding is not None} == {}


def test_kept_inputs_of_parsers() -> None:
    for target, file in files(*PARSERS):
        load(target)(file.read_bytes())


@pytest.mark.parametrize("file", kept(TARGET), ids=by_name)
def test_kept_requests(server: Server, file: Path) -> None:
    health = Health(server)
    assert ask(server, file.read_bytes())[1] is None
    assert health.wrong() is None


def assert_clean(tally: Tally, least: int) -> None:
    assert tally.findings == []
    assert tally.remarks == []
    assert tally.tried >= least
    assert sum(tally.outcomes.values()) >= least


@pytest.mark.parametrize(
    ("campaign", "seconds", "most"),
    [(native.images, 6.0, 500), (native.videos, 6.0, 200), (native.pictures, 3.0, 50), (native.symbols, 3.0, 60)],
    ids=("images", "videos", "pictures", "symbols"),
)
def test_slice_of_native_code(campaign: Callable[[int, Budget], Tally], seconds: float, most: int) -> None:
    tally = campaign(SEED, Budget(seconds, most))
    assert_clean(tally, 5)
    assert tally.paths > 2


@pytest.mark.parametrize("target", PARSERS)
def test_slice_of_parsers(target: str) -> None:
    tally = blind(target, SEED, Budget(0.6, 2000))
    assert tally.findings == []
    assert tally.tried >= 50


@pytest.mark.skipif(not installed(), reason="atheris has no wheel for this platform")
def test_guidance_by_coverage_reaches_further_than_its_seeds() -> None:
    tally = guided("message", SEED, Budget(6.0, 5000))
    assert tally.findings == []
    assert tally.tried >= 100
    assert tally.paths > 10


def test_slice_of_raw_requests(server: Server) -> None:
    assert_clean(raw_http(server, SEED, Budget(20.0, 60 + len(kept(TARGET)))), 5)


def test_slice_of_openapi_requests(server: Server) -> None:
    """Six valid and six invalid requests to each endpoint."""
    assert_clean(openapi(server, SEED, Budget(60.0, 24), batch=6), 24)


def test_the_command_runs_the_named_campaigns(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--seconds", "0.5", "--only", "text", "--corpus", str(tmp_path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["text", "0"]
    assert list(tmp_path.iterdir()) == []


def test_every_target_has_its_share() -> None:
    assert set(SHARES) == {*NATIVE, *PARSERS, "raw-http", "openapi"}
    assert sum(SHARES.values()) == pytest.approx(1)


class TestHarness:
    """Planted faults are found."""

    def test_misbehaviour_is_a_finding_and_the_next_input_is_run(self) -> None:
        planted = {
            b"raise": ("raised ValueError", "planted"),
            b"memory": ("filled 209715200", "MiB of memory"),
            b"more memory than there is": ("raised MemoryError", "MemoryError"),
            b"crash": ("crash", "SIGSEGV"),
        }
        with Child("planted") as child:
            for data, (outcome, words) in planted.items():
                report = child.run(data)
                assert report.outcome == outcome
                assert words in (report.finding or "")
                assert child.run(b"anything else").finding is None

    def test_a_hang_is_ended(self) -> None:
        with Child("planted", wall_seconds=2) as child:
            assert child.run(b"hang").finding == "no answer within 2 s"
            assert child.run(b"anything else").finding is None

    def test_another_complaint_of_a_library_is_another_path_and_another_number_is_not(self) -> None:
        with Child("planted") as child:
            plain, complaint, other = (child.run(data).signature for data in (b"", b"say 17", b"say 18"))
        assert plain != complaint
        assert complaint == other

    def test_a_child_that_does_not_start_is_an_error_and_not_a_finding(self) -> None:
        with Child("no such target") as child, pytest.raises(RuntimeError, match="no such target"):
            child.run(b"")

    def test_numbers_do_not_change_the_kind_of_a_finding(self) -> None:
        first, second = (Finding("images", f"{count} MiB of memory", bytes([count])) for count in (70, 80))
        assert first.kind == second.kind
        assert first.name != second.name
        assert (
            Finding("images", "KeyError at a.py:1: x", b"").kind != Finding("images", "KeyError at a.py:2: x", b"").kind
        )

    def test_few_of_a_kind_are_kept(self, tmp_path: Path) -> None:
        tally = Tally("images")
        noted = [tally.found(Finding("images", f"{i} s of processor time", bytes([i]), ".png")) for i in range(9)]
        assert noted == [True] * 3 + [False] * 6
        assert [finding.keep(tmp_path).read_bytes() for finding in tally.findings] == [b"\0", b"\1", b"\2"]

    def test_shrinking_leaves_what_matters(self) -> None:
        assert shrink(b"a lot of this, one needle, and more", lambda data: b"needle" in data) == b"needle"

    def test_server_errors_and_improper_problems_are_findings(self) -> None:
        def judged(status: int, kind: str, body: bytes) -> str | None:
            return judge(Answer(status, {"content-type": kind, "x-request-id": "i"}, body, 0.0))

        problem = b'{"type":"t","title":"t","status":%d,"detail":"%s","instance":"/","request_id":"i"}'
        good = "application/problem+json"
        assert judged(200, "application/json", b"{}") is None
        assert judged(200, "text/html", b'<ol id="codes">') is None
        assert judged(200, "application/json", b'{"codes": ') is not None
        assert judged(200, "application/json", b'{"codes": []}') is not None
        assert judged(422, good, problem % (422, b"d")) is None
        assert judged(504, good, problem % (504, b"d")) is None
        assert "500" in (judged(500, good, problem % (500, b"d")) or "")
        assert judged(422, "text/html", problem % (422, b"d")) is not None
        assert judged(422, good, problem % (400, b"d")) is not None
        assert judged(422, good, problem % (422, b"at /usr/lib")) is not None
        assert judged(503, good, b"") is None
        assert judged(404, "text/plain", b"") is not None


@pytest.mark.parametrize("name", seeds())
def test_split_files_are_joined_again(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(containers, "LIE", 0)
    data = seeds()[name]
    container = containers.of(data)
    assert container is not None
    pieces = container.split(data)
    again = container.join(pieces, Random(0))
    assert len(pieces) > 1
    assert again == data or container.split(again) == pieces


def test_mutants_differ_and_equal_seeds_make_equal_ones() -> None:
    originals = list(seeds().values())

    def mutants(seed: int) -> list[bytes]:
        rng = Random(seed)
        return [mutate_image(rng, data, rng.choice(originals)) for data in originals * 3]

    assert mutants(1) == mutants(1)
    changed = sum(mutant != data for mutant, data in zip(mutants(1), originals * 3, strict=True))
    assert changed > 0.9 * 3 * len(originals)
    assert max(map(len, mutants(2))) <= MOST_BYTES


def test_requests_are_the_same_for_the_same_seed() -> None:
    first, second = (request(Random(f"equal {i}")) for i in (1, 1))
    assert first == second
