"""A market that answers numbers at once, for pricers that cannot be written on quantities (paths, early exercise)."""

from __future__ import annotations

from typing import Any

import numpy as np

from riskgrid.market.view import Market
from riskgrid.program import Program
from riskgrid.quantity import Quantity

__all__ = ["EagerMarket"]


class EagerMarket:
    """Wraps a market; each answer is evaluated for all its trades in ``states``. ``recorder`` hears every question."""

    def __init__(self, market: Market, states: slice, recorder: Market | None = None) -> None:
        self._market, self._states, self._recorder = market, states, recorder

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._market, name)
        if not callable(found):
            return found

        def ask(*args: Any, **options: Any) -> Any:
            if self._recorder is not None:
                getattr(self._recorder, name)(*args, **options)
            return self._number(found(*args, **options))

        return ask

    def _number(self, answer: Any) -> Any:
        if not isinstance(answer, Quantity) or answer.extent == "flow":
            return answer
        return np.array(Program(answer, self._market.trades).replay(self._states))
