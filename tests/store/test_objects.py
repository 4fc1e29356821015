import concurrent.futures
import errno
import os
import pickle
import time

import numpy as np
import pytest

from riskgrid.errors import DamagedObject, StoreError
from riskgrid.store import KINDS, Store, folder
from tests.buckets import overwrite, stored_bytes

KEY = "ab" + "0" * 38
OTHER = "cd" * 20
ARRAYS = {"x": np.arange(4.0)}


@pytest.fixture
def store(place):
    return Store(place)


@pytest.fixture
def folder_store(tmp_path):
    return Store(tmp_path / "store")


def files(store):
    kept = [entry.key for kind in KINDS for entry in store.list(kind)]
    return sorted([*kept, *(path.name for path, _ in store.backend.leftovers())])


def test_object__comes_back_as_it_was_put(store):
    size = store.put("blocks", KEY, {"a": 1}, ARRAYS)
    found = store.get("blocks", KEY)
    assert found.meta == {"a": 1}
    assert found.arrays["x"].tolist() == [0.0, 1.0, 2.0, 3.0]
    assert size == len(stored_bytes(store, "blocks", KEY))
    (entry,) = store.list("blocks")
    assert (entry.key, entry.size) == (KEY, size)
    assert abs(entry.modified - time.time()) < 60.0
    assert files(store) == [KEY]


def test_put__leaves_what_is_there_alone(store):
    store.put("blocks", KEY, {"a": 1}, ARRAYS)
    assert store.put("blocks", KEY, {"a": 2}, ARRAYS) == 0
    assert store.get("blocks", KEY).meta == {"a": 1}


@pytest.mark.parametrize(
    ("number", "sentence"),
    [
        (errno.ENOSPC, "the disk is full; free some space or set RISKGRID_HOME to another folder"),
        (errno.EDQUOT, "the disk quota is used up; free some space"),
        (errno.EACCES, "no permission; set RISKGRID_HOME to a folder this user may write to"),
        (errno.EPERM, "no permission; set RISKGRID_HOME"),
        (errno.EROFS, "the file system is read-only; set RISKGRID_HOME"),
        (errno.EIO, os.strerror(errno.EIO)),
    ],
)
@pytest.mark.parametrize("step", ["fsync", "open", "_write_all"])
def test_put__that_fails_says_why_and_leaves_nothing(folder_store, monkeypatch, number, sentence, step):
    store = folder_store

    def fail(*_, **__):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(folder if step == "_write_all" else os, step, fail)
    with pytest.raises(StoreError, match=f"cannot write {store.path('blocks', KEY)}: .*{sentence}"):
        store.put("blocks", KEY, {}, ARRAYS)
    monkeypatch.undo()
    # what failed before the file had its name is as if it had never been tried
    assert files(store) == ([KEY] if step == "open" else [])
    assert store.put("blocks", KEY, {}, ARRAYS) == (0 if step == "open" else store.path("blocks", KEY).stat().st_size)


@pytest.mark.parametrize("wrong", [({}, {"x": np.array([object()])}), ({"x": object()}, {})])
def test_put__of_what_cannot_be_stored_leaves_nothing(store, wrong):
    with pytest.raises(TypeError):
        store.put("blocks", KEY, *wrong)
    assert files(store) == []


def test_put__that_is_interrupted_leaves_nothing(folder_store, monkeypatch):
    store = folder_store

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        store.put("blocks", KEY, {}, ARRAYS)
    assert files(store) == []


def test_put__writes_on_where_the_system_takes_less_than_it_was_given():
    class Slow:
        def __init__(self):
            self.taken = b""

        def write(self, view):
            self.taken += bytes(view[:3])
            return len(view[:3])

    file = Slow()
    assert folder._write_all(file, b"0123456789") == 10
    assert file.taken == b"0123456789"


def test_put__of_one_key_at_once_from_many_threads_is_one_whole_object(store):
    arrays = {"x": np.arange(50_000.0)}
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        sizes = list(pool.map(lambda _: store.put("blocks", KEY, {"a": 1}, arrays), range(32)))
    assert files(store) == [KEY]
    assert max(sizes) == len(stored_bytes(store, "blocks", KEY))
    np.testing.assert_array_equal(store.get("blocks", KEY).arrays["x"], arrays["x"])


