import concurrent.futures
import errno
import os
import pickle

import numpy as np
import pytest

from riskgrid.errors import DamagedObject, StoreError
from riskgrid.store import Store, objects

KEY = "ab" + "0" * 38
OTHER = "cd" * 20
ARRAYS = {"x": np.arange(4.0)}


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


def files(store):
    return sorted(path.name for path in store.root.rglob("*") if path.is_file())


def test_object__comes_back_as_it_was_put(store):
    size = store.put("blocks", KEY, {"a": 1}, ARRAYS)
    found = store.get("blocks", KEY)
    assert found.meta == {"a": 1}
    assert found.arrays["x"].tolist() == [0.0, 1.0, 2.0, 3.0]
    assert size == store.path("blocks", KEY).stat().st_size
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
def test_put__that_fails_says_why_and_leaves_nothing(store, monkeypatch, number, sentence, step):
    def fail(*_, **__):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(objects if step == "_write_all" else os, step, fail)
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


def test_put__that_is_interrupted_leaves_nothing(store, monkeypatch):
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
    assert objects._write_all(file, b"0123456789") == 10
    assert file.taken == b"0123456789"


def test_put__of_one_key_at_once_from_many_threads_is_one_whole_object(store):
    arrays = {"x": np.arange(50_000.0)}
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        sizes = list(pool.map(lambda _: store.put("blocks", KEY, {"a": 1}, arrays), range(32)))
    assert files(store) == [KEY]
    assert max(sizes) == store.path("blocks", KEY).stat().st_size
    np.testing.assert_array_equal(store.get("blocks", KEY).arrays["x"], arrays["x"])


def test_put__works_where_folders_cannot_be_synced(store, monkeypatch):
    monkeypatch.delattr(os, "O_DIRECTORY")
    assert store.put("blocks", KEY, {}, ARRAYS) > 0


@pytest.mark.parametrize("count", [3, 63, 64, 200])
def test_has__finds_few_and_many_keys(store, count):
    keys = [f"{at % 7:02x}{at:038x}" for at in range(count)]
    for key in keys[::2]:
        store.put("sums", key, {}, {})
    folder = store.path("sums", keys[0]).parent
    (folder / f".{keys[1]}.partial").write_bytes(b"")
    absent = [f"ff{at:038x}" for at in range(count)]
    assert store.has("sums", [*keys, *absent]) == set(keys[::2])
    assert store.has("blocks", keys) == set()


def test_has__says_where_a_folder_cannot_be_listed(store):
    keys = [f"00{at:038x}" for at in range(100)]
    place = store.root / "sums" / "00"
    place.parent.mkdir(parents=True)
    place.write_text("a file where a folder should be")
    with pytest.raises(StoreError, match=f"cannot read {place}: "):
        store.has("sums", keys)


def test_get__of_what_is_not_there_names_it(store):
    with pytest.raises(StoreError, match=f"no object '{KEY}' of kind 'plans' in the store {store.root}"):
        store.get("plans", KEY)


@pytest.mark.parametrize("content", [b"", b"no array", b"\x93NUMPY\x01\x00"])
def test_get__of_a_damaged_file_names_it(store, content):
    path = store.path("blocks", KEY)
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    store.put("blocks", OTHER, {}, ARRAYS)
    with pytest.raises(DamagedObject, match=f"{path} is damaged .+; ask the same question again, it is made anew"):
        store.get("blocks", KEY)
    assert store.discard_damaged("blocks", [KEY, OTHER, "00"]) == {KEY}
    assert store.has("blocks", [KEY, OTHER]) == {OTHER}


def test_discard__forgets_and_does_not_mind_what_is_not_there(store):
    store.put("cells", KEY, {}, ARRAYS)
    store.discard("cells", KEY)
    store.discard("cells", KEY)
    assert not store.has("cells", [KEY])


def test_discard__says_why_it_cannot(store):
    store.path("cells", KEY).mkdir(parents=True)
    with pytest.raises(StoreError, match="cannot remove"):
        store.discard("cells", KEY)


def test_store__is_the_same_store_at_the_same_place(store):
    back = pickle.loads(pickle.dumps(store))
    assert back == store
    assert hash(back) == hash(store)
    assert store != Store(store.root.parent)
    assert store != store.root
    assert Store("~/x").root.is_absolute()


def test_check_writable__makes_the_folder_and_leaves_nothing(store):
    store.check_writable()
    assert store.root.is_dir()
    assert files(store) == []
    assert store.free_bytes() > 0


def test_check_writable__says_where_it_cannot_write(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot write"):
        Store(tmp_path / "file" / "store").check_writable()


def test_put__that_need_not_be_durable_finds_out_a_flipped_bit_and_writes_again(store):
    size = store.put("panels", KEY, {}, ARRAYS, durable=False)
    assert size > 0
    assert store.put("panels", KEY, {}, ARRAYS, durable=False) == 0
    path = store.path("panels", KEY)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(DamagedObject, match="its checksum is another than when it was written"):
        store.get("panels", KEY)
    assert store.put("panels", KEY, {}, ARRAYS, durable=False) == size
    assert store.get("panels", KEY).arrays.keys() == ARRAYS.keys()
