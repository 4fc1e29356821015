"""The client that waits for every answer."""

from __future__ import annotations

import contextlib
import functools
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Concatenate, Literal, Self

from riskgrid.client import analyses, numbers, orders
from riskgrid.client.connection import (
    Credentials,
    Secret,
    answer_of,
    fault_of,
    manner_of,
    request_of,
    settings_of,
)
from riskgrid.client.exchange import Answer, Ask, Manner, Pause, Steps
from riskgrid.client.following import Event, Following
from riskgrid.client.refusal import refused
from riskgrid.client.remote import Remote, signed
from riskgrid.errors import RiskgridError, ServiceLost

if TYPE_CHECKING:
    import httpx2

__all__ = ["Client", "RemoteRun", "connect"]


class Connection:
    """Requests to one service, over a pool of connections."""

    def __init__(self, manner: Manner, credentials: Credentials, http: httpx2.Client) -> None:
        self.manner, self._credentials, self._http = manner, credentials, http

    def done[T](self, steps: Steps[T]) -> T:
        """What steps come to."""
        try:
            step = next(steps)
            while True:
                if isinstance(step, Pause):
                    time.sleep(step.seconds)
                    step = next(steps)
                    continue
                try:
                    answer = self._sent(step)
                except ServiceLost as lost:
                    step = steps.throw(lost)
                else:
                    step = steps.send(answer)
        except StopIteration as end:
            made: T = end.value
            return made

    @contextlib.contextmanager
    def stream(self, ask: Ask) -> Iterator[Iterator[str] | None]:
        """Lines of a stream as they come, None where none will. The library's error where the service refuses."""
        import httpx2

        request = request_of(self._http, ask, self.manner, self._credentials)
        try:
            response = self._http.send(request, stream=True)
            try:
                if response.status_code == 204:
                    yield None
                    return
                if response.status_code != 200:
                    response.read()
                    answer = answer_of(response)
                    said = f"{self.manner.url} answers {ask.said}"
                    raise refused(answer.status, answer.headers, answer.body, said)
                yield response.iter_lines()
            finally:
                response.close()
        except httpx2.TransportError as error:
            raise fault_of(error, ask.said, self.manner) from error

    def close(self) -> None:
        """Close what is open."""
        self._http.close()

    def _sent(self, ask: Ask) -> Answer:
        import httpx2

        try:
            return answer_of(self._http.send(request_of(self._http, ask, self.manner, self._credentials)))
        except (httpx2.TransportError, httpx2.DecodingError) as error:
            raise fault_of(error, ask.said, self.manner) from error


def _now[**P, T](verb: Callable[Concatenate[Any, P], Steps[T]]) -> Callable[Concatenate[Any, P], T]:
    """A verb of a run as a method that waits for it."""

    @functools.wraps(verb)
    def method(self: Any, /, *args: P.args, **options: P.kwargs) -> T:
        made: T = self.connection.done(verb(self, *args, **options))
        return made

    return method


def _run_now[**P](
    verb: Callable[Concatenate[Any, P], Steps[Mapping[str, Any]]],
) -> Callable[Concatenate[Any, P], RemoteRun]:
    """A verb that comes to a run."""

    @functools.wraps(verb)
    def method(self: Any, /, *args: P.args, **options: P.kwargs) -> RemoteRun:
        return RemoteRun.of(self.connection.done(verb(self, *args, **options)), self.connection)

    method.__annotations__["return"] = "RemoteRun"
    return method


