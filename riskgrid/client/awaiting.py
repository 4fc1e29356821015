"""The client whose verbs are awaited."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Concatenate, Literal, Self

from riskgrid.client import analyses, numbers, orders
from riskgrid.client.connection import Credentials, Secret, answer_of, fault_of, manner_of, request_of, settings_of
from riskgrid.client.exchange import Answer, Ask, Manner, Pause, Steps
from riskgrid.client.following import Event, Following
from riskgrid.client.refusal import refused
from riskgrid.client.remote import Remote, signed
from riskgrid.errors import RiskgridError, ServiceLost

if TYPE_CHECKING:
    import httpx2

__all__ = ["AsyncClient", "AsyncRemoteRun"]


class AsyncConnection:
    """Requests to one service, over a pool of connections of one event loop."""

    def __init__(self, manner: Manner, credentials: Credentials, http: httpx2.AsyncClient) -> None:
        self.manner, self._credentials, self._http = manner, credentials, http

    async def done[T](self, steps: Steps[T]) -> T:
        """What steps come to."""
        try:
            step = next(steps)
            while True:
                if isinstance(step, Pause):
                    await asyncio.sleep(step.seconds)
                    step = next(steps)
                    continue
                try:
                    answer = await self._sent(step)
                except ServiceLost as lost:
                    step = steps.throw(lost)
                else:
                    step = steps.send(answer)
        except StopIteration as end:
            made: T = end.value
            return made

    @contextlib.asynccontextmanager
    async def stream(self, ask: Ask) -> AsyncIterator[AsyncIterator[str] | None]:
        """Lines of a stream as they come, None where none will. The library's error where the service refuses."""
        import httpx2

        request = request_of(self._http, ask, self.manner, self._credentials)
        try:
            response = await self._http.send(request, stream=True)
            try:
                if response.status_code == 204:
                    yield None
                    return
                if response.status_code != 200:
                    await response.aread()
                    answer = answer_of(response)
                    said = f"{self.manner.url} answers {ask.said}"
                    raise refused(answer.status, answer.headers, answer.body, said)
                yield response.aiter_lines()
            finally:
                await response.aclose()
        except httpx2.TransportError as error:
            raise fault_of(error, ask.said, self.manner) from error

    async def close(self) -> None:
        """Close what is open."""
        await self._http.aclose()

    async def _sent(self, ask: Ask) -> Answer:
        import httpx2

        try:
            return answer_of(await self._http.send(request_of(self._http, ask, self.manner, self._credentials)))
        except (httpx2.TransportError, httpx2.DecodingError) as error:
            raise fault_of(error, ask.said, self.manner) from error


def _later[**P, T](
    verb: Callable[Concatenate[Any, P], Steps[T]],
) -> Callable[Concatenate[Any, P], Coroutine[Any, Any, T]]:
    """A verb as a method to be awaited."""

    @functools.wraps(verb)
    async def method(self: Any, /, *args: P.args, **options: P.kwargs) -> T:
        made: T = await self.connection.done(verb(self, *args, **options))
        return made

    return method


def _run_later[**P](
    verb: Callable[Concatenate[Any, P], Steps[Mapping[str, Any]]],
) -> Callable[Concatenate[Any, P], Coroutine[Any, Any, AsyncRemoteRun]]:
    """A verb that comes to a run."""

    @functools.wraps(verb)
    async def method(self: Any, /, *args: P.args, **options: P.kwargs) -> AsyncRemoteRun:
        return AsyncRemoteRun.of(await self.connection.done(verb(self, *args, **options)), self.connection)

    method.__annotations__["return"] = "AsyncRemoteRun"
    return method


@signed
@dataclass(frozen=True, repr=False)
class AsyncRemoteRun(Remote):
    """A run that a service holds, with the verbs of :class:`riskgrid.client.blocking.RemoteRun`, to be awaited."""

    connection: AsyncConnection

    @classmethod
    def of(cls, facts: Mapping[str, Any], connection: AsyncConnection) -> Self:
        """From what the service says of it."""
        return cls(facts, connection.manner, connection)

    aggregate = _later(numbers.aggregate)
    pnl = _later(numbers.pnl)
    report = _later(numbers.report)
    contributions = _later(numbers.contributions)
    trade_table = _later(numbers.trade_table)
    worst_trades = _later(numbers.worst_trades)
    trade = _later(numbers.trade)
    trade_pnl = _later(numbers.trade_pnl)
    scenario_table = _later(numbers.scenario_table)

    risk_classes = _later(analyses.risk_classes)
    tail_view = _later(analyses.tail_view)
    sensitivities = _later(analyses.sensitivities)
    spot_vol_ladder = _later(analyses.spot_vol_ladder)
    stress_report = _later(analyses.stress_report)
    compare = _later(analyses.compare)
    explain = _later(analyses.explain)

    refreshed = _run_later(orders.refreshed)
    what_if = _run_later(orders.what_if)
    submit_what_if = _run_later(orders.submitted_what_if)
    cancel = _run_later(orders.cancelled)
    resume = _run_later(orders.resumed)

    async def what_ifs(self) -> list[AsyncRemoteRun]:
        """The what-ifs of the run that one sees, latest first."""
        rows = await self.connection.done(orders.what_ifs(self))
        return [AsyncRemoteRun.of(facts, self.connection) for facts in rows]

    async def events(self, after: int = 0, *, timeout: float | None = None) -> AsyncIterator[Event]:
        """What happens to the run, see :meth:`riskgrid.client.blocking.RemoteRun.events`."""
        course = Following(self.path, after, None if timeout is None else time.monotonic() + timeout)
        while True:
            fault: RiskgridError | None = None
            try:
                async with self.connection.stream(course.ask()) as lines:
                    if lines is None:
                        return
                    course.heard()
                    async for line in lines:
                        event = course.read(line)
                        if event is not None:
                            yield event
            except RiskgridError as error:
                fault = error
            if course.ended:
                return
            await asyncio.sleep(course.cut(fault))

    async def wait(self, *, timeout: float | None = None, progress: Literal["auto"] | None = "auto") -> AsyncRemoteRun:
        """The run as soon as it is finished, see :meth:`riskgrid.client.blocking.RemoteRun.wait`."""
        from riskgrid.client.watching import Watching

        now = await self.refreshed()
        with Watching(progress, timeout) as watching:
            while not orders.finished(now.facts):
                async for event in now.events(watching.seen, timeout=watching.left()):
                    watching.saw(event)
                await asyncio.sleep(watching.pause())
                now = await now.refreshed()
        return now


@signed
class AsyncClient:
    """A service that holds runs, as :class:`riskgrid.client.blocking.Client`, of one event loop."""

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
        self.connection = AsyncConnection(self.manner, credentials, httpx2.AsyncClient(**settings_of(timeout)))

    run = _run_later(orders.found)
    submit = _run_later(orders.submitted)
    keep = _later(orders.keep)
    instruments = _later(orders.instruments)
    instrument = _later(orders.instrument)
    measures = _later(orders.measures)

    async def runs(self, most: int | None = 50) -> list[AsyncRemoteRun]:
        """Runs that one sees, latest first. most : None for all there are."""
        rows = await self.connection.done(orders.listed(self, "runs", most))
        return [AsyncRemoteRun.of(facts, self.connection) for facts in rows]

    async def close(self) -> None:
        """Close its connections."""
        await self.connection.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *raised: object) -> None:
        await self.close()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.manner.url})"
