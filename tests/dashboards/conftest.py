"""A small store that pages look at: two days of one book."""

from __future__ import annotations

import pytest

from riskgrid import run, sample
from riskgrid.access import Door
from riskgrid.books import Books
from riskgrid.dashboards.desk import Desk
from riskgrid.dashboards.look import Look
from riskgrid.principal import EVERYTHING, Principal
from riskgrid.result import Run
from riskgrid.store import Store

DAYS = ("2016-06-23", "2016-06-24")


@pytest.fixture(scope="session")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    store = Store(tmp_path_factory.mktemp("desk"))
    book = sample.portfolio(300)
    for day in DAYS:
        run(book, sample.market(day), sample.scenarios(day, count=60), store=store, name="sample", progress=None)
    return Desk(Door(store))


@pytest.fixture
def look(desk: Desk) -> Look:
    return Look(desk, EVERYTHING)


@pytest.fixture(scope="session")
def today(desk: Desk) -> Run:
    found = Look(desk, EVERYTHING).finished
    return desk.door.run(found[0].row.run_id, EVERYTHING)


@pytest.fixture(scope="session")
def yesterday(desk: Desk) -> Run:
    found = Look(desk, EVERYTHING).finished
    return desk.door.run(found[1].row.run_id, EVERYTHING)


@pytest.fixture(scope="session")
def rates() -> Principal:
    """Somebody who sees one desk."""
    return Principal("kim", frozenset({"read", "run"}), Books.of({"desk": "Rates"}))
