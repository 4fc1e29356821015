"""The drill-down page of books that are not as they should be: faulty trades, weights, draws, one trade, a what-if."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import xarray as xr

from riskgrid import monte_carlo, run, sample, what_if
from riskgrid.access import Door
from riskgrid.dashboards.card import Card, Later, Table, Word
from riskgrid.dashboards.desk import Desk
from riskgrid.dashboards.look import Look
from riskgrid.dashboards.markup import card_html
from riskgrid.dashboards.pages.drill_down.page import show
from riskgrid.dashboards.pages.drill_down.place import PARTS
from riskgrid.dashboards.state import State
from riskgrid.errors import RiskgridError
from riskgrid.page import money
from riskgrid.plots import short_number
from riskgrid.principal import EVERYTHING
from riskgrid.reporting import report
from riskgrid.result import Run
from riskgrid.scenarios.compose import weighted
from riskgrid.store import Store

AT = State(page="drill-down", against="none")
_EVERY_PART = ["", *list(PARTS)[1:]]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return Store(tmp_path_factory.mktemp("odd"))


@pytest.fixture(scope="module")
def odd(store: Store) -> Look:
    return Look(Desk(Door(store)), EVERYTHING)


def asked(store: Store, scenarios: xr.Dataset, **book: Any) -> Run:
    given = sample.portfolio(**{"trades": 40, "faulty": True, **book})
    return run(given, sample.market("2016-06-24"), scenarios, store=store, progress=None)


@pytest.fixture(scope="module")
def faulty(store: Store) -> Run:
    """A what-if in which the trades without a number have a book of their own."""
    base = asked(store, sample.scenarios("2016-06-24", count=20))
    names = [f"FAULTY-{at}" for at in (1, 2, 3)]
    return what_if(base, {"rehang": [{"where": {"trade_id": names}, "to": {"book": "LOST"}}]})


def painted(state: State, look: Look) -> dict[str, str]:
    """What stands in each slot, as the browser gets it; an analysis that cannot be made says why."""
    shown = {}
    for slot, content in show(state, look).items():
        try:
            card = content.make() if isinstance(content, Later) else content
        except RiskgridError as error:
            shown[slot] = str(error)
            continue
        assert isinstance(card, Card)
        shown[slot] = card_html(card, slot)
        assert "nan" not in shown[slot].casefold().replace("finan", "").replace("dominan", "")
        if card.data is not None:
            card.data()
    return shown


def rows(content: object) -> dict[str, Any]:
    assert isinstance(content, Card)
    assert isinstance(content.body, Table)
    return {row.name: row for row in content.body.section.rows}


@pytest.mark.parametrize("part", _EVERY_PART)
def test_every_part__of_a_book_with_gaps_is_shown(odd: Look, faulty: Run, part: str) -> None:
    shown = painted(AT.but(run=faulty.known_as, part=part), odd)
    assert len(shown) > 1


@pytest.mark.parametrize("part", [part for part in _EVERY_PART if part != "explain"])
def test_every_part__of_a_node_without_any_number_says_so(odd: Look, faulty: Run, part: str) -> None:
    shown = painted(AT.but(run=faulty.known_as, part=part).within("book", "LOST"), odd)
    assert any("number" in html for html in shown.values())


def test_node_without_a_number__is_marked_between_the_others(odd: Look, faulty: Run) -> None:
    content = show(AT.but(run=faulty.known_as, by="book"), odd)
    found = rows(content["below"])
    assert found["LOST"].partial
    assert found["LOST"].cells[2] == "no number"
    figures = content["figures"]
    assert isinstance(figures, Card)
    assert isinstance(figures.body, Word)
    assert "3 without a number" in figures.body.html


def test_trade_without_a_number__says_why(odd: Look, faulty: Run) -> None:
    shown = painted(AT.but(run=faulty.known_as, trade="FAULTY-1"), odd)
    status = faulty.trade_table({"trade_id": "FAULTY-1"})
    assert 'role="alert"' in shown["figures"]
    assert str(status["problem"].values[0])[:20] in shown["figures"].replace("&#x27;", "'")
    listed = show(AT.but(run=faulty.known_as, part="trades", sort="-status"), odd)["trades"]
    assert set(list(rows(listed))[:3]) == {"FAULTY-1", "FAULTY-2", "FAULTY-3"}


def test_what_if__is_held_against_the_run_it_changes(odd: Look, faulty: Run) -> None:
    content = show(State(page="drill-down", run=faulty.known_as, by="book"), odd)
    found = rows(content["below"])
    now, then = (report(one, "book").table for one in (faulty, faulty.parent))
    assert found["Total"].cells[1] == money(float(now["base_value"][0]) - float(then["base_value"][0]))


def test_what_if__is_explained_from_the_run_it_changes(odd: Look, faulty: Run) -> None:
    shown = painted(State(page="drill-down", run=faulty.known_as, part="explain"), odd)
    assert "no earlier run" not in shown["pieces"]
    lost = State(page="drill-down", run=faulty.known_as, part="explain").within("book", "LOST")
    assert "labels of the earlier run" in painted(lost, odd)["pieces"]


@pytest.mark.parametrize("part", _EVERY_PART)
def test_one_trade__is_a_book_too(odd: Look, store: Store, part: str) -> None:
    alone = asked(store, sample.scenarios("2016-06-24", count=20), trades=1, faulty=False)
    shown = painted(AT.but(run=alone.known_as, part=part), odd)
    assert len(shown) > 1


@pytest.mark.parametrize("part", ["", "tail", "classes", "trades"])
def test_weights__count(odd: Look, store: Store, part: str) -> None:
    heavy = asked(store, weighted(sample.scenarios("2016-06-24", count=20), np.arange(1.0, 21.0)), faulty=False)
    shown = painted(AT.but(run=heavy.known_as, part=part), odd)
    if not part:
        told = report(heavy, "region").table
        assert money(float(told["value_at_risk"][0])) in shown["figures"]
        assert "share of scenarios" in str(show(AT.but(run=heavy.known_as), odd)["distribution"].body.yaxis.axis_label)


def test_draws__say_how_sure_the_measures_are(odd: Look, store: Store) -> None:
    market = sample.market("2016-06-24")
    drawn = monte_carlo(sample.history(), market, count=300, seed=1, start="2014-01-03", proxies=sample.proxies())
    made = asked(store, drawn, faulty=False)
    low, high = report(made, []).conventions["interval"]["value_at_risk"]
    assert (
        f"95 % sure: {short_number(low)} to {short_number(high)}" in painted(AT.but(run=made.known_as), odd)["figures"]
    )


def test_weights__have_no_interpolated_measure_and_say_so(odd: Look, store: Store) -> None:
    heavy = asked(store, weighted(sample.scenarios("2016-06-24", count=20), np.arange(1.0, 21.0)), faulty=False)
    with pytest.raises(RiskgridError, match="unequal weights"):
        show(AT.but(run=heavy.known_as, convention="interpolated"), odd)
