"""What only a store in a bucket does: copies on this machine, and sentences for what a network does."""

import os
import pickle
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import numpy as np
import pytest

from riskgrid.errors import BadSpec, DamagedObject, StoreError
from riskgrid.store import Store, store_of
from riskgrid.store.copies import Copies
from tests.buckets import overwrite

KEY, OTHER = "ab" + "0" * 38, "cd" * 20
ARRAYS = {"x": np.arange(4.0)}


@pytest.fixture
def store(bucket):
    return Store(bucket)


def copies(store):
    return sorted(path.name for path in store.backend.copies.root.rglob("*") if path.is_file())


def elsewhere(store, tmp_path, monkeypatch):
    """The same store from another machine."""
    monkeypatch.setenv("RISKGRID_CACHE", str(tmp_path / "another machine"))
    return Store(store.where)


def test_object__is_read_through_a_copy_that_is_made_once(store, bucket):
    store.put("blocks", KEY, {"a": 1}, ARRAYS)
    assert copies(store) == []
    assert store.get("blocks", KEY).meta == {"a": 1}
    assert copies(store) == [KEY]
    path = store.backend.file("blocks", KEY)
    made = path.stat().st_ino
    assert Store(bucket).get("blocks", KEY).meta == {"a": 1}
    assert path.stat().st_ino == made


def test_has__asks_the_bucket_and_never_a_copy(store, tmp_path, monkeypatch):
    keys = [f"{at % 3:02x}{at:038x}" for at in range(40)]
    for key in keys:
        store.put("sums", key, {}, ARRAYS)
        store.get("sums", key)
    other = elsewhere(store, tmp_path, monkeypatch)
    for key in keys[::2]:
        other.discard("sums", key)
    assert len(copies(store)) == 40
    assert store.has("sums", keys) == set(keys[1::2])  # by listings
    assert store.has("sums", keys[:3]) == {keys[1]}  # one by one
    assert store.has("sums", keys[:1]) == set()
    assert store.put("sums", keys[0], {}, ARRAYS) > 0


def test_stores__of_other_prefixes_of_a_bucket_have_nothing_in_common(store):
    store.put("sums", KEY, {}, ARRAYS)
    beside, above = Store(f"{store.where}-2"), Store(store.where.rpartition("/")[0])
    assert not beside.has("sums", [KEY])
    assert not list(above.list("sums"))
    with pytest.raises(StoreError, match=f"no object '{KEY}' of kind 'sums' in the store {beside.where}"):
        beside.get("sums", KEY)
    assert [entry.key for entry in store.list("sums")] == [KEY]


def test_list__goes_on_beyond_one_page_of_the_service(store):
    backend = store.backend
    for at in range(1005):
        backend._obstore.put(backend._store, f"reads/{at % 16:02x}/{at:040x}", b"1")
    assert len({entry.key for entry in store.list("reads")}) == 1005


def test_copy__that_is_damaged_alone_is_made_again(store):
    store.put("cells", KEY, {}, ARRAYS)
    store.get("cells", KEY)
    path = store.backend.file("cells", KEY)
    whole = path.read_bytes()
    for damage in (whole[:-1], whole[:-1] + b"\1", b""):
        path.write_bytes(damage)
        assert store.get("cells", KEY).arrays["x"].tolist() == [0.0, 1.0, 2.0, 3.0]
        assert path.read_bytes() == whole


def test_object__that_is_damaged_in_the_bucket_is_named_by_its_url(store):
    store.put("cells", KEY, {}, ARRAYS)
    overwrite(store, "cells", KEY, lambda content: content[:-1])
    with pytest.raises(DamagedObject, match=f"{store.where}/cells/ab/{KEY} is damaged"):
        store.get("cells", KEY)
    assert store.discard_damaged("cells", [KEY]) == {KEY}
    assert copies(store) == []


