"""What the market did next, as scenarios: the levels of a later snapshot put on an earlier one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from riskgrid.errors import BadScenarios, UnknownName
from riskgrid.scenarios import set as scenario_set

if TYPE_CHECKING:
    from riskgrid.market.snapshot import MarketSnapshot

__all__ = ["EXCLUDED", "INCLUDED", "MODELLED", "realised"]

#: Labels of the states: new levels on the old date, new levels on the new date, the new move as the model sees it.
EXCLUDED, INCLUDED, MODELLED = "time excluded", "time included", "risk-theoretical"


def realised(
    market: MarketSnapshot,
    following: MarketSnapshot,
    modelled: xr.Dataset | None = None,
    *,
    scenarios: str | None = None,
) -> xr.Dataset:
    """States that revalue positions of ``market`` with the levels of ``following``, a later snapshot.

    ``time excluded`` : every factor has its level of ``following``, on the date of ``market``; an instantaneous move,
    as the scenarios behind a VaR are.   ``time included`` : on the date of ``following``, with cash settled until then.
    ``risk-theoretical`` : the one scenario of ``modelled``, the same move as a scenario set tells it, with its proxies
    and what it leaves where it is; instantaneous.   scenarios : key of the set that tells the move, kept in the
    provenance.   A factor that ``following`` lacks stays, and is ``unshocked``.
    BadScenarios where ``following`` is not later, or counts in another numeraire.
    Source: hypothetical and risk-theoretical P&L, BCBS, MAR32.8 and MAR32.20 to 32.26 (2020).

    >>> from riskgrid.market.snapshot import MarketSnapshot
    >>> today = MarketSnapshot(np.datetime64("2016-06-23"), "USD", ("fx:GBP",), [1.48])
    >>> float(realised(today, MarketSnapshot(np.datetime64("2016-06-24"), "USD", ("fx:GBP",), [1.366])).offset[0, 0])
    1.366
    """
    if following.date <= market.date:
        raise BadScenarios(f"the market of {following.date} is realised on that of {market.date}; a later one is right")
    if following.numeraire != market.numeraire:
        raise BadScenarios(
            f"the market of {following.date} counts in {following.numeraire}, that of {market.date} in "
            f"{market.numeraire}; one numeraire is right"
        )
    later = dict(zip(following.factors, following.levels.tolist(), strict=True))
    factors = [*market.factors, *_further(modelled, market)]
    held = np.array([factor in later for factor in factors])
    scale = np.where(held, 0.0, 1.0)
    offset = np.array([later.get(factor, 0.0) for factor in factors])
    rows = [(EXCLUDED, market.date, scale, offset), (INCLUDED, following.date, scale, offset)]
    if modelled is not None:
        rows.append((MODELLED, market.date, *_told(modelled, factors)))
    labels, dates, scales, offsets = zip(*rows, strict=True)
    lacking = np.zeros(len(factors), np.bool_)
    lacking[: len(market.factors)] = ~held[: len(market.factors)]
    facts: dict[str, Any] = {"kind": "realised", "from": str(market.date), "to": str(following.date)}
    facts["market"] = following.key
    if scenarios is not None:
        facts["scenarios"] = scenarios
    return scenario_set.shifts(
        labels,
        factors,
        np.stack(scales),
        np.stack(offsets),
        name=f"realised {market.date}..{following.date}",
        kind="realised",
        provenance=facts,
        date=np.array(dates, dtype="datetime64[D]"),
        unshocked=lacking,
    )


def _further(modelled: xr.Dataset | None, market: MarketSnapshot) -> list[str]:
    """What the model shifts beside the market's factors: zero rates at the nodes of par-quoted curves."""
    if modelled is None:
        return []
    if modelled.sizes["scenario"] != 1:
        count = modelled.sizes["scenario"]
        raise BadScenarios(f"the modelled move is a set of {count} scenarios; riskgrid.select takes the one of the day")
    known = scenario_set.shiftable(market).difference(market.factors)
    return [str(factor) for factor in modelled["factor"].values if str(factor) in known]


def _told(modelled: xr.Dataset, factors: list[str]) -> tuple[Any, Any]:
    """The scale and offset (factor,) of the one scenario; a factor that it does not have stays."""
    names = [str(factor) for factor in modelled["factor"].values]
    if not set(names) & set(factors):
        raise BadScenarios(str(UnknownName("factor of the modelled move:", names[0] if names else "", factors)))
    found = modelled.isel(scenario=0).reindex(factor=factors)
    return found["scale"].fillna(1.0).values, found["offset"].fillna(0.0).values
