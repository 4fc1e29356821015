"""What the pages of one process share: the door to the store, and room for analyses that price."""

from __future__ import annotations

import functools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

from riskgrid.access import Door
from riskgrid.acting import QUOTA

__all__ = ["Desk"]

#: Views that are worked out at once, those of all sessions together.
_AT_ONCE = 4

#: Cards that are priced at once.
_PRICED_AT_ONCE = 2


@dataclass(frozen=True)
class Desk:
    """One process that shows a store. quota : runs that somebody may have waiting.

    slots : taken by each analysis that prices while somebody waits; TooMany where none is free.
    development : whether nobody is asked who he is.
    """

    door: Door
    quota: int = QUOTA
    slots: Callable[[], AbstractContextManager[None]] = nullcontext
    development: bool = False

    @functools.cached_property
    def pool(self) -> ThreadPoolExecutor:
        """Works out what pages show, away from the loop that answers."""
        return ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="riskgrid-desk")

    @functools.cached_property
    def pricing(self) -> ThreadPoolExecutor:
        """Makes what has to be priced first, so that no view waits for it."""
        return ThreadPoolExecutor(_PRICED_AT_ONCE, thread_name_prefix="riskgrid-pricing")
