import os
import sqlite3
import subprocess
import sys
import threading

import pytest
import sqlalchemy as sa
from alembic.config import Config
from alembic.script import ScriptDirectory

from riskgrid.books import Books
from riskgrid.errors import BadSpec, StoreError, UnknownName
from riskgrid.identity.keys import make_key
from riskgrid.store import Catalogue, Database, Journal, Keys, Names, Queue, RunRow, migrating, tables
from tests.store.processes import together

# as the catalogue was made before its revisions were noted
OLD = """
create table if not exists run (
  run_id text primary key, content_id text not null, result_id text, parent text, name text not null,
  as_of text not null, created text not null, status text not null, trades integer not null,
  scenarios integer not null, seconds real not null, manifest text not null
);
create index if not exists run_by_content on run (content_id, status);
create table if not exists name (name text not null, run_id text not null, created text not null);
insert into run values ('a', 'q', 'r', null, 'daily', '2016-07-01', '2026-01-01T00:00:00.000+00:00', 'complete', 2, 3,
  1.5, '{"bits": 10}');
insert into run values ('c', 'q2', null, 'a', '', '2016-07-01', '2026-01-01T00:00:00.000+00:00', 'running', 2, 3, 0.0,
  '{}');
insert into run values ('b', 'q3', null, null, '', '2016-07-01', '2026-01-01T00:00:00.000+00:00', 'failed', 2, 3, 0.5,
  '{}');
insert into name values ('official', 'a', '2026-01-02T00:00:00.000+00:00');
"""


@pytest.fixture
def database(where):
    return Database(where)


@pytest.fixture
def old(tmp_path):
    """A folder with a catalogue of before."""
    with sqlite3.connect(tmp_path / "catalogue.sqlite") as connection:
        connection.execute("pragma journal_mode = wal")
        connection.executescript(OLD)
    connection.close()
    return tmp_path


def shape(database):
    """Tables, columns, keys and indexes of a database."""
    with database.unprepared() as engine:
        inspector = sa.inspect(engine)
        return {
            table: {
                "columns": {
                    column["name"]: (repr(column["type"]), column["nullable"], column["default"])
                    for column in inspector.get_columns(table)
                },
                "key": inspector.get_pk_constraint(table)["constrained_columns"],
                "refers": [
                    (key["constrained_columns"], key["referred_table"]) for key in inspector.get_foreign_keys(table)
                ],
                "indexes": {
                    (index["name"], *index["column_names"], bool(index["unique"]), wheres(index))
                    for index in inspector.get_indexes(table)
                },
            }
            for table in inspector.get_table_names()
        }


def wheres(index):
    found = {str(value) for name, value in index.get("dialect_options", {}).items() if name.endswith("_where")}
    return "".join(found).strip("()")


def filled(database):
    Queue(database).submit(
        RunRow("w", "q", "daily", "2016-07-01", 1, 1, request_key="k", principal="ann", request={"kind": "run"})
    )
    catalogue = Catalogue(database)
    catalogue.add(RunRow("a", "q", "daily", "2016-07-01", 1, 1, status="complete", result_id="r", manifest={"bits": 4}))
    catalogue.call("a", "official")
    Names(database).keep("market", "close", "k1", "ann")
    Journal(database).attempt("a", "block", "so")


def test_revisions__are_those_of_the_folder_in_their_order():
    config = Config()
    config.set_main_option("script_location", "riskgrid.store:migrations")
    config.set_main_option("path_separator", "os")
    steps = [step.revision for step in ScriptDirectory.from_config(config).walk_revisions()]
    assert tuple(reversed(steps)) == tables.REVISIONS


def test_new_catalogue__has_the_tables_that_all_migrations_make(database, where, tmp_path, request):
    migrating.upgrade(database)
    by_steps = shape(database)
    assert migrating.current(database) == tables.HEAD
    if database.path is not None:
        fresh = Database(tmp_path / "fresh")
    else:
        with sa.create_engine(database.address.url, poolclass=sa.NullPool).begin() as connection:
            connection.execute(sa.text("drop schema public cascade"))
            connection.execute(sa.text("create schema public"))
        fresh = database
    Catalogue(fresh).count()
    if fresh.path is not None:
        assert not fresh.path.exists(), "counting made a file"
    Catalogue(fresh).add(RunRow("a", "q", "", "2016-07-01", 1, 1))
    assert shape(fresh) == by_steps
    assert migrating.current(fresh) == tables.HEAD


