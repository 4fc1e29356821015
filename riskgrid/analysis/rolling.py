"""A book rolled through a history: a run with its VaR on every date, and what the book made until the next one."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import xarray as xr

from riskgrid.errors import BadSpec, UnknownName
from riskgrid.market.history import MarketHistory
from riskgrid.market.snapshot import MarketSnapshot
from riskgrid.portfolio import Portfolio
from riskgrid.progress import stepped
from riskgrid.result import Run, open_run
from riskgrid.running import revalue, run
from riskgrid.scenarios.realised import realised
from riskgrid.store import RunRow, Store, store_of

__all__ = ["PREFIX", "Pair", "last_dates", "pairs_of", "realise", "roll"]

#: What the names of rolled runs begin with: ``backtest-NAME-2016-06-24``.
PREFIX = "backtest"

_REALISED = "-realised-"
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_NAME = re.compile(rf"(.+)-{_DATE.pattern}")

type Days = Iterable[np.datetime64 | str]


@dataclass(frozen=True)
class Pair:
    """A run of a date, and the one that revalues its book with the levels of the next date, ``until``."""

    run: Run
    realised: Run
    until: np.datetime64


def roll(
    portfolio: Portfolio | Callable[[np.datetime64], Portfolio],
    dates: Days,
    market_of: Callable[[np.datetime64], MarketSnapshot],
    scenarios_of: Callable[[MarketSnapshot], xr.Dataset],
    *,
    name: str,
    store: Store | Path | str | None = None,
    progress: Literal["auto"] | None = "auto",
    **options: Any,
) -> list[Run]:
    """A stored run of each date, called ``backtest-NAME-DATE``, and between two dates the run that says what happened.

    portfolio : one book that stays as it is and ages: trades expire, options come near their expiry, nothing is
    replaced, so a year later its risk is another book's; or a function of the date, for books that are struck again.
    dates : increasing; P&L is from each to the next, so they should be neighbours.   market_of : the snapshot of a
    date.   scenarios_of : the scenario set of a snapshot, from no later date.   options : those of
    :func:`riskgrid.running.run`; a Dask client as ``cluster`` serves all days, where ``processes:N`` would be
    started anew for each run. What is finished is found: an interrupted roll goes on, a longer one adds days.
    Raises BadSpec where dates do not increase, a snapshot is of another date, or a scenario of a later one.
    """
    if not name.strip():
        raise BadSpec("a history of runs has a name; the one given is empty")
    kept, days = store_of(store), _increasing(dates)
    made: list[Run] = []
    before: _Priced | None = None
    with stepped("days", len(days), progress) as told:
        for day in days:
            market = market_of(day)
            if market.date != day:
                raise BadSpec(f"market_of({day}) gives a snapshot of {market.date}; one of {day} is right")
            held = portfolio(day) if callable(portfolio) else portfolio
            scenarios, title = scenarios_of(market), f"{PREFIX}-{name}-{day}"
            _refuse_later(scenarios, day)
            today = run(held, market, scenarios, name=title, store=kept, progress=None, **options)
            if before is not None:
                before.realise(market, _of_day(scenarios, day), _scenario_key(today), options.get("cluster"))
            made.append(Run(today.row, kept, today.found))  # without its inputs: a year of them fills the memory
            before = _Priced(title, today, held, market)
            told(f"{day}, run {today.known_as}{', found' if today.found else ''}")
    return made


def realise(before: Run, after: Run, *, cluster: Any = None) -> Run:
    """The run that revalues the book of ``before`` with the levels of ``after``: the states of :func:`realised`.

    Where the scenarios of ``after`` have one of its date, that is the risk-theoretical move. BadScenarios where
    ``after`` is not later.
    """
    following = after.market
    priced = _Priced(before.called, before, before.portfolio, before.market)
    return priced.realise(following, _of_day(after.scenarios, following.date), _scenario_key(after), cluster)


def pairs_of(runs: str | Sequence[Run | str], store: Store | Path | str | None = None) -> list[Pair]:
    """Each run with what its book made until the next one; priced where no run of the store says it yet.

    runs : the name of a history that :func:`roll` made, or runs of different dates in any order, by object, id or name.
    BadSpec for fewer than two, or two of one date; UnknownName for a history that the store does not have.
    """
    if isinstance(runs, str):
        ordered, named = _rolled(runs, store_of(store))
    else:
        opened = [open_run(one, store=store) if isinstance(one, str) else one for one in runs]
        ordered, named = sorted((Run(one.row, one.store) for one in opened), key=lambda one: one.row.as_of), {}
    _check(ordered)
    pairs: list[Pair] = []
    lent: dict[str, Portfolio] = {}
    for before, after in itertools.pairwise(ordered):
        title = before.called
        row = named.get((before.row.as_of, after.row.as_of)) or _called(before, f"{title}{_REALISED}{after.row.as_of}")
        if row is not None and _is_of(row, before, after):
            found = Run(row, before.store)
        else:
            found = _realised_once(before, after, lent)
        pairs.append(Pair(before, found, np.datetime64(after.row.as_of, "D")))
    return pairs


@dataclass(frozen=True)
class _Priced:
    """A run with its inputs at hand. title : what its realised run is named after."""

    title: str
    run: Run
    portfolio: Portfolio
    market: MarketSnapshot

    def realise(self, following: MarketSnapshot, modelled: xr.Dataset | None, scenarios: str, cluster: Any) -> Run:
        """The run under what happened until ``following``, asked as the run itself was.

        scenarios : key of the set that ``modelled`` is of, or that has no scenario of the day.
        """
        held = Run(self.run.row, self.run.store)
        held.__dict__.update(portfolio=self.portfolio, market=self.market)  # need not be read again
        name = f"{self.title}{_REALISED}{following.date}"
        states = realised(self.market, following, modelled, scenarios=scenarios)
        return revalue(held, states, name=name, cluster=cluster or "threads")


def _realised_once(before: Run, after: Run, lent: dict[str, Portfolio]) -> Run:
    """What happened between two runs, asked of copies that keep no inputs; ``lent`` : the book of the day before."""
    first, key = Run(before.row, before.store), str(before.manifest["inputs"]["portfolio"])
    if not first.beside and key in lent:
        first.__dict__["portfolio"] = lent[key]
    made = realise(first, Run(after.row, after.store))
    lent.clear()
    if not first.beside:  # a what-if names the inputs of its parent
        lent[key] = first.portfolio
    return Run(made.row, made.store)


def _rolled(name: str, store: Store) -> tuple[list[Run], dict[tuple[str, str], RunRow]]:
    """The runs of a history by date, and the rows of what happened by the dates from and to."""
    prefix = f"{PREFIX}-{name}-"
    rows = {called.removeprefix(prefix): row for called, row in store.catalogue.called(prefix).items()}
    runs = [Run(row, store) for called, row in sorted(rows.items()) if _DATE.fullmatch(called)]
    if not runs:
        every = store.catalogue.called(f"{PREFIX}-")
        known = {found[1] for called in every if (found := _NAME.fullmatch(called.removeprefix(f"{PREFIX}-")))}
        if not known:
            raise BadSpec(f"the store has no history of runs, so none called '{name}'; 'riskgrid roll' makes one")
        raise UnknownName("history of runs", name, known)
    named = {tuple(called.split(_REALISED)): row for called, row in rows.items() if _REALISED in called}
    return runs, {(found[0], found[1]): row for found, row in named.items() if len(found) == 2}


def _refuse_later(scenarios: xr.Dataset, day: np.datetime64) -> None:
    """BadSpec where a set that should know nothing of later days names one."""
    later = [label for label in map(str, scenarios["scenario"].values) if _DATE.fullmatch(label) and label > str(day)]
    if later:
        raise BadSpec(
            f"the scenarios of {day} have a change that ended on {later[-1]}, which was not known then; a window that "
            "ends with its date is right, such as count=250 without an end"
        )


def _check(runs: Sequence[Run]) -> None:
    if len(runs) < 2:
        raise BadSpec(f"{len(runs)} run has no next day to be tested on; runs of two dates or more are right")
    currencies = dict.fromkeys(str(run.manifest["reporting"]) for run in runs)
    if len(currencies) > 1:
        raise BadSpec(f"the runs report in {' and '.join(currencies)}; runs in one currency can be tested together")
    for before, after in itertools.pairwise(runs):
        if before.row.as_of == after.row.as_of:
            both = " and ".join(f"'{one.called}'" for one in (before, after))
            raise BadSpec(f"{both} are both of {after.row.as_of}; one run a date is right")


def _called(run: Run, name: str) -> RunRow | None:
    return run.store.catalogue.called(name).get(name)


def _is_of(row: RunRow, before: Run, after: Run) -> bool:
    """Whether a realised run revalues the very book and market of a run, in its currency, with the later market, and
    its risk-theoretical move is of the later scenario set."""
    if before.beside or after.beside:  # a what-if names the inputs of its parent
        return False
    inputs, facts = row.manifest["inputs"], json.loads(row.manifest["provenance"] or "{}")
    same = all(inputs[what] == before.manifest["inputs"][what] for what in ("portfolio", "market"))
    same &= facts.get("market") == after.manifest["inputs"]["market"]
    same &= facts.get("scenarios") == _scenario_key(after)
    return same and all(row.manifest[what] == before.manifest[what] for what in ("reporting", "bits"))


def _scenario_key(run: Run) -> str:
    return str(run.manifest["inputs"]["scenarios"])


def _of_day(scenarios: xr.Dataset, day: np.datetime64) -> xr.Dataset | None:
    """The scenario that is the move up to a day, if the set has it."""
    labels = scenarios["scenario"].values.tolist()
    return scenarios.isel(scenario=[labels.index(str(day))]) if str(day) in labels else None


def last_dates(history: MarketHistory, count: int, until: str | None = None) -> list[np.datetime64]:
    """The last ``count`` dates of a history, up to ``until``. BadSpec where there are fewer.

    >>> from riskgrid import sample
    >>> [str(day) for day in last_dates(sample.history(), 2, "2016-07-03")]
    ['2016-06-30', '2016-07-01']
    """
    try:
        last = history.dates[-1] if until is None else np.datetime64(until, "D")
    except ValueError:
        raise BadSpec(f"the last date is {until!r}; a date such as 2016-07-01 is right") from None
    dates = history.dates[history.dates <= last]
    if len(dates) < count:
        raise BadSpec(f"the history has {len(dates)} dates up to {last}; {count} are asked for")
    return list(dates[len(dates) - count :])


def _increasing(dates: Days) -> list[np.datetime64]:
    try:
        days = [np.datetime64(day, "D") for day in dates]
    except ValueError as error:
        raise BadSpec(f"the dates to roll through are no dates ({error}); 2016-06-24 is right") from None
    if len(days) < 2:
        raise BadSpec(f"{len(days)} date has no next day; two dates or more are right")
    for before, after in itertools.pairwise(days):
        if not after > before:
            raise BadSpec(f"{after} follows {before}; dates that increase are right")
    return days
