"""How many European options a second does the whole chain value, against hand-fused kernels, NumPy and QuantLib?

40,000 options on 20 shares with 50 listed expiries in two currencies, under 1,000 scenarios that move every factor.
The chain is curve and forward, volatility surface, Black, reporting currency, ticks on disk, sums by cell. The fused
kernels are that chain written by hand for this question alone, see ``fused_option``; the target is held against the
one that does all in one pass. NumPy is handed each market object in all states and does the same; riskgrid's own NumPy
formulas run in a process of their own. QuantLib is handed forward, discount factor and volatility of each pair, does
no ticks and no cells, and is timed on a sample.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from riskgrid.market.states import MarketStates
from tests.benchmarks import data
from tests.benchmarks.chain import Chain
from tests.benchmarks.fused_option import by_expiry, by_row
from tests.benchmarks.measure import Figure
from tests.benchmarks.plain_option import Options
from tests.benchmarks.quantlib_option import Pairs


def figures(*, quick: bool = False) -> list[Figure]:
    """Lines of the table."""
    market = data.market()
    trades, days = (1000, 100) if quick else (40_000, 1000)
    scenarios, portfolio = data.scenarios(market, days), data.portfolio({"equity_option": trades})
    states = MarketStates(market, scenarios)

    def plain() -> Callable[[slice], Any]:
        return Options.of(portfolio, states).values

    pairs = Pairs(Options.of(portfolio, states), 100, 100)
    chain = Chain(
        workload="chain_equity_options",
        portfolio=portfolio,
        market=market,
        scenarios=scenarios,
        plain={"NumPy in blocks of 32 rows": (plain, 32), "NumPy on whole arrays": (plain, len(portfolio))},
        others={"QuantLib, formula loop": pairs.by_formula, "QuantLib, observers": pairs.by_observers},
        whole={
            "hand-fused kernel, row by row": partial(by_row, portfolio, states),
            "hand-fused kernel, Black in two passes": partial(by_row, portfolio, states, two_passes=True),
            "hand-fused kernel, by expiry": partial(by_expiry, portfolio, states),
        },
        backend=("equity_option", trades, days),
        unit=1e4,
        at_least={
            "hand-fused kernel, row by row": 0.8,
            "riskgrid on NumPy and SciPy formulas": 4.0,
            "QuantLib, observers": 300.0,
        },
    )
    return chain.figures(repeats=2 if quick else 7)
