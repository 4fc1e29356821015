"""Single trades against the tables of the whole run."""

import numpy as np
import pytest

from riskgrid import detail, run, sample
from riskgrid.books import Books
from riskgrid.errors import UnknownName
from riskgrid.scenarios.compose import weighted
from riskgrid.whatif import shown_to


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    scenarios = sample.scenarios(count=20)
    weights = np.linspace(1.0, 2.0, 20)
    book = sample.portfolio(120, faulty=True)
    store = tmp_path_factory.mktemp("store")
    return run(book, sample.market(), weighted(scenarios, weights / weights.sum()), store=store, progress=None)


def test_trade__has_the_value_status_and_problem_of_the_table(made):
    table = made.trade_table()
    for at, trade_id in enumerate(table["trade_id"].values.tolist()):
        found = detail.trade(made, trade_id)
        for name in ("base_value", "status", "problem"):
            np.testing.assert_array_equal(found[name].values, table[name].values[at : at + 1])
        for name in ("desk", "book", "instrument"):
            assert found[name].values.tolist() == [table[name].values[at]]


def test_trade__has_every_term_of_its_instrument(made):
    for trade_id in ("EO-000001", "SW-000001", "FF-000001"):
        found, terms = detail.trade(made, trade_id), made.portfolio.trade(trade_id)
        for name, value in terms.items():
            held = found.attrs["instrument"] if name == "instrument" else found[name].values[0]
            assert str(held)[:10] == str(value)[:10], name


def test_trade_pnl__is_the_row_of_the_cube(made):
    found = detail.trade_pnl(made, ["SW-000001", "EO-000001"])
    whole = made.trades
    for at, trade_id in enumerate(["SW-000001", "EO-000001"]):
        row = int(np.flatnonzero(whole["trade_id"].values == trade_id)[0])
        assert found["pnl"].values[at].tobytes() == whole["pnl"][row].values.tobytes()
    assert found["weight"].values.tolist() == made.scenarios["weight"].values.tolist()


def test_scenario_table__is_the_pnl_of_the_trades_asked_for(made):
    found = detail.scenario_table(made, {"desk": "Rates"})
    assert found["pnl"].values.tolist() == made.pnl(where={"desk": "Rates"}).values.tolist()
    assert found["scenario"].values.tolist() == made.scenarios["scenario"].values.tolist()


def test_trades__are_cut_after_they_are_chosen(made):
    every = detail.trades(made, {"desk": "Rates"}, status=["priced"])
    part = detail.trades(made, {"desk": "Rates"}, status=["priced"], start=2, count=3)
    assert part["trade_id"].values.tolist() == every["trade_id"].values[2:5].tolist()
    assert part.attrs["matching"] == every.sizes["trade"]
    assert detail.trades(made, start=10**6, count=3).sizes["trade"] == 0


def test_trades__have_the_columns_asked_for_beside_their_id(made):
    assert set(detail.trades(made, columns=["base_value", "book"]).variables) == {"trade_id", "base_value", "book"}


@pytest.mark.parametrize(("option", "said"), [("status", "unknown status 'x'"), ("columns", "trade table 'x'")])
def test_trades__refuse_what_no_trade_has(made, option, said):
    with pytest.raises(UnknownName, match=said):
        detail.trades(made, **{option: ["x"]})


def test_trade__outside_the_books_that_are_shown_is_unknown(made):
    seen = shown_to(made, Books.of({"desk": "Rates"}))
    assert detail.trade(seen, "SW-000001")["base_value"].values == detail.trade(made, "SW-000001")["base_value"].values
    for ask in (lambda: detail.trade(seen, "EO-000001"), lambda: detail.trade_pnl(seen, ["SW-000001", "EO-000001"])):
        with pytest.raises(UnknownName, match="unknown trade 'EO-000001'"):
            ask()


def test_trades__containing_a_text_are_those_whose_ids_have_it_in_either_case(made):
    ids = made.trade_table({"desk": "Rates"})["trade_id"].values.tolist()
    wanted = [name for name in ids if "sw-00000" in name.lower()]
    assert 0 < len(wanted) < len(ids)
    found = detail.trades(made, {"desk": "Rates"}, containing="Sw-00000", start=1, count=2)
    assert found["trade_id"].values.tolist() == wanted[1:3]
    assert found.attrs["matching"] == len(wanted)
    assert detail.trades(made, containing="nobody").sizes["trade"] == 0
