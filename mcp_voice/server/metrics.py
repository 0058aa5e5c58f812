"""`Counts`, as Prometheus reads it.

The fields' metadata is all there is to know: the documents' names with dots
for underscores, counters with one `_total` at the end. Nothing is counted
here; a scrape walks the integers.

    twilio.calls.total → twilio_calls_total     voice.session.active → voice_session_active
"""

from collections.abc import Iterator
from dataclasses import Field, fields
from typing import Any, Final

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.registry import Collector

from mcp_voice.core.counts import Counts, Histogram

CONTENT_TYPE: Final = CONTENT_TYPE_PLAIN_0_0_4


class Reader(Collector):
    """Reads the counts at each scrape."""

    def __init__(self, counts: Counts) -> None:
        self._counts = counts

    def collect(self) -> Iterator[Metric]:
        """Yield every field as a metric."""
        for field in fields(self._counts):
            yield _metric(field, getattr(self._counts, field.name))


class Page:
    """What `/metrics` answers."""

    def __init__(self, counts: Counts) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(Reader(counts))
        ProcessCollector(registry=self._registry)

    def text(self) -> bytes:
        """Return the exposition text."""
        return generate_latest(self._registry)


def _metric(field: "Field[Any]", value: Any) -> Metric:
    name, about = field.metadata["name"].replace(".", "_"), field.metadata["about"]
    match field.metadata["kind"], value:
        case "gauge", _:
            return GaugeMetricFamily(name, about, value=value)
        case "histogram", Histogram():
            return _histogram(name, about, value)
        case _, int():
            return CounterMetricFamily(name, about, value=value)
    labelled = CounterMetricFamily(name, about, labels=[field.metadata["label"]])
    for label, count in sorted(value.items()):
        labelled.add_metric([label], count)
    return labelled


def _histogram(name: str, about: str, spread: Histogram) -> Metric:
    """Prometheus wants each bucket to hold those below it as well."""
    buckets, below = [], 0
    for bound, count in zip((*map(str, spread.bounds), "+Inf"), spread.counts, strict=True):
        below += count
        buckets.append((bound, below))
    return HistogramMetricFamily(name, about, buckets=buckets, sum_value=spread.total)
