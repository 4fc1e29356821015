import json
import sqlite3

import pytest

from riskgrid.errors import BadSpec, StoreError, UnknownName
from riskgrid.store import Catalogue, RunRow
from tests.store.processes import together


def row(run_id="a1b2c3", **changed):
    return RunRow(
        **{"run_id": run_id, "content_id": "q", "name": "", "as_of": "2016-07-01", **changed}, trades=2, scenarios=3
    )


@pytest.fixture
def catalogue(tmp_path):
    return Catalogue(tmp_path)


def finish(catalogue, run_id, status="complete"):
    catalogue.finish(run_id, status, result_id="r", seconds=1.5, manifest={"bits": 10})


def test_run__is_running_until_it_is_finished(catalogue):
    catalogue.add(row(name="daily"))
    begun = catalogue.get("a1b2c3")
    assert (begun.status, begun.result_id, begun.manifest) == ("running", None, {})
    assert begun.created.endswith("+00:00")
    finish(catalogue, "a1b2c3")
    ended = catalogue.get("a1b2c3")
    assert (ended.status, ended.result_id, ended.seconds, ended.manifest) == ("complete", "r", 1.5, {"bits": 10})
    assert (ended.name, ended.trades, ended.scenarios, ended.parent) == ("daily", 2, 3, None)


def test_get__takes_an_id_the_beginning_of_one_or_a_name(catalogue):
    catalogue.add(row("a1b2c3", name="daily", created="2016-07-01"))
    catalogue.add(row("a1ffff", name="daily", created="2016-07-02"))
    catalogue.add(row("b00000", name="a1b2c3", created="2016-07-03"))
    assert catalogue.get("a1b2").run_id == "a1b2c3"
    assert catalogue.get("daily").run_id == "a1ffff"
    assert catalogue.get("a1b2c3").run_id == "a1b2c3"
    assert catalogue.get("b").run_id == "b00000"


@pytest.mark.parametrize("unknown", ["zzz", "", "%", "_1b2c3", "A1B2"])
def test_get__of_no_one_run_lists_the_known_ones(catalogue, unknown):
    catalogue.add(row("a1b2c3", name="daily"))
    catalogue.add(row("a2b2c3"))
    with pytest.raises(UnknownName, match="unknown run") as error:
        catalogue.get(unknown)
    assert error.value.known == ["a1b2c3", "a2b2c3", "daily"]


def test_get__of_a_beginning_of_two_ids_names_both(catalogue):
    catalogue.add(row("a1b2c3"))
    catalogue.add(row("a2b2c3"))
    with pytest.raises(BadSpec, match="'a' begins more than one run id"):
        catalogue.get("a")


def test_get__by_name_finds_the_latest_finished_run_and_further_names(catalogue):
    catalogue.add(row("a1b2c3", name="daily"))
    catalogue.finish("a1b2c3", "complete", result_id="r", seconds=1.0, manifest={})
    catalogue.add(row("a2b2c3", name="daily"))
    catalogue.finish("a2b2c3", "failed", result_id=None, seconds=1.0, manifest={})
    assert catalogue.get("daily").run_id == "a1b2c3"
    catalogue.call("a1b2c3", "official")
    assert catalogue.get("official").run_id == "a1b2c3"


def test_catalogue__that_no_run_has_written_is_empty(tmp_path):
    catalogue = Catalogue(tmp_path / "none")
    assert list(catalogue.list()) == []
    assert catalogue.finished("q") is None
    with pytest.raises(UnknownName, match="known: none"):
        catalogue.get("x")
    assert not (tmp_path / "none").exists()


def test_finished__is_the_latest_complete_run_of_a_question(catalogue):
    for day, (run_id, status) in enumerate([("a", "complete"), ("b", "complete"), ("c", "partial"), ("d", "failed")]):
        catalogue.add(row(run_id, created=f"2016-07-0{day + 1}"))
        finish(catalogue, run_id, status)
    catalogue.add(row("e", created="2016-07-09"))
    assert catalogue.finished("q").run_id == "b"
    assert catalogue.finished("other") is None
    assert [one.run_id for one in catalogue.list()] == ["e", "d", "c", "b", "a"]
    assert [one.run_id for one in catalogue.list(limit=2)] == ["e", "d"]


def test_add__of_an_id_that_is_there_is_refused_and_changes_nothing(catalogue):
    catalogue.add(row(name="first"))
    with pytest.raises(StoreError, match=r"the catalogue .*catalogue\.sqlite refused: UNIQUE"):
        catalogue.add(row(name="second"))
    assert catalogue.get("a1b2c3").name == "first"


