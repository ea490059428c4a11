"""README names every setting and every metric, and the two statements of the version agree."""

import tomllib

from app import __version__
from app.settings import Settings
from app.telemetry.metrics import TABLE
from tests.support.paths import ROOT


def missing_from_readme(names: list[str]) -> list[str]:
    text = (ROOT / "README.md").read_text()
    return [name for name in names if f"`{name}`" not in text]


def test_settings() -> None:
    missing = missing_from_readme([f"QRESTORE_{name.upper()}" for name in Settings.model_fields])
    assert missing == [], "README.md does not name these settings (in backquotes)"


def test_metrics() -> None:
    missing = missing_from_readme([spec.name for spec in TABLE])
    assert missing == [], "README.md does not name these metrics (in backquotes)"


def test_version_is_stated_once() -> None:
    stated = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert stated.get("version", __version__) == __version__
