"""How a what-if is made beside its parent: what goes is subtracted, what comes is priced, what is re-hung moves."""

from __future__ import annotations

import functools
import uuid
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from riskgrid.answering import live_root
from riskgrid.branch import Branch, ChildSums
from riskgrid.change import Changes
from riskgrid.cluster import Here, connect
from riskgrid.engine.execute import distinct_cells, execute, planned
from riskgrid.engine.outcome import CellSums, Outcome, Progress
from riskgrid.engine.plan import Piece
from riskgrid.engine.timing import Labour
from riskgrid.errors import BadSpec
from riskgrid.label import TradeLabels, by_instrument
from riskgrid.lease import Lease
from riskgrid.live import Live, Part
from riskgrid.market.states import MarketStates
from riskgrid.pivot import MOST_NODES
from riskgrid.placement import placement_of
from riskgrid.portfolio import Portfolio
from riskgrid.rehang import Hanging
from riskgrid.result import Run
from riskgrid.store import Store

__all__ = ["BlockCut", "Making", "live_of"]

#: Valuations below which a thread takes longer to start than to work.
_LITTLE = 1_000_000


def live_of(run: Run) -> Live:
    """The plan of a run in memory: as the run left it, or planned again; of a what-if, from its parent's."""
    if "live" not in run.__dict__:
        if not run.beside:
            live = live_root(run)
        else:
            _, live = Making(run.parent, live_of(run.parent), run.branch.changes, "auto", None, run.store).branch()
        run.__dict__["live"] = live
    found: Live = run.__dict__["live"]
    return found


class BlockCut(Exception):
    """A block had to be cut, as one of its trades ends whoever prices it: it stands for none of the parent's."""


@dataclass
class Making:
    """A what-if on its way."""

    run: Run
    parent: Live
    changes: Changes
    cluster: Any
    tell: Callable[[Progress], None] | None
    store: Store
    lease: Lease | None = None
    priced: int = 0
    reused: int = 0
    valuations: int = 0
    seconds: Counter[str] = field(default_factory=Counter)
    labour: Labour = field(default_factory=Labour)
    used: defaultdict[str, set[str]] = field(default_factory=lambda: defaultdict(set))

    @functools.cached_property
    def key(self) -> str:
        """Of what is kept for it alone; where nobody leased it, its id too."""
        return uuid.uuid4().hex[:12] if self.lease is None else self.lease.key

    def branch(self) -> tuple[Branch, Live]:
        """What to keep of it, and its plan in memory."""
        parent = self.parent
        delta = self.changes.delta(parent.ledger)
        states, reached = self._states()
        gone = parent.ledger.places(delta.gone)
        staying = parent.cell.copy()
        staying[gone] = -1
        ledger, hanging = parent.ledger.after(delta, staying >= 0)
        new = ledger.deltas[-1]
        cells = _Cells(parent.cells.values, tuple(self.run.manifest["cell_labels"]))
        code, hung = cells.of_trades(new), cells.of_hung(staying, hanging)
        sums = ChildSums(parent.cells, cells.values)
        if len(gone):
            count = np.bincount(parent.cell[gone], minlength=len(parent.cells.values))
            empty = count == parent.cells.sums.trades
            sums.clear(np.flatnonzero(empty & (count > 0)))  # of a cell that goes as a whole no block is read
            gone = gone[~empty[parent.cell[gone]]]
        if len(gone):
            left, local = distinct_cells(parent.cell[gone])
            sums.take_out(parent.sums_of(self.run.store, gone, local, len(left)), left)
        self._move(sums, staying, hung)
        base = replace(parent, cell=hung, ledger=ledger, states=states)
        base, rekeyed = self._reprice(base, sums, states, reached)
        mine, local = distinct_cells(code)  # the others need no sums of nothing
        outcome = self._execute_new(new, states, local, len(mine))
        sums.add(outcome.sums, mine)
        return self._finished(sums, base.grown(new, outcome, code), outcome, rekeyed)

    def _finished(
        self, sums: ChildSums, grown: Live, outcome: Outcome, rekeyed: dict[str, tuple[str, NDArray[np.intp]]]
    ) -> tuple[Branch, Live]:
        cells, place = sums.cells().in_order()
        if len(cells.values) > MOST_NODES:
            raise BadSpec(f"{len(cells.values):,} cells; at most {MOST_NODES:,} are right: choose other cell labels")
        touched = place[sums.touched()]
        touched = np.sort(touched[touched >= 0])
        moved = len(place) and (place != np.arange(len(place))).any()
        cell = np.where(grown.cell >= 0, place[grown.cell], -1) if moved else grown.cell
        live = replace(grown, cells=cells, cell=cell)
        kept = CellSums(**{name: getattr(cells.sums, name)[touched] for name in CellSums.__dataclass_fields__})
        placement = placement_of(grown.ledger.deltas[-1], outcome)
        failed = {key: live.failed[key] for key, _ in rekeyed.values() if key in live.failed}
        return Branch(self.changes, cells.values, touched, kept, placement, rekeyed, failed), live

    def _move(self, sums: ChildSums, before: NDArray[np.int64], after: NDArray[np.int64]) -> None:
        """Sums of re-hung trades from cell to cell. before, after : (place,), the cell of each, -1 for those gone.

        What a cell keeps or gives to one other is its largest part, which is what is left once the smaller ones are
        taken out: of a cell that moves as a whole no block is read.
        """
        giving = np.unique(before[before != after])
        if not len(giving):
            return
        at = np.flatnonzero(np.isin(before, giving))
        count = len(sums.values)
        pairs, code, trades = np.unique(before[at] * count + after[at], return_inverse=True, return_counts=True)
        origin, target = np.divmod(pairs, count)
        order = np.lexsort((trades, origin))
        largest = np.zeros(len(pairs), np.bool_)
        largest[order[np.append(np.flatnonzero(np.diff(origin[order])), len(order) - 1)]] = True
        read = np.flatnonzero(~largest)
        local = np.full(len(pairs), -1)
        local[read] = np.arange(len(read))
        here = local[code] >= 0
        part = self.parent.sums_of(self.run.store, at[here], local[code[here]], len(read))
        rest = largest & (origin != target)
        sums.move(part, np.stack([origin, target])[:, read], np.stack([origin, target])[:, rest])

    def _states(self) -> tuple[MarketStates, set[str]]:
        market = self.changes.market(self.parent.states.snapshot)
        if market is self.parent.states.snapshot:
            return self.parent.states, set()
        return self.parent.states.replaced(market)

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
            raise BlockCut
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

    def _execute_new(self, new: Portfolio, states: MarketStates, code: NDArray[np.int64], cells: int) -> Outcome:
        if not len(new):
            return Outcome(CellSums.zeros(cells, states.count - 1))
        codes = by_instrument(new, code)
        return self._execute(planned(new, states, self.parent.pricing, self.store, codes), states, cells, len(new))

    def _execute(self, pieces: Iterable[Piece], states: MarketStates, cells: int, trades: int) -> Outcome:
        here = self.cluster == "auto" and states.count * trades < _LITTLE
        with Here() if here else connect("threads" if self.cluster == "auto" else self.cluster) as workers:
            outcome = execute(
                pieces,
                states,
                self.parent.pricing,
                store=self.store,
                workers=workers,
                cells=cells,
                progress=self.tell,
                notice=self.lease.notice if self.lease else None,
                stop=self.lease.check if self.lease else None,
            )
        for kind, keys in outcome.used.items():
            self.used[kind] |= keys
        self.priced += outcome.priced
        self.reused += outcome.found
        self.valuations += outcome.valuations
        self.seconds.update(outcome.seconds)
        self.labour.join(outcome.labour)
        return outcome


