"""A run: one portfolio under one scenario set, priced block by block, kept, and answered from."""

from __future__ import annotations

import contextlib
import functools
import platform
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from riskgrid.branch import Cells
from riskgrid.cluster import Workers, connect
from riskgrid.engine.execute import execute, planned
from riskgrid.engine.numerics import engine_code, numerics
from riskgrid.engine.outcome import CellSums, Outcome, Progress
from riskgrid.engine.plan import Pricing
from riskgrid.engine.size import tick_bits
from riskgrid.errors import BadSpec, StoreError, UnknownName
from riskgrid.hashing import digest
from riskgrid.inputs import save_inputs
from riskgrid.label import TradeLabels, by_instrument, starts
from riskgrid.live import Live
from riskgrid.market.snapshot import MarketSnapshot
from riskgrid.market.states import MarketStates
from riskgrid.pivot import cells_of
from riskgrid.placement import Placement
from riskgrid.portfolio import Portfolio
from riskgrid.progress import shown
from riskgrid.registry import INSTRUMENTS
from riskgrid.result import Run, open_run
from riskgrid.scenarios import set as scenario_set
from riskgrid.settings import settings
from riskgrid.store import RunRow, Store

__all__ = ["CELL_LABELS", "Run", "open_run", "price", "run"]

#: Labels whose combinations are summed and kept in memory; region, desk and book always are.
CELL_LABELS = ("region", "desk", "book", "instrument", "currency")

#: Tick bits of a set of bumps, in 64-bit ticks.
BUMP_BITS = 32

#: Rejected rows that a run keeps word for word; all are counted.
_MOST_REJECTED = 1000


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
    progress: Callable[[Progress], None] | Literal["auto"] | None = "auto",
) -> Run:
    """Value a portfolio in the base state and under every scenario, and keep every block.

    reporting : currency of all money, default the market's numeraire.   bits : a tick is 2^-bits of it, default by
    the largest notional, 32 for ladders.   cut : most trades a block, a power of two.
    store : folder, default ``$RISKGRID_HOME``.
    cluster : ``threads``, ``threads:N``, ``processes:N``, a scheduler's address or a Dask client.
    progress : called as blocks finish; ``auto`` shows a bar in a terminal or a notebook.

    What the store already has is not priced again; the same question asked twice finds the finished run. A run that
    was interrupted is finished by asking again. Bad input raises before any work; a trade that cannot be priced gets
    a status and lowers coverage.
    """
    _check_kinds(portfolio, market, scenarios)
    scenarios = scenario_set.check_against(scenarios, market)
    if bits is None and scenarios.attrs.get("kind") in ("ladder", "grid"):
        bits = BUMP_BITS  # a bump moves a trade by far less than history does
    spec = _spec(portfolio, market, reporting=reporting, cell_labels=tuple(cell_labels), bits=bits, cut=cut)
    if scenarios.sizes["scenario"] == 0:
        raise BadSpec("the scenario set has no scenario; a run needs one or more")
    kept = store if isinstance(store, Store) else Store(store or settings().home)
    kept.check_writable()
    asked = _Question(portfolio.in_order(), market, scenarios, spec)  # two orders of the same rows are one question
    found = kept.catalogue.finished(asked.content_id)
    if found is not None and found.manifest["code"] == asked.code and found.manifest["numerics"] == numerics():
        opened = open_run(found.run_id, store=kept)
        if opened.whole():
            if name and name != found.name:
                kept.catalogue.call(found.run_id, name)
            return replace(opened, found=True)
    with shown(progress) as tell:
        return _executed(asked, kept, cluster, name, tell)


def price(portfolio: Portfolio, market: MarketSnapshot, *, reporting: str | None = None) -> xr.Dataset:
    """Present values alone, in this process, nothing kept: ``base_value (trade)`` in ``reporting``, NaN with a
    sentence in ``problem`` where a trade cannot be valued."""
    still = scenario_set.shifts(["base"], [], 1.0, 0.0, name="base", kind="none", provenance={})
    with tempfile.TemporaryDirectory() as folder:
        made = run(portfolio, market, still, reporting=reporting, store=folder, progress=None)
        return made.trade_table()


@dataclass(frozen=True)
class Spec:
    """What a run asks beside its inputs."""

    pricing: Pricing
    cell_labels: tuple[str, ...]


@dataclass(frozen=True)
class _Question:
    portfolio: Portfolio
    market: MarketSnapshot
    scenarios: xr.Dataset
    spec: Spec

    @functools.cached_property
    def scenario_digest(self) -> bytes:
        return scenario_set.digest(self.scenarios)

    @functools.cached_property
    def content_id(self) -> str:
        """Digest of the spec and all inputs: the same question has the same one."""
        pricing = self.spec.pricing
        lost = tuple(map(str, self.portfolio.rejected))  # rows left out move no value, but every answer says it
        asked = (pricing.reporting, pricing.bits, pricing.cut, pricing.wide, self.spec.cell_labels, lost)
        return digest(
            "run", asked, self.portfolio.digest, self.market.digest, self.market.origin, self.scenario_digest
        ).hex()

    @property
    def code(self) -> str:
        """Digest of the code that answers it."""
        return code_of(self.portfolio.instruments)


