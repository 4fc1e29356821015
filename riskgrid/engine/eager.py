"""A market that answers numbers at once, for pricers that cannot be written on quantities (paths, early exercise)."""

from __future__ import annotations

from typing import Any

import numpy as np

from riskgrid.errors import NotAQuantity
from riskgrid.market.view import Market
from riskgrid.program import Program
from riskgrid.quantity import Quantity, gather, source

__all__ = ["EagerMarket"]


class EagerMarket:
    """Wraps a market; each answer is evaluated for all its trades in the first ``states`` states, the base first.

    An answer may go into the next question (a forward into ``vol``): numbers (trade, state) are asked with as a
    quantity that has them. ``recorder`` hears every question.
    """

    def __init__(self, market: Market, states: int, recorder: Market | None = None) -> None:
        self._market, self._states, self._recorder = market, states, recorder

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._market, name)
        if not callable(found):
            return found

        def ask(*args: Any, **options: Any) -> Any:
            if self._recorder is not None:
                getattr(self._recorder, name)(*args, **options)
            asked = [self._quantity(name, value) for value in args]
            return self._number(found(*asked, **{key: self._quantity(name, value) for key, value in options.items()}))

        return ask

    def _quantity(self, question: str, value: Any) -> Any:
        """What a question is asked with: numbers that differ by state as a quantity, all else as it is."""
        if not isinstance(value, np.ndarray) or value.dtype.kind not in "fiu" or not value.ndim:
            return value
        if value.shape[1:] == (1,) or (value.ndim == 1 and value.dtype.kind != "f"):  # a lag may be a flat column
            return value
        trades = self._market.trades
        if value.shape not in {(1, self._states), (trades, self._states)}:
            raise NotAQuantity(
                f"a pricer asked market.{question} with an array of shape {value.shape}; (trade, 1) and "
                f"(trade, state), here ({trades}, {self._states}), are right"
            )
        return gather(source(value.astype(np.float64, copy=False)), np.arange(trades))

    def _number(self, answer: Any) -> Any:
        if not isinstance(answer, Quantity) or answer.extent == "flow":
            return answer
        return np.array(Program(answer, self._market.trades).replay(slice(0, self._states)))
