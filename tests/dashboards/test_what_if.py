"""The What-if page: what is put together, run and compared is what the library says, within one's rights."""

from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

import riskgrid as rg
from riskgrid import sample
from riskgrid.access import Door
from riskgrid.analysis.comparing import compare
from riskgrid.books import Books
from riskgrid.dashboards.card import Card, Later, Live, Table
from riskgrid.dashboards.desk import Desk
from riskgrid.dashboards.failing import refused
from riskgrid.dashboards.look import Look
from riskgrid.dashboards.pages.what_if.draft import Draft
from riskgrid.dashboards.pages.what_if.drafting import ACTS
from riskgrid.dashboards.pages.what_if.page import show
from riskgrid.dashboards.pages.what_if.stresses import stresses
from riskgrid.dashboards.state import State
from riskgrid.errors import BadChanges, BadRows, BadScenarios, BadSpec, Forbidden, InputError, UnknownName
from riskgrid.page import money
from riskgrid.principal import EVERYTHING, Principal
from riskgrid.registry import INSTRUMENTS
from riskgrid.sample.shock import STRESS
from riskgrid.scenarios import compose, generic
from riskgrid.scenarios.set import targets
from riskgrid.scenarios.stress import read_shocks, stress
from riskgrid.schema import Status
from riskgrid.store import Store

DAY = "2016-06-24"
RULE = {"where_label": "desk", "where_value": "Credit", "to_label": "desk", "to_value": "Rates"}
SCOPES = frozenset({"read", "run"})


@pytest.fixture(scope="module")
def door(tmp_path_factory):
    store = Store(tmp_path_factory.mktemp("store"))
    rg.run(sample.portfolio(160), sample.market(DAY), sample.scenarios(DAY, count=25), store=store, progress=None)
    return Door(store)


@pytest.fixture(scope="module")
def look(door):
    return Look(Desk(door), EVERYTHING)


@pytest.fixture(scope="module")
def run(look):
    return look.run(State())


@pytest.fixture(scope="module")
def start(run):
    return State(page="what-if", run=run.known_as)


def done(state, look, act, **fields):
    """The state once a form is handed over."""
    return state.but(**ACTS[act].do(state, look, fields))


def told(state, look, slot="draft"):
    found = show(state, look)[slot]
    return (found.card if isinstance(found, Live) else found).body.html


class Filled(HTMLParser):
    """The fields of the forms in some HTML, as they stand there."""

    def __init__(self, html):
        super().__init__()
        self.fields, self._select = {}, ""
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        if tag == "input" and "name" in given:
            self.fields[given["name"]] = given.get("value", "")
        elif tag == "select":
            self._select = given.get("name", "")
        elif tag == "option" and self._select and ("selected" in given or self._select not in self.fields):
            self.fields[self._select] = given["value"]

    def handle_endtag(self, tag):
        self._select = "" if tag == "select" else self._select


# -- the draft -----------------------------------------------------------------------------------------------------


def test_draft__says_each_change_and_loses_none_on_its_way_through_an_address(run):
    ids = [str(name) for name in run.trade_table()["trade_id"].values[:3]]
    draft = (
        Draft()
        .added("equity", {"trade_id": "N-1", "book": "B-1", "underlying": "AAPL", "quantity": -2000.0})
        .resized(ids[0], 5.0)
        .dropped(ids[1])
        .dropped(ids[2])
        .rehung({"book": "A"}, {"desk": "Macro"})
        .shifted("equity:*", "-5%")
        .laid_over("crash", [("equity:*", "-20%"), ("vol:*", "x2")])
        .replacing("date", {"date": "2016-06-23", "history": "sample"})
    )
    words = [words for words, _ in draft.lines()]
    assert len(draft) == len(words)
    assert words == [
        "Add N-1, equity in B-1: underlying AAPL, quantity -2,000",
        f"Resize {ids[0]} to 5",
        f"Drop {ids[1]}",
        f"Drop {ids[2]}",
        "Re-hang book A to desk Macro",
        "Shift equity:* -5%",
        "The market of 2016-06-23",
        "crash on top of every scenario",
    ]
    state = State(page="what-if", draft=draft.text)
    assert Draft.of(State.of(state.query).draft) == draft
    for at, (_, rest) in enumerate(draft.lines()):
        assert [each for each, _ in rest.lines()] == words[:at] + words[at + 1 :]


