"""What a portfolio holds: trades by instrument, with how many desks, books and counterparties they have."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from riskgrid.hashing import short
from riskgrid.terms import Names

if TYPE_CHECKING:
    from riskgrid.page import Section
    from riskgrid.portfolio.portfolio import Portfolio

__all__ = ["contents_section"]


def contents_section(portfolio: Portfolio) -> Section:
    """A row an instrument and one of all: trades, and how many different values each label has."""
    from riskgrid.page import Column, Row, Section

    instruments = portfolio.instruments
    values = {label: [_values(portfolio, label, each) for each in instruments] for label in portfolio.label_names[1:]}
    labels = [label for label, found in values.items() if any(found)]
    dates = [np.sort(portfolio.tables[each]["trade_date"].to_numpy().astype("datetime64[D]")) for each in instruments]
    every = [[set().union(*values[label])] for label in labels]
    rows = [Row("Total", [f"{len(portfolio):,}", *_counts(every, 0)], parent=len(instruments) > 0)]
    for at, name in enumerate(instruments):
        trades = f"{portfolio.tables[name].num_rows:,}"
        rows.append(Row(name, [trades, *_counts([values[label] for label in labels], at)], 1))
    heads = [Column("Trades", kind="count")]
    heads += [Column(label.replace("_", " ").capitalize(), "different", "count") for label in labels]
    lost = len(portfolio.rejected)
    said = (
        [f"* {lost:,} bad cell{'s' * (lost > 1)} in the files, whose rows are left out: see rejected."] if lost else []
    )
    said += [f"Traded {span}."] if (span := _span(dates)) else []
    said.append(f"Content {short(portfolio.digest)}: the same for the same trades in any order and file.")
    title = "Portfolio of 1 trade" if len(portfolio) == 1 else f"Portfolio of {len(portfolio):,} trades"
    return Section(title, "Instrument", heads, rows, said)


def _values(portfolio: Portfolio, label: str, instrument: str) -> set[str]:
    names: Names = portfolio.label(label, instrument)
    return set(names.names) - {""}


def _counts(values: list[list[set[str]]], at: int) -> list[str]:
    return [f"{len(column[at]):,}" for column in values]


def _span(dates: list[NDArray[np.datetime64]]) -> str:
    known = [each for each in dates if len(each)]
    if not known:
        return ""
    first, last = min(each[0] for each in known), max(each[-1] for each in known)
    return str(first) if first == last else f"{first} to {last}"
