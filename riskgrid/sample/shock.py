"""Scenario sets of the sample market: its history with proxies for what has none, and hypothetical shocks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from riskgrid.conventions import tenor_years
from riskgrid.registry import SCENARIO_SETS
from riskgrid.sample.bundle import fills, history
from riskgrid.sample.fill import DEFAULT_DATE, FIRST_DATE, classes, issuers, market

if TYPE_CHECKING:
    from riskgrid.market.snapshot import MarketSnapshot

__all__ = ["STRESS", "proxies", "scenarios", "stress"]

STRESS = Path(__file__).parent / "stress.yaml"
MONTH = 30.0 / 365.0  # of VIX


def proxies() -> list[tuple[str, str, float]]:
    """Rows (factor pattern, proxy factor, beta) for every factor of the sample market that has no history.

    A volatility moves with VIX by its class's beta, times sqrt(30 days / T) beyond 30 days; a commodity's forward price
    with spot by exp(-a T); an issuer's spread with ``spread:US-IG`` by its multiple. Foreign policy curves have no row:
    they are ``unshocked``.

    >>> dict((pattern, beta) for pattern, _, beta in proxies())["commodity:XAU:1Y"]
    1.0
    """
    rows = []
    for name, kind in classes().items():
        for tenor in fills()["smile"]["expiries"]:
            decay = float(np.sqrt(min(1.0, MONTH / tenor_years(tenor))))
            rows.append((f"vol:{name}:{tenor}:*", "index:VIX", fills()["classes"][kind]["beta"] * decay))
    for name, reversion in fills()["forward_prices"]["reversion"].items():
        for tenor in fills()["forward_prices"]["tenors"]:
            beta = float(np.exp(-reversion * tenor_years(tenor)))
            rows.append((f"commodity:{name}:{tenor}", f"commodity:{name}:0D", beta))
    rows += [(f"spread:{name}", fills()["spread"]["factor"], multiple) for name, multiple in issuers().items()]
    return rows


def scenarios(date: np.datetime64 | str = DEFAULT_DATE, count: int | None = None, **options: Any) -> xr.Dataset:
    """Historical scenarios of the sample market on a date, from 2014-01-04 on or the last ``count``.

    ``options`` : those of :func:`riskgrid.scenarios.historical.historical`, which come before the defaults; ``market``
    replaces the sample market of the date.   Raises BadScenarios as it does.

    >>> scenarios("2016-06-24", count=2)["scenario"].values.tolist()
    ['2016-06-23', '2016-06-24']
    """
    base = options.pop("market", None)
    chosen = {"proxies": proxies(), "count": count, **options}
    if count is None:
        chosen.setdefault("start", FIRST_DATE)
    found: xr.Dataset = SCENARIO_SETS["historical"](history(), market(date) if base is None else base, **chosen)
    return found


def stress(base: MarketSnapshot | None = None) -> xr.Dataset:
    """The hypothetical scenarios of ``stress.yaml`` on a market, by default the sample's of 2016-07-01.

    >>> "oil price war" in stress()["scenario"].values
    True
    """
    found: xr.Dataset = SCENARIO_SETS["stress"](STRESS, market() if base is None else base)
    return found