def test_draft__of_an_address_cut_short_or_grown_too_long_is_refused():
    text = Draft().shifted("fx:*", "-5%").text
    for wrong in (text[:-4], "x", text[::-1]):
        with pytest.raises(BadSpec, match="cut short or changed"):
            Draft.of(wrong)
    many = Draft({"resize": {f"T-{at}": at * np.pi for at in range(2_000)}})
    with pytest.raises(BadChanges, match="2,000 changes, more than an address holds"):
        many.text  # noqa: B018


def test_trades__dropped_resized_and_taken_back_leave_the_draft_as_it_was(start, look, run):
    trade = str(run.trade_table()["trade_id"].values[0])
    size = run.portfolio.trade(trade)["quantity"]
    dropped = done(start, look, "trades", **{f"drop:{trade}": "on"})
    assert f"Drop {trade}" in told(dropped, look)
    resized = done(dropped, look, "trades", **{f"quantity:{trade}": "1,234.5"})
    assert Draft.of(resized.draft).form == {"resize": {trade: 1234.5}}
    assert done(resized, look, "trades", **{f"quantity:{trade}": f"{size}"}).draft == ""
    assert done(dropped, look, "trades", **{f"drop:{trade}": ""}).draft == ""


def test_grid__shows_the_trades_asked_for_by_id_and_label(start, look, run):
    table = run.trade_table({"desk": "Credit"})
    html = told(start.within("desk", "Credit"), look, "ways")
    assert f"of {table.sizes['trade']:,}</span>" in html
    first = str(table["trade_id"].values[0])
    found = done(start, look, "find", find=first.lower())
    assert [name for name in Filled(told(found, look, "ways")).fields if name.startswith("drop:")] == [f"drop:{first}"]
    assert "No trade is called so" in told(done(start, look, "find", find="nobody"), look, "ways")


def test_shift__says_how_many_factors_it_moves(start, look, run):
    shifted = done(start, look, "shift", pattern="equity:*", shock="-5%")
    assert shifted == done(start, look, "shift", pattern="equity:*", shock="\N{MINUS SIGN}5%")
    count = sum(factor.startswith("equity:") for factor in run.market.factors)
    assert f"Shift equity:* \N{MINUS SIGN}5%, {count} factors" in told(shifted, look)


@pytest.mark.parametrize(
    ("act", "fields", "error", "said"),
    [
        ("shift", {"pattern": "equty:*", "shock": "-5%"}, BadScenarios, "unknown factor 'equty:\\*'"),
        ("shift", {"pattern": "equity:*", "shock": "5"}, BadScenarios, "right is e.g. -20%"),
        ("trades", {"quantity:NOBODY": "5"}, UnknownName, "NOBODY"),
        ("add", {"instrument": "equity", "trade_id": "N-1", "quantity": "ten"}, InputError, "no column"),
        ("rehang", {**RULE, "where_value": "?"}, BadChanges, "hits no trade"),
        ("rehang", {**RULE, "to_label": "maturity"}, BadChanges, "which is no label"),
        ("inputs", {"date": "yesterday"}, BadChanges, "2016-06-30"),
        ("inputs", {"scenarios": "none of mine"}, UnknownName, "none of mine"),
        ("stress", {"over": "boredom"}, UnknownName, "boredom"),
        ("run", {"name": ""}, BadChanges, "nothing is changed yet"),
    ],
)
def test_change__that_cannot_be_made_is_refused_in_the_words_of_the_library(start, look, act, fields, error, said):
    with pytest.raises(error, match=said):
        done(start, look, act, **fields)


