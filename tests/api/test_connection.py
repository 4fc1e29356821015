"""Connections that keep a server waiting, over real sockets."""

import asyncio
import socket
import threading
from contextlib import ExitStack, closing, contextmanager

import pytest
import uvicorn

from riskgrid.api.connection import _SPARE, protocol

HALF = b"GET /runs HTTP/1.1\r\nHost: here\r\n"


async def answering(scope, receive, send):
    """Answers at once, without reading a body; at /long in as many pieces as it takes a while to send."""
    assert scope["type"] == "http"
    pieces = 8 if scope["path"] == "/long" else 1
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % pieces)]})
    for piece in range(pieces):
        await send({"type": "http.response.body", "body": b"x", "more_body": piece < pieces - 1})
        await asyncio.sleep(0.1 if pieces > 1 else 0.0)


@contextmanager
def serving(**bounds):
    """A function that opens a connection and sends something."""
    server = uvicorn.Server(
        uvicorn.Config(answering, http=protocol(**bounds), lifespan="off", ws="none", log_config=None)
    )
    with closing(socket.socket()) as at, ExitStack() as opened:
        at.bind(("127.0.0.1", 0))
        at.listen(100)

        def connected(said=b""):
            made = opened.enter_context(closing(socket.create_connection(at.getsockname(), timeout=30)))
            made.sendall(said)
            return made

        thread = threading.Thread(target=server.run, kwargs={"sockets": [at]})
        thread.start()
        try:
            yield connected
        finally:
            server.should_exit = True
            thread.join()


def asked(path, *headers):
    return "\r\n".join([f"GET {path} HTTP/1.1", "Host: here", *headers, "", ""]).encode()


def heard(connection):
    """All that comes until the other side ends it."""
    found = b""
    try:
        while piece := connection.recv(1000):
            found += piece
    except ConnectionResetError:
        pass
    return found


def status(connection):
    """The status of the first answer, 0 for none."""
    try:
        found = connection.recv(1000)
    except ConnectionResetError:
        return 0
    return int(found.split()[1]) if found else 0


def test_a_head_that_does_not_end__ends_its_connection():
    with serving(seconds=0.2) as connected:
        half = [connected(HALF) for _ in range(20)]
        assert status(connected(asked("/runs"))) == 200
        assert all(heard(each).startswith(b"HTTP/1.1 408 Request Timeout") for each in half)


@pytest.mark.parametrize("said", [b"", asked("/runs") + HALF, asked("/runs", "Content-Length: 10") + b"some"])
def test_a_connection_on_which_nothing_follows__ends(said):
    with serving(seconds=0.2) as connected:
        found = heard(connected(said))
        assert found.count(b"200 OK") == (1 if said else 0)


def test_a_drip_of_empty_lines__ends():
    with serving(seconds=0.2) as connected:
        one = connected(asked("/runs"))
        assert status(one) == 200
        one.sendall(b"\r\n")
        assert heard(one) == b""


def test_an_answer_that_takes_longer_than_a_head_may__is_whole():
    with serving(seconds=0.2) as connected:
        assert heard(connected(asked("/long", "Connection: close") + b"\r\n")).endswith(b"xxxxxxxx")


def test_an_address_with_too_many_connections__is_told_so_and_that_the_process_lives():
    with serving(each=5) as connected:
        held = [connected(HALF) for _ in range(5)]
        assert status(connected(asked("/runs"))) == 503
        assert status(connected(asked("/health"))) == 200
        spare = [connected(HALF) for _ in range(_SPARE)]
        assert heard(connected(asked("/health"))) == b""  # not even that
        assert all(heard(each).startswith(b"HTTP/1.1 408") for each in spare)  # they are told to hurry
        for each in held:
            each.sendall(b"\r\n")
            assert status(each) == 200
            each.close()
        while status(connected(asked("/runs", "Connection: close"))) != 200:
            pass


def test_an_address_that_speaks_for_others__has_as_many_as_it_needs():
    with serving(each=5, trusted="127.0.0.0/8") as connected:
        for _ in range(30):
            connected(HALF)
        assert status(connected(asked("/runs"))) == 200
