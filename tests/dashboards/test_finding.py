from __future__ import annotations

import pytest

from riskgrid.dashboards.desk import Desk
from riskgrid.dashboards.finding import found
from riskgrid.dashboards.look import Look
from riskgrid.dashboards.state import State
from riskgrid.principal import Principal
from riskgrid.result import Run


def test_desk__is_found_in_any_case_of_letters(look: Look) -> None:
    state, notice = found("rATES", State(), look)
    assert (state.page, state.where, notice) == ("drill-down", (("desk", "Rates"),), "")


def test_trade__is_found_by_its_id(look: Look, today: Run) -> None:
    trade = str(today.cube.labels["trade_id"].names[7])
    for text in (trade, trade.lower()):
        assert found(text, State(), look)[0].trade == trade


def test_scenario__is_found_by_its_name(look: Look, today: Run) -> None:
    name = str(today.cube.scenarios[3])
    assert found(name, State(), look)[0].scenario == name


def test_unknown__stays_and_names_what_is_near(look: Look) -> None:
    state, notice = found("Rate", State(page="overview"), look)
    assert state == State(page="overview")
    assert "Rates" in notice


@pytest.mark.parametrize("hidden", ["FX Options", "trade"])
def test_hidden__is_not_found_and_not_named(desk: Desk, rates: Principal, look: Look, today: Run, hidden: str) -> None:
    name = hidden
    if hidden == "trade":
        places = today.trade_places({"desk": "FX Options"})
        name = str(today.trade_rows(places[:1])["trade_id"].values[0])
        assert found(name, State(), look)[0].trade == name
    state, notice = found(name, State(), Look(desk, rates))
    assert state == State()
    assert notice == found("Qqqqqqq", State(), Look(desk, rates))[1].replace("Qqqqqqq", name)
