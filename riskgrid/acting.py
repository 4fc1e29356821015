"""What a principal does to a store: asks runs and what-ifs, names inputs, cancels and resumes, within its rights."""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import xarray as xr

from riskgrid.access import Door, Seen
from riskgrid.branching import live_of
from riskgrid.change import Changes
from riskgrid.engine.budget import Limits
from riskgrid.errors import BadChanges, BadSpec, Forbidden, InputError, KeyReused, LeaseLost, TooLarge
from riskgrid.hashing import digest
from riskgrid.inputs import described, save_input
from riskgrid.jobs import queued, queued_what_if
from riskgrid.lease import LEASE_SECONDS, Lease, Released, runner_name
from riskgrid.market.snapshot import MarketSnapshot
from riskgrid.portfolio import Portfolio
from riskgrid.principal import Principal
from riskgrid.question import CELL_LABELS, ask
from riskgrid.reason import with_reasons
from riskgrid.recipe import made_by, reads_files
from riskgrid.result import Run
from riskgrid.store import BATCH, ENDINGS, INTERACTIVE, RunRow
from riskgrid.whatif import answer_what_if, what_if

__all__ = ["QUOTA", "Asked", "ask_run", "ask_what_if", "cancel", "described", "keep_input", "make_scenarios", "resume"]

#: Valuations that are done while somebody waits, in the process that was asked; more are a runner's.
_AT_ONCE = 20_000_000

#: Scenarios of a what-if: an overlay multiplies them.
_MOST_SCENARIOS = 20_000

#: Runs that a principal may have waiting or at work at once.
QUOTA = 20

#: Seconds between two looks at a run that is waited for.
_POLL = 0.02

#: Shifts of a scenario set that is made while somebody waits.
_SHIFTS = 10_000_000

#: Seconds for which a little what-if waits for others that are made here, before it is left to a runner.
_PATIENCE = 1.0

#: Statuses, as they are stored, of a run that waits or is at work.
_ACTIVE = ("queued", "running")

#: Names of inputs: what a path or an address needs is not among them.
_NAME = re.compile(r"\w[\w .+@=-]{0,99}")


@dataclass(frozen=True)
class Asked:
    """A run by its inputs; options as :func:`riskgrid.running.run` takes them.

    portfolio, market, scenarios : the name of each, or ``{"of": RUN}`` for that of a run.
    """

    portfolio: str | Mapping[str, str]
    market: str | Mapping[str, str]
    scenarios: str | Mapping[str, str]
    name: str = ""
    reporting: str | None = None
    cell_labels: Sequence[str] = CELL_LABELS
    bits: int | None = None
    cut: int = 4096
    limits: Limits | None = None
    priority: int = BATCH


def ask_run(door: Door, who: Principal, asked: Asked, *, key: str | None = None, quota: int = QUOTA) -> Seen:
    """Queue a run of named inputs: of the portfolio, the trades in one's books.

    key : of the request; what is sent again under it, whatever the names mean by then, is the run of the first time.
    Forbidden, TooMany, UnknownName, KeyReused, BadSpec.
    """
    who.require("run")
    _check_priority(asked.priority, who)
    sent = _Sent.of("run", key, asdict(asked), who)
    earlier = _earlier(door, who, sent)
    if earlier is not None:
        return earlier
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
    door.store.queue.check_quota(who.name, quota)
    options: Any = {"name": asked.name, "limits": asked.limits, "priority": asked.priority}
    return _queue(door, who, sent, queued(question, door.store, **options), quota)


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
    sent = _Sent.of(f"what-if of {run_id}", key, {"changes": form, "name": name}, who)
    earlier = _earlier(door, who, sent)
    if earlier is not None:
        return _waited(door, who, earlier, wait)
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


