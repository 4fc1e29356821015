import numpy as np
import pytest
import xarray as xr

from riskgrid import pivot
from riskgrid.cluster import Threads
from riskgrid.errors import BadScenarios, BadSpec, StoreError, UnknownName
from riskgrid.portfolio import Portfolio
from riskgrid.registry import INSTRUMENTS, instrument
from riskgrid.result import open_run
from riskgrid.running import price, run
from riskgrid.schema import Status
from riskgrid.store import Catalogue, Store
from tests.run import made
from tests.tables import rows_of

MARKET, SCENARIOS = made.market(), made.scenarios(count=6)
BOOK = made.portfolio(20)


def ran(store, *args, **options):
    return run(*(args or (BOOK, MARKET, SCENARIOS)), store=store, cluster="threads:2", progress=None, **options)


@pytest.fixture
def registered():
    yield
    INSTRUMENTS.remove("share")


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    return ran(tmp_path_factory.mktemp("done"), name="daily", cut=16)


def test_run__is_found_when_the_same_is_asked_again(done):
    again = ran(done.store, name="daily", cut=16)
    assert again.found
    assert not done.found
    assert (again.run_id, again.result_id) == (done.run_id, done.result_id)


def test_run__is_priced_anew_where_something_of_it_is_gone(tmp_path):
    first = ran(tmp_path)
    first.store.discard("blocks", first.cube.placement.keys[0])
    again = ran(tmp_path)
    assert not again.found
    assert again.manifest["blocks"] == {
        **first.manifest["blocks"],
        "priced": 1,
        "found": first.manifest["blocks"]["priced"] - 1,
    }
    assert again.result_id == first.result_id
    assert again.content_id == first.content_id


def test_run__answers_in_another_currency_than_the_numeraire(done, tmp_path):
    euros = ran(tmp_path, reporting="EUR")
    fx = MARKET.level("fx:EUR")
    assert euros.pnl().attrs["currency"] == euros.manifest["reporting"] == "EUR"
    np.testing.assert_allclose(euros.trade_table().base_value, done.trade_table().base_value / fx, rtol=1e-12)
    shifted = fx * SCENARIOS["scale"].sel(factor="fx:EUR").values
    dollars = done.trade_table().base_value.values[:, None] + done.cube.trade_pnl(np.arange(len(BOOK)))
    expected = (dollars / shifted).sum(axis=0) - (done.trade_table().base_value.values / fx).sum()
    np.testing.assert_allclose(euros.pnl().values, expected, atol=len(BOOK) * 2.0 ** -done.manifest["bits"])


def test_run__knows_its_inputs_its_numbers_and_its_environment(done):
    assert done.portfolio.digest == BOOK.digest
    assert done.market.digest == MARKET.digest
    xr.testing.assert_identical(done.scenarios["scale"], SCENARIOS["scale"])
    assert done.whole()
    assert done.row.status == "complete"
    assert {"numpy", "backend"} <= set(done.manifest["numerics"])
    assert done.manifest["valuations"] == 160 * 7
    assert repr(done).startswith(f"Run({done.run_id}, as of 2016-07-01, 160 trades x 6 scenarios, complete, USD")
    shown = done._repr_html_()
    assert ["Size", "160 trades x 6 scenarios"] in rows_of(shown)
    assert ["Answer", done.result_id[:12]] in rows_of(shown)
    assert done.run_id in shown


def test_pnl__has_the_dims_that_were_asked_for(done):
    assert done.pnl().dims == ("scenario",)
    by_desk = done.pnl(by="desk")
    assert by_desk.dims == ("desk", "scenario")
    assert done.pnl(by=["desk", "book"]).dims == ("node", "scenario")
    assert by_desk.sum("desk").values.tolist() == done.pnl().values.tolist()
    assert done.pnl(where={"desk": "Flow"}).values.tolist() == by_desk.sel(desk="Flow").values.tolist()
    assert by_desk.attrs["run_id"] == done.run_id
    assert done.aggregate("desk").sizes["node"] == 1 + by_desk.sizes["desk"]
    assert done.aggregate().sizes["node"] == 1