# -- trades of every kind ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("instrument", sorted(INSTRUMENTS))
def test_form__of_every_instrument_makes_its_example_which_is_priced_as_the_library_does(start, look, run, instrument):
    form = Filled(told(start.but(part=f"add.{instrument}"), look, "ways")).fields
    labels = {"region": "EMEA", "desk": "Tests", "book": "T"}
    drafted = done(start, look, "add", **{**form, **labels})
    rows = Draft.of(drafted.draft).form["add"][instrument]
    assert [row["trade_id"] for row in rows] == ["NEW-1"]
    asked = done(drafted, look, "run", name="")
    made = look.desk.door.run(asked.beside[0], EVERYTHING)
    own = rg.what_if(run, {"add": {instrument: rows}}, progress=None)
    assert made.result_id == own.result_id
    added = made.trade_table({"book": "T"})
    assert added["status"].values.tolist() == [Status.PRICED]
    assert Filled(told(drafted.but(part=f"add.{instrument}"), look, "ways")).fields["trade_id"] == "NEW-2"


def test_form__with_a_wrong_term_names_the_term(start, look):
    form = Filled(told(start.but(part="add.equity_option"), look, "ways")).fields
    with pytest.raises(BadRows) as caught:
        done(start, look, "add", **{**form, "strike": "-1", "option_type": "straddle"})
    assert {row.column for row in caught.value.rows} == {"strike", "option_type"}


def test_form__without_region_desk_or_book_names_those_that_are_empty_and_offers_those_there_are(start, look, run):
    form = told(start.but(part="add.equity", where=(("region", "EMEA"),)), look, "ways")
    for label in ("region", "desk", "book"):
        offered = form.partition(f'<datalist id="known-{label}">')[2].partition("</datalist>")[0]
        assert offered.count("<option") == len(set(run.cube.labels[label].names) - {""})
        assert f'name="{label}" aria-required="true"' in form
    fields = Filled(form).fields
    assert (fields["region"], fields["desk"], fields["book"]) == ("EMEA", "", "")
    with pytest.raises(BadChanges, match=r"^desk and book are empty, .*a name that is offered") as caught:
        done(start, look, "add", **fields)
    assert refused(caught.value, fields)["fields"] == ["desk", "book"]
    with pytest.raises(BadChanges, match=r"^region is empty"):
        done(start, look, "add", **{**fields, "region": " ", "desk": "Rates", "book": "R"})


# -- run and compared ----------------------------------------------------------------------------------------------


def test_what_if__built_run_and_compared_has_the_numbers_of_the_library(start, look, run):
    trade = str(run.trade_table()["trade_id"].values[4])
    state = done(start, look, "trades", **{f"drop:{trade}": "on"})
    state = done(state, look, "shift", pattern="equity:*", shock="-5%")
    state = done(state, look, "run", name="less and lower")
    own = rg.what_if(run, {"drop": [trade], "shift": {"equity:*": "-5%"}}, progress=None)
    (run_id,) = state.beside
    assert look.desk.door.run(run_id, EVERYTHING).result_id == own.result_id

    content = show(state, look)
    right = compare(run, own, by="desk", names=["Base", "less and lower"])
    card = content["compared"]
    assert isinstance(card.body, Table)
    assert card.data().drop_attrs().equals(right.to_dataset().drop_attrs())
    shown = [row.cells for row in card.body.section.rows]
    numbers = right.to_dataset()
    for at, cells in enumerate(shown):
        want = []
        for name in ("base_value", "value_at_risk", "expected_shortfall"):
            change = money(float(numbers[f"{name}_change"][1, at]))
            sign = "+" if float(numbers[f"{name}_change"][1, at]) >= 0.5 else ""
            want += [*(money(float(value)) for value in numbers[name][:, at]), sign + change]
        assert list(cells) == want
    figure = content["by_branch"].body
    assert figure.y_range.factors == ["less and lower", "Base"]
    assert content["by_branch"].links["less and lower"] == State(run=run_id)
    assert "drop 1 trade; shift equity:* \N{MINUS SIGN}5%" in content["branches"].body.html
    assert isinstance(content["branches"], Card)


def test_what_if__is_compared_by_any_label_and_convention(start, look, run):
    state = done(done(start, look, "shift", pattern="equity:*", shock="-5%"), look, "run")
    own = look.desk.door.run(state.beside[0], EVERYTHING)
    card = show(state.but(by="region", convention="var-95-es-95"), look)["compared"]
    right = compare(run, own, by="region", names=["Base", "A"], var_level="0.95", es_level="0.95")
    assert card.data().drop_attrs().equals(right.to_dataset().drop_attrs())
    assert "<b>region</b>" in told(state.but(by="region"), look, "branches")


