"""A run: one portfolio under one scenario set, priced block by block, kept, and answered from."""

from __future__ import annotations

import contextlib
import functools
import html
import platform
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from riskgrid.cluster import Workers, connect
from riskgrid.cube import Cube, Placement, cells_of
from riskgrid.engine.execute import CellSums, Outcome, Progress, execute
from riskgrid.engine.numerics import engine_code, numerics
from riskgrid.engine.plan import Pricing
from riskgrid.engine.size import tick_bits
from riskgrid.errors import BadSpec, StoreError, UnknownName
from riskgrid.hashing import digest, short
from riskgrid.inputs import load_portfolio, load_scenarios, load_snapshot, rows_as_kept, save_inputs
from riskgrid.market.snapshot import MarketSnapshot
from riskgrid.market.states import MarketStates
from riskgrid.portfolio import Portfolio
from riskgrid.progress import shown
from riskgrid.registry import INSTRUMENTS
from riskgrid.scenarios import set as scenario_set
from riskgrid.schema import Status
from riskgrid.settings import settings
from riskgrid.store import Catalogue, RunRow, Store
from riskgrid.terms import Names

__all__ = ["CELL_LABELS", "Run", "open_run", "price", "run"]

#: Labels whose combinations are summed and kept in memory; region, desk and book always are.
CELL_LABELS = ("region", "desk", "book", "instrument", "currency")

#: Tick bits of a set of bumps, in 64-bit ticks.
BUMP_BITS = 32


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
    scenarios = scenario_set.check_against(scenarios, market)
    if bits is None and scenarios.attrs.get("kind") in ("ladder", "grid"):
        bits = BUMP_BITS  # a bump moves a trade by far less than history does
    spec = _spec(portfolio, market, reporting=reporting, cell_labels=tuple(cell_labels), bits=bits, cut=cut)
    if scenarios.sizes["scenario"] == 0:
        raise BadSpec("the scenario set has no scenario; a run needs one or more")
    kept = store if isinstance(store, Store) else Store(store or settings().home)
    kept.check_writable()
    asked = _Question(portfolio, market, scenarios, spec)
    found = Catalogue(kept.root).finished(asked.content_id)
    if found is not None and found.manifest["code"] == asked.code and found.manifest["numerics"] == numerics():
        opened = open_run(found.run_id, store=kept)
        if opened.complete:
            return replace(opened, found=True)
    with shown(progress) as tell:
        return _executed(asked, kept, cluster, name, tell)


def open_run(run_id: str, *, store: Store | Path | str | None = None) -> Run:
    """A stored run by its id, the beginning of its id, or its name. UnknownName lists the known ones."""
    kept = store if isinstance(store, Store) else Store(store or settings().home)
    row = Catalogue(kept.root).get(run_id)
    if row.status not in ("complete", "partial"):
        raise BadSpec(f"run '{row.run_id}' is {row.status}; ask the same question again to finish it")
    return Run(row, kept)


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
        # what is stale or unshocked moves no value, but every answer says it
        held = self.scenarios.variables
        flags = [held[name].values if name in held else None for name in ("stale", "unshocked")]
        return digest(scenario_set.digest(self.scenarios), flags)

    @functools.cached_property
    def content_id(self) -> str:
        """Digest of the spec and all inputs: the same question has the same one."""
        pricing = self.spec.pricing
        asked = (pricing.reporting, pricing.bits, pricing.cut, pricing.wide, self.spec.cell_labels)
        return digest(
            "run", asked, self.portfolio.digest, self.market.digest, self.market.origin, self.scenario_digest
        ).hex()

    @property
    def code(self) -> str:
        """Digest of the code that answers it."""
        parts = [INSTRUMENTS[name].code for name in self.portfolio.instruments]
        return digest(engine_code(), parts).hex() if None not in parts else uuid.uuid4().hex


