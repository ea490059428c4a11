"""The layout's one rule: a room imports only from the floors below it, and within floor 2 only from rooms further left.

Read from the sources, so that a module that cannot be imported here is held to it too.
"""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[2]

FLOORS: dict[str, int] = {
    "app": 0,
    "app.errors": 0,
    "app.models": 1,
    "app.pipeline": 1,
    "app.pipeline.imaging": 1,
    "app.pipeline.symbology": 1,
    "app.pipeline.reedsolomon": 1,
    "app.pipeline.codewords": 1,
    "app.pipeline.landlock": 1,
    "app.pipeline.confining": 1,
    "app.pipeline.child": 1,
    "app.pipeline.isolation": 1,
    "app.admission": 1,
    "app.forms": 1,
    "app.pipeline.rectifying": 2,
    "app.pipeline.gridding": 2,
    "app.pipeline.registering": 2,
    "app.pipeline.reading": 2,
    "app.pipeline.locating": 2,
    "app.pipeline.severity": 2,
    "app.pipeline.restoring": 2,
    "app.pipeline.onnx_running": 2,
    "app.pipeline.batching": 2,
    "app.pipeline.soft": 2,
    "app.pipeline.modules": 2,
    "app.pipeline.windows": 2,
    "app.pipeline.blurring": 2,
    "app.pipeline.plausibility": 2,
    "app.pipeline.realigning": 2,
    "app.pipeline.flattening": 2,
    "app.pipeline.loading": 2,
    "app.pipeline.regions": 2,
    "app.pipeline.painting": 2,
    "app.pipeline.climbing": 3,
    "app.pipeline.fusing": 3,
    "app.pipeline.ladder": 3,
    "app.pipeline.jobs": 3,
    "app.pipeline.crew": 3,
    "app.logs": 1,
    "app.settings": 4,
    "app.metrics": 4,
    "app.schemas": 4,
    "app.service": 5,
    "app.tracing": 5,
    "app.startup": 5,
    "app.problems": 5,
    "app.limits": 5,
    "app.access": 5,
    "app.dependencies": 5,
    "app.routers": 6,
    "app.serving": 6,
    "app.main": 7,
    "app.offline": 8,
    "app.doctor": 8,
    "app.cli": 9,
}
"""Every room. A package's modules stand on its own floor unless they are listed themselves."""

IN_ORDER = list(FLOORS)
"""Within a floor a room may import only from those listed before it."""

THIRD_PARTY: dict[str, set[str]] = {
    "app": set(),
    "app.errors": set(),
    "app.models": {"torch", "safetensors"},
    "app.pipeline": {"numpy", "cv2"},
    "app.admission": set(),
    "app.forms": {"python_multipart"},
    "app.logs": set(),
}
"""What the rooms of floors 0 and 1 may import from outside, by room or package."""

HTTP_ONLY = {"fastapi", "starlette", "uvicorn", "prometheus_client", "pydantic", "pydantic_settings"}
ASYNC_ROOMS = {
    *("app.admission", "app.forms", "app.service", "app.access", "app.limits", "app.problems"),
    *("app.dependencies", "app.routers", "app.serving", "app.main"),
}


class Import(NamedTuple):
    module: str
    line: int


def sources(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def is_module(name: str) -> bool:
    path = ROOT.joinpath(*name.split("."))
    return path.with_suffix(".py").exists() or path.is_dir()


def imports(tree: ast.AST) -> Iterator[Import]:
    """Modules imported anywhere in a tree; `from package import module` counts as the module."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (Import(alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            origin = node.module or ""
            for alias in node.names:
                whole = f"{origin}.{alias.name}"
                yield Import(whole if is_module(whole) else origin, node.lineno)


def room_of(module: str) -> str | None:
    """The longest listed name that a module is, or is in; being in `app` itself is being unlisted."""
    while module not in FLOORS:
        module = module.rpartition(".")[0]
        if module in {"", "app"}:
            return None
    return module


APP = {module_of(path): ast.parse(path.read_text(), str(path)) for path in sources("app")}
TRAINING = {module_of(path): ast.parse(path.read_text(), str(path)) for path in sources("training")}


def internal(tree: ast.AST) -> list[Import]:
    return [found for found in imports(tree) if found.module.split(".")[0] == "app"]


def third_party(tree: ast.AST) -> set[str]:
    return {found.module.split(".")[0] for found in imports(tree)} - {"app"}


@pytest.mark.parametrize("module", APP)
def test_every_module_has_a_room(module: str) -> None:
    assert room_of(module) is not None, f"give {module} a floor in {Path(__file__).name}"


@pytest.mark.parametrize("module", APP)
def test_imports_come_from_below(module: str) -> None:
    room = room_of(module)
    assert room is not None
    wrong = []
    for found in dict.fromkeys(internal(APP[module])):
        other = room_of(found.module)
        assert other is not None, found
        if other == room or FLOORS[other] < FLOORS[room]:
            continue
        if FLOORS[other] == FLOORS[room] and IN_ORDER.index(other) < IN_ORDER.index(room):
            continue
        wrong.append(f"line {found.line}: {room} (floor {FLOORS[room]}) imports {other} (floor {FLOORS[other]})")
    assert wrong == []


@pytest.mark.parametrize("module", [module for module in APP if FLOORS[room_of(module) or module] <= 3])
def test_pipeline_knows_nothing_of_http_or_settings(module: str) -> None:
    assert third_party(APP[module]) & HTTP_ONLY == set()
    assert [found for found in internal(APP[module]) if found.module == "app.settings"] == []


@pytest.mark.parametrize("module", [module for module in APP if FLOORS[room_of(module) or module] <= 1])
def test_lowest_floors_import_little(module: str) -> None:
    allowed = THIRD_PARTY[module] if module in THIRD_PARTY else THIRD_PARTY[module.rpartition(".")[0]]
    assert third_party(APP[module]) - set(sys.stdlib_module_names) <= allowed


@pytest.mark.parametrize("module", APP)
def test_app_never_imports_training(module: str) -> None:
    assert "training" not in third_party(APP[module])


@pytest.mark.parametrize("module", TRAINING)
def test_training_uses_the_pipeline_only(module: str) -> None:
    too_high = [found for found in internal(TRAINING[module]) if FLOORS[room_of(found.module) or "app.main"] > 3]
    assert too_high == []


@pytest.mark.parametrize("module", [*APP, *TRAINING])
def test_imports_stand_at_the_top(module: str) -> None:
    tree = (APP | TRAINING)[module]
    functions = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)]
    assert [found for function in functions for found in imports(function)] == []


@pytest.mark.parametrize("module", APP)
def test_async_stays_with_http(module: str) -> None:
    if room_of(module) in ASYNC_ROOMS:
        return
    kinds = (ast.AsyncFunctionDef, ast.Await, ast.AsyncFor, ast.AsyncWith)
    assert [node.lineno for node in ast.walk(APP[module]) if isinstance(node, kinds)] == []


@pytest.mark.parametrize("module", APP)
def test_only_settings_read_the_environment(module: str) -> None:
    reads = [
        node.lineno
        for node in ast.walk(APP[module])
        if (isinstance(node, ast.Attribute) and node.attr in {"getenv", "environb"})
        or (
            isinstance(node, ast.Subscript)
            and ast.unparse(node.value) == "os.environ"
            and isinstance(node.ctx, ast.Load)
        )
        or (isinstance(node, ast.Call) and ast.unparse(node.func) in {"os.environ.get", "os.environ.copy"})
    ]
    assert reads == []


@pytest.mark.parametrize("path", [*sources("app"), *sources("training")], ids=module_of)
def test_files_stay_short(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 400
