"""The bundled series as a market history: real ones as they are, with the conventions that the sample market needs."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import yaml

from riskgrid.conventions import CALENDARS, holiday_dates
from riskgrid.market.configuration import Conventions, Frozen, check_conventions
from riskgrid.market.history import MarketHistory
from riskgrid.sample.source import DATA
from riskgrid.terms import Flags, Values

__all__ = ["conventions", "fills", "history", "manifest"]

CALENDAR_YEARS = (2000, 2060)
CURVE, INDEX = "USD-TREASURY", "USD-3M"


@functools.cache
def manifest() -> Frozen:
    """What ``manifest.yaml`` says of every series, file and fill."""
    return Frozen(yaml.safe_load((DATA / "manifest.yaml").read_text(encoding="utf-8")))


def fills() -> Any:
    """Parameters, reasons and sentences of everything that is not a real series.

    >>> fills()["policy_rates"]["rates"]["CHF"]
    -0.0075
    """
    return manifest()["fills"]


@functools.cache
def conventions() -> Conventions:
    """Curves, discounting, the index USD-3M, smiles by moneyness and frozen holidays, 2000 to 2060.

    ``USD-TREASURY`` discounts USD and projects USD-3M; each foreign policy curve discounts its own currency.
    """
    treasury: dict[str, Any] = {"quotes": "par", "interpolation": "linear_zero", "extrapolation": "flat_zero"}
    treasury |= {"payments_per_year": 2, "simple_up_to": "6M"}
    policy = {"quotes": "zero", "interpolation": "linear_zero", "extrapolation": "flat_zero"}
    foreign = {currency: f"{currency}-POLICY" for currency in fills()["policy_rates"]["rates"]}
    index: dict[str, Any] = {"currency": "USD", "curve": CURVE, "tenor": "3M", "day_count": "ACT/360"}
    index |= {"fixing_lag": 2, "calendar": "US"}
    holidays = {name: holiday_dates(name, *CALENDAR_YEARS).tolist() for name in CALENDARS if name != "weekends"}
    return check_conventions(
        {
            "curves": {CURVE: treasury, **dict.fromkeys(foreign.values(), policy)},
            "discount": {"USD": CURVE, **foreign},
            "indices": {INDEX: index},
            "surfaces": {"default": {"sticky": "sticky_moneyness"}},
            "calendars": holidays,
        }
    )


@functools.cache
def history() -> MarketHistory:
    """Every bundled series by date, 1999-01-04 to 2017-03-29, in USD, and the derived spread of US bonds.

    A commodity's series is its spot, ``commodity:WTI:0D``. ``origin`` says of each series whether it is real, and what
    to mind. The default window, 2014-01-03 to 2016-07-01, is complete.

    >>> history().snapshot("2016-06-24").level("equity:SPX")
    2037.41
    """
    table = pq.read_table(DATA / "history.parquet")
    series = manifest()["series"]
    ids = [_factor(name) for name in series]
    values = np.column_stack([table[name].to_numpy() for name in series])
    stale = np.column_stack([table[f"stale:{name}"].to_numpy() for name in series])
    dates = table["date"].to_numpy().astype("datetime64[D]")
    spread, filled = _spread(dates, dict(zip(ids, values.T, strict=True)), dict(zip(ids, stale.T, strict=True)))
    how = fills()["spread"]
    told = [f"{described['origin']}: {described['sentence']}" for described in series.values()]
    return MarketHistory(
        dates,
        (*ids, how["factor"]),
        np.column_stack([values, spread]),
        np.column_stack([stale, filled]),
        "USD",
        conventions(),
        origin={**dict(zip(ids, told, strict=True)), how["factor"]: how["sentence"]},
    )


def _factor(name: str) -> str:
    return f"{name}:0D" if name.startswith("commodity:") else name


def _spread(dates: Any, values: dict[str, Values], stale: dict[str, Flags]) -> tuple[Values, Flags]:
    """Spread (date,) of corporate over Treasury bonds from two funds, NaN where either has no price; its stale mask."""
    how = fills()["spread"]
    corporate, treasury = how["of"], how["against"]
    beyond = np.log(values[corporate]) - how["duration"] / how["against_duration"] * np.log(values[treasury])
    level = -beyond / how["duration"]
    anchor, right = how["anchor"]
    at = int(np.flatnonzero(dates == np.datetime64(anchor))[0])
    return level - level[at] + right, stale[corporate] | stale[treasury]
