"""What a killed process, a full disk or a damaged file costs: the unfinished blocks and nothing else."""

import errno
import os
import signal
import subprocess
import sys
import textwrap
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from riskgrid.cluster import Threads
from riskgrid.errors import BadSpec, DamagedObject, StoreError
from riskgrid.result import open_run
from riskgrid.running import run
from riskgrid.schema import Status
from riskgrid.store import Catalogue, Store
from tests.run import made

TRADES = 1500
SCRIPT = f"""
    import sys
    from riskgrid.running import run
    from tests.run import made
    run(made.portfolio({TRADES}, only=("equity_option",)), made.market(), made.scenarios(count=100), store=sys.argv[1],
        cluster="threads:2", cut=16)
"""


def block_files(root):
    return [path for path in (root / "blocks").glob("*/*") if not path.name.startswith(".")]


@pytest.mark.slow
def test_a_killed_run_is_finished_from_what_it_left(tmp_path):
    child = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(SCRIPT), str(tmp_path)], cwd=Path(__file__).parents[2]
    )
    deadline = time.monotonic() + 60.0
    while len(block_files(tmp_path)) < 10 and child.poll() is None and time.monotonic() < deadline:
        time.sleep(0.001)
    child.send_signal(signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL, "the run ended before it was killed"
    left = len(block_files(tmp_path))
    killed = Catalogue(tmp_path).list()[0]
    assert killed.status == "running"
    with pytest.raises(BadSpec, match="is running; wait for it "):
        open_run(killed.run_id, store=tmp_path)

    asked = (made.portfolio(TRADES, only=("equity_option",)), made.market(), made.scenarios(count=100))
    again = run(*asked, store=tmp_path, cluster="threads:2", cut=16)
    whole = run(*asked, store=tmp_path / "fresh", cluster="threads:2", cut=16)
    assert 10 <= left < whole.manifest["blocks"]["priced"]
    assert again.manifest["blocks"] == {
        "priced": whole.manifest["blocks"]["priced"] - left,
        "found": left,
        "failed": 0,
    }
    assert made.same_bits(whole, again)


def test_a_full_disk_stops_the_run_and_keeps_what_is_finished(finished, book, market, scenarios, tmp_path, monkeypatch):
    flush, calls = os.fsync, []

    def full(handle):
        calls.append(handle)
        if len(calls) > 30:
            raise OSError(errno.ENOSPC, "No space left on device")
        flush(handle)

    store = Store(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(
            StoreError, match=r"cannot write .*: the disk is full; free some space or set RISKGRID_HOME"
        ):
            run(book, market, scenarios, store=store, cluster="threads:1", cut=16)
    assert Catalogue(tmp_path).list()[0].status == "failed"
    assert not [path for path in tmp_path.rglob(".*") if path.is_file()], "a half-written object stayed"
    left = len(block_files(tmp_path))
    for path in block_files(tmp_path):
        store.get("blocks", path.name)
    again = run(book, market, scenarios, store=store, cluster="threads:1", cut=16)
    total = finished.manifest["blocks"]["priced"]
    assert 0 < left < total
    assert again.manifest["blocks"] == {"priced": total - left, "found": left, "failed": 0}
    assert made.same_bits(finished, again)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root may mount a small disk")
def test_a_small_disk_that_fills_up_says_so(book, market, scenarios, tmp_path):
    small = tmp_path / "small"
    small.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", str(small)], check=False, capture_output=True
    )
    if mounted.returncode:
        pytest.skip("this machine does not let root mount")
    try:
        with pytest.raises(StoreError, match="is full"):
            run(book, market, scenarios, store=small, cluster="threads:1", cut=16)
        subprocess.run(["mount", "-o", "remount,size=60m", str(small)], check=True)
        left = len(block_files(small))
        again = run(book, market, scenarios, store=small, cluster="threads:1", cut=16)
        assert again.manifest["blocks"]["found"] == left > 0
    finally:
        Catalogue(small).close()
        subprocess.run(["umount", "--lazy", str(small)], check=True)  # a block may still be mapped


@pytest.mark.parametrize("damage", [b"", b"not an array at all", None])
def test_a_damaged_block_is_named_in_a_sentence_and_priced_anew_when_asked_again(damage, market, tmp_path):
    question = made.portfolio(20, only=("equity",)), market, made.scenarios(count=3)
    done = run(*question, store=tmp_path)
    path = block_files(tmp_path)[0]
    content = path.read_bytes()
    path.unlink()
    path.write_bytes(content[: len(content) // 2] if damage is None else damage)
    with pytest.raises(DamagedObject, match=f"{path.name} is damaged .*; ask the same question again"):
        open_run(done.run_id, store=tmp_path).trade_table()
    again = run(*question, store=tmp_path)
    assert again.manifest["blocks"]["priced"] == 1
    assert path.read_bytes() == content
    assert made.same_bits(done, again)


@pytest.mark.parametrize("kind", ["cells", "plans", "sums"])
def test_damaged_answers_are_made_anew_without_pricing(kind, market, tmp_path):
    question = made.portfolio(20, only=("equity",)), market, made.scenarios(count=3)
    done = run(*question, store=tmp_path)
    for path in (tmp_path / kind).rglob("*"):
        if path.is_file():
            path.write_bytes(path.read_bytes()[:-3])
    (tmp_path / "catalogue.sqlite").unlink()  # so that nothing finds the finished run
    again = run(*question, store=tmp_path)
    assert again.manifest["blocks"]["priced"] == 0
    assert made.same_bits(done if kind == "sums" else again, again)
    assert again.result_id == done.result_id


def test_a_lost_block_is_priced_again_and_no_other(book, market, scenarios, tmp_path):
    first = run(book, market, scenarios, store=tmp_path, cluster="threads:1", cut=16)
    block_files(tmp_path)[0].unlink()
    again = run(book, market, scenarios, store=tmp_path, cluster="threads:1", cut=16)
    assert not again.found
    assert again.manifest["blocks"]["priced"] == 1
    assert again.manifest["blocks"]["found"] == first.manifest["blocks"]["priced"] - 1
    assert made.same_bits(first, again)


def test_a_run_that_was_interrupted_by_hand_is_finished_by_asking_again(finished, book, market, scenarios, tmp_path):
    def stop(progress):
        if progress.priced:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as stopped:
        run(book, market, scenarios, store=tmp_path, cluster="threads:1", cut=16, progress=stop)
    assert stopped.value.__notes__ == ["finished blocks are kept, the same command goes on from them"]
    left = len(block_files(tmp_path))
    again = run(book, market, scenarios, store=tmp_path, cluster="threads:1", cut=16)
    assert again.manifest["blocks"]["found"] == left > 0
    assert made.same_bits(finished, again)


class Deadly(Threads):
    """Threads on which every task with swaps in it dies."""

    def submit(self, function, task, *, key, done):
        return super().submit(self._run, function, task, key=key, done=done)

    def _run(self, function, task):
        if task.instrument == "interest_rate_swap":
            raise ConnectionError("the worker died")
        return function(task)


def test_blocks_that_kill_workers_are_left_out_and_the_run_is_partial(finished, book, market, scenarios, tmp_path):
    partial = run(book, market, scenarios, store=tmp_path, cluster=Deadly(2), cut=16)
    table = partial.trade_table()
    lost = table.instrument.values == "interest_rate_swap"
    assert partial.row.status == "partial"
    assert (table.status.values[lost] == Status.FAILED).all()
    assert (table.status.values[~lost] <= Status.EXPIRED).all()
    said = "the block could not be priced: ConnectionError: the worker died"
    assert set(table.problem.values[lost].tolist()) == {said}
    assert partial.manifest["blocks"]["failed"] > 0
    assert int(partial.aggregate().unpriced[0]) == lost.sum()
    whole = {trade: bits for trade, bits in made.bits_by_trade(finished).items() if not trade.startswith("interest")}
    assert {trade: bits for trade, bits in made.bits_by_trade(partial).items() if trade in whole} == whole

    again = run(book, market, scenarios, store=tmp_path, cluster="threads:1", cut=16)
    assert again.row.status == "complete"
    assert again.manifest["blocks"] == {
        "priced": partial.manifest["blocks"]["failed"],
        "found": partial.manifest["blocks"]["priced"],
        "failed": 0,
    }
    assert made.same_bits(finished, again)


def test_two_runs_at_once_in_one_store_have_the_same_answer(finished, book, market, scenarios, tmp_path):
    def ask(_):
        return run(book, market, scenarios, store=tmp_path, cluster="threads:2", cut=16)

    with ThreadPoolExecutor(3) as pool:
        every = list(pool.map(ask, range(3)))
    for one in every:
        assert made.same_bits(finished, one)
        assert made.same_bits(finished, open_run(one.run_id, store=tmp_path))
