"""The same question of long swaps: how many a second, against NumPy, QuantLib and a kernel for swaps alone?

10,000 swaps of 1 to 27 years, 84 cash flows on average, on one curve a currency; all else is that of ``chain_swaps``.
"""

from __future__ import annotations

from tests.benchmarks import data
from tests.benchmarks.chain_swaps import of_swaps
from tests.benchmarks.measure import Figure


def figures(*, quick: bool = False) -> list[Figure]:
    """Lines of the table."""
    portfolio = data.portfolio({"interest_rate_swap": 200 if quick else 10_000})
    return of_swaps("chain_swaps_long", portfolio, data.market(), quick=quick)