def code_of(instruments: Sequence[str]) -> str:
    """Digest of the code that prices these instruments; of nothing else where one's cannot be told."""
    parts = [INSTRUMENTS[name].code for name in instruments]
    return digest(engine_code(), parts).hex() if None not in parts else uuid.uuid4().hex


def _spec(
    portfolio: Portfolio,
    market: MarketSnapshot,
    *,
    reporting: str | None,
    cell_labels: tuple[str, ...],
    bits: int | None,
    cut: int,
) -> Spec:
    currency = reporting or market.numeraire
    known = {market.numeraire, *(factor[3:] for factor in market.factors if factor.startswith("fx:"))}
    if currency not in known:
        raise UnknownName("reporting currency", currency, known)
    if cut < 16 or cut & (cut - 1):
        raise BadSpec(f"cut is {cut}; a power of two, 16 or above, is right")
    if bits is not None and not 0 <= bits <= 32:
        raise BadSpec(f"bits is {bits}; 0 to 32 is right")
    labels = TradeLabels(lambda: portfolio)
    for label in cell_labels:
        if label not in labels:
            raise UnknownName("label", label, labels)
    always = [label for label in ("region", "desk", "book") if label not in cell_labels and label in labels]
    made = Pricing(currency, tick_bits(portfolio, market, currency) if bits is None else bits, cut, bits == 32)
    return Spec(made, (*always, *cell_labels))


def _check_kinds(portfolio: Any, market: Any, scenarios: Any) -> None:
    for given, kind, what in (
        (portfolio, Portfolio, "portfolio"),
        (market, MarketSnapshot, "market"),
        (scenarios, xr.Dataset, "scenario set"),
    ):
        if not isinstance(given, kind):
            raise BadSpec(
                f"the {what} of a run is a {type(given).__name__}; run(portfolio, market, scenarios) takes a "
                "Portfolio, a MarketSnapshot and a scenario set"
            )


def _executed(
    asked: _Question,
    store: Store,
    cluster: Any,
    name: str,
    progress: Callable[[Progress], None] | None,
) -> Run:
    begun = time.perf_counter()
    states = MarketStates(asked.market, asked.scenarios)
    labels = TradeLabels(lambda: asked.portfolio)
    cells = cells_of(labels, asked.spec.cell_labels, len(asked.portfolio))
    catalogue = store.catalogue
    trades, scenarios = len(asked.portfolio), asked.scenarios.sizes["scenario"]
    row = RunRow(uuid.uuid4().hex[:12], asked.content_id, name, str(asked.market.date), trades, scenarios)
    with connect(cluster) as workers, ThreadPoolExecutor(1, thread_name_prefix="riskgrid-inputs") as keeper:
        catalogue.add(row)
        # inputs are kept while blocks are priced: most of it is waiting for the disk
        inputs = keeper.submit(
            save_inputs, store, asked.portfolio, asked.market, asked.scenarios, asked.scenario_digest
        )
        try:
            codes = by_instrument(asked.portfolio, cells.code)
            outcome = execute(
                planned(asked.portfolio, states, asked.spec.pricing, store, codes),
                states,
                asked.spec.pricing,
                store=store,
                workers=workers,
                cells=len(cells.values),
                progress=progress,
            )
            ordered = Cells.of(cells.values, outcome.sums)
            made = _committed(asked, store, row, outcome, ordered=ordered, inputs=inputs, begun=begun)
            live = Live.of(states, asked.spec.pricing, asked.portfolio, outcome, ordered, cells.code)
            made.__dict__["live"] = live  # its what-ifs need not plan again
            return made
        except BaseException as error:
            status = "interrupted" if isinstance(error, KeyboardInterrupt) else "failed"
            manifest = {"reason": str(error)}
            with contextlib.suppress(StoreError):  # a full disk refuses this too, and is the better reason
                catalogue.finish(
                    row.run_id, status, result_id=None, seconds=time.perf_counter() - begun, manifest=manifest
                )
            raise


