"""How many vanilla swaps a second does the whole chain value, against NumPy and QuantLib?

2,000 swaps of 1 to 27 years in USD and EUR, under 1,000 scenarios that move every factor. The chain is schedules,
curves, discount factors on distinct dates, sums of flows, reporting currency, ticks on disk, sums by cell. NumPy is
handed each market object in all states and does the same, schedules with riskgrid's own conventions, flows as a sparse
matrix. QuantLib values objects made beforehand on curves relinked in each state, without ticks and cells, on a sample.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from riskgrid.market.states import MarketStates
from tests.benchmarks import data, plain_flows, quantlib_flows
from tests.benchmarks.chain import Chain
from tests.benchmarks.measure import Figure


def figures(*, quick: bool = False) -> list[Figure]:
    """Lines of the table."""
    market = data.market()
    scenarios = data.scenarios(market, 100 if quick else 1000)
    portfolio = data.portfolio({"interest_rate_swap": 200 if quick else 2000})
    states = MarketStates(market, scenarios)

    def plain(step: int) -> Callable[[slice], Any]:
        return plain_flows.swaps(portfolio, states, step).values

    chain = Chain(
        workload="chain_swaps",
        portfolio=portfolio,
        market=market,
        scenarios=scenarios,
        plain={
            "NumPy, sparse, 32 states at a time": (partial(plain, 32), len(portfolio)),
            "NumPy, sparse, all states": (partial(plain, states.count), len(portfolio)),
        },
        others={"QuantLib, relinked curves": quantlib_flows.swaps(portfolio, states, 40, 25)},
        unit=1e6,
    )
    return chain.figures(repeats=2 if quick else 7)
