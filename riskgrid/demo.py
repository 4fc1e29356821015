"""The main job on the bundled sample: three valuation dates, the P&L of the vote, a table by region and desk, pages."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from riskgrid import sample
from riskgrid.analysis.explaining import Explained, explain
from riskgrid.analysis.presenting import chapters
from riskgrid.analysis.rolling import last_dates, roll
from riskgrid.errors import BadSpec
from riskgrid.measures.tail import expected_shortfall, value_at_risk
from riskgrid.portfolio import Portfolio
from riskgrid.reporting import report
from riskgrid.result import Run
from riskgrid.running import run
from riskgrid.scenarios import file
from riskgrid.settings import settings
from riskgrid.store import store_of

__all__ = ["DATES", "WINDOW", "demonstrate", "roll_sample", "write_sample"]

#: The day before and the day after the Brexit vote, and a week later.
DATES = ("2016-06-23", "2016-06-24", "2016-07-01")

#: Chapters of the report's page.
CHAPTERS = ("classes", "tail", "sensitivities", "stress")

#: Changes behind the VaR of each date of a rolled sample book: a year.
WINDOW = 250


def demonstrate(
    *,
    trades: int = 10_000,
    cluster: str = "threads",
    store: Path | str | None = None,
    say: Callable[[str], object] = print,
) -> Run:
    """Run the sample on ``DATES``, explain the day of the vote, write a page of each; returns the last run.

    The pages are left as they are where all runs were found finished.
    """
    begun = time.perf_counter()
    kept = store_of(store)
    portfolio = sample.portfolio(trades)
    say(f"{len(portfolio):,} sample trades (synthetic) on real market history, in {', '.join(portfolio.instruments)}")
    before: tuple[float, float, str] | None = None
    runs = []
    for date in DATES:
        market, scenarios = sample.market(date), sample.scenarios(date)
        made = run(portfolio, market, scenarios, name=f"demo-{date}", store=kept, cluster=cluster)
        runs.append(made)
        value, var = float(made.aggregate()["base_value"][0]), float(value_at_risk(made.pnl()))
        say(_line(made))
        if before is not None:
            change, bound = value - before[0], before[1]
            days = int((np.datetime64(date) - np.datetime64(before[2])).astype(int))
            # a one-day VaR speaks of one day
            beyond = f": a loss beyond the VaR of {bound:,.0f}" if change < -bound else f", VaR {bound:,.0f}"
            said = beyond if days == 1 else f" in {days} days"
            say(f"            PV moved {change:,.0f} {made.manifest['reporting']} since {before[2]}{said}")
        before = value, var, date
    vote, told = explain(*runs[:2], cluster=cluster), report(made, by=("region", "desk"))
    say(f"\n{_moved(vote)}\n")
    say(str(told))
    pages = (settings().home if kept.remote else kept.root) / "reports"
    first, second = pages / f"demo-{DATES[-1]}.html", pages / "demo-vote.html"
    if not (first.exists() and second.exists() and all(one.found for one in runs)):
        told.to_html(first, also=chapters(made, CHAPTERS, ("desk",)))
        explain(*runs[:2], sensitivities=True, risk=True, objects=True, cluster=cluster).to_html(second)
    say(f"\nreport   {first}\nvote     {second}")
    say(f"store    {kept.where}\n{time.perf_counter() - begun:.1f} s in all")
    say("next     riskgrid runs; riskgrid report demo-2016-07-01 --by desk,book; or the README's Python example")
    return made


def write_sample(folder: Path, *, trades: int = 1000, date: str = DATES[-1]) -> Path:
    """Write the sample as files to look at and to change: trades, market, scenarios, and a run in YAML.

    Returns the path of the YAML file. BadSpec where the folder holds something already.
    """
    if folder.exists() and any(folder.iterdir()):
        raise BadSpec(f"{folder} is not empty; a new folder is right")
    market = sample.market(date)
    sample.portfolio(trades).write(folder / "trades", "csv")
    market.write(folder / "market", "csv")
    file.write(sample.scenarios(date), folder / "scenarios.parquet")
    path = folder / "run.yaml"
    path.write_text(_SPEC, encoding="utf-8")
    return path


def roll_sample(
    name: str, *, days: int = 250, until: str | None = None, trades: int = 1000, restrike: bool = False, **options: Any
) -> list[Run]:
    """Roll the sample book through the last ``days`` of the sample history, each under its last 250 changes.

    The book is struck around its first date and ages; ``restrike`` : struck again for each month.   options : of
    :func:`riskgrid.analysis.rolling.roll`.
    """
    dates = last_dates(sample.history(), days + 1, until or DATES[-1])

    def struck(day: np.datetime64) -> Portfolio:
        month = sample.history().dates.searchsorted(day.astype("datetime64[M]").astype("datetime64[D]"))
        return sample.portfolio(trades, date=sample.history().dates[month])

    return roll(
        functools.cache(struck) if restrike else sample.portfolio(trades, date=dates[0]),
        dates,
        sample.market,
        lambda market: sample.scenarios(market.date, count=WINDOW, market=market),
        name=name,
        **options,
    )


_SPEC = """\
# riskgrid run run.yaml
name: sample
portfolio: trades             # one CSV or Parquet file an instrument
market: market                # factors.csv, fixings.csv, conventions.yaml
scenarios: scenarios.parquet  # one row a day of real history
on_bad: keep                  # a bad row is named and left out; 'raise' stops instead
report:
  by: [region, desk]
  html: report.html
"""


def _moved(vote: Explained) -> str:
    """The P&L of a day in a few lines: its pieces, and the market objects that moved it most."""
    table, currency = vote.by(()), vote.attribution.currency
    parts = sorted(zip(vote.pieces, table["pnl"].values[0].tolist(), strict=True), key=lambda part: -abs(part[1]))
    pieces = ", ".join(f"{name} {value:,.0f}" for name, value in parts[:5] if value)
    a, b = vote.frames.a.row.as_of, vote.frames.b.row.as_of
    unexplained = float(table["pnl"].sel(piece="unexplained")[0])
    return (
        f"{a} to {b}: P&L {float(table['total'][0]):,.0f} {currency}, most of it {pieces}\n"
        f"            unexplained by revaluation {unexplained:,.0f}; 'riskgrid explain-pnl demo-{a} demo-{b}' says more"
    )


def _line(made: Run) -> str:
    total = made.pnl()
    currency = made.manifest["reporting"]
    value = float(made.aggregate()["base_value"][0])
    var, shortfall = float(value_at_risk(total)), float(expected_shortfall(total))
    counts = made.manifest["blocks"]
    blocks = len(set(made.cube.placement.keys))
    how = (
        f"all {blocks:,} blocks found in the store, nothing priced"
        if made.found
        else f"{counts['priced']:,} of {blocks:,} blocks priced, {counts['found']:,} found, {made.row.seconds:.1f} s"
    )
    worst = str(total["scenario"].values[int(np.argmin(total.values))])
    return (
        f"{made.row.as_of}  run {made.run_id}  {made.row.scenarios:,} scenarios: {how}\n"
        f"            PV {value:,.0f}  VaR 99% {var:,.0f}  ES 97.5% {shortfall:,.0f} {currency}, worst day {worst}"
    )
