import os
import time
from datetime import UTC, datetime, timedelta

import pytest

from riskgrid.errors import BadSpec, StoreError, UnknownName
from riskgrid.store import Catalogue, Journal, Queue, RunRow


def row(run_id="a", **changed):
    return RunRow(
        **{"run_id": run_id, "content_id": "q", "name": "", "as_of": "2016-07-01", "request": {"kind": "run"}}
        | changed,
        trades=2,
        scenarios=3,
    )


@pytest.fixture
def catalogue(where):
    return Catalogue(where)


def test_run__comes_back_as_it_was_added(catalogue):
    added = row(
        created="2026-01-01T00:00:00+00:00",
        started="2026-01-01T00:00:01+00:00",
        ended="2026-01-01T00:00:02+00:00",
        status="partial",
        manifest={"a": [1, 2.5, None, "é"]},
        request={"b": {"c": True}},
        parent="p",
        seconds=0.1,
        principal="ann",
        request_key="k",
        request_digest="d",
        priority=5,
        reason="one trade's own fault",
    )
    catalogue.add(row("p"))
    catalogue.add(added)
    assert catalogue.get("a") == added


def test_get__finds_by_id_name_and_beginning_on_both_engines(catalogue):
    catalogue.add(row("a1b2", name="daily", status="complete"))
    catalogue.add(row("a1ff", name="daily", status="failed"))
    catalogue.add(row("B1", name="x%_"))
    assert catalogue.get("a1ff").run_id == "a1ff"
    assert catalogue.get("daily").run_id == "a1b2", "a later failure hid a good run"
    assert catalogue.get("x%_").run_id == catalogue.get("B").run_id == "B1"
    catalogue.call("a1ff", "official")
    assert catalogue.get("official").run_id == "a1ff"
    with pytest.raises(BadSpec, match=r"'a1' begins more than one run id, e.g. a1b2 and a1ff"):
        catalogue.get("a1")
    for unknown in ("", "%", "_1b2", "A1B2", "b"):
        with pytest.raises(UnknownName) as error:
            catalogue.get(unknown)
        assert error.value.known == ["B1", "a1b2", "a1ff", "daily", "x%_"]


