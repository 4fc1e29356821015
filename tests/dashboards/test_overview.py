from __future__ import annotations

import numpy as np
import pytest

from riskgrid.analysis.differing import diff
from riskgrid.dashboards.card import Card, Later, Table, Word
from riskgrid.dashboards.desk import Desk
from riskgrid.dashboards.look import Look
from riskgrid.dashboards.pages.overview import show
from riskgrid.dashboards.state import State
from riskgrid.page import money, percent
from riskgrid.principal import Principal
from riskgrid.reporting import report
from riskgrid.result import Run


def words(card: object) -> str:
    assert isinstance(card, Card)
    assert isinstance(card.body, Word)
    return card.body.html.replace("\N{MINUS SIGN}", "-")


def table(card: object) -> Table:
    assert isinstance(card, Card)
    assert isinstance(card.body, Table)
    return card.body


def test_figures__are_those_of_the_report_with_the_change_since_the_day_before(
    look: Look, today: Run, yesterday: Run
) -> None:
    told = words(show(State(), look)["figures"])
    now, then = (report(one, "desk").table.isel(node=0) for one in (today, yesterday))
    for name in ("base_value", "value_at_risk", "expected_shortfall", "worst_pnl"):
        assert money(float(now[name])) in told
    for name in ("base_value", "value_at_risk", "expected_shortfall"):
        assert money(float(now[name]) - float(then[name])).removeprefix("-") in told


def test_convention__reaches_every_number(look: Look, today: Run) -> None:
    content = show(State(convention="var-95-es-95"), look)
    now = report(today, "desk", var_level=0.95, es_level=0.95).table
    assert money(float(now["value_at_risk"][0])) in words(content["figures"])
    rows = {row.name: row.cells for row in table(content["who"]).section.rows}
    for node in range(1, now.sizes["node"]):
        cells = rows[str(now["desk"].values[node])]
        assert cells[1] == money(float(now["value_at_risk"][node]))
        assert cells[5] == money(float(now["component_expected_shortfall"][node]))
        assert cells[3] == money(float(now["component_value_at_risk"][node]))


def test_desks__add_up_and_the_rest_is_diversification(look: Look, today: Run) -> None:
    now = report(today, "desk").table
    rows = {row.name: row.cells for row in table(show(State(), look)["who"]).section.rows}
    values = now["value_at_risk"].values
    assert rows["Diversification"][1] == money(float(values[0] - values[1:].sum()))
    components = now["component_value_at_risk"].values
    assert np.isclose(components[1:].sum(), components[0])


def test_desk__leads_to_its_books(look: Look) -> None:
    shown = table(show(State(), look)["who"])
    for row, link in zip(shown.section.rows[1:-1], shown.links[1:-1], strict=True):
        assert link is not None
        assert (link.page, link.where) == ("drill-down", (("desk", row.name),))


def test_why__has_the_steps_of_a_diff_and_is_found_at_once_the_next_time(
    look: Look, today: Run, yesterday: Run
) -> None:
    later = show(State(), look)["why"]
    if isinstance(later, Later):
        later = later.make()
    found = later.data() if later.data is not None else None
    expected = diff(yesterday, today).to_dataset()
    assert found is not None
    assert found["value_at_risk"].values.tolist() == expected["value_at_risk"].values.tolist()
    assert isinstance(show(State(), look)["why"], Card)


def test_worst_scenarios__lead_to_the_trades_behind_them(look: Look, today: Run) -> None:
    card = show(State(), look)["hurts"]
    assert isinstance(card, Card)
    worst = str(today.pnl()["scenario"].values[np.argmin(today.pnl().values)])
    assert card.links[worst].scenario == worst
    assert card.links[worst].page == "drill-down"


def test_nothing_to_compare_with__shows_no_change(look: Look) -> None:
    content = show(State(against="none"), look)
    assert 'class="change"><span' not in words(content["figures"])
    assert "no earlier run" in words(content["why"])


def test_first_day__has_no_day_before(look: Look, yesterday: Run) -> None:
    content = show(State(run=yesterday.known_as), look)
    assert "no earlier run" in words(content["why"])


def test_of_one_desk__shows_one_desk_and_its_total(desk: Desk, rates: Principal, today: Run) -> None:
    content = show(State(), Look(desk, rates))
    own = report(today, "desk", where={"desk": "Rates"}).table
    rows = table(content["who"]).section.rows
    assert [row.name for row in rows[:-1]] == ["Total", "Rates"]
    assert rows[0].cells[0] == money(float(own["base_value"][0]))
    assert rows[0].cells[1] == money(float(own["value_at_risk"][0]))
    assert "of your books" in words(content["figures"])
    who = content["who"]
    assert isinstance(who, Card)
    assert who.data is not None
    assert set(who.data()["desk"].values.tolist()) == {"", "Rates"}


@pytest.mark.parametrize("by", ["region", "book", "instrument"])
def test_who__by_another_label(look: Look, today: Run, by: str) -> None:
    names = {row.name for row in table(show(State(by=by), look)["who"]).section.rows}
    assert set(map(str, today.cube.labels[by].names)) <= names


def test_change__of_a_desk_is_that_of_its_own_risk(look: Look, today: Run, yesterday: Run) -> None:
    rows = {row.name: row.cells for row in table(show(State(), look)["who"]).section.rows}
    now, then = (report(one, "desk").table.set_index(node="desk") for one in (today, yesterday))
    for desk in now["node"].values[1:].tolist():
        moved = float(now["value_at_risk"].sel(node=desk)) - float(then["value_at_risk"].sel(node=desk))
        assert rows[desk][2].removeprefix("+") == money(moved)


def test_standing__tells_what_the_numbers_rest_on(look: Look, today: Run) -> None:
    told = words(show(State(), look)["standing"])
    total = report(today, "desk").table.isel(node=0)
    assert float(total["unshocked"]) > 0.0
    assert f"{percent(float(total['unshocked']), up=True)} of the pairs rest on factors without history" in told
    assert "not all data is real" in told


def test_export__holds_what_the_table_shows_in_its_order(look: Look) -> None:
    card = show(State(), look)["who"]
    assert isinstance(card, Card)
    assert card.data is not None
    full, shown = card.data(), table(card).section.rows[:-1]
    assert ["Total", *full["desk"].values[1:].tolist()] == [row.name for row in shown]
    assert [money(float(value)) for value in full["value_at_risk_change"]] == [
        row.cells[2].lstrip("+") for row in shown
    ]
