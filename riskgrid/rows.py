"""Rows of stored blocks as P&L in currency."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from riskgrid.engine.kept import rows_from
from riskgrid.errors import DamagedObject, StoreError
from riskgrid.store import Store, Stored

__all__ = ["LazyBlock", "damaged_detail", "rows_of"]

type Index = NDArray[np.int64]


@dataclass(frozen=True)
class LazyBlock:
    """Rows of a block as an array that reads them when they are sliced, for Dask. run : the id of whose rows."""

    store: Store
    key: str
    states: NDArray[np.intp]
    bits: int
    rows: Index
    scenarios: int
    run: str
    dtype = np.dtype(np.float64)
    ndim = 2

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and scenarios."""
        return len(self.rows), self.scenarios

    def __getitem__(self, index: Any) -> NDArray[np.float64]:
        rows, columns = index if isinstance(index, tuple) else (index, slice(None))
        picked = np.atleast_1d(self.rows[rows])
        try:
            stored = self.store.get("blocks", self.key)
            whole = rows_of(stored, picked, self.states[1:] - 1, self.scenarios, self.bits)
        except StoreError as error:
            if error.transient:
                raise
            raise damaged_detail(self.run, error) from error
        return np.asarray(whole[:, columns])


def rows_of(
    stored: Stored,
    rows: Index,
    states: NDArray[np.intp],
    scenarios: int,
    bits: int,
    *,
    chosen: NDArray[np.intp] | None = None,
) -> NDArray[np.float64]:
    """P&L of rows of a block in currency, pruned scenarios 0, missing pairs NaN. DamagedObject.

    chosen : places of the scenarios wanted, by default all.
    """
    part = rows_from(stored, rows)
    if chosen is None and len(states) == scenarios:
        return _money(part.ticks, part.wide, part.wide_ticks, bits)
    place = np.full(scenarios, -1, np.intp)
    place[states] = np.arange(len(states))
    place = place if chosen is None else place[chosen]
    known = place >= 0
    kept = place[known]
    money = _money(part.ticks[:, kept], part.wide, part.wide_ticks[:, kept], bits)
    if known.all():
        return money
    full = np.where(np.isnan(part.base_value)[:, None], np.nan, np.zeros((len(rows), len(place))))
    full[:, known] = money
    return full


def _money(ticks: NDArray[Any], wide: Index, wide_ticks: NDArray[np.int64], bits: int) -> NDArray[np.float64]:
    money: NDArray[np.float64] = ticks * 2.0**-bits
    money[ticks == np.iinfo(ticks.dtype).min] = np.nan
    money[wide] = np.where(wide_ticks == np.iinfo(np.int64).min, np.nan, wide_ticks * 2.0**-bits)
    return money


def damaged_detail(run: str, error: StoreError) -> DamagedObject:
    """The error of a run whose trades cannot be read, and what makes them anew."""
    reason = str(error).partition("; ask")[0]
    return DamagedObject(
        f"run '{run}' has a block that cannot be read: {reason}; ask the same question again (riskgrid.run), or say "
        f"'riskgrid verify {run} --repair' and then ask: the block is priced anew"
    )