@dataclass(frozen=True, repr=False)
class Run:
    """A finished run. ``found`` : it was in the store already, nothing was priced."""

    row: RunRow
    store: Store
    found: bool = False

    @property
    def run_id(self) -> str:
        """Id of this execution; what every verb takes."""
        return self.row.run_id

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

    @property
    def complete(self) -> bool:
        """Whether every block and the cells are in the store."""
        keys = self._placement.keys if self.store.has("plans", [self.run_id]) else ()
        stored = self.store.has("blocks", keys)
        return len(stored) == len(set(keys)) and bool(self.store.has("cells", [self.run_id]))

    @functools.cached_property
    def portfolio(self) -> Portfolio:
        """The trades."""
        return load_portfolio(self.store, self.manifest["inputs"]["portfolio"])

    @functools.cached_property
    def market(self) -> MarketSnapshot:
        """The base state."""
        return load_snapshot(self.store, self.manifest["inputs"]["market"])

    @functools.cached_property
    def scenarios(self) -> xr.Dataset:
        """The scenario set."""
        return load_scenarios(self.store, self.manifest["inputs"]["scenarios"])

    @functools.cached_property
    def cube(self) -> Cube:
        """Labelled views of the P&L."""
        stored = self.store.get("cells", self.run_id)
        sums = CellSums(**{name: np.asarray(array) for name, array in stored.arrays.items()})
        weight = self.scenarios["weight"].values if "weight" in self.scenarios else None
        labels = _TradeLabels(self.portfolio)
        cells = cells_of(labels, tuple(self.manifest["cell_labels"]), len(self.portfolio))
        scenarios = self.scenarios["scenario"].values.astype(object)
        return Cube(
            self.store, sums, cells, self._placement, labels, scenarios, weight, self.manifest["bits"], self._attrs
        )

    @functools.cached_property
    def _placement(self) -> Placement:
        return Placement.of(self.store.get("plans", self.run_id))

    @property
    def _attrs(self) -> dict[str, Any]:
        manifest = self.manifest
        return {
            "currency": manifest["reporting"],
            "scenario_set": manifest["scenario_set"],
            "as_of": self.row.as_of,
            "run_id": self.run_id,
            "tick_bits": manifest["bits"],
            "rounding_bound": 0.5 * 2.0 ** -manifest["bits"],
            "origin": list(manifest["origin"]),
            "unshocked_factors": list(manifest["unshocked"]),
        }

    @property
    def trades(self) -> xr.Dataset:
        """Trade level: ``pnl (trade, scenario)`` lazy over the blocks, base value, status, labels."""
        return self.cube.trades()

    @property
    def cells(self) -> xr.Dataset:
        """Cell level, in memory."""
        return self.cube.cell_dataset()

    def aggregate(self, by: Sequence[str] | str = (), where: Mapping[str, Any] | None = None) -> xr.Dataset:
        """P&L, present value, counts and coverage at the total and every node of the labels ``by``, as a tree."""
        return self.cube.nodes((by,) if isinstance(by, str) else tuple(by), where)

    def pnl(self, by: Sequence[str] | str | None = None, where: Mapping[str, Any] | None = None) -> xr.DataArray:
        """P&L in the reporting currency: (scenario), (label, scenario) by one label, (node, scenario) by several."""
        labels = (by,) if isinstance(by, str) else tuple(by or ())
        nodes = self.cube.nodes(labels, where)
        leaves = nodes["pnl"].isel(node=nodes["depth"].values == len(labels)).drop_vars("depth")
        leaves.attrs.update(self._attrs)
        if not labels:
            return leaves.isel(node=0, drop=True)
        return leaves.swap_dims(node=labels[0]) if len(labels) == 1 else leaves

    def trade_table(self, where: Mapping[str, Any] | None = None) -> xr.Dataset:
        """Each trade's base value, status and problem, in portfolio order."""
        status, base, problems = self.cube.status()
        texts = np.array([problems.get(at, "") for at in range(len(base))], dtype=object)
        texts[(texts == "") & (status > Status.EXPIRED)] = "no number in at least one scenario"
        labels = self.cube.labels
        use = np.ones(len(base), np.bool_)
        for label, wanted in (where or {}).items():
            if label not in labels:
                raise UnknownName("label", label, labels)
            use &= np.isin(labels[label].texts(), [wanted] if isinstance(wanted, str) else list(wanted))
        at = np.flatnonzero(use)
        coords = {name: ("trade", labels[name][at].texts()) for name in labels}
        data = {"base_value": ("trade", base[at]), "status": ("trade", status[at]), "problem": ("trade", texts[at])}
        return xr.Dataset(data, coords, attrs=dict(self._attrs))

    def worst_trades(self, scenario: str, count: int = 10, where: Mapping[str, Any] | None = None) -> xr.Dataset:
        """The trades that lose most in one scenario, worst first."""
        labels = list(map(str, self.cube.scenarios))
        if scenario not in labels:
            raise UnknownName("scenario", scenario, labels)
        table = self.trade_table(where)
        place = {text: at for at, text in enumerate(self.cube.labels["trade_id"].texts().tolist())}
        at = np.array([place[str(text)] for text in table["trade_id"].values], np.int64)
        pnl = self.cube.trade_pnl(at)[:, labels.index(scenario)]
        order = np.argsort(np.where(np.isnan(pnl), np.inf, pnl), kind="stable")[:count]
        made = table.isel(trade=order)
        made["scenario_pnl"] = ("trade", pnl[order])
        return made

    def __repr__(self) -> str:
        row = self.row
        return (
            f"Run({row.run_id}, as of {row.as_of}, {row.trades:,} trades x {row.scenarios:,} scenarios, {row.status}, "
            f"{self.manifest['reporting']})"
        )

    def _repr_html_(self) -> str:
        counts = self.manifest["blocks"]
        return (
            f"<b>Run {self.run_id}</b> as of {self.row.as_of}: {self.row.trades:,} trades &times; "
            f"{self.row.scenarios:,} scenarios of <i>{html.escape(self.manifest['scenario_set'])}</i>, "
            f"{self.row.status}; {counts['priced']:,} blocks priced, {counts['found']:,} found; "
            f"answer {short(bytes.fromhex(self.result_id))}"
        )


