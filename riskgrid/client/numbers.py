"""What is asked of a run's numbers over HTTP, each question once for clients that block and clients that await."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, cast
from urllib.parse import quote

from riskgrid.client.exchange import ARROW, Ask, Manner, Steps, exchanged
from riskgrid.client.refusal import not_riskgrid
from riskgrid.errors import BadSpec, InputError

if TYPE_CHECKING:
    import xarray as xr

    from riskgrid.analysis.contributing import Contributions
    from riskgrid.reporting import Report
    from riskgrid.result import Run

__all__ = [
    "Asked",
    "By",
    "Where",
    "aggregate",
    "by_of",
    "contributions",
    "fetched",
    "named",
    "pnl",
    "report",
    "scenario_table",
    "trade",
    "trade_pnl",
    "trade_table",
    "where_of",
    "worst_trades",
]

#: Trades of one page of a table.
_PAGE = 100_000

type By = Sequence[str] | str
type Where = Mapping[str, Any] | None


class Asked(Protocol):
    """A run of a service. path : of its resource.   manner : how its client asks."""

    @property
    def run_id(self) -> str: ...  # noqa: D102

    @property
    def path(self) -> str: ...  # noqa: D102

    @property
    def manner(self) -> Manner: ...  # noqa: D102


def fetched(
    run: Asked, /, path: str, params: Sequence[tuple[str, str]] = (), seconds: float = 0.0
) -> Steps[xr.Dataset]:
    """Labelled data. path : below the run's.   seconds : that it may take to compute."""
    import pyarrow as pa

    from riskgrid import wire

    ask = Ask("GET", f"{run.path}/{path}", tuple(params), accept=ARROW, seconds=seconds)
    answer = yield from exchanged(ask, run.manner)
    try:
        return wire.from_arrow(pa.ipc.open_stream(io.BytesIO(answer.body)).read_all())
    except (pa.ArrowException, InputError) as error:
        raise not_riskgrid(f"{run.manner.url} answers {ask.said} with what cannot be read ({error})") from None


def aggregate(run: Asked, /, by: By = (), where: Where = None) -> Steps[xr.Dataset]:
    """P&L, present value, counts and coverage at the total and every node of the labels ``by``, as a tree."""
    return (yield from fetched(run, "pnl", [*by_of(by), *where_of(where)]))


def pnl(run: Asked, /, by: By | None = None, where: Where = None) -> Steps[xr.DataArray]:
    """P&L in the reporting currency: (scenario), (label, scenario) by one label, (node, scenario) by several."""
    from riskgrid.pivot import leaves

    labels = (by,) if isinstance(by, str) else tuple(by or ())
    nodes = yield from aggregate(run, labels, where)
    return leaves(nodes, labels)


def report(run: Asked, /, by: By = ("region", "desk"), *, where: Where = None, **measures: Any) -> Steps[Report]:
    """Value, VaR, ES, contribution, worst scenario and coverage of the total and of every node of the tree ``by``.

    measures : levels and methods as :func:`riskgrid.reporting.report` has them. P&L of the nodes is fetched, once for
    all measures of it; the report is made of it here.
    """
    from riskgrid import reporting

    nodes = yield from aggregate(run, by, where)
    return reporting.report(_Fetched(nodes), by, where=where, **measures)


def contributions(
    run: Asked, /, by: By = ("region", "desk"), *, where: Where = None, **measures: Any
) -> Steps[Contributions]:
    """Stand-alone, component, marginal and incremental VaR and ES of every node of the tree ``by``.

    Fetched and made as :func:`report`.
    """
    from riskgrid.analysis import contributing

    nodes = yield from aggregate(run, by, where)
    return contributing.contributions(cast("Run", _Fetched(nodes)), by, where=where, **measures)


def trade_table(run: Asked, /, where: Where = None) -> Steps[xr.Dataset]:
    """Each trade's base value, status and problem, in portfolio order."""
    import xarray as xr

    pages: list[xr.Dataset] = []
    cursor: str | None = None
    while True:
        params = [("limit", str(_PAGE)), *where_of(where), *([("cursor", cursor)] if cursor else [])]
        page = yield from fetched(run, "trades", params)
        cursor = page.attrs.pop("next", None)
        page.attrs.pop("matching", None)
        pages.append(page)
        if not cursor:
            return pages[0] if len(pages) == 1 else xr.concat(pages, "trade", combine_attrs="override")


def worst_trades(run: Asked, /, scenario: str, count: int = 10, where: Where = None) -> Steps[xr.Dataset]:
    """The trades that lose most in one scenario, worst first."""
    path = f"scenarios/{named(scenario)}/trades"
    return (yield from fetched(run, path, [("count", str(count)), *where_of(where)]))


def trade(run: Asked, /, trade_id: str) -> Steps[xr.Dataset]:
    """One trade (trade,): its terms, base value, status and labels."""
    return (yield from fetched(run, f"trades/{named(trade_id)}"))


def trade_pnl(run: Asked, /, trade_id: str) -> Steps[xr.Dataset]:
    """P&L (trade, scenario) of one trade."""
    return (yield from fetched(run, f"trades/{named(trade_id)}/pnl"))


def scenario_table(run: Asked, /, where: Where = None) -> Steps[xr.Dataset]:
    """Scenarios with the P&L (scenario) of the trades asked for, and what their set tells of each."""
    return (yield from fetched(run, "scenarios", where_of(where)))


def by_of(by: By) -> list[tuple[str, str]]:
    """Labels as query parameters; an empty one alone asks for the total.

    >>> by_of("desk"), by_of([])
    ([('by', 'desk')], [('by', '')])
    """
    return [("by", label) for label in ([by] if isinstance(by, str) else list(map(str, by)) or [""])]


def where_of(where: Where) -> list[tuple[str, str]]:
    """Labels and values as query parameters.

    >>> where_of({"desk": ["Rates", "FX"], "region": "EMEA"})
    [('where', 'desk=Rates'), ('where', 'desk=FX'), ('where', 'region=EMEA')]
    """
    return list(_wheres(where or {}))


def _wheres(where: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for label, wanted in where.items():
        for value in [wanted] if isinstance(wanted, str) else wanted:
            yield "where", f"{label}={value}"


def named(name: str) -> str:
    """A name as part of a path. BadSpec for an empty one, whose path would be another's."""
    if name in ("", ".", ".."):
        raise BadSpec(f"{name!r} is no name; the name of a trade, scenario or factor is right")
    return quote(name, safe="")


@dataclass(frozen=True)
class _Fetched:
    """Nodes that were fetched, in place of the run that has them."""

    nodes: xr.Dataset

    def aggregate(self, by: Any, where: Any = None) -> xr.Dataset:  # noqa: ARG002, the nodes are of these
        """The nodes."""
        return self.nodes
