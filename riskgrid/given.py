"""What is handed in as changes: refused where it is of the wrong kind, and put as JSON and Arrow know it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from riskgrid.errors import BadChanges
from riskgrid.market.snapshot import MarketSnapshot
from riskgrid.portfolio import Portfolio
from riskgrid.portfolio.convert import columns_of

__all__ = ["check_kinds", "number", "portfolio_of", "stated"]

_EXAMPLES = {
    "amend": "amend={'T-1': {'strike': 105.0}}",
    "resize": "resize={'T-1': 200.0}",
    "shift": "shift={'equity:*': '-5%'}",
}


def check_kinds(asked: Any) -> None:
    """Raises BadChanges for the first part of some changes that is of another kind than it can be."""
    for name in ("amend", "resize", "shift"):
        if not isinstance(getattr(asked, name), Mapping):
            found = type(getattr(asked, name)).__name__
            raise BadChanges(f"{name} is a {found}; a mapping is right, e.g. Changes({_EXAMPLES[name]})")
    if isinstance(asked.drop, (str, Mapping)) or not isinstance(asked.drop or (), Iterable):
        raise BadChanges(f"drop is {asked.drop!r}; a list of trade_ids is right, e.g. Changes(drop=['T-1'])")
    if isinstance(asked.rehang, (str, Mapping)) or not isinstance(asked.rehang or (), Iterable):
        raise BadChanges(f"rehang is {asked.rehang!r}; a list of rules with 'where' and 'to' is right")
    if not isinstance(asked.add, (Portfolio, Mapping)):
        found = type(asked.add).__name__
        raise BadChanges(f"add is a {found}; a Portfolio is right, or tables or rows by instrument")
    for trade, columns in asked.amend.items():
        if not isinstance(columns, Mapping):
            raise BadChanges(f"amend of trade '{trade}' is {columns!r}; a mapping of columns to values is right")
    kinds: dict[str, Any] = {
        "snapshot": MarketSnapshot,
        "scenarios": xr.Dataset,
        "overlay": (Mapping, Path, xr.Dataset),
    }
    right = {"snapshot": "MarketSnapshot", "scenarios": "scenario set", "overlay": "mapping or scenario set"}
    for name, kind in kinds.items():
        given = getattr(asked, name)
        if given is not None and not isinstance(given, kind):
            raise BadChanges(f"{name} is a {type(given).__name__}; a {right[name]} is right")
    if (asked.date is None) != (asked.history is None):
        raise BadChanges("date and history belong together; Changes(date='2016-06-30', history=...) is right")
    if asked.date is not None and asked.snapshot is not None:
        raise BadChanges("the market is replaced by snapshot and by date; one of both is right")


def portfolio_of(tables: Mapping[str, Any]) -> Portfolio:
    """Trades from tables by instrument, or lists of rows as JSON has them."""
    columns = {}
    for name, table in tables.items():
        rows = isinstance(table, (list, tuple))
        if rows and not all(isinstance(row, Mapping) for row in table):
            raise BadChanges(f"add of {name} holds a row that is no mapping of columns to values")
        columns[str(name)] = columns_of(str(name), table) if rows else table
    return Portfolio.from_tables(columns)


def stated(trade: Any, name: str, value: Any) -> Any:
    """A value as JSON and Arrow know it; an empty one would silently become the default."""
    value = number(value)
    if value is None or bool(pd.isna(value)):
        raise BadChanges(f"'{name}' of trade '{trade}' is {value!r}; a change states a value")
    return value.astype("datetime64[D]").item() if isinstance(value, np.datetime64) else value


def number(value: Any) -> Any:
    """A NumPy scalar as Python's own, a date as it is."""
    return value.item() if isinstance(value, np.generic) and not isinstance(value, np.datetime64) else value
