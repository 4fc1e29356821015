"""What-ifs: every number is that of a full run of the changed inputs, and only what changed is priced."""

import shutil
import subprocess
import sys
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest

import riskgrid as rg
from riskgrid.change import Changes
from riskgrid.errors import BadChanges, BadSpec, UnknownName
from riskgrid.registry import INSTRUMENTS
from riskgrid.store import Catalogue
from riskgrid.terms import Currency, Equity
from tests.run import made

IDS = {name: table["trade_id"].tolist() for name, table in made.tables().items()}
EVERY = [trade for ids in IDS.values() for trade in ids]
FACTORS = ("equity:SPX", "fx:EUR", "par:USD-TREASURY:5Y", "vol:AAPL:1Y:*", "commodity:*", "zero:GBP:*", "spread:ACME")


@pytest.fixture(scope="module")
def parent(tmp_path_factory):
    folder = tmp_path_factory.mktemp("parent")
    return rg.run(made.portfolio(), made.market(), made.scenarios(), store=folder, cut=16, progress=None)


def full(run, changes, folder):
    """A run of the changed inputs from nothing."""
    book, market = changes.portfolio(run.portfolio), changes.market(run.market)
    scenarios = changes.scenario_set(run.scenarios, run.market, market)
    return rg.run(book, market, scenarios, store=folder, bits=run.manifest["bits"], cut=64, progress=None)


def rule(where, to):
    return {"where": where, "to": to}


def row_of(trade, name):
    """A new trade like one there is, under another name."""
    row = made.portfolio().trade(trade)
    return {row.pop("instrument"): [{**row, "trade_id": name}]}


CASES = {
    "drop": {"drop": [IDS["fx_option"][3]]},
    "drop of one instrument": {"drop": IDS["equity"]},
    "drop of all": {"drop": EVERY},
    "resize": {"resize": {IDS["interest_rate_swap"][0]: -4.0, IDS["equity"][1]: 0.0}},
    "beyond the range": {"resize": {IDS["equity"][1]: 1e17, IDS["equity"][2]: 1e300}},
    "amend": {"amend": {IDS["equity_option"][5]: {"strike": 95.0, "expiry": "2017-06-16"}}},
    "other currency": {"amend": {IDS["fx_forward"][2]: {"sold": "GBP", "bought": "EUR"}}},
    "other book": {"amend": {IDS["equity_option"][5]: {"book": "A new one"}}},
    "add": {"add": row_of(IDS["commodity_option"][0], "N-1")},
    "expired": {"amend": {IDS["equity_option"][5]: {"expiry": "2016-06-30"}}},
    "no data": {"amend": {IDS["equity"][5]: {"underlying": "NONE"}}},
    "one factor": {"shift": {"equity:AAPL": "-3%"}},
    "a curve": {"shift": {"par:USD-TREASURY:*": "+10bp"}},
    "everything": {"drop": EVERY[::7], "resize": {EVERY[1]: 5.0}, "shift": {"fx:*": "+1%", "vol:*": "+2vol"}},
}
RULES = {
    "a book": [rule({"book": "Flow A"}, {"desk": "Macro"})],
    "two books": [rule({"book": ["Flow A", "Macro B"]}, {"desk": "Rates", "region": "APAC"})],
    "some of a cell": [rule({"counterparty": "North"}, {"book": "North book"})],
    "a label of no cell": [rule({"desk": "Flow"}, {"strategy": "other"})],
    "desks that change places": [
        rule({"desk": "Flow"}, {"desk": "none"}),
        rule({"desk": "Macro"}, {"desk": "Flow"}),
        rule({"desk": "none"}, {"desk": "Macro"}),
    ],
    "all of it": [rule({"currency": "USD"}, {"desk": "One"})],
    "trades": [rule({"trade_id": EVERY[3:5]}, {"book": "Mine"})],
    "an instrument": [rule({"instrument": "equity", "region": "EMEA"}, {"region": "AMER"})],
}
LATER = made.market({"equity:SPX": 2010.0})
WHOLE = {
    "snapshot": {"snapshot": LATER},
    "snapshot and shift": {"snapshot": LATER, "shift": {"equity:SPX": "-1%"}, "drop": EVERY[:3]},
    "scenarios": {"scenarios": made.scenarios(count=11, seed=4), "rehang": RULES["a book"]},
    "overlay": {"overlay": {"crash": [{"equity:*": "-20%"}, {"equity:SPX": "-30%"}]}},
    "overlay of a set": {"overlay": made.one_factor("fx:EUR", scale=1.1)},
    "overlay on scenarios": {"scenarios": made.scenarios(count=5), "overlay": {"up": {"fx:*": "+5%"}}},
}
ONLY = {
    "a desk": {"only": {"desk": "Macro"}},
    "two choices": {"only": [{"region": "EMEA", "desk": ["Flow", "Macro"]}, {"book": "Exotic B"}]},
    "a label of no cell": {"only": {"strategy": "carry"}},
    "an instrument": {"only": {"instrument": ["equity", "fx_option"]}},
    "a currency": {"only": {"currency": "USD"}},
    "a desk, and more": {"only": {"desk": "Macro"}, "add": row_of(IDS["commodity_option"][0], "N-1")},
    "a desk, re-hung": {"only": {"desk": "Macro"}, "rehang": [rule({"desk": "Macro"}, {"desk": "One"})]},
    "a desk, shifted": {"only": {"desk": "Macro"}, "shift": {"equity:AAPL": "-3%"}},
    "a desk of another market": {"only": {"desk": "Macro"}, "snapshot": LATER},
    "a desk under other scenarios": {"only": {"desk": "Macro"}, "scenarios": made.scenarios(count=5)},
}
CASES |= {f"only {name}": form for name, form in ONLY.items()}
CASES |= {f"rehang {name}": {"rehang": rules} for name, rules in RULES.items()} | WHOLE