def _committed(
    asked: _Question,
    store: Store,
    row: RunRow,
    outcome: Outcome,
    *,
    ordered: Cells,
    inputs: Future[dict[str, str]],
    begun: float,
) -> Run:
    """Keep plan and cells beside the inputs; the run becomes visible in the catalogue last. begun : when it started."""
    committing = time.perf_counter()
    arrays = {name: getattr(outcome.sums, name) for name in CellSums.__dataclass_fields__}
    result = ordered.result(asked.spec.cell_labels)
    weight = {"weight": asked.scenarios["weight"].values} if "weight" in asked.scenarios else {}
    meta = {"result": result, "cells": ordered.values, "scenarios": asked.scenarios["scenario"].values.tolist()}
    store.put("cells", row.run_id, meta, {**arrays, **weight})
    store.put("plans", row.run_id, *placement_of(asked.portfolio, outcome).parts())
    kept = inputs.result()
    outcome.seconds["commit"] = time.perf_counter() - committing  # all but the row that makes it visible
    pricing = asked.spec.pricing
    manifest = {
        "inputs": kept,
        "reporting": pricing.reporting,
        "bits": pricing.bits,
        "cut": pricing.cut,
        "cell_labels": list(asked.spec.cell_labels),
        "scenario_set": str(asked.scenarios.attrs.get("name", "")),
        "origin": _origins(asked.market),
        "unshocked": outcome.unshocked,
        "rejected": [str(row) for row in asked.portfolio.rejected[:_MOST_REJECTED]],
        "rejected_rows": len({(row.file, row.line) for row in asked.portfolio.rejected}),
        "code": asked.code,
        "instruments": list(asked.portfolio.instruments),
        "numerics": numerics(),
        "python": sys.version.split()[0],
        "platform": platform.platform(),
        "blocks": {"priced": outcome.priced, "found": outcome.found, "failed": len(outcome.failed)},
        "valuations": outcome.valuations,
        "seconds": {name: round(spent, 6) for name, spent in sorted(outcome.seconds.items())},
        "labour": outcome.labour.to_manifest(),
    }
    status = "partial" if outcome.failed else "complete"
    catalogue = store.catalogue
    catalogue.finish(row.run_id, status, result_id=result, seconds=time.perf_counter() - begun, manifest=manifest)
    made = Run(catalogue.get(row.run_id), store)
    # what is at hand need not be read back
    made.__dict__.update(portfolio=asked.portfolio, scenarios=asked.scenarios, market=asked.market)
    return made


def _origins(market: MarketSnapshot) -> list[str]:
    """Which factors are not real market data, in a sentence a kind; ``market.origin`` has each factor's own."""
    counts: dict[str, dict[str, int]] = {}
    for factor in market.factors:
        origin = market.origin.get(factor, "of unstated origin").partition(":")[0]
        kinds = counts.setdefault(origin, {})
        kind = factor.partition(":")[0]
        kinds[kind] = kinds.get(kind, 0) + 1
    told = {origin: ", ".join(f"{n} {kind}" for kind, n in sorted(kinds.items())) for origin, kinds in counts.items()}
    return [f"{origin}: {told[origin]} of {len(market.factors)} factors" for origin in sorted(told) if origin != "real"]


def live_root(run: Run) -> Live:
    """The plan of a stored run that is no what-if, planned again."""
    manifest = run.manifest
    states = MarketStates(run.market, scenario_set.check_against(run.scenarios, run.market))
    pricing = Pricing(manifest["reporting"], manifest["bits"], manifest["cut"], manifest["bits"] == BUMP_BITS)
    cells = cells_of(TradeLabels(lambda: run.portfolio), tuple(manifest["cell_labels"]), len(run.portfolio))
    codes = by_instrument(run.portfolio, cells.code)
    outcome = Outcome(run.cube.cells, list(planned(run.portfolio, states, pricing, run.store, codes)))
    known = set(run.cube.placement.keys)
    keys = {block.key for piece in outcome.pieces for block in piece.blocks}
    outcome.failed = dict.fromkeys(keys - known, "the block could not be priced")
    return Live.of(states, pricing, run.portfolio, outcome, Cells.of(cells.values, run.cube.cells), cells.code)


def placement_of(portfolio: Portfolio, outcome: Outcome) -> Placement:
    """Where each trade lies, in portfolio order."""
    first = starts(portfolio)
    block = np.full(len(portfolio), -1, np.int64)
    row = np.full(len(portfolio), -1, np.int64)
    unshocked, stale = np.zeros((2, len(portfolio)), np.int64)
    keys: list[str] = []
    states: list[NDArray[np.intp]] = []
    problems: dict[int, str] = {}
    for piece in outcome.pieces:
        start = first[piece.instrument.name]
        problems |= {start + place: text for place, text in piece.problems.items()}
        unshocked[start + piece.rows], stale[start + piece.rows] = piece.unshocked, piece.stale
        for part in piece.blocks:
            trades = start + piece.rows[part.start : part.stop]
            if part.key in outcome.failed:
                problems |= dict.fromkeys(trades.tolist(), outcome.failed[part.key])
                continue
            block[trades], row[trades] = len(keys), np.arange(len(trades))
            keys.append(part.key)
            states.append(part.states)
    return Placement(block, row, tuple(keys), tuple(states), problems, unshocked, stale)
