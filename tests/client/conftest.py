"""A service on a port of this machine, and clients of it."""

import threading
import time

import pytest
import uvicorn

import riskgrid as rg
from riskgrid.access import Door
from riskgrid.api.app import make_app
from riskgrid.api.service import Service
from riskgrid.store import Store


class Served:
    """An application on a real port, which can be stopped and started there again."""

    def __init__(self, app):
        self.app, self.port = app, 0
        self.start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def start(self):
        config = uvicorn.Config(
            self.app, host="127.0.0.1", port=self.port, log_level="critical", timeout_graceful_shutdown=0, ws="none"
        )
        self.server = uvicorn.Server(config)
        self.thread = threading.Thread(target=self.server.run, daemon=True)
        self.thread.start()
        until = time.monotonic() + 60
        while not self.server.started:
            assert time.monotonic() < until, "the service has not started"
            time.sleep(0.005)
        self.port = self.server.servers[0].sockets[0].getsockname()[1]

    def stop(self):
        self.server.should_exit = True
        self.thread.join(60)
        assert not self.thread.is_alive()


class Heard:
    """An application that writes down what it is asked, and answers some requests in place of the one behind it.

    asked : method, path, headers and status of each request.   first : answers (status, headers, body) that come before
    the application's own; ``None`` : the connection is cut.
    """

    def __init__(self, app):
        self.app, self.asked, self.first = app, [], []

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        noted = {"method": scope["method"], "path": scope["path"], "headers": headers, "status": None}
        self.asked.append(noted)

        async def told(message):
            if message["type"] == "http.response.start":
                noted["status"] = message["status"]
            await send(message)

        if not self.first:
            await self.app(scope, receive, told)
            return
        answer = self.first.pop(0)
        if answer is None:
            # a body that is shorter than it says: the server cuts the connection
            await told({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"9")]})
            return
        status, more, body = answer
        pairs = [(name.encode(), value.encode()) for name, value in more.items()]
        await told({"type": "http.response.start", "status": status, "headers": pairs})
        await told({"type": "http.response.body", "body": body})


@pytest.fixture(scope="session")
def store(tmp_path_factory):
    return Store(tmp_path_factory.mktemp("client"))


@pytest.fixture(scope="session")
def run(store):
    """A run of the library, 150 trades under 40 scenarios."""
    portfolio, market = rg.sample.portfolio(150), rg.sample.market()
    return rg.run(portfolio, market, rg.sample.scenarios(count=40), name="today", store=store, progress=None)


@pytest.fixture(scope="session")
def served(store):
    service = Served(make_app(Service(Door(store))))
    yield service
    service.stop()


@pytest.fixture(scope="session")
def heard_service(store):
    service = Served(Heard(make_app(Service(Door(store)))))
    yield service
    service.stop()


@pytest.fixture
def heard(heard_service):
    """A service that writes down what it is asked; nothing was asked yet."""
    heard_service.app.asked.clear()
    heard_service.app.first.clear()
    return heard_service


@pytest.fixture
def client(served):
    with rg.Client(served.url) as made:
        yield made


@pytest.fixture
def remote(client, run):
    return next(one for one in client.runs() if one.run_id == run.run_id)