def test_catalogue__that_cannot_be_opened_says_so(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot open the catalogue"):
        Catalogue(tmp_path / "file" / "store").add(row())
    (tmp_path / "catalogue.sqlite").write_bytes(b"no database at all" * 100)
    with pytest.raises(StoreError, match="refused: file is not a database"):
        Catalogue(tmp_path).list()


def write_fifty(root, number):
    catalogue = Catalogue(root)
    for at in range(50):
        catalogue.add(row(f"{number}-{at:02}"))
        finish(catalogue, f"{number}-{at:02}")


def test_catalogue__loses_nothing_of_what_four_processes_write_at_once(tmp_path):
    together(4, write_fifty, tmp_path)
    rows = Catalogue(tmp_path).list()
    assert {one.run_id for one in rows} == {f"{number}-{at:02}" for number in range(4) for at in range(50)}
    assert {one.status for one in rows} == {"complete"}


def test_manifest__is_json_that_other_tools_can_read(catalogue):
    catalogue.add(row())
    finish(catalogue, "a1b2c3")
    connection = sqlite3.connect(catalogue.path)
    try:
        (text,) = connection.execute("select manifest from run").fetchone()
    finally:
        connection.close()
    assert json.loads(text) == {"bits": 10}


def test_called__are_the_latest_finished_runs_of_names_that_begin_so(where):
    catalogue = Catalogue(where)
    for run_id, name, day in (("a", "test_1", 1), ("b", "test_1", 2), ("c", "test%2", 3), ("d", "testing", 4)):
        catalogue.add(row(run_id, name=name, created=f"2016-07-0{day}"))
        finish(catalogue, run_id)
    catalogue.add(row("e", name="test_1", created="2016-07-05"))  # still running
    catalogue.call("d", "test_3")
    found = catalogue.called("test_")
    assert {name: one.run_id for name, one in found.items()} == {"test_1": "b", "test_3": "d"}
    assert found["test_3"].name == "testing"
    assert catalogue.called("other") == {}


def test_list__leaves_out_what_only_serves_another_run_where_asked(where):
    catalogue = Catalogue(where)
    catalogue.add(row("a", name="daily", status="complete"))
    catalogue.add(row("b", name="ladder", status="complete", serves="a"))
    assert [one.run_id for one in catalogue.list(served=False)] == ["a"]
    assert {one.run_id: one.serves for one in catalogue.list()} == {"a": None, "b": "a"}
    assert (catalogue.count(), catalogue.count(served=False)) == (2, 1)
    assert catalogue.get("ladder").run_id == "b"


def test_remove__takes_what_serves_the_run_along(where):
    catalogue = Catalogue(where)
    for one in ("a", "b"):
        catalogue.add(row(one, status="complete"))
        catalogue.add(row(f"{one} ladder", status="complete", serves=one))
        catalogue.add(row(f"{one} step", status="complete", parent=one, serves=one))
    catalogue.remove("a")
    assert {one.run_id for one in catalogue.list()} == {"b", "b ladder", "b step"}
    catalogue.add(row("child", parent="b", status="complete"))
    with pytest.raises(BadSpec, match=r"run 'b' has what-ifs, e\.g\. child; remove those first"):
        catalogue.remove("b")
    catalogue.remove("child")
    catalogue.add(row("c", parent="b step", status="complete"))
    with pytest.raises(BadSpec, match=r"run 'b' has what-ifs, e\.g\. c; remove those first"):
        catalogue.remove("b")
    assert catalogue.count() == 4


def test_remove__waits_for_what_serves_the_run(catalogue):
    catalogue.add(row("a", status="complete"))
    catalogue.add(row("b", status="running", serves="a"))
    with pytest.raises(BadSpec, match="run 'b' is running; only one that has ended can be removed"):
        catalogue.remove("a")
    finish(catalogue, "b")
    catalogue.remove("a")
    assert catalogue.count() == 0


def test_statuses__count_the_runs_of_each(where):
    catalogue = Catalogue(where)
    assert catalogue.statuses() == {}
    for run_id in ("a1b2c3", "a2b2c3", "b00000"):
        catalogue.add(row(run_id))
    finish(catalogue, "a1b2c3")
    assert catalogue.statuses() == {"complete": 1, "running": 2}
    catalogue.close()