@pytest.mark.parametrize("form", CASES.values(), ids=CASES)
def test_what_if__is_a_full_run_of_the_changed_inputs_to_the_last_bit(parent, tmp_path, form):
    changes = Changes(**form)
    child, whole = rg.what_if(parent, changes), full(parent, changes, tmp_path)
    assert made.same_bits(child, whole)
    cold = rg.open_run(child.run_id, store=parent.store)
    assert made.same_bits(cold, whole)
    assert cold.portfolio.digest == whole.portfolio.digest
    assert cold.market == whole.market
    assert cold.row.trades == len(whole.portfolio)


@pytest.mark.parametrize("name", ["drop", "resize", "one factor", "everything"])
def test_trades__of_a_what_if_are_those_of_a_full_run(parent, tmp_path, name):
    changes = Changes.from_dict(CASES[name])
    child, whole = rg.what_if(parent, changes).trades, full(parent, changes, tmp_path).trades
    order, other = np.argsort(child.trade_id.values), np.argsort(whole.trade_id.values)
    assert child.trade_id.values[order].tolist() == whole.trade_id.values[other].tolist()
    np.testing.assert_array_equal(child.pnl.values[order], whole.pnl.values[other])
    np.testing.assert_array_equal(child.base_value.values[order], whole.base_value.values[other])
    np.testing.assert_array_equal(child.desk.values[order], whole.desk.values[other])


@pytest.mark.parametrize("by", ["desk", "counterparty", ["region", "strategy"]])
def test_report__of_a_what_if_is_that_of_a_full_run(parent, tmp_path, by):
    changes = Changes.from_dict(CASES["everything"])
    child, whole = rg.what_if(parent, changes), full(parent, changes, tmp_path)
    mine, theirs = (rg.report(run, by).table.drop_vars(["run_id"], errors="ignore") for run in (child, whole))
    for name in ("value_at_risk", "expected_shortfall", "base_value", "trades", "coverage"):
        np.testing.assert_array_equal(mine[name].values, theirs[name].values)


@pytest.mark.parametrize("rules", RULES.values(), ids=RULES)
def test_rehang__prices_nothing(parent, rules):
    child = rg.what_if(parent, {"rehang": rules})
    assert child.manifest["blocks"] == {"priced": 0, "found": 0, "failed": 0}
    assert child.manifest["valuations"] == 0


