"""How a question is answered: executed block by block, kept, and made visible last."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from riskgrid.branch import Cells
from riskgrid.cluster import Workers, connect
from riskgrid.engine.budget import Limits, check, estimate, stored_blocks
from riskgrid.engine.cost import learned
from riskgrid.engine.execute import execute, planned
from riskgrid.engine.outcome import CellSums, Outcome, Progress
from riskgrid.engine.outlook import Outlook
from riskgrid.engine.plan import Piece
from riskgrid.engine.quarantine import along
from riskgrid.inputs import input_keys, save_inputs
from riskgrid.label import TradeLabels, by_instrument, starts
from riskgrid.lease import Lease
from riskgrid.live import Live
from riskgrid.manifest import make_manifest
from riskgrid.market.states import MarketStates
from riskgrid.pivot import cells_of
from riskgrid.placement import placement_of
from riskgrid.portfolio import Portfolio
from riskgrid.question import Question, Spec, requested
from riskgrid.registry import INSTRUMENTS
from riskgrid.result import Run
from riskgrid.scenarios import set as scenario_set
from riskgrid.store import RunRow, Store

__all__ = ["answer", "live_root", "row_for"]


def row_for(asked: Question, name: str, limits: Limits | None = None, *, serves: str | None = None) -> RunRow:
    """The row of a new run of a question; it says enough for another process to answer it, where one can.

    serves : id of the run of which a measure asks it.
    """
    origin = asked.origin
    modules = [getattr(INSTRUMENTS[each].price, "__module__", None) for each in asked.portfolio.instruments]
    own = all(str(module).startswith("riskgrid.") for module in modules)
    keys = input_keys(asked.portfolio, asked.market, asked.scenario_digest)
    return RunRow(
        uuid.uuid4().hex[:12],
        asked.content_id,
        name,
        str(asked.market.date),
        len(asked.portfolio),
        asked.scenarios.sizes["scenario"],
        parent=None if origin is None else origin.run_id,
        request=requested(asked, keys, limits) if own and origin is None else {},
        serves=serves,
        rights=asked.rights,
    )


def answer(
    asked: Question,
    lease: Lease,
    *,
    cluster: Any,
    progress: Callable[[Progress], None] | None = None,
    retry: bool = False,
) -> Run:
    """Execute a question and keep its answer, under the lease of its run; what the store has is not priced again.

    TooLarge before any work where the plan cannot fit the limits of the lease.   retry : trades that ended their worker
    before are tried again.   The answer becomes visible in the catalogue last, and only if the lease still holds.
    """
    store, spec = lease.store, asked.spec
    states = MarketStates(asked.market, asked.scenarios)
    cells = cells_of(TradeLabels(lambda: asked.portfolio, spec.cell_labels), spec.cell_labels, len(asked.portfolio))

    def told(at: Progress) -> None:
        lease.progress(at)
        if progress is not None:
            progress(at)

    def noticed(kind: str, facts: Mapping[str, Any]) -> None:
        if kind == "quarantined":
            ids = asked.portfolio.tables[facts["instrument"]]["trade_id"]
            facts = {"trade": ids[facts["row"]].as_py(), **facts}
        lease.notice(kind, facts)

    with connect(cluster) as workers, ThreadPoolExecutor(1, thread_name_prefix="riskgrid-inputs") as keeper:
        # inputs are kept while blocks are priced: most of it is waiting for the disk
        inputs = keeper.submit(
            save_inputs, store, asked.portfolio, asked.market, asked.scenarios, asked.scenario_digest
        )
        codes = by_instrument(asked.portfolio, cells.code)
        pieces = planned(asked.portfolio, states, spec.pricing, store, codes)
        with store.deferred() as behind:  # what is priced reaches the disk while more is priced
            outcome = execute(
                pieces if lease.limits is None else _fitting(pieces, states, asked, workers, lease),
                states,
                spec.pricing,
                store=behind if workers.in_process else store,
                workers=workers,
                cells=len(cells.values),
                progress=told,
                notice=noticed,
                stop=lease.check,
                retry=retry,
                ahead=Outlook(_counts(asked.portfolio), lease.limits.seconds if lease.limits else None),
            )
            committing = time.perf_counter()
            ordered = Cells.of(cells.values, outcome.sums)
            result = ordered.result(spec.cell_labels)
            _keep(asked, behind, lease.key, outcome, ordered)
        kept = inputs.result()
    outcome.seconds["commit"] = time.perf_counter() - committing  # all but the row that makes it visible
    manifest = {"kept": lease.key, **make_manifest(asked, outcome, kept)}
    made = Run(lease.finish("partial" if outcome.failed else "complete", result, manifest), store)
    # what is at hand need not be read back
    made.__dict__.update(portfolio=asked.portfolio, scenarios=asked.scenarios, market=asked.market)
    made.__dict__["live"] = Live.of(states, spec.pricing, asked.portfolio, outcome, ordered, cells.code)
    return made  # its what-ifs need not plan again


def _fitting(
    pieces: Iterable[Piece], states: MarketStates, asked: Question, workers: Workers, lease: Lease
) -> list[Piece]:
    """The pieces, if what they need is within the limits of the run."""
    planned, store = list(pieces), lease.store
    # what is refused must not tell who sees some books which blocks others have had priced
    stored = set() if lease.row.rights else stored_blocks(planned, store)
    limits = lease.limits or Limits()
    how: dict[str, Any] = {"costs": learned(store), "workers": workers, "within": limits.seconds}
    needed = estimate(planned, states, asked.spec.pricing, stored=stored, **how)
    check(needed, limits, store.free_bytes())
    return planned


def _counts(portfolio: Portfolio) -> dict[str, int]:
    return {name: portfolio.tables[name].num_rows for name in portfolio.instruments}


def _keep(asked: Question, store: Store, key: str, outcome: Outcome, ordered: Cells) -> None:
    """Put cells and plan into the store."""
    arrays = {name: getattr(outcome.sums, name) for name in CellSums.__dataclass_fields__}
    weight = {"weight": asked.scenarios["weight"].values} if "weight" in asked.scenarios else {}
    meta = {"cells": ordered.values, "scenarios": asked.scenarios["scenario"].values.tolist()}
    store.put("cells", key, meta, {**arrays, **weight})
    place, where = placement_of(asked.portfolio, outcome).parts()
    refs = {kind: sorted(keys) for kind, keys in outcome.used.items()}
    store.put("plans", key, {**place, "refs": refs}, where)


def live_root(run: Run) -> Live:
    """The plan of a stored run that has all its inputs itself, planned again."""
    states = MarketStates(run.market, scenario_set.check_against(run.scenarios, run.market))
    spec = Spec.of(run.manifest)
    pricing = spec.pricing
    cells = cells_of(TradeLabels(lambda: run.portfolio, spec.cell_labels), spec.cell_labels, len(run.portfolio))
    codes = by_instrument(run.portfolio, cells.code)
    outcome = Outcome(run.cube.cells, list(planned(run.portfolio, states, pricing, run.store, codes)))
    first, placement = starts(run.portfolio), run.cube.placement
    for piece in outcome.pieces:  # a block that ended its worker was cut
        number = placement.block[first[piece.instrument.name] + piece.rows]
        piece.blocks = along(piece, number, states, pricing)
    known = set(placement.keys)
    keys = {block.key for piece in outcome.pieces for block in piece.blocks}
    outcome.failed = dict.fromkeys(keys - known, "the block could not be priced")
    return Live.of(states, pricing, run.portfolio, outcome, Cells.of(cells.values, run.cube.cells), cells.code)
