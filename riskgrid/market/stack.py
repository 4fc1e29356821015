"""Shared tables of a block: what depends on (market object, date, state) alone is computed once, not per trade."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from riskgrid import formulas
from riskgrid.formulas.surface import SurfaceLookUp
from riskgrid.market.curves import curve_weights, price_weights, zero_weights
from riskgrid.market.objects import Curve, Level, MarketObject, Prices, Surface
from riskgrid.quantity import Quantity, gather, source
from riskgrid.terms import Values

__all__ = ["Clock", "Rows", "Stack", "answer", "distinct"]

#: Up to so many elements a dictionary finds distinct rows faster than arrays do.
_FEW = 64

type Weights = tuple[NDArray[np.int32], Values]
type Index = NDArray[np.int64]


class Clock(Protocol):
    """The two dates of a market view."""

    base_date: np.datetime64
    date: np.datetime64


@dataclass(frozen=True)
class Rows:
    """Rows ``function(panel, index, weight)`` of a table; index, weight : (row, k), into the rows of ``panel``."""

    panel: Quantity
    index: NDArray[np.int32]
    weight: Values
    function: Callable[..., Values]

    def table(self) -> Quantity:
        """The whole table, shared by all trades."""
        return Quantity(self._evaluate, (self.panel,), extent="once", rows=len(self.index))

    def by_trade(self, row: Index) -> Quantity:
        """A row for each trade, computed in the trade's own tile."""
        arrays = (self.index[row], self.weight[row])
        return Quantity(self.function, (self.panel,), extent="tile", by_trade=arrays)

    def _evaluate(self, panel: Values, out: Any = None) -> Values:
        return self.function(panel, self.index, self.weight, out=out)


def distinct(*columns: Index) -> tuple[Index, Index]:
    """The distinct rows of equally long integer columns ``(row, column)``, and the row of each element.

    >>> distinct(np.array([0, 1, 0]), np.array([5, 5, 5]))[0].tolist()
    [[0, 5], [1, 5]]
    """
    count = len(columns[0])
    if not count:
        return np.empty((0, len(columns)), np.int64), np.empty(0, np.int64)
    if count <= _FEW:
        asked = list(zip(*(column.tolist() for column in columns), strict=True))
        found = sorted(set(asked))
        place_of = {row: place for place, row in enumerate(found)}
        return np.array(found, np.int64), np.array([place_of[row] for row in asked], np.int64)
    combined, size = np.zeros(count, np.int64), 1
    for column in columns:
        low, high = int(column.min()), int(column.max())
        if high > low:
            combined *= high - low + 1
            combined += column
            combined -= low
            size *= high - low + 1
    if size <= max(1 << 16, 64 * count):  # dates lie close together: a table of what occurs needs no sorting
        place = np.empty(size, np.int32)  # read only where it was written
        place[combined] = np.arange(count, dtype=np.int32)
        last = place[combined]
        sample = np.flatnonzero(last == np.arange(count, dtype=np.int32))
        sample = sample[np.argsort(combined[sample])]
        place[combined[sample]] = np.arange(len(sample), dtype=np.int32)
        row = place[combined].astype(np.int64)
    else:
        _, sample, row = np.unique(combined, return_index=True, return_inverse=True)
    return np.stack([column[sample] for column in columns], axis=1), row


def answer(rows: Rows, row: Index, trades: int) -> Quantity:
    """A row per trade: out of a shared table where trades share rows, else each in its own tile."""
    if len(rows.index) == 1 or 2 * len(rows.index) <= trades:
        return gather(rows.table(), row)
    return rows.by_trade(row)