def test_put__works_where_folders_cannot_be_synced(folder_store, monkeypatch):
    monkeypatch.delattr(os, "O_DIRECTORY")
    assert folder_store.put("blocks", KEY, {}, ARRAYS) > 0


@pytest.mark.parametrize("count", [3, 63, 64, 200])
def test_has__finds_few_and_many_keys(store, count):
    keys = [f"{at % 7:02x}{at:038x}" for at in range(count)]
    for key in keys[::2]:
        store.put("sums", key, {}, {})
    if not store.remote:
        (store.path("sums", keys[0]).parent / f".{keys[1]}.partial").write_bytes(b"")
    absent = [f"ff{at:038x}" for at in range(count)]
    assert store.has("sums", [*keys, *absent]) == set(keys[::2])
    assert store.has("blocks", keys) == set()


def test_has__says_where_a_folder_cannot_be_listed(folder_store):
    keys = [f"00{at:038x}" for at in range(100)]
    place = folder_store.root / "sums" / "00"
    place.parent.mkdir(parents=True)
    place.write_text("a file where a folder should be")
    with pytest.raises(StoreError, match=f"cannot read {place}: "):
        folder_store.has("sums", keys)


def test_get__of_what_is_not_there_names_it(store):
    with pytest.raises(StoreError, match=f"no object '{KEY}' of kind 'plans' in the store {store.where}"):
        store.get("plans", KEY)


@pytest.mark.parametrize("content", [b"", b"no array", b"\x93NUMPY\x01\x00"])
def test_get__of_a_damaged_file_names_it(store, content):
    store.backend.put("blocks", KEY, [content], durable=True)
    store.put("blocks", OTHER, {}, ARRAYS)
    place = store.backend.name("blocks", KEY)
    with pytest.raises(DamagedObject, match=f"{place} is damaged .+; ask the same question again, it is made anew"):
        store.get("blocks", KEY)
    assert store.discard_damaged("blocks", [KEY, OTHER, "00"]) == {KEY}
    assert store.has("blocks", [KEY, OTHER]) == {OTHER}


def test_discard__forgets_and_does_not_mind_what_is_not_there(store):
    store.put("cells", KEY, {}, ARRAYS)
    store.discard("cells", KEY)
    store.discard("cells", KEY)
    assert not store.has("cells", [KEY])


def test_discard__says_why_it_cannot(folder_store):
    folder_store.path("cells", KEY).mkdir(parents=True)
    with pytest.raises(StoreError, match="cannot remove"):
        folder_store.discard("cells", KEY)


def test_store__is_the_same_store_at_the_same_place(store):
    back = pickle.loads(pickle.dumps(store))
    assert back == store
    assert hash(back) == hash(store)
    assert store != Store(f"{store.where}/deeper")
    assert store != store.where
    assert store.where in repr(store)
    assert Store("~/x").root.is_absolute()


def test_check_writable__makes_the_folder_and_leaves_nothing(store):
    store.check_writable()
    assert store.remote or store.root.is_dir()
    assert files(store) == []
    assert store.free_bytes() is None if store.remote else store.free_bytes() > 0


