"""A replay proves every stored tick, or names what is not what was computed."""

import shutil
import sqlite3
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest

import riskgrid as rg
from riskgrid.registry import INSTRUMENTS
from riskgrid.store import Store
from riskgrid.terms import Currency, Equity
from tests.run import made


@dataclass(frozen=True)
class Owned:
    """Terms of an instrument of these tests."""

    underlying: Equity
    currency: Currency


LABELS = {"region": "EMEA", "desk": "Own", "book": "Own A", "quantity": 1.0, "trade_date": np.datetime64("2016-06-01")}


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    folder = tmp_path_factory.mktemp("kept")
    return rg.run(made.portfolio(), made.market(), made.scenarios(), store=folder, cut=16, progress=None)


@pytest.fixture
def copied(kept, tmp_path):
    """The run in a store that may be spoilt."""
    shutil.copytree(kept.store.root, tmp_path / "store")
    return lambda: rg.open_run(kept.run_id, store=tmp_path / "store")


def rewritten(store, kind, key, change):
    """Store an object again with other content, checksums and all."""
    found = store.get(kind, key)
    arrays = {name: np.array(array) for name, array in found.arrays.items()}
    if kind == "blocks":
        arrays |= {name: np.array(found.whole(name)) for name in ("wide_ticks", "ticks")}
    store.discard(kind, key)
    change(arrays)
    store.put(kind, key, found.meta, arrays)


def test_replay__of_a_run_that_was_left_alone_proves_every_bit(kept):
    again = rg.replay(rg.open_run(kept.run_id, store=kept.store), progress=None)
    assert again.equal
    assert again.result_id == kept.result_id
    assert again.compared == len(kept.portfolio) * kept.scenarios.sizes["scenario"]
    assert again.lines()[0].startswith(f"run {kept.run_id} is proven: {again.compared:,} ticks")
    assert not again.changed


def test_replay__of_a_what_if_proves_it_in_full(kept):
    child = rg.what_if(kept, {"drop": [next(iter(kept.portfolio.places()))], "shift": {"equity:SPX": "-3%"}})
    again = rg.replay(rg.open_run(child.run_id, store=kept.store), progress=None)
    assert again.equal
    assert again.result_id == child.result_id


def test_replay__names_the_trade_whose_block_was_written_again_with_another_tick(copied):
    run = copied()
    key = run.cube.placement.keys[0]

    def spoil(arrays):
        arrays["ticks"][0, 3] += 5

    rewritten(run.store, "blocks", key, spoil)
    again = rg.replay(copied(), progress=None)
    assert not again.equal
    assert again.differing == 1
    (trade,) = again.trades
    assert (trade.ticks, trade.largest, trade.scenario) == (1, 5.0, "day 3")
    order, _ = run.cube.placement.trade_order()
    assert trade.trade_id == str(run.cube.labels["trade_id"][order[:1]].texts()[0])
    assert "is NOT proven: 1 trade is not what was computed" in str(again)


def test_replay__names_the_trade_whose_present_value_is_another(copied):
    run = copied()
    keys = run.cube.placement.keys
    key = next(key for key in keys if run.store.get("blocks", key).arrays["base_value"].any())

    def spoil(arrays):
        at = int(np.nanargmax(np.abs(arrays["base_value"])))
        arrays["base_value"][at] *= 1.0 + 1e-15

    rewritten(run.store, "blocks", key, spoil)
    again = rg.replay(copied(), progress=None)
    assert (again.differing, again.trades[0].ticks) == (1, 0)
    assert "its present value or status is another" in str(again)


def test_replay__tells_which_block_cannot_be_read(copied):
    run = copied()
    key = run.cube.placement.keys[1]
    run.store.path("blocks", key).write_bytes(b"spoilt")
    again = rg.replay(copied(), progress=None)
    assert not again.equal
    assert len(again.damaged) == 1
    assert key in again.damaged[0]
    held = int((run.cube.placement.block == 1).sum())
    assert again.compared == (len(run.portfolio) - held) * 30


def test_replay__counts_cells_that_are_others(copied):
    run = copied()

    def spoil(arrays):
        arrays["pnl"][2, 7] += 1
        arrays["trades"][4] += 1

    rewritten(run.store, "cells", run.run_id, spoil)
    again = rg.replay(copied(), progress=None)
    assert (again.cells, again.differing) == (2, 0)
    assert "2 cells are not what was computed" in str(again)