def test_what_if__run_twice_stands_there_once_and_what_was_made_before_can_be_put_beside(start, look):
    state = done(done(start, look, "shift", pattern="fx:EUR", shock="-2%"), look, "run")
    assert done(state, look, "run").beside == state.beside
    put = f"beside={state.beside[0]}&amp;draft={state.draft}"
    assert put in show(state.but(beside=()), look)["earlier"].body.html
    assert f"beside={put}" not in show(state, look)["earlier"].body.html


def test_what_if__of_too_long_a_name_is_refused(start, look):
    with pytest.raises(BadSpec, match="200 are right at most"):
        done(done(start, look, "shift", pattern="fx:EUR", shock="-2%"), look, "run", name="x" * 201)


def test_what_if__of_a_what_if_goes_on_from_it(start, look, run):
    first = done(done(start, look, "shift", pattern="fx:EUR", shock="-2%"), look, "run")
    further = State(page="what-if", run=first.beside[0])
    assert "On top of: shift fx:EUR \N{MINUS SIGN}2%" in told(further, look)
    second = done(done(further, look, "shift", pattern="fx:GBP", shock="-2%"), look, "run")
    own = rg.what_if(rg.what_if(run, {"shift": {"fx:EUR": "-2%"}}), {"shift": {"fx:GBP": "-2%"}})
    assert look.desk.door.run(second.beside[0], EVERYTHING).result_id == own.result_id


def test_stress__of_the_library_is_a_shift_or_on_top_as_the_library_takes_it(start, look, run):
    known = {each.name: each for each in stresses(run)}
    assert known["equity crash"].shifts
    shifted = Draft.of(done(start, look, "stress", shift="equity crash").draft)
    assert list(shifted.form["shift"].items()) == list(known["equity crash"].lines)
    state = done(done(start, look, "stress", over="equity crash"), look, "run")
    lines = [{pattern: shock} for pattern, shock in known["equity crash"].lines]
    own = rg.what_if(run, {"overlay": {"equity crash": lines}}, progress=None)
    assert look.desk.door.run(state.beside[0], EVERYTHING).result_id == own.result_id
    assert "equity crash on top of every scenario" in told(state, look)
    note = "the stress is a part of every scenario, so VaR and ES contain its P&L; PV does not"
    assert f"In A {note}" in show(state, look)["compared"].note
    plain = done(done(start, look, "shift", pattern="fx:CHF", shock="+1%"), look, "run")
    assert note not in show(plain, look)["compared"].note


def test_stress__is_offered_on_top_where_the_library_lays_it_over_the_scenarios(run):
    known = {each.name: each for each in stresses(run)}
    for name, lines in {**generic.shocks(), **read_shocks(STRESS)}.items():
        kept = [{pattern: shock} for pattern, shock in lines if targets(pattern, run.market)]
        try:
            compose.overlay(run.scenarios, stress({name: kept}, run.market))
        except BadScenarios:
            assert name not in known or not known[name].over
        else:
            assert known[name.replace("{numeraire}", "USD")].over


def test_stress__library_is_looked_through_once_and_then_stands_there_at_once(start, look):
    stood = start.but(part="stress")
    first = show(stood, look)["ways"]
    made = first.make() if isinstance(first, Later) else first
    assert '<button type="button" class="plain" name="shift" value="equity crash">' in made.body.html
    assert show(stood, look)["ways"] == made


def test_stress__that_can_be_used_in_no_way_is_not_offered(run):
    names = {each.name for each in stresses(run)}
    assert "rates up 100" in names  # of quotes, as the history is
    assert "rates up 100 bp" not in names  # of zero rates


def test_stress__of_an_episode_comes_on_top(start, look):
    state = done(done(start, look, "stress", over="franc_2015"), look, "run")
    made = look.desk.door.run(state.beside[0], EVERYTHING)
    assert all(str(name).endswith("franc_2015") for name in made.cube.scenarios)


