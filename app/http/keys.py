"""The file of API keys: one `name: key` a line. It is checked when the service starts and whenever it is read again."""

import hmac
import logging
import re
import threading
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

from app.errors import InvalidConfiguration

log = logging.getLogger("qrestore.keys")

UNNAMED: Final = "unnamed"
"""The name of every key that the file gives none."""

_MIN_LENGTH, _MAX_LENGTH = 16, 256
_MOST_KEYS: Final = 256  # each costs a comparison in every request, and a series in the metrics
_MOST_BYTES: Final = 1 << 20
_LINE_END: Final = re.compile(r"\r\n|\r|\n")
_COMMENT: Final = re.compile(r"[ \t]+#.*")
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_VISIBLE: Final = re.compile(r"[!-~]+")
_NO_PART_OF_KEYS: Final = re.compile(r"[#'\"]")


@dataclass(frozen=True, slots=True)
class Key:
    """One API key: the name that logs and metrics show, the SHA-256 of the key, and its line in the file, from 1."""

    name: str
    digest: bytes
    line: int


class KeyRing:
    """The keys that are in force. `reload` reads their file again; threads may call it while others look keys up."""

    def __init__(self, file: Path, *, on_names: Callable[[Collection[str]], None] = lambda _: None) -> None:
        """Reads the keys; ``on_names`` gets their names now and after each reload. Raises InvalidConfiguration."""
        self._file = file
        self._on_names = on_names
        self._reloading = threading.Lock()  # the reload that reads last must be the one that counts
        self._keys = load_keys(file)
        on_names(self.names)
        log.info("%d API keys: %s", len(self._keys), ", ".join(self.names))
        if unnamed := ", ".join(str(key.line) for key in self._keys if key.name == UNNAMED):
            log.warning("API keys without a name, which logs cannot tell apart, in lines %s: write name: key", unnamed)

    @property
    def names(self) -> list[str]:
        """Every name once, in the order of the file."""
        return list(dict.fromkeys(key.name for key in self._keys))

    def name_of(self, offered: str) -> str | None:
        """The name of an offered key; None if it is not known. The time that it takes does not tell which is near."""
        digest = _digest(offered)
        matches = [key.name for key in self._keys if hmac.compare_digest(digest, key.digest)]
        return matches[0] if matches else None

    def reload(self) -> bool:
        """Reads the file again, and logs what changed. A file with a fault changes nothing, and gives False."""
        with self._reloading:
            try:
                fresh = load_keys(self._file)
            except InvalidConfiguration as exc:
                log.error("API keys stay as they were: %s", "; ".join(exc.detail.splitlines()))
                return False
            before, self._keys = self._keys, fresh
            self._on_names(self.names)
        log.info("API keys read again: %d keys; %s", len(fresh), _changes(before, fresh))
        return True


def load_keys(file: Path) -> tuple[Key, ...]:
    """The API keys in a file; empty lines and comments (# at the start of a line or after a space) are skipped.

    A byte order mark and any kind of line end are accepted. Raises InvalidConfiguration if the file cannot be read or
    holds no key, else with one line for each line that is at fault; no message quotes any part of a key.
    """
    try:
        with file.open("rb") as stream:
            data = stream.read(_MOST_BYTES + 1)
    except OSError as exc:
        raise InvalidConfiguration(f"cannot read API keys from {file}: {exc.strerror or exc}") from exc
    if len(data) > _MOST_BYTES:
        raise InvalidConfiguration(f"{file} has more than {_MOST_BYTES} bytes: is it the file of API keys?")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        number = data.count(b"\n", 0, exc.start) + 1
        raise InvalidConfiguration(f"{file}, line {number}: save the file of API keys as UTF-8") from exc
    return _parse(text, file)


def _parse(text: str, file: Path) -> tuple[Key, ...]:
    keys: list[Key] = []
    faults: list[str] = []
    for number, entry in _entries(text):
        try:
            keys.append(_key(entry, number, keys))
        except ValueError as fault:
            faults.append(f"{file}, line {number}: {fault}")
    if faults:
        raise InvalidConfiguration("\n".join(faults))
    if not keys:
        raise InvalidConfiguration(f"there is no API key in {file}")
    if len(keys) > _MOST_KEYS:
        raise InvalidConfiguration(f"{file} holds {len(keys)} API keys; at most {_MOST_KEYS} are supported")
    return tuple(keys)


def _entries(text: str) -> Iterator[tuple[int, str]]:
    """The number of each line that is neither empty nor a comment, and what stands before its comment."""
    for number, line in enumerate(_LINE_END.split(text), 1):
        entry = _COMMENT.sub("", line.strip(" \t"), count=1)
        if entry and not entry.startswith("#"):
            yield number, entry


def _key(entry: str, number: int, before: Collection[Key]) -> Key:
    """The key of one line. Raises ValueError with the fault, also where ``before`` has its key or its name."""
    name, value = _split(entry)
    _check_value(value)
    key = Key(name, _digest(value), number)
    for other in before:
        if other.digest == key.digest:
            raise ValueError(f"the key of line {other.line} again")
        if other.name == name != UNNAMED:
            raise ValueError(f"the name of line {other.line} again: names must tell keys apart")
    return key


def _split(entry: str) -> tuple[str, str]:
    """Name and key of a line without its comment. Raises ValueError."""
    name, colon, value = entry.partition(":")
    if not colon:
        return UNNAMED, entry
    if value and value[0] not in " \t":
        raise ValueError("put a space after the colon that ends the name; a key without a name has no colon")
    if not value.strip(" \t"):
        raise ValueError("there is no key after the name")
    if not _NAME.fullmatch(name):
        raise ValueError("a name has up to 64 letters, digits, dots, dashes and underscores, and no space")
    return name, value.strip(" \t")


def _check_value(value: str) -> None:
    """Raises ValueError for a key that no client could send, or that is not what was meant."""
    if " " in value or "\t" in value:
        raise ValueError("a key has no spaces; a comment begins with a space and #")
    if not _VISIBLE.fullmatch(value):
        raise ValueError("a key consists of visible ASCII characters: clients cannot send any other")
    if _NO_PART_OF_KEYS.search(value):
        raise ValueError("a key has neither quotes nor #; a comment begins with a space and #")
    if not _MIN_LENGTH <= len(value) <= _MAX_LENGTH:
        raise ValueError(f"a key has {_MIN_LENGTH} to {_MAX_LENGTH} characters")


def _changes(before: Collection[Key], after: Collection[Key]) -> str:
    """The names whose keys are new, and those whose keys are gone."""
    new = [key.name for key in after if key.digest not in {each.digest for each in before}]
    gone = [key.name for key in before if key.digest not in {each.digest for each in after}]
    return f"new: {_listed(new)}; gone: {_listed(gone)}"


def _listed(names: Collection[str]) -> str:
    return ", ".join(names) or "none"


def _digest(key: str) -> bytes:
    return sha256(key.encode("utf-8", "surrogateescape")).digest()
