"""Views: what somebody may see of a run is a full run of those trades, and says nothing of any other."""

import shutil
import threading
from datetime import timedelta

import numpy as np
import pandas as pd
import pytest

import riskgrid as rg
from riskgrid import wire
from riskgrid.books import Books
from riskgrid.change import Changes
from riskgrid.engine.execute import planned
from riskgrid.engine.plan import make_block
from riskgrid.engine.quarantine import Quarantine
from riskgrid.errors import StoreError
from riskgrid.label import by_instrument
from riskgrid.market.states import MarketStates
from riskgrid.named import narrowed
from riskgrid.showing import shown_to
from riskgrid.store import Catalogue, Store
from tests.run import made

MARKET = made.market()
STILL = np.array([factor in ("spread:ACME", "equity:AAPL", "fx:GBP") for factor in MARKET.factors])
SCENARIOS = made.scenarios(MARKET, count=20, unshocked=STILL)
LATER = made.market({"equity:SPX": 2150.0, "fx:EUR": 1.13})
REASON = "its worker was ended; it was left out"
SIGHTS = {
    "nothing": Books(),
    "a book": Books.of({"book": "Flow A"}),
    "a desk": Books.of({"desk": "Macro"}),
    "a region and a book": Books.of([{"region": "EMEA"}, {"book": "Exotic B"}]),
    "a label of no cell": Books.of({"strategy": "carry"}),
    "an instrument": Books.of({"instrument": "equity"}),
    "a label that no trade has": Books.of([{"division": "Retail"}, {"desk": "Macro"}]),
}


def tables():
    """Trades, some of which nothing can price."""
    made_up = made.tables(12)
    made_up["equity"].loc[3:9, "underlying"] = "NONE"
    return made_up


@pytest.fixture(scope="module")
def book():
    return rg.Portfolio.from_tables(tables())


@pytest.fixture(scope="module")
def runs(book, tmp_path_factory):
    """Two runs of the whole book, on two markets."""
    folder = tmp_path_factory.mktemp("whole")
    return [rg.run(book, market, SCENARIOS, store=folder, cut=16, bits=10, progress=None) for market in (MARKET, LATER)]


@pytest.fixture(scope="module", params=SIGHTS)
def both(request, book, runs, tmp_path_factory):
    """Views of the runs, and full runs of the visible trades in a store of their own."""
    books, folder = SIGHTS[request.param], tmp_path_factory.mktemp("alone")
    alone = [
        rg.run(narrowed(book, books), market, SCENARIOS, store=folder, cut=64, bits=10, progress=None)
        for market in (MARKET, LATER)
    ]
    return [shown_to(run, books) for run in runs], alone


def told(found):
    """All that an answer says, as plain values."""
    if isinstance(found, (list, tuple)):
        return [told(each) for each in found]
    if hasattr(found, "sections"):
        parts = [(one.title, one.names, one.columns, one.rows, one.sentences) for one in found.sections()]
        return [parts, list(found.sentences()) if hasattr(found, "sentences") else []]
    if hasattr(found, "dims"):
        found = found.compute()
        return wire.to_json(found if hasattr(found, "data_vars") else found.to_dataset(name="numbers"))
    return found


def rehung(run, later):
    child = rg.what_if(run, {"rehang": [{"where": {"desk": "Macro"}, "to": {"book": "New"}}]})
    return [rg.report(child, ["desk", "book"]).table, child.trade_table().drop_attrs()]


def shifted(run, later):
    child = rg.what_if(run, {"shift": {"equity:*": "-3%"}})
    return [rg.report(child, ["desk", "book"]).table, child.trade_table().drop_attrs()]


def crashed(run, later):
    child = rg.what_if(run, {"overlay": {"crash": {"equity:*": "-30%"}}})
    return [rg.report(child, ["desk", "book"]).table, child.trade_table().drop_attrs()]