def _what_if(door: Door, who: Principal, run: Run, changes: Changes, sent: _Sent, *, name: str, quota: int) -> Seen:
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
        seen = _queue(door, who, sent, row, None if here else quota)
        if here and _answered(door, run, changes, seen):
            return replace(door.row(seen.row.run_id, who), again=seen.again)
        return seen
    finally:
        if here:
            door.room.release()


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

    NameTaken for the name of another's, and of everybody's where one sees some books; Forbidden for trades outside
    one's books.
    """
    who.require("run")
    if not _NAME.fullmatch(name):
        raise BadSpec(f"the name is {name!r}; at most 100 letters, digits, spaces and . _ + @ = - are right")
    if isinstance(given, Portfolio) and who.books is not None:
        _check_trades(given, who)
    kind, _ = described(given)
    key = save_input(door.store, given)
    door.store.catalogue.keep_name(kind, name, key, who.name, rights=who.rights, owned=not who.may("admin"))
    return kind


def make_scenarios(
    door: Door, who: Principal, market: str, generator: str, options: Mapping[str, Any], *, history: str | None = None
) -> xr.Dataset:
    """Scenarios of a named market by a registered generator. history : None, or ``sample`` for that of the sample.

    BadSpec for options that it has not, that name a file, or that would make too large a set.
    """
    who.require("run")
    base: MarketSnapshot = door.load("market", market, who)
    if history not in (None, "sample"):
        raise BadSpec(f"history is {history!r}; 'sample', the history that comes with riskgrid, is right")
    for option in reads_files(generator):
        if not isinstance(options.get(option, {}), Mapping):
            raise BadSpec(f"'{option}' of scenario set '{generator}' is {options[option]!r}; shocks by name are right")
    _check_shifts(generator, options, len(base.factors))
    known = None
    if history is not None:
        from riskgrid import sample

        known = sample.history()
    return made_by(generator, options, base, known)


def _check_shifts(generator: str, options: Mapping[str, Any], factors: int) -> None:
    """TooLarge where an option, a count or lists that are crossed, would make more shifts than one request may."""
    counts = [value for name, value in options.items() if name != "seed" and isinstance(value, int)]
    crossed = math.prod(len(value) for value in options.values() if isinstance(value, (list, tuple)) and value)
    most = max([crossed, *counts])
    if most * factors > _SHIFTS:
        raise TooLarge(
            f"scenario set '{generator}' would have up to {most:,} scenarios of {factors:,} factors; "
            f"at most {_SHIFTS // factors:,} scenarios are right"
        )


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


@dataclass(frozen=True)
class _Sent:
    """A request as it was sent. key : its own, None for none.   kept : the key by which the queue knows it.

    said : digest of what was asked by whom.
    """

    key: str | None
    kept: str | None
    said: str

    @classmethod
    def of(cls, route: str, key: str | None, body: Mapping[str, Any], who: Principal) -> _Sent:
        """A key is of a route: what is asked elsewhere under the same one is another request. BadSpec for no key."""
        if key is not None and not (0 < len(key) <= 200 and key.isascii() and key.isprintable()):
            raise BadSpec(f"the request key is {key[:40]!r}; 1 to 200 printable ASCII characters are right")
        said = digest("request", route, json.dumps(body, default=str), who.rights).hex()
        return cls(key, None if key is None else f"{route}: {key}", said)


def _earlier(door: Door, who: Principal, sent: _Sent) -> Seen | None:
    """The run of a request that was sent before under the same key. KeyReused where that one asked something else."""
    row = None if sent.kept is None else door.store.queue.submitted(who.name, sent.kept)
    if row is None:
        return None
    if row.request_digest != sent.said:
        raise KeyReused.of(str(sent.key), row.run_id)
    return replace(door.seen(row, who), again=True)


def _queue(door: Door, who: Principal, sent: _Sent, row: RunRow, quota: int | None) -> Seen:
    row = replace(row, principal=who.name, request_key=sent.kept, request_digest=sent.said)
    try:
        kept = door.store.queue.submit(row, quota=quota)
    except KeyReused as error:
        raise KeyReused.of(str(sent.key), error.run_id) from None
    return replace(door.seen(kept, who), again=kept.run_id != row.run_id)


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


def _check_priority(priority: int, who: Principal) -> None:
    most = INTERACTIVE if not who.may("admin") else 1000
    if not BATCH <= priority <= most:
        raise BadSpec(f"priority is {priority}; {BATCH} to {most} is right, larger ones go first")


def _own(seen: Seen, who: Principal) -> None:
    who.require("run")
    if seen.row.principal != who.name and not who.may("admin"):
        raise Forbidden(f"run '{seen.row.run_id}' was asked by another; its principal or an admin may do that")