@signed
@dataclass(frozen=True, repr=False)
class RemoteRun(Remote):
    """A run that a service holds, with the verbs of :class:`riskgrid.result.Run` and of the library."""

    connection: Connection

    @classmethod
    def of(cls, facts: Mapping[str, Any], connection: Connection) -> Self:
        """From what the service says of it."""
        return cls(facts, connection.manner, connection)

    aggregate = _now(numbers.aggregate)
    pnl = _now(numbers.pnl)
    report = _now(numbers.report)
    contributions = _now(numbers.contributions)
    trade_table = _now(numbers.trade_table)
    worst_trades = _now(numbers.worst_trades)
    trade = _now(numbers.trade)
    trade_pnl = _now(numbers.trade_pnl)
    scenario_table = _now(numbers.scenario_table)

    risk_classes = _now(analyses.risk_classes)
    tail_view = _now(analyses.tail_view)
    sensitivities = _now(analyses.sensitivities)
    spot_vol_ladder = _now(analyses.spot_vol_ladder)
    stress_report = _now(analyses.stress_report)
    compare = _now(analyses.compare)
    explain = _now(analyses.explain)

    refreshed = _run_now(orders.refreshed)
    what_if = _run_now(orders.what_if)
    submit_what_if = _run_now(orders.submitted_what_if)
    cancel = _run_now(orders.cancelled)
    resume = _run_now(orders.resumed)

    def what_ifs(self) -> list[RemoteRun]:
        """The what-ifs of the run that one sees, latest first."""
        rows = self.connection.done(orders.what_ifs(self))
        return [RemoteRun.of(facts, self.connection) for facts in rows]

    def events(self, after: int = 0, *, timeout: float | None = None) -> Iterator[Event]:
        """What happens to the run, as it happens, up to its end; taken up again where the stream breaks off.

        after : the number of the last event that is known.   TimeoutError after so many seconds.
        """
        course = Following(self.path, after, None if timeout is None else time.monotonic() + timeout)
        while True:
            fault: RiskgridError | None = None
            try:
                with self.connection.stream(course.ask()) as lines:
                    if lines is None:
                        return
                    course.heard()
                    for line in lines:
                        event = course.read(line)
                        if event is not None:
                            yield event
            except RiskgridError as error:
                fault = error
            if course.ended:
                return
            time.sleep(course.cut(fault))

    def wait(self, *, timeout: float | None = None, progress: Literal["auto"] | None = "auto") -> RemoteRun:
        """The run as soon as it is finished, with a bar where someone can see it.

        RiskgridError with the reason where it failed or was cancelled; TimeoutError after so many seconds.
        """
        from riskgrid.client.watching import Watching

        now = self.refreshed()
        with Watching(progress, timeout) as watching:
            while not orders.finished(now.facts):
                for event in now.events(watching.seen, timeout=watching.left()):
                    watching.saw(event)
                time.sleep(watching.pause())
                now = now.refreshed()
        return now


@signed
class Client:
    """A service that holds runs. Close it, or use it in a ``with``.

    token : of the company's identity provider, or a function that gives the one that is valid now.   key : of the
    service, as ``riskgrid keys make`` shows it.   timeout : seconds for an answer to begin.   tries : of a request that
    can be repeated, while the service is away or asks for patience.   BadSpec for an address that is none.
    """

    def __init__(
        self,
        url: str,
        *,
        token: Secret | None = None,
        key: Secret | None = None,
        timeout: float = 30.0,
        tries: int = 5,
    ) -> None:
        import httpx2

        credentials = Credentials(token, key)
        self.manner = manner_of(url, tries)
        self.connection = Connection(self.manner, credentials, httpx2.Client(**settings_of(timeout)))

    run = _run_now(orders.found)
    submit = _run_now(orders.submitted)
    keep = _now(orders.keep)
    instruments = _now(orders.instruments)
    instrument = _now(orders.instrument)
    measures = _now(orders.measures)

    def runs(self, most: int | None = 50) -> list[RemoteRun]:
        """Runs that one sees, latest first. most : None for all there are."""
        rows = self.connection.done(orders.listed(self, "runs", most))
        return [RemoteRun.of(facts, self.connection) for facts in rows]

    def close(self) -> None:
        """Close its connections."""
        self.connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.manner.url})"


def connect(url: str, *, token: Secret | None = None, key: Secret | None = None, **options: Any) -> Client:
    """A client of the service at an address that has been found to answer. options : as of :class:`Client`.

    ServiceLost where nothing answers there, or something else than riskgrid; Unauthenticated.
    """
    client = Client(url, token=token, key=key, **options)
    try:
        client.runs(1)
    except BaseException:
        client.close()
        raise
    return client
