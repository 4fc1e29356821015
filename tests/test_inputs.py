import pytest

from riskgrid import inputs
from riskgrid.errors import DamagedObject, StoreError
from riskgrid.inputs import load_portfolio, load_scenarios, load_snapshot, save_inputs
from riskgrid.scenarios import set as scenario_set
from riskgrid.store import Store
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
    before = sorted(path.stat().st_mtime_ns for path in store.root.rglob("*"))
    assert saved(store) == keys
    assert sorted(path.stat().st_mtime_ns for path in store.root.rglob("*")) == before
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


def test_save__yields_to_another_process_that_was_faster(store):
    folder = store.path("inputs", "ab12-market")

    def slowly(partial):
        (partial / "mine").write_text("")
        folder.mkdir()
        (folder / "theirs").write_text("")
        inputs._seal(folder)

    inputs._keep(store, "market", "ab12", slowly)
    assert sorted(path.name for path in folder.iterdir()) == [".files.json", "theirs"]
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


def test_folder__with_a_file_gone_or_cut_short_is_kept_anew(store):
    folder = store.path("inputs", "ab12-market")
    for damage in ((folder / "one").unlink, lambda: (folder / "one").write_text("12")):
        inputs._keep(store, "market", "ab12", lambda partial: (partial / "one").write_text("123"))
        assert inputs.whole_inputs(store, {"market": "ab12"})
        damage()
        assert not inputs.whole_inputs(store, {"market": "ab12"})
        with pytest.raises(DamagedObject, match="is damaged; ask the same question again"):
            inputs._folder(store, "market", "ab12")
    inputs._keep(store, "market", "ab12", lambda partial: (partial / "one").write_text("123"))
    assert (folder / "one").read_text() == "123"


def test_save__says_why_a_folder_cannot_take_its_name(store):
    folder = store.path("inputs", "ab12-market")
    with pytest.raises(StoreError, match="cannot write"):
        inputs._keep(store, "market", "ab12", lambda partial: partial.rmdir())
    assert not folder.exists()
