"""How a question is answered: executed block by block, kept, and made visible last."""

from __future__ import annotations

import contextlib
import time
import uuid
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from riskgrid.branch import Cells
from riskgrid.cluster import connect
from riskgrid.engine.execute import execute, planned
from riskgrid.engine.outcome import CellSums, Outcome, Progress
from riskgrid.errors import StoreError
from riskgrid.inputs import save_inputs
from riskgrid.label import TradeLabels, by_instrument
from riskgrid.live import Live
from riskgrid.manifest import make_manifest
from riskgrid.market.states import MarketStates
from riskgrid.pivot import cells_of
from riskgrid.placement import placement_of
from riskgrid.question import Question, Spec
from riskgrid.result import Run
from riskgrid.scenarios import set as scenario_set
from riskgrid.store import RunRow, Store

__all__ = ["answer", "live_root"]


def answer(
    asked: Question,
    store: Store,
    *,
    cluster: Any,
    name: str,
    progress: Callable[[Progress], None] | None,
) -> Run:
    """Execute a question and keep its answer; what the store already has is not priced again."""
    begun = time.perf_counter()
    states = MarketStates(asked.market, asked.scenarios)
    labels = TradeLabels(lambda: asked.portfolio)
    cells = cells_of(labels, asked.spec.cell_labels, len(asked.portfolio))
    catalogue = store.catalogue
    trades, scenarios = len(asked.portfolio), asked.scenarios.sizes["scenario"]
    parent = asked.origin.run_id if asked.origin is not None else None
    row = RunRow(
        uuid.uuid4().hex[:12], asked.content_id, name, str(asked.market.date), trades, scenarios, parent=parent
    )
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
    asked: Question,
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
    manifest = make_manifest(asked, outcome, kept)
    status = "partial" if outcome.failed else "complete"
    catalogue = store.catalogue
    catalogue.finish(row.run_id, status, result_id=result, seconds=time.perf_counter() - begun, manifest=manifest)
    made = Run(catalogue.get(row.run_id), store)
    # what is at hand need not be read back
    made.__dict__.update(portfolio=asked.portfolio, scenarios=asked.scenarios, market=asked.market)
    return made


def live_root(run: Run) -> Live:
    """The plan of a stored run that has all its inputs itself, planned again."""
    states = MarketStates(run.market, scenario_set.check_against(run.scenarios, run.market))
    spec = Spec.of(run.manifest)
    pricing = spec.pricing
    cells = cells_of(TradeLabels(lambda: run.portfolio), spec.cell_labels, len(run.portfolio))
    codes = by_instrument(run.portfolio, cells.code)
    outcome = Outcome(run.cube.cells, list(planned(run.portfolio, states, pricing, run.store, codes)))
    known = set(run.cube.placement.keys)
    keys = {block.key for piece in outcome.pieces for block in piece.blocks}
    outcome.failed = dict.fromkeys(keys - known, "the block could not be priced")
    return Live.of(states, pricing, run.portfolio, outcome, Cells.of(cells.values, run.cube.cells), cells.code)
