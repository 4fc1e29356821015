"""A finished run: who asked what, and every answer to it."""

from __future__ import annotations

import copy
import functools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from riskgrid import export
from riskgrid.books import Books
from riskgrid.branch import Branch
from riskgrid.cube import Codes, Cube, Placement
from riskgrid.engine.budget import Limits
from riskgrid.engine.outcome import CellSums
from riskgrid.errors import BadSpec, StoreError, UnknownName
from riskgrid.hashing import short
from riskgrid.inputs import load_portfolio, load_scenarios, load_snapshot, whole_inputs
from riskgrid.label import TradeLabels
from riskgrid.market.snapshot import MarketSnapshot
from riskgrid.page import Column, Row, Section, notebook_html
from riskgrid.pivot import leaves
from riskgrid.portfolio import Portfolio
from riskgrid.scenarios.note import notes_of
from riskgrid.schema import Status, annotate
from riskgrid.store import RunRow, Store, store_of

__all__ = ["Run", "open_run", "run_given"]


def open_run(run_id: str, *, store: Store | Path | str | None = None) -> Run:
    """A stored run by its id, the beginning of its id, or its name. UnknownName lists the known ones."""
    kept = store_of(store)
    row = kept.catalogue.get(run_id)
    if row.status not in ("complete", "partial"):
        raise BadSpec(f"run '{row.run_id}' is {row.status}; {_how(row)}")
    return Run(row, kept)


def run_given(given: Any) -> Run:
    """What was handed in as a run. BadSpec where it is the name or the row of one."""
    if isinstance(given, (str, RunRow)):
        what = f"'{given}'" if isinstance(given, str) else f"the row of run '{given.run_id}'"
        raise BadSpec(f"{what} is no Run; riskgrid.open_run('NAME OR ID') gives one that is finished")
    found: Run = given
    return found


def _how(row: RunRow) -> str:
    """How a run that is not finished comes to be."""
    if row.status == "queued":
        return f"a runner answers it ('riskgrid runner'), and 'riskgrid events {row.run_id} --follow' shows how it goes"
    again = "ask the same question again to finish it"
    if row.status == "running":
        return f"wait for it ('riskgrid events {row.run_id} --follow'), or where it has no runner any more {again}"
    return f"'riskgrid resume' queues it again, or {again}" if row.request else again


