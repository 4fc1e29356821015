"""One bad trade never stops the rest: a step that fails on many trades is tried again on ever fewer."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from riskgrid.errors import NotAQuantity, RiskgridError, UnrecordedRead

__all__ = ["isolate", "spoken"]

#: Trades tried alone, evenly apart, before the pricer itself is held to be at fault.
SAMPLE = 64


def isolate(attempt: Callable[[NDArray[np.int64]], None], trades: NDArray[np.int64]) -> list[tuple[int, Exception]]:
    """Call ``attempt`` on all trades, or on halves of halves where it raises; the trades at fault with their errors.

    What is wrong with the pricer, not with a trade (NotAQuantity), fails all of them at once.
    Where a sample of single trades all fail in one way, the pricer is at fault, and every trade fails with it.
    Else the trades at fault are found one by one, however many, so that no good trade is lost by its company.

    >>> def attempt(trades):
    ...     if 3 in trades:
    ...         raise ValueError("no")
    >>> isolate(attempt, np.arange(5))
    [(3, ValueError('no'))]
    """
    error = _raised(attempt, trades)
    if error is None:
        return []
    if isinstance(error, NotAQuantity):
        return [(int(trade), error) for trade in trades]
    if len(trades) > SAMPLE:
        sample = trades[np.linspace(0, len(trades) - 1, SAMPLE).astype(np.int64)]
        alone = [_raised(attempt, sample[at : at + 1]) for at in range(SAMPLE)]
        if alone[0] is not None and all(type(each) is type(alone[0]) for each in alone):
            return [(int(trade), alone[0]) for trade in trades]
    if len(trades) == 1:
        return [(int(trades[0]), error)]
    failed: list[tuple[int, Exception]] = []
    stack = [trades[len(trades) // 2 :], trades[: len(trades) // 2]]
    while stack:
        part = stack.pop()
        error = _raised(attempt, part)
        if error is not None and len(part) == 1:
            failed.append((int(part[0]), error))
        elif error is not None:
            half = len(part) // 2
            stack.extend((part[half:], part[:half]))
    return failed


def _raised(attempt: Callable[[NDArray[np.int64]], None], trades: NDArray[np.int64]) -> Exception | None:
    if not len(trades):
        return None
    try:
        attempt(trades)
    except (UnrecordedRead, MemoryError):
        raise
    except Exception as error:
        return error
    return None


def spoken(error: Exception) -> str:
    """An error as the sentence of a trade: riskgrid's own is one already, another needs its type to be understood."""
    return str(error) if isinstance(error, RiskgridError) else f"{type(error).__name__}: {error}"
