"""What-ifs: a run with changed trades or market, which prices only what the changes reach, exactly."""

from __future__ import annotations

import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from riskgrid.answering import live_root
from riskgrid.branch import Branch, ChildSums
from riskgrid.change import Changes, Delta
from riskgrid.cluster import Here, Workers, connect
from riskgrid.engine.execute import distinct_cells, execute, planned
from riskgrid.engine.numerics import numerics
from riskgrid.engine.outcome import CellSums, Outcome, Progress
from riskgrid.engine.plan import Piece
from riskgrid.engine.timing import Labour
from riskgrid.errors import BadSpec, DamagedObject
from riskgrid.hashing import digest
from riskgrid.label import TradeLabels, by_instrument
from riskgrid.live import Live, Part
from riskgrid.manifest import answered_by
from riskgrid.market.states import MarketStates
from riskgrid.pivot import MOST_NODES
from riskgrid.placement import placement_of
from riskgrid.progress import shown
from riskgrid.question import code_of
from riskgrid.registry import INSTRUMENTS
from riskgrid.result import Run, open_run
from riskgrid.running import run as full_run
from riskgrid.store import RunRow

__all__ = ["what_if"]

#: Valuations below which a thread takes longer to start than to work.
_LITTLE = 1_000_000


def what_if(
    run: Run,
    changes: Changes | Mapping[str, Any],
    *,
    name: str = "",
    cluster: str | Workers | Any = "auto",
    progress: Callable[[Progress], None] | Literal["auto"] | None = None,
) -> Run:
    """The run as it would be with other trades or another market: a run of its own, kept beside its parent.

    changes : :class:`~riskgrid.change.Changes` or their plain form.   Trades that come or change are priced, those that
    go are taken out of the sums; where a factor is shifted, every block that reads it is priced. Its numbers are those
    of a full run of the changed inputs, to the last bit. The same changes asked of the same run again find it.
    cluster : as for a run; ``auto`` takes threads, or none at all for a little work.
    UnknownName, BadChanges, BadRows or BadScenarios before any work.
    """
    asked = changes if isinstance(changes, Changes) else Changes.from_dict(changes)
    run = _current(run, cluster, progress)
    content = digest("what-if", run.content_id, asked.digest).hex()
    catalogue = run.store.catalogue
    found = catalogue.finished(content)
    if not asked:
        return replace(run, found=True)
    if found is not None and found.parent == run.run_id and _by_this_code(found.manifest):
        opened = open_run(found.run_id, store=run.store)
        if opened.whole():
            if name and name != found.name:
                catalogue.call(found.run_id, name)
            return replace(opened, found=True)
    if asked.shift and live_of(run).depends_on_levels():
        return _anew(run, cluster, progress, asked, name)  # what could not be priced may be now: all is planned again
    begun = time.perf_counter()
    with shown(progress) as tell:
        try:
            made = _Making(run, live_of(run), asked, cluster, tell)
            branch, live = made.branch()
        except _BlockCut:
            return _anew(run, cluster, progress, asked, name)
        except DamagedObject:
            run = _anew(run, cluster, progress)
            made = _Making(run, live_of(run), asked, cluster, tell)
            branch, live = made.branch()
    return _committed(
        made,
        branch,
        live,
        RunRow(
            uuid.uuid4().hex[:12],
            content,
            name,
            run.row.as_of,
            int(live.cells.sums.trades.sum()),
            run.row.scenarios,
            parent=run.run_id,
            seconds=time.perf_counter() - begun,
        ),
    )


def _current(run: Run, cluster: Any, progress: Any) -> Run:
    """The run, or where it was made by other code or libraries, the same question asked of these."""
    live: Live | None = run.__dict__.get("live")
    if live is not None and all(
        part.piece.instrument is INSTRUMENTS[part.piece.instrument.name] for part in live.parts
    ):
        return run  # an instrument whose code cannot be told is the same as long as it is the one of then
    if live is None and _by_this_code(run.manifest):
        return run
    return _anew(run, cluster, progress)


def _by_this_code(manifest: Mapping[str, Any]) -> bool:
    return bool(manifest["code"] == code_of(manifest["instruments"]) and manifest["numerics"] == numerics())