def test_inputs__of_another_date_take_its_market(start, look):
    state = done(done(start, look, "inputs", date="2016-06-23"), look, "run")
    assert look.desk.door.run(state.beside[0], EVERYTHING).row.as_of == "2016-06-23"


# -- queued, cancelled, failed -------------------------------------------------------------------------------------


@pytest.fixture
def busy(door):
    """Where there is no room to make a what-if at once."""
    return Look(Desk(Door(door.store, at_once=0)), EVERYTHING)


def test_branch__that_is_queued_is_followed_until_its_numbers_are_there(start, busy):
    state = done(done(start, busy, "shift", pattern="fx:JPY", shock="-2%"), busy, "run", name="queued")
    waiting = show(state, busy)
    assert "queued; a runner takes it up" in waiting["branches"].card.body.html
    assert "Shift fx:JPY \N{MINUS SIGN}2%" in waiting["branches"].card.body.html
    assert "compared" not in waiting
    assert isinstance(waiting["branches"].again(busy), Live)
    rg.Runner(busy.desk.door.store, cluster="threads:1").step()
    assert waiting["branches"].again(busy) is None  # the page is new
    assert show(state, busy)["compared"].body.section.rows


def test_branch__that_is_cancelled_says_so_and_the_draft_is_kept(start, busy):
    state = done(done(start, busy, "shift", pattern="fx:CHF", shock="-2%"), busy, "run")
    after = done(state, busy, "cancel", run=state.beside[0])
    assert "cancelled" in show(after, busy)["branches"].body.html
    assert after.draft == state.draft


# -- rights --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def kim(look, run):
    """Who sees one desk."""
    return Look(look.desk, Principal("kim", SCOPES, Books.of({"desk": "Credit"})))


def test_reader__sees_what_ifs_and_no_button(start, look):
    eve = Look(look.desk, Principal("eve", frozenset({"read"}), None))
    drafted = done(start, look, "shift", pattern="fx:EUR", shock="-2%")
    assert "needs the right to run" in told(drafted, eve)
    assert 'data-act="run"' not in told(drafted, eve)
    with pytest.raises(Forbidden, match="scope 'run'"):
        done(drafted, eve, "run")


def test_principal_of_one_desk__sees_its_trades_alone_and_what_ifs_of_its_own(start, look, kim, run):
    mine = run.trade_table({"desk": "Credit"})["trade_id"].values.tolist()
    html = told(start, kim, "ways")
    assert f"of {len(mine):,}</span>" in html
    hidden = next(str(name) for name in run.trade_table()["trade_id"].values if name not in mine)
    with pytest.raises(UnknownName):
        done(start, kim, "trades", **{f"quantity:{hidden}": "5"})
    others = done(done(start, look, "shift", pattern="fx:NOK", shock="-2%"), look, "run").beside
    lines = show(start.but(beside=others), kim)["branches"].body.html
    assert f"No run '{others[0]}', or none that you may see." in lines
    assert "compared" not in show(start.but(beside=others), kim)
    assert lines.replace(others[0], "f" * 12) == show(start.but(beside=("f" * 12,)), kim)["branches"].body.html


def test_principal_of_one_desk__runs_its_own_and_puts_no_trade_into_another(start, look, kim):
    state = done(done(start, kim, "shift", pattern="spread:*", shock="x2"), kim, "run")
    assert [row.name for row in show(state, kim)["compared"].body.section.rows] == ["Total", "Credit"]
    form = Filled(told(start.but(part="add.equity"), kim, "ways")).fields
    assert form["desk"] == "Credit"
    drafted = done(start, kim, "add", **{**form, "region": "EMEA", "desk": "Rates", "book": "R"})
    with pytest.raises(Forbidden, match="your books are desk Credit"):
        done(drafted, kim, "run")


def test_state__keeps_its_draft_and_its_branches_in_its_address():
    state = State(page="what-if", run="r", beside=("a", "b"), draft=Draft().dropped("T & 1").text)
    assert State.of(state.query) == state
    assert replace(state, draft="").query == "?page=what-if&run=r&beside=a&beside=b"