def test_replay__refuses_an_input_that_is_not_what_was_kept(copied):
    run = copied()
    key = run.manifest["inputs"]["portfolio"]
    path = run.store.path("inputs", f"{key}-portfolio")
    target = next(iter(sorted(path.glob("*.parquet")))) if path.is_dir() else path
    content = bytearray(target.read_bytes())
    content[len(content) // 2] ^= 1
    target.write_bytes(content)
    with pytest.raises(rg.RiskgridError, match="portfolio"):
        rg.replay(copied(), progress=None)


@pytest.mark.usefixtures("_registry")
def test_replay__names_the_instrument_whose_code_is_another(tmp_path):
    def registered(factor):
        @rg.instrument("owned", value_in="currency", example=Owned("SPX", "USD"))
        def price(terms, market):
            return market.spot(terms.underlying) * factor

    registered(1.0)
    rows = [{"trade_id": f"T-{at}", "underlying": "SPX", "currency": "USD", **LABELS} for at in range(3)]
    book = rg.Portfolio.from_tables({"owned": pd.DataFrame(rows)})
    run = rg.run(book, made.market(), made.scenarios(), store=tmp_path, progress=None)
    assert rg.replay(run, progress=None).equal
    INSTRUMENTS.remove("owned")
    registered(2.0)
    again = rg.replay(rg.open_run(run.run_id, store=tmp_path), progress=None)
    assert not again.equal
    assert again.differing == 3
    assert set(again.changed) == {"code of owned"}
    assert "changed since: code of owned: " in str(again)


def test_replay__names_a_package_of_another_version(copied):
    run = copied()
    manifest = {**run.manifest, "environment": {**run.manifest["environment"], "python": "3.11.0"}}
    run.store.catalogue.finish(run.run_id, "complete", result_id=run.result_id, seconds=1.0, manifest=manifest)
    again = rg.replay(copied(), progress=None)
    assert again.equal
    assert again.changed["python"][0] == "3.11.0"


def test_replay__of_no_trades_proves_nothing_wrong(tmp_path):
    run = rg.run(rg.Portfolio({}), made.market(), made.scenarios(), store=tmp_path, progress=None)
    again = rg.replay(run, progress=None)
    assert again.equal
    assert again.compared == 0
    assert isinstance(run.store, Store)


def test_replay__names_weights_and_names_of_scenarios_that_are_others(copied):
    run = copied()
    found = run.store.get("cells", run.kept)
    run.store.discard("cells", run.kept)
    names = list(reversed(found.meta["scenarios"]))
    weight = np.full(len(names), 1.0 / len(names))
    run.store.put("cells", run.kept, {**found.meta, "scenarios": names}, {**found.arrays, "weight": weight})
    told = str(rg.replay(copied(), progress=None))
    assert "the names of scenarios that is kept" in told
    assert "the weights of scenarios that is kept" in told


def test_replay__names_changes_that_were_written_again(kept, copied):
    child = rg.what_if(copied(), {"drop": [next(iter(kept.portfolio.places()))]})
    store = child.store
    found = store.get("changes", child.kept)
    store.discard("changes", child.kept)
    forged = found.meta["changes"].replace(
        "{", '{"rehang": [{"where": {"instrument": "equity"}, "to": {"counterparty": "EVIL"}}], ', 1
    )
    store.put("changes", child.kept, {**found.meta, "changes": forged}, found.arrays)
    again = rg.replay(child, progress=None)  # not what is in memory
    assert not again.equal
    assert "the question that is kept" in str(again)


@pytest.mark.parametrize(
    "forged", [{"status": "partial"}, {"as_of": "2015-01-01"}, {"content_id": "00"}, {"trades": 3}]
)
def test_replay__names_what_the_catalogue_says_otherwise(copied, forged):
    run = copied()
    (name, value), catalogue = *forged.items(), run.store.catalogue
    with sqlite3.connect(catalogue.path) as connection:
        connection.execute(f"update run set {name} = ? where run_id = ?", (value, run.run_id))
    again = rg.replay(copied(), progress=None)
    assert not again.equal
    assert f"the {'question' if name == 'content_id' else name} that is kept, {value}" in str(again)
