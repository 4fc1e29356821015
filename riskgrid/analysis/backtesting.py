"""A backtest: value at risk of every day of a history of runs against what the book made on the next."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from riskgrid.analysis.backtested import Backtest
from riskgrid.analysis.rolling import Pair, pairs_of
from riskgrid.errors import BadSpec, UnknownName
from riskgrid.measures.backtest import exceptions
from riskgrid.measures.convention import Level
from riskgrid.registry import MEASURES
from riskgrid.result import Run
from riskgrid.scenarios.realised import EXCLUDED, INCLUDED, MODELLED
from riskgrid.store import Store

__all__ = ["backtest"]

_STATES = {"excluded": EXCLUDED, "included": INCLUDED}
_LONG = 4  # days from one date to the next: a weekend with two holidays

type Values = NDArray[np.float64]
type Where = Mapping[str, Any] | None


def backtest(
    runs: str | Sequence[Run | str],
    *,
    by: Sequence[str] | str = (),
    where: Where = None,
    level: Level = 0.99,
    method: str = "inverted_cdf",
    time: str = "excluded",
    actual: xr.DataArray | None = None,
    store: Store | Path | str | None = None,
) -> Backtest:
    """VaR of each run against hypothetical P&L up to the next, at the total and every node of the tree ``by``.

    runs : the name of a history that :func:`riskgrid.roll` made, or runs of two dates or more, whose hypothetical P&L
    is priced where it is not yet.   level, method : of VaR, as :func:`riskgrid.value_at_risk` has them; weights are
    the runs' own.   time : whether the passing of the day and cash settled in it are in the P&L. ``excluded`` is what a
    VaR of instantaneous shifts speaks of (BCBS, MAR99.1), and keeps hypothetical as consistent with risk-theoretical
    P&L as MAR32 asks; the result holds both.   actual : (date), actual P&L of the total on days of P&L, of which a
    missing one counts as an exception. The tests of the total are of the P&L with more exceptions, hypothetical where
    both have as many.
    A node that a run does not have holds no trade then: its VaR and P&L are 0. A factor which the next market lacks
    stays where it is: a trade that reads it counts as not covered, and a node of such trades alone has a missing
    number. BadSpec for runs in different
    currencies, UnknownName for an unknown label.   Source: BCBS, MAR32.4 to 32.19 (2020).

    >>> import tempfile
    >>> from riskgrid import roll, sample
    >>> dates = ["2016-06-21", "2016-06-22", "2016-06-23", "2016-06-24"]
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     book, shifts = sample.portfolio(50), lambda market: sample.scenarios(market.date, count=100)
    ...     _ = roll(book, dates, sample.market, shifts, name="vote", store=folder, progress=None)
    ...     tested = backtest("vote", store=folder)
    >>> total = tested.tests.sel(time="excluded").isel(node=0)
    >>> int(total["observations"]), int(total["exceptions"]), str(total["zone"].values)
    (3, 0, 'green')
    """
    if time not in _STATES:
        raise UnknownName("time", time, _STATES)
    by = (by,) if isinstance(by, str) else tuple(by)
    pairs = pairs_of(runs, store)
    asked = [_of_day(pair, by, where, level, method) for pair in pairs]
    days = _together(asked, by)
    days = days.assign_coords(
        date=np.array([pair.until for pair in pairs]).astype("datetime64[s]"),
        valued=("date", np.array([pair.run.row.as_of for pair in pairs], "datetime64[s]")),
    )
    days["value_at_risk"].attrs["level"] = str(level)
    days["exception"] = exceptions(days["pnl"], days["value_at_risk"])
    days.attrs |= {"currency": str(pairs[0].run.manifest["reporting"]), "by": list(by)}
    if actual is not None:
        days["actual"] = _on_days(actual, days)
        days["actual_exception"] = exceptions(days["actual"], days["value_at_risk"].isel(node=0, drop=True))
    told = [day.told for day in asked]
    return Backtest(days, _tests(days, time), _conventions(pairs, days, told, (level, time, where)))


@dataclass(frozen=True)
class _Day:
    """Numbers of one day: name to (..., node).   paths : labels of each node.   flags : attributes of its VaR."""

    paths: tuple[tuple[str, ...], ...]
    numbers: Mapping[str, Values]
    told: Mapping[str, Any]


def _of_day(pair: Pair, by: tuple[str, ...], where: Where, level: Level, method: str) -> _Day:
    """VaR, P&L and coverage of one day. Its nodes are those of the VaR; both runs are of one book, so of the same."""
    before, after = (_known(one.aggregate(by, where)) for one in (pair.run, pair.realised))
    var = MEASURES["value_at_risk"](before["pnl"], level, method=method, weight=before.get("weight"))
    labels = after["scenario"].values.tolist()
    pnl = {label: after["pnl"].values[:, labels.index(label)] for label in labels}
    trades = after["trades"].values
    # at least so many: a trade that reads what the next market lacks may have no number for another reason as well
    known = np.rint((after["coverage"].values - after["unshocked"].values) * trades)
    covered = np.where(trades > 0, np.maximum(known, 0.0) / np.maximum(trades, 1), 1.0)
    told = np.stack([pnl[label] for label in _STATES.values()])
    numbers = {
        "pnl": np.where(covered == 0.0, np.nan, told),
        "risk_theoretical": pnl.get(MODELLED, np.full(len(var), np.nan)),
        "value_at_risk": var.values,
        "trades": before["trades"].values,
        "coverage": np.fmin(before["coverage"].values, covered),
        "unshocked": after["unshocked"].values,
    }
    return _Day(_paths(before, by), numbers, var.attrs)


def _known(nodes: xr.Dataset) -> xr.Dataset:
    """The nodes, without P&L where no trade of a node has a number."""
    unknown = (nodes["coverage"] == 0.0) & (nodes["trades"] > 0)
    return nodes.assign(pnl=nodes["pnl"].where(~unknown)) if bool(unknown.any()) else nodes


def _paths(nodes: xr.Dataset, by: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
    labels = [nodes[name].values.tolist() for name in by]
    depths = nodes["depth"].values.tolist()
    return tuple(tuple(column[at] for column in labels[:depth]) for at, depth in enumerate(depths))


def _together(days: Sequence[_Day], by: tuple[str, ...]) -> xr.Dataset:
    """All days over the nodes that any of them has, parents before children; no trade is no loss, and no gap."""
    every = sorted({path for paths in {day.paths for day in days} for path in paths})  # a parent begins its children
    place = {path: at for at, path in enumerate(every)}
    at_of = {paths: [place[path] for path in paths] for paths in {day.paths for day in days}}
    made: dict[str, Any] = {}
    for name, first in days[0].numbers.items():
        stacked = np.full((len(days), *first.shape[:-1], len(every)), 1.0 if name == "coverage" else 0.0)
        for row, day in enumerate(days):
            stacked[row][..., at_of[day.paths]] = day.numbers[name]
        made[name] = (("date", *(("time",) if first.ndim > 1 else ()), "node"), stacked)
    labels = {
        label: ("node", np.array([(*path, *[""] * len(by))[at] for path in every], object))
        for at, label in enumerate(by)
    }
    found = xr.Dataset(made, {**labels, "depth": ("node", [len(path) for path in every]), "time": list(_STATES)})
    return found.transpose("time", "date", "node")


def _on_days(actual: xr.DataArray, days: xr.Dataset) -> xr.DataArray:
    """Actual P&L on the days of the test, NaN where there is none."""
    if actual.dims != ("date",) or "date" not in actual.coords:
        raise BadSpec(f"actual P&L has dims {actual.dims}; ('date',) with a coordinate of days is right")
    dated = actual.reset_coords(drop=True).assign_coords(date=actual["date"].values.astype("datetime64[s]"))
    if dated.indexes["date"].has_duplicates:
        raise BadSpec("actual P&L has a day twice; one number a day is right")
    return dated.reindex(date=days["date"].values)


def _tests(days: xr.Dataset, time: str) -> xr.Dataset:
    """Every test of every node, (time, node), and the attribution of risk-theoretical P&L."""
    flags = days["exception"]
    if "actual" in days:
        beside = days["actual_exception"]
        judged = (days["depth"] == 0) & (beside.sum("date") > flags.sum("date"))  # the total alone has an actual P&L
        flags = flags.where(~judged, beside).assign_attrs(flags.attrs)
    pof, light = (MEASURES[name](flags) for name in ("kupiec", "traffic_light"))
    follow, both = (MEASURES[name](flags) for name in ("christoffersen", "joint"))
    found = xr.Dataset(
        {
            "observations": xr.full_like(pof["exceptions"], days.sizes["date"]),
            "exceptions": light["exceptions"],
            "expected": pof["expected"],
            "clusters": follow["clusters"],
            **{f"{name}_p": test["p_value"] for name, test in
               (("kupiec", pof), ("christoffersen", follow), ("joint", both))},
            **{name: light[name] for name in ("cumulative", "zone", "multiplier")},
        }
    )  # fmt: skip
    if "actual" in days:
        found["of_actual"] = judged
    attributed = MEASURES["attribution_test"](days["pnl"], days["risk_theoretical"])
    for name in ("correlation", "distance", "zone"):
        found[f"attribution_{name}"] = attributed[name]
    found.attrs = {"flags": [*light.attrs["flags"], *attributed.attrs["flags"]], "time": time, **days.attrs}
    return found


def _conventions(
    pairs: Sequence[Pair], days: xr.Dataset, told: Sequence[Mapping[str, Any]], asked: tuple[Any, ...]
) -> dict[str, Any]:
    """What the numbers mean and what keeps them from being whole, JSON-ready."""
    level, time, where = asked
    facts = [json.loads(pair.run.manifest["provenance"] or "{}") for pair in pairs]
    horizons = sorted({int(one.get("horizon", 1)) for one in facts})
    gaps = (days["date"].values - days["valued"].values).astype("timedelta64[D]").astype(int)
    lacking = days["unshocked"].isel(node=0).values > 0.0
    books = {pair.run.manifest["inputs"]["portfolio"] for pair in pairs}
    return {
        "level": str(level),
        "method": told[0]["method"],
        "time": time,
        "where": " and ".join(f"{label} = {wanted}" for label, wanted in (where or {}).items()),
        "currency": days.attrs["currency"],
        "scenarios": sorted({int(one["scenarios"]) for one in told}),
        "flags": sorted({flag for one in told for flag in one["flags"]}),
        "horizons": horizons,
        "long_gaps": [str(day)[:10] for day, gap in zip(days["date"].values, gaps, strict=True) if gap > _LONG],
        "lacking": {
            str(pair.until): list(pair.realised.manifest["unshocked"])
            for pair, here in zip(pairs, lacking, strict=True)
            if here
        },
        "books": len(books),
        "run_ids": [pair.run.known_as for pair in pairs],
        "realised_run_ids": [pair.realised.known_as for pair in pairs],
    }
