"""What is asked to be done over HTTP: runs, what-ifs, inputs kept; each once for clients that block and that await."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import quote

from riskgrid.client.exchange import Ask, Manner, Pause, Steps, exchanged, said, told
from riskgrid.client.numbers import Asked
from riskgrid.client.packing import content_name, form_of, packed, plain
from riskgrid.errors import RiskgridError

if TYPE_CHECKING:
    import xarray as xr

    from riskgrid.change import Changes
    from riskgrid.market.snapshot import MarketSnapshot
    from riskgrid.portfolio import Portfolio

__all__ = [
    "ROOT",
    "cancelled",
    "finished",
    "found",
    "instrument",
    "instruments",
    "keep",
    "listed",
    "measures",
    "refreshed",
    "resumed",
    "run_path",
    "submitted",
    "submitted_what_if",
    "what_if",
    "what_ifs",
]

#: Where the version of the interface lives that this client speaks.
ROOT = "/api/v1"

#: Seconds that a service may take to answer a what-if in the request itself.
_AT_ONCE = 30

#: Items of one page of a list.
_PAGE = 200

type Facts = Mapping[str, Any]


class Service(Protocol):
    """A service. manner : how its client asks."""

    @property
    def manner(self) -> Manner: ...


def found(service: Service, /, run_id: str) -> Steps[Facts]:
    """A run by its id."""
    return (yield from told(Ask("GET", run_path(run_id)), service.manner, "run_id"))


def refreshed(run: Asked, /) -> Steps[Facts]:
    """The run as the service has it now."""
    return (yield from found(run, run.run_id))


def listed(service: Service, /, what: str, most: int | None = None, **chosen: Any) -> Steps[list[Any]]:
    """Items of a list, page by page. what : path of the list.   most : None for all there are."""
    items: list[Any] = []
    cursor: str | None = None
    while True:
        size = _PAGE if most is None else min(_PAGE, most - len(items))
        given = {**chosen, "limit": size, "cursor": cursor}
        params = tuple((name, str(value)) for name, value in given.items() if value is not None)
        page = yield from told(Ask("GET", f"{ROOT}/{what}", params), service.manner, "items")
        items += page["items"]
        cursor = page.get("next")
        if cursor is None or (most is not None and len(items) >= most):
            return items


def what_ifs(run: Asked, /) -> Steps[list[Facts]]:
    """The what-ifs of a run, latest first."""
    page = yield from told(Ask("GET", f"{run.path}/what-ifs"), run.manner, "items")
    return list(page["items"])


def submitted(
    service: Service,
    /,
    *,
    portfolio: str | Asked | Portfolio,
    market: str | Asked | MarketSnapshot,
    scenarios: str | Asked | xr.Dataset,
    name: str = "",
    key: str | None = None,
    reporting: str | None = None,
    **options: Any,
) -> Steps[Facts]:
    """A run of inputs, queued: such as the service keeps under these names, those of other runs, or ones that are sent
    along, which it keeps under a name made of what they hold.

    key : of the request, one that was never used by default: sent again with it, it is the same run.   options : as
    :func:`riskgrid.running.run` takes them: ``cell_labels, bits, cut, limits``, and ``priority``.
    """
    named: dict[str, Any] = {}
    for part, given in {"portfolio": portfolio, "market": market, "scenarios": scenarios}.items():
        named[part] = yield from _named(service, given)
    rest = {"name": name, "reporting": reporting, **options}
    body = named | {option: value for option, value in rest.items() if value is not None}
    return (yield from _ordered(service, f"{ROOT}/runs", body, once=key or _fresh_key()))


def submitted_what_if(
    run: Asked, /, changes: Changes | Mapping[str, Any], *, name: str = "", key: str | None = None, seconds: float = 0.0
) -> Steps[Facts]:
    """A what-if of the run, accepted; little ones are finished by then.

    changes : as :class:`riskgrid.change.Changes` takes them; markets and scenario sets by the names under which the
    service keeps them.   key : as of ``submit``.   seconds : that the service waits for it before it answers.
    """
    body = {"name": name, "changes": form_of(changes)}
    prefer = {"Prefer": f"wait={seconds:g}"} if seconds else {}
    return (yield from _ordered(run, f"{run.path}/what-ifs", body, key or _fresh_key(), prefer, seconds))


def what_if(
    run: Asked,
    /,
    changes: Changes | Mapping[str, Any],
    *,
    name: str = "",
    key: str | None = None,
    timeout: float | None = None,
) -> Steps[Facts]:
    """A what-if of the run, finished; see ``submit_what_if``.

    RiskgridError with the reason where it fails. TimeoutError after so many seconds; the what-if goes on.
    """
    until = None if timeout is None else time.monotonic() + timeout
    at_once = _AT_ONCE if timeout is None else min(_AT_ONCE, max(int(timeout), 1))
    facts = yield from submitted_what_if(run, changes, name=name, key=key, seconds=at_once)
    pause = 0.05
    while not finished(facts):
        if until is not None and time.monotonic() >= until:
            raise TimeoutError(f"run '{facts['run_id']}' is {facts['status']} after {timeout:g} s")
        yield Pause(pause)
        pause = min(1.5 * pause, 2.0)
        facts = yield from found(run, facts["run_id"])
    return facts


def cancelled(run: Asked, /) -> Steps[Facts]:
    """Cancel the run."""
    return (yield from _ordered(run, f"{run.path}/cancel"))


def resumed(run: Asked, /) -> Steps[Facts]:
    """Queue the run again; it goes on from its finished blocks."""
    return (yield from _ordered(run, f"{run.path}/resume"))


def _named(service: Service, given: Any) -> Steps[Any]:
    """How the body of a request names an input."""
    if isinstance(given, str):
        return given
    if hasattr(given, "run_id"):
        return {"of": given.run_id}
    name = f"sent-{content_name(given)}"
    yield from keep(service, given, name)
    return name


def keep(service: Service, /, given: Portfolio | MarketSnapshot | xr.Dataset, name: str) -> Steps[str]:
    """Keep a portfolio, a market or a scenario set under a name; returns what it is."""
    kind, what, media, content = packed(given)
    path = f"{ROOT}/{what}/{quote(name, safe='')}"
    ask = Ask("PUT", path, headers={"Content-Type": media}, content=content, seconds=120.0)
    yield from exchanged(ask, service.manner)
    return kind


def instruments(service: Service, /) -> Steps[list[Facts]]:
    """What can be priced: name, summary and columns of each instrument."""
    listed: list[Facts] = yield from said(Ask("GET", f"{ROOT}/instruments"), service.manner)
    return listed


def instrument(service: Service, /, name: str) -> Steps[Facts]:
    """A trade of an instrument as JSON Schema."""
    described: Facts = yield from said(Ask("GET", f"{ROOT}/instruments/{quote(name, safe='')}"), service.manner)
    return described


def measures(service: Service, /) -> Steps[list[Facts]]:
    """What can be measured: name, summary and options of each."""
    listed: list[Facts] = yield from said(Ask("GET", f"{ROOT}/measures"), service.manner)
    return listed


def finished(facts: Facts) -> bool:
    """Whether a run has numbers. RiskgridError with the reason where it has ended without."""
    if facts["status"] in ("failed", "cancelled"):
        reason = f": {facts['reason']}" if facts.get("reason") else ""
        raise RiskgridError(f"run '{facts['run_id']}' is {facts['status']}{reason}")
    return facts["status"] in ("complete", "partial", "finished")


def run_path(run_id: str) -> str:
    """Path of a run's resource."""
    return f"{ROOT}/runs/{quote(run_id, safe='')}"


def _ordered(  # noqa: PLR0917, of one request
    service: Service,
    path: str,
    body: Mapping[str, Any] | None = None,
    once: str | None = None,
    headers: Mapping[str, str] | None = None,
    seconds: float = 0.0,
) -> Steps[Facts]:
    """What the service says after it has done what is posted. once : the key under which it does so once."""
    content = None if body is None else json.dumps(body, default=plain).encode()
    head = {**(headers or {}), **({} if content is None else {"Content-Type": "application/json"})}
    ask = Ask("POST", path, headers=head, content=content, once=once, seconds=seconds)
    return (yield from told(ask, service.manner, "run_id"))


def _fresh_key() -> str:
    return uuid.uuid4().hex
