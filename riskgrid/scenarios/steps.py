"""The steps of a P&L explain: the date moves to the later one, then factors to their later levels, group by group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
import xarray as xr

from riskgrid.errors import BadSpec, UnknownName
from riskgrid.market.configuration import Frozen
from riskgrid.market.objects import Fixings
from riskgrid.market.snapshot import MarketSnapshot
from riskgrid.scenarios.group import OTHER, members
from riskgrid.scenarios.set import shifts
from riskgrid.terms import Values

__all__ = [
    "ALL",
    "GROUPS",
    "ORDERS",
    "THETA",
    "conversion",
    "grouped",
    "joined_fixings",
    "object_steps",
    "restated",
    "steps",
]

#: Groups of factors of an explain, group to patterns; what none of them names is in the group ``other``.
GROUPS: Mapping[str, Sequence[str]] = Frozen(
    {
        "spot": ("equity:*", "commodity:*", "fx:*", "index:*"),
        "rates": ("zero:*", "par:*"),
        "volatility": ("vol:*",),
        "credit": ("hazard:*", "spread:*", "recovery:*"),
    }
)

#: ``from_base`` moves each group alone and leaves a cross, ``in_sequence`` one after another, in their order.
ORDERS = ("from_base", "in_sequence")

THETA, ALL = "theta", "all"

type Order = Literal["from_base", "in_sequence"]


def grouped(factors: Sequence[str], groups: Mapping[str, Sequence[str]] = GROUPS) -> dict[str, tuple[str, ...]]:
    """The factors of each group, those that no pattern names in ``other``, which is the last one unless it is given.

    BadScenarios where two groups name a factor, BadSpec where a group has the name of a step.

    >>> grouped(["dividend:AAPL", "fx:EUR", "vol:AAPL:1Y:1.00"])["other"]
    ('dividend:AAPL',)
    """
    for group in groups:
        if group in (THETA, ALL):
            raise BadSpec(
                f"a group of factors is called '{group}', as a step of every explain is; another name is right"
            )
    found = members(factors, groups)
    return {group: tuple(found.get(group, ())) for group in dict.fromkeys((*groups, OTHER))}


def steps(
    before: MarketSnapshot,
    after: MarketSnapshot,
    groups: Mapping[str, Sequence[str]] = GROUPS,
    *,
    order: Order = "from_base",
) -> xr.Dataset:
    """States of the later date: ``theta`` with the earlier levels, then one a group with its factors at later levels.

    ``from_base`` : each group alone, then ``all`` of them.   ``in_sequence`` : each on top of those before it, in the
    order of ``groups``; the last one is all.   Levels are the later ones to the last bit. A factor that only one of
    the markets has stays. UnknownName for another order, BadScenarios where the later market is of an earlier date.

    >>> levels = {"2016-06-23": 1.13, "2016-06-24": 1.11}
    >>> one, two = (MarketSnapshot(np.datetime64(day), "USD", ("fx:EUR",), [x]) for day, x in levels.items())
    >>> steps(one, two)["scenario"].values.tolist()
    ['theta', 'spot', 'rates', 'volatility', 'credit', 'other', 'all']
    """
    if order not in ORDERS:
        raise UnknownName("order of an explain", order, ORDERS)
    factors, levels = _moved(before, after)
    members = grouped(factors, groups)
    labels = [THETA, *members, *([ALL] if order == "from_base" else [])]
    place = {factor: at for at, factor in enumerate(factors)}
    moves = np.zeros((len(labels), len(factors)), np.bool_)
    for row, group in enumerate(members, 1):
        moves[row, [place[factor] for factor in members[group]]] = True
    if order == "from_base":
        moves[-1] = True
    else:
        moves = np.logical_or.accumulate(moves, axis=0)
    dates = np.full(len(labels), after.date)
    facts = {"kind": "steps", "order": order, "groups": {group: list(found) for group, found in members.items()}}
    return shifts(
        labels,
        factors,
        np.where(moves, 0.0, 1.0),
        np.where(moves, levels, 0.0),
        name=f"steps to {after.date}",
        kind="steps",
        provenance=facts,
        date=dates,
    )


def object_steps(before: MarketSnapshot, after: MarketSnapshot) -> xr.Dataset:
    """A state a market object, ``kind:name``, that moves: its factors alone at their later levels; then ``all``.

    >>> day = np.datetime64("2016-06-23")
    >>> one, two = (MarketSnapshot(day, "USD", ("fx:EUR", "fx:GBP"), [level, 1.4]) for level in (1.13, 1.11))
    >>> object_steps(one, two)["scenario"].values.tolist()
    ['fx:EUR', 'all']
    """
    factors, levels = _moved(before, after)
    owner = [":".join(factor.split(":")[:2]) for factor in factors]
    names = sorted(set(owner))
    moves = np.array([[one == name for one in owner] for name in names] + [[True] * len(owner)], np.bool_)
    moves = moves.reshape(len(names) + 1, len(factors))
    return shifts(
        [*names, ALL],
        factors,
        np.where(moves, 0.0, 1.0),
        np.where(moves, levels, 0.0),
        name=f"objects to {after.date}",
        kind="steps",
        provenance={"kind": "object_steps"},
    )


def restated(market: MarketSnapshot, date: np.datetime64, fixings: Mapping[str, Fixings]) -> MarketSnapshot:
    """The market's levels and conventions on a date, with these fixings.

    Levels of a surface are quoted by moneyness, so between two dates every surface is ``sticky_moneyness``; this moves
    no value of the market itself.
    """
    conventions = Frozen({**market.conventions, "surfaces": {"default": {"sticky": "sticky_moneyness"}}})
    return MarketSnapshot(date, market.numeraire, market.factors, market.levels, conventions, fixings, market.origin)


def joined_fixings(first: Mapping[str, Fixings], second: Mapping[str, Fixings]) -> dict[str, Fixings]:
    """Every fixing that either has, that of ``second`` where both have one of an index and a date.

    >>> old, new = (Fixings(np.array([day], "datetime64[D]"), np.array([0.01])) for day in ("2016-06-23", "2016-06-24"))
    >>> joined_fixings({"USD-3M": old}, {"USD-3M": new})["USD-3M"].dates.tolist()
    [datetime.date(2016, 6, 23), datetime.date(2016, 6, 24)]
    """
    found = {**first, **second}
    for name in first.keys() & second.keys():
        old, new = first[name], second[name]
        lost = ~np.isin(old.dates, new.dates)
        dates = np.concatenate([old.dates[lost], new.dates])
        order = np.argsort(dates, kind="stable")
        found[name] = Fixings(dates[order], np.concatenate([old.values[lost], new.values])[order])
    return found


def conversion(market: MarketSnapshot, scenarios: xr.Dataset, currencies: Sequence[str], reporting: str) -> Values:
    """Units of ``reporting`` per unit of each currency in each state, (currency, 1 + scenario), the market's own first.

    >>> day = np.datetime64("2016-06-23")
    >>> one, two = (MarketSnapshot(day, "USD", ("fx:EUR",), [level]) for level in (1.25, 1.0))
    >>> conversion(one, object_steps(one, two), ["USD"], "EUR").tolist()
    [[0.8, 1.0, 1.0]]
    """
    column = {str(factor): at for at, factor in enumerate(scenarios["factor"].values)}
    scale, offset = scenarios["scale"].values, scenarios["offset"].values

    def numeraire_per(currency: str) -> Values:
        if currency == market.numeraire:
            return np.ones(1 + len(scale))
        factor = f"fx:{currency}"
        level = np.full(1 + len(scale), market.level(factor) if factor in market.factors else np.nan)
        if factor in column:
            level[1:] = scale[:, column[factor]] * level[1:] + offset[:, column[factor]]
        return level

    made = (
        np.stack([numeraire_per(currency) for currency in currencies]) if currencies else np.ones((0, 1 + len(scale)))
    )
    return np.asarray(made / numeraire_per(reporting))


def _moved(before: MarketSnapshot, after: MarketSnapshot) -> tuple[list[str], Values]:
    """Factors of both markets that differ in level, and their later levels."""
    later = dict(zip(after.factors, after.levels.tolist(), strict=True))
    moved = [
        factor
        for factor, level in zip(before.factors, before.levels.tolist(), strict=True)
        if factor in later and later[factor] != level
    ]
    return moved, np.array([later[factor] for factor in moved])
