import sys
import threading
import time
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa

from riskgrid.errors import BadSpec, StoreError
from riskgrid.store import Catalogue, Database, Journal, Queue, RunRow, tables
from riskgrid.store.database import ConnectionCut


def row(run_id="a", **changed):
    return RunRow(run_id, "q", "", "2016-07-01", 2, 3, **{"request": {"kind": "run"}, **changed})


def cut(postgres):
    """End every connection to the database but the one that says so; returns how many there were."""
    with psycopg.connect(postgres, autocommit=True) as connection:
        found = connection.execute(
            "select pg_terminate_backend(pid, 5000) from pg_stat_activity "
            "where datname = current_database() and pid <> pg_backend_pid()"
        ).fetchall()
    return len(found)


def test_connection__that_was_cut_between_uses_is_opened_anew(postgres):
    queue, catalogue, journal = Queue(postgres), Catalogue(postgres), Journal(postgres)
    queue.submit(row())
    for use in (
        lambda: catalogue.get("a"),
        lambda: journal.tell("a", "progress", {}),
        lambda: queue.lease("r", 60.0),
        lambda: queue.renew("a", 1, 60.0),
        lambda: catalogue.add(row("b")),
        lambda: journal.events("a"),
    ):
        assert cut(postgres) >= 1
        use()
    assert [event.seq for event in journal.events("a")] == [1, 2, 3]


def test_reading__that_is_cut_is_asked_once_more(postgres):
    database, calls = Database(postgres), []
    Catalogue(postgres).add(row())

    def work(connection):
        calls.append(1)
        if len(calls) == 1:
            cut(postgres)
        return connection.scalar(sa.select(sa.func.count()).select_from(tables.run))

    assert database.read(work) == 1
    assert len(calls) == 2


def test_writing__that_is_cut_before_its_commit_is_done_once(postgres):
    database, calls = Database(postgres), []
    catalogue = Catalogue(postgres)
    catalogue.add(row())

    def work(connection):
        calls.append(1)
        connection.execute(tables.run.update().values(attempts=tables.run.c.attempts + 1))
        if len(calls) == 1:
            cut(postgres)
        connection.execute(tables.run.update().values(events=tables.run.c.events + 1))

    database.write(work)
    assert len(calls) == 2
    assert (catalogue.get("a").attempts, catalogue.get("a").events) == (1, 1)


def test_writing__that_is_cut_at_its_commit_says_that_it_does_not_know(postgres):
    database = Database(postgres)
    Catalogue(postgres).add(row())

    def work(connection):
        connection.execute(tables.run.update().values(attempts=7))
        cut(postgres)

    with pytest.raises(StoreError, match=r"was cut: .*; whether its last change was kept is not known"):
        database.write(work)
    assert Catalogue(postgres).get("a").attempts == 0


def test_transaction__that_is_cut_says_where(postgres):
    database = Database(postgres)
    Catalogue(postgres).add(row())
    sentence = r"the connection to the catalogue postgresql://\S+ was cut: "
    with pytest.raises(ConnectionCut, match=sentence), database.transaction() as connection:  # noqa: PT012
        cut(postgres)
        connection.execute(tables.run.update().values(attempts=7))


def test_connection__that_is_cut_all_the_time_costs_no_event_and_no_lease(postgres):
    journal, queue, stop = Journal(postgres), Queue(postgres), threading.Event()
    queue.submit(row())
    held = queue.lease("r", 60.0)
    cuts, known, unsure = [], 0, 0

    def cutting():
        while not stop.is_set():
            cuts.append(cut(postgres))
            time.sleep(0.05)

    cutter = threading.Thread(target=cutting)
    cutter.start()
    try:
        until = time.monotonic() + 3.0
        while time.monotonic() < until:
            try:
                journal.tell("a", "progress", {}, fence=held.fence)
                queue.renew("a", held.fence, 60.0)
                known += 1
            except StoreError:  # cut at the commit, or twice in a row
                unsure += 1
    finally:
        stop.set()
        cutter.join()
    seqs = [event.seq for event in journal.events("a")]
    assert seqs == list(range(1, len(seqs) + 1))
    assert 2 + known <= len(seqs) <= 2 + known + unsure
    assert sum(cuts) > 5
    assert unsure < known


def test_address__is_told_without_name_and_password(postgres):
    secret = Database(postgres).address.url.password
    database = Database(postgres)
    wrong = Database(str(database.address.url.set(password="wrong" + secret, query={}).render_as_string(False)))
    with pytest.raises(StoreError, match="cannot open the catalogue postgresql://") as error:
        Catalogue(wrong).list()
    told = [
        str(error.value),
        repr(database),
        repr(Catalogue(database).database),
        str(database.address),
        repr(database.address),
    ]
    assert not [text for text in told if secret in text]


def test_server__that_does_not_answer_is_named():
    with pytest.raises(StoreError, match=r"cannot open the catalogue postgresql://127\.0\.0\.1:1/none: .*refused"):
        Catalogue("postgresql://me:secret@127.0.0.1:1/none").list()


def test_postgresql__without_its_driver_says_what_installs_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(StoreError, match=r"pip install 'riskgrid\[postgres\]' installs it"):
        Catalogue("postgresql://nowhere.invalid/none").list()


@pytest.mark.parametrize("address", ["mysql://me:secret@host/name", "sqlite://", "sqlite:///:memory:", "://me:secret"])
def test_address__of_another_database_says_what_is_right(address):
    with pytest.raises(BadSpec, match="sqlite:///FILE or postgresql://USER@HOST/DATABASE is right") as error:
        Catalogue(address)
    assert "secret" not in str(error.value)


def test_catalogue__is_found_by_a_folder_and_by_a_url_of_its_file(tmp_path):
    Catalogue(tmp_path).add(row())
    assert Catalogue(f"sqlite:///{tmp_path}/catalogue.sqlite").get("a").run_id == "a"
    assert Catalogue(str(tmp_path)).path == tmp_path / "catalogue.sqlite"
    assert Database(tmp_path) == Database(f"sqlite:///{tmp_path}/catalogue.sqlite")
    odd = Path(tmp_path) / "a 100% odd?name#1"
    Catalogue(odd).add(row())
    assert [one.run_id for one in Catalogue(odd).list()] == ["a"]
    assert (odd / "catalogue.sqlite").exists()
