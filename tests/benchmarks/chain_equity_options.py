"""How many European options a second does the whole chain value, against NumPy and QuantLib?

10,000 options on 20 shares with 50 listed expiries in two currencies, under 1,000 scenarios that move every factor.
The chain is curve and forward, volatility surface, Black, reporting currency, ticks on disk, sums by cell. NumPy is
handed each market object in all states and does the same; QuantLib is handed forward, discount factor and volatility
of each pair, does no ticks and no cells, and is timed on a sample.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from riskgrid.market.states import MarketStates
from tests.benchmarks import data
from tests.benchmarks.chain import Chain
from tests.benchmarks.measure import Figure
from tests.benchmarks.plain_option import Options
from tests.benchmarks.quantlib_option import Pairs


def figures(*, quick: bool = False) -> list[Figure]:
    """Lines of the table."""
    market = data.market()
    scenarios = data.scenarios(market, 100 if quick else 1000)
    portfolio = data.portfolio({"equity_option": 1000 if quick else 10_000})
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
        unit=1e4,
    )
    return chain.figures(repeats=2 if quick else 7)