class Stack:
    """Panels of several market objects, one below the other; further ``levels`` (a spread, a yield) after them."""

    def __init__(self, clock: Clock, objects: Sequence[MarketObject], levels: Sequence[Level] = ()) -> None:
        self._clock, self._objects = clock, list(objects)
        panels = [found.moving for found in (*objects, *levels)]
        self._panels = [panel for panel in panels if panel is not None]
        starts = np.cumsum([0, *(len(panel) for panel in self._panels)])
        self._start, self._height = starts[:-1], int(starts[-1])
        self._level_start = starts[len(self._objects) : -1]
        self._with_base = False

    def discount(self, pairs: Index) -> Rows:
        """Discount factors of (curve, spread or -1, day); a day on or before the valuation date counts as today."""
        curve, spread, day = pairs.T
        years = self._years(day)
        index, weight = self._node_rows(curve, years, _log_discount)
        index, weight = self._with_level(index, weight, spread, -years)
        index, weight = self._carried(index, weight, curve, day)
        return Rows(self._panel(), index, weight, formulas.discount_factors)

    def growth(self, pairs: Index) -> Rows:
        """Growth of a spot to (curve, yield or -1, day): the inverse discount factor less the yield."""
        curve, dividend, day = pairs.T
        years = self._years(day)
        index, weight = self._node_rows(curve, years, _log_discount)
        index, weight = self._with_level(index, -weight, dividend, -years)
        return Rows(self._panel(), index, weight, formulas.discount_factors)

    def zero_rates(self, pairs: Index) -> Rows:
        """Zero rates of (curve, day)."""
        curve, day = pairs.T
        return Rows(self._panel(), *self._node_rows(curve, self._years(day), _zero), formulas.weighted_nodes)

    def prices(self, pairs: Index) -> Rows:
        """Forward prices of (commodity, day)."""
        commodity, day = pairs.T
        return Rows(self._panel(), *self._node_rows(commodity, self._years(day), _price), formulas.weighted_nodes)

    def vol(self, surface: Index, years: Values, moneyness: Any) -> Quantity:
        """Volatility per trade; surface, years : (trade,).   moneyness : (trade, state)."""
        surfaces: list[Surface] = self._objects  # type: ignore[assignment]
        nodes = [tuple(found.moneyness.tolist()) for found in surfaces]
        grids = sorted(set(nodes))
        group = np.array([grids.index(grid) for grid in nodes])
        low, high = np.zeros((2, len(years)), np.int32)
        weight_low, weight_high = np.zeros((2, len(years)))
        alike: dict[tuple[bytes, int], list[int]] = {}
        for position, found in enumerate(surfaces):
            alike.setdefault((found.expiries.tobytes(), len(found.moneyness)), []).append(position)
        for positions in alike.values():
            at = _of_those(surface, positions, len(surfaces))
            rows = _expiry_rows(surfaces[positions[0]], years[at], self._start[surface[at]])
            low[at], high[at], weight_low[at], weight_high[at] = rows
        inputs = (self._panel(), moneyness)
        by_trade: tuple[NDArray[Any], ...] = (group[surface], low, high, weight_low, weight_high)
        return Quantity(SurfaceLookUp([np.array(grid) for grid in grids]), inputs, extent="tile", by_trade=by_trade)

    def _panel(self) -> Quantity:
        panels = self._panels
        if self._with_base:
            panels = [*panels, *(np.repeat(panel[:, :1], panel.shape[1], axis=1) for panel in panels)]
        return source(panels[0] if len(panels) == 1 else np.concatenate(panels))

    def _years(self, day: Index) -> Values:
        years: Values = np.maximum(day - self._clock.date.astype(np.int64), 0) / 365.0
        return years

    def _node_rows(self, which: Index, years: Values, weights: Callable[[Any, Values], Weights]) -> Weights:
        alike = _alike(self._objects)
        if len(alike) == 1 and which.min(initial=0) >= 0:
            index, weight = weights(self._objects[0], years)
            index += self._start[which].astype(np.int32)[:, None]
            return index, weight
        parts = []
        for positions in alike:
            at = _of_those(which, positions, len(self._objects))
            index, weight = weights(self._objects[positions[0]], years[at])
            parts.append((at, index + self._start[which[at]][:, None], weight))
        width = max((index.shape[1] for _, index, _ in parts), default=1)
        all_index, all_weight = np.zeros((len(which), width), np.int32), np.zeros((len(which), width))
        for at, index, weight in parts:
            # a shorter row repeats its own last node at weight 0: another object's NaN must not leak in
            own = index.shape[1]
            all_index[at, :own], all_weight[at, :own] = index, weight
            if own < width:
                all_index[at, own:] = index[:, -1:]
        return all_index, all_weight

    def _with_level(self, index: NDArray[np.int32], weight: Values, level: Index, factor: Values) -> Weights:
        has = level >= 0
        if not has.any():
            return index, weight
        row = np.where(has, self._level_start[np.maximum(level, 0)], index[:, -1]).astype(np.int32)
        extra = np.where(has, factor, 0.0)
        return np.concatenate([index, row[:, None]], axis=1), np.concatenate([weight, extra[:, None]], axis=1)

    def _carried(self, index: NDArray[np.int32], weight: Values, curve: Index, day: Index) -> Weights:
        base, date = (when.astype(np.int64) for when in (self._clock.base_date, self._clock.date))
        settled = ((day > base) & (day <= date)).reshape(-1, 1)
        if not settled.any():
            return index, weight
        self._with_base = True
        early_index, early = self._node_rows(curve, np.maximum(day - base, 0) / 365.0, _log_discount)
        late_index, late = self._node_rows(curve, np.full(len(day), (date - base) / 365.0), _log_discount)
        both = np.concatenate([early_index, late_index], axis=1) + self._height
        both = np.where(settled, both, index[:, -1:])
        extra = np.where(settled, np.concatenate([early, -late], axis=1), 0.0)
        return np.concatenate([index, both], axis=1).astype(np.int32), np.concatenate([weight, extra], axis=1)