@dataclass(frozen=True, repr=False)
class Run:
    """A finished run. ``found`` : it was in the store already, nothing was priced.

    limits : of each run that a measure of it asks for, see :func:`riskgrid.running.revalue`.
    """

    row: RunRow
    store: Store
    found: bool = False
    limits: Limits | None = None

    def within(self, limits: Limits | None) -> Self:
        """The same run, of which measures may ask no more than the limits allow."""
        made = copy.copy(self)  # with what it has in memory
        object.__setattr__(made, "limits", limits)
        return made

    @property
    def run_id(self) -> str:
        """Id of this execution; what every verb takes."""
        return self.row.run_id

    @property
    def known_as(self) -> str:
        """The id by which people know it: of what somebody may see of a run, the run's."""
        return str(self.row.parent) if self.shows else self.row.run_id

    @property
    def called(self) -> str:
        """Its name, or the id by which people know it: of what somebody may see of a run, the run's."""
        return (self.parent.row.name if self.shows else self.row.name) or self.known_as

    @property
    def shows(self) -> bool:
        """Whether it is what somebody may see of another run, see :func:`riskgrid.whatif.shown_to`."""
        return bool(self.manifest.get("shows"))

    @property
    def content_id(self) -> str:
        """Digest of the question."""
        return self.row.content_id

    @property
    def result_id(self) -> str:
        """Digest of the answer: equal for equal bits of all cell sums."""
        return str(self.row.result_id)

    @property
    def manifest(self) -> Mapping[str, Any]:
        """Inputs, environment, counts and timings."""
        return self.row.manifest

    def whole(self) -> bool:
        """Whether everything the run needs can be read; damaged blocks are thrown away, to be priced anew."""
        try:
            if self.beside:  # what it takes from its parent is looked at there, once for all what-ifs in between
                keys = {*self.branch.placement.keys, *(new for new, _ in self.branch.rekeyed.values())}
                keys -= self.branch.failed.keys()
            else:
                keys = set(self._placement.keys)
                self.store.get("cells", self.kept)
        except StoreError:
            return False
        if not (self.parent.whole() if self.beside else whole_inputs(self.store, self.manifest["inputs"])):
            return False
        return not self.store.discard_damaged("blocks", keys) and self.store.has("blocks", keys) == keys

    @property
    def kept(self) -> str:
        """Key of what the store has of this run alone."""
        return str(self.manifest.get("kept", self.run_id))

    @property
    def instruments(self) -> tuple[str, ...]:
        """Names of the instruments it prices."""
        return tuple(self.manifest["instruments"])

    @property
    def beside(self) -> bool:
        """Whether it is a what-if kept beside its parent, which it needs; one answered in full has all of its own."""
        return bool(self.manifest.get("beside"))

    @functools.cached_property
    def parent(self) -> Run:
        """The run that a what-if changes. BadSpec for a run that is no what-if."""
        if self.row.parent is None:
            raise BadSpec(f"run '{self.run_id}' is no what-if, it has no parent")
        return open_run(self.row.parent, store=self.store)

    @functools.cached_property
    def branch(self) -> Branch:
        """What a what-if keeps beside its parent."""
        return Branch.of(self.store.get("changes", self.kept))

    @functools.cached_property
    def portfolio(self) -> Portfolio:
        """The trades."""
        if self.beside:
            return self.branch.changes.portfolio(self.parent.portfolio)
        return load_portfolio(self.store, self.manifest["inputs"]["portfolio"]).in_order()  # as it was planned

    @functools.cached_property
    def market(self) -> MarketSnapshot:
        """The base state."""
        if self.beside:
            return self.branch.changes.market(self.parent.market)
        return load_snapshot(self.store, self.manifest["inputs"]["market"])

    @functools.cached_property
    def scenarios(self) -> xr.Dataset:
        """The scenario set."""
        if self.beside:
            return self.parent.scenarios
        return load_scenarios(self.store, self.manifest["inputs"]["scenarios"])

    @functools.cached_property
    def cube(self) -> Cube:
        """Labelled views of the P&L."""
        if self.beside:
            above, live = self.parent.cube, self.__dict__.get("live")
            sums = live.cells.sums if live else self.branch.cells(above.cell_labels.values, above.cells)
            values = self.branch.values
            codes = Codes(above.cell_labels.labels, values, np.arange(len(values)))
            labels = TradeLabels(lambda: self.portfolio)
            return above.with_numbers(
                codes, cells=sums, placed=lambda: self._placement, labels=labels, attrs=self._attrs
            )
        stored = self.store.get("cells", self.kept)
        # copied: a mapped file that is cut short under a reader ends the process
        sums = CellSums(**{name: np.array(stored.arrays[name]) for name in CellSums.__dataclass_fields__})
        labels = TradeLabels(lambda: self.portfolio)
        values = tuple(tuple(cell) for cell in stored.meta["cells"])
        cells = Codes(tuple(self.manifest["cell_labels"]), values, np.arange(len(values)))
        scenarios = np.array(stored.meta["scenarios"], dtype=object)
        weight = stored.arrays.get("weight")
        return Cube(
            self.store,
            sums,
            cells,
            lambda: self._placement,
            labels,
            scenarios,
            weight,
            self.manifest["bits"],
            self._attrs,
        )

    @functools.cached_property
    def _placement(self) -> Placement:
        if self.beside:
            before = self.parent.portfolio
            delta = self.branch.changes.delta(before)
            return self.branch.placed(self.parent._placement, before, delta, self.portfolio)
        return Placement.of(self.store.get("plans", self.kept))

    @functools.cached_property
    def _drawn(self) -> dict[str, Any]:
        """Which scenarios of a simulated set were drawn apart from the others, where it has several such batches."""
        if self._attrs["scenario_kind"] != "monte_carlo" or "batch" not in self.scenarios.coords:
            return {}
        return {"batch": ("scenario", self.scenarios["batch"].values)}

    @property
    def _attrs(self) -> dict[str, Any]:
        manifest = self.manifest
        facts = json.loads(manifest.get("provenance") or "{}")
        return {
            "currency": manifest["reporting"],
            "scenario_set": manifest["scenario_set"],
            "scenario_kind": str(facts.get("kind", "")),
            "scenario_notes": "\n".join(notes_of(manifest.get("provenance", ""))),
            "horizon": int(facts.get("horizon", 1)),
            "as_of": self.row.as_of,
            "run_id": self.known_as,
            "tick_bits": manifest["bits"],
            "rounding_bound": 0.5 * 2.0 ** -manifest["bits"],
            "rejected_rows": manifest["rejected_rows"],
            # text, not lists: attributes must survive netCDF and Zarr
            "origin": "\n".join(manifest["origin"]),
            "unshocked_factors": " ".join(manifest["unshocked"]),
            "what_if": self._told,
            "books": str(Books.read(self.row.rights) or ""),
        }

    @property
    def _told(self) -> str:
        """What was changed, and of which run."""
        if self.shows:
            return self.parent._told
        return f"{self.manifest['changes']}, on run {self.manifest['parent']}" if self.row.parent else ""

    @property
    def trades(self) -> xr.Dataset:
        """Trade level: ``pnl (trade, scenario)`` lazy over the blocks, base value, status, labels."""
        return self.cube.trades().assign_coords(self._drawn)

    @property
    def cells(self) -> xr.Dataset:
        """Cell level, in memory."""
        return self.cube.cell_dataset().assign_coords(self._drawn)

    def aggregate(self, by: Sequence[str] | str = (), where: Mapping[str, Any] | None = None) -> xr.Dataset:
        """P&L, present value, counts and coverage at the total and every node of the labels ``by``, as a tree."""
        nodes = self.cube.nodes((by,) if isinstance(by, str) else tuple(by), where)
        return nodes.assign_coords(self._drawn)

    def pnl(self, by: Sequence[str] | str | None = None, where: Mapping[str, Any] | None = None) -> xr.DataArray:
        """P&L in the reporting currency: (scenario), (label, scenario) by one label, (node, scenario) by several."""
        labels = (by,) if isinstance(by, str) else tuple(by or ())
        return leaves(self.aggregate(labels, where), labels)

    def trade_table(self, where: Mapping[str, Any] | None = None) -> xr.Dataset:
        """Each trade's base value, status and problem, in portfolio order."""
        return self.trade_rows(self.trade_places(where))

    def trade_places(self, where: Mapping[str, Any] | None = None) -> NDArray[np.int64]:
        """Places of trades in portfolio order: of those that have one of the values wanted of each label. UnknownName
        for a label."""
        labels = self.cube.labels
        use = np.ones(len(self.cube.placement.block), np.bool_)
        for label, wanted in (where or {}).items():
            if label not in labels:
                raise UnknownName("label", label, labels)
            column, asked = labels[label], {wanted} if isinstance(wanted, str) else set(map(str, wanted))
            use &= np.array([name in asked for name in column.names] or [False], np.bool_)[column.codes.ravel()]
        return np.flatnonzero(use)

    def trade_rows(self, places: NDArray[np.int64]) -> xr.Dataset:
        """Base value, status and problem of some trades, by their places in portfolio order; reads no others."""
        status, base, problems = self.cube.status(places)
        texts = np.array([problems.get(at, "") for at in range(len(base))], dtype=object)
        texts[(texts == "") & (status > Status.EXPIRED)] = "no number in at least one scenario"
        labels = self.cube.labels
        coords = {name: ("trade", labels[name][places].texts().ravel()) for name in labels}
        data = {"base_value": ("trade", base), "status": ("trade", status), "problem": ("trade", texts)}
        return annotate(xr.Dataset(data, coords, attrs=dict(self._attrs)), str(self._attrs["currency"]))

    def worst_trades(self, scenario: str, count: int = 10, where: Mapping[str, Any] | None = None) -> xr.Dataset:
        """The trades that lose most in one scenario, worst first."""
        labels = list(map(str, self.cube.scenarios))
        if scenario not in labels:
            raise UnknownName("scenario", scenario, labels)
        places = self.trade_places(where)
        pnl = self.cube.weighted_pnl(places, np.eye(1, len(labels), labels.index(scenario))[0])
        order = np.argsort(np.where(np.isnan(pnl), np.inf, pnl), kind="stable")[:count]
        made = self.trade_rows(places[order])
        made["scenario_pnl"] = ("trade", pnl[order])
        return made

    def to_zarr(self, path: Path | str) -> None:
        """Write trade detail as a Zarr group, see :func:`riskgrid.export.to_zarr`."""
        export.to_zarr(self.trades, path)

    def to_parquet(self, path: Path | str) -> None:
        """Write trade detail as one Parquet file, see :func:`riskgrid.export.to_parquet`."""
        export.to_parquet(self.trades, path)

    def __repr__(self) -> str:
        row = self.row
        told = f", what-if of {self.manifest['parent']}: {self.manifest['changes']}" if row.parent else ""
        return (
            f"Run({self.known_as}{told}, as of {row.as_of}, {row.trades:,} trades x {row.scenarios:,} scenarios, "
            f"{row.status}, {self.manifest['reporting']})"
        )

    def _repr_html_(self) -> str:
        return notebook_html([self._facts()])

    def _facts(self) -> Section:
        """What it is, without reading any number."""
        row, manifest, counts = self.row, self.manifest, self.manifest["blocks"]
        named = f" '{row.name}'" if row.name else ""
        facts = {"What if": f"{manifest['changes']}, on run {manifest['parent']}"} if row.parent else {}
        facts |= {
            "Size": f"{row.trades:,} trades x {row.scenarios:,} scenarios",
            "Scenarios": str(manifest["scenario_set"]),
            "Instruments": ", ".join(self.instruments),
            "Money": f"{manifest['reporting']}, counted in ticks of 2^-{manifest['bits']}",
            "Blocks": f"{counts['priced']:,} priced, {counts['found']:,} found in the store",
            "Status": f"{row.status}, {row.seconds:.2f} s",
            "Answer": short(bytes.fromhex(self.result_id)),
        }
        lost, unshocked = manifest["rejected_rows"], manifest["unshocked"]
        said = [f"* {lost:,} rows of the portfolio's files were left out."] if lost else []
        said += [f"Without history, so not shocked: {', '.join(unshocked[:8])}."] if unshocked else []
        rows = [Row(name, [text]) for name, text in facts.items()]
        title = f"Run {self.known_as}{named}, as of {row.as_of}"
        return Section(title, "", [Column("", kind="sentence")], rows, said)
