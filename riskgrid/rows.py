"""Rows of stored blocks as P&L in currency."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from riskgrid.engine.block import Priced, only_rows
from riskgrid.engine.task import priced_from
from riskgrid.store import Store

__all__ = ["LazyBlock", "rows_of"]

type Index = NDArray[np.int64]


@dataclass(frozen=True)
class LazyBlock:
    """Rows of a block as an array that reads them when they are sliced, for Dask."""

    store: Store
    key: str
    states: NDArray[np.intp]
    bits: int
    rows: Index
    scenarios: int
    dtype = np.dtype(np.float64)
    ndim = 2

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and scenarios."""
        return len(self.rows), self.scenarios

    def __getitem__(self, index: Any) -> NDArray[np.float64]:
        rows, columns = index if isinstance(index, tuple) else (index, slice(None))
        picked = self.rows[rows]
        priced = priced_from(self.store.get("blocks", self.key))
        whole = rows_of(priced, np.atleast_1d(picked), self.states[1:] - 1, self.scenarios, self.bits)
        return np.asarray(whole[:, columns])


def rows_of(priced: Priced, rows: Index, states: NDArray[np.intp], scenarios: int, bits: int) -> NDArray[np.float64]:
    """P&L of rows of a block in currency, pruned scenarios 0, missing pairs NaN."""
    part = only_rows(priced, rows)
    money = part.ticks * 2.0**-bits
    money[part.ticks == np.iinfo(part.ticks.dtype).min] = np.nan
    money[part.wide] = np.where(part.wide_ticks == np.iinfo(np.int64).min, np.nan, part.wide_ticks * 2.0**-bits)
    if len(states) == scenarios:
        return money
    full = np.where(np.isnan(part.base_value)[:, None], np.nan, np.zeros((len(rows), scenarios)))
    full[:, states] = money
    return full
