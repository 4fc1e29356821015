"""Connections within bounds: how long one may take to say what it asks, and how many an address may have."""

from __future__ import annotations

import asyncio
import functools
import importlib.util
import ipaddress
import logging
from collections import Counter
from collections.abc import Callable
from typing import Any, Literal

from uvicorn.protocols.http.flow_control import service_unavailable
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

__all__ = ["EACH", "HEAD_SECONDS", "Addresses", "protocol", "socket_protocol"]

#: Seconds in which the head of a request has to arrive, and in which a body has to end that nobody reads any more.
HEAD_SECONDS = 10.0

#: Connections of one address that are open at once.
EACH = 200

#: Connections beyond these, of which each may ask for nothing but whether the process lives.
_SPARE = 20

#: Seconds in which one of those has to ask.
_SPARE_SECONDS = 1.0

#: Bytes of a request before its body: its address and its headers.
_HEAD = 65_536

_ALIVE = b"/health"

#: Of sockets, which the envelope tells of.
_QUIET = logging.getLogger("uvicorn.sockets")
_QUIET.setLevel(logging.WARNING)
_LATE = b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


class Addresses:
    """How many connections each address has open. trusted : addresses and networks that speak for many, or ``*``.

    >>> addresses = Addresses("10.0.0.0/8", each=1, spare=1)
    >>> [addresses.opened(host) for host in ("192.0.2.7", "192.0.2.7", "192.0.2.7", "192.0.2.8", "10.1.2.3")]
    [True, False, None, True, True]
    """

    def __init__(self, trusted: str | None = None, *, each: int = EACH, spare: int = _SPARE) -> None:
        listed = [] if trusted is None else [one.strip() for one in trusted.split(",")]
        self._all = "*" in listed
        self._trusted = [network for network in map(_network, listed) if network is not None]
        self._each, self._spare = each, spare
        self._open = Counter[str]()

    def opened(self, host: str) -> bool | None:
        """Count a connection: whether it may ask, False for a spare one; None, and not counted, for one too many."""
        name = self._name(host)
        if name is None:
            return True
        count = self._open[name]
        if count >= self._each + self._spare:
            return None
        self._open[name] += 1
        return count < self._each

    def closed(self, host: str) -> None:
        """It is gone."""
        name = self._name(host)
        if name is not None:
            self._open[name] -= 1
            if not self._open[name]:
                del self._open[name]

    def _name(self, host: str) -> str | None:
        try:
            address = ipaddress.ip_address(host.partition("%")[0])
        except ValueError:
            return None
        if self._all or any(address in network for network in self._trusted):
            return None
        # who has one address of the sixth version has 2^64 of them
        return str(ipaddress.ip_network(f"{address}/64", strict=False)) if address.version == 6 else str(address)


def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None


def protocol(trusted: str | None = None, *, each: int = EACH, seconds: float = HEAD_SECONDS) -> type[HttpToolsProtocol]:
    """The protocol of one server. trusted : as of :class:`Addresses`.   seconds : for a head."""
    addresses = Addresses(trusted, each=each)
    return type("Connection", (_Connection,), {"addresses": addresses, "seconds": seconds})


def socket_protocol() -> type[asyncio.Protocol] | Literal["none"]:
    """The protocol of sockets, ``none`` where nothing is installed that speaks it: then there are no pages, either."""
    if importlib.util.find_spec("websockets") is None:
        return "none"
    from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

    class Socket(WebSocketsSansIOProtocol):
        ends: Callable[[], None] | None = None

        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **options)
            self.logger = self.conn.logger = _QUIET

        def connection_lost(self, exc: Exception | None) -> None:
            if self.ends is not None:
                self.ends()
                self.ends = None
            super().connection_lost(exc)

    return Socket


class _Connection(HttpToolsProtocol):
    """One connection; uvicorn bounds neither the size of a request's head nor the time that it takes."""

    addresses: Addresses
    seconds: float

    _size = 0
    _heads = 0
    _counted: str | None = None
    _whole = True
    _awaiting = True
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Somebody has connected."""
        super().connection_made(transport)
        host = self.client[0] if self.client else ""
        allowed = self.addresses.opened(host)
        if allowed is None:
            transport.abort()
            return
        self._counted, self._whole = host, allowed
        self._expect()

    def connection_lost(self, exc: Exception | None) -> None:
        """It is gone."""
        self._expected()
        if self._counted is not None:
            self.addresses.closed(self._counted)
            self._counted = None
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Some bytes, of which none may be of a request yet."""
        heads, idle = self._heads, self._awaiting and self._timer is None
        super().data_received(data)
        if idle and self._awaiting and self._heads == heads and self._timer is None:
            self._expect()

    def on_message_begin(self) -> None:
        """Another request on the connection."""
        self._size = 0
        if self._timer is None:
            self._expect()
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        """A piece of the address."""
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header."""
        self._count(len(name) + len(value) + 4)
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The head is there. Whether the process lives is told however many others ask."""
        self._expected()
        self._heads += 1
        self._awaiting = False
        if self.url == _ALIVE:
            self.limit_concurrency = None
        super().on_headers_complete()
        self.limit_concurrency = self.config.limit_concurrency

    def _should_upgrade_to_ws(self) -> bool:
        return self._whole and super()._should_upgrade_to_ws()

    def handle_websocket_upgrade(self) -> None:
        """From here on the connection is a socket, which counts as long as it is open."""
        super().handle_websocket_upgrade()
        made = self.transport.get_protocol()
        host, self._counted = self._counted, None
        if host is not None:
            made.ends = functools.partial(self.addresses.closed, host)  # type: ignore[attr-defined]

    def _start_asgi_task(self, cycle: Any, app: Any) -> None:
        if not self._whole:
            cycle.keep_alive = False
            app = app if cycle.scope["path"].encode() == _ALIVE else service_unavailable
        super()._start_asgi_task(cycle, app)

    def on_message_complete(self) -> None:
        """The body is there, too."""
        self._expected()
        self._awaiting, self._size = True, 0
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """The answer is out; what follows of a body is of no use."""
        super().on_response_complete()
        if not self._awaiting and self._timer is None:
            self._expect()

    def _expect(self) -> None:
        if self.transport.is_closing():
            return
        seconds = self.seconds if self._whole else min(_SPARE_SECONDS, self.seconds)
        self._timer = self.loop.call_later(seconds, self._late)

    def _expected(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _late(self) -> None:
        self._timer = None
        if self.transport.is_closing():
            return
        # there is none before the first request, whatever its type says
        if self.cycle is not None and not self.cycle.response_complete:  # type: ignore[redundant-expr]
            self._expect()  # an answer is on its way; what follows it has to wait
            return
        if self._awaiting and self._size:  # one that was only opened is closed without a word
            self.transport.write(_LATE)
        self.transport.close()

    def _count(self, size: int) -> None:
        self._size += size
        if self._size > _HEAD:
            raise ValueError(f"the head of a request has more than {_HEAD} bytes")
