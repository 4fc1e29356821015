import dataclasses
import re

import numpy as np
import pytest

from riskgrid import cube as module
from riskgrid import pivot, summing
from riskgrid.cube import Placement, cells_of, code_labels
from riskgrid.errors import BadSpec, UnknownName
from riskgrid.running import run
from riskgrid.schema import Status, check
from riskgrid.store import Store
from riskgrid.terms import Names
from tests.run import made

WEIGHT = np.arange(1.0, 7.0) / 21.0


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """A run with trades that are wide, expired, without a price, and with scenarios that move some blocks only."""
    frames = made.tables(30)
    frames["equity"].loc[3, "underlying"] = "NOBODY"
    frames["equity"].loc[4, "quantity"] = 1e9
    market = made.market()
    scenarios = made.scenarios(market, 6, weight=WEIGHT)
    scenarios["scale"][3] = np.where(scenarios.factor.values == "equity:AAPL", 1.1, 1.0)
    scenarios["offset"][3] = 0.0
    book = made.Portfolio.from_tables(frames)
    return run(book, market, scenarios, store=tmp_path_factory.mktemp("cube"), bits=10, cut=16, cluster="threads:2")


@pytest.fixture(scope="module")
def cube(done):
    return done.cube


@pytest.fixture(scope="module")
def table(cube):
    """Ticks of every trade, in portfolio order, those without a number as none at all."""
    status, _, _ = cube.status()
    pnl = cube.trade_pnl(np.arange(len(status)))
    return np.where((status <= Status.EXPIRED)[:, None], pnl, 0.0)


def column(cube, label):
    return cube.labels[label].texts()


def test_nodes__at_the_total_are_the_sum_of_the_trades(cube, table):
    total = cube.nodes(())
    assert total.attrs["answered_from"] == "cells"
    assert total["pnl"].values.tolist() == [table.sum(axis=0).tolist()]
    assert total["trades"].values.tolist() == [240]
    assert total["unpriced"].values.tolist() == [1]
    assert total["coverage"].values.tolist() == [1.0 - 1 / 240]
    assert total["weight"].values.tolist() == WEIGHT.tolist()
    check(total, "nodes")


@pytest.mark.parametrize(
    ("by", "source"),
    [
        (("desk",), "cells"),
        (("region", "desk", "book"), "cells"),
        (("strategy",), "trade blocks"),
        (("desk", "counterparty"), "trade blocks"),
    ],
)
def test_nodes__of_labels_are_sums_of_their_trades(cube, table, by, source):
    nodes = cube.nodes(by)
    assert nodes.attrs["answered_from"] == source
    assert nodes.attrs["by"] == list(by)
    assert nodes["depth"].values[0] == 0
    for at in range(nodes.sizes["node"]):
        use = np.ones(len(table), bool)
        for label in by[: int(nodes["depth"][at])]:
            use &= column(cube, label) == str(nodes[label].values[at])
        assert nodes["pnl"].values[at].tolist() == table[use].sum(axis=0).tolist()
        assert int(nodes["trades"][at]) == use.sum()


def test_nodes__stand_in_the_order_of_a_tree(cube):
    nodes = cube.nodes(("region", "desk"))
    paths = list(zip(nodes["region"].values, nodes["desk"].values, strict=True))
    assert paths == sorted(paths)
    assert paths[0] == ("", "")
    assert nodes["depth"].values.tolist() == [sum(bool(part) for part in path) for path in paths]


@pytest.mark.parametrize(
    "where", [{"desk": "Macro"}, {"desk": ["Macro", "Flow"], "region": "EMEA"}, {"strategy": "carry"}]
)
def test_nodes__narrowed_are_those_of_the_chosen_trades(cube, table, where):
    use = np.ones(len(table), bool)
    for label, wanted in where.items():
        use &= np.isin(column(cube, label).astype(str), wanted)
    total = cube.nodes((), where)
    assert total["pnl"].values[0].tolist() == table[use].sum(axis=0).tolist()
    assert int(total["trades"][0]) == use.sum()