class _TradeLabels(Mapping[str, Names]):
    """Labels of all trades in portfolio order: instruments sorted, then the rows of their tables."""

    def __init__(self, portfolio: Portfolio) -> None:
        self._portfolio = portfolio
        self._made: dict[str, Names] = {}

    def __getitem__(self, label: str) -> Names:
        if label not in self._made:
            parts = [self._portfolio.label(label, name) for name in self._portfolio.instruments]
            names = tuple(sorted({name for part in parts for name in part.names}))
            place = {name: at for at, name in enumerate(names)}
            codes = [
                np.array([place[name] for name in part.names], np.int32)[part.codes.ravel()]
                for part in parts
                if len(part)
            ]
            self._made[label] = Names(np.concatenate([*codes, np.zeros(0, np.int32)]).astype(np.int32), names)
        return self._made[label]

    def __contains__(self, label: object) -> bool:
        return label in list(self)  # no column is made, and none is looked up that is not there

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys((*self._portfolio.label_names, "instrument", "currency")))

    def __len__(self) -> int:
        return len(list(iter(self)))


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
    labels = _TradeLabels(portfolio)
    for label in cell_labels:
        if label not in labels:
            raise UnknownName("label", label, labels)
    always = [label for label in ("region", "desk", "book") if label not in cell_labels and label in labels]
    made = Pricing(currency, tick_bits(portfolio, market, currency) if bits is None else bits, cut, bits == 32)
    return Spec(made, (*always, *cell_labels))


