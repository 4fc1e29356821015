"""What-ifs that a principal asks: little ones are made where they are asked, others are queued."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import xarray as xr

from riskgrid.access import Door
from riskgrid.acting.asked import QUOTA
from riskgrid.acting.naming import check_trades
from riskgrid.acting.sent import Sent, accepted, queued_once
from riskgrid.branching import live_of
from riskgrid.change import Changes
from riskgrid.errors import BadChanges, InputError, KeyReused, LeaseLost, TooLarge
from riskgrid.jobs import queued_what_if
from riskgrid.lease import LEASE_SECONDS, Lease, Released, runner_name
from riskgrid.principal import Principal
from riskgrid.reason import with_reasons
from riskgrid.result import Run
from riskgrid.seen import Seen
from riskgrid.store import ENDINGS
from riskgrid.whatif import answer_what_if, what_if

__all__ = ["ask_what_if"]

#: Valuations that are done while somebody waits, in the process that was asked; more are a runner's.
_AT_ONCE = 20_000_000

#: Scenarios of a what-if: an overlay multiplies them.
_MOST_SCENARIOS = 20_000

#: Seconds between two looks at a run that is waited for.
_POLL = 0.02

#: Seconds for which a little what-if waits for others that are made here, before it is left to a runner.
_PATIENCE = 1.0

#: Statuses, as they are stored, of a run that waits or is at work.
_ACTIVE = ("queued", "running")


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
    sent = Sent.of(f"what-if of {run_id}", key, {"changes": form, "name": name}, who)
    before = accepted(door, who, sent)
    if before is not None:
        return _waited(door, who, before, wait)
    plain = _named(door, who, form)
    try:
        changes = Changes.from_dict(plain)
        _check_books(run, changes, who)
        if not changes:
            return door.row(run_id, who)
        with door.alone((run.run_id, changes.digest, who.name, who.rights, name, key)):
            seen = _what_if(door, who, run, changes, sent, name=name, quota=quota)
    except KeyReused:
        raise
    except InputError as error:
        raise with_reasons(error, plain, live_of(run).ledger, run.market) from None
    return _waited(door, who, seen, wait)


def _what_if(door: Door, who: Principal, run: Run, changes: Changes, sent: Sent, *, name: str, quota: int) -> Seen:
    """A what-if that is made here and now where it is little work and there is room, else queued."""
    # who sees more than the run's maker may put more into it: it is for those who see as much
    here = _little(run, changes) and door.room.acquire(timeout=_PATIENCE)
    try:
        if here and sent.key is None:
            made = what_if(run, changes, name=name, principal=who.name, rights=who.rights)
            door.keep_open(made)
            return door.seen(made.row, who)
        row = queued_what_if(run, changes, name=name, rights=who.rights)
        if sent.key is None:
            waiting = door.store.catalogue.asked(row.content_id, who.name, name, _ACTIVE)
            if waiting is not None:
                return door.seen(waiting, who)
        # what is made here at once waits for nobody
        seen = queued_once(door, who, sent, row, None if here else quota)
        if here and _answered(door, run, changes, seen):
            return replace(door.row(seen.row.run_id, who), again=seen.again)
        return seen
    finally:
        if here:
            door.room.release()


def _named(door: Door, who: Principal, form: Mapping[str, Any]) -> dict[str, Any]:
    """With the inputs that are named in place of their names: nothing here is a path, or a key of the store."""
    if not isinstance(form, Mapping):
        raise BadChanges(f"changes are a {type(form).__name__}; a mapping is right, e.g. {{'drop': ['T-1']}}")
    made = dict(form)
    for field, kind in (("snapshot", "market"), ("scenarios", "scenarios"), ("overlay", "scenarios")):
        if isinstance(made.get(field), str):
            made[field] = door.inputs.load(kind, made[field], who)
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
    check_trades(changes.portfolio(run.portfolio) if delta.rules else delta.new, who)


def _little(run: Run, changes: Changes) -> bool:
    """Whether the changes need few enough valuations, at most, to be made while somebody waits.

    TooLarge for more scenarios than a what-if may have.
    """
    everything = changes.replaces or bool(changes.shift)
    trades = run.row.trades if everything else len(changes.changed)
    trades += len(changes.add)
    base = run.row.scenarios if changes.scenarios is None else changes.scenarios.sizes["scenario"]
    over: Any = changes.overlay
    times = 1 if over is None else over.sizes["scenario"] if isinstance(over, xr.Dataset) else len(over)
    if base * times > _MOST_SCENARIOS:
        raise TooLarge(
            f"an overlay of {times:,} on each of {base:,} scenarios makes {base * times:,}; at most "
            f"{_MOST_SCENARIOS:,} are right: lay over fewer"
        )
    return trades * (base * times + 1) <= _AT_ONCE


def _answered(door: Door, run: Run, changes: Changes, seen: Seen) -> bool:
    """Whether a what-if that was accepted is finished, made here unless somebody else has taken it."""
    if seen.row.status in ENDINGS:
        return True
    held = door.store.queue.claim(seen.row.run_id, runner_name(), LEASE_SECONDS)
    if held is None:
        return False
    try:
        with Lease(door.store, held, again=(Released,)) as lease, door.holding(lease):
            door.keep_open(answer_what_if(run, changes, lease, cluster="auto"))
    except (LeaseLost, Released):  # another goes on with it
        return False
    return True


def _waited(door: Door, who: Principal, asked: Seen, wait: float) -> Seen:
    until = time.monotonic() + wait
    while True:
        seen = replace(door.row(asked.row.run_id, who), again=asked.again)
        if seen.row.status in ENDINGS or time.monotonic() >= until:
            return seen
        time.sleep(_POLL)
