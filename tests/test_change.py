"""Changes: their forms, what they do to a portfolio and a market, and the sentence of everything wrong in them."""

import datetime
import json

import numpy as np
import pytest
import yaml

import riskgrid as rg
from riskgrid.change import Changes
from riskgrid.errors import BadChanges, BadRows, BadScenarios, InputError, UnknownName
from tests.run import made


def rule(where, to):
    return {"where": where, "to": to}


BOOK = made.portfolio(4)
MARKET = made.market()
OPTION, OTHER = (row["trade_id"] for row in BOOK.tables["equity_option"].to_pylist()[:2])


def test_delta__of_an_amended_trade_is_its_row_with_the_new_terms():
    delta = Changes(amend={OPTION: {"strike": 100.0, "desk": "New"}}, resize={OPTION: 7}).delta(BOOK)
    assert delta.gone == (OPTION,)
    assert len(delta.new) == 1
    before, after = BOOK.trade(OPTION), delta.new.trade(OPTION)
    assert after == {**before, "strike": 100.0, "desk": "New", "quantity": 7.0}


def test_delta__keeps_the_bits_of_terms_that_do_not_change():
    swap = BOOK.tables["interest_rate_swap"]["trade_id"][0].as_py()
    after = Changes(resize={swap: -1.5}).delta(BOOK).new.trade(swap)
    assert after == {**BOOK.trade(swap), "quantity": -1.5}


def test_applied__is_the_portfolio_without_what_goes_and_with_what_comes():
    row = {**BOOK.trade(OPTION), "trade_id": "N-1"}
    name = row.pop("instrument")
    changes = Changes(add={name: [row]}, drop=[OPTION], resize={OTHER: 9.0})
    after = changes.delta(BOOK).applied(BOOK)
    assert len(after) == len(BOOK)
    assert set(after.places()) == (set(BOOK.places()) - {OPTION}) | {"N-1"}
    assert after.trade(OTHER)["quantity"] == 9.0
    ids = after.tables[name]["trade_id"].to_pylist()
    assert ids == sorted(ids)


def test_applied__leaves_no_table_without_trades():
    every = BOOK.tables["equity"]["trade_id"].to_pylist()
    assert "equity" not in Changes(drop=every).delta(BOOK).applied(BOOK).tables


def test_applied__may_drop_a_trade_and_add_another_of_its_name():
    row = {**BOOK.trade(OPTION), "strike": 1.0}
    after = Changes(drop=[OPTION], add={row.pop("instrument"): [row]}).delta(BOOK).applied(BOOK)
    assert after.trade(OPTION)["strike"] == 1.0
    assert len(after) == len(BOOK)


def test_market__is_shifted_line_by_line_and_else_the_same():
    after = Changes(shift={"equity:*": "-10%", "equity:SPX": "=2000", "par:USD-TREASURY:5Y": "+25bp"}).market(MARKET)
    assert after.level("equity:AAPL") == MARKET.level("equity:AAPL") * 0.9
    assert after.level("equity:SPX") == 2000.0
    assert after.level("par:USD-TREASURY:5Y") == MARKET.level("par:USD-TREASURY:5Y") + 0.0025
    assert after.level("fx:EUR") == MARKET.level("fx:EUR")
    assert Changes(drop=["T"]).market(MARKET) is MARKET


def test_form__comes_back_from_plain_values_with_the_same_digest():
    row = {**BOOK.trade(OPTION), "trade_id": "N-1"}
    changes = Changes(
        add={row.pop("instrument"): [row]},
        amend={OTHER: {"expiry": datetime.date(2017, 1, 20)}},
        resize={OPTION: 2.0},
        shift={"fx:EUR": "-5%"},
    )
    form = changes.to_dict()
    assert form["amend"] == {OTHER: {"expiry": "2017-01-20"}}
    assert form["add"]["equity_option"][0]["expiry"] == str(row["expiry"])
    again = Changes.from_dict(form)
    assert again.digest == changes.digest
    assert again.to_dict() == form
    assert str(changes) == "add 1 trade; amend 1 trade; resize 1 trade; shift fx:EUR -5%"
    assert str(Changes()) == "nothing"


def test_digest__is_the_same_however_a_thing_is_said_and_another_for_another():
    assert Changes(resize={OPTION: 2.0}).digest == Changes(amend={OPTION: {"quantity": 2.0}}).digest
    assert Changes(drop=[OPTION, OTHER]).digest == Changes(drop=[OTHER, OPTION, OTHER]).digest
    first, second = {"equity:*": "-1%", "equity:SPX": "+1%"}, {"equity:SPX": "+1%", "equity:*": "-1%"}
    assert Changes(shift=first).digest != Changes(shift=second).digest
    assert Changes(drop=[OPTION]).digest != Changes(drop=[OTHER]).digest