def test_trades_and_cells__carry_the_runs_attributes(done):
    for dataset in (done.trades, done.cells, done.aggregate(), done.trade_table()):
        assert dataset.attrs["currency"] == "USD"
        assert dataset.attrs["rounding_bound"] == 0.5 * 2.0 ** -done.manifest["bits"]
        assert dataset.attrs["as_of"] == "2016-07-01"


def test_trade_table__is_in_portfolio_order_and_can_be_narrowed(done):
    table = done.trade_table()
    assert table["trade_id"].values.tolist() == done.cube.labels["trade_id"].texts().tolist()
    assert set(table["instrument"].values) == set(BOOK.instruments)
    some = done.trade_table({"instrument": ["equity", "fx_option"], "region": "EMEA"})
    assert set(some["instrument"].values) == {"equity", "fx_option"}
    assert set(some["region"].values) == {"EMEA"}
    with pytest.raises(UnknownName, match="unknown label 'colour'"):
        done.trade_table({"colour": "red"})


def test_worst_trades__lose_most_first(done):
    at = done.pnl()["scenario"].values.tolist().index("day 2")
    found = done.worst_trades("day 2", 5)
    everything = np.sort(done.cube.trade_pnl(np.arange(160))[:, at])
    assert found["scenario_pnl"].values.tolist() == everything[:5].tolist()
    assert set(done.worst_trades("day 2", 3, {"desk": "Macro"})["desk"].values) == {"Macro"}
    with pytest.raises(UnknownName, match="unknown scenario 'day 9'; did you mean"):
        done.worst_trades("day 9")


def test_open_run__takes_an_id_its_beginning_or_a_name(done):
    for asked in (done.run_id, done.run_id[:7], "daily"):
        assert open_run(asked, store=done.store).run_id == done.run_id
    assert open_run("daily", store=done.store.root).result_id == done.result_id


def test_open_run__of_an_unknown_run_lists_the_known_ones(done, monkeypatch):
    with pytest.raises(
        UnknownName, match=f"unknown run 'weekly'.*known: .*'{done.run_id}'.*'daily'|unknown run 'weekly'"
    ):
        open_run("weekly", store=done.store)
    monkeypatch.setenv("RISKGRID_HOME", str(done.store.root))
    assert open_run("daily").run_id == done.run_id


class Dying(Threads):
    def __init__(self, error, whole=False):
        super().__init__(2)
        self.error, self.whole, self.guilty = error, whole, None

    def submit(self, function, task, *, key, done):
        self.guilty = self.guilty or (task.works[0].key if task.instrument == "equity_option" else None)
        return super().submit(self._call, function, task, key=key, done=done)

    def _call(self, function, task):
        if self.whole or self.guilty in [work.key for work in task.works]:
            raise self.error
        return function(task)


def test_run__that_failed_says_why_and_is_finished_by_asking_again(tmp_path):
    with pytest.raises(StoreError, match="the disk is full"):
        run(BOOK, MARKET, SCENARIOS, name="bad", store=tmp_path, cluster=Dying(StoreError("the disk is full"), True))
    row = Catalogue(tmp_path).get("bad")
    assert (row.status, row.reason) == ("failed", "the disk is full")
    with pytest.raises(
        BadSpec,
        match=f"run '{row.run_id}' is failed; 'riskgrid resume' queues it again, or ask the same question again",
    ):
        open_run("bad", store=tmp_path)
    assert ran(tmp_path).row.status == "complete"


def test_run__with_a_block_that_cannot_be_priced_is_partial_and_names_its_trades(done, tmp_path):
    partial = run(
        BOOK, MARKET, SCENARIOS, store=tmp_path, cut=16, cluster=Dying(RuntimeError("out of luck")), progress=None
    )
    assert partial.row.status == "partial"
    assert partial.manifest["blocks"]["failed"] == 1
    table = partial.trade_table()
    lost = table.isel(trade=table["status"].values == Status.FAILED)
    assert 0 < lost.sizes["trade"] <= 20
    assert set(lost["instrument"].values) == {"equity_option"}
    assert set(lost["problem"].values) == {"the block could not be priced: RuntimeError: out of luck"}
    assert int(partial.aggregate()["unpriced"][0]) == lost.sizes["trade"]
    assert int(partial.aggregate("strategy")["unpriced"][0]) == lost.sizes["trade"]
    assert (
        partial.pnl(where={"instrument": "equity"}).values.tolist()
        == done.pnl(where={"instrument": "equity"}).values.tolist()
    )
    assert open_run(partial.run_id, store=tmp_path).result_id == partial.result_id
    healed = ran(tmp_path, cut=16)
    assert not healed.found
    assert (healed.row.status, healed.result_id) == ("complete", done.result_id)
    assert healed.manifest["blocks"]["priced"] == 1


