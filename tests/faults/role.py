"""Roles of a service as processes that are killed and started again, over one database and one folder of objects."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import riskgrid as rg
from riskgrid.cli import cli
from riskgrid.identity.keys import make_key
from riskgrid.registry import INSTRUMENTS
from riskgrid.store import Queue, RunRow, Store
from tests.faults import deadly
from tests.faults.commands import Forked
from tests.run import made

ROOT = Path(__file__).parents[2]

#: Seconds after which a run of a process that says nothing is another's.
LEASE = 3.0
#: Seconds that requests have to finish once an API is told to end.
GRACE = 1
#: Seconds of patience with a machine that has other things to do.
PATIENCE = 120.0


def until[T](true: Callable[[], T], what: str = "it did not come to pass") -> T:
    """What comes to be true."""
    end = time.monotonic() + PATIENCE
    while not (found := true()):
        assert time.monotonic() < end, what
        time.sleep(0.01)
    return found


class Role:
    """A command of riskgrid as a process. told : changes to its environment."""

    def __init__(self, folder: Path, *words: str, **told: str) -> None:
        self._folder, self._words, self._told = folder, words, told
        folder.mkdir()
        self.url = ""
        self._started = 0
        self.start()

    def start(self) -> None:
        """Start it, where an API listened before."""
        self._started += 1
        self._out, self._log = (self._folder / f"{name}-{self._started}" for name in ("out", "log"))
        words = [*self._words]
        if words[0] == "api":
            words += ["--port", self.url.rpartition(":")[2] or "0"]
        plain = {name: value for name, value in os.environ.items() if not name.startswith("RISKGRID_")}
        more = {"PYTHONPATH": str(ROOT), "RISKGRID_HOME": str(self._folder), "RISKGRID_LOG": "json", "DEADLY": "1"}
        for path in (self._out, self._log):
            path.touch()
        self.process = Forked(perform, *words, environment=plain | more | self._told, out=self._out, err=self._log)

    def ready(self) -> None:
        """Wait until it serves, or waits for runs."""
        said = "waits for runs" if self._words[0] == "runner" else "riskgrid serves"
        until(lambda: said in self.output() or self.process.poll() is not None, self.output())
        assert self.process.poll() is None, self.output()
        if self._words[0] == "api":
            self.url = re.search(r"riskgrid serves (http://[^\s;]+)", self.output())[1]

    def output(self) -> str:
        """What it has said."""
        return self._out.read_text() + self._log.read_text()

    def kill(self) -> None:
        """End it as a machine that breaks does."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(PATIENCE)

    @contextlib.contextmanager
    def away(self) -> Iterator[None]:
        """While this lasts, it does nothing at all."""
        self.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.process.send_signal(signal.SIGCONT)

    def ended(self, run_id: str) -> bool:
        """Whether a runner says that it has ended a run."""
        lines = [line for line in self.output().splitlines() if '"run ended"' in line]
        return any(run_id in line for line in lines)

    def told_to_end(self) -> None:
        """Tell it to end."""
        self.process.send_signal(signal.SIGTERM)

    def again(self) -> None:
        """Start it again and wait for it."""
        self.start()
        self.ready()


class Grid:
    """Two APIs and two runners over one database and one folder, with a book that may be held at a gate."""

    def __init__(self, folder: Path, database: str) -> None:
        self.gate, self.log, self.dies = folder / "gate", folder / "priced", folder / "dies"
        self.gate.mkdir()
        self.store = Store(folder / "store", catalogue=database)
        self.key, _ = make_key(self.store.keys, "load", None, scopes=("read", "run"), by="test")
        self.told = {
            "RISKGRID_STORE": self.store.where,
            "RISKGRID_CATALOGUE": database,
            "DEADLY_GATE": str(self.gate),
            "DEADLY_LOG": str(self.log),
            "DIES": str(self.dies),
        }
        self.apis = [Role(folder / f"api-{at}", "api", **self.told) for at in range(2)]
        runner = ("runner", "--cluster", "threads:1", "--lease", f"{LEASE:g}", "--no-interactive-lane")
        self.runners = [Role(folder / f"runner-{at}", *runner, **self.told) for at in range(2)]
        self._clients: list[rg.Client] = []

    def mend(self) -> None:
        """Start again what has ended."""
        for role in (*self.apis, *self.runners):
            if role.process.poll() is not None:
                role.start()

    def client(self, at: int, key: str | None = None, tries: int = 8) -> rg.Client:
        """A client of one of the APIs. key : by default one that may see and run everything."""
        self.apis[at].ready()
        self._clients.append(rg.Client(self.apis[at].url, key=key or self.key, timeout=PATIENCE, tries=tries))
        return self._clients[-1]

    def runner_of(self, row: RunRow) -> Role:
        """Who holds a run."""
        (found,) = (role for role in self.runners if str(row.runner).endswith(f":{role.process.pid}"))
        return found

    @contextlib.contextmanager
    def shut(self) -> Iterator[None]:
        """While this lasts, whoever prices a trade that waits is held."""
        for path in self.gate.iterdir():
            path.unlink()
        (self.gate / "shut").touch()
        try:
            yield
        finally:
            (self.gate / "shut").unlink()

    @contextlib.contextmanager
    def runners_away(self) -> Iterator[None]:
        """While this lasts, no runner takes what an API has queued and is about to make itself."""
        with contextlib.ExitStack() as away:
            for runner in self.runners:
                runner.ready()
                away.enter_context(runner.away())
            yield

    def at_gate(self, role: Role) -> bool:
        """Whether a process has come to the gate."""
        return (self.gate / str(role.process.pid)).exists()

    def rows(self) -> dict[str, RunRow]:
        """All runs by their ids."""
        return {row.run_id: row for row in self.store.catalogue.list()}

    def priced(self) -> list[str]:
        """A line for each block that was priced, by whomever."""
        return self.log.read_text().split() if self.log.exists() else []

    def course(self, run_id: str) -> list[str]:
        """What happened to a run, without how far it came."""
        return [event.kind for event in self.store.journal.events(run_id) if event.kind != "progress"]

    def close(self) -> None:
        """End all of it."""
        for client in self._clients:
            client.close()
        for role in (*self.apis, *self.runners):
            if role.process.poll() is None:
                role.kill()
        self.store.catalogue.close()


def perform(*words: str) -> None:
    """A command with the deadly instrument, short leases and grace, and a death where ``DIES`` says."""
    from riskgrid.acting import supposing
    from riskgrid.api import server

    INSTRUMENTS.add("deadly", deadly.DEADLY)
    supposing.LEASE_SECONDS, server.GRACE = LEASE, GRACE
    if "DIES" in os.environ:
        _die_after_submit(Path(os.environ["DIES"]))
    cli(words)


def _die_after_submit(once: Path) -> None:
    """End the process when a run has been accepted and nobody was told, the first time."""
    kept = Queue.submit

    def submit(self: Queue, row: RunRow, **options: Any) -> RunRow:
        found = kept(self, row, **options)
        if once.exists():
            once.unlink()
            os.kill(os.getpid(), signal.SIGKILL)
        return found

    Queue.submit = submit


def keep_inputs(store: Store, sets: int, **book: object) -> None:
    """A book, a market and so many scenario sets, under names."""
    rg.keep(deadly.book(**book), "book", store=store)
    rg.keep(made.market(), "today", store=store)
    for at in range(sets):
        rg.keep(made.scenarios(count=6, seed=at), f"days {at}", store=store)