def _anew(run: Run, cluster: Any, progress: Any, changes: Changes | None = None, name: str = "") -> Run:
    """A full run of the same inputs, changed or not; what is damaged in the store is made anew on the way."""
    manifest, book = run.manifest, run.portfolio
    return full_run(
        book if changes is None else changes.delta(book).applied(book),
        run.market if changes is None else changes.market(run.market),
        run.scenarios,
        name=run.row.name if changes is None else name,
        reporting=manifest["reporting"],
        cell_labels=manifest["cell_labels"],
        bits=manifest["bits"],
        cut=manifest["cut"],
        store=run.store,
        cluster="threads" if cluster == "auto" else cluster,
        progress=progress,
    )


def live_of(run: Run) -> Live:
    """The plan of a run in memory: as the run left it, or planned again; of a what-if, from its parent's."""
    if "live" not in run.__dict__:
        if run.row.parent is None:
            live = live_root(run)
        else:
            _, live = _Making(run.parent, live_of(run.parent), run.branch.changes, "auto", None).branch()
        run.__dict__["live"] = live
    found: Live = run.__dict__["live"]
    return found


class _BlockCut(Exception):
    """A block had to be cut, as one of its trades ends whoever prices it: it stands for none of the parent's."""


@dataclass
class _Making:
    """A what-if on its way."""

    run: Run
    parent: Live
    changes: Changes
    cluster: Any
    tell: Callable[[Progress], None] | None
    priced: int = 0
    reused: int = 0
    valuations: int = 0
    unshocked: set[str] = field(default_factory=set)
    seconds: Counter[str] = field(default_factory=Counter)
    labour: Labour = field(default_factory=Labour)

    def branch(self) -> tuple[Branch, Live]:
        """What to keep of it, and its plan in memory."""
        parent = self.parent
        delta = self.changes.delta(parent.ledger)
        states, reached = self._states()
        values, code = self._cells_of(delta)
        gone = parent.ledger.places(delta.gone)
        staying = parent.cell.copy()
        staying[gone] = -1
        sums = ChildSums(parent.cells, values)
        self._take_out(sums, gone)
        base = replace(parent, cell=staying, ledger=parent.ledger.after(delta), states=states)
        base, rekeyed = self._reprice(base, sums, states, reached)
        outcome = self._execute_new(delta, states, code, len(values))
        sums.add(outcome.sums, np.arange(len(values)))
        grown = base.grown(delta.new, outcome, code)
        cells, place = sums.cells().in_order()
        if len(cells.values) > MOST_NODES:
            raise BadSpec(f"{len(cells.values):,} cells; at most {MOST_NODES:,} are right: choose other cell labels")
        touched = place[sums.touched()]
        touched = np.sort(touched[touched >= 0])
        moved = len(place) and (place != np.arange(len(place))).any()
        cell = np.where(grown.cell >= 0, place[grown.cell], -1) if moved else grown.cell
        live = replace(grown, cells=cells, cell=cell)
        kept = CellSums(**{name: getattr(cells.sums, name)[touched] for name in CellSums.__dataclass_fields__})
        placement = placement_of(delta.new, outcome)
        failed = {key: live.failed[key] for key, _ in rekeyed.values() if key in live.failed}
        return Branch(self.changes, cells.values, touched, kept, placement, rekeyed, failed), live

    def _states(self) -> tuple[MarketStates, set[str]]:
        market = self.changes.market(self.parent.states.snapshot)
        if market is self.parent.states.snapshot:
            return self.parent.states, set()
        return self.parent.states.replaced(market)

    def _cells_of(self, delta: Delta) -> tuple[tuple[tuple[str, ...], ...], NDArray[np.int64]]:
        """Cells of the parent and those that only new trades are in, and the cell of each new trade."""
        values = self.parent.cells.values
        names = self.run.manifest["cell_labels"]
        labels = TradeLabels(lambda: delta.new)
        none = [""] * len(delta.new)  # a label that no new trade has
        columns = [labels[name].texts().tolist() if name in labels else none for name in names]
        found = list(zip(*columns, strict=True)) if names else [()] * len(delta.new)
        place = {cell: at for at, cell in enumerate(values)}
        for cell in found:
            place.setdefault(cell, len(place))
        return tuple(place), np.array([place[cell] for cell in found], np.int64)

    def _take_out(self, sums: ChildSums, gone: NDArray[np.int64]) -> None:
        parent = self.parent
        sums.count("trades", parent.cell[gone], -1)
        for name in ("unshocked", "stale"):
            sums.count(name, parent.cell[gone], -getattr(parent, name)[gone])
        sums.count("unpriced", parent.cell[gone[parent.block[gone] < 0]], -1)
        for number in np.unique(parent.block[gone]).tolist():
            if number < 0:
                continue
            here = gone[parent.block[gone] == number]
            _, block = parent.found(number)
            cells, local = distinct_cells(parent.cell[here])
            code = np.full(block.stop - block.start, -1, np.int64)
            code[parent.row[here]] = local
            found = dict(parent.contribution(self.run.store, number, code))
            found.pop("trades")
            sums.subtract(found, cells, block.states)

    def _reprice(
        self, live: Live, sums: ChildSums, states: MarketStates, reached: set[str]
    ) -> tuple[Live, dict[str, tuple[str, NDArray[np.intp]]]]:
        """Blocks that read what was shifted, in place of those of the parent."""
        moved = live.moved(states, reached) if reached else {}
        if not moved:
            return live, {}
        number = {place: at for at, place in enumerate(live.blocks)}
        parts, rekeyed = list(live.parts), {}
        for at, piece in moved.items():
            old = parts[at].piece.blocks
            spans = {block.start: place for place, block in enumerate(old)}
            for block in piece.blocks:
                place = spans[block.start]
                cells, code = distinct_cells(piece.cell[block.start : block.stop])
                before = live.contribution(self.run.store, number[at, place], code)
                sums.subtract(before, cells, old[place].states)
        trades = sum(block.stop - block.start for piece in moved.values() for block in piece.blocks)
        count = sum(len(piece.blocks) for piece in moved.values())
        outcome = self._execute(moved.values(), states, len(sums.values), trades)
        if sum(len(piece.blocks) for piece in moved.values()) > count:
            raise _BlockCut
        sums.add(outcome.sums, np.arange(len(sums.values)))
        for at, piece in moved.items():
            old = list(parts[at].piece.blocks)
            spans = {block.start: place for place, block in enumerate(old)}
            for block in piece.blocks:
                place = spans[block.start]
                rekeyed[old[place].key] = (block.key, block.states)
                old[place] = block
            parts[at] = Part(replace(parts[at].piece, blocks=old), parts[at].at)
        return replace(live, parts=tuple(parts), failed={**live.failed, **outcome.failed}), rekeyed

    def _execute_new(self, delta: Delta, states: MarketStates, code: NDArray[np.int64], cells: int) -> Outcome:
        codes = by_instrument(delta.new, code)
        return self._execute(
            planned(delta.new, states, self.parent.pricing, self.run.store, codes), states, cells, len(delta.new)
        )

    def _execute(self, pieces: Iterable[Piece], states: MarketStates, cells: int, trades: int) -> Outcome:
        here = self.cluster == "auto" and states.count * trades < _LITTLE
        with Here() if here else connect("threads" if self.cluster == "auto" else self.cluster) as workers:
            outcome = execute(
                pieces,
                states,
                self.parent.pricing,
                store=self.run.store,
                workers=workers,
                cells=cells,
                progress=self.tell,
            )
        self.priced += outcome.priced
        self.reused += outcome.found
        self.valuations += outcome.valuations
        self.unshocked.update(outcome.unshocked)
        self.seconds.update(outcome.seconds)
        self.labour.join(outcome.labour)
        return outcome


def _committed(made: _Making, branch: Branch, live: Live, row: RunRow) -> Run:
    """Keep what is its own; the run becomes visible in the catalogue last."""
    run = made.run
    run.store.put("changes", row.run_id, *branch.parts())
    manifest = {
        **run.manifest,
        **answered_by(live.instruments, code_of(live.instruments)),
        "kept": row.run_id,
        "parent": run.run_id,
        "changes": str(made.changes),
        "unshocked": sorted({*run.manifest["unshocked"], *made.unshocked}),
        "blocks": {"priced": made.priced, "found": made.reused, "failed": len(live.failed)},
        "valuations": made.valuations,
        "seconds": {name: round(spent, 6) for name, spent in sorted(made.seconds.items())},
        "labour": made.labour.to_manifest(),
    }
    status = "partial" if live.failed else "complete"
    result = live.cells.result(tuple(run.manifest["cell_labels"]))
    kept = replace(row, status=status, result_id=result, manifest=manifest)
    run.store.catalogue.add(kept)
    child = Run(kept, run.store)
    child.__dict__.update(parent=run, branch=branch, live=live, scenarios=run.scenarios)
    return child
