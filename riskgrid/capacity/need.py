"""What a capacity is asked for: trades by what they cost, scenarios, a deadline."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from riskgrid.cluster.sizing import STARTING
from riskgrid.engine.cost import cost_of, learned
from riskgrid.engine.timing import Labour
from riskgrid.errors import BadSpec
from riskgrid.portfolio import Portfolio
from riskgrid.result import Run
from riskgrid.store import Store

__all__ = ["Kind", "Need", "need_of_book", "need_of_run", "need_of_valuations"]

#: Of the largest block that a cut allows, what blocks are on average: they are halved until they fit.
_FULL = 0.72
#: Seconds of planning a trade at most, measured on 50,000 options under 1,000 scenarios: what a run took beyond that it
#: would have taken for any number of trades.
_PLANNING = 1e-5
#: Trades of a block at most, unless a run says otherwise.
_CUT = 4096
#: Share of a kind's valuations that a run must have priced itself for its blocks to tell how long they are.
_WHOLE = 0.5
#: Part of the deadline that a block may take where nobody says how many trades it has.
_SHARE = 0.05


@dataclass(frozen=True)
class Kind:
    """Trades that cost alike. seconds : of a valuation.   rows : trades of a block.   rests : what seconds rest on."""

    name: str
    trades: int
    seconds: float
    rows: float
    rests: str = "assumed"


@dataclass(frozen=True)
class Need:
    """What is asked. within : seconds.   threads : of a worker.   most : workers allowed.   cut : most trades a block.

    cells, factors : of the book and its market.   planning, planning_each : seconds in any case, and of a trade.
    request : seconds of a request to the store, 0 in a folder.   starting : seconds until workers work.   source :
    where measured numbers are from, nothing where none are.   base : trades there, 0 where nobody knows.   given :
    which of ``trades`` and ``scenarios`` were asked for.
    """

    kinds: tuple[Kind, ...]
    scenarios: int
    within: float = 300.0
    threads: int = 4
    most: int = 100_000
    cut: int = _CUT
    cells: int = 500
    factors: int = 2_000
    planning: float = 0.0
    planning_each: float = _PLANNING
    request: float = 0.0
    starting: float = STARTING
    source: str = ""
    base: int = 0
    given: tuple[str, ...] = ()

    @property
    def trades(self) -> int:
        """Of all kinds."""
        return sum(kind.trades for kind in self.kinds)

    def of_trades(self, trades: int) -> Need:
        """A book of so many, of the same kinds; blocks grow with it until they are full."""
        times = trades / self.trades
        return replace(self, kinds=tuple(self._grown(kind, times) for kind in self.kinds))

    def _grown(self, kind: Kind, times: float) -> Kind:
        trades = max(round(kind.trades * times), 1)
        return replace(kind, trades=trades, rows=min(max(kind.rows * times, 1.0), max(_FULL * self.cut, 1.0), trades))


def need_of_run(run: Run, store: Store) -> Need:
    """What a finished run was asked for, with what its valuations took, else those of the latest runs of its store."""
    labour, market, manifest = Labour.of(run.manifest), run.market, run.manifest
    blocks = sum(manifest["blocks"].values())
    planning = manifest["seconds"].get("planning", 0.0)
    each = min(planning / max(run.row.trades, 1), _PLANNING)
    need = need_of_book(run.portfolio, run.row.scenarios, store)
    kinds = []
    for found in need.kinds:
        one = labour.instruments.get(found.name, {})
        cost = labour.cost(found.name)
        whole = one.get("blocks", 0) and one["valuations"] >= _WHOLE * found.trades * run.row.scenarios
        rows = found.trades / one["blocks"] if whole else max(need.trades / max(blocks, 1), 1.0)
        kind = replace(found, rows=min(rows, found.trades))
        kinds.append(kind if cost is None else replace(kind, seconds=cost, rests="measured"))
    return replace(
        need,
        kinds=tuple(kinds),
        cut=manifest.get("cut", _CUT),
        cells=len(run.cube.cells.base),
        factors=len(market.factors),
        planning=planning - each * need.trades,
        planning_each=each,
        base=need.trades,
        source=f"run '{run.row.name or run.run_id}'",
    )


def need_of_book(portfolio: Portfolio, scenarios: int, store: Store) -> Need:
    """A book under so many scenarios, with what valuations took in the latest runs of a store, else a guess."""
    costs = learned(store)
    kinds = []
    for name in portfolio.instruments:
        trades = len(portfolio.columns(name)["quantity"])
        rests = "measured" if name in costs else "assumed"
        kinds.append(Kind(name, trades, cost_of(name, costs), min(_FULL * _CUT, trades), rests))
    if not kinds:
        raise BadSpec("a book without trades needs nothing; one of 1 trade or more is right")
    return Need(tuple(kinds), scenarios, source="the store's latest runs" if costs else "")


def need_of_valuations(valuations: float, scenarios: int, seconds: float, *, within: float, cut: int | None) -> Need:
    """So many valuations of so many seconds each, all of them assumed.

    cut : trades a block at most; None for as many as are done in a twentieth of the deadline.
    """
    if valuations < 1 or not seconds > 0.0:
        raise BadSpec(f"{valuations:,.0f} valuations of {seconds:g} s each need nothing; more than 0 of both is right")
    states = scenarios + 1
    trades = max(math.ceil(valuations / states), 1)
    fitting = min(max(math.floor(_SHARE * within / (states * seconds)), 1), _CUT) if cut is None else cut
    rows = min(fitting if cut is None else max(_FULL * cut, 1.0), trades)
    return Need((Kind("assumed", trades, seconds, rows),), scenarios, within=within, cut=fitting)
