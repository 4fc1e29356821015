"""What a principal does to a store: asks runs and what-ifs, names inputs, cancels and resumes, within its rights."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import xarray as xr

from riskgrid.access import Door, Seen
from riskgrid.branching import live_of
from riskgrid.change import Changes
from riskgrid.engine.budget import Limits
from riskgrid.errors import BadChanges, BadSpec, Forbidden, LeaseLost, TooMany
from riskgrid.inputs import described, save_input
from riskgrid.jobs import submit, submit_what_if
from riskgrid.lease import LEASE_SECONDS, Lease, runner_name
from riskgrid.market.snapshot import MarketSnapshot
from riskgrid.portfolio import Portfolio
from riskgrid.principal import Principal
from riskgrid.question import CELL_LABELS, ask
from riskgrid.result import Run
from riskgrid.store import BATCH, ENDINGS, INTERACTIVE, RunRow
from riskgrid.whatif import answer_what_if, what_if

__all__ = ["QUOTA", "Asked", "ask_run", "ask_what_if", "cancel", "keep_input", "resume"]

#: Valuations that are done while somebody waits, in the process that was asked; more are a runner's.
_AT_ONCE = 20_000_000

#: Runs that a principal may have waiting or at work at once.
QUOTA = 20

#: Seconds between two looks at a run that is waited for.
_POLL = 0.02


@dataclass(frozen=True)
class Asked:
    """A run by the names of its inputs; options as :func:`riskgrid.running.run` takes them."""

    portfolio: str
    market: str
    scenarios: str
    name: str = ""
    reporting: str | None = None
    cell_labels: Sequence[str] = CELL_LABELS
    bits: int | None = None
    cut: int = 4096
    limits: Limits | None = None
    priority: int = BATCH


def ask_run(door: Door, who: Principal, asked: Asked, *, key: str | None = None, quota: int = QUOTA) -> Seen:
    """Queue a run of named inputs: of the portfolio, the trades in one's books.

    key : of the request, see :func:`riskgrid.jobs.submit`.   Forbidden, TooMany, UnknownName, BadSpec.
    """
    who.require("run")
    _check_priority(asked.priority, who)
    question = ask(
        door.load("portfolio", asked.portfolio, who),
        door.load("market", asked.market, who),
        door.load("scenarios", asked.scenarios, who),
        reporting=asked.reporting,
        cell_labels=tuple(asked.cell_labels),
        bits=asked.bits,
        cut=asked.cut,
        rights=who.rights,
    )
    _check_quota(door, who, key, quota)
    options: dict[str, Any] = {"name": asked.name, "limits": asked.limits, "priority": asked.priority}
    return door.seen(submit(question, door.store, principal=who.name, key=key, **options), who)


def ask_what_if(
    door: Door,
    who: Principal,
    run_id: str,
    form: Mapping[str, Any],
    *,
    name: str = "",
    key: str | None = None,
    wait: float = 0.0,
    quota: int = QUOTA,
) -> Seen:
    """A what-if of what one sees of a run. Little work is done here and now, the rest is queued.

    form : the plain form of :class:`~riskgrid.change.Changes`; snapshots and scenario sets by name.   wait : seconds to
    wait for one that was queued.   key : as of :func:`ask_run`.
    Forbidden where a trade would come to be in a book that is not one's own.
    """
    who.require("run")
    run = door.run(run_id, who)
    changes = Changes.from_dict(_named(door, who, form))
    _check_books(run, changes, who)
    if not changes:
        return door.row(run_id, who)
    if _little(run, changes):
        if key is None:
            made = what_if(run, changes, name=name, principal=who.name)
            return door.hold(made, who)
        row = submit_what_if(run, changes, name=name, principal=who.name, key=key)
        return _answered_here(door, who, run, changes, row, wait)
    _check_quota(door, who, key, quota)
    return _waited(door, who, submit_what_if(run, changes, name=name, principal=who.name, key=key), wait)


def cancel(door: Door, who: Principal, run_id: str) -> Seen:
    """Cancel a run of one's own. Forbidden for another's, BadSpec where it has ended."""
    _own(door.row(run_id, who), who)
    door.store.queue.cancel(run_id, who.name)
    return door.row(run_id, who)


def resume(door: Door, who: Principal, run_id: str) -> Seen:
    """Queue a run of one's own again. Forbidden for another's, BadSpec where it cannot go on."""
    _own(door.row(run_id, who), who)
    door.store.queue.resume(run_id, who.name)
    return door.row(run_id, who)


def keep_input(door: Door, who: Principal, name: str, given: Portfolio | MarketSnapshot | xr.Dataset) -> str:
    """Keep an input under a name, seen by those who may see all that ``who`` may; its kind.

    NameTaken for the name of another's, Forbidden for trades outside one's books.
    """
    who.require("run")
    if not name.strip():
        raise BadSpec("an input is kept under a name; the one given is empty")
    if isinstance(given, Portfolio) and who.books is not None:
        _check_trades(given, who)
    kind, _ = described(given)
    key = save_input(door.store, given)
    door.store.catalogue.keep_name(kind, name, key, who.name, rights=who.rights, owned=not who.may("admin"))
    return kind


def _named(door: Door, who: Principal, form: Mapping[str, Any]) -> dict[str, Any]:
    """With the inputs that are named in place of their names: nothing here is a path, or a key of the store."""
    if not isinstance(form, Mapping):
        raise BadChanges(f"changes are a {type(form).__name__}; a mapping is right, e.g. {{'drop': ['T-1']}}")
    made = dict(form)
    for field, kind in (("snapshot", "market"), ("scenarios", "scenarios"), ("overlay", "scenarios")):
        if isinstance(made.get(field), str):
            made[field] = door.load(kind, made[field], who)
    if "history" in made:
        raise BadChanges("'history' stands alone; 'date': {'date': '2016-06-30', 'history': 'sample'} is right")
    date = made.get("date")
    if date is not None and not (isinstance(date, Mapping) and date.get("history") == "sample"):
        raise BadChanges(
            f"date is {date!r}; {{'date': '2016-06-30', 'history': 'sample'}} is right, or 'snapshot' with the name of "
            "a market"
        )
    return made


def _check_books(run: Run, changes: Changes, who: Principal) -> None:
    """Forbidden where a trade would come to be in a book that is not among one's own."""
    if who.books is None:
        return
    delta = changes.delta(live_of(run).ledger)
    _check_trades(changes.portfolio(run.portfolio) if delta.rules else delta.new, who)


