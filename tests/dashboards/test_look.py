from __future__ import annotations

from pathlib import Path

import pytest

from riskgrid import run, sample, what_if
from riskgrid.access import Door
from riskgrid.acting import Asked, ask_run
from riskgrid.books import Books
from riskgrid.dashboards import look as looking
from riskgrid.dashboards.desk import Desk
from riskgrid.dashboards.look import Look
from riskgrid.dashboards.state import State
from riskgrid.errors import BadSpec
from riskgrid.principal import EVERYTHING, Principal
from riskgrid.result import Run
from riskgrid.runner import Runner
from riskgrid.store import Store


@pytest.fixture
def small(tmp_path: Path) -> tuple[Desk, Run]:
    store = Store(tmp_path)
    made = run(sample.portfolio(40), sample.market(), sample.scenarios(count=10), store=store, progress=None)
    return Desk(Door(store)), made


def test_what_ifs__however_many_hide_no_run(small: tuple[Desk, Run], monkeypatch: pytest.MonkeyPatch) -> None:
    desk, made = small
    monkeypatch.setattr(looking, "_MOST", 2)
    monkeypatch.setattr(looking, "_WHAT_IFS", 2)
    trade = str(made.trade_table()["trade_id"].values[0])
    for size in (2.0, 3.0, 4.0):
        what_if(made, {"resize": {trade: size}})
    assert Look(desk, EVERYTHING).run(State()).known_as == made.known_as
    assert len(Look(desk, EVERYTHING).rows) == 3


def test_run_of_some_books__is_nobody_elses_morning(small: tuple[Desk, Run]) -> None:
    desk, made = small
    kim = Principal("kim", frozenset({"run"}), Books.of({"desk": "Rates"}))
    of = {"of": made.known_as}
    own = ask_run(desk.door, kim, Asked(of, of, of, name="sample")).row.run_id
    Runner(desk.door.store, cluster="threads:1").step()
    for who in (EVERYTHING, kim):
        assert Look(desk, who).run(State()).known_as == made.known_as
    assert Look(desk, kim).run(State(run=own)).known_as == own


def test_another_currency__is_not_subtracted(small: tuple[Desk, Run]) -> None:
    desk, made = small
    store = desk.door.store
    other = run(made.portfolio, made.market, made.scenarios, reporting="EUR", store=store, progress=None)
    look = Look(desk, EVERYTHING)
    with pytest.raises(BadSpec, match=r"in USD and the one to compare with in EUR"):
        look.before(State(against=other.known_as), made)