QUESTIONS = {
    "report": lambda run, later: [rg.report(run, ["region", "book"]), rg.report(run).table],
    "conventions": lambda run, later: dict(rg.report(run).conventions),
    "report by what is in no cell": lambda run, later: rg.report(run, ["instrument", "strategy"]),
    "P&L of every trade": lambda run, later: run.aggregate(["strategy", "trade_id"]),
    "cells": lambda run, later: run.cells,
    "trades": lambda run, later: run.trades.sortby("trade_id"),
    "trade table": lambda run, later: run.trade_table(),
    "worst trades": lambda run, later: run.worst_trades("day 3"),
    "contributions": lambda run, later: rg.contributions(run),
    "tail": lambda run, later: rg.tail_view(run),
    "risk classes": lambda run, later: rg.risk_classes(run),
    "sensitivities": lambda run, later: [of := rg.sensitivities(run, ["desk"]), of.table.drop_attrs()],
    "spot and vol": lambda run, later: rg.spot_vol_ladder(run, "SPX", spots=(-0.1, 0.0), vols=(0.0, 0.1)).table,
    "stress": lambda run, later: rg.stress_report(run, {"crash": {"equity:*": "-20%"}}),
    "explain": rg.explain,
    "compare": rg.compare,
    "portfolio": lambda run, later: [run.portfolio.digest.hex(), run.portfolio.label_names, run.row.trades],
    "re-hung": rehung,
    "shifted": shifted,
    "crashed": crashed,
    "an unknown trade": lambda run, later: rg.what_if(run, {"drop": ["equity-01"]}),
    "a label nobody has": lambda run, later: rg.report(run, ["division"]),
    "a value nobody has": lambda run, later: rg.report(run, where={"book": "Nobody"}),
    "a value some have": lambda run, later: rg.report(run, where={"book": "Flow B"}),
    "a hidden or known trade": lambda run, later: [rg.what_if(run, {"drop": ["fx_option-2"]}).row.trades],
}


def answered(question, runs):
    """An answer, or its error, with ids put alike. What else only a view says is the books it is of."""
    try:
        text = repr(told(QUESTIONS[question](*runs)))
    except rg.RiskgridError as error:
        text = f"{type(error).__name__}: {error}"
    for at, run in enumerate(runs):
        text = text.replace(run.known_as, f"<run {at}>").replace(repr(str(Books.read(run.row.rights) or "")), "''")
    return text


@pytest.mark.parametrize("question", QUESTIONS)
def test_view__answers_as_a_full_run_of_what_is_seen(both, question):
    views, alone = both
    mine, theirs = answered(question, views), answered(question, alone)
    assert mine == theirs
    assert not any(view.run_id in mine for view in views)


def test_view__has_the_bits_of_a_full_run(both):
    for view, alone in zip(*both, strict=True):
        assert made.same_bits(view, alone)
        again = rg.open_run(view.run_id, store=view.store)
        assert made.same_bits(again, alone)
        assert again.row.status == alone.row.status
        assert again.manifest["unshocked"] == alone.manifest["unshocked"]


def test_view__prices_nothing_and_is_found_again(runs):
    one, other = (shown_to(runs[0], Books.of({"book": "Flow A"})) for _ in range(2))
    assert one.run_id == other.run_id
    assert one.manifest["blocks"]["priced"] == one.manifest["valuations"] == 0
    assert one.known_as == runs[0].run_id
    assert one.called == runs[0].called
    assert shown_to(runs[0], Books.of({"book": "Flow B"})).run_id != one.run_id


def test_view__of_whole_cells_reads_no_block(book, tmp_path):
    run = rg.run(book, MARKET, SCENARIOS, store=tmp_path, progress=None)
    for kind in ("blocks", "sums"):
        shutil.rmtree(tmp_path / kind, ignore_errors=True)
    view = shown_to(rg.open_run(run.run_id, store=tmp_path), Books.of({"desk": "Macro"}))
    assert set(rg.report(view, ["desk"]).table.desk.values) == {"", "Macro"}


def test_view__is_no_what_if_that_keeps_the_same_books(book, tmp_path):
    run = rg.run(book, MARKET, SCENARIOS, store=tmp_path, progress=None)
    books = Books.of({"desk": "Macro"})
    asked = rg.what_if(run, {"only": books}, name="mine")
    view = shown_to(run, books)
    again = rg.what_if(run, {"only": books})
    assert view.run_id != asked.run_id == again.run_id
    assert (view.known_as, asked.known_as) == (run.run_id, asked.run_id)
    assert (view.row.serves, asked.row.serves) == (run.run_id, None)
    assert (view.row.rights, asked.row.rights) == (books.key, "")


