"""Two APIs and two runners on one PostgreSQL behave as one, whichever of them dies: nothing accepted is lost, nothing
runs twice, and what clients follow goes on."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import riskgrid as rg
from riskgrid.errors import KeyReused, ServiceLost, Unauthenticated
from riskgrid.identity.keys import make_key
from riskgrid.registry import INSTRUMENTS
from riskgrid.store import Store
from tests.faults import deadly
from tests.faults.role import Grid, keep_inputs, until
from tests.postgres import fresh_database
from tests.run import made

pytestmark = pytest.mark.slow
#: Clients of the load and what each asks, one after the other.
CLIENTS, ROUNDS = 4, 2
#: The first of the scenario sets of the load: no other test has priced a block of them.
LOAD = 4
#: One trade of the book waits at the gate where that is shut.
BOOK = {"count": 60, "crash": {20: deadly.WAITS}}


@pytest.fixture(scope="module")
def made_grid(postgres_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Grid]:
    with fresh_database(postgres_server) as database:
        INSTRUMENTS.add("deadly", deadly.DEADLY)
        grid = Grid(tmp_path_factory.mktemp("grid"), database)
        try:
            keep_inputs(grid.store, LOAD + CLIENTS * ROUNDS, **BOOK)
            yield grid
        finally:
            grid.close()
            INSTRUMENTS.remove("deadly")


@pytest.fixture
def grid(made_grid: Grid) -> Grid:
    """What has died in the test before is on its way again."""
    made_grid.mend()
    return made_grid


@pytest.fixture(autouse=True)
def registered() -> None:
    """The grid registers the instrument for all of its tests."""


def submitted(client: rg.Client, days: int = 0, **more: str) -> rg.RemoteRun:
    return client.submit(portfolio="book", market="today", scenarios=f"days {days}", cut=16, **more)


def doubled(trade: int) -> dict[str, dict[str, float]]:
    return {"resize": {f"d-{trade}": 2.0}}


def undisturbed(folder: Path, days: int, trade: int) -> tuple[str | None, str | None]:
    """What the answers of a run and a what-if are, where nothing happens to them."""
    store = Store(folder)
    run = rg.run(
        deadly.book(**BOOK), made.market(), made.scenarios(count=6, seed=days), store=store, cut=16, progress=None
    )
    return run.row.result_id, rg.what_if(run, doubled(trade)).row.result_id


def test_what_is_asked_of_one_is_found_in_the_other(grid: Grid) -> None:
    """Fails where a process answers from anything but the database and the folder."""
    first, second = grid.client(0), grid.client(1)
    first.keep(deadly.book(30), "small")
    run = second.submit(portfolio="small", market="today", scenarios="days 0", cut=16)
    told = list(first.run(run.run_id).events(timeout=120.0))
    assert [event.kind for event in told if event.kind != "progress"] == ["queued", "running", "complete"]
    changed = first.run(run.run_id).what_if(doubled(3))
    (found,) = second.run(run.run_id).what_ifs()
    assert found.run_id == changed.run_id
    assert str(found.report()) == str(changed.report()) != str(run.refreshed().report())


def test_the_same_key_sent_to_both_at_once_is_one_run(grid: Grid) -> None:
    """Fails without the index by which a principal's key is unique, in whichever process it is looked for first."""
    clients, before = [grid.client(at) for at in (0, 1, 0, 1)], len(grid.rows())
    for number in range(5):
        together = threading.Barrier(len(clients))

        def send(client: rg.Client, key: str = f"once {number}", together: threading.Barrier = together) -> str:
            together.wait()
            return submitted(client, key=key).run_id

        with ThreadPoolExecutor(len(clients)) as pool:
            ids = set(pool.map(send, clients))
        assert len(ids) == 1
        assert len(grid.rows()) == before + number + 1
    with pytest.raises(KeyReused):
        submitted(clients[1], days=1, key="once 0")
    for client, key in zip(clients, ("once 0", "once 1"), strict=False):
        run = submitted(client, key=key).wait(timeout=120.0, progress=None)
        assert grid.course(run.run_id).count("complete") == 1