def _of_those(which: Index, positions: list[int], count: int) -> Index:
    """Where one of these of ``count`` objects is asked for; -1 asks for none."""
    wanted = np.zeros(count + 1, np.bool_)
    wanted[positions] = True
    return np.flatnonzero(wanted[which])


def _alike(objects: Sequence[MarketObject]) -> list[list[int]]:
    """Positions of the objects by what their weights follow from: their nodes' times and how they interpolate."""
    found: dict[Any, list[int]] = {}
    for position, each in enumerate(objects):
        how = getattr(each, "interpolation", ""), getattr(each, "extrapolation", "")
        times = getattr(each, "times", None)
        found.setdefault((how, position if times is None else times.tobytes()), []).append(position)
    return list(found.values())


def _log_discount(curve: Curve, years: Values) -> Weights:
    return curve_weights(curve.times, years, curve.interpolation, curve.extrapolation)


def _zero(curve: Curve, years: Values) -> Weights:
    return zero_weights(curve.times, years, curve.interpolation, curve.extrapolation)


def _price(prices: Prices, years: Values) -> Weights:
    return price_weights(prices.times, years)


def _expiry_rows(surface: Surface, years: Values, start: Index) -> tuple[Any, Any, Values, Values]:
    """First panel rows of the two expiries around each trade's, and their weights on squared volatility.

    start : the first row of each trade's surface, one of those that have these expiries and as many strikes.

    Total variance is linear between expiries; volatility is flat before the first and after the last.
    """
    times, strikes = surface.expiries, len(surface.moneyness)
    inside = np.minimum(np.maximum(years, times[0]), times[-1])
    high = np.minimum(np.maximum(times.searchsorted(inside), 1 if len(times) > 1 else 0), len(times) - 1)
    low = np.maximum(high - 1, 0)
    span = np.where(high > low, times[high] - times[low], 1.0)
    share = np.where(high > low, (inside - times[low]) / span, 0.0)
    years = np.where(inside > 0.0, inside, 1.0)  # an expiry node at 0 years keeps its rate as it is
    weight_low = np.where(inside > 0.0, (1.0 - share) * times[low] / years, 1.0)
    weight_high = share * times[high] / years
    return start + low * strikes, start + high * strikes, weight_low, weight_high
