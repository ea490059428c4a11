"""Shows the metrics of a replica in those of Ray, which Prometheus scrapes at every node.

Ray's counters can only be added to, and its histograms only observe; so every sample becomes a gauge of the same name,
which Ray prefixes with `ray_`. Prometheus computes rates and quantiles from them as from the originals.
"""

import asyncio
from typing import Final

from prometheus_client import CollectorRegistry
from prometheus_client.samples import Sample
from ray.serve.metrics import Gauge

SECONDS: Final = 5.0
"""Between two copies; Ray hands its own on every ten seconds."""
_UNSCRAPED: Final = "_created"


async def mirror(registry: CollectorRegistry) -> None:
    """Copies every sample of the registry again and again, until it is cancelled."""
    copies = Copies()
    while True:
        copies.renew(registry)
        await asyncio.sleep(SECONDS)


class Copies:
    """Gauges of Ray, one for each name of a sample."""

    def __init__(self) -> None:
        self._gauges: dict[str, Gauge] = {}

    def renew(self, registry: CollectorRegistry) -> None:
        """Sets all gauges to what the registry shows now."""
        for family in registry.collect():
            for sample in family.samples:
                if not sample.name.endswith(_UNSCRAPED):
                    self._gauge(sample, family.documentation).set(sample.value, tags=sample.labels)

    def _gauge(self, sample: Sample, description: str) -> Gauge:
        if sample.name not in self._gauges:
            self._gauges[sample.name] = Gauge(sample.name, description=description, tag_keys=tuple(sample.labels))
        return self._gauges[sample.name]