def test_list__is_read_page_by_page_and_fast(catalogue):
    begun = datetime(2026, 1, 1, tzinfo=UTC)
    manifest = {"instruments": [f"instrument {number}" for number in range(100)]}
    with catalogue.database.transaction() as connection:
        from riskgrid.store.catalogue import inserted

        for number in range(1000):  # five runs a moment
            created = (begun + timedelta(seconds=number // 5)).isoformat()
            connection.execute(*inserted(row(f"r{number:04}", created=created, status="complete", manifest=manifest)))
    everything = [one.run_id for one in catalogue.list()]
    assert everything == [f"r{number:04}" for number in reversed(range(1000))]
    assert catalogue.count() == 1000
    pages, before, spent = [], None, []
    while True:
        at = time.perf_counter()
        page = catalogue.list(64, before=before)
        spent.append(time.perf_counter() - at)
        if not page:
            break
        pages += [one.run_id for one in page]
        before = page[-1].run_id
    assert pages == everything
    assert sorted(spent)[len(spent) // 2] < 0.1
    with pytest.raises(UnknownName, match=r"unknown run 'nobody'"):
        catalogue.list(before="nobody")


def test_list__of_a_status_has_no_other(catalogue):
    for run_id, status in [("a", "complete"), ("b", "failed"), ("c", "complete"), ("d", "running")]:
        catalogue.add(row(run_id, status=status))
    assert [one.run_id for one in catalogue.list(status="complete")] == ["c", "a"]
    assert [one.run_id for one in catalogue.list(status="complete", before="c")] == ["a"]
    assert list(catalogue.list(status="interrupted")) == []


def test_unfinished__is_the_latest_run_of_a_question_that_its_principal_can_take_up(catalogue):
    assert catalogue.unfinished("q") is None
    for number, status in enumerate(["running", "interrupted", "failed"]):
        catalogue.add(row(status, status=status, created=f"2026-01-0{number + 1}"))
        assert catalogue.unfinished("q").run_id == status
    # a runner's, meant to be left, or another's
    for status in ("queued", "cancelled", "complete", "partial"):
        catalogue.add(row(status, status=status))
    catalogue.add(row("ann's", status="failed", principal="ann"))
    assert catalogue.unfinished("q").run_id == "failed"
    assert catalogue.unfinished("q", "ann").run_id == "ann's"
    assert catalogue.finished("q").run_id == "complete"
    assert catalogue.unfinished("other") is None


def test_remove__forgets_a_run_with_all_that_hangs_on_it(catalogue):
    journal = Journal(catalogue.database)
    catalogue.add(row("a", status="complete"))
    catalogue.add(row("b", status="complete", parent="a"))
    catalogue.call("b", "official")
    journal.tell("b", "progress", {})
    journal.attempt("b", "k", "so")
    with pytest.raises(BadSpec, match=r"run 'a' has what-ifs, e.g. b; remove those first"):
        catalogue.remove("a")
    catalogue.remove("b")
    assert [one.run_id for one in catalogue.list()] == ["a"]
    assert list(journal.events("b")) == list(journal.attempts("b")) == []
    with pytest.raises(UnknownName):
        catalogue.get("official")
    assert list(catalogue.children("a")) == []
    catalogue.remove("a")
    with pytest.raises(UnknownName, match=r"unknown run 'a'; known: none"):
        catalogue.remove("a")


def test_remove__of_what_is_running_is_refused(catalogue):
    queue = Queue(catalogue.database)
    queue.submit(row("a"))
    queue.lease("r", 60.0)
    with pytest.raises(BadSpec, match=r"run 'a' is running; only one that has ended can be removed"):
        catalogue.remove("a")
    queue.renew("a", 1, 0.001)
    time.sleep(0.02)
    catalogue.remove("a")
    assert catalogue.count() == 0


def test_finish__of_no_run_lists_the_known_ones(catalogue):
    catalogue.add(row("a"))
    with pytest.raises(UnknownName, match=r"unknown run 'b'; known: 'a'"):
        catalogue.finish("b", "complete", result_id=None, seconds=0.0, manifest={})


def test_catalogue__that_may_only_be_read_is_read_and_not_written(tmp_path, monkeypatch):
    Catalogue(tmp_path).add(row("a"))
    Catalogue(tmp_path).close()
    access = os.access
    # root may write to any folder, so that one which may only be read is told by this alone
    monkeypatch.setattr(os, "access", lambda path, mode: path != tmp_path and access(path, mode))
    assert [one.run_id for one in Catalogue(tmp_path).list()] == ["a"]
    with pytest.raises(StoreError, match=r"refused: attempt to write a readonly database"):
        Catalogue(tmp_path).add(row("b"))
    assert [path.name for path in tmp_path.iterdir()] == ["catalogue.sqlite"]
    Catalogue(tmp_path).close()


def test_list__of_rights_has_runs_of_all_books_and_of_these(catalogue):
    rights = {"a": "", "b": "[1]", "c": "[2]", "d": "[3]", "e": "", "f": "[2]"}
    for run_id, held in rights.items():
        catalogue.add(row(run_id, rights=held, parent="a" if run_id in "ef" else None))
    assert sorted(catalogue.rights()) == ["", "[1]", "[2]", "[3]"]
    assert [one.run_id for one in catalogue.list(rights=["[1]", "[2]"])] == ["f", "c", "b", "a"]
    assert [one.run_id for one in catalogue.list(2, rights=["[1]", "[2]"], before="f")] == ["c", "b"]
    assert [one.run_id for one in catalogue.list(rights=[])] == ["a"]
    assert [one.run_id for one in catalogue.what_ifs("a", ["[2]"])] == ["f"]
    assert [one.run_id for one in catalogue.what_ifs("a")] == ["f", "e"]


def test_list__of_rights_reads_no_run_of_others(tmp_path):
    """However many others there are: what SQLite does is counted in its own steps."""
    steps = []
    for hidden in (10, 400):
        kept = Catalogue(tmp_path / str(hidden))
        kept.add(row("a"))
        for number in range(hidden):
            kept.add(row(f"h{number}", rights="[9]" if number % 2 else "", parent="a"))
        kept.rights()  # the connection has been opened

        def counted(kept=kept):
            made = 0

            def step():
                nonlocal made
                made += 1

            with kept.database.reading() as connection:
                connection.connection.dbapi_connection.set_progress_handler(step, 1)
            try:
                assert [one.run_id for one in kept.list(12, rights=["[1]"], served=False)] == ["a"]
                assert sorted(kept.rights()) == ["", "[9]"]
                assert list(kept.what_ifs("a", ["[1]"])) == []
            finally:
                with kept.database.reading() as connection:
                    connection.connection.dbapi_connection.set_progress_handler(None, 1)
            return made

        steps.append(counted())
        kept.close()
    assert 0 < steps[1] < 1.5 * steps[0], steps
