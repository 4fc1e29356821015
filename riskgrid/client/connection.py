"""Requests of httpx2 as verbs ask them, and its faults as errors of the library."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any

from riskgrid.client.exchange import Answer, Ask, Manner
from riskgrid.client.orders import ROOT
from riskgrid.errors import BadSpec, RiskgridError, ServiceLost

__all__ = ["Credentials", "answer_of", "fault_of", "manner_of", "request_of", "settings_of"]

#: A token or key, or what gives the one that is valid now.
type Secret = str | Callable[[], str]

#: Seconds for a connection, and for an answer to begin or to go on.
_CONNECT, _READ = 5.0, 30.0


class Credentials:
    """Who asks: a bearer token of the company's identity provider, or a key of the service, or nobody."""

    def __init__(self, token: Secret | None, key: Secret | None) -> None:
        if token is not None and key is not None:
            raise BadSpec("both a token and a key are given; one of both is right")
        self._token, self._key = token, key

    def headers(self) -> dict[str, str]:
        """As a request carries them, asked anew for every one: tokens expire."""
        if self._token is not None:
            return {"Authorization": f"Bearer {_said(self._token)}"}
        return {} if self._key is None else {"X-API-Key": _said(self._key)}

    def __repr__(self) -> str:
        return "Credentials(...)"  # never the secret


def manner_of(url: str, tries: int) -> Manner:
    """How a client of a service goes about it. BadSpec for what is no address of one."""
    import httpx2

    try:
        read = httpx2.URL(url)
    except (httpx2.InvalidURL, TypeError) as error:
        raise BadSpec(f"the address of the service is {url!r}: {error}; 'http://localhost:8000' is right") from None
    if read.scheme not in ("http", "https") or not read.host:
        raise BadSpec(f"the address of the service is {url!r}; one such as 'http://localhost:8000' is right")
    if read.userinfo:
        raise BadSpec("the address of the service has a user or password in it; token= or key= is right")
    if read.path.rstrip("/").endswith(ROOT):
        root = str(read).rstrip("/").removesuffix(ROOT)
        raise BadSpec(f"the address of the service is {url!r}; its root is right, {root!r}")
    if tries < 1:
        raise BadSpec(f"tries is {tries}; 1 or more is right")
    return Manner(str(read).rstrip("/"), tries)


def settings_of(timeout: float) -> dict[str, Any]:
    """Options of httpx2's clients: patience, a pool, and no redirect, which would take the credentials along."""
    import httpx2

    version = sys.modules["riskgrid"].__version__  # not imported by name: it names every floor
    return {
        "timeout": httpx2.Timeout(timeout, connect=min(_CONNECT, timeout)),
        "limits": httpx2.Limits(max_connections=20, max_keepalive_connections=10),
        "headers": {"User-Agent": f"riskgrid/{version}"},
        "follow_redirects": False,
    }


def request_of(http: Any, ask: Ask, manner: Manner, credentials: Credentials) -> Any:
    """A request of httpx2."""
    headers = {"Accept": ask.accept, **credentials.headers(), **ask.headers}
    more: dict[str, Any] = {}
    if ask.seconds or ask.silence is not None:
        import httpx2

        base = http.timeout
        read = ask.seconds + base.read if ask.silence is None else ask.silence
        more["timeout"] = httpx2.Timeout(read, connect=base.connect)
    return http.build_request(
        ask.method, manner.url + ask.path, params=list(ask.params) or None, headers=headers, content=ask.content, **more
    )


def answer_of(response: Any) -> Answer:
    """What a response of httpx2 says. It has been read."""
    headers: Mapping[str, str] = {name.lower(): value for name, value in response.headers.items()}
    return Answer(response.status_code, headers, response.content)


def fault_of(error: Exception, said: str, manner: Manner) -> RiskgridError:
    """ServiceLost for what went wrong on the way."""
    import httpx2

    why = str(error) or type(error).__name__
    if isinstance(error, (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout)):
        made = ServiceLost(f"no service answers at {manner.url} ({why}); 'riskgrid serve' starts one")
        made.sent = False
        return made
    if isinstance(error, httpx2.TimeoutException):
        return ServiceLost(f"{manner.url} does not answer {said} in time; a longer timeout= may help")
    return ServiceLost(f"{manner.url} broke off while it answered {said} ({why})")


def _said(secret: Secret) -> str:
    return secret if isinstance(secret, str) else secret()