def test_nodes__of_an_unknown_value_are_refused(cube):
    for label in ("desk", "strategy"):
        with pytest.raises(UnknownName, match=f"unknown {label} 'None such'"):
            cube.nodes(("desk",), {label: "None such"})


def test_nodes__of_nothing_chosen_are_nothing(cube):
    for label in ("desk", "strategy"):
        total = cube.nodes(("desk",), {label: []})
        assert total.sizes["node"] == 1
        assert not total["pnl"].values.any()
        assert np.isnan(total["coverage"].values).all()


def test_nodes__from_cells_and_from_trades_agree_in_every_bit(cube):
    ours = cube.nodes(("desk", "book"))
    theirs = cube._answer(("desk", "book"), {}, in_cells=False)
    for name in ours.data_vars:
        assert ours[name].values.tobytes() == theirs[name].values.tobytes(), name


@pytest.mark.parametrize("where", [{}, {"strategy": "carry"}])
def test_nodes__from_trades_are_the_same_for_any_number_of_threads(cube, monkeypatch, where):
    many = cube.nodes(("counterparty", "desk"), where)
    monkeypatch.setattr(summing, "_SUMS_BYTES", 1)  # no room for a second thread
    assert cube.nodes(("counterparty", "desk"), where).identical(many)


def test_nodes__asked_again_are_new_numbers_on_the_same_tree(cube):
    first = cube.nodes(("desk",))
    first["pnl"][:] = 7.0
    first["trades"][:] = 7
    first.attrs["by"].append("book")
    again = cube.nodes(("desk",))
    assert again.attrs["by"] == ["desk"]
    assert (again["pnl"] != 7.0).all()
    assert (again["trades"] != 7).all()
    with pytest.raises(ValueError, match="read-only"):
        again["desk"].values[0] = "Macro"


def test_nodes__are_remembered_for_so_many_questions_only(cube, monkeypatch):
    monkeypatch.setattr(module, "_MOST_PLANS", 2)
    cube = dataclasses.replace(cube, _cell_plans={})
    for by in (("desk",), ("book",), ("region",), ("desk",)):
        assert cube.nodes(by).attrs["by"] == list(by)
        assert len(cube._cell_plans) <= 2


def test_nodes__of_an_unknown_label_list_the_known_ones(cube):
    for asked in ((("dsk",), {}), ((), {"dsk": "FX"})):
        with pytest.raises(UnknownName, match="unknown label 'dsk'; did you mean 'desk'"):
            cube.nodes(*asked)


def test_nodes__refuse_more_than_can_be_answered_at_once(cube, monkeypatch):
    cube = dataclasses.replace(cube, _cell_plans={})  # one that remembers no tree
    monkeypatch.setattr(pivot, "MOST_NODES", 5)
    for by in (("desk", "book"), ("trade_id",)):
        with pytest.raises(
            BadSpec, match=re.escape(f"nodes by {', '.join(by)}; at most 5 are answered at once: narrow")
        ):
            cube.nodes(by)
    assert cube.nodes(("desk",)).sizes["node"] == 4


def test_trades__are_read_when_asked_for_and_agree_with_rows(cube):
    trades = cube.trades()
    check(trades, "trades")
    assert trades["pnl"].chunks is not None
    place = {text: at for at, text in enumerate(column(cube, "trade_id"))}
    order = np.array([place[text] for text in trades["trade_id"].values])
    assert sorted(order.tolist()) == list(range(240))
    expected = cube.trade_pnl(order)
    np.testing.assert_array_equal(trades["pnl"].values, expected)
    np.testing.assert_array_equal(trades["pnl"][5:50:7, 2].values, expected[5:50:7, 2])
    status, base, _ = cube.status()
    assert trades["status"].values.tolist() == status[order].tolist()
    np.testing.assert_array_equal(trades["base_value"].values, base[order])
    assert trades["trade_id"].values[-1] == "equity-3"  # in no block, so last
    assert np.isnan(trades["pnl"].values[-1]).all()


