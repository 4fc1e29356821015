"""Two stores that differ in hidden books alone: what somebody is answered must be the same in both, byte by byte."""

from __future__ import annotations

import re
import sys
import uuid
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from starlette.testclient import TestClient

import riskgrid as rg
from riskgrid.access import Door
from riskgrid.acting import ask_what_if, keep_input
from riskgrid.api.app import make_app
from riskgrid.api.rate import Rates
from riskgrid.api.service import Service
from riskgrid.books import Books
from riskgrid.hashing import digest
from riskgrid.named import narrowed
from riskgrid.principal import EVERYTHING, Principal
from riskgrid.runner import Runner
from riskgrid.store import Store
from tests.run import made

__all__ = ["HIDDEN", "SEEN", "World"]

SCOPES = frozenset({"read", "run"})

#: What somebody may see.
SEEN = {
    "nothing": Books(),
    "one book": Books.of({"book": "Flow A"}),
    "one desk": Books.of({"desk": "Macro"}),
    "a region and another book": Books.of([{"region": "EMEA"}, {"book": "Exotic B"}]),
    "all": Books.of({"region": ["AMER", "EMEA"]}),
}

#: Who sees what the one who asks does not.
HIDDEN = Principal("hidden", SCOPES, Books.of({"counterparty": ["North", "South", ""]}))

_MOMENT = re.compile(rb"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(\+00:00|Z)")
_DATED = ("date", "x-request-id")


class World:
    """A store with a book, two days, and an interface to it. whole : with the hidden books, else these never were."""

    latest: World

    def __init__(self, folder: Any, books: Books, monkeypatch: Any, *, whole: bool) -> None:
        self.who = Principal("somebody", SCOPES, books)
        self._step, self._drawn = "", Counter[Any]()
        World.latest = self
        monkeypatch.setattr(uuid, "uuid4", lambda: World.latest.drawn(sys._getframe(1)))
        self.store = Store(folder)
        self._begin("inputs")
        book = rg.Portfolio.from_tables(_tables())
        mine = narrowed(book, books)
        rg.keep(book if whole else mine, "book", store=self.store)
        days = {"before": made.market(), "today": made.market({"equity:SPX": 2150.0, "fx:EUR": 1.13})}
        still = np.array([factor in ("spread:ACME", "equity:AAPL") for factor in days["today"].factors])
        scenarios = made.scenarios(count=6, unshocked=still)
        rg.keep(scenarios, "days", store=self.store)
        self.runs = {}
        for name, market in days.items():
            self._begin(f"run {name}")
            rg.keep(market, name, store=self.store)
            given = (book if whole else mine, market, scenarios)
            # how fine money is counted is of the whole book: known, and never hidden
            self.runs[name] = rg.run(*given, name=name, store=self.store, cut=16, bits=10, progress=None).run_id
        self.trades = sorted(trade for table in mine.tables.values() for trade in table["trade_id"].to_pylist())
        #: Whether some of the book is seen and some is not.
        self.part = 0 < len(self.trades) < sum(table.num_rows for table in book.tables.values())
        self.door = Door(self.store)
        if whole:
            self._live_on()
        service = Service(self.door, authenticate=lambda headers: self.who, rates=Rates(1e6, 1e6))
        self.client = TestClient(make_app(service), raise_server_exceptions=False)

    def asked(self, method: str, path: str, step: str, **options: Any) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body of an answer, without the moments at which things happened."""
        self._begin(step)
        options["headers"] = {"Accept": "application/json", **options.get("headers", {})}
        response = self.client.request(method, path, **options)
        body, moments = _MOMENT.subn(b"<moment>", response.content)
        dated = (*_DATED, "etag") if moments else _DATED  # the tag of what tells a moment is of its bytes
        headers = {name: value for name, value in response.headers.items() if name not in dated}
        return response.status_code, headers, body

    def work(self, step: str) -> None:
        """Answer all that waits."""
        self._begin(step)
        runner = Runner(self.store, cluster="threads:1")
        while runner.step() is not None:
            pass

    def within(self) -> set[str]:
        """Ids and keys that are of no use to anybody outside: of views, of content, of answers."""
        rows = self.store.catalogue.list()
        kept = {key for row in rows for key in (row.manifest.get("inputs") or {}).values()}
        kept |= {key for row in rows for key in (row.content_id, row.result_id) if key}
        return kept | {row.run_id for row in rows if row.serves is not None}

    def _begin(self, step: str) -> None:
        """What is random from here on is of this step alone, however much went before."""
        World.latest = self
        self._step, self._drawn = step, Counter()

    def drawn(self, frame: Any) -> uuid.UUID:
        """A random id, the same in both worlds. frame : of who asks for it, as the names of files count for nothing."""
        place = Path(frame.f_code.co_filename).name, frame.f_lineno
        self._drawn[place] += 1
        return uuid.UUID(bytes=digest("id", self._step, *place, self._drawn[place])[:16])

    def _live_on(self) -> None:
        """What others do that the one who asks does not see."""
        self._begin("hidden")
        today = self.runs["today"]
        for who in (EVERYTHING, HIDDEN):
            self.door.run(today, who)
            ask_what_if(self.door, who, today, {"shift": {"fx:EUR": "+3%"}}, name="a secret")
            ask_what_if(self.door, who, self.runs["before"], {"resize": {"fx_option-1": 5.0}}, key="their key")
        for name, given in (("secret", made.market({"fx:EUR": 2.0})), ("secret", made.scenarios(count=2))):
            keep_input(self.door, HIDDEN, name, given)
        for name in ("secret", "mine"):
            keep_input(self.door, HIDDEN, name, made.portfolio(3))
        rg.sensitivities(self.door.run(today, HIDDEN))


def _tables() -> dict[str, Any]:
    """Trades, some of which nothing can price."""
    tables = made.tables(8)
    tables["equity"].loc[3:6, "underlying"] = "NONE"
    tables["fixed_rate_bond"]["netting_set"] = "N1"
    return tables
