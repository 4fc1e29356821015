"""Every number of the drill-down page is the library's of the same trades, and every row leads to what is behind it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from riskgrid.analysis.bumping import sensitivities, spot_vol_ladder
from riskgrid.analysis.contributing import contribution, contributions
from riskgrid.analysis.decomposing import risk_classes
from riskgrid.analysis.explaining import explain
from riskgrid.analysis.moving import moves_of
from riskgrid.analysis.stressing import stress_report
from riskgrid.analysis.tracing import tail_view
from riskgrid.dashboards.card import Card, Later, Table, Word
from riskgrid.dashboards.convention import measures_of
from riskgrid.dashboards.desk import Desk
from riskgrid.dashboards.look import Look
from riskgrid.dashboards.markup import signed
from riskgrid.dashboards.pages.drill_down.page import DRILL_DOWN, show
from riskgrid.dashboards.pages.drill_down.place import PARTS
from riskgrid.dashboards.state import State
from riskgrid.errors import UnknownName
from riskgrid.page import Column, headed, money, percent, share
from riskgrid.principal import EVERYTHING, Principal
from riskgrid.reporting import report
from riskgrid.result import Run

AT = State(page="drill-down")
EMEA = AT.within("region", "EMEA")


def made(content: object) -> Card:
    card = content.make() if isinstance(content, Later) else content
    assert isinstance(card, Card)
    return card


def words(content: object) -> str:
    card = made(content)
    assert isinstance(card.body, Word)
    return card.body.html.replace("\N{MINUS SIGN}", "-")


def table(content: object) -> Table:
    card = made(content)
    assert isinstance(card.body, Table)
    return card.body


def rows(content: object) -> dict[str, Any]:
    return {row.name: row.cells for row in table(content).section.rows}


def book_of(run: Run) -> str:
    """The book with most trades."""
    column = run.cube.labels["book"]
    return str(column.names[int(np.bincount(column.codes.ravel()).argmax())])


def test_page__has_a_slot_for_everything_that_a_part_shows(look: Look, today: Run) -> None:
    slots = {slot for row in DRILL_DOWN.rows for slot in row}
    trade = str(today.cube.labels["trade_id"].names[0])
    for state in (*(AT.but(part=part) for part in PARTS), AT.but(trade=trade)):
        assert set(show(state, look)) <= slots


@pytest.mark.parametrize("where", [(), (("region", "EMEA"),), (("region", "EMEA"), ("desk", "Rates"))])
@pytest.mark.parametrize("convention", ["", "var-95-es-95"])
def test_risk__is_that_of_the_report_of_the_same_trades(
    look: Look, today: Run, where: tuple[tuple[str, str], ...], convention: str
) -> None:
    state = AT.but(where=where, convention=convention)
    content, how = show(state, look), measures_of(convention)
    by = {0: "region", 1: "desk", 2: "book"}[len(where)]
    told = report(today, by, where=dict(where), **how).table
    more = contributions(today, by, where=dict(where), **how).table
    found = rows(content["below"])
    for node in range(told.sizes["node"]):
        one, name = told.isel(node=node), str(told[by].values[node]) if node else "Total"
        assert found[name][0] == money(float(one["base_value"]))
        assert found[name][2] == money(float(one["value_at_risk"]))
        assert found[name][3] == money(float(one["component_value_at_risk"]))
        assert found[name][4] == money(float(one["expected_shortfall"]))
        assert found[name][5] == money(float(one["component_expected_shortfall"]))
        assert found[name][6] == share(float(one["component_expected_shortfall"]), float(told["expected_shortfall"][0]))
        assert found[name][8] == money(float(more["incremental_expected_shortfall"][node]))
        assert found[name][9:] == [str(one["worst_scenario"].values), money(float(one["worst_pnl"]))]
    if told.sizes["node"] > 2:
        values = told["expected_shortfall"].values
        assert found["Diversification"][4] == money(float(values[0] - values[1:].sum()))


def test_risk__tells_what_changed_since_the_day_before(look: Look, today: Run, yesterday: Run) -> None:
    found = rows(show(EMEA, look)["below"])
    now, then = (report(one, "desk", where={"region": "EMEA"}).table for one in (today, yesterday))
    for node in range(now.sizes["node"]):
        name = str(now["desk"].values[node]) or "Total"
        at = then["desk"].values.tolist().index(now["desk"].values[node])
        for place, measure in ((1, "base_value"), (7, "component_expected_shortfall")):
            moved = float(now[measure][node]) - float(then[measure][at])
            assert found[name][place].removeprefix("+") == money(moved)


def test_figures__say_what_the_node_adds_to_the_firm(look: Look, today: Run) -> None:
    told = words(show(EMEA, look)["figures"])
    added = contribution(today, {"region": "EMEA"})
    assert money(float(added["component_expected_shortfall"])) in told
    assert f"of {money(float(added['whole_expected_shortfall']))}" in told


def test_rows_and_bars__lead_one_step_down(look: Look, today: Run) -> None:
    content = show(EMEA, look)
    shown = table(content["below"])
    assert shown.links[0] is None
    for row, link in zip(shown.section.rows[1:-1], shown.links[1:-1], strict=True):
        assert link is not None
        assert link.where == (("region", "EMEA"), ("desk", row.name))
        assert made(content["components"]).links[row.name] == link
    assert made(content["distribution"]).links["tail"] == EMEA.but(part="tail")


def test_heads__order_the_rows_and_back(look: Look) -> None:
    first = table(show(EMEA, look)["below"])
    assert first.sorted == (5, True)
    largest, smallest = (table(show(EMEA.but(sort=sort), look)["below"]) for sort in ("-base_value", "base_value"))
    assert first.sorts[0].sort == "-base_value"
    assert largest.sorts[0].sort == "base_value"
    values = [float(row.cells[0].replace(",", "")) for row in largest.section.rows[1:-1]]
    assert values == sorted(values, reverse=True)
    assert [row.name for row in smallest.section.rows[1:-1]] == [row.name for row in largest.section.rows[-2:0:-1]]


def test_rows__are_taken_along_as_they_stand_with_share_and_changes(look: Look) -> None:
    card = made(show(EMEA.but(sort="base_value"), look)["below"])
    assert card.data is not None
    taken, shown = card.data(), table(card).section.rows
    assert taken["desk"].values.tolist()[1:] == [row.name for row in shown[1:-1]]
    for at, row in enumerate(shown[:-1]):
        assert row.cells[6] == share(float(taken["share"][at]))
        assert row.cells[1].removeprefix("+") == money(float(taken["base_value_change"][at]))


def test_steps__lead_back_up_one_at_a_time(look: Look) -> None:
    told = words(show(EMEA.within("desk", "Rates"), look)["place"])
    assert '<a href="?page=drill-down">Firm</a>' in told
    assert '<a href="?page=drill-down&amp;where=region:EMEA" data-up>EMEA</a>' in told
    assert '<b aria-current="page">Rates</b>' in told


def test_pivot__is_any_label_that_still_differs(look: Look, today: Run) -> None:
    content = show(EMEA.but(by="counterparty"), look)
    known = set(map(str, today.cube.labels["counterparty"].names))
    names = set(rows(content["below"])) - {"Total", "Diversification"}
    assert names <= known
    told = words(content["place"])
    assert "by=counterparty" in told
    assert "by=region" not in told
    values = report(today, "counterparty", where={"region": "EMEA"}).table
    assert len(names) == values.sizes["node"] - 1


def test_book__has_its_trades_below_it(look: Look, today: Run) -> None:
    book = book_of(today)
    state = AT.within("book", book).but(by="trade_id")
    shown = table(show(state, look)["below"])
    told = report(today, "trade_id", where={"book": book}).table
    found = {row.name: row.cells for row in shown.section.rows}
    for node in range(1, min(told.sizes["node"], 10)):
        cells = found[str(told["trade_id"].values[node])]
        assert cells[5] == money(float(told["component_expected_shortfall"][node]))
    assert shown.links[1] == state.but(trade=shown.section.rows[1].name)


def test_many_rows__come_a_page_at_a_time(look: Look, today: Run) -> None:
    content = show(AT.but(by="trade_id"), look)
    first = [row.name for row in table(content["below"]).section.rows[1:-1]]
    assert len(first) == 50
    assert f"1 to 50 of {len(today.portfolio):,} trades" in words(content["pages"])
    last = show(AT.but(by="trade_id", start=10**8), look)
    assert "Next" not in words(last["pages"])
    assert not set(first) & {row.name for row in table(last["below"]).section.rows[1:-1]}


def test_tail__is_that_of_the_tail_view(look: Look, today: Run) -> None:
    content = show(EMEA.but(part="tail"), look)
    seen = tail_view(today, where={"region": "EMEA"})
    for name, weight, pnl in zip(
        seen.scenarios["scenario"].values, seen.scenarios["weight"].values, seen.scenarios["pnl"].values, strict=True
    ):
        assert rows(content["scenarios"])[str(name)][:3] == [money(pnl), share(weight), money(-weight * pnl)]
    makers = rows(content["makers"])
    for trade, part in zip(seen.trades["trade_id"].values, seen.trades["component"].values, strict=True):
        assert makers[str(trade)][-2] == money(part)
    objects = made(content["objects"])
    assert objects.data is not None
    assert objects.data()["component"].values.tolist() == seen.factors["component"].values.tolist()


def test_tail__of_a_convention_is_its_own(look: Look, today: Run) -> None:
    content = show(AT.but(part="tail", convention="var-95-es-95"), look)
    assert list(rows(content["scenarios"])) == list(map(str, tail_view(today, level="0.95").scenarios.scenario.values))


def test_scenario__that_is_chosen_shows_its_worst_trades_and_its_moves(look: Look, today: Run) -> None:
    best = str(today.cube.scenarios[int(np.argmax(today.pnl().values))])
    content = show(EMEA.but(part="tail", scenario=best), look)
    worst = today.worst_trades(best, 15, {"region": "EMEA"})
    found = rows(content["worst"])
    assert list(found) == worst["trade_id"].values.tolist()
    assert [cells[-2] for cells in found.values()] == [money(float(pnl)) for pnl in worst["scenario_pnl"].values]
    shown = table(content["scenarios"])
    assert shown.section.rows[shown.chosen or 0].name == best
    assert rows(content["scenarios"])[best][1] == "not in the tail"
    moves = moves_of(today, best, where={"region": "EMEA"})
    told = rows(content["moves"])
    assert told["All moves"][-1] == money(float(today.pnl(where={"region": "EMEA"}).sel(scenario=best)))
    first = moves.isel(group=0)
    assert told[str(first["group"].values)][-1] == money(float(first["pnl"]))


def test_scenario_that_the_run_has_not__gives_way_to_its_worst(look: Look) -> None:
    usual, other = (show(AT.but(part="tail", scenario=name), look) for name in ("", "never"))
    assert rows(other["worst"]) == rows(usual["worst"])
    assert "no scenario 'never'" in made(other["worst"]).note
    assert rows(show(AT.but(part="trades", scenario="never"), look)["trades"])


def test_classes__are_those_of_the_library(look: Look, today: Run) -> None:
    content = show(EMEA.but(part="classes", convention="var-95-es-95"), look)
    seen = risk_classes(today, "desk", where={"region": "EMEA"}, **measures_of("var-95-es-95"))
    for at, name in enumerate(map(str, seen.table["risk_class"].values)):
        cells = rows(content["classes"])["All together" if name == "all" else headed(name)]
        assert cells == [
            money(float(seen.table[measure][at, 0])) for measure in ("value_at_risk", "expected_shortfall")
        ]
    shown = table(content["class_nodes"])
    assert shown.links[1] == EMEA.but(convention="var-95-es-95", part="classes").within(
        "desk", shown.section.rows[1].name
    )


def test_sensitivities__are_those_of_the_library(look: Look, today: Run) -> None:
    content = show(EMEA.but(part="sensitivities"), look)
    seen = sensitivities(today, "desk", {"region": "EMEA"})
    greeks = rows(content["greeks"])
    assert greeks["Total"][-1] == money(float(seen.table["theta"][0]))
    assert set(greeks) - {"Total"} == set(seen.table["desk"].values[1:].tolist())
    total = seen.table.isel(node=0)
    market = rows(content["market"])
    for name, delta in zip(total["name"].values, total["delta"].values, strict=True):
        if total["kind"].values[total["name"].values == name].tolist() == ["fx"] and delta:
            assert market[str(name)][1] == money(float(delta))
    kinds = {"equity": "Equity", "par": "Rates, quotes", "vol": "Volatility"}
    for kind, head in kinds.items():
        of_kind = total.isel(factor=np.flatnonzero(total["kind"].values == kind))
        assert market[head][1:] == [money(float(of_kind[greek].sum())) for greek in ("delta", "gamma")]
    shown = table(content["market"]).section.rows
    first = next(at for at, row in enumerate(shown) if row.name.endswith(" smaller"))
    start = max(at for at, row in enumerate(shown[:first]) if row.parent)
    amounts = [float(row.cells[1].replace(",", "")) for row in shown[start : first + 1]]
    assert amounts[0] == pytest.approx(sum(amounts[1:]), abs=len(amounts))


@pytest.mark.parametrize("factor", ["fx:EUR", "par:USD-TREASURY", "vol:SPX"])
def test_market_object__can_be_looked_at_closer(look: Look, today: Run, factor: str) -> None:
    card = made(show(AT.but(part="sensitivities", factor=factor), look)["closer"])
    assert card.data is not None
    found = card.data()
    if factor == "fx:EUR":
        assert found["pnl"].values.tolist() == spot_vol_ladder(today, factor).pnl.values[0].tolist()
        return
    total = sensitivities(today, "region").table.isel(node=0)
    kind, _, name = factor.partition(":")
    own = total.isel(factor=(total["kind"].values == kind) & (total["name"].values == name))
    assert found["delta"].values.tolist() == own["delta"].values.tolist()


def test_explain__adds_up_from_the_day_before(look: Look, today: Run, yesterday: Run) -> None:
    content = show(EMEA.but(part="explain"), look)
    seen = explain(yesterday, today)
    total = seen.by((), {"region": "EMEA"}).isel(node=0)
    card = made(content["pieces"])
    assert card.data is not None
    assert card.data()["pnl"].values.tolist() == [total["pnl"].values.tolist()]
    assert rows(content["explained"])["Total"][0] == money(float(total["total"]))
    losers = seen.trades(15, where={"region": "EMEA"})
    assert list(rows(content["losers"])) == losers["trade_id"].values[losers["total"].values < 0].tolist()
    assert {"spot", "theta"} <= {state.factor for state in card.links.values()}


def test_explain__bridges_the_change_of_value_to_the_pnl(look: Look, today: Run, yesterday: Run) -> None:
    seen = explain(yesterday, today)
    inside = seen.attribution.labels["region"].texts() == "EMEA"
    here = seen.pnl.isel(trade=np.flatnonzero(inside))
    bridge = seen.bridge((), {"region": "EMEA"}).isel(node=0)
    change, settled = (float(part) for part in bridge["pnl"].values)
    assert change + settled == float(bridge["total"]) == float(seen.by((), {"region": "EMEA"})["total"][0])
    assert (change, settled) == (float(here["value_change"].sum()), float(here["settled"].sum()))
    told = f"P&L {money(change + settled)} = change of value {money(change)} + settled cash {money(settled)}."
    assert made(show(EMEA.but(part="explain"), look)["pieces"]).note.startswith(told)


def test_explain__of_a_piece_shows_the_trades_that_lost_by_it(look: Look, today: Run, yesterday: Run) -> None:
    content = show(AT.but(part="explain", factor="volatility"), look)
    seen = explain(yesterday, today).trades(15, piece="volatility")
    lost = seen["pnl"].sel(piece="volatility").values
    assert [cells[-1] for cells in rows(content["losers"]).values()] == [money(float(x)) for x in lost if x < 0]


def test_explain__without_an_earlier_run_says_so(look: Look, yesterday: Run) -> None:
    assert "no earlier run" in words(show(AT.but(part="explain", run=yesterday.known_as), look)["pieces"])


def test_stress__is_that_of_the_library_and_a_scenario_shows_who_loses(look: Look, today: Run) -> None:
    seen = stress_report(today, by="desk", where={"region": "EMEA"}).table
    chosen = str(seen["scenario"].values[2])
    content = show(EMEA.but(part="stress", scenario=chosen), look)
    for at, name in enumerate(map(str, seen["scenario"].values)):
        assert rows(content["stress"])[name][1] == money(float(seen["pnl"][at, 0]))
    found = rows(content["stress_nodes"])
    for node, name in enumerate(map(str, seen["desk"].values)):
        assert found[name or "Total"][0] == money(float(seen["pnl"][2, node]))
    losses = [float(cells[0].replace(",", "")) for name, cells in found.items() if name != "Total"]
    assert losses == sorted(losses)


def test_stress__colours_what_loses_whether_the_whole_loses_or_gains(look: Look, today: Run) -> None:
    seen = stress_report(today, by="desk").table
    totals = seen["pnl"].values[:, 0]
    for at in (int(np.argmin(totals)), int(np.argmax(totals))):
        card = made(
            show(AT.but(part="stress", by="desk", scenario=str(seen["scenario"].values[at])), look)["stress_nodes"]
        )
        shown, place = table(card), [*map(str, seen["desk"].values)]
        assert card.data is not None
        assert card.data()["desk"].values.tolist()[1:] == [row.name for row in shown.section.rows[1:]]
        for row, bar in zip(shown.section.rows[1:], shown.bars[0][1:], strict=True):
            pnl = float(seen["pnl"][at, place.index(row.name)])
            assert np.sign(bar) == np.sign(pnl)
            assert ('class="loss"' in signed(row.cells[0], shown.section.columns[0].kind)) == (round(pnl) < 0)
            assert "loss" not in signed(row.cells[1], shown.section.columns[1].kind)
    assert totals.min() < 0.0 < totals.max()


def test_trades__are_all_there_in_any_order(look: Look, today: Run) -> None:
    content = show(EMEA.but(part="trades", sort="base_value"), look)
    every = today.trade_table({"region": "EMEA"})
    lowest = np.sort(every["base_value"].values)[:50]
    shown = table(content["trades"])
    place = [column.head for column in shown.section.columns].index("Present value")
    assert [row.cells[place] for row in shown.section.rows] == [money(float(value)) for value in lowest]
    assert shown.links[0] == EMEA.but(part="trades", sort="base_value", trade=shown.section.rows[0].name)
    assert f"{every.sizes['trade']:,} trades" in made(content["trades"]).note
    spoken = {row.cells[shown.section.columns.index(Column("Instrument", kind="text"))] for row in shown.section.rows}
    assert spoken <= {str(name).replace("_", " ") for name in today.cube.labels["instrument"].names}


def test_trades__by_what_they_made_in_a_scenario(look: Look, today: Run) -> None:
    worst = str(today.cube.scenarios[int(np.argmin(today.pnl().values))])
    content = show(AT.but(part="trades", scenario=worst, sort="scenario_pnl"), look)
    expected = today.worst_trades(worst, 50)
    assert list(rows(content["trades"])) == expected["trade_id"].values.tolist()


def test_trade__has_its_terms_its_risk_and_its_place(look: Look, today: Run) -> None:
    trade = "EO-000001"
    content = show(EMEA.but(trade=trade), look)
    told = report(today, [], where={"trade_id": trade}).table.isel(node=0)
    figures = words(content["figures"])
    for name in ("base_value", "value_at_risk", "expected_shortfall"):
        assert money(float(told[name])) in figures
    assert money(float(contribution(today, {"trade_id": trade})["incremental_expected_shortfall"])) in figures
    assert State(page="what-if", run=today.known_as, trade=trade).query.replace("&", "&amp;") in figures
    terms = rows(content["terms"])
    agreed = today.portfolio.trade(trade)
    assert terms["Strike"] == [f"{agreed['strike']:,.10g}", "currency per share"]
    assert terms["Book"][0] == agreed["book"]
    place = words(content["place"])
    for label in ("region", "desk", "book"):
        assert str(agreed[label]) in place
    moving = sensitivities(today, "trade_id", {"trade_id": trade}).table.isel(node=0)
    bumped = set(rows(content["bumps"])) - {"Theta"}
    assert bumped == set(moving["factor"].values[(moving["delta"].values != 0) | (moving["gamma"].values != 0)])


def test_reads_of_single_trades__are_written_down(desk: Desk, today: Run) -> None:
    who = Principal("robin", frozenset({"read"}), None)
    for state in (AT.but(trade="EO-000001"), AT.but(part="trades"), AT.but(by="trade_id"), AT.but(part="tail"), AT):
        show(state, Look(desk, who))
    lines = desk.door.audit(EVERYTHING, principal="robin")
    assert [line.detail["what"] for line in lines] == ["tail", "report", "trades", "trade"]
    assert {line.subject for line in lines} == {today.known_as}


def test_of_one_desk__nothing_of_another_is_there(desk: Desk, rates: Principal, today: Run) -> None:
    look = Look(desk, rates)
    own = report(today, "desk", where={"desk": "Rates"}).table
    content = show(AT.but(by="desk"), look)
    assert list(rows(content["below"])) == ["Total", "Rates"]
    assert money(float(own["expected_shortfall"][0])) in words(content["figures"])
    assert "of your books" in words(content["figures"])
    listed = show(AT.but(part="trades"), look)
    assert {row.cells[1] for row in table(listed["trades"]).section.rows} == {"Rates"}
    for state in (AT.within("desk", "FX Options"), AT.but(trade="EO-000001")):
        with pytest.raises(UnknownName):
            show(state, look)
    card = made(show(AT.but(part="tail"), look)["makers"])
    assert card.data is not None
    assert set(card.data()["desk"].values.tolist()) == {"Rates"}


@pytest.mark.parametrize("where", [("desk", "Nowhere"), ("nothing", "Rates")])
def test_place_that_is_not_there__is_named(look: Look, where: tuple[str, str]) -> None:
    with pytest.raises(UnknownName, match=f"{where[0]}"):
        show(AT.but(where=(where,)), look)


@pytest.mark.parametrize("part", ["", *list(PARTS)[1:]])
def test_labels_that_exclude_each_other__leave_an_empty_place_that_says_so(look: Look, part: str) -> None:
    content = show(EMEA.within("book", "FXO-APAC-1").but(part=part), look)
    assert set(content) == {"place", "figures"}
    assert "data-up" in words(content["place"])
    assert "No trade" in words(content["figures"])


def test_coverage__is_said(look: Look, today: Run) -> None:
    told = report(today, []).table
    assert f"{percent(float(told['coverage'][0]))} covered" in words(show(AT, look)["figures"])
