"""Folders of pictures that `qrestore decode` writes beside its answers."""

import uuid
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePath


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder of PNGs, each at the place of the file that it was made from."""

    path: Path

    def write(self, place: PurePath, png: bytes) -> str:
        """Writes a picture and returns its path. One that an earlier run wrote there is replaced; a run that is killed
        leaves no half of one. Raises OSError."""
        target = self.path / place.with_name(f"{place.name}.png")
        target.parent.mkdir(parents=True, exist_ok=True)
        unfinished = target.with_name(f".unfinished-{uuid.uuid4().hex}")
        try:
            unfinished.write_bytes(png)
            unfinished.replace(target)
        except BaseException:
            with suppress(OSError):
                unfinished.unlink()
            raise
        return str(target)
