"""Losses of a run's trades at many places among the components of a covariance, revalued in a store of their own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from riskgrid.cluster import Workers
from riskgrid.errors import BadSpec
from riskgrid.result import Run
from riskgrid.running import run
from riskgrid.scenarios.given import of_returns
from riskgrid.scenarios.mixture import Mixture
from riskgrid.schema import Status
from riskgrid.store import Store
from riskgrid.terms import Values

__all__ = ["Losses"]

_LABEL = "state"
_CHUNK = 2_048  # states revalued at once


@dataclass
class Losses:
    """Losses (state,) of the priced trades of a run at places (state, component) of a mixture.

    Each call is one run in ``store``, or a few where there are many states.   where : the trades asked of.
    runs, states : how many there were.   BadSpec where no trade has a number, or one has it in the run alone.
    """

    run: Run
    where: Mapping[str, Any] | None
    mixture: Mixture
    store: Store
    workers: Workers
    runs: int = field(default=0, init=False)
    states: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        table = self.run.trade_table(self.where)
        priced = table["trade_id"].values[table["status"].values <= Status.EXPIRED]
        if not len(priced):
            raise BadSpec(f"no trade of run '{self.run.known_as}' has a number here, so nothing can be lost; "
                          "run.trade_table() says why")  # fmt: skip
        self.portfolio = self.run.portfolio.select(map(str, priced))

    def __call__(self, places: Values) -> Values:
        """Losses (state,) in the reporting currency, at most 2,048 states a run."""
        return np.concatenate([self._revalued(places[at : at + _CHUNK]) for at in range(0, len(places), _CHUNK)])

    def _revalued(self, places: Values) -> Values:
        returns = self.mixture.returns(places, [f"{_LABEL} {at + 1}" for at in range(len(places))])
        states = of_returns(returns, self.run.market, name=_LABEL, provenance={"kind": "search"})
        manifest = self.run.manifest
        made = run(
            self.portfolio,
            self.run.market,
            states,
            reporting=manifest["reporting"],
            cell_labels=manifest["cell_labels"],
            bits=manifest["bits"],
            cut=manifest["cut"],
            store=self.store,
            cluster=self.workers.lent(),
            progress=None,
        )
        self.runs, self.states = self.runs + 1, self.states + len(places)
        if int(made.aggregate()["unpriced"][0]):
            table = made.trade_table()
            lost = np.flatnonzero(table["status"].values > Status.EXPIRED)
            raise BadSpec(
                f"{len(lost):,} of the trades, e.g. '{table['trade_id'].values[lost[0]]}', have a number in the run "
                f"and none {float(np.sqrt((places**2).sum(axis=1).max())):.1f} standard deviations away "
                f"({table['problem'].values[lost[0]]}); a smaller limit, or a what-if without them, is right"
            )
        return np.asarray(0.0 - made.pnl().values)
