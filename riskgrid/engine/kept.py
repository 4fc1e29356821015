"""A priced block as the store keeps it: what is written, and reading it back whole or by rows, verified."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from riskgrid.engine.block import Priced
from riskgrid.store import Stored, Summed

__all__ = ["in_place", "parts_of", "priced_from", "rows_from"]

type Index = NDArray[np.int64]


def parts_of(priced: Priced) -> tuple[dict[str, Any], dict[str, NDArray[Any] | Summed]]:
    """What the store keeps of a block; :func:`priced_from` reads it."""
    ticks = priced.ticks if priced.checksums is None else Summed(priced.ticks, priced.checksums)
    arrays: dict[str, NDArray[Any] | Summed] = {
        "base_value": priced.base_value,
        "status": priced.status,
        "wide": priced.wide,
        "wide_ticks": priced.wide_ticks,
        "ticks": ticks,
    }
    return {"problems": sorted([row, text] for row, text in priced.problems.items())}, arrays


def priced_from(stored: Stored) -> Priced:
    """The block as it was priced, its ticks mapped into memory. DamagedObject where a row is not what was written."""
    return _priced(stored, stored.whole("ticks"), stored.whole("wide_ticks"))


def in_place(stored: Stored, rows: Index) -> Priced:
    """The block, ticks of these rows alone verified. DamagedObject where one of them is not what was written."""
    wide = np.flatnonzero(np.isin(stored.arrays["wide"], rows))
    return _priced(stored, stored.verified("ticks", rows), stored.verified("wide_ticks", wide))


def rows_from(stored: Stored, rows: Index) -> Priced:
    """Rows of a block, in that order. DamagedObject where one of them is not what was written."""
    arrays = stored.arrays
    where = np.searchsorted(arrays["wide"], rows)
    wide = np.flatnonzero(np.append(arrays["wide"], -1)[where] == rows)
    return Priced(
        stored.rows("ticks", rows),
        arrays["base_value"][rows],
        arrays["status"][rows],
        wide,
        stored.rows("wide_ticks", where[wide]),
    )


def _priced(stored: Stored, ticks: NDArray[Any], wide_ticks: NDArray[np.int64]) -> Priced:
    arrays = stored.arrays
    problems = {int(row): str(text) for row, text in stored.meta["problems"]}
    return Priced(ticks, arrays["base_value"], arrays["status"], arrays["wide"], wide_ticks, problems)