def test_price__gives_present_values_alone(done):
    found = price(BOOK, MARKET)
    np.testing.assert_array_equal(found["base_value"].values, done.trade_table()["base_value"].values)
    assert found.attrs["currency"] == "USD"
    euros = price(BOOK, MARKET, reporting="EUR")
    np.testing.assert_allclose(euros["base_value"] * 1.11, found["base_value"], rtol=1e-12)


def test_price__says_why_a_trade_has_no_value():
    frame = made.tables(3)["equity"]
    frame.loc[1, "underlying"] = "NOBODY"
    found = price(Portfolio.from_tables({"equity": frame}), MARKET)
    assert np.isnan(found["base_value"].values).tolist() == [False, True, False]
    assert found["problem"].values[1].startswith("no equity price 'equity:NOBODY'")
    assert found["problem"].values[0] == ""


def test_run__of_an_empty_portfolio_is_nothing_at_all(tmp_path):
    found = ran(tmp_path, Portfolio({}), MARKET, SCENARIOS)
    assert not found.pnl().values.any()
    assert found.row.status == "complete"
    assert found.trades.sizes["trade"] == found.trade_table().sizes["trade"] == 0
    assert found.cells.sizes["cell"] == 0
    assert ran(tmp_path, Portfolio({}), MARKET, SCENARIOS).found


@pytest.mark.parametrize(
    ("options", "error", "sentence"),
    [
        ({"reporting": "CHF"}, UnknownName, "unknown reporting currency 'CHF'; known: 'EUR', 'GBP', 'USD'"),
        ({"cut": 100}, BadSpec, "cut is 100; a power of two, 16 or above, is right"),
        ({"cut": 8}, BadSpec, "cut is 8; a power of two"),
        ({"bits": 33}, BadSpec, "bits is 33; 0 to 32 is right"),
        ({"bits": -1}, BadSpec, "bits is -1"),
        ({"cell_labels": ("desk", "colour")}, UnknownName, "unknown label 'colour'"),
        ({"cell_labels": ("desk", "book", "desk")}, BadSpec, "cell_labels name 'desk' twice; once is right"),
        ({"cluster": "mainframe"}, BadSpec, "unknown cluster 'mainframe'"),
    ],
)
def test_run__refuses_what_cannot_be_asked(tmp_path, options, error, sentence):
    with pytest.raises(error, match=sentence):
        run(BOOK, MARKET, SCENARIOS, store=tmp_path, **options)


def test_run__refuses_scenarios_that_move_nothing_or_what_is_not_there(tmp_path):
    with pytest.raises(BadSpec, match="the scenario set has no scenario; a run needs one or more"):
        ran(
            tmp_path,
            BOOK,
            MARKET,
            SCENARIOS.isel(scenario=slice(0, 0)).drop_attrs(deep=False).assign_attrs(SCENARIOS.attrs),
        )
    with pytest.raises(BadScenarios, match="equity:NOBODY"):
        ran(tmp_path, BOOK, MARKET, made.one_factor("equity:NOBODY", 1.1))
    assert list(Catalogue(tmp_path).list()) == []


def test_run__refuses_more_cells_than_memory_should_hold(tmp_path, monkeypatch):
    monkeypatch.setattr(pivot, "MOST_NODES", 100)
    with pytest.raises(BadSpec, match="cell labels region, desk, book, trade_id make 160 cells; at most 100 are kept"):
        ran(tmp_path, cell_labels=("trade_id",))