@pytest.mark.parametrize(
    ("form", "kind", "sentence"),
    [
        ({"droop": ["T"]}, UnknownName, "unknown change 'droop'; did you mean 'drop'"),
        ({"drop": "T-1"}, BadChanges, "drop is 'T-1'; a list of trade_ids is right"),
        ({"resize": ["T-1"]}, BadChanges, "resize is a list; a mapping is right, e.g. Changes"),
        (None, BadChanges, "changes are a NoneType; Changes or a mapping"),
        ({"amend": {OPTION: 4}}, BadChanges, f"amend of trade '{OPTION}' is 4; a mapping"),
        ({"add": [{"trade_id": "N"}]}, BadChanges, "add is a list; a Portfolio is right"),
        ({"add": {"equity": [4]}}, BadChanges, "add of equity holds a row that is no mapping"),
        (
            {"resize": {OPTION: float("nan")}},
            BadChanges,
            f"'quantity' of trade '{OPTION}' is nan; a change states a value",
        ),
        ({"amend": {OPTION: {"quantity": None}}}, BadChanges, "is None; a change states a value"),
        ({"drop": [OPTION], "resize": {OPTION: 1.0}}, BadChanges, f"trade '{OPTION}' is dropped and changed at once"),
        ({"amend": {OPTION: {"quantity": 1.0}}, "resize": {OPTION: 1.0}}, BadChanges, "by amend and by resize"),
        ({"drop": ["T-1"]}, UnknownName, "unknown trade 'T-1'"),
        ({"resize": {"T-1": 1.0}}, UnknownName, "unknown trade 'T-1'"),
        ({"amend": {OPTION: {"strke": 1.0}}}, UnknownName, f"of trade '{OPTION}', 'strke'; did you mean 'strike'"),
        ({"amend": {OPTION: {"trade_id": "X"}}}, UnknownName, "unknown column of equity_option"),
        ({"amend": {OPTION: {"strike": -1.0}}}, BadRows, "strike"),
        (
            {"amend": {OPTION: {"expiry": "soon"}}},
            BadRows,
            f"in the changes:\n  trade '{OPTION}', column 'expiry': 'soon'",
        ),
        ({"resize": {OPTION: "much"}}, BadRows, f"trade '{OPTION}', column 'quantity': 'much' is no number"),
        ({"add": {"equity_option": [{"trade_id": "N"}]}}, InputError, "strike"),
        ({"add": {"option": [{"trade_id": "N"}]}}, UnknownName, "unknown instrument 'option'"),
        ({"shift": {"equity:NONE": "-1%"}}, BadScenarios, "equity:NONE"),
        ({"rehang": {"where": {}}}, BadChanges, "a list of rules with 'where' and 'to' is right"),
        ({"rehang": [{"where": {"desk": "Flow"}}]}, BadChanges, "mappings with 'where' and 'to' are right"),
        ({"rehang": [rule({}, {"desk": "A"})]}, BadChanges, "'where' of a rehang is {}"),
        ({"rehang": [rule({"desk": "Flow"}, {})]}, BadChanges, "'to' of a rehang is {}"),
        ({"rehang": [rule({"desk": []}, {"desk": "A"})]}, BadChanges, "'desk' in 'where' of a rehang names no value"),
        ({"rehang": [rule({"desk": "Flow"}, {"desk": 1.5})]}, BadChanges, "'desk' of a rehang is 1.5"),
        ({"rehang": [rule({"desk": "None"}, {"book": "A"})]}, BadChanges, "rehang of desk None hits no trade"),
        ({"rehang": [rule({"dsk": "Flow"}, {"book": "A"})]}, UnknownName, "unknown label of a rehang 'dsk'; did you"),
        ({"rehang": [rule({"desk": "Flow"}, {"bok": "A"})]}, UnknownName, "'bok'; did you mean 'book'"),
        ({"rehang": [rule({"desk": "Flow"}, {"trade_id": "A"})]}, BadChanges, "sets 'trade_id', which is no label"),
        ({"rehang": [rule({"desk": "Flow"}, {"currency": "EUR"})]}, BadChanges, "sets 'currency', which is no label"),
        ({"rehang": [rule({"desk": "Flow"}, {"instrument": "x"})]}, BadChanges, "sets 'instrument', which is no label"),
        ({"rehang": [rule({"desk": "Flow"}, {"strike": "1"})]}, BadChanges, "sets 'strike', which is no label; amend"),
        ({"snapshot": "3fa9"}, BadChanges, "snapshot '3fa9' is a key of a store; Changes.from_dict"),
        ({"snapshot": 4}, BadChanges, "snapshot is a int; a MarketSnapshot is right"),
        ({"scenarios": {"a": 1}}, BadChanges, "scenarios is a dict; a scenario set is right"),
        ({"overlay": {"crash": ["x"]}}, BadScenarios, "scenario 'crash'"),
        ({"date": "2016-06-30"}, BadChanges, "date and history belong together"),
        ({"date": {"date": "2016-06-30"}}, BadChanges, "'history': 'sample'"),
        ({"date": {"date": "soon", "history": "sample"}}, BadChanges, "date is 'soon'; a date such as 2016-06-30"),
        ({"date": {"date": "2016-06-30", "history": "sample"}, "snapshot": MARKET}, BadChanges, "by snapshot and by"),
        ({"shift": {"equity:SPX": "down"}}, BadScenarios, "shock 'down' cannot be read"),
        ({"shift": {"equity:SPX": "=-5"}}, BadScenarios, "it takes 'equity:SPX' from 2100 to -5"),
        ({"shift": {"zero:USD-TREASURY:5Y": "+1bp"}}, BadChanges, "follows from its quotes; shift par:... factors"),
    ],
)
def test_what_is_wrong__gets_a_sentence(form, kind, sentence):
    def made_of(changes):
        return changes.portfolio(BOOK), changes.market(MARKET)

    with pytest.raises(kind, match=sentence):
        made_of(Changes.from_dict(form))


