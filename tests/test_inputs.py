import dataclasses
import tempfile

import numpy as np
import pytest

from riskgrid import inputs
from riskgrid.errors import DamagedObject, StoreError, UnknownName
from riskgrid.inputs import (
    described,
    keep,
    kept,
    load_portfolio,
    load_scenarios,
    load_snapshot,
    object_of,
    save_inputs,
    whole_inputs,
)
from riskgrid.portfolio import Portfolio
from riskgrid.scenarios import set as scenario_set
from riskgrid.spec import read_spec
from riskgrid.store import Store
from riskgrid.whatif import what_if
from tests.run import made

BOOK, MARKET, SCENARIOS = made.portfolio(5), made.market(), made.scenarios(count=3)
DIGEST = scenario_set.digest(SCENARIOS)


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path)


def saved(store):
    return save_inputs(store, BOOK, MARKET, SCENARIOS, DIGEST)


def test_inputs__come_back_with_the_same_digests(store):
    keys = saved(store)
    assert set(keys) == {"portfolio", "market", "scenarios"}
    assert load_portfolio(store, keys["portfolio"]).digest == BOOK.digest
    assert load_snapshot(store, keys["market"]).digest == MARKET.digest
    assert scenario_set.digest(load_scenarios(store, keys["scenarios"])) == DIGEST


def test_inputs__are_kept_once(store):
    keys = saved(store)
    before = sorted(path.stat().st_ino for path in store.root.rglob("*"))
    assert saved(store) == keys
    assert sorted(path.stat().st_ino for path in store.root.rglob("*")) == before
    assert len(list(store.root.glob("inputs/*/*"))) == 3


@pytest.mark.parametrize("load", [load_portfolio, load_snapshot, load_scenarios])
def test_load__of_what_is_not_there_names_it(store, load):
    with pytest.raises(StoreError, match=f"the store {store.root} has no .* 'abcdefabcdef'"):
        load(store, "abcdefabcdef0123")


def test_save__that_fails_leaves_nothing(store):
    def fails(folder):
        (folder / "half").write_text("half")
        raise OSError(28, "No space left on device")

    with pytest.raises(StoreError, match=r"cannot write .*the disk is full; free some space"):
        inputs._keep(store, "market", "ab12", fails)
    assert [path for path in store.root.rglob("*") if path.is_file()] == []


def tampered(store, what, key, **files):
    """Keeps other content under the key of an input, as somebody would who may write to the store."""
    stored = store.get("inputs", object_of(what, key))
    content = {**stored.arrays, **{name: np.frombuffer(raw, np.uint8) for name, raw in files.items()}}
    store.discard("inputs", object_of(what, key))
    store.put("inputs", object_of(what, key), {}, content)


@pytest.mark.parametrize(
    ("what", "load", "other"),
    [
        ("portfolio", load_portfolio, {"portfolio": made.portfolio(6)}),
        ("market", load_snapshot, {"market": dataclasses.replace(MARKET, levels=MARKET.levels * 1.0000001)}),
        ("scenarios", load_scenarios, {"scenarios": made.scenarios(count=4)}),
    ],
)
def test_load__names_an_input_that_is_another_than_was_kept(store, tmp_path, what, load, other):
    keys = saved(store)
    changed = {"portfolio": BOOK, "market": MARKET, "scenarios": SCENARIOS, **other}
    elsewhere = Store(tmp_path / "elsewhere")
    theirs = save_inputs(elsewhere, *changed.values(), scenario_set.digest(changed["scenarios"]))
    content = elsewhere.get("inputs", object_of(what, theirs[what])).arrays
    store.discard("inputs", object_of(what, keys[what]))
    store.put("inputs", object_of(what, keys[what]), {}, content)
    with pytest.raises(DamagedObject, match=f"the {what} '{keys[what][:12]}' is not what was kept"):
        load(store, keys[what])


def test_load__names_an_input_whose_files_say_nothing(store):
    keys = saved(store)
    tampered(store, "market", keys["market"], **{"snapshot.yaml": b"{", "market.yaml": b"{", "conventions.yaml": b"{"})
    with pytest.raises(DamagedObject, match=f"the market '{keys['market'][:12]}' is not what was kept"):
        load_snapshot(store, keys["market"])


@pytest.mark.parametrize("damage", [lambda raw: raw[:-1], lambda raw: raw[:-1] + bytes([raw[-1] ^ 1]), lambda raw: b""])
def test_input__that_is_damaged_is_found_out_and_kept_anew(store, damage):
    keys = saved(store)
    path = store.path("inputs", object_of("portfolio", keys["portfolio"]))
    content = path.read_bytes()
    assert whole_inputs(store, keys)
    path.write_bytes(damage(content))
    with pytest.raises(DamagedObject, match=r"is damaged \(.*; ask the same question again, it is made anew"):
        load_portfolio(store, keys["portfolio"])
    assert not whole_inputs(store, keys)
    saved(store)
    assert path.read_bytes() == content
    path.write_bytes(damage(content))
    saved(store)
    assert load_portfolio(store, keys["portfolio"]).digest == BOOK.digest


def test_portfolio__without_trades_comes_back(store):
    nothing = Portfolio({})
    keys = save_inputs(store, nothing, MARKET, SCENARIOS, DIGEST)
    assert load_portfolio(store, keys["portfolio"]).digest == nothing.digest


def test_loading__leaves_no_folder_behind(store, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "scratch"))
    (tmp_path / "scratch").mkdir()
    keys = saved(store)
    load_snapshot(store, keys["market"])
    assert list((tmp_path / "scratch").iterdir()) == []


def test_keep__gives_an_input_a_name_that_the_latest_one_has(tmp_path):
    store = Store(tmp_path)
    first = keep(made.market(), "month end", store=store)
    assert kept("market", "month end", store=store) == made.market()
    later = made.market({"equity:SPX": 2200.0})
    second = keep(later, "month end", store=store)
    assert first != second
    assert kept("market", "month end", store=store) == later
    keep(made.portfolio(20), "book", store=store)
    keep(made.scenarios(), "year", store=store)
    assert kept("portfolio", "book", store=store).digest == made.portfolio(20).digest
    assert described(kept("scenarios", "year", store=store)) == described(made.scenarios())
    with pytest.raises(UnknownName, match="unknown named market 'month'; did you mean 'month end'"):
        kept("market", "month", store=store)


def test_keep__is_found_by_specs_and_changes(tmp_path):
    store = Store(tmp_path / "store")
    for given, name in ((made.portfolio(20), "book"), (made.market(), "today"), (made.scenarios(), "year")):
        keep(given, name, store=store)
    keep(made.market({"equity:SPX": 2200.0}), "tomorrow", store=store)
    (tmp_path / "run.yaml").write_text(
        "portfolio: {kept: book}\nmarket: {kept: today}\nscenarios: {kept: year}\n"
        f"run: {{store: {store.where}, cut: 16}}\n"
    )
    run = read_spec(tmp_path / "run.yaml").execute()
    assert run.portfolio.digest == made.portfolio(20).digest
    child = what_if(run, {"snapshot": "tomorrow"})
    assert child.market.level("equity:SPX") == 2200.0
