"""Why two runs differ: the steps are full runs, and add up."""

import numpy as np
import pytest

import riskgrid as rg
from riskgrid.change import Changes
from tests.run import made

BOOK = made.portfolio(8)
EVERY = sorted(BOOK.places())
LATER = made.market({"equity:SPX": 2010.0, "fx:EUR": 1.13})
MEASURED = ("base_value", "value_at_risk", "expected_shortfall")


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return rg.run(BOOK, made.market(), made.scenarios(), store=tmp_path_factory.mktemp("a"), name="base", progress=None)


def changed_book():
    row = {**BOOK.trade(EVERY[5]), "trade_id": "N-1"}
    return Changes(
        drop=EVERY[:3],
        add={row.pop("instrument"): [row]},
        resize={EVERY[8]: 9.0},
        amend={EVERY[10]: {"desk": "Rates"}, EVERY[11]: {"strategy": "none"}},
    ).portfolio(BOOK)


PAIRS = {
    "market": ((BOOK, LATER, made.scenarios(), {}), ["market"]),
    "scenarios": ((BOOK, made.market(), made.scenarios(seed=8), {}), ["scenarios"]),
    "trades": (
        (changed_book(), made.market(), made.scenarios(), {}),
        ["trades dropped", "trades added", "trades amended", "trades re-hung"],
    ),
    "spec": ((BOOK, made.market(), made.scenarios(), {"bits": 10}), ["spec"]),
    "all": (
        (changed_book(), LATER, made.scenarios(count=20), {"bits": 10}),
        ["market", "scenarios", "trades dropped", "trades added", "trades amended", "trades re-hung", "spec"],
    ),
    "nothing": ((BOOK, made.market(), made.scenarios(), {}), []),
}


@pytest.mark.parametrize(("inputs", "steps"), PAIRS.values(), ids=PAIRS)
def test_diff__adds_up(base, tmp_path, inputs, steps):
    *parts, spec = inputs
    other = rg.run(*parts, store=base.store, progress=None, **spec)
    found = rg.diff(base, other, by="desk")
    table = found.to_dataset()
    assert table["step"].values.tolist() == steps
    compared = rg.compare(base, other, by="desk").to_dataset()
    for name in MEASURED:
        first, last = table[f"{name}_first"].values, table[f"{name}_last"].values
        for at, values in ((0, first), (1, last)):
            known = dict(zip(compared["desk"].values, compared[name].values[at], strict=True))
            assert [known.get(desk, 0.0) for desk in table["desk"].values] == values.tolist()
        scale = np.abs([*first, *last]).max() + 1.0
        np.testing.assert_allclose(table[name].values.sum(axis=0), last - first, rtol=0, atol=1e-12 * scale)
    ticks = {end: np.round(table[f"base_value_{end}"].values * 1024).astype(np.int64) for end in ("first", "last")}
    counted = np.round(table["base_value"].values * 1024).astype(np.int64)
    assert (counted == table["base_value"].values * 1024).all()
    assert (counted.sum(axis=0) == ticks["last"] - ticks["first"]).all()


def test_diff__by_hand_is_two_full_runs_a_step(base, tmp_path):
    book = Changes(drop=EVERY[:3]).portfolio(BOOK)
    other = rg.run(book, LATER, made.scenarios(), bits=base.manifest["bits"], store=base.store, progress=None)
    between = rg.run(BOOK, LATER, made.scenarios(), bits=base.manifest["bits"], store=tmp_path, progress=None)
    table = rg.diff(base, other).to_dataset()
    assert table["step"].values.tolist() == ["market", "trades dropped"]
    var = [float(rg.value_at_risk(run.pnl(), 0.99)) for run in (base, between, other)]
    value = [float(run.aggregate()["base_value"][0]) for run in (base, between, other)]
    assert table["value_at_risk"].values[:, 0].tolist() == np.diff(var).tolist()
    assert table["base_value"].values[:, 0].tolist() == np.diff(value).tolist()


