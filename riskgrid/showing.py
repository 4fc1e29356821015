"""What somebody may see of a run: a run of its own, in which all other trades have left."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from riskgrid.books import Books
from riskgrid.branch import Branch, Cells
from riskgrid.change import Changes
from riskgrid.engine.execute import planned
from riskgrid.engine.outcome import CellSums
from riskgrid.engine.plan import Piece
from riskgrid.engine.timing import Labour
from riskgrid.errors import StoreError
from riskgrid.hashing import digest
from riskgrid.label import TradeLabels, by_instrument
from riskgrid.market.states import MarketStates
from riskgrid.pivot import Pivot, cells_of
from riskgrid.placement import Placement
from riskgrid.portfolio import Portfolio
from riskgrid.question import Spec
from riskgrid.result import Run
from riskgrid.scenarios import set as scenario_set
from riskgrid.store import RunRow
from riskgrid.summing import trade_sums
from riskgrid.terms import Flags, Names

__all__ = ["content_of", "shown_to"]

type Index = NDArray[np.int64]


def shown_to(run: Run, books: Books) -> Run:
    """What somebody who may see these books sees of a run: a run that serves it, in which all other trades have left.

    It prices and plans nothing and adds up what the run has kept, whatever code made that, so its numbers are the run's
    own. Everything that can be asked of a run can be asked of it, and no answer can hold more than it does. People know
    it by the id of the run it shows; rows that no trade was made of, whose books nobody knows, are left out. A label
    that no trade has holds nobody.
    """
    content = content_of(run, books)
    found = run.store.catalogue.finished(content, partial=True)
    if found is not None and found.parent == run.run_id:
        shown = Run(found, run.store)
        try:
            shown.__dict__.update(parent=run, branch=shown.branch)
        except StoreError:  # it is made anew
            pass
        else:
            return shown
    return _Showing(run, books).made(content)


def content_of(run: Run, books: Books) -> str:
    """Digest of the question that a view answers: which books of which run."""
    return digest("view", run.content_id, books.key).hex()


@dataclass(frozen=True)
class _Showing:
    """A view on its way."""

    run: Run
    books: Books

    def made(self, content: str) -> Run:
        """The view, kept in the store and the catalogue."""
        run, begun, key = self.run, time.perf_counter(), uuid.uuid4().hex[:12]
        labels = TradeLabels(lambda: run.portfolio, run.cube.cell_labels.labels)
        changes = Changes(only=self.books.among(tuple(labels)))
        seen: Flags = changes.only.held(labels.__getitem__, len(run.portfolio))  # type: ignore[union-attr]
        cells, touched = self._cells(labels, seen)
        sums = CellSums(**{name: getattr(cells.sums, name)[touched] for name in CellSums.__dataclass_fields__})
        branch = Branch(changes, cells.values, touched, sums, _NOWHERE, {}, {})
        meta, arrays = branch.parts()
        run.store.put("changes", key, {**meta, "refs": {}}, arrays)
        failed = self._failed(seen)
        manifest = {
            **run.manifest,
            "kept": key,
            "parent": run.known_as,
            "beside": True,  # what it does not keep itself is the run's
            "shows": True,
            "changes": str(changes),
            "unshocked": self._unshocked(seen),
            "blocks": {"priced": 0, "found": 0, "failed": failed},
            "valuations": 0,
            "seconds": {},
            "labour": Labour().to_manifest(),
            "rejected": [],  # of a row that was no trade nobody knows the books
            "rejected_rows": 0,
            "notices": [],
        }
        row = RunRow(
            key,
            content,
            "",
            run.row.as_of,
            int(seen.sum()),
            run.row.scenarios,
            status="partial" if failed else "complete",
            result_id=cells.result(run.cube.cell_labels.labels),
            parent=run.run_id,
            seconds=time.perf_counter() - begun,
            manifest=manifest,
            serves=run.row.serves or run.run_id,
            rights=self.books.key,
        )
        run.store.catalogue.add(row)
        view = Run(row, run.store)
        view.__dict__.update(parent=run, branch=branch)
        return view

    def _cells(self, labels: TradeLabels, seen: Flags) -> tuple[Cells, Index]:
        """The cells that hold a trade that is seen, and which of them are not as the run has them."""
        cube = self.run.cube
        codes = cells_of(labels, cube.cell_labels.labels, len(seen))
        of = {cell: at for at, cell in enumerate(cube.cell_labels.values)}
        count = np.bincount(codes.code[seen], minlength=len(codes.values))
        kept = np.flatnonzero(count)
        values = tuple(codes.values[at] for at in kept.tolist())
        origin = np.array([of[cell] for cell in values], np.int64)
        made = CellSums(**{name: getattr(cube.cells, name)[origin] for name in CellSums.__dataclass_fields__})
        touched = np.flatnonzero(count[kept] != made.trades)
        place = np.full(len(codes.values), -1, np.int32)
        place[kept[touched]] = np.arange(len(touched), dtype=np.int32)
        rows = np.flatnonzero(seen & (place[codes.code] >= 0))
        if len(rows):  # of cells of which a part is seen
            names = tuple(f"{at:09d}" for at in range(len(touched)))
            use = np.zeros(len(seen), np.bool_)
            use[rows] = True
            leaves = Names(np.where(use, place[codes.code], 0).astype(np.int32), names)
            part = trade_sums(
                Pivot.of(("cell",), {"cell": leaves}, use), cube.placement, cube.block, len(cube.scenarios)
            )
            for name in CellSums.__dataclass_fields__:
                getattr(made, name)[touched] = getattr(part, name)
        return Cells.of(values, made), touched

    def _unshocked(self, seen: Flags) -> list[str]:
        """Factors without history that a trade that is seen reads."""
        flagged = self.run.cube.placement.unshocked > 0 if self.run.manifest["unshocked"] else np.zeros_like(seen)
        if not (flagged & seen).any():
            return []
        if not (flagged & ~seen).any():
            return list(self.run.manifest["unshocked"])
        states = self._states()
        pieces = self._planned(flagged & seen, states)
        roles = {role for piece in pieces for block in piece.blocks for role in block.roles}
        return sorted({factor for role in roles for factor in states.unshocked_factors(role)})

    def _failed(self, seen: Flags) -> int:
        """How many of the trades that are seen lie in blocks that could not be priced."""
        if not self.run.manifest["blocks"]["failed"]:
            return 0
        lost = seen & (self.run.cube.placement.block < 0)
        told = sum(len(piece.problems) for piece in self._planned(lost, self._states()))
        return int(lost.sum()) - told  # what a plan says why is no fault of a block

    def _planned(self, chosen: Flags, states: MarketStates) -> Iterable[Piece]:
        ids = TradeLabels(lambda: self.run.portfolio)["trade_id"]
        some: Portfolio = self.run.portfolio.select([ids.names[code] for code in ids.codes[chosen].tolist()])
        pricing, cell = Spec.of(self.run.manifest).pricing, by_instrument(some, np.zeros(len(some), np.int64))
        return planned(some, states, pricing, self.run.store, cell)

    def _states(self) -> MarketStates:
        market = self.run.market
        return MarketStates(market, scenario_set.check_against(self.run.scenarios, market))


_NONE = np.zeros(0, np.int64)
_NOWHERE = Placement(_NONE, _NONE, (), (), {}, _NONE, _NONE)