def _check_trades(portfolio: Portfolio, who: Principal) -> None:
    if who.books is None:
        return
    outside = portfolio.outside(who.books)
    if outside:
        row = portfolio.trade(outside[0])
        at = ", ".join(f"{label} {row.get(label) or '(none)'}" for label in ("region", "desk", "book"))
        more = f", as would {len(outside) - 1:,} more" if len(outside) > 1 else ""
        raise Forbidden(f"trade '{outside[0]}' would be in {at}{more}; your books are {who.books}")


def _little(run: Run, changes: Changes) -> bool:
    """Whether the changes need few enough valuations, at most, to be made while somebody waits."""
    everything = changes.replaces or bool(changes.shift)
    trades = run.row.trades if everything else len(changes.changed)
    trades += len(changes.add)
    return trades * (run.row.scenarios + 1) <= _AT_ONCE


def _answered_here(  # noqa: PLR0917, private and of one caller's names
    door: Door, who: Principal, run: Run, changes: Changes, row: RunRow, wait: float
) -> Seen:
    """A what-if that was accepted, made here unless somebody else has taken it."""
    if row.status in ENDINGS:
        return door.row(row.run_id, who)
    held = door.store.queue.claim(row.run_id, runner_name(), LEASE_SECONDS)
    if held is None:
        return _waited(door, who, row, wait)
    try:
        with Lease(door.store, held) as lease:
            made = answer_what_if(run, changes, lease, cluster="auto")
    except LeaseLost:  # another goes on with it
        return _waited(door, who, row, wait)
    return door.hold(made, who)


def _waited(door: Door, who: Principal, row: RunRow, wait: float) -> Seen:
    until = time.monotonic() + wait
    while True:
        seen = door.row(row.run_id, who)
        if seen.row.status in ENDINGS or time.monotonic() >= until:
            return seen
        time.sleep(_POLL)


def _check_quota(door: Door, who: Principal, key: str | None, quota: int) -> None:
    """TooMany where as many runs wait or work as may; a request that was accepted before is none."""
    if key is not None and door.store.queue.submitted(who.name, key) is not None:
        return
    active = door.store.queue.active(who.name)
    if active >= quota:
        raise TooMany(f"'{who.name}' has {active} runs waiting or at work, as many as may be at once", 5.0)


def _check_priority(priority: int, who: Principal) -> None:
    most = INTERACTIVE if not who.may("admin") else 1000
    if not BATCH <= priority <= most:
        raise BadSpec(f"priority is {priority}; {BATCH} to {most} is right, larger ones go first")


def _own(seen: Seen, who: Principal) -> None:
    who.require("run")
    if seen.row.principal != who.name and not who.may("admin"):
        raise Forbidden(f"run '{seen.row.run_id}' was asked by another; its principal or an admin may do that")
