import multiprocessing
import os
import time

import pytest
import sqlalchemy as sa

from riskgrid.store import Catalogue, Database, Journal, RunRow, tables
from tests.store.processes import together


def row(run_id="a", **changed):
    return RunRow(run_id, "q", "", "2016-07-01", 2, 3, **changed)


def count_up(where, _):
    database = Database(where)

    def work(connection):
        query = sa.select(tables.run.c.attempts).where(tables.run.c.run_id == "a").with_for_update()
        found = connection.scalar(query)
        connection.execute(tables.run.update().where(tables.run.c.run_id == "a").values(attempts=found + 1))

    for _ in range(200):
        database.write(work)


@pytest.mark.slow
def test_write__loses_no_update_of_four_processes_that_read_and_then_write(where):
    Catalogue(where).add(row())
    together(4, count_up, where)
    assert Catalogue(where).get("a").attempts == 800


def test_transaction__that_fails_leaves_nothing(where):
    database = Database(where)
    Catalogue(where).add(row())
    with pytest.raises(ZeroDivisionError), database.transaction() as connection:  # noqa: PT012
        connection.execute(tables.run.update().values(attempts=7))
        raise ZeroDivisionError
    assert Catalogue(where).get("a").attempts == 0


def test_now__is_the_time_of_the_database_to_a_part_of_a_second(where):
    Catalogue(where).add(row())
    from riskgrid.store.clock import age, now, stamp

    with Database(where).reading() as connection:
        first, text, old = connection.execute(
            sa.select(now(), stamp(), age(sa.literal("2016-07-01T00:00:00+00:00")))
        ).one()
        time.sleep(0.02)
        second = connection.scalar(sa.select(now()))
    assert abs(first - time.time()) < 60
    assert 0.015 < second - first < 5
    assert abs(first - old - 1467331200) < 1
    assert len(text) in (29, 32)
    assert text.endswith("+00:00")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_catalogue__is_used_by_a_forked_child_and_its_parent(where):
    catalogue = Catalogue(where)
    catalogue.add(row("parent"))
    child = multiprocessing.get_context("fork").Process(target=lambda: catalogue.add(row("child")))
    child.start()
    child.join(60)
    assert child.exitcode == 0
    catalogue.add(row("later"))
    assert {one.run_id for one in catalogue.list()} == {"parent", "child", "later"}


def test_file__that_was_replaced_is_opened_anew(tmp_path):
    Catalogue(tmp_path).add(row())
    Catalogue(tmp_path / "other").add(row("b"))
    Catalogue(tmp_path / "other").close()
    for name in ("catalogue.sqlite", "catalogue.sqlite-wal", "catalogue.sqlite-shm"):
        (tmp_path / name).unlink(missing_ok=True)
    (tmp_path / "other" / "catalogue.sqlite").rename(tmp_path / "catalogue.sqlite")
    assert [one.run_id for one in Catalogue(tmp_path).list()] == ["b"]
    (tmp_path / "catalogue.sqlite").unlink()
    assert list(Catalogue(tmp_path).list()) == []


def test_connections__of_many_stores_are_not_all_kept_open(tmp_path):
    before = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
    for number in range(30):
        Catalogue(tmp_path / str(number)).add(row())
    if before:
        assert len(os.listdir("/proc/self/fd")) < before + 45
    assert all(Catalogue(tmp_path / str(number)).count() == 1 for number in range(30))


def test_readers__are_not_kept_waiting_by_a_writer(where):
    Catalogue(where).add(row())
    with Database(where).transaction() as connection:
        connection.execute(tables.run.update().values(attempts=7))
        begun = time.monotonic()
        assert Catalogue(where).get("a").attempts == 0
        assert Journal(where).events("a") == []
        assert time.monotonic() - begun < 5
    assert Catalogue(where).get("a").attempts == 7