def test_view__of_a_run_by_other_code_shows_the_numbers_of_that_run(book, tmp_path):
    run = rg.run(book, MARKET, SCENARIOS, store=tmp_path, progress=None)
    before, books = shown_to(run, Books.of({"strategy": "carry"})), Books.of({"strategy": "hedge"})
    older(tmp_path)
    stale = rg.open_run(run.run_id, store=tmp_path)
    count = stale.store.catalogue.count()
    assert shown_to(stale, Books.of({"strategy": "carry"})).run_id == before.run_id
    view = shown_to(stale, books)
    assert view.store.catalogue.count() == count + 1
    assert view.known_as == run.run_id
    pnl = run.pnl("strategy").sel(strategy="hedge").values
    np.testing.assert_array_equal(view.pnl().values, pnl)


def test_what_if__on_a_view_of_a_run_by_other_code_is_priced_by_this(book, tmp_path):
    run = rg.run(book, MARKET, SCENARIOS, store=tmp_path, progress=None)
    older(tmp_path)
    view = shown_to(rg.open_run(run.run_id, store=tmp_path), Books.of({"desk": "Macro"}))
    trade = view.portfolio.tables["equity"]["trade_id"][0].as_py()
    child = rg.what_if(view, {"resize": {trade: 7.0}})
    assert child.row.rights == view.row.rights
    assert child.row.trades == view.row.trades
    assert child.portfolio.trade(trade)["quantity"] == 7.0


def older(folder):
    """Make all runs of a store ones that other code has made."""
    catalogue = Catalogue(folder)
    for row in catalogue.list():
        with catalogue.database.unprepared() as engine, engine.begin() as connection:
            text = connection.exec_driver_sql("select manifest from run where run_id = ?", (row.run_id,)).scalar()
            changed = text.replace(row.manifest["code"], "0" * 40)
            connection.exec_driver_sql("update run set manifest = ? where run_id = ?", (changed, row.run_id))
    catalogue.close()


def test_view__whose_own_object_is_lost_is_made_anew(book, tmp_path):
    run = rg.run(book, MARKET, SCENARIOS, store=tmp_path, progress=None)
    books = Books.of({"desk": "Macro"})
    first = shown_to(run, books)
    first.store.discard("changes", first.kept)
    second = shown_to(rg.open_run(run.run_id, store=tmp_path), books)
    assert second.run_id != first.run_id
    assert made.same_bits(second, first)


def test_view__of_damaged_trade_detail_names_the_run_that_people_know(book, tmp_path):
    run = rg.run(book, MARKET, SCENARIOS, store=tmp_path, progress=None)
    view = shown_to(rg.open_run(run.run_id, store=tmp_path), Books.of({"desk": "Macro"}))
    shutil.rmtree(tmp_path / "blocks")
    with pytest.raises(StoreError, match=run.run_id) as error:
        view.aggregate(["strategy"])
    assert view.run_id not in str(error.value)


def test_view__says_nothing_of_rows_that_were_no_trades(tmp_path):
    frame = made.tables(8)["equity"]
    frame["quantity"] = frame["quantity"].astype(object)
    frame.loc[2, "quantity"] = "a hidden word"
    run = rg.run(
        rg.Portfolio.from_tables({"equity": frame}, on_bad="keep"), MARKET, SCENARIOS, store=tmp_path, progress=None
    )
    view = shown_to(rg.open_run(run.run_id, store=tmp_path), Books.of({"region": "EMEA"}))
    asked = rg.sensitivities(view)
    ladder = rg.open_run(asked.table.attrs["ladder_run"], store=tmp_path)
    for one in (view, ladder, rg.what_if(view, {"shift": {"fx:EUR": "+1%"}})):
        assert one.portfolio.rejected == ()
        assert "hidden word" not in repr(dict(one.manifest))
        assert rg.report(one).conventions["rejected_rows"] == 0