def test_rehang__of_whole_cells_reads_no_block(tmp_path):
    run = rg.run(made.portfolio(), made.market(), made.scenarios(), store=tmp_path, progress=None)
    for kind in ("blocks", "sums"):
        shutil.rmtree(tmp_path / kind, ignore_errors=True)
    child = rg.what_if(run, {"rehang": RULES["a book"] + RULES["all of it"]})
    assert set(child.cells.desk.values) == {"One"}
    assert int(child.cells.trades.sum()) == len(run.portfolio)


def test_amend__of_labels_alone_prices_nothing(parent, tmp_path):
    changes = Changes(amend={EVERY[4]: {"desk": "New", "strategy": "x"}, EVERY[90]: {"book": 7}})
    child = rg.what_if(parent, changes)
    assert child.manifest["valuations"] == 0
    assert child.portfolio.trade(EVERY[90])["book"] == "7"
    assert made.same_bits(child, full(parent, changes, tmp_path))


def test_amend__after_a_rehang_keeps_the_new_labels(parent, tmp_path):
    first = rg.what_if(parent, {"rehang": RULES["some of a cell"], "add": row_of(EVERY[0], "N-1")})
    changes = Changes(resize=dict.fromkeys([*EVERY[::5], "N-1"], 3.0), rehang=RULES["desks that change places"])
    assert made.same_bits(rg.what_if(first, changes), full(first, changes, tmp_path))


@pytest.mark.parametrize("form", WHOLE.values(), ids=WHOLE)
def test_what_if__that_replaces_market_or_scenarios_knows_its_parent(parent, form):
    child = rg.what_if(parent, form)
    assert child.row.parent == parent.run_id == child.parent.run_id
    assert not child.beside
    assert child.whole()
    assert rg.what_if(parent, Changes(**form)).found
    step = Changes(resize={EVERY[40]: 2.0})
    grand = rg.what_if(child, step)
    assert grand.beside
    assert grand.parent.run_id == child.run_id
    assert "what-if of" in repr(child)
    assert f", on run {parent.run_id}</td>" in child._repr_html_()


def test_what_if__of_other_scenarios_finds_blocks_of_equal_content(parent):
    child = rg.what_if(parent, {"overlay": {"crash": {"equity:SPX": "-21%"}}})
    counts = child.manifest["blocks"]
    assert counts["found"] > 0
    assert counts["priced"] > 0


def test_what_if__of_a_date_takes_the_snapshot_of_the_history(tmp_path):
    date, later = "2016-06-30", "2016-07-01"
    scenarios = rg.sample.scenarios(later, count=5)
    dated = scenarios.assign(date=("scenario", np.array([later, later, "2016-07-04", "NaT", later], "datetime64[D]")))
    run = rg.run(rg.sample.portfolio(60), rg.sample.market(later), dated, store=tmp_path, progress=None)
    child = rg.what_if(run, {"date": {"date": date, "history": "sample"}})
    assert child.row.as_of == date
    days = child.scenarios["date"].values.astype("datetime64[D]").astype(str).tolist()
    assert days == [date, date, "2016-07-04", date, date]
    plain = dated.assign(date=("scenario", np.array(["NaT", "NaT", "2016-07-04", "NaT", "NaT"], "datetime64[D]")))
    market = rg.sample.market(date)
    whole = rg.run(run.portfolio, market, plain, bits=run.manifest["bits"], store=tmp_path / "full", progress=None)
    assert made.same_bits(child, whole)


def test_what_if__with_levels_that_may_mend_a_trade_keeps_its_parent(parent):
    assert rg.what_if(parent, {"drop": EVERY[:1], "shift": {"fx:EUR": "+1%"}}).row.parent == parent.run_id


def test_what_if__lists_only_factors_that_a_trade_still_reads(tmp_path):
    market = made.market()
    still = np.array([factor in ("spread:ACME", "equity:AAPL", "fx:GBP") for factor in market.factors])
    run = rg.run(made.portfolio(), market, made.scenarios(unshocked=still), store=tmp_path, cut=16, progress=None)
    frame = made.tables()["fixed_rate_bond"]
    issued = frame["trade_id"][frame["issuer"] == "ACME"].tolist()
    for changes in (Changes(drop=issued), Changes(drop=issued[1:]), Changes(drop=IDS["equity_option"])):
        assert rg.what_if(run, changes).manifest["unshocked"] == full_unshocked(run, changes, tmp_path)


