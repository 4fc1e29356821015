"""Every error of riskgrid, one tree: a sentence that names the thing, the place and what would be right.

RiskgridError
├── InputError                 something handed in is wrong; fix it and call again
│   ├── UnknownName            a name that nothing answers to; lists the known ones
│   ├── BadRows                rows of a portfolio that cannot be read; carries every one of them
│   ├── BadMarket              a snapshot, history or conventions file that cannot be used
│   ├── BadScenarios           a scenario set that cannot be applied to this market
│   ├── NameTaken              a name that somebody else has given
│   ├── BadChanges             changes that cannot be made to a run
│   └── BadSpec                a run, report or measure asked for with impossible settings
│       ├── TooLarge           a run that its limits, or the disk of the store, cannot hold
│       ├── KeyReused          a request key that was used for another request
│       ├── WrongStatus        a run whose status does not allow what is asked
│       └── NotFinished        a run that has no numbers yet
├── MarketError                a pricer asked the market for something it does not have
│   ├── MissingMarketData      no such market object
│   ├── MissingFixing          no published fixing on a date that lies in the past
│   └── UnrecordedRead         a block asked for what its plan did not record; the trade is recorded again
├── NotAQuantity               a pricer needs the numbers of a symbolic quantity (``if x > 0``, ``float(x)``)
├── AccessError                who asks may not
│   ├── Unauthenticated        nobody knows who asks: a token or key is missing, wrong or has expired
│   ├── IssuerAway             who asks cannot be found out: the issuer of tokens does not answer
│   ├── Forbidden              what is asked needs other rights
│   └── TooMany                more requests or runs at once than a principal may have
├── StoreError                 the block store cannot be read or written
│   ├── DamagedObject          a stored object is not what was written; asking again makes it anew
│   └── LeaseLost              a run that this process worked on is another's by now
├── Stopped                    a run that was ended before its time; what is finished is kept
│   ├── Cancelled              somebody asked for it
│   └── OverLimit              it has taken longer than it may
├── ClusterLost                the scheduler or all workers have gone; what is finished is kept
├── ServiceLost                a service does not answer, or what answers is no service of riskgrid's
├── WorkerLost                 a worker process ended while it worked on a task
├── MoneyOverflow              a sum of money leaves 64-bit ticks
└── NumericsMismatch           a worker computes with other libraries or instructions than the run
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass

__all__ = [
    "AccessError",
    "BadChanges",
    "BadMarket",
    "BadRow",
    "BadRows",
    "BadScenarios",
    "BadSpec",
    "Cancelled",
    "ClusterLost",
    "DamagedObject",
    "Forbidden",
    "InputError",
    "IssuerAway",
    "KeyReused",
    "LeaseLost",
    "MarketError",
    "MissingFixing",
    "MissingMarketData",
    "MoneyOverflow",
    "NameTaken",
    "NotAQuantity",
    "NotFinished",
    "NumericsMismatch",
    "OverLimit",
    "RiskgridError",
    "ServiceLost",
    "Stopped",
    "StoreError",
    "TooLarge",
    "TooMany",
    "Unauthenticated",
    "UnknownName",
    "UnrecordedRead",
    "WorkerLost",
    "WrongStatus",
]


class RiskgridError(Exception):
    """Base of every error that riskgrid raises on purpose; ``str(error)`` is one sentence for a person."""


class InputError(RiskgridError):
    """Something handed in is wrong."""


class UnknownName(InputError):
    """A name that nothing answers to.

    >>> print(UnknownName("instrument", "fx_fwd", ["fx_forward", "equity"]))
    unknown instrument 'fx_fwd'; did you mean 'fx_forward'? known: 'equity', 'fx_forward'
    """

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        self.kind, self.name, self.known = kind, name, sorted(known)
        close = difflib.get_close_matches(str(name), self.known, n=1)
        hint = f"did you mean {close[0]!r}? " if close else ""
        super().__init__(f"unknown {kind} {name!r}; {hint}known: {_listing(self.known)}")

    def __reduce__(self) -> tuple[type[UnknownName], tuple[str, str, list[str]]]:
        return type(self), (self.kind, self.name, self.known)


@dataclass(frozen=True)
class BadRow:
    """One reason why one row of a portfolio cannot be read. ``line`` counts from 1, the header included."""

    file: str
    line: int | None
    column: str
    value: str
    reason: str

    def __str__(self) -> str:
        place = self.file if self.line is None else f"{self.file}, line {self.line}"
        return f"{place}, column '{self.column}': {self.value!r} {self.reason}"


class BadRows(InputError):
    """Rows of a portfolio that cannot be read; ``rows`` holds every :class:`BadRow`, the message the first ones."""

    def __init__(self, rows: Iterable[BadRow], of: str = "the portfolio (on_bad='keep' runs the good rows)") -> None:
        self.rows, self.of = tuple(rows), of
        shown = "\n".join(f"  {row}" for row in self.rows[:20])
        more = f"\n  and {len(self.rows) - 20} more" if len(self.rows) > 20 else ""
        problems = "1 problem" if len(self.rows) == 1 else f"{len(self.rows)} problems"
        super().__init__(f"{problems} in {of}:\n{shown}{more}")

    def __reduce__(self) -> tuple[type[BadRows], tuple[tuple[BadRow, ...], str]]:
        return type(self), (self.rows, self.of)


class BadMarket(InputError):
    """A snapshot, history or conventions file that cannot be used."""


class BadScenarios(InputError):
    """A scenario set that cannot be applied to this market."""


class BadChanges(InputError):
    """Changes that contradict each other or the run they are made to. ``reasons`` : each, where there are several."""

    def __init__(self, sentence: str, reasons: Iterable[str] = ()) -> None:
        self.reasons = tuple(reasons)
        super().__init__(sentence)

    def __reduce__(self) -> tuple[type[BadChanges], tuple[str, tuple[str, ...]]]:
        return type(self), (str(self), self.reasons)


class BadSpec(InputError):
    """A run, report or measure asked for with impossible settings."""


class TooLarge(BadSpec):
    """A run that needs more time, memory or disk than it may have; says how much of each would do."""


class KeyReused(BadSpec):
    """A request key that its principal used for another request. ``run_id`` : of that one.

    >>> print(KeyReused.of("k-1", "0f3a6c2b9d41"))
    the request key 'k-1' was used for another request, run '0f3a6c2b9d41'; a new key is right for a new request
    """

    def __init__(self, sentence: str, run_id: str = "") -> None:
        self.run_id = run_id
        super().__init__(sentence)

    @classmethod
    def of(cls, key: str, run_id: str) -> KeyReused:
        """The error of a key."""
        told = f"the request key '{key}' was used for another request, run '{run_id}'"
        return cls(f"{told}; a new key is right for a new request", run_id)

    def __reduce__(self) -> tuple[type[KeyReused], tuple[str, str]]:
        return type(self), (str(self), self.run_id)


class WrongStatus(BadSpec):
    """A run whose status does not allow what is asked."""


class NotFinished(BadSpec):
    """A run that has no numbers yet, or ended without any."""


class NameTaken(InputError):
    """A name that somebody else has given."""


class AccessError(RiskgridError):
    """Who asks may not."""


class Unauthenticated(AccessError):
    """Nobody knows who asks: a token or key is missing, wrong or has expired."""


class IssuerAway(AccessError):
    """Who asks cannot be found out: the issuer of tokens does not answer, and its keys are not known."""


class Forbidden(AccessError):
    """What is asked needs other rights."""


class TooMany(AccessError):
    """More requests or runs at once than a principal may have. ``seconds`` : after which to ask again."""

    def __init__(self, sentence: str, seconds: float = 1.0) -> None:
        self.seconds = seconds
        super().__init__(sentence)

    def __reduce__(self) -> tuple[type[TooMany], tuple[str, float]]:
        return type(self), (str(self), self.seconds)


class MarketError(RiskgridError):
    """A pricer asked the market for something it does not have."""


class MissingMarketData(MarketError):
    """No such market object; in a run the sentence becomes the trade's status."""


