"""One bad trade never stops the rest: a step that fails on many trades is tried again on ever fewer."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from riskgrid.errors import NotAQuantity, RiskgridError, UnrecordedRead

__all__ = ["isolate", "spoken"]

#: Single trades found at fault before the rest of the trades in hand fail with them.
PATIENCE = 64


def isolate(attempt: Callable[[NDArray[np.int64]], None], trades: NDArray[np.int64]) -> list[tuple[int, Exception]]:
    """Call ``attempt`` on all trades, or on halves of halves where it raises; the trades at fault with their errors.

    What is wrong with the pricer, not with a trade (NotAQuantity), fails all of them at once.

    >>> def attempt(trades):
    ...     if 3 in trades:
    ...         raise ValueError("no")
    >>> isolate(attempt, np.arange(5))
    [(3, ValueError('no'))]
    """
    failed: list[tuple[int, Exception]] = []
    stack = [trades]
    while stack:
        part = stack.pop()
        if not len(part):
            continue
        try:
            attempt(part)
        except (UnrecordedRead, MemoryError):
            raise
        except Exception as error:
            hopeless = isinstance(error, NotAQuantity) or len(failed) >= PATIENCE
            if len(part) == 1 or hopeless:
                failed.extend((int(trade), error) for trade in part)
            else:
                half = len(part) // 2
                stack.extend((part[half:], part[:half]))
    return failed


def spoken(error: Exception) -> str:
    """An error as the sentence of a trade: riskgrid's own is one already, another needs its type to be understood."""
    return str(error) if isinstance(error, RiskgridError) else f"{type(error).__name__}: {error}"