def test_check_writable__says_where_it_cannot_write(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot write"):
        Store(tmp_path / "file" / "store").check_writable()


def test_put__that_need_not_be_durable_finds_out_a_flipped_bit_and_writes_again(folder_store):
    size = folder_store.put("panels", KEY, {}, ARRAYS, durable=False)
    assert size > 0
    assert folder_store.put("panels", KEY, {}, ARRAYS, durable=False) == 0
    path = folder_store.path("panels", KEY)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(DamagedObject, match="its checksum is another than when it was written"):
        folder_store.get("panels", KEY)
    assert folder_store.put("panels", KEY, {}, ARRAYS, durable=False) == size
    assert folder_store.get("panels", KEY).arrays.keys() == ARRAYS.keys()


def flip(content, back=1):
    changed = bytearray(content)
    changed[-back] ^= 16
    return bytes(changed)


TICKS = np.arange(12, dtype=np.int32).reshape(3, 4)


@pytest.fixture
def damaged(store):
    """A block whose last row has a flipped bit."""
    store.put("blocks", KEY, {}, {**ARRAYS, "ticks": TICKS})
    overwrite(store, "blocks", KEY, flip)
    return store


def test_rows__are_verified_by_whoever_reads_them_and_no_others(damaged):
    found = damaged.get("blocks", KEY)
    assert found.arrays["x"].tolist() == [0.0, 1.0, 2.0, 3.0]
    assert found.rows("ticks", np.array([1, 0, 1])).tolist() == [[4, 5, 6, 7], [0, 1, 2, 3], [4, 5, 6, 7]]
    assert found.verified("ticks", np.array([0]))[0].tolist() == [0, 1, 2, 3]
    assert damaged.has("blocks", [KEY])
    for read in (
        lambda: found.rows("ticks", np.array([2, 0])),
        lambda: found.verified("ticks", np.array([2])),
        lambda: found.whole("ticks"),
        found.check,
    ):
        with pytest.raises(DamagedObject, match=r"\(row 2 of 'ticks' is not what was written\); ask the same question"):
            read()


def test_whole__says_how_many_rows_are_damaged(store):
    store.put("blocks", KEY, {}, {"ticks": TICKS})
    overwrite(store, "blocks", KEY, lambda content: flip(flip(content, 1), 17))
    with pytest.raises(DamagedObject, match=r"row 1 of 'ticks' and 1 more are not what was written"):
        store.get("blocks", KEY).whole("ticks")


def test_block__with_a_damaged_row_is_thrown_away_by_its_reader(damaged):
    with pytest.raises(DamagedObject):
        damaged.get("blocks", KEY).whole("ticks")
    assert not damaged.has("blocks", [KEY])
    assert damaged.put("blocks", KEY, {}, {**ARRAYS, "ticks": TICKS}) > 0
    assert damaged.get("blocks", KEY).whole("ticks").tolist() == TICKS.tolist()


def test_check__finds_every_damage_and_throws_nothing_away(damaged):
    with pytest.raises(DamagedObject, match="row 2 of 'ticks'"):
        damaged.check("blocks", KEY)
    assert damaged.has("blocks", [KEY])
    damaged.put("cells", KEY, {}, ARRAYS)
    damaged.check("cells", KEY)
    overwrite(damaged, "cells", KEY, flip)
    with pytest.raises(DamagedObject, match="its checksum is another"):
        damaged.check("cells", KEY)
    with pytest.raises(StoreError, match="no object"):
        damaged.check("cells", OTHER)


def test_read__of_a_store_that_may_not_be_written_names_the_damage_all_the_same(damaged, monkeypatch):
    def refused(*_):
        raise StoreError("read-only")

    found = damaged.get("blocks", KEY)
    monkeypatch.setattr(type(damaged.backend), "remove", refused)
    with pytest.raises(DamagedObject, match="row 2"):
        found.whole("ticks")


@pytest.mark.parametrize("kind", sorted(set(KINDS) - {"blocks", "pieces"}))
def test_get__of_all_but_blocks_and_pieces_is_safe_from_a_file_that_is_cut_short_later(folder_store, kind):
    folder_store.put(kind, KEY, {}, {"x": np.arange(100_000.0)})
    found = folder_store.get(kind, KEY)
    os.truncate(folder_store.path(kind, KEY), 10)
    assert found.arrays["x"].sum() == sum(range(100_000))


@pytest.mark.parametrize("kind", KINDS)
def test_get__of_a_file_that_was_cut_short_is_refused_at_once(folder_store, kind):
    folder_store.put(kind, KEY, {}, {"ticks": TICKS})
    path = folder_store.path(kind, KEY)
    os.truncate(path, path.stat().st_size - 4096 if path.stat().st_size > 8192 else path.stat().st_size - 1)
    with pytest.raises(DamagedObject, match="bytes of arrays where"):
        folder_store.get(kind, KEY)
