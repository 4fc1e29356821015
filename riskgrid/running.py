"""A run: one portfolio under one scenario set, priced block by block, kept, and answered from."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import xarray as xr

from riskgrid.answering import answer, row_for
from riskgrid.cluster import Workers
from riskgrid.engine.budget import Limits
from riskgrid.engine.numerics import numerics
from riskgrid.engine.outcome import Progress
from riskgrid.lease import Lease, taken_up
from riskgrid.market.snapshot import MarketSnapshot
from riskgrid.portfolio import Portfolio
from riskgrid.progress import shown
from riskgrid.question import CELL_LABELS, Question, ask
from riskgrid.result import Run, open_run
from riskgrid.scenarios import set as scenario_set
from riskgrid.store import Store, store_of

__all__ = ["CELL_LABELS", "Run", "asked_again", "open_run", "price", "revalue", "run"]


def run(  # noqa: PLR0913, options of the one verb, each of which may be left out
    portfolio: Portfolio,
    market: MarketSnapshot,
    scenarios: xr.Dataset,
    *,
    name: str = "",
    reporting: str | None = None,
    cell_labels: Sequence[str] = CELL_LABELS,
    bits: int | None = None,
    cut: int = 4096,
    store: Store | Path | str | None = None,
    cluster: str | Workers | Any = "threads",
    limits: Limits | None = None,
    progress: Callable[[Progress], None] | Literal["auto"] | None = "auto",
) -> Run:
    """Value a portfolio in the base state and under every scenario, and keep every block.

    reporting : currency of all money, default the market's numeraire.   bits : a tick is 2^-bits of it, default by
    the largest notional, for ladders as many, up to 32, as the whole book allows.   cut : most trades a block, a power
    of two.
    store : folder, default ``$RISKGRID_HOME``.
    cluster : ``threads``, ``threads:N``, ``processes:N``, ``kubernetes:NAMESPACE/NAME``, a scheduler's address or a
    Dask client; see :func:`~riskgrid.cluster.connect`.
    limits : seconds, memory and disk that it may need; where its plan cannot fit it is refused before any work.
    progress : called as blocks finish; ``auto`` shows a bar in a terminal or a notebook.

    What the store already has is not priced again; the same question asked twice finds the finished run. A run that
    was interrupted, failed or was cancelled is taken up again, under its own id, by asking again. Bad input raises
    before any work; a trade that cannot be priced gets a status and lowers coverage.
    """
    asked = ask(portfolio, market, scenarios, reporting=reporting, cell_labels=cell_labels, bits=bits, cut=cut)
    return _answered(asked, store_of(store), name, cluster=cluster, limits=limits, progress=progress)


def revalue(
    of: Run,
    scenarios: xr.Dataset,
    *,
    name: str = "",
    market: MarketSnapshot | None = None,
    bits: int | None = None,
    cluster: str | Workers | Any = "threads",
    progress: Callable[[Progress], None] | Literal["auto"] | None = None,
) -> Run:
    """The trades of a run under other scenarios, or on another market: a run of its own, kept in the same store.

    Reporting currency, cell labels, cut and, unless told otherwise, tick bits are those of the run. What a measure must
    revalue, it asks here: bumps, one risk class at a time, the steps of an explain. Such a run
    serves the other: lists leave it out unless asked, and it is removed with the run it serves. TooLarge where its plan
    does not fit the limits of the run.
    """
    manifest = of.manifest
    asked = ask(
        of.portfolio,
        of.market if market is None else market,
        scenarios,
        reporting=manifest["reporting"],
        cell_labels=manifest["cell_labels"],
        bits=manifest["bits"] if bits is None else bits,
        cut=manifest["cut"],
        held=True,
        rights=of.row.rights,
    )
    how: dict[str, Any] = {"cluster": cluster, "limits": of.limits, "progress": progress}
    return _answered(asked, of.store, name, **how, serves=of.row.serves or of.run_id)


def asked_again(
    run: Run,
    *,
    cluster: str | Workers | Any = "threads",
    progress: Callable[[Progress], None] | Literal["auto"] | None = None,
) -> Run:
    """The question of a run that has all its inputs itself, asked of this code and these libraries."""
    manifest = run.manifest
    asked = ask(
        run.portfolio,
        run.market,
        run.scenarios,
        reporting=manifest["reporting"],
        cell_labels=manifest["cell_labels"],
        bits=manifest["bits"],
        cut=manifest["cut"],
        rights=run.row.rights,
    )
    return _answered(asked, run.store, run.row.name, cluster=cluster, progress=progress)


def price(portfolio: Portfolio, market: MarketSnapshot, *, reporting: str | None = None) -> xr.Dataset:
    """Present values alone, in this process, nothing kept: ``base_value (trade)`` in ``reporting``, NaN with a
    sentence in ``problem`` where a trade cannot be valued."""
    still = scenario_set.shifts(["base"], [], 1.0, 0.0, name="base", kind="none", provenance={})
    with tempfile.TemporaryDirectory() as folder:
        made = run(portfolio, market, still, reporting=reporting, store=folder, progress=None)
        return made.trade_table()


def _answered(
    asked: Question,
    kept: Store,
    name: str,
    *,
    cluster: Any,
    limits: Limits | None = None,
    progress: Any = None,
    serves: str | None = None,
) -> Run:
    """The finished run of a question, or its answer."""
    kept.check_writable()
    found, damaged = kept.catalogue.finished(asked.content_id), None
    if found is not None and found.manifest["code"] == asked.code and found.manifest["numerics"] == numerics():
        opened = open_run(found.run_id, store=kept)
        if opened.whole():
            if name and name != found.name:
                kept.catalogue.call(found.run_id, name)
            return replace(_owned(opened, serves), found=True)
        damaged = found.run_id
    row = taken_up(kept, row_for(asked, name, limits, serves=serves), damaged)
    row = _owned(Run(row, kept), serves).row
    with shown(progress) as tell, Lease(kept, row, limits=limits) as lease:
        return answer(asked, lease, cluster=cluster, progress=tell)


def _owned(run: Run, serves: str | None) -> Run:
    """The run, serving whoever asked for it last; once asked for in its own right, it serves no other."""
    held = run.row.serves
    if held is None or held == serves:
        return run
    run.store.catalogue.serve(run.run_id, serves)
    return replace(run, row=replace(run.row, serves=serves))