def test_trades__keep_what_does_not_fit_32_bits(cube):
    at = column(cube, "trade_id").tolist().index("equity-4")
    assert np.abs(cube.trade_pnl(np.array([at]))).max() * 2.0**10 > 2.0**31


def test_trade_pnl__of_pruned_scenarios_is_nothing(cube):
    swaps = np.flatnonzero(column(cube, "instrument") == "interest_rate_swap")
    pnl = cube.trade_pnl(swaps)
    assert not pnl[:, 3].any()
    assert pnl[:, 0].all()
    assert cube.trade_pnl(swaps[::-1]).tolist() == pnl[::-1].tolist()


def test_status__tells_each_trade_and_why_it_failed(cube):
    status, base, problems = cube.status()
    ids = column(cube, "trade_id")
    failed = np.flatnonzero(status == Status.FAILED)
    assert ids[failed].tolist() == ["equity-3"]
    assert problems[int(failed[0])].startswith("no equity price 'equity:NOBODY'")
    assert np.isnan(base[failed]).all()
    assert set(status.tolist()) >= {Status.PRICED, Status.FAILED}


def test_cells__are_every_combination_of_their_labels(cube, table):
    cells = cube.cell_dataset()
    check(cells, "cells")
    assert {"region", "desk", "book", "instrument", "currency"} <= set(cells.coords)
    assert int(cells["trades"].sum()) == 240
    assert cells["pnl"].values.sum(axis=0).tolist() == table.sum(axis=0).tolist()


def test_sums__that_leave_64_bits_are_refused(cube):
    cells = dataclasses.replace(cube.cells, pnl=np.full_like(cube.cells.pnl, 2**62))
    with pytest.raises(OverflowError, match="the P&L of a node leaves the range of 64-bit ticks"):
        dataclasses.replace(cube, cells=cells).nodes(("desk",))


def test_code_labels__are_sorted_combinations():
    desk = Names(np.array([2, 0, 1, 2], np.int32), ("FX", "Credit", "Rates"))
    book = Names(np.array([0, 0, 0, 1], np.int32), ("B", "A"))
    found = code_labels(("desk", "book"), {"desk": desk, "book": book}, 4)
    assert found.values == (("Credit", "B"), ("FX", "B"), ("Rates", "A"), ("Rates", "B"))
    assert found.code.tolist() == [3, 1, 0, 2]
    assert (code_labels((), {}, 3).values, code_labels((), {}, 3).code.tolist()) == (((),), [0, 0, 0])
    assert code_labels(("desk",), {"desk": desk[:0]}, 0).values == ()


def test_code_labels__may_have_more_combinations_than_64_bits_can_count():
    count = 3000
    names = tuple(f"{at:04}" for at in range(count))
    rng = np.random.default_rng(1)
    columns = {f"L{at}": Names(rng.permutation(count).astype(np.int32), names) for at in range(7)}
    found = code_labels(tuple(columns), columns, count)
    rows = [tuple(names[column.codes[at]] for column in columns.values()) for at in range(count)]
    assert [found.values[code] for code in found.code] == rows
    assert list(found.values) == sorted(rows)


def test_cells_of__refuses_more_cells_than_memory_should_hold(monkeypatch):
    monkeypatch.setattr(pivot, "MOST_NODES", 2)
    labels = {"desk": Names(np.arange(3, dtype=np.int32), ("a", "b", "c"))}
    with pytest.raises(BadSpec, match="cell labels desk make 3 cells; at most 2 are kept in memory: leave the finest"):
        cells_of(labels, ("desk",), 3)


def test_placement__comes_back_from_the_store(cube, tmp_path):
    store, place = Store(tmp_path), cube.placement
    store.put("plans", "ab", *place.parts())
    back = Placement.of(store.get("plans", "ab"))
    assert back.keys == place.keys
    assert dict(back.problems) == dict(place.problems)
    assert [states.tolist() for states in back.states] == [states.tolist() for states in place.states]
    for name in ("block", "row", "unshocked", "stale"):
        assert getattr(back, name).tolist() == getattr(place, name).tolist()
