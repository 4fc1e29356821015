"""A store that refuses, once or for good, and objects of it that are damaged."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from riskgrid.cluster import Threads, connect
from riskgrid.engine import again, task
from riskgrid.errors import StoreError
from riskgrid.store import Store
from tests.faults import deadly


class Flaky:
    """``os.fsync`` that fails at these calls."""

    def __init__(self, number: int, calls: range) -> None:
        self.number, self.calls, self.made = number, calls, 0
        self._sync = os.fsync

    def __call__(self, handle: int) -> None:
        self.made += 1
        if self.made - 1 in self.calls:
            raise OSError(self.number, os.strerror(self.number))
        self._sync(handle)


@pytest.fixture(autouse=True)
def hasty(monkeypatch):
    monkeypatch.setattr(again, "PAUSES", (0.01, 0.01, 0.01))
    monkeypatch.setattr(task, "_FEW", 1)  # the blocks of these tests are small


@pytest.mark.parametrize("number", [errno.EIO, errno.ESTALE, errno.ETIMEDOUT])
def test_a_store_that_refuses_for_a_moment_is_asked_again_and_the_run_says_so(store, other, monkeypatch, number):
    monkeypatch.setattr(os, "fsync", Flaky(number, range(1, 4)))
    told = []
    found = deadly.executed(store, Threads(1), deadly.book(), notice=lambda kind, facts: told.append((kind, facts)))
    assert [kind for kind, _ in told] == ["store"] * 3
    assert os.strerror(number) in told[0][1]["reason"]
    assert found.failed == {}
    assert deadly.bits(found) == deadly.bits(deadly.executed(other, Threads(1), deadly.book()))


def test_a_store_that_refuses_for_good_stops_the_run_after_a_few_attempts(store, other, monkeypatch):
    sync = Flaky(errno.EIO, range(4, 10**6))
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", sync)
        with pytest.raises(StoreError, match=r"cannot write .*Input/output error") as caught:
            deadly.executed(store, Threads(1), deadly.book())
    assert caught.value.transient
    left = deadly.block_files(store)
    assert len(left) > 0
    assert sync.made <= 4 + 2 * 4  # two tasks may have been on their way
    found = deadly.executed(store, Threads(1), deadly.book())
    assert found.found == len(left)
    assert deadly.bits(found) == deadly.bits(deadly.executed(other, Threads(1), deadly.book()))


def test_a_full_disk_is_not_asked_again(store, monkeypatch):
    sync = Flaky(errno.ENOSPC, range(10**6))
    monkeypatch.setattr(os, "fsync", sync)
    with pytest.raises(StoreError, match="the disk is full") as caught:
        deadly.executed(store, Threads(1), deadly.book(10))
    assert not caught.value.transient
    assert sync.made <= 2


@pytest.mark.slow
@pytest.mark.usefixtures("forked")
def test_a_store_error_of_another_process_stops_the_run_with_its_reason(store, other):
    book = deadly.book(200, seconds=0.01)
    blocks = Path(store.root) / "blocks"

    def refuse():
        blocks.rename(blocks.with_name("gone"))
        blocks.touch()  # where a folder belongs

    deadly.when(store, 3, refuse)
    with connect("processes:2") as workers, pytest.raises(StoreError, match=r"cannot (write|read) .*blocks"):
        deadly.executed(store, workers, book)
    blocks.unlink()
    blocks.with_name("gone").rename(blocks)
    left = deadly.block_files(store)
    for key in left:
        store.check("blocks", key)
    found = deadly.executed(store, Threads(2), book)
    assert found.found == len(left) > 2
    assert deadly.bits(found) == deadly.bits(deadly.executed(other, Threads(2), book))


@pytest.mark.usefixtures("forked")
@pytest.mark.parametrize("kind", ["blocks", "sums"])
@pytest.mark.parametrize("where", ["threads:1", pytest.param("processes:1", marks=pytest.mark.slow)])
def test_what_is_damaged_is_made_anew_and_the_run_says_so(store, kind, where):
    first = deadly.executed(store, Threads(1), deadly.book(300), cells=2)
    path = store.path(kind, sorted(first.used[kind])[0])
    content = bytearray(path.read_bytes())
    content[-100] ^= 1
    path.chmod(path.stat().st_mode | stat.S_IWUSR)
    path.write_bytes(content)
    told = []
    with connect(where) as workers:
        # of other cells, so that sums of stored blocks are made; or of the same, so that those are read
        found = deadly.executed(
            Store(store.root),
            workers,
            deadly.book(300),
            cells=3 if kind == "blocks" else 2,
            notice=lambda word, facts: told.append((word, facts)),
        )
    assert [word for word, _ in told] == ["damaged"]
    assert told[0][1]["what"] == ("the ticks" if kind == "blocks" else "the sums")
    assert told[0][1]["block"] in first.used["blocks"]
    assert found.priced == (1 if kind == "blocks" else 0)
    assert found.priced + found.found == first.priced
    assert len(found.notices) == 1
    assert found.sums.pnl.sum(axis=0).tolist() == first.sums.pnl.sum(axis=0).tolist()
