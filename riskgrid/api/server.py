"""The process that listens: a socket, uvicorn on it, and an end that lets requests finish."""

from __future__ import annotations

import ipaddress
import logging
import signal
import socket
import sys
from collections.abc import Callable
from typing import Any

import uvicorn

from riskgrid.api.connection import protocol, socket_protocol
from riskgrid.errors import BadSpec

__all__ = ["GRACE", "bound", "is_loopback", "listen"]

_LOG = logging.getLogger(__name__)

#: Seconds that requests have to finish once the process is told to end; an event stream never does by itself.
GRACE = 10

#: Seconds after which a thread that computes lets others go on.
_TURN = 0.001

#: Connections that are open at once.
_CONNECTIONS = 2000

#: Bytes of one message of a page: what somebody has typed or pasted into it.
_MESSAGE = 4_000_000

#: Ports that are tried one after another.
_TRIES = 20


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address.

    >>> [is_loopback(host) for host in ("127.0.0.1", "localhost", "::1", "0.0.0.0", "example.org")]
    [True, True, True, False, False]
    """
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def bound(host: str, port: int, *, move_on: bool = False) -> socket.socket:
    """A socket that listens there. move_on : to the next ports where one is in use.   BadSpec where none is free."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    last = port + (_TRIES if move_on and port else 1)
    for each in range(port, min(last, 65_536)):
        made = socket.socket(family)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            made.bind((host, each))
            made.listen(2048)
        except OSError as error:
            made.close()
            reason = error.strerror or str(error)
        else:
            return made
    where = f"{host}:{port}" if last == port + 1 else f"{host}, ports {port} to {last - 1}"
    raise BadSpec(f"cannot listen at {where}: {reason}; a free --port is right")


def listen(app: Any, at: socket.socket, ending: Callable[[], object], *, proxies: str | None = None) -> None:
    """Serve an application until this process is told to end by SIGTERM or SIGINT.

    ending : called as soon as it is told, to end what has no end of its own.
    proxies : addresses whose word on who asks, and how, is believed (X-Forwarded-For, X-Forwarded-Proto).
    """
    server = _Server(
        ending,
        uvicorn.Config(
            app,
            http=protocol(proxies),
            loop="auto",
            ws=socket_protocol(),
            ws_max_size=_MESSAGE,
            ws_ping_interval=20.0,
            ws_ping_timeout=20.0,
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=proxies is not None,
            forwarded_allow_ips=proxies,
            limit_concurrency=_CONNECTIONS,
            timeout_keep_alive=20,
            timeout_graceful_shutdown=GRACE,
        ),
    )
    # what only waits for its turn in this process is not to wait for 5 ms of what computes
    sys.setswitchinterval(_TURN)
    # uvicorn raises the signal again once it is done; what comes after it here is to be done, too
    before = {number: signal.signal(number, lambda *_: None) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        server.run(sockets=[at])
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        at.close()
    _LOG.info("the service has ended")


class _Server(uvicorn.Server):
    """Tells that it is about to end before it waits for requests to."""

    def __init__(self, ending: Callable[[], object], config: uvicorn.Config) -> None:
        super().__init__(config)
        self._ending = ending

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End."""
        self._ending()
        await super().shutdown(sockets)
        if self.force_exit:  # told twice: requests are not waited for, but the application still ends in order
            await self.lifespan.shutdown()
