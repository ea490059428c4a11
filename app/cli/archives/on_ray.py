"""Has the machines of a Ray cluster read an archive: `read_binary_files` of Ray Data, then an actor pool of crews.

Ray retries what dies with a worker or a machine, so a picture may be read more than once; whoever takes the lines keeps
the first of each file. A task never raises for a file's sake: Ray would end the whole run.
"""

import io
import logging
import os
from collections.abc import Iterator, Sequence
from typing import Any, Final

import fsspec
import pyarrow as pa
import ray
from ray.data import ActorPoolStrategy, DataContext

from app.cli.archives import storage
from app.cli.archives.crew import Crew, Plan, task
from app.cluster.process import hide_main
from app.errors import InternalError, InvalidConfiguration, QrestoreError

_BATCH: Final = 16  # files that a child process is given at once, and that are read again if their machine dies
_BLOCK: Final = 64  # files of one task that reads
_BLOCK_BYTES: Final = 32 << 20  # of pictures, after which such a task hands over what it has
_GUESSED_BYTES: Final = 1 << 18  # of a file: nobody asks a store for the sizes of a million objects
_READING: Final = 0.1  # processors that a task which reads files waits on
_STORE_BYTES: Final = 256 << 20  # of the object store of `local`
_TOP: Final = "files"
_NO_CLUSTER: Final = (
    "No Ray cluster is found: `ray start --head` starts one here, RAY_ADDRESS names one, and --ray local needs none."
)


class Named(fsspec.AbstractFileSystem):  # type: ignore[misc] # ships no annotations
    """The files of these names as one folder, so that Ray neither lists nor stats what is known.

    Names are spelled in hexadecimal digits, since Ray takes parts of some for protocols, codecs or hidden files, and
    since they need not be UTF-8. A file gives at most ``most`` bytes; one that cannot be read gives none.
    """

    protocol = "qrestore-names"
    cachable = False

    def __init__(self, names: Sequence[str] = (), *, most: int) -> None:
        super().__init__()
        self._names, self._most = names, most

    def __reduce__(self) -> Any:
        return _named, (self._most,)  # tasks know the names of what they read

    def find(self, path: str, **_: object) -> dict[str, dict[str, object]]:
        """Every file."""
        del path
        spelled = (f"{_TOP}/{number:012d}-{os.fsencode(name).hex()}" for number, name in enumerate(self._names))
        return {each: self.info(each) for each in spelled}

    def info(self, path: str, **_: object) -> dict[str, object]:
        """What Ray asks before it reads: a kind and a size, which is a guess."""
        is_top = path == _TOP
        return {"name": path, "size": 0 if is_top else _GUESSED_BYTES, "type": "directory" if is_top else "file"}

    def open(self, path: str, mode: str = "rb", **_: object) -> io.BytesIO:
        """The beginning of a file."""
        del mode
        try:
            return io.BytesIO(storage.read(name_of(path), most=self._most))
        except (OSError, QrestoreError):
            return io.BytesIO()


def _named(most: int) -> Named:
    return Named(most=most)


def name_of(path: str) -> str:
    """The name of the file that `Named` spells so."""
    return os.fsdecode(bytes.fromhex(path.rpartition("-")[2]))


class _Reading:
    """A crew as an actor of the pool: a batch of files becomes a batch of lines."""

    def __init__(self, plan: Plan) -> None:
        hide_main()
        self._crew = Crew(plan)

    def __call__(self, batch: pa.Table) -> pa.Table:
        names = map(name_of, batch.column("path").to_pylist())
        contents = (each.as_py() for each in batch.column("bytes"))
        lines = self._crew.lines(map(task, names, contents))
        return pa.table({"line": pa.array(list(lines), pa.string())})


def start(address: str) -> None:
    """Connects to the cluster that runs here or that RAY_ADDRESS names ("auto"), or starts one of this machine alone
    ("local"). Raises InvalidConfiguration where there is none."""
    own: dict[str, Any] = (
        {"include_dashboard": False, "object_store_memory": _STORE_BYTES} if address == "local" else {}
    )
    try:
        ray.init(address, logging_level=logging.ERROR, log_to_driver=False, **own)
    except ConnectionError as exc:
        raise InvalidConfiguration(_NO_CLUSTER) from exc
    context = DataContext.get_current()
    context.enable_progress_bars = False
    context.target_max_block_size = _BLOCK_BYTES
    logging.getLogger("ray.data").setLevel(logging.ERROR)


def stop() -> None:
    """Leaves the cluster, and ends it if `start` started it."""
    ray.shutdown()


def lines(names: Sequence[str], plan: Plan, *, most: int) -> Iterator[str]:
    """A line for each file, in whatever order they are done, at least once each. ``most`` bytes of a file are read.

    Raises InternalError where Ray cannot go on.
    """
    files = ray.data.read_binary_files(
        _TOP,
        filesystem=Named(names, most=most),
        include_paths=True,
        arrow_open_stream_args={"compression": None},
        num_cpus=_READING,
        override_num_blocks=-(-len(names) // _BLOCK),
    )
    answers = files.map_batches(
        _Reading,
        fn_constructor_args=(plan,),
        compute=ActorPoolStrategy(min_size=1),
        batch_size=_BATCH * plan.jobs,
        batch_format="pyarrow",
        zero_copy_batch=True,
        num_cpus=plan.jobs - _READING,
    )
    try:
        for batch in answers.iter_batches(batch_size=None, batch_format="pyarrow", prefetch_batches=0):
            yield from batch.column("line").to_pylist()
    except ray.exceptions.RayError as exc:
        raise InternalError(f"Ray gave up: {_reason(exc)}") from exc


def _reason(error: BaseException) -> str:
    """The last line of an error of Ray, whose own detail is a traceback."""
    return next((line.strip() for line in reversed(str(error).splitlines()) if line.strip()), type(error).__name__)