class _Cells:
    """Cells of the parent, and those that only new or re-hung trades are in."""

    def __init__(self, values: tuple[tuple[str, ...], ...], labels: tuple[str, ...]) -> None:
        self._labels = labels
        self._place = {cell: at for at, cell in enumerate(values)}

    @property
    def values(self) -> tuple[tuple[str, ...], ...]:
        """Labels of every cell."""
        return tuple(self._place)

    def of_trades(self, new: Portfolio) -> NDArray[np.int64]:
        """The cell of each new trade."""
        if not len(new):
            return np.zeros(0, np.int64)
        labels = TradeLabels(lambda: new)
        none = [""] * len(new)  # a label that no new trade has
        columns = [labels[name].texts().tolist() if name in labels else none for name in self._labels]
        return self._codes(list(zip(*columns, strict=True)) if columns else [()] * len(new))

    def of_hung(self, cell: NDArray[np.int64], hanging: Hanging | None) -> NDArray[np.int64]:
        """The cell of each trade once labels have changed. cell : (place,) before, -1 for those that have gone."""
        changed = (
            {at: hanging.changed[name] for at, name in enumerate(self._labels) if name in hanging.changed}
            if hanging
            else {}
        )
        if hanging is None or not changed:
            return cell
        moved = np.flatnonzero(hanging.moved)
        codes = np.stack([cell[moved], *(names.codes[moved].astype(np.int64) for names in changed.values())])
        distinct, code = np.unique(codes, axis=1, return_inverse=True)
        values, found = self.values, []
        for origin, *texts in distinct.T.tolist():
            made = list(values[origin])
            for (at, names), text in zip(changed.items(), texts, strict=True):
                made[at] = names.names[text]
            found.append(tuple(made))
        after = cell.copy()
        after[moved] = self._codes(found)[code.ravel()]
        return after

    def _codes(self, cells: Iterable[tuple[str, ...]]) -> NDArray[np.int64]:
        return np.array([self._place.setdefault(cell, len(self._place)) for cell in cells], np.int64)
