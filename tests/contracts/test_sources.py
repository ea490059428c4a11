"""Two rules of the sources that no linter has: short files, and coroutines only where HTTP is served."""

import ast
from pathlib import Path

from tests.support.paths import ROOT

MOST_LINES = 400
ASYNC_ROOMS = (
    "cluster",
    "dependencies.py",
    "http",
    "main.py",
    "routers",
    "service.py",
    "workers/admission.py",
    "workers/lanes.py",
)
"""Where `app` may await: everything else is called in threads and in child processes."""
ASYNC_NODES = (ast.AsyncFunctionDef, ast.AsyncFor, ast.AsyncWith, ast.Await)


def sources(*folders: str) -> list[Path]:
    found = [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]
    assert len(found) > len(folders)
    return found


def test_files_are_short() -> None:
    lines = {path: path.read_text().count("\n") for path in sources("app", "training", "tests", "tools")}
    assert {str(path.relative_to(ROOT)): count for path, count in lines.items() if count > MOST_LINES} == {}


def test_only_the_rooms_of_http_are_asynchronous() -> None:
    rooms = tuple(ROOT / "app" / room for room in ASYNC_ROOMS)
    found = {
        path
        for path in sources("app")
        if any(isinstance(node, ASYNC_NODES) for node in ast.walk(ast.parse(path.read_text())))
    }
    assert found
    assert {str(path.relative_to(ROOT)) for path in found if not any(map(path.is_relative_to, rooms))} == set()


def test_only_logs_and_traces_know_the_time_of_day() -> None:
    """Deadlines and pauses rest on the monotonic clock, so that no jump of the clock cuts or lengthens them."""
    wall = {
        "time": {"time", "time_ns", "localtime", "gmtime"},
        "datetime": {"now", "utcnow", "today"},
        "date": {"today"},
    }
    asked = {
        f"{path.relative_to(ROOT)}: {ast.unparse(node)}"
        for path in sources("app")
        if path.parent.name != "telemetry"
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.attr in wall.get(node.value.id, ())
    }
    assert asked == set()
