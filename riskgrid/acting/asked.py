"""Runs that a principal asks, cancels and resumes, within its rights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from riskgrid.access import Door
from riskgrid.acting.sent import Sent, accepted, queued_once
from riskgrid.engine.budget import Limits
from riskgrid.errors import BadSpec, Forbidden
from riskgrid.jobs import queued
from riskgrid.principal import Principal
from riskgrid.question import CELL_LABELS, ask
from riskgrid.seen import Seen
from riskgrid.store import BATCH, INTERACTIVE

__all__ = ["QUOTA", "Asked", "ask_run", "cancel", "resume"]

#: Runs that a principal may have waiting or at work at once.
QUOTA = 20


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
    sent = Sent.of("run", key, asdict(asked), who)
    before = accepted(door, who, sent)
    if before is not None:
        return before
    question = ask(
        door.inputs.load("portfolio", asked.portfolio, who),
        door.inputs.load("market", asked.market, who),
        door.inputs.load("scenarios", asked.scenarios, who),
        reporting=asked.reporting,
        cell_labels=tuple(asked.cell_labels),
        bits=asked.bits,
        cut=asked.cut,
        rights=who.rights,
    )
    door.store.queue.check_quota(who.name, quota)
    options: Any = {"name": asked.name, "limits": asked.limits, "priority": asked.priority}
    return queued_once(door, who, sent, queued(question, door.store, **options), quota)


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


def _check_priority(priority: int, who: Principal) -> None:
    most = INTERACTIVE if not who.may("admin") else 1000
    if not BATCH <= priority <= most:
        raise BadSpec(f"priority is {priority}; {BATCH} to {most} is right, larger ones go first")


def _own(seen: Seen, who: Principal) -> None:
    who.require("run")
    if seen.row.principal != who.name and not who.may("admin"):
        raise Forbidden(f"run '{seen.row.run_id}' was asked by another; its principal or an admin may do that")
