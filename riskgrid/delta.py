"""What changes do to a portfolio: trades that leave, trades that come, labels that change."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.compute as pc

from riskgrid.books import Books
from riskgrid.errors import BadChanges, BadRows, UnknownName
from riskgrid.portfolio import Portfolio
from riskgrid.rehang import Rehang, all_hit, known_labels, rehung
from riskgrid.terms import COMMON_TERMS

__all__ = ["Delta", "Trades", "delta_of"]

#: Trade_id to the columns that change.
type Changed = Mapping[str, Mapping[str, Any]]


class Trades(Protocol):
    """What changes look into: a portfolio, or one with what-ifs below it."""

    @property
    def label_names(self) -> tuple[str, ...]:
        """Labels that trades have."""
        ...

    def select(self, trade_ids: Iterable[str]) -> Portfolio:
        """These trades as they are."""
        ...

    def places(self, trade_ids: Iterable[str]) -> Any:
        """Where they stand. UnknownName for one that is not there."""
        ...

    def known(self, trade_ids: Iterable[str]) -> set[str]:
        """Which of them are there."""
        ...

    def outside(self, books: Books) -> list[str]:
        """The trades that are in none of these books."""
        ...


@dataclass(frozen=True)
class Delta:
    """What changes do to a portfolio. gone : trade_ids that leave.   new : trades that come, also amended ones.

    rules : labels that change thereafter, of the trades that stay and of the new ones.   outside : of those that
    leave, the ones that are in none of the books that are left: nothing is said of them any more.
    """

    gone: tuple[str, ...]
    new: Portfolio
    rules: tuple[Rehang, ...] = ()
    outside: tuple[str, ...] = ()

    def applied(self, portfolio: Portfolio) -> Portfolio:
        """The changed portfolio, rows in order of their trade_id. BadChanges for a rule that hits no trade."""
        lookup = pa.array(self.gone, pa.string())
        kept = {}
        for name, table in portfolio.tables.items():
            left = table.filter(pc.invert(pc.is_in(table["trade_id"].cast(pa.string()), value_set=lookup)))
            if left.num_rows:
                kept[name] = left
        changed = Portfolio.concat([Portfolio(kept, portfolio.rejected), self.new])
        if self.rules:
            changed, hits = rehung(changed, self.rules)
            all_hit(self.rules, hits)
        return changed.in_order()


def delta_of(  # noqa: PLR0917, the parts of changes
    portfolio: Trades,
    added: Portfolio,
    changed: Changed,
    dropped: tuple[str, ...],
    rules: tuple[Rehang, ...],
    only: Books | None = None,
) -> Delta:
    """The delta of trades that are added, changed and dropped, and of rules for labels.

    only : books beside which every trade leaves that is not added.
    UnknownName, BadChanges or BadRows for what cannot be done to these trades.
    """
    amended = portfolio.select(changed) if changed else Portfolio({})
    if dropped:
        portfolio.places(dropped)  # an unknown one is an error
    columns = {name: _columns(changed, name, table) for name, table in amended.tables.items()}
    amended, labelled = _parted(changed, _with(amended, columns)) if columns else (amended, ())
    both = [part for part in (added, amended) if len(part)]
    new = Portfolio.concat(both) if len(both) > 1 else both[0] if both else added
    gone = (*_ids(amended), *dropped)
    outside = () if only is None else _outside(portfolio, only, gone)
    gone = (*gone, *outside)
    if len(added):
        twice = sorted(portfolio.known(_ids(added)) - set(gone))
        if twice:
            raise BadChanges(f"trade '{twice[0]}' is added, but the portfolio has it; amend it, or drop it as well")
    if rules:
        labels = dict.fromkeys((*portfolio.label_names, *known_labels([added])))
        for rule in rules:
            rule.check(labels)
    # a portfolio and one with what-ifs below it hand out rows in different orders, and places count them
    return Delta(gone, new.in_order() if len(new) > 1 else new, (*labelled, *rules), outside)


def _with(amended: Portfolio, columns: Mapping[str, Mapping[str, Any]]) -> Portfolio:
    """Trades with other values. BadRows that names the trades: who changes them has no table with lines."""
    try:
        return amended.with_columns(columns)
    except BadRows as error:
        ids = {f"table '{name}'": _ids(Portfolio({name: table})) for name, table in amended.tables.items()}
        named = [
            row if row.line is None else replace(row, file=f"trade '{ids[row.file][row.line - 2]}'", line=None)
            for row in error.rows
        ]
        raise BadRows(named, "the changes") from None


def _outside(portfolio: Trades, only: Books, gone: tuple[str, ...]) -> tuple[str, ...]:
    """The trades in none of some books. gone : those that leave or change.  BadChanges where one is among both."""
    only.check((*portfolio.label_names, "instrument", "currency"))
    outside = portfolio.outside(only)
    both = set(gone).intersection(outside)
    if both:
        raise BadChanges(f"trade '{min(both)}' is changed, and left out by only {only}; one of both is right")
    return tuple(outside)


def _columns(changed: Changed, instrument: str, table: Any) -> dict[str, list[Any]]:
    """The columns of an instrument's changed trades in which any of them changes."""
    ids = table["trade_id"].to_pylist()
    known = [name for name in table.column_names if name != "trade_id"]
    for trade in ids:
        unknown = [name for name in changed[trade] if name not in known]
        if unknown:
            raise UnknownName(f"column of {instrument}, in the change of trade '{trade}',", unknown[0], known)
    names = dict.fromkeys(name for trade in ids for name in changed[trade])
    return {
        name: [changed[trade].get(name, value) for trade, value in zip(ids, table[name].to_pylist(), strict=True)]
        for name in names
    }


def _parted(changed: Changed, amended: Portfolio) -> tuple[Portfolio, tuple[Rehang, ...]]:
    """The trades of which a term changes, and rules for those of which labels alone do."""
    tables: dict[str, Any] = {}
    trades: dict[tuple[tuple[str, str], ...], list[str]] = {}
    for name, table in amended.tables.items():
        labels = set(table.column_names[: table.column_names.index(COMMON_TERMS[0].name)])
        ids = table["trade_id"].to_pylist()
        priced = [not labels.issuperset(changed[trade]) for trade in ids]
        for row, trade in enumerate(ids):
            if not priced[row]:
                to = tuple((label, table[label][row].as_py()) for label in sorted(changed[trade]))
                trades.setdefault(to, []).append(trade)
        if any(priced):
            tables[name] = table if all(priced) else table.filter(pa.array(priced))
    rules = (Rehang({"trade_id": tuple(ids)}, dict(to)) for to, ids in trades.items())
    return Portfolio(tables, amended.rejected), tuple(rules)


def _ids(portfolio: Portfolio) -> list[str]:
    return [trade for table in portfolio.tables.values() for trade in table["trade_id"].to_pylist()]
