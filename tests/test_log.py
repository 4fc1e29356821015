"""Log lines: their form, what they are about, also in worker processes, and what never stands in them."""

import io
import json
import logging
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest

from riskgrid import log
from riskgrid.errors import InputError

ROOT = Path(__file__).parents[1]


@pytest.fixture
def stream(monkeypatch):
    """Lines of JSON of this process for the while of a test."""
    root, own = logging.getLogger(), logging.getLogger("riskgrid")
    before = root.handlers[:], root.level, own.level
    monkeypatch.setattr(log, "_SET", {})
    made = io.StringIO()
    log.set_up("json", "info", made)
    yield made
    root.handlers[:] = before[0]
    root.setLevel(before[1])
    own.setLevel(before[2])


def lines(stream):
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_line__says_what_happened_and_what_it_is_about(stream):
    with log.about(run="r1", request="q1"):
        logging.getLogger("riskgrid.part").info("%d trades", 3, extra={"facts": {"ms": 1.5}})
    logging.getLogger("another").warning("outside")
    first, second = lines(stream)
    assert first.pop("timestamp").endswith("Z")
    assert first == {
        "event": "3 trades",
        "level": "info",
        "logger": "riskgrid.part",
        "run": "r1",
        "request": "q1",
        "ms": 1.5,
    }
    assert (second["event"], second["level"], "run" in second) == ("outside", "warning", False)


def test_note__is_heard_by_whoever_gave_the_context_away(stream):
    with log.about(request="q1"):
        import contextvars

        copied = contextvars.copy_context()
        thread = threading.Thread(target=copied.run, args=(lambda: log.note(principal="kim"),))
        thread.start()
        thread.join()
        logging.getLogger("riskgrid").info("done")
    assert lines(stream)[0]["principal"] == "kim"
    log.note(principal="nobody")
    assert dict(log.facts()) == {}


@pytest.mark.parametrize(
    ("said", "secret"),
    [
        ("key rgk_ab12_c2VjcmV0 is wrong", "c2VjcmV0"),
        ("token eyJhbGciOi.eyJzdWIi.c2ln is old", "eyJzdWIi"),
        ("Authorization: Bearer abcdef", "abcdef"),
        ("cannot open postgresql://kim:pass@host/db", "pass"),
    ],
)
@pytest.mark.parametrize("form", ["json", "text"])
def test_line__holds_no_secret_that_a_message_quotes(stream, said, secret, form):
    log.set_up(form, "info", stream)
    logging.getLogger("riskgrid").info(said)
    try:
        raise ValueError(said)
    except ValueError:
        logging.getLogger("riskgrid").error("failed", exc_info=True)
    assert "failed" in stream.getvalue()
    assert secret not in stream.getvalue()


def test_set_up__of_an_unknown_form_or_level_lists_the_right_ones():
    with pytest.raises(InputError, match="'xml' from the level 'info' on; one of auto, json, text and one of debug"):
        log.set_up("xml")
    with pytest.raises(InputError, match="from the level 'loud' on"):
        log.set_up("json", "loud")


def test_level__is_riskgrids_own(stream):
    log.set_up("json", "debug", stream)
    logging.getLogger("riskgrid.engine").debug("task")
    logging.getLogger("another").debug("noise")
    assert [line["event"] for line in lines(stream)] == ["task"]


def test_carried__is_nothing_where_nobody_listens(monkeypatch):
    monkeypatch.setattr(log, "_SET", {})
    with log.about(run="r1"):
        assert log.carried() == {}
    with log.speaking({}):
        assert dict(log.facts()) == {}


RUN = """
    import sys
    from riskgrid import log, sample
    from riskgrid.running import run
    if __name__ == "__main__":
        log.set_up(sys.argv[1], "debug")
        made = run(
            sample.portfolio(60), sample.market(), sample.scenarios(count=5), store=sys.argv[2], cluster=sys.argv[3],
            progress=None,
        )
        print(made.run_id)
"""


@pytest.mark.slow
@pytest.mark.parametrize("cluster", ["threads:2", "processes:2"])
def test_task__says_which_run_it_works_for_wherever_it_works(tmp_path, cluster):
    (tmp_path / "main.py").write_text(textwrap.dedent(RUN))
    command = [sys.executable, str(tmp_path / "main.py"), "json", str(tmp_path / "store"), cluster]
    environment = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, env=environment, check=True)
    said = [json.loads(line) for line in done.stderr.splitlines() if line.startswith("{")]
    tasks = [line for line in said if line["event"] == "task done"]
    assert {line["run"] for line in tasks} == {done.stdout.strip()}
    assert sum(line["valuations"] for line in tasks) == 60 * 6
    assert "EO-0" not in done.stderr


def test_line__without_structlog_has_the_same_facts(monkeypatch, stream):
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    log.set_up("json", "info", stream)
    with log.about(run="r1"):
        logging.getLogger("riskgrid").info("rgk_ab_cd done", extra={"facts": {"ms": 2}})
    assert stream.getvalue().rstrip().endswith("riskgrid: ... done run=r1 ms=2")