def test_a_key_that_is_revoked_opens_neither(grid: Grid) -> None:
    """Fails where a process goes on with what it once knew of a key."""
    text, row = make_key(grid.store.keys, "short", None, scopes=("read",), by="test")
    clients = [grid.client(at, text) for at in (0, 1)]
    for client in clients:
        client.runs()
    grid.store.keys.revoke(row.key_id, "test")

    def refused(client: rg.Client) -> bool:
        try:
            client.runs()
        except Unauthenticated as error:
            return "was revoked" in str(error)
        return False

    for client in clients:
        until(lambda client=client: refused(client))


def followed(run: rg.RemoteRun, seen: list[rg.Event]) -> rg.RemoteRun:
    for event in run.events(timeout=120.0):
        seen.append(event)
    return run.refreshed()


def test_load__of_which_an_api_and_a_runner_are_killed_is_done_once_and_followed_without_a_gap(
    grid: Grid, tmp_path: Path
) -> None:
    """Fails without leases that lapse: the run of the dead runner stays. Fails without Last-Event-ID and the client's
    own count, each of which sees to it that no event comes twice.
    """
    before, lines = set(grid.rows()), len(grid.priced())
    streams: dict[str, list[rg.Event]] = {}
    asked: dict[tuple[int, int], tuple[str, str]] = {}

    def load(number: int) -> None:
        client = grid.client(number % 2)
        for turn in range(ROUNDS):
            days = LOAD + number * ROUNDS + turn
            run = submitted(client, days, key=f"load {days}")
            run = followed(run, streams.setdefault(run.run_id, []))
            changed = run.submit_what_if(doubled(days), key=f"load {days}")
            followed(changed, streams.setdefault(changed.run_id, []))
            asked[number, turn] = (run.run_id, changed.run_id)

    with ThreadPoolExecutor(CLIENTS) as pool:
        with grid.shut():
            clients = [pool.submit(load, number) for number in range(CLIENTS)]
            # every client follows a run, every runner holds one
            until(lambda: len([told for told in streams.values() if told]) == CLIENTS)
            until(lambda: all(grid.at_gate(runner) for runner in grid.runners))
            grid.runners[0].kill()
            grid.apis[0].kill()
        grid.mend()
        for client in clients:
            client.result()
    rows = {run_id: row for run_id, row in grid.rows().items() if run_id not in before}
    assert set(rows) == set(streams) == {run_id for pair in asked.values() for run_id in pair}
    for run_id, row in rows.items():
        course = grid.course(run_id)
        assert (row.status, course[0], course[-1], course.count("complete")) == ("complete", "queued", "complete", 1)
        assert course.count("running") == row.fence == row.attempts
        told = [(event.seq, event.kind) for event in grid.store.journal.events(run_id)]
        assert [(event.seq, event.kind) for event in streams[run_id]] == told
        verbs = [line.verb for line in grid.store.journal.audit(subject=run_id)]
        assert (verbs.count("submit"), verbs.count("finish")) == (1, 1)
    assert max(row.fence for row in rows.values()) == 2
    for (number, turn), pair in asked.items():
        days = LOAD + number * ROUNDS + turn
        assert tuple(rows[run_id].result_id for run_id in pair) == undisturbed(tmp_path / str(days), days, days)
    # blocks that were stored are not priced again
    counts = [row.manifest["blocks"] for row in rows.values()]
    priced = len(grid.priced()) - lines
    assert priced == sum(count["priced"] + count["found"] for count in counts)


def test_answer__that_was_lost_is_given_to_who_asks_again(grid: Grid) -> None:
    """Fails where a run is accepted without its key, or its key without the run: they are one row."""
    before = set(grid.rows())
    grid.dies.touch()
    client = grid.client(0)
    with ThreadPoolExecutor(1) as pool:
        asking = pool.submit(submitted, client, key="lost")
        grid.apis[0].process.wait(120)  # it has accepted and died
        (accepted,) = set(grid.rows()) - before
        assert submitted(grid.client(1), key="lost").run_id == accepted
        grid.apis[0].again()
        assert asking.result().run_id == accepted  # the client has sent it again by itself
    asking.result().wait(timeout=120.0, progress=None)
    assert set(grid.rows()) - before == {accepted}
    assert grid.course(accepted).count("complete") == 1


