"""Changes to a run's inputs: trades added, amended, resized or dropped, market factors shifted."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Protocol, Self

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from riskgrid.errors import BadChanges, UnknownName
from riskgrid.hashing import digest
from riskgrid.market.snapshot import MarketSnapshot
from riskgrid.portfolio import Portfolio
from riskgrid.scenarios.stress import stress

__all__ = ["Changes", "Delta"]

_KEYS = ("add", "amend", "resize", "drop", "shift")
_EXAMPLES = {
    "amend": "amend={'T-1': {'strike': 105.0}}",
    "resize": "resize={'T-1': 200.0}",
    "shift": "shift={'equity:*': '-5%'}",
}


class Trades(Protocol):
    """What changes look into: a portfolio, or one with what-ifs below it."""

    def select(self, trade_ids: Iterable[str]) -> Portfolio: ...
    def places(self, trade_ids: Iterable[str]) -> Any: ...
    def known(self, trade_ids: Iterable[str]) -> set[str]: ...


@dataclass(frozen=True)
class Delta:
    """What changes do to a portfolio. gone : trade_ids that leave.   new : trades that come, also amended ones."""

    gone: tuple[str, ...]
    new: Portfolio

    def applied(self, portfolio: Portfolio) -> Portfolio:
        """The changed portfolio, rows in order of their trade_id."""
        lookup = pa.array(self.gone, pa.string())
        kept = {}
        for name, table in portfolio.tables.items():
            left = table.filter(pc.invert(pc.is_in(table["trade_id"].cast(pa.string()), value_set=lookup)))
            if left.num_rows:
                kept[name] = left
        return Portfolio.concat([Portfolio(kept, portfolio.rejected), self.new]).in_order()


@dataclass(frozen=True, eq=False)
class Changes:
    """What a what-if does to a run.

    add : trades that come, a Portfolio, tables by instrument or lists of rows.   amend : trade_id to the columns that
    change.   resize : trade_id to its new quantity.   drop : trade_ids that leave.   shift : factor pattern to a shock
    of the grammar of :mod:`riskgrid.scenarios.stress` (``-20%``, ``+50bp``, ``=0.02``), applied to the base market,
    under which every scenario is taken again.

    >>> Changes(drop=["T-1"], shift={"fx:EUR": "-5%"})
    Changes(drop 1 trade; shift fx:EUR -5%)
    """

    add: Portfolio | Mapping[str, Any] = field(default_factory=dict)
    amend: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    resize: Mapping[str, float] = field(default_factory=dict)
    drop: Iterable[str] = ()
    shift: Mapping[str, str | float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("amend", "resize", "shift"):
            if not isinstance(getattr(self, name), Mapping):
                found = type(getattr(self, name)).__name__
                raise BadChanges(f"{name} is a {found}; a mapping is right, e.g. Changes({_EXAMPLES[name]})")
        if isinstance(self.drop, (str, Mapping)) or not isinstance(self.drop or (), Iterable):
            raise BadChanges(f"drop is {self.drop!r}; a list of trade_ids is right, e.g. Changes(drop=['T-1'])")
        if not isinstance(self.add, (Portfolio, Mapping)):
            found = type(self.add).__name__
            raise BadChanges(f"add is a {found}; a Portfolio is right, or tables or rows by instrument")
        for trade, columns in self.amend.items():
            if not isinstance(columns, Mapping):
                raise BadChanges(f"amend of trade '{trade}' is {columns!r}; a mapping of columns to values is right")
        made: dict[str, Any] = {
            "add": self.add if isinstance(self.add, Portfolio) else _portfolio(self.add),
            "drop": tuple(dict.fromkeys(map(str, self.drop or ()))),
            "amend": {
                str(trade): {name: _stated(trade, name, value) for name, value in columns.items()}
                for trade, columns in self.amend.items()
                if columns
            },
            "resize": {str(trade): _stated(trade, "quantity", value) for trade, value in self.resize.items()},
            "shift": {str(pattern): _number(shock) for pattern, shock in self.shift.items()},
        }
        if made["add"].rejected:
            raise BadChanges(
                f"the trades to add have {len(made['add'].rejected):,} bad cells; mend them or leave their rows out"
            )
        for name, value in made.items():
            object.__setattr__(self, name, value)
        both = set(self.drop) & (set(self.amend) | set(self.resize))
        if both:
            raise BadChanges(f"trade '{min(both)}' is dropped and changed at once; one of both is right")

    @classmethod
    def from_dict(cls, form: Mapping[str, Any]) -> Self:
        """The changes that :meth:`to_dict` wrote, or a user did in JSON or YAML.  UnknownName for another key."""
        if not isinstance(form, Mapping):
            raise BadChanges(
                f"changes are a {type(form).__name__}; Changes or a mapping of {', '.join(_KEYS)} is right"
            )
        for key in form:
            if key not in _KEYS:
                raise UnknownName("change", key, _KEYS)
        return cls(**{key: value for key, value in form.items() if value})

    def to_dict(self) -> dict[str, Any]:
        """Plain values that JSON and YAML can hold; what changes nothing is left out."""
        added: Portfolio = self.add  # type: ignore[assignment]
        form = {
            "add": {name: [_plain(row) for row in table.to_pylist()] for name, table in added.tables.items()},
            "amend": {trade: _plain(columns) for trade, columns in self.amend.items()},
            "resize": dict(self.resize),
            "drop": list(self.drop),
            "shift": dict(self.shift),
        }
        return {key: value for key, value in form.items() if value}

    @functools.cached_property
    def changed(self) -> Mapping[str, Mapping[str, Any]]:
        """Trade_id to the columns that change, quantities among them."""
        found = {trade: dict(columns) for trade, columns in self.amend.items()}
        for trade, quantity in self.resize.items():
            if "quantity" in found.setdefault(trade, {}):
                raise BadChanges(f"trade '{trade}' gets its quantity by amend and by resize; one of both is right")
            found[trade]["quantity"] = quantity
        return found

    def delta(self, portfolio: Trades) -> Delta:
        """What the changes do to a portfolio. UnknownName for a trade or column that is not there, BadRows with every
        wrong cell."""
        added: Portfolio = self.add  # type: ignore[assignment]
        gone = (*self.changed, *self.drop)
        amended = portfolio.select(self.changed) if self.changed else Portfolio({})
        portfolio.places(self.drop)  # an unknown one is an error
        changed = {name: self._columns(name, table) for name, table in amended.tables.items()}
        new = Portfolio.concat([added, amended.with_columns(changed)]) if changed else added
        twice = sorted(portfolio.known(_ids(added)) - set(gone)) if len(added) else []
        if twice:
            raise BadChanges(f"trade '{twice[0]}' is added, but the portfolio has it; amend it, or drop it as well")
        return Delta(gone, new)

    def market(self, market: MarketSnapshot) -> MarketSnapshot:
        """The market after the shifts. BadScenarios lists every line that matches no factor or cannot be read."""
        if not self.shift:
            return market
        made = stress({"shift": self.shift}, market)
        levels = {}
        for at, factor in enumerate(made["factor"].values.tolist()):
            if factor not in market.factors:
                raise BadChanges(
                    f"'{factor}' is no level of the market but follows from its quotes; shift par:... factors, or run "
                    "the shift as a stress scenario"
                )
            scale, offset = float(made["scale"].values[0, at]), float(made["offset"].values[0, at])
            levels[factor] = scale * market.level(factor) + offset
        return market.replace(levels)

    @functools.cached_property
    def digest(self) -> bytes:
        """Digest of what is asked, the same for any order in which it is said; of shifts the order counts."""
        added: Portfolio = self.add  # type: ignore[assignment]
        shifts = [[pattern, shock] for pattern, shock in self.shift.items()]
        return digest(
            "changes",
            added.digest,
            {trade: _plain(columns) for trade, columns in self.changed.items()},
            sorted(self.drop),
            shifts,
        )

    def __bool__(self) -> bool:
        added: Portfolio = self.add  # type: ignore[assignment]
        return bool(len(added) or self.changed or self.drop or self.shift)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Changes) and self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    def _columns(self, instrument: str, table: Any) -> dict[str, list[Any]]:
        """The columns of an instrument's changed trades in which any of them changes."""
        ids = table["trade_id"].to_pylist()
        known = [name for name in table.column_names if name != "trade_id"]
        for trade in ids:
            unknown = [name for name in self.changed[trade] if name not in known]
            if unknown:
                raise UnknownName(f"column of {instrument}, in the change of trade '{trade}',", unknown[0], known)
        names = dict.fromkeys(name for trade in ids for name in self.changed[trade])
        return {
            name: [
                self.changed[trade].get(name, value) for trade, value in zip(ids, table[name].to_pylist(), strict=True)
            ]
            for name in names
        }

    def __repr__(self) -> str:
        return f"Changes({self})"

    def __str__(self) -> str:
        added: Portfolio = self.add  # type: ignore[assignment]
        counts = {
            "add": len(added),
            "amend": len(self.amend),
            "resize": len(self.resize),
            "drop": len(tuple(self.drop)),
        }
        said = [f"{verb} {count:,} trade{'s' if count > 1 else ''}" for verb, count in counts.items() if count]
        said += [f"shift {pattern} {shock}" for pattern, shock in self.shift.items()]
        return "; ".join(said) or "nothing"


