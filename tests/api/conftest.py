"""A store with two days of one book, served to who may see all of it and to who may see one desk."""

from dataclasses import dataclass
from typing import Any

import pytest
from starlette.testclient import TestClient

import riskgrid as rg
from riskgrid.access import Door
from riskgrid.api.app import PREFIX, make_app
from riskgrid.api.service import Service
from riskgrid.books import Books
from riskgrid.engine.budget import Limits
from riskgrid.principal import EVERYTHING, Principal
from riskgrid.store import Store

#: Who asks, by the header X-API-Key.
PEOPLE = {
    "all": EVERYTHING,
    "rates": Principal("rates", frozenset({"read"}), Books.of({"desk": "Rates"})),
    "nobody": Principal("nobody", frozenset({"read"}), Books()),
}


@dataclass(frozen=True)
class Served:
    """Two runs of a store and a client of its HTTP interface. before : of the day before."""

    service: Service
    client: TestClient
    run: rg.Run
    before: rg.Run

    def get(self, path: str, who: str = "all", accept: str = "application/json", **query: Any) -> Any:
        """The answer to a question; paths that begin with ``/`` are of the run, others of the whole interface."""
        url = f"{PREFIX}/runs/{self.run.run_id}{path}" if path.startswith("/") else f"{PREFIX}/{path}"
        return self.client.get(url, params=query, headers={"X-API-Key": who, "Accept": accept})

    def seen(self, who: str = "all", *, before: bool = False) -> rg.Run:
        """A run as somebody sees it."""
        return self.service.door.run((self.before if before else self.run).run_id, PEOPLE[who])


@pytest.fixture(scope="session")
def served(tmp_path_factory):
    """Of 200 trades, three of which have no number, and 30 scenarios."""
    store = Store(tmp_path_factory.mktemp("served"))
    days = [("2016-06-23", "before"), ("2016-06-24", "today")]
    before, today = (
        rg.run(
            rg.sample.portfolio(200, faulty=True),
            rg.sample.market(day),
            rg.sample.scenarios(day, count=30),
            name=name,
            store=store,
            progress=None,
        )
        for day, name in days
    )
    door = Door(store, limits=Limits(valuations=2e7))
    service = Service(door, authenticate=lambda headers: PEOPLE[headers.get("x-api-key", "all")])
    with TestClient(make_app(service)) as client:
        yield Served(service, client, today, before)