def test_diff__asked_twice_finds_its_steps(base):
    other = rg.run(changed_book(), LATER, made.scenarios(), store=base.store, progress=None)
    first = rg.diff(base, other)
    count = len(base.store.catalogue.list())
    assert rg.diff(base, other).runs == first.runs
    assert len(base.store.catalogue.list()) == count


def test_diff__says_what_differs(base):
    other = rg.run(changed_book(), LATER, made.scenarios(count=20), bits=10, store=base.store, progress=None)
    found = rg.diff(base, other)
    said = "\n".join(found.sentences())
    for part in (
        f"3 trades dropped: {', '.join(EVERY[:3])}.",
        "1 trade added: N-1.",
        f"1 trade amended: {EVERY[8]}.",
        f"2 trades re-hung: {EVERY[10]}, {EVERY[11]}.",
        "2 factors moved, most of all equity:SPX 2100 to 2010, fx:EUR 1.11 to 1.13.",
        "The scenarios are made of 20, before made of 30.",
        "The tick bits are 10, before 4.",
        "10 scenarios gone: day 20, day 21, day 22 and 7 more.",
        "Revalued in this order, each step on top of those before: market, scenarios, trades dropped",
    ):
        assert part in said
    assert "trades dropped" in repr(found)
    assert "<table" in rg.diff(base, other, by="desk")._repr_html_()


def test_diff__takes_market_and_scenarios_at_once_where_the_old_ones_do_not_fit(base):
    factors = [factor for factor in LATER.factors if not factor.startswith("vol:BRENT")]
    smaller = rg.MarketSnapshot(
        LATER.date, "USD", tuple(factors), [LATER.level(name) for name in factors], LATER.conventions, LATER.fixings
    )
    other = rg.run(BOOK, smaller, made.scenarios(smaller), bits=base.manifest["bits"], store=base.store, progress=None)
    assert rg.diff(base, other).to_dataset()["step"].values.tolist() == ["market and scenarios"]


def test_diff__of_two_what_ifs_needs_no_common_case(base):
    one, other = (rg.what_if(base, {"resize": {EVERY[4]: size}}) for size in (5.0, 6.0))
    table = rg.diff(one, other).to_dataset()
    assert table["step"].values.tolist() == ["trades amended"]


def test_diff__of_a_run_by_other_code_begins_with_this_code(base, tmp_path):
    old = rg.run(BOOK, made.market(), made.scenarios(), store=tmp_path, progress=None)
    manifest = {**old.manifest, "code": "0" * 40}
    old.store.catalogue.finish(old.run_id, "complete", result_id=old.result_id, seconds=0.0, manifest=manifest)
    old = rg.open_run(old.run_id, store=tmp_path)
    found = rg.diff(old, base).to_dataset()
    assert found["step"].values.tolist() == ["this code"]
    assert found["value_at_risk"].values.tolist() == [[0.0]]
    assert rg.diff(base, old).to_dataset()["step"].values.tolist() == ["code of the second run"]
    listed = old.store.catalogue.list(served=False)
    assert [row.run_id for row in listed] == [old.run_id]  # what a diff needs is nobody's next run


def test_diff__calls_runs_by_their_names_where_they_have_one(base):
    book = Changes(drop=EVERY[:3]).portfolio(BOOK)
    named = rg.run(book, made.market(), made.scenarios(), store=base.store, progress=None, name="hedged")
    nodes, total = rg.diff(base, named, by="desk"), rg.diff(base, named)
    assert nodes.sections()[0].title == "From run base to hedged, USD"
    assert {"base", "hedged", "trades dropped"} == {column.unit for column in nodes.sections()[0].columns}
    assert [row.name for row in total.sections()[0].rows] == ["Run base", "trades dropped", "Run hedged"]


def test_diff__of_runs_that_share_their_name_tells_them_apart_by_id(base):
    book = Changes(drop=EVERY[:2]).portfolio(BOOK)
    other = rg.run(book, made.market(), made.scenarios(), store=base.store, progress=None, name="base")
    assert rg.diff(base, other).sections()[0].title == f"From run {base.run_id} to {other.run_id}, USD"