def test_add__of_a_trade_that_is_there_is_refused():
    row = BOOK.trade(OPTION)
    with pytest.raises(BadChanges, match=f"trade '{OPTION}' is added, but the portfolio has it"):
        Changes(add={row.pop("instrument"): [row]}).delta(BOOK)


def test_changes__take_numbers_of_numpy_and_keep_the_order_of_shifts():
    changes = Changes(
        resize={OPTION: np.int64(3)},
        amend={OTHER: {"strike": np.float32(2.5), "expiry": np.datetime64("2017-01-20T00:00", "m")}},
        shift={"fx:EUR": "=1.5", "fx:*": "+10%"},
    )
    again = Changes.from_dict(json.loads(json.dumps(changes.to_dict())))
    assert again == changes
    assert hash(again) == hash(changes)
    assert list(again.shift) == ["fx:EUR", "fx:*"]
    assert again.delta(BOOK).new.trade(OTHER)["expiry"] == datetime.date(2017, 1, 20)


WHOLE = {
    "drop": [OTHER],
    "resize": {OPTION: 2.0},
    "rehang": [
        rule({"desk": ["Flow", "Macro"]}, {"desk": "One", "strategy": "x"}),
        rule({"region": "EMEA"}, {"book": "E"}),
    ],
    "date": {"date": "2016-06-30", "history": "sample"},
    "shift": {"fx:EUR": "=1.5", "fx:*": "+10%"},
    "overlay": {"crash": [{"equity:*": "-20%"}, {"equity:SPX": "-30%"}], "rates": [{"par:*": 0.01}]},
}


@pytest.mark.parametrize("suffix", ["json", "yaml"])
def test_read__of_a_file_is_what_was_written(tmp_path, suffix):
    path = tmp_path / f"changes.{suffix}"
    changes = Changes.from_dict(WHOLE)
    assert changes.to_dict() == WHOLE
    text = json.dumps(changes.to_dict()) if suffix == "json" else yaml.safe_dump(changes.to_dict(), sort_keys=False)
    path.write_text(text)
    again = Changes.read(path)
    assert again == changes
    assert again.to_dict() == WHOLE
    assert str(again) == (
        "resize 1 trade; drop 1 trade; rehang desk Flow or Macro to desk One, strategy x; "
        "rehang region EMEA to book E; market of 2016-06-30; shift fx:EUR =1.5; shift fx:* +10%; overlay crash, rates"
    )