def test_copy__that_another_process_removed_is_fetched_again(store, monkeypatch):
    store.put("cells", KEY, {}, ARRAYS)
    found, gone = store.backend.copies.found, []
    assert Store(store.where).backend is store.backend

    def removed_at_once(kind, key):
        path = found(kind, key)
        if path is not None and not gone:
            gone.append(path.unlink())
        return path

    store.get("cells", KEY)
    monkeypatch.setattr(store.backend.copies, "found", removed_at_once)
    assert store.get("cells", KEY).arrays.keys() == {"x"}
    assert gone


def test_copies__used_longest_ago_make_room_for_others(tmp_path):
    roomy, kept = Copies(tmp_path, 100_000), Copies(tmp_path, 10_000)
    now = time.time()
    for at in range(12):
        path = roomy.keep("blocks", f"{at:02x}", [b"x" * 1000])
        os.utime(path, (now - 1000 + at, now - 1000 + at))
    used = kept.found("blocks", "00")
    kept.make_room()
    left = sorted(path.name for path in tmp_path.rglob("*") if path.is_file())
    assert left == ["00", "04", "05", "06", "07", "08", "09", "0a", "0b"]
    assert used.exists()


def test_copies__of_other_processes_are_counted_before_the_first_is_made(tmp_path):
    earlier = Copies(tmp_path, 5_000)
    for at in range(5):
        path = earlier.keep("blocks", f"{at:02x}", [b"x" * 900])
        os.utime(path, (0, 0))
    Copies(tmp_path, 5_000).keep("blocks", "ff", [b"x" * 900])
    assert sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file()) <= 4_500


def test_copies__in_use_stay_even_where_there_is_no_room(tmp_path):
    kept = Copies(tmp_path, 100)
    path = kept.keep("blocks", "ab", [b"x" * 1000])
    kept.make_room()
    assert path.exists()


def test_copies__half_written_by_a_killed_process_go_after_an_hour(tmp_path):
    kept = Copies(tmp_path, 100)
    half = tmp_path / "blocks" / "ab" / ".abcd.1.2.3"
    half.parent.mkdir(parents=True)
    half.write_bytes(b"x")
    kept.make_room()
    assert half.exists()
    os.utime(half, (0, 0))
    kept.make_room()
    assert not half.exists()


def test_copies__that_cannot_be_kept_say_what_to_set(tmp_path):
    (tmp_path / "blocks").write_text("a file where a folder should be")
    with pytest.raises(StoreError, match=r"cannot keep a copy .*; set RISKGRID_CACHE to a folder with room"):
        Copies(tmp_path, 100).keep("blocks", "abcd", [b"x"])
    assert not Copies(tmp_path, 100).forget("blocks", "abcd")


def sentence(failure):
    """What somebody is told, which must not hold a secret."""
    text = str(failure.value)
    assert "hidden" not in text
    assert failure.value.__cause__ is None
    assert failure.value.__suppress_context__
    return text


@pytest.mark.parametrize(
    "ask",
    [
        lambda store: store.check_writable(),
        lambda store: store.put("cells", KEY, {}, ARRAYS),
        lambda store: store.get("cells", KEY),
        lambda store: list(store.list("cells")),
    ],
)
def test_bucket__that_is_not_there_is_named(store, ask):
    missing = Store("s3://no-such-bucket/x")
    with pytest.raises(StoreError) as failure:
        ask(missing)
    place = os.environ["RISKGRID_S3_ENDPOINT"]
    assert sentence(failure) == f"there is no bucket 'no-such-bucket' at {place}; make it, or correct RISKGRID_STORE"
    assert not failure.value.transient


@pytest.mark.parametrize("verb", ["read", "write"])
def test_service__that_cannot_be_reached_is_named_within_its_time(bucket, monkeypatch, verb):
    monkeypatch.setenv("RISKGRID_S3_ENDPOINT", "http://user:hidden@127.0.0.1:9")
    monkeypatch.setenv("RISKGRID_S3_TIMEOUT", "1")
    begun = time.monotonic()
    with pytest.raises(StoreError) as failure:
        Store(bucket).has("cells", [KEY]) if verb == "read" else Store(bucket).check_writable()
    assert time.monotonic() - begun < 10.0
    assert f"cannot {verb} {bucket}: http://127.0.0.1:9 cannot be reached (no answer within 1 s" in sentence(failure)
    assert failure.value.transient


