"""A ratchet: a table of what was read, below which no later measurement may fall.

The table is a JSON file, a row per category or set and effort. Fewer reads or codes, or more extra answers, fail; more
reads ask for the number to be raised, as in zxing-cpp's blackbox tests.
"""

import argparse
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Row:
    """What was measured on ``pictures`` pictures with ``labelled`` labelled codes.

    ``reads``: pictures with any read. ``codes``: labelled codes that were read. ``extras``: answers that are no read
    of a labelled code.
    """

    name: str
    effort: str
    pictures: int
    labelled: int
    reads: int
    codes: int
    extras: int

    @property
    def key(self) -> tuple[str, str]:
        """What tells rows of a table apart: name and effort."""
        return self.name, self.effort

    def __str__(self) -> str:
        return (
            f"{self.name}, {self.effort}: {self.reads} of {self.pictures} pictures, "
            f"{self.codes} of {self.labelled} codes, {self.extras} extra"
        )

    def losses(self, measured: "Row") -> Iterator[str]:
        """Why ``measured`` falls below this row; nothing if it does not."""
        if (measured.pictures, measured.labelled) != (self.pictures, self.labelled):
            yield (
                f"measured {measured.pictures} pictures with {measured.labelled} codes, the table has "
                f"{self.pictures} with {self.labelled}"
            )
            return
        if measured.reads < self.reads:
            yield f"{measured.reads} pictures read, not {self.reads}"
        if measured.codes < self.codes:
            yield f"{measured.codes} codes read, not {self.codes}"
        if measured.extras > self.extras:
            yield f"{measured.extras} extra, not {self.extras}"


@dataclass(frozen=True)
class Verdict:
    """What a comparison found, as lines: ``lost`` fails, ``gained`` asks for a higher number."""

    lost: tuple[str, ...]
    gained: tuple[str, ...]


def load_table(file: Path) -> list[Row]:
    """The rows of a table; none if the file does not exist. Raises ValueError or TypeError for a malformed file."""
    return [Row(**row) for row in json.loads(file.read_text())] if file.exists() else []


def save_table(file: Path, rows: Iterable[Row]) -> None:
    """Writes a table, a row per line, so that a difference shows which rows changed."""
    lines = ",\n".join(json.dumps(asdict(row)) for row in rows)
    file.write_text(f"[\n{lines}\n]\n")


def compare(table: Sequence[Row], measured: Iterable[Row]) -> Verdict:
    """Holds measured rows against a table; rows that the table lacks count as gained."""
    known = {row.key: row for row in table}
    lost, gained = [], []
    for row in measured:
        label = f"{row.name}, {row.effort}"
        before = known.get(row.key)
        if before is None:
            gained.append(f"{row}; not in the table yet")
        elif losses := [*before.losses(row)]:
            lost.append(f"{label}: {'; '.join(losses)}")
        elif row != before:
            gained.append(
                f"{label}: reads {before.reads} -> {row.reads}, codes {before.codes} -> {row.codes}, "
                f"extras {before.extras} -> {row.extras}"
            )
    return Verdict(tuple(lost), tuple(gained))


def merge(table: Sequence[Row], measured: Iterable[Row]) -> list[Row]:
    """The table with measured rows in place of those of the same name and effort, new ones at the end."""
    rows = {row.key: row for row in table}
    rows.update({row.key: row for row in measured})
    return list(rows.values())


def add_options(parser: argparse.ArgumentParser) -> None:
    """Adds ``--raise``, which belongs to a command's own ``--ratchet``."""
    parser.add_argument("--raise", dest="raised", action="store_true", help="write higher numbers into the table")


def hold(file: Path, measured: Sequence[Row], *, raised: bool) -> Iterator[str]:
    """Compares with the table in ``file``; ``raised`` writes what was gained, unless anything was lost.

    Yields lines to print. Raises SystemExit with the rows that were lost.
    """
    table = load_table(file)
    verdict = compare(table, measured)
    yield from (f"raise the number: {line}" for line in verdict.gained)
    if verdict.lost:
        raise SystemExit("\n".join(f"lost: {line}" for line in verdict.lost))
    if raised and verdict.gained:
        save_table(file, merge(table, measured))
        yield f"wrote {file}"