def test_run__always_keeps_region_desk_and_book_in_its_cells(tmp_path):
    found = ran(tmp_path, cell_labels=("strategy",))
    assert found.manifest["cell_labels"] == ["region", "desk", "book", "strategy"]
    assert found.aggregate("strategy").attrs["answered_from"] == "cells"
    assert found.aggregate("instrument").attrs["answered_from"] == "trade blocks"


def test_run__of_bumps_counts_in_the_finest_ticks(tmp_path):
    bumps = made.one_factor("equity:SPX", 1.0001)
    bumps.attrs["kind"] = "ladder"
    found = ran(tmp_path, BOOK, MARKET, bumps)
    assert found.manifest["bits"] == 32
    one = found.cube.trade_pnl(np.array([0]))
    assert one.shape == (1, 1)


def test_run__of_a_pricer_without_a_known_code_is_never_found(tmp_path, registered):
    space = {}
    exec("def price(terms, market):\n    return market.spot(terms.underlying)", space)
    instrument("share", value_in="currency", example=INSTRUMENTS["equity"].example)(space["price"])
    book = Portfolio.from_tables({"share": made.tables(4)["equity"]})
    first, again = (ran(tmp_path, book, MARKET, SCENARIOS) for _ in range(2))
    assert not again.found
    assert first.result_id == again.result_id


def test_run__tells_what_went_wrong_when_a_block_was_priced(tmp_path, registered):
    @instrument("share", value_in="currency", example=INSTRUMENTS["equity"].example, version="1")
    def _(terms, market):
        if not market.reading.recording and (terms.multiplier == 13.0).any():
            raise ZeroDivisionError("thirteen")
        return market.spot(terms.underlying)

    frame = made.tables(9)["equity"].assign(multiplier=[13.0, *range(1, 9)])
    found = ran(tmp_path, Portfolio.from_tables({"share": frame}), MARKET, SCENARIOS)
    table = found.trade_table()
    assert table["problem"].values.tolist() == ["ZeroDivisionError: thirteen", *[""] * 8]
    assert np.isnan(table["base_value"].values).tolist() == [True, *[False] * 8]
    assert np.isnan(found.cube.trade_pnl(np.array([0]))).all()
    assert int(found.aggregate()["unpriced"][0]) == 1
    assert found.row.status == "complete"


def test_labels__are_those_of_the_trades_and_two_that_follow(done):
    labels = done.cube.labels
    assert set(labels) == {*BOOK.label_names, "instrument", "currency"}
    assert len(labels) == len(set(labels))
    assert "colour" not in labels


def test_run__keeps_its_store_where_the_settings_say(tmp_path, monkeypatch):
    monkeypatch.setenv("RISKGRID_HOME", str(tmp_path / "home"))
    found = run(made.portfolio(2, only=("equity",)), MARKET, SCENARIOS, progress=None)
    assert found.store == Store(tmp_path / "home")


def test_run__refuses_a_store_it_cannot_write_before_any_work(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot write"):
        ran(tmp_path / "file" / "store")


def test_served_run__asked_for_itself_serves_nobody(tmp_path):
    from riskgrid import sample
    from riskgrid.running import revalue

    book, market = sample.portfolio(60), sample.market()
    first = run(book, market, sample.scenarios(count=5), store=tmp_path, progress=None)
    other = run(book, market, sample.scenarios(count=6), store=tmp_path, progress=None)
    shifts = sample.stress(market)
    ladder = revalue(first, shifts)
    assert ladder.row.serves == first.run_id
    assert revalue(ladder, sample.scenarios(count=4)).row.serves == first.run_id, "it goes with the first, too"
    shared = revalue(other, shifts, bits=first.manifest["bits"])
    assert (shared.run_id, shared.row.serves) == (ladder.run_id, other.run_id), "whoever asked last"
    store = ladder.store
    store.catalogue.remove(first.run_id)
    assert open_run(shared.run_id, store=store).row.serves == other.run_id
    bits = ladder.manifest["bits"]
    mine = run(book, market, shifts, name="mine", bits=bits, store=tmp_path, progress=None)
    assert mine.found
    assert mine.row.serves is None
    store.catalogue.remove(other.run_id)
    assert open_run("mine", store=store).result_id == ladder.result_id
