"""How many fixed-rate bonds a second does the whole chain value, against NumPy and QuantLib?

5,000 USD bonds of up to 27 years, three quarters of them at an issuer's spread, under 1,000 scenarios that move every
factor. The chain is schedules, curves, discount factors on distinct dates, sums of flows, ticks on disk, sums by cell.
NumPy is handed each market object in all states and does the same, schedules with riskgrid's own conventions, flows as
a sparse matrix. QuantLib values objects made beforehand on curves relinked in each state, without ticks and cells, on a
sample. The bare kernel finds all schedules, dates and weights prepared and keeps ticks and cells in memory.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from riskgrid.market.states import MarketStates
from tests.benchmarks import data, plain_flows, quantlib_flows
from tests.benchmarks.bare_flows import Bare
from tests.benchmarks.chain import Chain
from tests.benchmarks.measure import Figure


def figures(*, quick: bool = False) -> list[Figure]:
    """Lines of the table."""
    market = data.market()
    scenarios = data.scenarios(market, 100 if quick else 1000)
    portfolio = data.portfolio({"fixed_rate_bond": 200 if quick else 5000})
    states = MarketStates(market, scenarios)

    def plain(step: int) -> Callable[[slice], Any]:
        return plain_flows.bonds(portfolio, states, step).values

    chain = Chain(
        workload="chain_bonds",
        portfolio=portfolio,
        market=market,
        scenarios=scenarios,
        plain={
            "NumPy, sparse, 32 states at a time": (partial(plain, 32), len(portfolio)),
            "NumPy, sparse, 128 states at a time": (partial(plain, 128), len(portfolio)),
        },
        others={"QuantLib, relinked curves": quantlib_flows.bonds(portfolio, states, 40, 25)},
        whole={"bare kernel, all prepared, in memory": Bare.of(plain_flows.bonds(portfolio, states, 32))},
        unit=1e6,
        at_least={
            "NumPy, sparse, 32 states at a time": 1.8,
            "NumPy, sparse, 128 states at a time": 1.8,
            "bare kernel, all prepared, in memory": 0.6,
        },
    )
    return chain.figures(repeats=2 if quick else 7)