def _portfolio(tables: Mapping[str, Any]) -> Portfolio:
    """Trades from tables by instrument, or lists of rows as JSON has them."""
    columns = {}
    for name, table in tables.items():
        rows = isinstance(table, (list, tuple))
        if rows and not all(isinstance(row, Mapping) for row in table):
            raise BadChanges(f"add of {name} holds a row that is no mapping of columns to values")
        keys = dict.fromkeys(key for row in table for key in row) if rows else {}
        columns[str(name)] = {key: [row.get(key) for row in table] for key in keys} if rows else table
    return Portfolio.from_tables(columns)


def _ids(portfolio: Portfolio) -> list[str]:
    return [trade for table in portfolio.tables.values() for trade in table["trade_id"].to_pylist()]


def _stated(trade: Any, name: str, value: Any) -> Any:
    """A value as JSON and Arrow know it; an empty one would silently become the default."""
    value = _number(value)
    if value is None or bool(pd.isna(value)):
        raise BadChanges(f"'{name}' of trade '{trade}' is {value!r}; a change states a value")
    return value.astype("datetime64[D]").item() if isinstance(value, np.datetime64) else value


def _number(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) and not isinstance(value, np.datetime64) else value


def _plain(columns: Mapping[str, Any]) -> dict[str, Any]:
    """Values as JSON has them: dates as text."""
    return {name: str(value) if isinstance(value, (date, np.datetime64)) else value for name, value in columns.items()}
