"""The parts add up to the whole: as integers, at every node, by whatever labels."""

import itertools

import numpy as np
import pytest

from riskgrid.engine.block import BASE_BITS

LABELS = ("region", "desk", "book", "instrument", "currency", "counterparty", "strategy")


def ticks(values, bits):
    """Money as whole ticks; it fails where money is no whole number of ticks."""
    counted = np.asarray(values) * 2.0**bits
    assert (counted == np.rint(counted)).all()
    return counted.astype(np.int64)


@pytest.fixture(scope="module")
def trades(finished):
    """Trade level as integers, the trades without a number left out."""
    found = finished.trades.compute()
    found = found.isel(trade=np.flatnonzero(found.status.values <= 1))
    found["ticks"] = (("trade", "scenario"), ticks(found.pnl.values, finished.manifest["bits"]))
    found["base_ticks"] = ("trade", np.rint(found.base_value.values * 2.0**BASE_BITS).astype(np.int64))
    return found


def test_every_trade_has_a_number(finished, book):
    assert int(finished.trade_table().status.max()) <= 1
    assert len(book) == finished.trades.sizes["trade"] == 320


def test_trade_detail_is_lazy_with_one_chunk_a_block(finished):
    pnl = finished.trades.pnl
    assert type(pnl.data).__module__.startswith("dask")
    assert len(pnl.chunks[0]) == finished.manifest["blocks"]["priced"]


@pytest.mark.parametrize("by", [labels for size in range(4) for labels in itertools.combinations(LABELS, size)])
def test_aggregate__of_every_node_is_the_sum_of_its_trades(finished, trades, by):
    nodes = finished.aggregate(by)
    pnl = ticks(nodes.pnl.values, finished.manifest["bits"])
    base = ticks(nodes.base_value.values, BASE_BITS)
    columns = np.array([trades[label].values for label in by], dtype=object).reshape(len(by), trades.sizes["trade"])
    for node in range(nodes.sizes["node"]):
        depth = int(nodes.depth[node])
        within = np.ones(trades.sizes["trade"], bool)
        for level in range(depth):
            within &= columns[level] == nodes[by[level]].values[node]
        assert (pnl[node] == trades.ticks.values[within].sum(axis=0)).all()
        assert base[node] == trades.base_ticks.values[within].sum()
        assert nodes.trades[node] == within.sum()
    leaves = nodes.depth.values == len(by)
    assert (pnl[leaves].sum(axis=0) == pnl[0]).all()
    assert nodes.trades.values[leaves].sum() == 320


def test_aggregate__by_all_labels_agrees_from_cells_and_from_trade_blocks(finished):
    from_cells = finished.aggregate(["region", "book"])
    from_blocks = finished.aggregate(["region", "book", "counterparty"])
    assert from_cells.attrs["answered_from"] == "cells"
    assert from_blocks.attrs["answered_from"] == "trade blocks"
    upper = from_blocks.isel(node=from_blocks.depth.values < 3)
    assert (upper.pnl.values == from_cells.pnl.values).all()
    assert (upper.base_value.values == from_cells.base_value.values).all()


def test_aggregate__by_a_label_outside_the_cells_knows_what_is_unshocked_and_stale(tmp_path, market, book):
    from riskgrid.running import run
    from tests.run import made

    factors = list(market.factors)
    stale = np.zeros((5, len(factors)), bool)
    stale[0, factors.index("equity:SPX")] = True
    flags = {"unshocked": [factor == "spread:ACME" for factor in factors], "stale": stale}
    done = run(book, market, made.scenarios(market, 5, **flags), store=tmp_path, cluster="threads:1")
    for name in ("unshocked", "stale"):
        assert float(done.aggregate("counterparty")[name][0]) == float(done.aggregate("book")[name][0]) > 0.0


def test_cells__add_up_to_the_total(finished):
    bits = finished.manifest["bits"]
    assert (ticks(finished.cells.pnl.values, bits).sum(axis=0) == ticks(finished.pnl().values, bits)).all()


@pytest.mark.parametrize("label", ["desk", "counterparty", "strategy", "instrument"])
def test_groupby_of_xarray_gives_the_sums_of_the_run(finished, trades, label):
    grouped = trades.ticks.groupby(label).sum("trade")
    summed = finished.pnl(by=label)
    assert grouped[label].values.tolist() == summed[label].values.tolist()
    assert (grouped.values == ticks(summed.values, finished.manifest["bits"])).all()


def test_pnl__of_a_part_is_the_sum_of_its_trades(finished, trades):
    where = {"desk": ["Macro", "Flow"], "counterparty": "North"}
    within = np.isin(trades.desk.values, ["Macro", "Flow"]) & (trades.counterparty.values == "North")
    found = ticks(finished.pnl(where=where).values, finished.manifest["bits"])
    assert (found == trades.ticks.values[within].sum(axis=0)).all()
    assert int(finished.aggregate("desk", where).trades[0]) == within.sum()
