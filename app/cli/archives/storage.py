"""Files by name: local paths, and objects of a store by their address, as s3://bucket/key."""

import errno
import posixpath
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from app.errors import InvalidConfiguration

if TYPE_CHECKING:
    from pyarrow.fs import FileSystem

_ADDRESS: Final = re.compile(r"(s3|gs|abfss?|hdfs)://[^/]+")
_NEEDS_EXTRA: Final = "{}:// is read by pyarrow: pip install 'qrestore[ray]'"


def is_address(name: str) -> bool:
    """Whether a name is that of an object in a store, not a path."""
    return _ADDRESS.match(name) is not None


def read(name: str, *, most: int) -> bytes:
    """The content of a file or object, at most ``most`` bytes of it. Raises OSError, and as `listed` does."""
    if is_address(name):
        filesystem, path = _resolve(name)
        try:
            with filesystem.open_input_stream(path, compression=None) as stream:
                return bytes(stream.read(most))
        except ValueError as exc:  # pyarrow's for a key that none can have
            raise OSError(errno.EINVAL, "There is no such address.", name) from exc
    with open(name, "rb") as file:
        return file.read(most)


def listed(prefix: str) -> Iterator[str]:
    """The addresses of all objects below a prefix but hidden ones, in the order of their keys.

    Raises OSError, and InvalidConfiguration where pyarrow is not installed.
    """
    filesystem, path = _resolve(prefix)
    from pyarrow.fs import FileSelector  # noqa: PLC0415 - belongs to the extra ray; _resolve says so

    scheme = prefix.partition("://")[0]
    found = filesystem.get_file_info(FileSelector(path.rstrip("/"), recursive=True))
    for each in sorted(info.path for info in found if info.is_file):
        below = each.removeprefix(path.rstrip("/")).lstrip("/")
        if not any(step.startswith(".") for step in below.split("/")) and posixpath.basename(each):
            yield f"{scheme}://{each}"


def _resolve(name: str) -> tuple["FileSystem", str]:
    match = _ADDRESS.match(name)
    assert match is not None  # noqa: S101 - the caller asks
    return _filesystem(match[0]), name.partition("://")[2]


@lru_cache(maxsize=16)
def _filesystem(root: str) -> "FileSystem":
    """The store at scheme://bucket; the store's own variables, such as those of AWS, say who asks and where."""
    try:
        from pyarrow.fs import FileSystem  # noqa: PLC0415
    except ImportError as exc:
        raise InvalidConfiguration(_NEEDS_EXTRA.format(root.partition("://")[0])) from exc
    try:
        filesystem, _ = FileSystem.from_uri(root)
    except ValueError as exc:
        raise InvalidConfiguration(f"{root}: {exc}") from exc
    return filesystem