def full_unshocked(run, changes, folder):
    book = changes.portfolio(run.portfolio)
    return rg.run(book, run.market, run.scenarios, store=folder / "full", progress=None).manifest["unshocked"]


def test_what_if__asked_by_three_processes_at_once_is_three_runs_of_one_answer(tmp_path):
    run = rg.run(made.portfolio(6), made.market(), made.scenarios(), store=tmp_path, progress=None)
    program = (
        "import sys, riskgrid as rg\n"
        "run = rg.open_run(sys.argv[1], store=sys.argv[2])\n"
        "print('ready', flush=True); input()\n"
        "print(rg.what_if(run, {'drop': [sys.argv[3]]}).result_id)\n"
    )
    arguments = [sys.executable, "-c", program, run.run_id, str(tmp_path), EVERY[0]]
    each = [subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    for one in each:
        assert one.stdout.readline().strip() == "ready"
    answers = {one.communicate("go\n", timeout=120)[0].strip() for one in each}
    assert len(answers) == 1
    children = [row for row in run.store.catalogue.list() if row.parent == run.run_id]
    assert {row.result_id for row in children} == answers
    assert 1 <= len(children) <= 3


def test_what_if__prices_what_changed_and_nothing_else(parent):
    resized = rg.what_if(parent, {"resize": {EVERY[0]: 11.0, EVERY[1]: 12.0}})
    assert resized.manifest["valuations"] == 2 * 31
    dropped = rg.what_if(parent, {"drop": EVERY[:5]})
    assert dropped.manifest["valuations"] == 0
    shifted = rg.what_if(parent, {"shift": {"equity:AAPL": "+1%"}})
    reading = [block for key, block in blocks(parent) if "equity:AAPL" in block.roles]
    assert shifted.manifest["blocks"]["priced"] == len(reading)
    assert shifted.manifest["valuations"] == 31 * sum(block.stop - block.start for block in reading)
    assert 0 < len(reading) < len(list(blocks(parent)))


def blocks(run):
    """Every block of a run's plan in memory."""
    return [(block.key, block) for part in run.__dict__["live"].parts for block in part.piece.blocks]


def test_what_if__of_a_what_if_goes_on_from_it(parent, tmp_path):
    first = Changes(drop=EVERY[::9], shift={"equity:SPX": "-2%"})
    second = Changes(resize={EVERY[1]: 8.0}, add=row_of(EVERY[0], EVERY[0]))
    third = Changes(shift={"equity:SPX": "-2%", "par:*": "+5bp"}, drop=[EVERY[1]])
    steps = [parent]
    for changes in (first, second, third):
        steps.append(rg.what_if(steps[-1], changes))
    whole = full(steps[2], third, tmp_path)
    assert made.same_bits(steps[3], whole)
    cold = rg.open_run(steps[2].run_id, store=parent.store)
    assert rg.what_if(cold, third, name="again").run_id == steps[3].run_id
    other = rg.what_if(cold, Changes(drop=[EVERY[2]]))
    assert made.same_bits(other, full(cold, Changes(drop=[EVERY[2]]), tmp_path / "other"))


def test_what_if__of_a_trade_that_has_gone_says_so(parent):
    child = rg.what_if(parent, {"drop": [EVERY[4]]})
    for form in ({"resize": {EVERY[4]: 1.0}}, {"drop": [EVERY[4]]}):
        with pytest.raises(BadChanges, match=f"trade '{EVERY[4]}' has gone by an earlier what-if"):
            rg.what_if(child, form)
    back = rg.what_if(child, {"add": row_of(EVERY[4], EVERY[4])})
    assert back.result_id == parent.result_id


def test_what_if__undone_has_the_answer_of_its_parent(parent):
    child = rg.what_if(parent, {"shift": {"fx:EUR": "=1.2"}, "resize": {EVERY[3]: 99.0}})
    assert child.result_id != parent.result_id
    before = float(parent.market.level("fx:EUR"))
    quantity = parent.portfolio.trade(EVERY[3])["quantity"]
    back = rg.what_if(child, {"shift": {"fx:EUR": f"={before!r}"}, "resize": {EVERY[3]: quantity}})
    assert back.result_id == parent.result_id


def test_what_if__asked_again_is_found(parent):
    changes = Changes(drop=[EVERY[8]])
    first = rg.what_if(parent, changes, name="without")
    again = rg.what_if(parent, changes)
    assert again.found
    assert again.run_id == first.run_id
    assert rg.open_run("without", store=parent.store).run_id == first.run_id
    assert Catalogue(parent.store.root).get(first.run_id).parent == parent.run_id


def test_what_if__of_a_run_opened_from_the_store_plans_again(parent, tmp_path):
    cold = rg.open_run(parent.run_id, store=parent.store)
    changes = Changes(shift={"commodity:WTI:*": "+4%"}, drop=EVERY[3:6])
    assert made.same_bits(rg.what_if(cold, changes), full(parent, changes, tmp_path))


def test_what_if__of_a_run_by_other_code_runs_the_base_anew(parent, tmp_path):
    made_before = rg.run(parent.portfolio, parent.market, parent.scenarios, store=tmp_path, progress=None)
    catalogue = Catalogue(tmp_path)
    manifest = {**made_before.manifest, "code": "0" * 40}
    catalogue.finish(made_before.run_id, "complete", result_id=made_before.result_id, seconds=0.0, manifest=manifest)
    cold = rg.open_run(made_before.run_id, store=tmp_path)
    child = rg.what_if(cold, {"drop": [EVERY[11]]})
    assert child.row.parent != cold.run_id
    assert child.parent.manifest["code"] == parent.manifest["code"]
    assert child.result_id == rg.what_if(parent, {"drop": [EVERY[11]]}).result_id


def test_what_if__with_a_label_of_its_own_or_without_one(parent, tmp_path):
    book = made.portfolio()
    run = rg.run(book, made.market(), made.scenarios(), store=tmp_path, cell_labels=["book", "strategy"], progress=None)
    row = row_of(EVERY[0], "N-2")
    for rows in row.values():
        rows[0].pop("strategy")
    child = rg.what_if(run, {"add": row})
    assert "" in child.cells.strategy.values
    assert int(child.cells.trades.sum()) == len(book) + 1


def test_what_if__refuses_a_wrong_change_before_any_work(parent):
    before = len(Catalogue(parent.store.root).list())
    for form in ({"drop": ["T-1"]}, {"shift": {"equity:NONE": "+1%"}}, {"amend": {EVERY[0]: {"colour": "red"}}}):
        with pytest.raises((UnknownName, rg.RiskgridError)):
            rg.what_if(parent, form)
    assert len(Catalogue(parent.store.root).list()) == before


def test_parent__of_a_run_that_is_no_what_if_is_refused(parent):
    with pytest.raises(BadSpec, match="is no what-if, it has no parent"):
        _ = parent.parent


@pytest.mark.parametrize("cluster", ["threads:2", "threads:1"])
def test_what_if__has_the_same_bits_wherever_it_runs(parent, tmp_path, cluster):
    changes = Changes(shift={"vol:*": "+1vol"}, drop=EVERY[::11])
    run = rg.run(parent.portfolio, parent.market, parent.scenarios, store=tmp_path, progress=None)
    assert rg.what_if(run, changes, cluster=cluster).result_id == rg.what_if(parent, changes).result_id


def test_what_if__of_nothing_is_the_run_itself(parent):
    assert rg.what_if(parent, {}).run_id == parent.run_id
    assert rg.what_if(parent, Changes(drop=None, amend={EVERY[0]: {}})).found


def test_what_if__keeps_the_order_of_shifts_in_the_store(parent, tmp_path):
    changes = Changes(shift={"fx:EUR": "=1.5", "fx:*": "+10%"})
    child = rg.what_if(parent, changes)
    cold = rg.open_run(child.run_id, store=parent.store)
    assert cold.market == child.market == changes.market(parent.market)
    step = Changes(resize={EVERY[2]: 4.0})
    assert made.same_bits(rg.what_if(cold, step), full(child, step, tmp_path))


def test_what_if__heals_damaged_sums_and_blocks(tmp_path):
    run = rg.run(made.portfolio(70), made.market(), made.scenarios(), store=tmp_path, progress=None)
    changes = Changes(shift={"fx:*": "+1%"}, drop=EVERY[:1])
    expected = full(run, changes, tmp_path / "full")
    for kind in ("sums", "blocks"):
        for path in (tmp_path / kind).rglob("*"):
            if path.is_file():
                path.write_bytes(path.read_bytes()[:-3])
        cold = rg.open_run(run.run_id, store=tmp_path)
        assert rg.what_if(cold, changes, name=kind).result_id == expected.result_id
        changes = Changes(shift={"fx:*": "+1%"}, drop=EVERY[:1], resize={EVERY[1]: made_quantity(run, EVERY[1])})


def made_quantity(run, trade):
    return run.portfolio.trade(trade)["quantity"]


@pytest.mark.usefixtures("_registry")
def test_what_if__after_an_instrument_was_registered_anew_prices_all_of_it_anew(tmp_path):
    def registered(factor):
        @rg.instrument("own", value_in="currency", example=Own("SPX", "USD"))
        def price(terms, market):
            return market.spot(terms.underlying) * factor

    registered(1.0)
    rows = [{"trade_id": f"T-{at}", "underlying": "SPX", "currency": "USD", **LABELS} for at in range(3)]
    book = rg.Portfolio.from_tables({"own": pd.DataFrame(rows)})
    run = rg.run(book, made.market(), made.scenarios(), store=tmp_path, progress=None)
    INSTRUMENTS.remove("own")
    registered(2.0)
    child = rg.what_if(run, {"resize": {"T-0": 5.0}})
    assert float(child.aggregate()["base_value"][0]) == 2.0 * 2100.0 * 7.0


@pytest.mark.usefixtures("_registry")
def test_what_if__after_a_value_that_a_pricer_reads_has_changed_prices_all_of_it_anew(tmp_path, monkeypatch):
    monkeypatch.setitem(globals(), "FACTOR", 1.0)

    @rg.instrument("own", value_in="currency", example=Own("SPX", "USD"))
    def price(terms, market):
        return market.spot(terms.underlying) * FACTOR

    rows = [{"trade_id": f"T-{at}", "underlying": "SPX", "currency": "USD", **LABELS} for at in range(3)]
    book = rg.Portfolio.from_tables({"own": pd.DataFrame(rows)})
    run = rg.run(book, made.market(), made.scenarios(), store=tmp_path, progress=None)
    monkeypatch.setitem(globals(), "FACTOR", 2.0)
    child = rg.what_if(run, {"resize": {"T-0": 5.0}})
    assert float(child.aggregate()["base_value"][0]) == 2.0 * 2100.0 * 7.0


def test_what_if__that_drops_the_last_trades_with_a_label_has_it_no_more(tmp_path):
    tables = {"equity": made.tables(6)["equity"], "fx_forward": made.tables(6)["fx_forward"]}
    tables["equity"]["mandate"] = "carry"
    run = rg.run(
        rg.Portfolio.from_tables(tables),
        made.market(),
        made.scenarios(),
        cell_labels=("mandate",),
        store=tmp_path,
        progress=None,
    )
    child = rg.what_if(run, {"drop": tables["equity"]["trade_id"].tolist()})
    assert rg.replay(child, progress=None).equal
    assert made.same_bits(rg.what_if(child, {"overlay": {"down": {"fx:EUR": "-5%"}}}), child) is False
    rule = {"rehang": [{"where": {"desk": str(child.trades.desk.values[0])}, "to": {"mandate": "hedge"}}]}
    for one in (child, rg.open_run(child.run_id, store=tmp_path)):
        with pytest.raises(UnknownName, match="mandate"):
            rg.what_if(one, rule)


def test_report__of_a_what_if_says_so(parent):
    child = rg.what_if(parent, {"drop": [EVERY[5]], "shift": {"fx:EUR": "-5%"}})
    said = f"What if: drop 1 trade; shift fx:EUR -5%, on run {parent.run_id}."
    assert said in rg.report(child).sentences()
    assert "what-if of" in repr(child)
    assert f"drop 1 trade; shift fx:EUR -5%, on run {parent.run_id}</td>" in child._repr_html_()


def test_what_if__beyond_64_bits_is_an_error_of_riskgrid(parent):
    with pytest.raises(rg.RiskgridError, match="leaves the range of 64-bit ticks"):
        rg.what_if(parent, {"resize": dict.fromkeys(IDS["equity"], 9e11)})


FACTOR = 1.0


@dataclass(frozen=True)
class Own:
    """Terms of an instrument of the tests' own."""

    underlying: Equity
    currency: Currency


LABELS = {"region": "EMEA", "desk": "Own", "book": "Own A", "quantity": 1.0, "trade_date": np.datetime64("2016-06-01")}


@pytest.mark.usefixtures("_registry")
def test_what_if__plans_trades_again_that_an_eager_pricer_refused_at_other_levels(tmp_path):
    @rg.instrument("knocked", value_in="currency", example=Own("SPX", "USD"), eager=True, version="1")
    def price(terms, market):
        spot = market.spot(terms.underlying)
        if spot[0, 0] > 2000.0:
            raise ValueError("beyond its barrier")
        return spot

    rows = [
        {"trade_id": f"T-{at}", "underlying": name, "currency": "USD", **LABELS}
        for at, name in enumerate(["SPX", "AAPL"])
    ]
    book = rg.Portfolio.from_tables({"knocked": pd.DataFrame(rows)})
    run = rg.run(book, made.market(), made.scenarios(), store=tmp_path, progress=None)
    assert int(run.cells.unpriced.sum()) == 1
    child = rg.what_if(run, {"shift": {"equity:SPX": "=1900"}}, name="below")
    assert int(child.cells.unpriced.sum()) == 0
    assert float(child.aggregate()["base_value"][0]) == 1995.0
    assert rg.open_run("below", store=tmp_path).result_id == child.result_id


def test_what_if__of_what_if_finds_trades_that_lie_in_different_steps(parent, tmp_path):
    early, late = IDS["fx_forward"][2], IDS["fx_forward"][4]
    first = rg.what_if(parent, {"resize": {early: 5.0}})
    changes = Changes(resize={early: 6.0, late: 7.0})
    assert made.same_bits(rg.what_if(first, changes), full(first, changes, tmp_path))


def test_only__of_a_label_of_no_cell_reads_what_it_must_and_prices_nothing(parent):
    child = rg.what_if(parent, {"only": {"strategy": "carry"}})
    assert child.manifest["blocks"]["priced"] == child.manifest["valuations"] == 0
    assert str(Changes(only={"strategy": "carry"})) == "only strategy carry"


@pytest.mark.parametrize("form", [ONLY["a desk"], ONLY["a label of no cell"]])
def test_what_if__goes_on_from_some_books(parent, tmp_path, form):
    first = rg.what_if(parent, form)
    staying = [row["trade_id"] for name in first.portfolio.tables for row in first.portfolio.tables[name].to_pylist()]
    changes = Changes(resize=dict.fromkeys(staying[::3], 2.0), drop=staying[1::3], add=row_of(EVERY[0], "N-9"))
    second = rg.what_if(first, changes)
    assert made.same_bits(second, full(first, changes, tmp_path))
    assert made.same_bits(rg.open_run(second.run_id, store=parent.store), second)


def test_what_if__may_give_a_trade_the_name_of_one_that_is_left_out(parent, tmp_path):
    first = rg.what_if(parent, {"only": {"desk": "Macro"}})
    gone = next(trade for trade in IDS["equity"] if not first.portfolio.known([trade]))
    changes = Changes(add=row_of(EVERY[0], gone))
    assert made.same_bits(rg.what_if(first, changes), full(first, changes, tmp_path))


def test_only__says_nothing_of_what_is_left_out(parent):
    first = rg.what_if(parent, {"only": {"desk": "Macro"}})
    ours = set(first.portfolio.known(EVERY))
    gone = next(trade for trade in IDS["equity"] if trade not in ours)
    for form in ({"drop": [gone]}, {"resize": {gone: 2.0}}, {"amend": {gone: {"book": "x"}}}):
        for run in (first, rg.open_run(first.run_id, store=parent.store)):
            with pytest.raises(UnknownName) as told:
                rg.what_if(run, form)
            assert set(told.value.known) <= ours


def test_only__with_a_trade_that_it_leaves_out_and_changes_is_refused(parent):
    gone = next(row["trade_id"] for row in parent.portfolio.tables["equity"].to_pylist() if row["desk"] == "Flow")
    with pytest.raises(BadChanges, match=f"trade '{gone}' is changed, and left out by only desk Macro; one of both"):
        rg.what_if(parent, {"only": {"desk": "Macro"}, "resize": {gone: 2.0}})


@pytest.mark.parametrize("more", [{}, {"snapshot": LATER}, {"add": row_of(IDS["equity"][0], "N-1")}])
def test_only__that_keeps_no_trade_is_refused(parent, more):
    known = "desk: 'Exotic', 'Flow', 'Macro'"
    for only, told in (({"desk": "Nobody"}, f"desk Nobody keeps no trade; known {known}"), ([], "none keeps no trade")):
        with pytest.raises(BadChanges, match=f"^only {told}$"):
            rg.what_if(parent, {"only": only, **more})
        with pytest.raises(BadChanges, match=f"^only {told}$"):
            rg.submit_what_if(parent, {"only": only, **more})
    both = {"only": [{"desk": "Nobody"}, {"desk": "Macro"}], **more}
    assert "Macro" in rg.what_if(parent, both).trade_table().desk.values


def test_only__that_keeps_what_a_what_if_before_it_dropped_is_refused(parent):
    macro = parent.trade_table({"desk": "Macro"}).trade_id.values.tolist()
    child = rg.what_if(parent, {"drop": macro})
    with pytest.raises(BadChanges, match=r"^only desk Macro keeps no trade; known desk: 'Exotic', 'Flow'$"):
        rg.what_if(child, {"only": {"desk": "Macro"}})


def test_only__of_a_label_that_no_trade_has_lists_those_there_are(parent):
    with pytest.raises(UnknownName, match=r"unknown label 'desc'; did you mean 'desk'\? known: 'book', 'counterparty'"):
        rg.what_if(parent, {"only": {"desc": "Macro"}})


def test_only__leaves_no_word_of_rows_that_were_no_trades(tmp_path):
    frame = made.tables(6)["equity"]
    frame["quantity"] = frame["quantity"].astype(object)
    frame.loc[2, "quantity"] = "many"
    book = rg.Portfolio.from_tables({"equity": frame}, on_bad="keep")
    run = rg.run(book, made.market(), made.scenarios(count=3), store=tmp_path, progress=None)
    assert run.manifest["rejected_rows"] == 1
    for changes in (Changes(only={"region": "EMEA"}), Changes(only={"region": "EMEA"}, snapshot=LATER)):
        child = rg.what_if(run, changes)
        assert child.portfolio.rejected == ()
        assert child.manifest["rejected_rows"] == 0
        assert not child.manifest["rejected"]


def test_coverage__by_value_counts_what_is_beyond_the_range(parent):
    total = rg.what_if(parent, {"resize": {IDS["equity"][1]: 1e17}}).aggregate()
    assert (int(total["unpriced"][0]), float(total["coverage"][0]) > 0.9) == (1, True)
    assert 0.0 < float(total["coverage_value"][0]) < 0.01
    assert float(parent.aggregate()["coverage_value"][0]) == 1.0


@pytest.mark.parametrize("asked", [lambda run: rg.what_if(run, {"shift": {"equity:*": "-1%"}}), rg.replay])
def test_what_is_handed_in_for_a_run__is_one(asked):
    with pytest.raises(BadSpec, match=r"'nightly' is no Run; riskgrid\.open_run\('NAME OR ID'\) gives one"):
        asked("nightly")


def test_compare_and_diff__take_runs_alone():
    for asked in (rg.compare, rg.diff):
        with pytest.raises(BadSpec, match="'today' is no Run"):
            asked("today", "nightly")
