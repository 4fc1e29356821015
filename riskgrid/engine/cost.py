"""What a valuation costs: as the latest runs of a store have learned, else a guess."""

from __future__ import annotations

from collections.abc import Mapping

from riskgrid.engine.timing import Labour
from riskgrid.errors import StoreError
from riskgrid.store import Store

__all__ = ["cost_of", "learned"]

#: A first guess of the cost of a valuation in seconds, until receipts tell.
_FIRST_GUESS = 40e-9
#: Runs of the store that tell what a valuation costs.
_LATEST = 8


def learned(store: Store) -> dict[str, float]:
    """Seconds of a valuation by instrument, of the latest run that knows it."""
    try:
        rows = store.catalogue.list(_LATEST)
    except StoreError:  # a guess does
        return {}
    known: dict[str, float] = {}
    for row in reversed(rows):
        known |= Labour.of(row.manifest).costs()
    return known


def cost_of(instrument: str, known: Mapping[str, float]) -> float:
    """Seconds of a valuation."""
    return known.get(instrument, _FIRST_GUESS)
