"""Named portfolios, markets and scenario sets as a principal sees them."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from riskgrid.books import Books
from riskgrid.change import Changes
from riskgrid.errors import BadSpec, UnknownName
from riskgrid.inputs import load_portfolio, load_scenarios, load_snapshot
from riskgrid.portfolio import Portfolio
from riskgrid.principal import Principal
from riskgrid.result import Run
from riskgrid.store import NamedInput, Store

__all__ = ["SeenInputs", "narrowed"]

#: Inputs that are kept open: they are read from the store for each run that is asked of them.
_MOST = 12


class SeenInputs:
    """Named inputs of a store. run : gives a run as a principal sees it, for the inputs of that."""

    def __init__(self, store: Store, run: Callable[[str, Principal], Run]) -> None:
        self._store, self._run = store, run
        self._open: OrderedDict[tuple[str, str, str], Any] = OrderedDict()
        self._lock = threading.Lock()

    def names(self, kind: str, who: Principal) -> dict[str, NamedInput]:
        """Named inputs of a kind, by name.

        What one has named oneself, under the rights one has, comes before everybody's, these before what others of
        the same rights have named, and last come principals who see less: none takes the place of another's name.
        """
        latest = {(entry.name, entry.rights): entry for entry in self._named(kind, who)}

        def rank(entry: NamedInput) -> tuple[bool, bool, bool]:
            same = entry.rights == who.rights
            return same and entry.principal == who.name, not entry.rights, same

        found = {entry.name: entry for entry in sorted(latest.values(), key=rank)}
        return dict(sorted(found.items()))

    def named(self, kind: str, name: str, who: Principal) -> NamedInput:
        """A named input. UnknownName lists those that one sees."""
        known = self.names(kind, who)
        if name not in known:
            raise UnknownName(f"named {kind}", name, known)
        return known[name]

    def load(self, kind: str, name: str | Mapping[str, str], who: Principal) -> Any:
        """A named input itself: of a portfolio the trades in one's books.   name : also ``{"of": RUN}``, of a run."""
        if not isinstance(name, str):
            if set(name) != {"of"}:
                raise BadSpec(f"{kind} is {dict(name)!r}; a name, or {{'of': RUN}} for that of a run, is right")
            return getattr(self._run(name["of"], who), kind)
        entry = self.named(kind, name, who)
        key = (kind, entry.key, "" if entry.rights else who.rights)
        with self._lock:
            found = self._open.get(key)
        if found is None:
            found = self._loaded(entry, who)
            with self._lock:
                self._open[key] = found
                while len(self._open) > _MOST:
                    self._open.popitem(last=False)
        return found

    def _loaded(self, entry: NamedInput, who: Principal) -> Any:
        if entry.kind == "portfolio":
            found = load_portfolio(self._store, entry.key)
            return found if entry.rights or who.books is None else narrowed(found, who.books)
        return (load_snapshot if entry.kind == "market" else load_scenarios)(self._store, entry.key)

    def _named(self, kind: str, who: Principal) -> Iterator[NamedInput]:
        for row in self._store.names.given(kind):
            if not row.rights or who.sees_all(Books.read(row.rights)):
                yield row


def narrowed(portfolio: Portfolio, books: Books) -> Portfolio:
    """The trades of a portfolio in some books; a label that no trade has holds nobody."""
    return Changes(only=books.among((*portfolio.label_names, "instrument", "currency"))).portfolio(portfolio)
