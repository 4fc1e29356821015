"""The roles of a service as processes: started, asked, told to end, killed."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from riskgrid.cli import cli
from riskgrid.jobs import submit
from riskgrid.question import Question, ask
from riskgrid.runner import Runner
from riskgrid.running import run
from riskgrid.sample import market, portfolio, scenarios
from riskgrid.store import Store

ROOT = Path(__file__).parents[1]


class Process:
    """A command of riskgrid as a process of its own, what it prints and what it logs."""

    def __init__(self, folder: Path, *words: str) -> None:
        self.store = Store(folder / "store")
        self._out, self._log = folder / "out", folder / "log"
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("RISKGRID_")},
            "PYTHONPATH": str(ROOT),
            "RISKGRID_HOME": str(folder / "home"),
            "RISKGRID_LOG": "json",
        }
        with self._out.open("wb") as out, self._log.open("wb") as err:
            command = [sys.executable, "-m", "riskgrid", *words, "--store", self.store.where]
            self.process = subprocess.Popen(command, stdout=out, stderr=err, env=environment, cwd=folder)

    @property
    def said(self) -> str:
        return self._out.read_text()

    @property
    def log(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self._log.read_text().splitlines() if line.startswith("{")]

    def children(self) -> list[int]:
        found = (re.fullmatch(r"the runner is process (\d+)", line["event"]) for line in self.log)
        return [int(match[1]) for match in found if match is not None]

    def address(self) -> str:
        until(lambda: "riskgrid serves" in self.said or self.process.poll() is not None)
        found = re.search(r"riskgrid serves (http://\S+)[;\s]", self.said)
        assert found is not None, self._log.read_text()
        return found[1].rstrip(";")

    def get(self, path: str) -> Any:
        with urllib.request.urlopen(self.address() + path, timeout=30) as answer:
            return json.loads(answer.read())


def until(true: Callable[[], object], seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not come to pass"
        time.sleep(0.005)


def lives(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    if Path("/proc/self/stat").exists():
        return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"
    return subprocess.run(["ps", "-p", str(pid)], capture_output=True, check=False).returncode == 0


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Callable[..., Process]]:
    made: list[Process] = []

    def start(*words: str) -> Process:
        made.append(Process(tmp_path, *words))
        return made[-1]

    yield start
    for each in made:
        if each.process.poll() is None:
            each.process.terminate()
            each.process.wait(60)
        for pid in each.children():
            until(lambda pid=pid: not lives(pid))


def question(trades: int = 2500) -> Question:
    """One that keeps a thread busy for a second or more, in many blocks."""
    return ask(portfolio(trades), market(), scenarios(), cut=16)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> str | None:
    """The answer to that question where nothing ends and nobody is killed."""
    asked, folder = question(), tmp_path_factory.mktemp("undisturbed")
    made = run(asked.portfolio, asked.market, asked.scenarios, store=folder, cut=16, progress=None)
    return made.row.result_id


def blocks(store: Store) -> int:
    return len(list((store.root / "blocks").glob("*/*")))


@pytest.mark.slow
def test_serve__gives_a_new_store_the_sample_and_ends_with_its_runner(started: Callable[..., Process]) -> None:
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        port = busy.getsockname()[1]
        served = started("serve", "--port", str(port), "--trades", "150")
        address = served.address()
    assert 0 < int(address.rpartition(":")[2]) - port < 20  # the one that was in use gave way
    assert "development mode: nobody is asked who he is" in served.said
    assert served.said.startswith(f"the dashboard is at {address}/desk\n")
    with urllib.request.urlopen(address, timeout=60) as page:  # where a browser is led
        assert (page.url, page.status) == (f"{address}/desk", 200)
    assert any(line["level"] == "warning" and "DEVELOPMENT MODE" in line["event"] for line in served.log)
    until(lambda: served.get("/api/v1/runs")["items"][0]["status"] == "complete")
    latest, *earlier = served.get("/api/v1/runs")["items"]
    assert (latest["name"], latest["trades"], latest["as_of"]) == ("sample", 150, "2016-07-01")
    assert [one["as_of"] for one in earlier] == ["2016-06-30", "2016-06-24", "2016-06-23"]
    assert served.get("/ready") == {"status": "ok"}
    assert served.get("/version")["development"] is True
    until(lambda: len([line for line in served.log if line["event"] == "run ended"]) == 4)
    ended = {line["run"]: line["status"] for line in served.log if line["event"] == "run ended"}
    assert ended == {one["run_id"]: "complete" for one in (latest, *earlier)}
    (child,) = served.children()
    served.process.send_signal(signal.SIGINT)
    assert served.process.wait(30) == 0
    assert not lives(child)


@pytest.mark.slow
def test_dashboard__serves_pages_and_probes_alone(started: Callable[..., Process]) -> None:
    served = started("dashboard", "--development", "--port", "0")
    assert served.get("/ready") == {"status": "ok"}
    with urllib.request.urlopen(f"{served.address()}/desk", timeout=60) as page:
        assert page.status == 200
    for path in ("/api/v1/runs", "/docs"):
        with pytest.raises(urllib.error.HTTPError, match="404"):
            served.get(path)
    assert "documentation" not in served.said
    served.process.terminate()
    assert served.process.wait(60) == 0


@pytest.mark.slow
def test_api__told_twice_to_end_ends_in_order(started: Callable[..., Process]) -> None:
    served = started("api", "--development", "--port", "0")
    served.get("/health")
    for _ in range(2):
        served.process.send_signal(signal.SIGINT)
        time.sleep(0.03)
    served.process.wait(60)
    said = [line["event"] for line in served.log]
    assert any("what is being made is given back" in each for each in said)
    assert not any("Error" in line for line in served._log.read_text().splitlines())


@pytest.mark.slow
def test_serve__told_to_end_gives_back_the_run_in_hand(started: Callable[..., Process], undisturbed: str) -> None:
    asked = question()
    served = started("serve", "--port", "0", "--no-sample", "--cluster", "threads:1")
    served.address()  # its child may be at work before it itself can be told anything
    row = submit(asked, served.store)
    until(lambda: blocks(served.store) > 3)
    served.process.terminate()
    assert served.process.wait(30) == 0
    back = served.store.catalogue.get(row.run_id)
    assert (back.status, back.runner, back.attempts) == ("queued", None, 0)
    left = blocks(served.store)
    with Runner(served.store, lanes=(None,)) as runner:
        runner.work(until_idle=True)
    done = served.store.catalogue.get(row.run_id)
    assert (done.status, done.result_id) == ("complete", undisturbed)
    assert done.manifest["blocks"]["found"] == left > 0


@pytest.mark.slow
def test_serve__whose_runner_is_killed_finishes_the_run_with_the_same_bits(
    started: Callable[..., Process], undisturbed: str
) -> None:
    asked = question()
    served = started("serve", "--port", "0", "--no-sample", "--cluster", "threads:1")
    row = submit(asked, served.store)
    until(lambda: blocks(served.store) > 3)
    os.kill(served.children()[0], signal.SIGKILL)
    until(lambda: served.store.catalogue.get(row.run_id).status == "complete")
    done = served.store.catalogue.get(row.run_id)
    assert done.result_id == undisturbed
    assert done.manifest["blocks"]["found"] > 0
    assert len(served.children()) == 2
    assert any("signal 9 and is started again" in line["event"] for line in served.log)
    assert served.get("/health") == {"status": "ok"}


@pytest.mark.slow
def test_runner__ends_when_whoever_started_it_is_killed(started: Callable[..., Process]) -> None:
    served = started("serve", "--port", "0", "--no-sample")
    served.address()
    (child,) = served.children()
    until(lambda: any("waits for runs" in line["event"] for line in served.log))
    served.process.kill()
    until(lambda: not lives(child))


@pytest.mark.slow
def test_runner__gives_out_its_counts_at_a_port_of_their_own(started: Callable[..., Process]) -> None:
    runner = started("runner", "--metrics-port", "0", "--cluster", "threads:1")
    row = submit(ask(portfolio(50), market(), scenarios(count=5)), runner.store)

    def counts() -> str:
        line = next((line["event"] for line in runner.log if line["event"].startswith("counts are at")), None)
        if line is None:
            return ""
        with urllib.request.urlopen(line.removeprefix("counts are at "), timeout=30) as answer:
            return str(answer.read().decode())

    until(lambda: 'riskgrid_runs_total{status="complete"} 1.0' in counts())
    assert "riskgrid_valuations_total 300.0" in counts()
    assert row.run_id not in counts()


@pytest.mark.slow
def test_api__ends_a_request_whose_head_has_no_end(started: Callable[..., Process]) -> None:
    served = started("api", "--port", "0", "--development")
    host, _, port = served.address().removeprefix("http://").rpartition(":")
    with socket.create_connection((host, int(port)), timeout=30) as made:
        made.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n")
        sent = 0
        with contextlib.suppress(OSError):  # a pipe that broke or a connection that was reset
            while sent < 50_000_000:
                made.sendall(b"X-More: " + b"1" * 4000 + b"\r\n")
                sent += 4000
    assert sent < 50_000_000
    assert served.get("/health") == {"status": "ok"}


def call(*words: str) -> tuple[int, str]:
    done = CliRunner().invoke(cli, list(words))
    return done.exit_code, done.output


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in [name for name in os.environ if name.startswith("RISKGRID_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("RISKGRID_HOME", str(tmp_path))
    return tmp_path


def test_api__that_could_recognise_nobody_does_not_start(home: Path) -> None:
    code, said = call("api", "--port", "0", "--store", str(home))
    assert code == 1
    assert "nothing says how anybody is recognised: name an issuer of tokens (RISKGRID_OIDC_ISSUER" in said


@pytest.mark.parametrize("role", ["api", "dashboard", "serve"])
@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "risk.example.org"])
def test_development__listens_to_this_machine_alone(home: Path, role: str, host: str) -> None:
    code, said = call(role, "--development", "--host", host, "--port", "0", "--store", str(home))
    assert code == 1
    assert f"it does not listen at {host}; 127.0.0.1 is right" in said


def test_development__is_not_for_a_store_with_keys(home: Path) -> None:
    assert call("keys", "make", "night", "--all-books", "--store", str(home))[0] == 0
    code, said = call("serve", "--development", "--port", "0", "--store", str(home))
    assert (code, "without --development they are" in said) == (1, True)
    (made,) = Store(home).keys.list()
    assert call("keys", "revoke", made.key_id, "--store", str(home))[0] == 0
    for role in ("serve", "api"):  # whoever took the last key away did not mean to let everybody in
        code, said = call(role, "--port", "0", "--store", str(home))
        assert (code, "nothing says how anybody is recognised" in said) == (1, True)


@pytest.mark.slow
def test_api__asks_for_a_key_where_there_is_one(started: Callable[..., Process], tmp_path: Path) -> None:
    made = call("keys", "make", "watch", "--scope", "admin", "--all-books", "--store", str(tmp_path / "store"))
    assert made[0] == 0
    key = made[1].split()[0]
    served = started("api", "--port", "0", "--metrics-port", "0")
    assert served.get("/version")["development"] is False

    def asked(**headers: str) -> int:
        question = urllib.request.Request(served.address() + "/metrics", headers=headers)
        try:
            with urllib.request.urlopen(question, timeout=30) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            with error:
                return int(error.code)

    assert (asked(), asked(Authorization=f"Bearer {key}"), asked(Authorization=f"Bearer {key}0")) == (401, 200, 401)
    lines = [line for line in served.log if line["event"] == "request"]
    assert [line.get("principal") for line in lines if line["status"] == 200 and line["route"] == "/version"] == [None]
    assert key not in json.dumps(served.log)
    counted = next(line["event"] for line in served.log if line["event"].startswith("counts are at"))
    with urllib.request.urlopen(counted.removeprefix("counts are at "), timeout=30) as answer:
        text = answer.read().decode()
    assert 'riskgrid_requests_total{method="GET",route="/metrics",status="401"} 2.0' in text
    assert "watch" not in text


def test_development__opens_no_catalogue_that_others_use(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RISKGRID_STORE", "s3://bucket/risk")
    monkeypatch.setenv("RISKGRID_CATALOGUE", "postgresql://kim:secret@db.example.org/risk")
    code, said = call("api", "--development", "--port", "0")
    assert code == 1
    assert "it does not open postgresql://db.example.org/risk, which others use" in said
    assert "secret" not in said


def test_dashboard__says_what_installs_it_where_it_is_not(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    there = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "panel" else there(name))
    code, said = call("dashboard", "--development", "--port", "0", "--store", str(home))
    assert (code, said) == (1, "riskgrid: the dashboard is an extra; pip install 'riskgrid[dashboard]' installs it\n")


def test_port__that_is_in_use_is_said(home: Path) -> None:
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        port = busy.getsockname()[1]
        code, said = call("api", "--development", "--port", str(port), "--store", str(home))
        assert (code, f"cannot listen at 127.0.0.1:{port}: " in said) == (1, True)
        code, said = call("runner", "--until-idle", "--metrics-port", str(port), "--store", str(home))
        assert (code, f"cannot give out counts at 127.0.0.1:{port}: " in said) == (1, True)


def test_config__shows_every_setting_where_it_comes_from_and_no_secret(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RISKGRID_CATALOGUE", "postgresql://kim:p@ss/w?rd@db.example.org/risk?password=other")
    monkeypatch.setenv("RISKGRID_THREADS", "3")
    code, said = call("config", "--show")
    assert code == 0
    shown = {line.split()[0]: line for line in said.splitlines() if line.startswith("RISKGRID_")}
    assert re.search(r"RISKGRID_THREADS\s+3\s+environment", shown["RISKGRID_THREADS"])
    assert re.search(r"RISKGRID_PATIENCE\s+60.0\s+default", shown["RISKGRID_PATIENCE"])
    assert "postgresql://...@db.example.org/risk " in shown["RISKGRID_CATALOGUE"]
    for secret in ("kim", "ss/w", "other"):
        assert secret not in said
    from riskgrid.settings import Settings

    assert len(shown) == len(Settings.__dataclass_fields__)


def test_migrate__makes_a_served_catalogue_what_it_is_to_be(
    home: Path, postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RISKGRID_STORE", "s3://bucket/risk")
    monkeypatch.setenv("RISKGRID_CATALOGUE", postgres)
    code, said = call("migrate")
    assert (code, bool(re.search(r"catalogue postgresql://.*: empty -> 0\d+", said))) == (0, True)
    assert call("migrate")[0] == 0
    Store("s3://bucket/risk", catalogue=postgres).catalogue.close()
