"""Writes what was measured into the checkpoints' headers."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from app.models import checkpoint
from app.models.checkpoint import SUFFIX
from training.rows import Row


def record(rows: Sequence[Row], weights: Path, files: Mapping[str, Sequence[str]]) -> None:
    """Writes each network's rates into its checkpoint's header; sets measured on more pictures before, or not now, are
    kept.

    ``files`` says which checkpoints a row is of where it is not called by their name. A file keeps the precision that
    it has.
    """
    for row in rows:
        paths = [weights / f"{name}{SUFFIX}" for name in files.get(row.name, (row.name,))]
        for path in paths if row.trials else ():
            if path.exists():
                _record(row, path)


def _record(row: Row, path: Path) -> None:
    card = checkpoint.load(path)
    before = card.measured.get("decode")
    known = before if isinstance(before, dict) else {}
    rates = {name: row.decode_figures(name) for name in row.trials}
    rates = {name: each for name, each in rates.items() if each["n"] >= known.get(name, each)["n"]}
    half = path.stat().st_size < 3 * card.parameters
    checkpoint.save(checkpoint.with_measured(card, {"decode": {**known, **rates}}), path, half=half)
