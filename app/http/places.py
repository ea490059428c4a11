"""Who may upload where there are more uploads than places: the slowest and those of the greediest client give way."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final, Protocol

from starlette.types import Scope

from app.errors import Overloaded, QrestoreError, RequestTimeout

_GRACE_SECONDS: Final = 1.0
"""An upload is not called slow before this age, in which its first bytes arrive."""
_SUBNET: Final = 64
"""Bits of an IPv6 address that are one client: providers give each customer at least so many addresses."""


class Arriving(Protocol):
    """The body of an upload."""

    began: float

    def rate(self) -> float: ...
    def give_up(self, error: QrestoreError) -> None: ...


@dataclass(frozen=True, slots=True, eq=False)
class _Upload:
    client: str
    body: Arriving
    leave: Callable[[], None]


class UploadPlaces:
    """The uploads that arrive now. Where all ``most`` places are taken, one of them is freed for a new upload:

    - that of the slowest upload, if it is slower than ``least_rate`` bytes a second and older than a second;
    - otherwise that of the slowest upload of the client that has most, if that has at least two more than the new
      one's. So one client can take every place while no other wants one, and shares them equally when others do.
    """

    def __init__(self, *, most: int, least_rate: float) -> None:
        self._most = most
        self._least_rate = least_rate
        self._uploads: set[_Upload] = set()

    @contextmanager
    def taken(self, client: str, body: Arriving, leave: Callable[[], None]) -> Iterator[None]:
        """Counts an upload of ``client`` while it is open; ``leave`` frees its place before it ends."""
        upload = _Upload(client, body, leave)
        self._uploads.add(upload)
        try:
            yield
        finally:
            self._uploads.discard(upload)

    def make_room(self, client: str) -> None:
        """Ends one upload if all places are taken and one has to give way to a new upload of ``client``."""
        if len(self._uploads) < self._most:
            return
        slowest = min(self._uploads, key=self._pace)
        if self._pace(slowest) < self._least_rate:
            self._end(slowest, RequestTimeout("The upload is too slow."))
            return
        held = Counter(upload.client for upload in self._uploads)
        greediest, count = held.most_common(1)[0]
        if count >= held[client] + 2:
            theirs = [upload for upload in self._uploads if upload.client == greediest]
            self._end(
                min(theirs, key=self._pace), Overloaded("This upload gave way to another client's.", retry_after=1)
            )

    def _pace(self, upload: _Upload) -> float:
        """Bytes a second; of an upload that has just begun at least what is wanted."""
        young = time.monotonic() - upload.body.began < _GRACE_SECONDS
        return max(upload.body.rate(), self._least_rate) if young else upload.body.rate()

    @staticmethod
    def _end(upload: _Upload, error: QrestoreError) -> None:
        upload.leave()
        upload.body.give_up(error)


def client_of(scope: Scope) -> str:
    """The address that a request comes from, or its network for IPv6; a proxy's for whatever comes through it."""
    host, _ = scope.get("client") or ("", 0)
    try:
        address = ip_address(host)
    except ValueError:
        return str(host)
    if address.version == 6:
        return str(int(address) >> (128 - _SUBNET))
    return host
