"""One measured run against a service, and its report."""

import asyncio
import http.client
import re
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tools.load import processes
from tools.load.client import Exchange, Run, Target, exchange_all, watched
from tools.load.processes import Usage
from tools.load.reckoning import MEGABYTE, Processor, Sample, Slopes, percentile, slopes
from tools.load.traffic import Shot

_SERIES = re.compile(
    r'^qrestore_(?:stage_duration|queue|inference_duration)_seconds_sum(?:\{\w+="([^"]+)"\})? (\S+)$', re.MULTILINE
)
MOST_WRONGS = 5
"""Most wrong answers that are reported word for word."""


@dataclass(slots=True)
class Measurement:
    """The results of a run. `samples`, `processor` and `children` need the service's process and are empty without."""

    run: Run = field(default_factory=Run)
    connections: int = 0
    samples: list[Sample] = field(default_factory=list)
    processor: Processor | None = None
    children: int = 0
    stages: dict[str, float] = field(default_factory=dict)

    @property
    def wrong(self) -> list[Exchange]:
        return [exchange for exchange in self.run.exchanges if exchange.wrong is not None]

    @property
    def rate(self) -> float:
        """Right answers a second."""
        right = sum(exchange.right for exchange in self.run.exchanges)
        return right / self.run.seconds if self.run.seconds else 0.0

    @property
    def slopes(self) -> Slopes | None:
        return slopes(self.samples)


def measure(
    target: Target, shots: Iterator[Shot], due: Iterator[float], *, connections: int, seconds: float, every: float
) -> Measurement:
    """Sends the shots at their due times and samples memory every `every` seconds."""
    measured = Measurement(connections=connections)
    before = _clocks(target)
    stages = _stages(target)

    def look() -> None:
        if target.pid is not None:
            found = processes.usage(target.pid)
            measured.samples.append(Sample(measured.run.done, found.server_memory, found.children_memory))
            measured.children = max(measured.children, found.children)

    async def work() -> None:
        sending = exchange_all(target, shots, due, connections=connections, seconds=seconds, run=measured.run)
        await watched(asyncio.ensure_future(sending), look, every)

    asyncio.run(work())
    after = _clocks(target)
    if before is not None and after is not None:
        measured.processor = _spent(before, after)
    measured.stages = {name: total - stages.get(name, 0.0) for name, total in _stages(target).items()}
    return measured


@dataclass(frozen=True, slots=True)
class _Clocks:
    wall: float
    service: Usage
    client: float
    machine: float


def _clocks(target: Target) -> _Clocks | None:
    if target.pid is None:
        return None
    return _Clocks(time.perf_counter(), processes.usage(target.pid), time.process_time(), processes.busy_seconds())


def _spent(before: _Clocks, after: _Clocks) -> Processor:
    server = after.service.server_seconds - before.service.server_seconds
    children = after.service.children_seconds - before.service.children_seconds
    client = after.client - before.client
    others = max(0.0, after.machine - before.machine - server - children - client)
    return Processor(after.wall - before.wall, processes.cores(), server, children, client, others)


def _stages(target: Target) -> dict[str, float]:
    """Seconds that the service has counted by stage, by network and for waiting; empty if it serves no metrics."""
    connection = http.client.HTTPConnection(target.host, target.port, timeout=30)
    try:
        connection.request("GET", "/metrics")
        answer = connection.getresponse()
        text = answer.read().decode() if answer.status == 200 else ""
    except (OSError, http.client.HTTPException):
        return {}
    finally:
        connection.close()
    return {label or "waiting": float(value) for label, value in _SERIES.findall(text)}


def lines(measured: Measurement) -> Iterator[str]:
    """The whole report."""
    yield from _answers(measured)
    if measured.processor is not None:
        yield from _processor(measured.processor, measured)
    if measured.samples:
        yield from _memory(measured)
    for exchange in measured.wrong[:MOST_WRONGS]:
        yield f"WRONG {exchange.kind}: {exchange.wrong}"


def _answers(measured: Measurement) -> Iterator[str]:
    run = measured.run
    kinds: dict[str, list[Exchange]] = defaultdict(list)
    for exchange in run.exchanges:
        kinds[exchange.kind].append(exchange)
    yield f"{'kind':<10}{'requests':>9}{'p50 ms':>9}{'p95 ms':>9}{'p99 ms':>9}{'most ms':>9}  answers"
    for kind, exchanges in [*sorted(kinds.items()), ("all", run.exchanges)]:
        answered = [1000 * exchange.seconds for exchange in exchanges if not exchange.refused]
        marks = "".join(f"{percentile(answered, share) if answered else 0:9.1f}" for share in (0.5, 0.95, 0.99, 1.0))
        statuses = Counter(str(exchange.status or "none") for exchange in exchanges)
        yield f"{kind:<10}{len(exchanges):>9}{marks}  {', '.join(f'{n} of {s}' for s, n in sorted(statuses.items()))}"
    refused = sum(exchange.refused for exchange in run.exchanges)
    yield (
        f"{run.done} requests over {measured.connections} connections in {run.seconds:.1f} s: "
        f"{measured.rate:.1f} right answers a second, {len(measured.wrong)} wrong, {refused} refused"
    )


def _processor(used: Processor, measured: Measurement) -> Iterator[str]:
    yield f"\nprocessor ({used.cores} cores, {used.wall:.1f} s){'seconds':>12}{'share':>8}{'ms a request':>14}"
    done = max(1, measured.run.done)
    parts: dict[str, Any] = {"server": used.server, f"children ({measured.children})": used.children}
    parts |= {"this client": used.client, "other processes": used.others, "idle": used.idle}
    for name, seconds in parts.items():
        yield f"  {name:<27}{seconds:>12.1f}{used.share(seconds):>8.0%}{1000 * seconds / done:>14.2f}"
    for name, seconds in sorted(measured.stages.items(), key=lambda stage: -stage[1]):
        if seconds > 0.01 * used.wall:
            yield f"  of the time: {name:<14}{seconds:>12.1f}{'':>8}{1000 * seconds / done:>14.2f}"
    yield f"bound by {used.bound()}"


def _memory(measured: Measurement) -> Iterator[str]:
    yield f"\n{'memory, MB':<14}{'server':>10}{'children':>10}{'both':>10}"
    step = max(1, len(measured.samples) // 10)
    for sample in [*measured.samples[:-1:step], measured.samples[-1]]:
        yield f"{f'at {sample.done}':<14}" + _megabytes(sample.server, sample.children, sample.both)
    found = measured.slopes
    if found is not None:
        parts = f"server {found.server:.2f}, children {found.children:.2f}, both {found.both:.2f}"
        yield f"slope of the second half, MB per 1,000 requests: {parts}"


def _megabytes(*values: int) -> str:
    return "".join(f"{value / MEGABYTE:>10.1f}" for value in values)