def test_what_if__whose_api_is_killed_while_it_makes_it_is_made_by_a_runner(grid: Grid, tmp_path: Path) -> None:
    """Fails where what is made in the process that was asked is not in the queue before."""
    run = submitted(grid.client(1), days=2).wait(timeout=120.0, progress=None)
    here, other = grid.client(0, tries=1).run(run.run_id), grid.client(1).run(run.run_id)
    with ThreadPoolExecutor(1) as pool:
        with grid.shut():
            with grid.runners_away():
                asking = pool.submit(here.submit_what_if, doubled(20), key="dies")
                until(lambda: grid.at_gate(grid.apis[0]))
            grid.apis[0].kill()
            again = other.submit_what_if(doubled(20), key="dies")
        with pytest.raises(ServiceLost, match="broke off"):
            asking.result()
    again.wait(timeout=120.0, progress=None)
    row = grid.rows()[again.run_id]
    assert grid.course(row.run_id) == ["queued", "running", "running", "complete"]
    assert (row.fence, row.result_id) == (2, undisturbed(tmp_path / "fresh", 2, 20)[1])


def test_runner__that_was_away_and_comes_back_commits_nothing(grid: Grid, tmp_path: Path) -> None:
    """Fails without the fence: the run would be finished twice, by who has taken it over and by who had it before."""
    with contextlib.ExitStack() as away:
        with grid.shut():
            run = submitted(grid.client(1), days=3)
            holder = grid.runner_of(until(lambda: (row := grid.rows()[run.run_id]).runner and row))
            until(lambda: grid.at_gate(holder))
            away.enter_context(holder.away())
            until(lambda: grid.rows()[run.run_id].fence == 2)
        run.wait(timeout=120.0, progress=None)
    until(lambda: f"run {run.run_id} was not answered" in holder.output() or holder.ended(run.run_id))
    assert grid.course(run.run_id) == ["queued", "running", "running", "complete"]
    assert "another runner took it over" in holder.output()
    assert grid.rows()[run.run_id].result_id == undisturbed(tmp_path / "fresh", 3, 0)[0]


def test_runner__that_is_told_to_end_hands_its_run_to_the_other_at_once(grid: Grid, tmp_path: Path) -> None:
    """Fails where the run is left to lapse: then nothing queues it again, and it counts as another attempt."""
    slow, lines = deadly.book(150, seconds=0.02), len(grid.priced())
    grid.client(1).keep(slow, "slow")
    run = grid.client(1).submit(portfolio="slow", market="today", scenarios="days 3", cut=16)
    until(lambda: len(grid.priced()) > lines)
    holder = grid.runner_of(grid.rows()[run.run_id])
    holder.told_to_end()
    run.wait(timeout=120.0, progress=None)
    assert holder.process.wait(120) == 0
    row = grid.rows()[run.run_id]
    assert grid.course(run.run_id) == ["queued", "running", "queued", "running", "complete"]
    assert row.attempts == 1
    whole = rg.run(slow, made.market(), made.scenarios(count=6, seed=3), store=tmp_path, cut=16, progress=None)
    assert row.result_id == whole.row.result_id
    assert len(grid.priced()) - lines == whole.manifest["blocks"]["priced"]


def test_api__that_is_told_to_end_hands_back_what_it_makes_and_ends_its_streams(grid: Grid, tmp_path: Path) -> None:
    """Fails where the process waits for streams, or ends with a what-if that is its own until the lease lapses."""
    client, other = grid.client(0), grid.client(1)
    run = submitted(other, days=2).wait(timeout=120.0, progress=None)
    streams: list[list[rg.Event]] = [[], []]
    with ThreadPoolExecutor(3) as pool:
        with grid.shut():
            with grid.runners_away():
                asking = pool.submit(client.run(run.run_id).submit_what_if, {"shift": {"equity:*": "-5%"}}, key="ends")
                until(lambda: grid.at_gate(grid.apis[0]))
            (changed,) = other.run(run.run_id).what_ifs()
            following = [
                pool.submit(followed, each.run(changed.run_id), seen)
                for each, seen in zip((client, other), streams, strict=True)
            ]
            until(lambda: all(streams))
            grid.apis[0].told_to_end()
            until(lambda: "is given back: 1 runs" in grid.apis[0].output())
            assert "Cancel 1 running task" in grid.apis[0].output()  # the what-if, no stream
        assert grid.apis[0].process.wait(120) == 0
        grid.apis[0].again()
        assert [told.result().status for told in following] == ["complete"] * 2
        assert asking.result().run_id == changed.run_id
    assert grid.course(changed.run_id) == ["queued", "running", "queued", "running", "complete"]
    assert grid.rows()[changed.run_id].attempts == 1
    assert streams[0] == streams[1]
