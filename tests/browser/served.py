"""A service as people start it, on a small store of its own: two dates of the Brexit vote, gaps, a what-if."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

import riskgrid as rg
from riskgrid.books import Books
from riskgrid.identity.keys import make_key
from riskgrid.store import Store
from tests.browser.people import People

__all__ = ["BOOK", "Filled", "Serving", "filled"]

_ROOT = Path(__file__).parents[2]
_TRADES, _SCENARIOS = 300, 60

#: The book that one of the two people may see.
BOOK = "EQD-EMEA-1"


@dataclass(frozen=True)
class Filled:
    """A store with runs, by what they are.

    keys : ``ann`` sees all books and may run, ``lee`` may look at one; ``kim`` is to lose her key; ``pat`` has a token,
    and what the file of rights gives.
    """

    store: Store
    runs: dict[str, str]
    keys: dict[str, str]
    people: People | None = None


def filled(folder: Path, trades: int = _TRADES, scenarios: int | None = _SCENARIOS, *, known: bool = True) -> Filled:
    """A store that was run into. known : whether people have keys; where none has, nobody is asked for one."""
    store = Store(folder)
    book = rg.sample.portfolio(trades=trades)
    runs: dict[str, str] = {}

    def ran(name: str, day: str, *, holes: bool = False) -> rg.Run:
        market = rg.sample.market(day)
        given = rg.sample.scenarios(day) if scenarios is None else rg.sample.scenarios(day, count=scenarios)
        asked = _with_holes(market, given) if holes else (market, given)
        called = "before two prices came" if holes else "end of day"
        made = rg.run(book, *asked, store=store, name=called, progress=None)
        runs[name] = made.run_id
        return made

    ran("holes", "2016-06-23", holes=True)
    ran("eve", "2016-06-23")
    vote = ran("vote", "2016-06-24")
    ids = vote.trade_table()["trade_id"].values.tolist()
    for name, called, changes in (
        ("supposed", "without three", {"drop": ids[:3]}),
        ("moved", "shares down", {"shift": {"equity:*": "-5%"}}),
    ):
        runs[name] = rg.what_if(vote, changes, name=called).run_id
    return Filled(store, runs, *(_known(store, folder) if known else ({}, None)))


def _known(store: Store, folder: Path) -> tuple[dict[str, str], People]:
    """What each person shows."""
    given: dict[str, tuple[Books | None, str]] = {
        "ann": (None, "run"),
        "lee": (Books.of({"book": BOOK}), "read"),
        "kim": (None, "read"),
    }
    keys = {
        name: make_key(store.keys, name, books, scopes=[scope], by="test")[0] for name, (books, scope) in given.items()
    }
    people = People.begun(folder.with_name("people"))
    people.let("pat", "all")
    return {**keys, "pat": people.token("pat")}, people


def _with_holes(market: Any, scenarios: Any) -> tuple[Any, Any]:
    """A market without the prices of two shares."""
    from dataclasses import replace

    use = np.array([not any(name in factor for name in ("AAPL", "MSFT")) for factor in market.factors])
    kept = tuple(factor for factor, used in zip(market.factors, use, strict=True) if used)
    origin = {factor: market.origin[factor] for factor in kept if factor in market.origin}
    less = replace(market, factors=kept, levels=market.levels[use], origin=origin)
    return less, scenarios.isel(factor=[at for at, name in enumerate(scenarios["factor"].values) if name in set(kept)])


@dataclass
class Serving:
    """``riskgrid serve`` as a process; it can be ended and started again at its place.

    options : of the command.   settings : of its environment.
    """

    store: Store
    folder: Path
    options: tuple[str, ...] = ()
    settings: Mapping[str, str] = field(default_factory=dict)
    port: int = 0
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def place(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it and wait until it answers."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("RISKGRID_")}
        environment |= {"PYTHONPATH": str(_ROOT), "RISKGRID_HOME": str(self.folder / "home"), "RISKGRID_LOG": "json"}
        environment |= self.settings
        said = self.folder / "said"
        command = [sys.executable, "-m", "riskgrid", "serve", "--no-sample", "--port", str(self.port), *self.options]
        with said.open("wb") as out, (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [*command, "--store", self.store.where], stdout=out, stderr=log, env=environment, cwd=self.folder
            )
        for _ in range(1200):
            if self.process.poll() is not None:
                raise RuntimeError(f"the service ended with {self.process.returncode}: {self.log[-2000:]}")
            if found := re.search(r"at http://[\d.]+:(\d+)/desk", said.read_text()):
                self.port = int(found[1])
                if self._answers():
                    return
            time.sleep(0.05)
        raise RuntimeError(f"the service did not answer: {self.log[-2000:]}")

    def end(self) -> None:
        """End it, and wait until it has."""
        if self.process is not None:
            self.process.terminate()
            self.process.wait(60)
            self.process = None

    @property
    def log(self) -> str:
        """What it has logged."""
        return (self.folder / "log").read_text()

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.place}/health", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False
