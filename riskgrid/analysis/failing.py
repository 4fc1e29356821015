"""Which trades of a run have no number, and why: those with the same reason together, the commonest first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from riskgrid.result import Run
from riskgrid.schema import Status

__all__ = ["failures"]


def failures(run: Run, where: Mapping[str, Any] | None = None) -> xr.Dataset:
    """Trades without a number in every scenario.

    ``base_value, status, problem, alike (trade)``: ``problem`` is the reason in a sentence, ``alike`` the count of
    trades that have it. Labels are coordinates. Of a reason trades stand in portfolio order.   where : labels and their
    values, as for :meth:`riskgrid.result.Run.trade_table`; UnknownName for no label.
    """
    places = run.trade_places(where)
    status, _, _ = run.cube.status(places)
    table = run.trade_rows(places[status > Status.EXPIRED])
    problems = table["problem"].values.tolist()
    counts = Counter(problems)
    order = sorted(range(len(problems)), key=lambda at: (-counts[problems[at]], problems[at], at))
    table["alike"] = ("trade", np.array([counts[problem] for problem in problems], np.int64))
    return table.isel(trade=order)