def test_service__that_never_answers_is_given_up(bucket, monkeypatch):
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        monkeypatch.setenv("RISKGRID_S3_ENDPOINT", f"http://127.0.0.1:{silent.getsockname()[1]}")
        monkeypatch.setenv("RISKGRID_S3_TIMEOUT", "0.5")
        begun = time.monotonic()
        with pytest.raises(StoreError, match="cannot be reached") as failure:
            Store(bucket).get("cells", KEY)
        assert time.monotonic() - begun < 10.0
        assert failure.value.transient


def test_access__that_is_denied_is_told_without_a_secret(store, s3_server, monkeypatch):
    def enforce(after):
        text = {"Content-Type": "text/plain"}
        asked = urllib.request.Request(f"{s3_server}/moto-api/reset-auth", str(after).encode(), text, method="POST")
        urllib.request.urlopen(asked).close()

    enforce(0)
    try:
        for verb, ask in {
            "write": lambda: store.put("cells", OTHER, {}, ARRAYS, durable=True),
            "read": lambda: store.get("cells", KEY),
        }.items():
            with pytest.raises(StoreError) as failure:
                ask()
            assert f"{os.environ['RISKGRID_S3_ENDPOINT']} denied it; AWS_ACCESS_KEY_ID and" in sentence(failure), verb
            assert not failure.value.transient
    finally:
        enforce(10**9)


@pytest.mark.parametrize("url", ["gs://bucket/x", "s3://", "s3://user:hidden@bucket/x", "http://bucket?key=hidden"])
def test_store__at_another_kind_of_url_is_refused(url):
    with pytest.raises(BadSpec, match="is no place for a store; a folder or s3://bucket/prefix is right") as failure:
        Store(url).check_writable()
    assert "hidden" not in str(failure.value)


def test_store__in_a_bucket_needs_the_extra(store, monkeypatch):
    monkeypatch.setitem(sys.modules, "obstore", None)
    store = Store(f"{store.where}/deeper")
    with pytest.raises(BadSpec, match=r"a store in a bucket is an extra; pip install 'riskgrid\[s3\]' installs it"):
        store.check_writable()


def test_store__in_a_bucket_says_that_it_needs_a_database(store, tmp_path, monkeypatch):
    with pytest.raises(BadSpec, match="has no database of runs of its own; set RISKGRID_CATALOGUE to the URL of one"):
        _ = store.catalogue
    with pytest.raises(BadSpec, match="is no folder of this machine"):
        store.path("cells", KEY)
    database = f"sqlite:///{tmp_path / 'runs.sqlite'}"
    assert list(Store(store.where, database).catalogue.list()) == []
    monkeypatch.setenv("RISKGRID_CATALOGUE", database)
    for found in (store_of(store.where), pickle.loads(pickle.dumps(store_of(store.where)))):
        assert found == Store(store.where, database)
        assert list(found.catalogue.list()) == []


def test_store_of__nothing_is_the_store_of_the_settings(tmp_path, monkeypatch, bucket):
    monkeypatch.setenv("RISKGRID_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("RISKGRID_CATALOGUE", "sqlite:///runs.sqlite")
    assert store_of() == Store(tmp_path / "home", "sqlite:///runs.sqlite")
    assert store_of(tmp_path) == Store(tmp_path)
    monkeypatch.setenv("RISKGRID_STORE", bucket)
    assert store_of() == Store(bucket, "sqlite:///runs.sqlite")
    assert store_of(store_of()) == store_of()


def test_import__of_the_store_loads_no_object_store():
    told = "import sys, riskgrid.store; sys.exit('obstore' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", told], check=False, cwd=Path(__file__).parents[2]).returncode == 0