def test_view__made_by_two_threads_at_once_is_one_answer(book, tmp_path):
    run = rg.run(book, MARKET, SCENARIOS, store=tmp_path, progress=None)
    found, wait = [], threading.Barrier(2)

    def look():
        opened = rg.open_run(run.run_id, store=tmp_path)
        wait.wait()
        found.append(shown_to(opened, Books.of({"desk": "Macro"})))

    threads = [threading.Thread(target=look) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 2
    assert made.same_bits(*found)


def test_run__gives_its_trades_in_the_order_it_was_planned_in(tmp_path):
    shuffled = {name: frame.sample(frac=1.0, random_state=1) for name, frame in made.tables(12).items()}
    book = rg.Portfolio.from_tables(shuffled)
    rg.keep(book, "shuffled", store=tmp_path)  # kept as it came
    run = rg.run(book, MARKET, SCENARIOS, store=tmp_path, progress=None)
    assert made.bits_by_trade(rg.open_run(run.run_id, store=tmp_path)) == made.bits_by_trade(run)
    frame = pd.DataFrame({"trade_id": run.trade_table().trade_id.values})
    assert frame.trade_id.is_unique


def test_remove__of_a_run_takes_its_views_along(book, tmp_path):
    run = rg.run(book, MARKET, SCENARIOS, store=tmp_path, progress=None)
    view = shown_to(run, Books.of({"desk": "Macro"}))
    rg.sensitivities(view)
    assert [row.run_id for row in run.store.catalogue.list(served=False)] == [run.run_id]
    run.store.catalogue.remove(run.run_id)
    assert run.store.catalogue.count() == 0


def test_remove__of_a_run_with_a_what_if_on_a_view_is_refused_by_the_id_people_know(book, tmp_path):
    run = rg.run(book, MARKET, SCENARIOS, store=tmp_path, progress=None)
    view = shown_to(run, Books.of({"desk": "Macro"}))
    child = rg.what_if(view, {"shift": {"fx:EUR": "+1%"}})
    with pytest.raises(rg.RiskgridError, match=f"run '{run.run_id}' has what-ifs, e.g. {child.run_id}"):
        run.store.catalogue.remove(run.run_id)


def test_gc_and_verify__know_views(book, tmp_path):
    run = rg.run(book, MARKET, SCENARIOS, store=tmp_path, progress=None)
    books = Books.of({"strategy": "carry"})
    view = shown_to(run, books)
    rg.gc(tmp_path, grace=timedelta(0))
    assert made.same_bits(shown_to(rg.open_run(run.run_id, store=tmp_path), books), view)
    checked = rg.verify(tmp_path)
    assert view.run_id in checked.runs
    assert not checked.damaged
    assert not checked.missing
    run.store.catalogue.remove(run.run_id)
    rg.gc(tmp_path, grace=timedelta(0))
    assert not view.store.has("changes", [view.kept])


@pytest.mark.parametrize(("desk", "status"), [("Flow", "partial"), ("Macro", "complete")])
def test_view__is_partial_only_where_a_trade_that_is_seen_was_left_out(book, tmp_path, desk, status):
    store = Store(tmp_path)
    lost = leave_one_out(book, store, "Flow")
    run = rg.run(book, MARKET, SCENARIOS, store=store, cut=16, progress=None)
    assert run.row.status == "partial"
    view = shown_to(rg.open_run(run.run_id, store=store), Books.of({"desk": desk}))
    assert view.row.status == status
    told = view.trade_table().problem.values.tolist()
    assert (REASON in told) is (desk == "Flow")
    assert lost not in repr(dict(view.manifest))
    assert shown_to(rg.open_run(run.run_id, store=store), Books.of({"desk": desk})).run_id == view.run_id


def leave_one_out(book, store, desk):
    """Have a trade of a desk remembered as one that ended its worker; its id."""
    states, asked = MarketStates(MARKET, SCENARIOS), rg.ask(book, MARKET, SCENARIOS, cut=16)
    some = Changes(only={"desk": desk, "instrument": "fx_option"}).portfolio(book)
    codes = by_instrument(some, np.zeros(len(some), np.int64))
    (piece,) = planned(some, states, asked.spec.pricing, store, codes)
    block = piece.blocks[0]
    first = make_block(piece, (block.start, block.start + 1), block.roles, states, asked.spec.pricing)
    Quarantine(store, states, asked.spec.pricing, set()).leave_out(piece, first, REASON)
    return some.tables["fx_option"]["trade_id"][int(piece.rows[0])].as_py()