def _executed(
    asked: _Question,
    store: Store,
    cluster: Any,
    name: str,
    progress: Callable[[Progress], None] | None,
) -> Run:
    begun = time.perf_counter()
    asked = replace(asked, portfolio=rows_as_kept(store, asked.portfolio))
    states = MarketStates(asked.market, asked.scenarios)
    labels = _TradeLabels(asked.portfolio)
    cells = cells_of(labels, asked.spec.cell_labels, len(asked.portfolio))
    catalogue = Catalogue(store.root)
    trades, scenarios = len(asked.portfolio), asked.scenarios.sizes["scenario"]
    row = RunRow(uuid.uuid4().hex[:12], asked.content_id, name, str(asked.market.date), trades, scenarios)
    catalogue.add(row)
    try:
        with connect(cluster) as workers:
            outcome = execute(
                asked.portfolio,
                states,
                asked.spec.pricing,
                store=store,
                workers=workers,
                cell=_by_instrument(asked.portfolio, cells.code),
                cells=len(cells.values),
                progress=progress,
            )
        return _committed(asked, store, row, outcome, cells=cells.values, seconds=time.perf_counter() - begun)
    except BaseException as error:
        seconds = time.perf_counter() - begun
        with contextlib.suppress(StoreError):  # a full disk refuses this too, and is the better reason
            catalogue.finish(row.run_id, "failed", result_id=None, seconds=seconds, manifest={"reason": str(error)})
        raise


def _committed(
    asked: _Question,
    store: Store,
    row: RunRow,
    outcome: Outcome,
    *,
    cells: tuple[tuple[str, ...], ...],
    seconds: float,
) -> Run:
    """Keep inputs, plan and cells; the run becomes visible in the catalogue last."""
    inputs = save_inputs(store, asked.portfolio, asked.market, asked.scenarios, asked.scenario_digest)
    arrays = {name: getattr(outcome.sums, name) for name in CellSums.__dataclass_fields__}
    result = digest("cells", asked.spec.cell_labels, cells, arrays).hex()
    store.put("cells", row.run_id, {"result": result}, arrays)
    store.put("plans", row.run_id, *_placement(asked.portfolio, outcome).parts())
    pricing = asked.spec.pricing
    manifest = {
        "inputs": inputs,
        "reporting": pricing.reporting,
        "bits": pricing.bits,
        "cut": pricing.cut,
        "cell_labels": list(asked.spec.cell_labels),
        "scenario_set": str(asked.scenarios.attrs.get("name", "")),
        "origin": _origins(asked.market),
        "unshocked": outcome.unshocked,
        "code": asked.code,
        "numerics": numerics(),
        "python": sys.version.split()[0],
        "platform": platform.platform(),
        "blocks": {"priced": outcome.priced, "found": outcome.found, "failed": len(outcome.failed)},
        "valuations": outcome.valuations,
        "seconds": {name: round(spent, 4) for name, spent in sorted(outcome.seconds.items())},
    }
    status = "partial" if outcome.failed else "complete"
    catalogue = Catalogue(store.root)
    catalogue.finish(row.run_id, status, result_id=result, seconds=seconds, manifest=manifest)
    return Run(catalogue.get(row.run_id), store)


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


def _placement(portfolio: Portfolio, outcome: Outcome) -> Placement:
    starts = _starts(portfolio)
    block = np.full(len(portfolio), -1, np.int64)
    row = np.full(len(portfolio), -1, np.int64)
    unshocked, stale = np.zeros((2, len(portfolio)), np.int64)
    keys: list[str] = []
    states: list[NDArray[np.intp]] = []
    problems: dict[int, str] = {}
    for piece in outcome.pieces:
        start = starts[piece.instrument.name]
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


def _by_instrument(portfolio: Portfolio, code: NDArray[np.int64]) -> dict[str, NDArray[np.int64]]:
    starts = _starts(portfolio)
    sizes = {name: portfolio.tables[name].num_rows for name in portfolio.instruments}
    return {name: code[starts[name] : starts[name] + sizes[name]] for name in portfolio.instruments}


def _starts(portfolio: Portfolio) -> dict[str, int]:
    sizes = [portfolio.tables[name].num_rows for name in portfolio.instruments]
    return dict(zip(portfolio.instruments, np.cumsum([0, *sizes]).tolist(), strict=False))