class MissingFixing(MarketError):
    """No published fixing on a date that lies in the past; in a run the sentence becomes the trade's status."""


class UnrecordedRead(MarketError):
    """A block asked for a market object that its plan did not record."""


class NotAQuantity(RiskgridError):
    """A pricer needs the numbers of a quantity, which has none before it is replayed."""


class StoreError(RiskgridError):
    """The block store cannot be read or written. ``transient`` : trying again in a moment may help.

    outward : the sentence for who asks from afar, which names no file, address or key of the store.
    """

    transient = False
    outward = "the store of the service cannot be used; its log says why"


class DamagedObject(StoreError):
    """A stored object is not what was written, e.g. cut short by a copy."""

    outward = "what the store keeps of this is damaged; ask the same question again, it is made anew"


class LeaseLost(StoreError):
    """A run that this process worked on was taken over or ended meanwhile; what it holds of it is to be dropped."""

    outward = "the run was taken over by another process or ended meanwhile; ask for it again"


class Stopped(RiskgridError):
    """A run that was ended before its time; asking again goes on from its finished blocks."""


class Cancelled(Stopped):
    """A run that somebody cancelled."""


class OverLimit(Stopped):
    """A run that has taken longer than its time limit."""


class ClusterLost(RiskgridError):
    """The scheduler has gone, or all workers have; asking again with a running cluster finishes the run."""


class ServiceLost(RiskgridError):
    """A service does not answer, or what answers is none of riskgrid's. ``sent`` : it may have got the request."""

    sent = True


class WorkerLost(RiskgridError):
    """A worker process ended while it worked on a task. ``worker`` : its address."""

    def __init__(self, worker: str) -> None:
        self.worker = worker
        super().__init__(f"the worker at {worker} ended while it worked on a task")

    def __reduce__(self) -> tuple[type[WorkerLost], tuple[str]]:
        return type(self), (self.worker,)


class MoneyOverflow(RiskgridError, OverflowError):
    """A sum of money leaves the range of 64-bit ticks."""

    def __init__(self, what: str) -> None:
        self.what = what
        super().__init__(
            f"{what} leaves the range of 64-bit ticks; run with fewer tick bits, or look for a level or a quantity "
            "that is far too large"
        )

    def __reduce__(self) -> tuple[type[MoneyOverflow], tuple[str]]:
        return type(self), (self.what,)


class NumericsMismatch(RiskgridError):
    """A worker computes with other libraries or instructions than the run; its bits could differ."""


def _listing(names: list[str], most: int = 12) -> str:
    shown = ", ".join(repr(name) for name in names[:most])
    return (shown + f" and {len(names) - most} more") if len(names) > most else (shown or "none")