def test_migrations__go_up_and_down_and_up_with_what_the_catalogue_holds(database):
    filled(database)
    before = {row.run_id: row for row in Catalogue(database).list()}
    with_jobs = shape(database)
    migrating.downgrade(database, "0001")
    assert migrating.current(database) == "0001"
    with database.unprepared() as engine, engine.connect() as connection:
        found = connection.execute(sa.text("select run_id, status, manifest from run order by run_id")).all()
        assert [tuple(row) for row in found] == [("a", "complete", '{"bits": 4}'), ("w", "interrupted", "{}")]
        assert connection.scalar(sa.text("select run_id from name where name = 'official'")) == "a"
        assert set(sa.inspect(connection).get_table_names()) == {"run", "name", "alembic_version"}
    migrating.upgrade(database, tables.HEAD)
    assert shape(database) == with_jobs
    after = {row.run_id: row for row in Catalogue(database).list()}
    assert after.keys() == before.keys()
    assert (after["a"].manifest, after["a"].created, after["a"].status) == (
        {"bits": 4},
        before["a"].created,
        "complete",
    )
    assert Catalogue(database).get("official").run_id == "a"
    with pytest.raises(BadSpec, match="asked directly"):  # what was to be executed had no place there
        Queue(database).resume("w", "ann")
    migrating.downgrade(database, "base")
    assert migrating.current(database) is None
    migrating.upgrade(database)
    assert Catalogue(database).count() == 0


def test_old_file__is_brought_up_on_opening_and_keeps_what_it_holds(old):
    rows = Catalogue(old).list()
    assert [row.run_id for row in rows] == ["b", "c", "a"], "runs of one moment stand latest first"
    a, c = Catalogue(old).get("official"), Catalogue(old).get("c")
    assert (a.run_id, a.name, a.result_id, a.seconds, a.manifest) == ("a", "daily", "r", 1.5, {"bits": 10})
    assert (a.started, a.principal, a.request, a.events) == (a.created, "", {}, 0)
    assert (c.status, c.parent) == ("running", "a")
    assert [row.run_id for row in Catalogue(old).children("a")] == ["c"]
    assert migrating.current(Database(old)) == tables.HEAD
    fresh = Database(old / "fresh")
    Catalogue(fresh).add(RunRow("a", "q", "", "2016-07-01", 1, 1))
    assert shape(Database(old)) == shape(fresh)


def read_it(old, _):
    return [row.run_id for row in Catalogue(old).list()]


@pytest.mark.slow
def test_old_file__is_brought_up_once_by_processes_that_open_it_at_once(old):
    assert together(4, read_it, old) == [["b", "c", "a"]] * 4


def add_one(root, number):
    Catalogue(root).add(RunRow(f"r{number}", "q", "", "2016-07-01", 1, 1))
    return True


@pytest.mark.slow
def test_new_catalogue__is_made_once_by_eight_processes_that_open_it_at_once(where):
    assert together(8, add_one, where) == [True] * 8
    assert Catalogue(where).count() == 8


