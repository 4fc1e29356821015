"""What a runner does beside its runs: says and counts how they ended, and ends with whoever started it."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable, Iterator
from typing import BinaryIO

from riskgrid.errors import BadSpec
from riskgrid.result import open_run
from riskgrid.store import ENDINGS, RunRow, Store

__all__ = ["counted", "when_input_ends"]

_LOG = logging.getLogger(__name__)


@contextlib.contextmanager
def counted(store: Store, host: str, port: int | None) -> Iterator[Callable[[RunRow], None]]:
    """What to call with each run as it ended: it is said, and counted where a port gives the counts out."""
    if port is None:
        yield _said
        return
    try:
        from riskgrid.api.metrics import Metrics
        from riskgrid.api.scraping import scraped
    except ModuleNotFoundError as error:
        raise BadSpec(
            "counts need prometheus-client, which is an extra; pip install 'riskgrid[api]' installs it"
        ) from error

    metrics = Metrics(store)

    def told(row: RunRow) -> None:
        _said(row)
        if row.status in ("complete", "partial"):
            metrics.ran(open_run(row.run_id, store=store))
        else:
            metrics.ended(row.status)

    with scraped(metrics.registry, host, port):
        yield told


def when_input_ends(source: BinaryIO, stop: Callable[[], None]) -> None:
    """Call ``stop`` once nobody holds the other end of a pipe any more."""

    def wait() -> None:
        while source.read(4096):
            pass
        stop()

    threading.Thread(target=wait, name="riskgrid-input", daemon=True).start()


def _said(row: RunRow) -> None:
    facts = {"run": row.run_id, "status": row.status, "seconds": round(row.seconds, 3)}
    level = logging.WARNING if row.status == "failed" else logging.INFO
    ended = "run ended" if row.status in ENDINGS else "run given back"
    _LOG.log(level, ended, extra={"facts": {**facts, **({"reason": row.reason} if row.reason else {})}})
