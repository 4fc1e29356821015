"""A small store as several principals see it, served without a socket."""

from __future__ import annotations

import contextlib
import threading

from fastapi.testclient import TestClient

import riskgrid as rg
from riskgrid.access import Door
from riskgrid.api.app import make_app
from riskgrid.api.service import Service
from riskgrid.books import Books
from riskgrid.errors import Unauthenticated
from riskgrid.principal import EVERYTHING, Principal
from riskgrid.runner import Runner
from riskgrid.store import Store
from tests.run import made

BOTH = frozenset({"read", "run"})
WHO = {
    "local": EVERYTHING,
    "ann": Principal("ann", BOTH, None),
    "flow": Principal("flow", BOTH, Books.of({"desk": "Flow"})),
    "macro": Principal("macro", BOTH, Books.of({"desk": "Macro"})),
    "bob": Principal("bob", BOTH, None),
    "nobody": Principal("nobody"),
    "reader": Principal("reader", frozenset({"read"}), None),
}


def by_name(headers):
    """Who says a name is who has it."""
    name = headers.get("x-api-key", "")
    if name not in WHO:
        raise Unauthenticated("nobody knows who asks")
    return WHO[name]


def filled(path, count=15):
    """A store with a book, a market and scenarios under names, and one run of them."""
    store = Store(path)
    book, market, days = made.portfolio(count), made.market(), made.scenarios(count=20)
    for name, given in (("book", book), ("today", market), ("days", days)):
        rg.keep(given, name, store=store)
    return rg.run(book, market, days, store=store, name="first", cut=16, progress=None)


def client(store, who="local", **options):
    """A client of a service over a store, as one principal."""
    app = make_app(Service(Door(store), authenticate=by_name, **options))
    return TestClient(app, headers={"X-API-Key": who}, raise_server_exceptions=False)


@contextlib.contextmanager
def working(store):
    """A runner in a thread, as long as this lasts."""
    with Runner(Store(store.root), cluster="threads:1", lanes=(None,)) as runner:
        thread = threading.Thread(target=runner.work)
        thread.start()
        try:
            yield runner
        finally:
            runner.stop()
            thread.join()


def worked(store):
    """Answer what waits."""
    with Runner(store, cluster="threads:1", lanes=(None,)) as runner:
        runner.work(until_idle=True)
