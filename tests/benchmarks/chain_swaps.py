"""How many vanilla swaps a second does the whole chain value, against NumPy, QuantLib and a kernel for swaps alone?

10,000 swaps of 1 to 9 years, 30 cash flows on average, in USD and EUR, each projected on one curve and discounted on
another, under 1,000 scenarios that move every factor. The chain is schedules, curves, discount factors on distinct
dates, sums of flows, reporting currency, ticks on disk, sums by cell. NumPy is handed each market object in all states
and does the same, schedules with riskgrid's own conventions, flows as a sparse matrix. QuantLib values objects made
beforehand on curves relinked in each state, without ticks and cells, on a sample. The bare kernel finds all schedules,
dates and weights prepared and keeps ticks and cells in memory.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from riskgrid.market.snapshot import MarketSnapshot
from riskgrid.market.states import MarketStates
from riskgrid.portfolio import Portfolio
from tests.benchmarks import data, plain_flows, quantlib_flows
from tests.benchmarks.bare_flows import Bare
from tests.benchmarks.chain import Chain
from tests.benchmarks.measure import Figure


def figures(*, quick: bool = False) -> list[Figure]:
    """Lines of the table."""
    portfolio = data.portfolio({"interest_rate_swap": 200 if quick else 10_000})
    return of_swaps("chain_swaps", _shortened(portfolio), _two_curves(data.market()), quick=quick)


def of_swaps(workload: str, portfolio: Portfolio, market: MarketSnapshot, *, quick: bool) -> list[Figure]:
    """Lines of the table for any swaps of :mod:`tests.benchmarks.data`."""
    scenarios = data.scenarios(market, 100 if quick else 1000)
    states = MarketStates(market, scenarios)

    def plain(step: int) -> Callable[[slice], Any]:
        return plain_flows.swaps(portfolio, states, step).values

    chain = Chain(
        workload=workload,
        portfolio=portfolio,
        market=market,
        scenarios=scenarios,
        plain={
            "NumPy, sparse, 32 states at a time": (partial(plain, 32), len(portfolio)),
            "NumPy, sparse, 128 states at a time": (partial(plain, 128), len(portfolio)),
        },
        others={"QuantLib, relinked curves": quantlib_flows.swaps(portfolio, states, 40, 25)},
        whole={"bare kernel, all prepared, in memory": Bare.of(plain_flows.swaps(portfolio, states, 32))},
        unit=1e6,
        at_least={
            "NumPy, sparse, 32 states at a time": 1.8,
            "NumPy, sparse, 128 states at a time": 1.8,
            "bare kernel, all prepared, in memory": 0.6,
            "QuantLib, relinked curves": 900.0,
        },
    )
    return chain.figures(repeats=2 if quick else 7)


def _two_curves(market: MarketSnapshot) -> MarketSnapshot:
    """The same market with a curve of each index's own, 20 bp above."""
    own = {f"{name}-3M": name for name in data.RATES}
    factors = [
        (at, factor.replace(f":{name}:", f":{curve}:"))
        for curve, name in own.items()
        for at, factor in enumerate(market.factors)
        if factor.startswith(f"zero:{name}:")
    ]
    conventions: dict[str, Any] = dict(market.conventions)
    conventions["curves"] = {**conventions["curves"], **{name: {"quotes": "zero"} for name in own}}
    conventions["indices"] = {name: {**index, "curve": name} for name, index in conventions["indices"].items()}
    return dataclasses.replace(
        market,
        factors=(*market.factors, *(factor for _, factor in factors)),
        levels=np.append(market.levels, market.levels[[at for at, _ in factors]] + 0.002),
        conventions=conventions,
    )


def _shortened(portfolio: Portfolio) -> Portfolio:
    """The same swaps, of 1 to 9 years."""
    frame = portfolio.to_pandas("interest_rate_swap")
    start = frame["start"].to_numpy().astype("datetime64[D]")
    month = start.astype("datetime64[M]")
    years = np.random.default_rng(5).integers(1, 10, len(start))
    return Portfolio.from_tables({"interest_rate_swap": frame.assign(maturity=month + 12 * years + (start - month))})
