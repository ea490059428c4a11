"""The checks of `tools.attack.operator` that need no service, and what their figures are made of."""

from pathlib import Path

import pytest
import yaml

from app.settings import Settings
from tools.attack import operator
from tools.attack.operator import ROWS

QUICK = [ROWS[6]["security schemes"], ROWS[7]["spreadsheets"], ROWS[9]["compose"], ROWS[11]["versions"]]


def test_rows_are_those_of_operators() -> None:
    assert list(ROWS) == [6, 7, 9, 11]
    assert len({name for checks in ROWS.values() for name in checks}) == sum(map(len, ROWS.values()))


@pytest.mark.parametrize("check", QUICK, ids=lambda check: check.__name__)
def test_quick_checks_are_met(check: object) -> None:
    assert callable(check)
    figure, wanted, ok = check()
    assert ok, f"{figure}, wanted {wanted}"


def test_a_setting_that_compose_drops_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    passed = {f"QRESTORE_{name}".upper(): None for name in Settings.model_fields if name != "workers"}
    services = {name: {"environment": passed} for name in ("qrestore", "qrestore-gpu")}
    (tmp_path / "docker-compose.yml").write_text(yaml.safe_dump({"services": services}))
    monkeypatch.setattr(operator, "ROOT", tmp_path)
    figure, _, ok = operator.composed_settings()
    assert figure.startswith("2 of ")
    assert not ok