def test_form__names_snapshots_and_scenarios_by_the_key_of_a_run_that_has_them(tmp_path):
    run = rg.run(BOOK, MARKET, made.scenarios(count=3), store=tmp_path, progress=None)
    inputs = run.manifest["inputs"]
    changes = Changes(snapshot=MARKET, scenarios=run.scenarios, overlay=run.scenarios)
    form = changes.to_dict()
    assert form == {"snapshot": inputs["market"], "scenarios": inputs["scenarios"], "overlay": inputs["scenarios"]}
    again = Changes.from_dict(json.loads(json.dumps(form)), store=run.store)
    assert again == changes
    assert again.snapshot == MARKET
    assert rg.what_if(run, {"scenarios": inputs["scenarios"]}).result_id == run.result_id
    with pytest.raises(BadChanges, match="snapshot '3fa9' is neither a name nor a key of the store"):
        Changes.from_dict({"snapshot": "3fa9"}, store=run.store)


def test_form__of_a_history_at_hand_is_the_snapshot_of_its_date():
    history = rg.sample.history()
    changes = Changes(date="2016-06-30", history=history)
    assert changes.market(MARKET) == history.snapshot("2016-06-30")
    assert changes.to_dict() == Changes(snapshot=history.snapshot("2016-06-30")).to_dict()
    assert changes == Changes(snapshot=history.snapshot("2016-06-30"))


def test_date__finds_the_folder_of_a_history_beside_the_file(tmp_path):
    history = rg.sample.history().select("2016-06-01", "2016-07-01")
    history.write(tmp_path / "history")
    (tmp_path / "changes.yaml").write_text("date: {date: 2016-06-30, history: history}\n")
    assert Changes.read(tmp_path / "changes.yaml").market(MARKET) == history.snapshot("2016-06-30")


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("none.yaml", None, "no file .*none.yaml; changes are a YAML or JSON file"),
        ("twice.yaml", "drop: [a]\ndrop: [b]\n", "twice.yaml: 'drop' stands twice in line 1 and on"),
        ("twice.json", '{"drop": ["a"], "drop": ["b"]}', "'drop' stands twice; once is right"),
        ("bad.json", "{", "bad.json: cannot be read"),
        ("bad.yaml", "drop: [", "bad.yaml: it is no YAML"),
        ("list.yaml", "- drop", "changes are a list; Changes or a mapping"),
    ],
)
def test_read__refuses_a_file_with_a_sentence(tmp_path, name, text, sentence):
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises(BadChanges, match=sentence):
        Changes.read(tmp_path / name)


def test_portfolio__re_hangs_in_order_and_adds_a_label_where_a_table_lacks_it():
    row = {**BOOK.trade(OPTION), "trade_id": "N-1", "pod": "P"}
    add = {row.pop("instrument"): [row]}
    rules = [rule({"desk": "Flow"}, {"desk": "Macro"}), rule({"desk": "Macro"}, {"pod": "Q"})]
    before, after = BOOK, Changes(add=add, rehang=rules).portfolio(BOOK)
    for trade in before.places():
        was, now = before.trade(trade), after.trade(trade)
        moved = was["desk"] in ("Flow", "Macro")
        assert now["desk"] == ("Macro" if moved else was["desk"])
        assert now.get("pod", "") == ("Q" if moved else "")
    assert after.label_names[-2:] == ("pod", "strategy")


def test_market__is_replaced_before_it_is_shifted():
    other = made.market({"equity:SPX": 2000.0})
    assert Changes(snapshot=other, shift={"equity:SPX": "-10%"}).market(MARKET).level("equity:SPX") == 1800.0


def test_only__is_the_same_however_it_is_said(tmp_path):
    said = [
        {"only": [{"desk": ["Rates", "Credit"], "region": "EMEA"}, {"book": "B"}]},
        {"only": [{"book": ["B"]}, {"region": ["EMEA"], "desk": ("Credit", "Rates", "Rates")}, {"book": "B"}]},
    ]
    one, other = (Changes(**form) for form in said)
    assert one == other
    assert Changes.from_dict(one.to_dict()) == one
    for suffix, text in (("json", json.dumps(one.to_dict())), ("yaml", yaml.safe_dump(one.to_dict()))):
        (tmp_path / f"only.{suffix}").write_text(text)
        assert Changes.read(tmp_path / f"only.{suffix}") == one
    assert one != Changes(only={"book": "B"}) != Changes()
    assert Changes(only=[])


@pytest.mark.parametrize("only", ["Rates", 7, {"desk": []}, {"desk": 7}, {"desk": [None]}, [{}], [["desk"]], {}])
def test_only__of_what_is_no_choice_is_refused(only):
    with pytest.raises(BadChanges, match=r"^only: books are .* right, e\.g\. \[\{'region'"):
        Changes(only=only)
