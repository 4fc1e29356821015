"""Where somebody looks: a page, a run, what it is narrowed to and how it is measured; as a query string and back."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

__all__ = ["State"]

#: Characters of an address, and values that a name may have in one.
_LONGEST, _MOST = 16_000, 12

type Path = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class State:
    """All that decides what is shown; the address of a page holds it.

    run : its id, the latest where empty.   against : the run it is held against, the one before where empty, ``none``
    for nothing.   where : label and value of each step down.   by : the label whose values are rows.   part : of the
    page.   convention : name of one of :data:`riskgrid.dashboards.convention.CONVENTIONS`.   sort : a column, with a
    minus for its largest first.   beside : ids of runs shown beside it.   after : the run after which a list of runs
    goes on.   draft : changes that were put together and not yet run, as the What-if page writes them.

    >>> state = State(page="drill-down", where=(("region", "EMEA"), ("desk", "Rates")), by="book")
    >>> state.query
    '?page=drill-down&where=region:EMEA&where=desk:Rates&by=book'
    >>> State.of(state.query) == state, State().query
    (True, '?')
    """

    page: str = "overview"
    run: str = ""
    against: str = ""
    where: Path = ()
    by: str = ""
    part: str = ""
    convention: str = ""
    scenario: str = ""
    trade: str = ""
    factor: str = ""
    sort: str = ""
    start: int = 0
    beside: tuple[str, ...] = ()
    after: str = ""
    draft: str = ""

    @classmethod
    def of(cls, query: str) -> State:
        """From the query of an address; what it does not know it leaves out."""
        found: dict[str, Any] = {"where": {}, "beside": []}
        known = {each.name for each in fields(cls)}
        for name, value in parse_qsl(query.removeprefix("?")[:_LONGEST]):
            if name == "where":
                label, parted, wanted = value.partition(":")
                if parted and label and len(found["where"]) < _MOST:
                    found["where"].setdefault(label, wanted)
            elif name == "beside":
                found["beside"] = [*found["beside"], value][:_MOST]
            elif name == "start":
                found["start"] = int(value) if value.isdecimal() and value.isascii() and len(value) < 10 else 0
            elif name in known:
                found[name] = value
        found |= {"where": tuple(found["where"].items()), "beside": tuple(found["beside"])}
        return cls(**found)

    @property
    def query(self) -> str:
        """As the query of an address, without what is as it is by default."""
        pairs: list[tuple[str, str]] = []
        for each in fields(self):
            value = getattr(self, each.name)
            if value == each.default:
                continue
            if each.name == "where":
                pairs += [("where", f"{label}:{wanted}") for label, wanted in value]
            elif each.name == "beside":
                pairs += [("beside", one) for one in value]
            else:
                pairs.append((each.name, str(value)))
        return "?" + urlencode(pairs, safe=":", quote_via=quote)

    @property
    def narrowed(self) -> dict[str, str] | None:
        """The trades looked at, as the library's ``where``; None for all."""
        return dict(self.where) or None

    def but(self, **changes: Any) -> State:
        """The same with some things changed."""
        return replace(self, **changes)

    def within(self, label: str, value: str, **changes: Any) -> State:
        """One step down: only trades whose ``label`` is ``value``."""
        kept = tuple((name, wanted) for name, wanted in self.where if name != label)
        return self.but(where=(*kept, (label, value)), start=0, sort="", trade="", **changes)

    @property
    def up(self) -> State:
        """One step back up; the same where there is none."""
        if self.trade:
            return self.but(trade="")
        return self.but(where=self.where[:-1], by="", start=0, sort="") if self.where else self
