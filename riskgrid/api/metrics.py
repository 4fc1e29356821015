"""What a process counts of itself, as Prometheus reads it. No label names a book, a trade, a run or a principal."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from riskgrid.errors import StoreError
from riskgrid.result import Run
from riskgrid.store import BATCH, ENDINGS, INTERACTIVE, Store, Waiting

__all__ = ["Metrics"]

_STATUSES = ("queued", "running", "interrupted", *ENDINGS)
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Metrics:
    """The counts of one process. store : its jobs are counted when somebody looks.

    answers : gives how many answers were found made, and how many were made.
    """

    def __init__(self, store: Store, answers: Callable[[], tuple[int, int]] | None = None) -> None:
        self.registry = CollectorRegistry()
        self.seconds = Histogram(
            "riskgrid_request_seconds",
            "Seconds of requests by route.",
            ("route", "method"),
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.requests = self._counter("requests", "Requests by route, method and status.", "route", "method", "status")
        self.streams = Gauge("riskgrid_open_streams", "Event streams that are open.", registry=self.registry)
        self.sockets = Gauge("riskgrid_open_sockets", "Pages that are open.", registry=self.registry)
        self._runs = self._counter("runs", "Runs that ended here, by status.", "status")
        self._blocks = self._counter("blocks", "Blocks of these runs: priced, found in the store, failed.", "how")
        self._valuations = self._counter("valuations", "Trades valued in a state.")
        self._trades = self._counter("trades", "Trades of finished runs.")
        self._unpriced = self._counter("trades_unpriced", "Trades of finished runs that have no number.")
        self._coverage = _Coverage()
        self.registry.register(self._coverage)
        self.registry.register(_Stored(store, answers))

    def ran(self, run: Run) -> None:
        """Count a run that was finished here."""
        manifest, cells = run.manifest, run.cube.cells
        trades, unpriced = int(cells.trades.sum()), int(cells.unpriced.sum())
        self.ended(run.row.status)
        for how, count in manifest["blocks"].items():
            self._blocks.labels(how).inc(count)
        self._valuations.inc(manifest["valuations"])
        self._trades.inc(trades)
        self._unpriced.inc(unpriced)
        self._coverage.latest = (trades - unpriced) / trades if trades else 1.0

    def ended(self, status: str) -> None:
        """Count a run that ended here."""
        self._runs.labels(status).inc()

    def text(self) -> bytes:
        """All counts in Prometheus's own format."""
        return generate_latest(self.registry)

    def _counter(self, name: str, meaning: str, *labels: str) -> Counter:
        return Counter(f"riskgrid_{name}", meaning, labels, registry=self.registry)


class _Coverage(Collector):
    """Coverage of the latest finished run; without a value before the first, where a gauge would be 0 and an alarm."""

    def __init__(self) -> None:
        self.latest: float | None = None

    def collect(self) -> Iterator[Metric]:
        """The share, or nothing."""
        meaning = "Share of the trades of the latest finished run that have a number."
        yield GaugeMetricFamily("riskgrid_coverage", meaning, value=self.latest)


class _Stored(Collector):
    """What is counted when somebody looks: jobs in the catalogue, answers that are held."""

    def __init__(self, store: Store, answers: Callable[[], tuple[int, int]] | None) -> None:
        self._store, self._answers = store, answers

    def describe(self) -> Iterator[Metric]:
        """Nothing: what is to be counted is known when it is."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """The counts as they are now; of a catalogue that does not answer, that it does not."""
        if self._answers is not None:
            found, made = self._answers()
            asked = CounterMetricFamily("riskgrid_answers", "Answers found made before, and made.", labels=["how"])
            asked.add_metric(["found"], found)
            asked.add_metric(["made"], made)
            yield asked
        jobs = GaugeMetricFamily("riskgrid_jobs", "Runs by status.", labels=["status"])
        waits = GaugeMetricFamily("riskgrid_queue_length", "Runs that wait for a runner.", labels=["priority"])
        age = GaugeMetricFamily("riskgrid_queue_age_seconds", "Age of the oldest that waits.", labels=["priority"])
        up = 1.0
        try:
            # what is not there is 0: of what is missing an alarm would say that there is no data
            for status, count in (dict.fromkeys(_STATUSES, 0) | dict(self._store.catalogue.statuses())).items():
                jobs.add_metric([status], count)
            none = dict.fromkeys((BATCH, INTERACTIVE), Waiting(0, 0.0))
            for priority, waiting in (none | dict(self._store.queue.waiting())).items():
                waits.add_metric([str(priority)], waiting.count)
                age.add_metric([str(priority)], waiting.oldest)
        except StoreError:
            up = 0.0
        yield from (jobs, waits, age)
        yield GaugeMetricFamily("riskgrid_catalogue_up", "Whether the catalogue answers.", value=up)
