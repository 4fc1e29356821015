"""The chain of European equity options as a quantitative analyst writes it with NumPy and SciPy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import ndtr

from riskgrid.market.states import MarketStates
from riskgrid.portfolio import Portfolio
from tests.benchmarks.data import TODAY
from tests.benchmarks.plain_curve import discount_table

type Array = Any


@dataclass(frozen=True)
class Options:
    """Terms (trade, 1) and the market in all states, the base first; small tables per name, indexed by trade."""

    strike: Array
    is_call: Array
    size: Array  # multiplier times quantity
    years: Array
    share: Array  # (trade,), row of spot and smile's surface
    spot: Array  # (share, state)
    rate: Array  # (trade,), row of discount
    discount: Array  # (currency and expiry, state)
    to_reporting: Array  # (currency and expiry, state)
    smile: Array  # (trade,), row of variance
    variance: Array  # (share and expiry, moneyness, state), at the expiry
    moneyness: Array  # (moneyness,)

    @classmethod
    def of(cls, portfolio: Portfolio, states: MarketStates) -> Options:
        """Everything that a trade shares with others, once."""
        columns: dict[str, Any] = portfolio.columns("equity_option")
        day = (columns["expiry"] - TODAY).astype(np.int64)
        shares, currencies = columns["underlying"], columns["currency"]
        spot = np.concatenate([states[f"equity:{name}"].panel for name in shares.names])
        pairs, rate = np.unique(np.stack([currencies.codes, day]), axis=1, return_inverse=True)
        discount, to_reporting = np.empty((2, pairs.shape[1], spot.shape[1]))
        for code, name in enumerate(currencies.names):
            here = pairs[0] == code
            discount[here] = discount_table(states[f"discount:{name}"], pairs[1, here] / 365.0)
            to_reporting[here] = 1.0 if name == "USD" else states[f"fx:{name}"].panel
        pairs, smile = np.unique(np.stack([shares.codes, day]), axis=1, return_inverse=True)
        surfaces = [states[f"vol:{name}"] for name in shares.names]
        variance = np.stack([_smile(surfaces[share], days / 365.0) for share, days in pairs.T])
        column = {name: np.asarray(columns[name]).reshape(-1, 1) for name in ("strike", "multiplier", "quantity")}
        is_call = np.array([name == "call" for name in columns["option_type"].names])[columns["option_type"].codes]
        size, years = column["multiplier"] * column["quantity"], day.reshape(-1, 1) / 365.0
        how = (column["strike"], is_call.reshape(-1, 1), size, years, shares.codes, spot, rate.ravel(), discount)
        return cls(*how, to_reporting, smile.ravel(), variance, surfaces[0].moneyness)

    def values(self, rows: slice) -> Array:
        """Value in the reporting currency (trade, state) of these trades."""
        forward = self.spot[self.share[rows]] / self.discount[self.rate[rows]]
        total_vol = self.vol(rows, self.strike[rows] / forward) * np.sqrt(self.years[rows])
        d1 = np.log(forward / self.strike[rows]) / total_vol + 0.5 * total_vol
        side = np.where(self.is_call[rows], 1.0, -1.0)
        gain = side * (forward * ndtr(side * d1) - self.strike[rows] * ndtr(side * (d1 - total_vol)))
        rate = self.rate[rows]
        return self.size[rows] * self.discount[rate] * gain * self.to_reporting[rate]

    def vol(self, rows: slice, moneyness: Array) -> Array:
        """Volatility (trade, state) of these trades: variance linear in moneyness, flat outside."""
        grid, smile, state = self.moneyness, self.smile[rows].reshape(-1, 1), np.arange(moneyness.shape[1])
        left = np.clip(np.searchsorted(grid, moneyness) - 1, 0, len(grid) - 2)
        share = np.clip((moneyness - grid[left]) / (grid[left + 1] - grid[left]), 0.0, 1.0)
        low, high = self.variance[smile, left, state], self.variance[smile, left + 1, state]
        return np.sqrt(low + share * (high - low))


def _smile(surface: Any, years: float) -> Array:
    """Variance (moneyness, state) at an expiry: total variance is linear between expiries, volatility flat outside."""
    times = surface.expiries
    nodes = surface.panel.reshape(len(times), len(surface.moneyness), -1)
    inside = float(np.clip(years, times[0], times[-1]))
    high = int(np.clip(np.searchsorted(times, inside), 1, len(times) - 1))
    share = (inside - times[high - 1]) / (times[high] - times[high - 1])
    return ((1.0 - share) * times[high - 1] * nodes[high - 1] + share * times[high] * nodes[high]) / inside