def test_new_catalogue__is_made_once_by_threads_that_open_it_at_once(where):
    threads = [threading.Thread(target=add_one, args=(where, number)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Catalogue(where).count() == 8


def test_old_file__that_may_only_be_read_is_read_as_it_is(old, monkeypatch):
    content = (old / "catalogue.sqlite").read_bytes()
    with monkeypatch.context() as patch:
        # root may write to any folder, so that a folder which may only be read is told by this alone
        access = os.access
        patch.setattr(os, "access", lambda path, mode: path != old and access(path, mode))
        assert [row.run_id for row in Catalogue(old).list()] == ["b", "c", "a"]
        assert Catalogue(old).get("official").started == "2026-01-01T00:00:00.000+00:00"
        Catalogue(old).close()
    assert (old / "catalogue.sqlite").read_bytes() == content
    assert [path.name for path in old.iterdir()] == ["catalogue.sqlite"]


def test_served_catalogue__that_is_behind_asks_for_a_migration(postgres):
    database = Database(postgres)
    filled(database)
    migrating.downgrade(database, "0001")
    with pytest.raises(StoreError, match=r"is at revision 0001 and this riskgrid needs 0004; run `riskgrid migrate`"):
        Catalogue(postgres).list()
    migrating.upgrade(database)
    assert Catalogue(postgres).get("a").name == "daily"


def test_catalogue__of_a_later_riskgrid_is_refused(database):
    filled(database)
    with database.unprepared() as engine, engine.begin() as connection:
        connection.execute(tables.version.update().values(version_num="0099"))
    with pytest.raises(StoreError, match="is at revision 0099, which this riskgrid does not know"):
        Catalogue(database).list()
    with database.unprepared() as engine, engine.begin() as connection:
        assert connection.scalar(sa.text("select count(*) from run")) == 2


def test_database__of_somebody_else_is_refused(postgres):
    with sa.create_engine(Database(postgres).address.url, poolclass=sa.NullPool).begin() as connection:
        connection.execute(sa.text("create table run (id int)"))
    with pytest.raises(StoreError, match="has a table 'run' that riskgrid did not make"):
        Catalogue(postgres).list()


def test_revision__that_is_not_known_lists_the_known_ones(database):
    with pytest.raises(
        UnknownName,
        match="unknown revision of the catalogue '7'; known: '0001', '0002', '0003', '0004', 'base', 'head'",
    ):
        migrating.upgrade(database, "7")
    assert migrating.current(database) is None


def test_alembic__is_not_imported_to_make_a_new_catalogue(tmp_path):
    program = """
import sys
from pathlib import Path
import riskgrid.running
print("sqlalchemy" in sys.modules)
from riskgrid.store import Catalogue, RunRow
Catalogue(Path(sys.argv[1])).add(RunRow("a", "q", "", "2016-07-01", 1, 1))
print("alembic" in sys.modules, "psycopg" in sys.modules, "sqlalchemy.orm" in sys.modules)
"""
    child = subprocess.run([sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, check=True)
    assert child.stdout.splitlines() == ["False", "False False False"]


def test_served_runs__are_plain_runs_to_the_revision_before(database):
    Catalogue(database).add(RunRow("a", "q", "daily", "2016-07-01", 1, 1, status="complete"))
    Catalogue(database).add(RunRow("b", "p", "ladder", "2016-07-01", 1, 2, status="complete", serves="a"))
    migrating.downgrade(database, "0002")
    migrating.upgrade(database)
    assert [row.serves for row in Catalogue(database).list()] == [None, None]


def test_runs_of_some_books__go_with_the_rights_that_hid_them(database):
    rights = '[{"desk":["Rates"]}]'
    catalogue = Catalogue(database)
    catalogue.add(RunRow("a", "q", "daily", "2016-07-01", 9, 2, status="complete"))
    catalogue.add(RunRow("v", "p", "", "2016-07-01", 3, 2, status="complete", parent="a", serves="a", rights=rights))
    catalogue.add(RunRow("w", "o", "mine", "2016-07-01", 3, 2, status="complete", parent="v", rights=rights))
    catalogue.call("w", "hedged")
    Journal(database).tell("w", "progress", {})
    Names(database).keep("portfolio", "book", "k1", "ann")
    Names(database).keep("portfolio", "mine", "k2", "kim", rights=rights)
    text, key = make_key(Keys(database), "night", Books.of({"desk": "Rates"}), by="ann")
    migrating.downgrade(database, "0003")
    migrating.upgrade(database, tables.HEAD)
    catalogue = Catalogue(database)
    assert [(row.run_id, row.rights) for row in catalogue.list()] == [("a", "")]
    assert [(one.key, one.rights) for one in Names(database).given("portfolio")] == [("k1", "")]
    assert Journal(database).events("w") == []
    assert Keys(database).list() == []  # nobody is let in by a key that knew of books
    assert text.startswith("rgk_")
    assert key.rights == rights
