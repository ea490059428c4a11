"""The documentation agrees with the code, its links resolve, and README stays short."""

import re
import subprocess
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import cv2
import pytest
import zxingcpp

from app.settings import Settings
from app.telemetry.metrics import TABLE
from tests.support.paths import ROOT
from tools.docs import PAGES

WRITTEN = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
LINK = re.compile(r"\[[^\]]*\]\(([^()\s]+)\)")
CODE = re.compile(r"```.*?```|`[^`\n]+`", re.DOTALL)
"""Blocks and spans of code."""
PLACE = re.compile(r"(?<![\w./-])(?:app|training|tests|tools|docs|docker|weights|\.ci)/[\w./-]*")
"""A path in the repository."""
MODULE = re.compile(r"-m ((?:app|training|tests|tools)(?:\.\w+)*)")
TARGET = re.compile(r"\bmake ([a-z-]+)")


@cache
def text(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def code(page: Path) -> str:
    return "\n".join(CODE.findall(text(page)))


@cache
def anchors(page: Path) -> set[str]:
    """What links may point to on a page, as GitHub names headings."""
    headings = re.findall(r"(?m)^#+ (.+)$", re.sub(r"(?s)```.*?```", "", text(page)))
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def broken_links(page: Path) -> Iterator[str]:
    for target in LINK.findall(CODE.sub("", text(page))):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        other = (page.parent / path).resolve() if path else page
        if not other.exists() or (anchor and anchor not in anchors(other)):
            yield target


@cache
def targets() -> set[str]:
    return set(re.findall(r"(?m)^([a-z-]+):", text(ROOT / "Makefile")))


@cache
def ignored(place: str) -> bool:
    """Whether git ignores a path: commands of the documentation write there."""
    return subprocess.run(["git", "check-ignore", "-q", place], cwd=ROOT, check=False).returncode == 0


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("name", PAGES)
def test_generated_page_is_current(name: str) -> None:
    assert text(ROOT / "docs" / name) == PAGES[name](), "run `make docs`"


@pytest.mark.parametrize("page", WRITTEN, ids=name_of)
class TestEveryPage:
    def test_links_resolve(self, page: Path) -> None:
        assert list(broken_links(page)) == []

    def test_named_paths_exist(self, page: Path) -> None:
        places = {place.rstrip(".") for place in PLACE.findall(code(page))}
        assert [place for place in sorted(places) if not (ROOT / place).exists() and not ignored(place)] == []

    def test_named_modules_exist(self, page: Path) -> None:
        files = {module: ROOT / module.replace(".", "/") for module in MODULE.findall(code(page))}
        missing = [
            module
            for module, file in files.items()
            if not file.with_suffix(".py").exists() and not (file / "__main__.py").exists()
        ]
        assert missing == []

    def test_named_settings_and_metrics_exist(self, page: Path) -> None:
        settings = {f"QRESTORE_{name.upper()}" for name in Settings.model_fields}
        assert set(re.findall(r"\bQRESTORE_[A-Z]+(?:_[A-Z]+)*", text(page))) <= settings
        metrics = {spec.name for spec in TABLE}
        assert set(re.findall(r"`(qrestore_[a-z_]+)`", text(page))) <= metrics

    def test_named_make_targets_exist(self, page: Path) -> None:
        assert set(TARGET.findall(code(page))) <= targets()


def test_layers_are_those_of_the_import_contracts() -> None:
    contracts = tomllib.loads(text(ROOT / "pyproject.toml"))["tool"]["importlinter"]["contracts"]
    layered = [contract["layers"] for contract in contracts if contract["type"] == "layers"]
    stated = re.findall(r"(?s)```text\n(.*?)```", text(ROOT / "docs" / "architecture.md"))
    assert [re.split(r"\s+>\s+", block.strip()) for block in stated] == [
        [layer.replace("app.", "").replace(" | ", ", ") for layer in layers] for layers in layered
    ]


def test_every_page_is_linked() -> None:
    linked = {
        (page.parent / target.partition("#")[0]).resolve() for page in WRITTEN for target in LINK.findall(text(page))
    }
    assert [page.name for page in WRITTEN if page not in linked and page.name != "README.md"] == []


class TestReadme:
    PAGE = ROOT / "README.md"

    def test_fits_a_screen(self) -> None:
        lines = text(self.PAGE).splitlines()
        assert len(lines) <= 120
        assert max(map(len, lines)) <= 120
        assert self.PAGE.stat().st_size <= 9 * 1024

    def test_picture_reads_after_and_not_before(self) -> None:
        file = ROOT / "docs" / "before-after.jpg"
        picture = cv2.imread(str(file), cv2.IMREAD_GRAYSCALE)
        assert picture is not None
        middle = picture.shape[1] // 2
        before, after = (zxingcpp.read_barcodes(half) for half in (picture[:, :middle], picture[:, middle:]))
        assert before == []
        assert [symbol.text for symbol in after] == ["https://example.org/parcel/7F3K-2291-0C"]
        assert file.stat().st_size < 100_000


def test_every_row_of_bad_inputs_is_sent_to_a_running_service() -> None:
    rows = set(re.findall(r"(?m)^\| (\d+) \|", text(ROOT / "docs/bad-inputs.md")))
    sent = {
        row for file in (ROOT / "tests/live").glob("test_*.py") for row in re.findall(r"test_row_0?(\d+)", text(file))
    }
    assert len(rows) > 50
    assert rows - sent == set()
