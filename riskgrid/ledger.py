"""Trades of a run and of the what-ifs below it, each at a place of its own, without copying the run's tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from riskgrid.books import Books
from riskgrid.delta import Delta
from riskgrid.errors import BadChanges
from riskgrid.label import TradeLabels
from riskgrid.portfolio import Portfolio, unknown_trade
from riskgrid.rehang import Hanging, all_hit, known_labels, rehung, with_label
from riskgrid.terms import LABELS, Flags, Names

__all__ = ["Ledger"]


@dataclass(frozen=True)
class Ledger:
    """A portfolio and the deltas after it. ``moved`` : trade_id to the delta that holds it now, -1 where it has gone,
    -2 where it is as if it had never been: it was in none of the books that a run was narrowed to.

    ``hung`` : labels that were changed by rule, (place,) as many as there were then.
    Places count the trades of the root in portfolio order, then those of each delta.
    """

    root: Portfolio
    deltas: tuple[Portfolio, ...] = ()
    moved: dict[str, int] = field(default_factory=dict)
    hung: Mapping[str, Names] = field(default_factory=dict)
    _labels: dict[int, TradeLabels] = field(default_factory=dict, repr=False)

    def after(self, delta: Delta, there: Flags) -> tuple[Ledger, Hanging | None]:
        """The ledger once trades have left and come and rules were applied, and what these did to the trades that
        stay. there : (place,), those that stay.  BadChanges for a rule that hits no trade."""
        new, hanging = delta.new, None
        if delta.rules:
            hanging = Hanging(there, self.label, self._flags)
            hits = [hanging.apply(rule) for rule in delta.rules]
            new, own = rehung(new, delta.rules)
            all_hit(delta.rules, [a + b for a, b in zip(hits, own, strict=True)])
        moved = self.moved
        if delta.gone or len(new):
            left = dict.fromkeys(delta.gone, -1) | dict.fromkeys(delta.outside, -2)
            moved = moved | left | dict.fromkeys(new.places(), len(self.deltas))
        hung = {**self.hung, **hanging.changed} if hanging else self.hung
        return replace(self, deltas=(*self.deltas, new), moved=moved, hung=hung), hanging

    @property
    def label_names(self) -> tuple[str, ...]:
        """Labels that trades have."""
        names = known_labels((self.root, *self.deltas))
        if not self.moved:
            return names
        always = {*LABELS, *self.hung}
        return tuple(name for name in names if name in always or self._has(name))

    def _has(self, label: str) -> bool:
        """Whether a trade that is there has a label."""
        held = ((None, self.root), *enumerate(self.deltas))  # a trade that never moved is the root's
        return any(
            self.moved.get(trade.as_py()) == number  # one by one: mostly the first is there
            for number, portfolio in held
            for table in portfolio.tables.values()
            if label in table.column_names
            for trade in table["trade_id"]
        )

    def label(self, name: str) -> Names:
        """A label of all trades, also of those that have gone, (place,) codes; empty text where a table lacks it."""
        first = [self.hung[name]] if name in self.hung else []
        begin, stop = len(first[0]) if first else 0, 0
        parts = list(first)
        for portfolio in (self.root, *self.deltas):
            stop += len(portfolio)
            if stop > begin:
                parts.append(self._label_of(portfolio, name))
        return _joined(parts)

    def select(self, trade_ids: Iterable[str]) -> Portfolio:
        """These trades as they are now. UnknownName or BadChanges where one is not there."""
        trade_ids = list(trade_ids)
        self._refuse_gone(trade_ids)
        by_delta: dict[int | None, list[str]] = {}
        for trade in trade_ids:
            by_delta.setdefault(self.moved.get(trade), []).append(trade)
        parts = [(self.root if at is None else self.deltas[at]).select(ids) for at, ids in by_delta.items()]
        found = Portfolio.concat(parts) if len(parts) != 1 else parts[0]
        return self._labelled(found) if self.hung else found

    def known(self, trade_ids: Iterable[str]) -> set[str]:
        """Which of these trade_ids are there."""
        asked = set(trade_ids)
        held = {trade for trade in asked if self.moved.get(trade, -1) >= 0}
        return held | self.root.known(asked - self.moved.keys())

    def outside(self, books: Books) -> list[str]:
        """The trade_ids that are in none of these books."""
        held = books.held(self.label, len(self.root) + sum(map(len, self.deltas)))
        found, begin = [], 0
        for number, portfolio in ((None, self.root), *enumerate(self.deltas)):
            ids = list(portfolio.places())
            out = ~held[begin : begin + len(ids)]
            begin += len(ids)
            left = [ids[at] for at in np.flatnonzero(out).tolist()]
            found += [trade for trade in left if self.moved.get(trade) == number] if self.moved else left
        return found

    def places(self, trade_ids: Iterable[str]) -> NDArray[np.int64]:
        """Where trades stand. UnknownName for one that never was, BadChanges for one that has gone."""
        asked = list(trade_ids)
        self._refuse_gone(asked)
        starts = np.cumsum([len(self.root), *map(len, self.deltas)])
        root = self.root.places([trade for trade in asked if trade not in self.moved])
        held = {self.moved[trade] for trade in asked if trade in self.moved}
        own = {at: self.deltas[at].places() for at in held}
        found = [
            root[trade] if trade not in self.moved else int(starts[self.moved[trade]]) + own[self.moved[trade]][trade]
            for trade in asked
        ]
        return np.array(found, np.int64)

    def _refuse_gone(self, trade_ids: Iterable[str]) -> None:
        if not self.moved:
            return
        there = self.known(trade_ids)
        for trade in trade_ids:
            if trade in there:
                continue
            if self.moved.get(trade) == -1:
                raise BadChanges(f"trade '{trade}' has gone by an earlier what-if; add it to have it back")
            raise unknown_trade(trade, self._there())

    def _there(self) -> list[str]:
        """The trade_ids that are there."""
        held = ((None, self.root), *enumerate(self.deltas))
        return [trade for at, portfolio in held for trade in portfolio.places() if self.moved.get(trade) == at]

    def _flags(self, trade_ids: tuple[str, ...]) -> Flags:
        flags = np.zeros(len(self.root) + sum(map(len, self.deltas)), np.bool_)
        flags[self.places(self.known(trade_ids))] = True
        return flags

    def _label_of(self, portfolio: Portfolio, name: str) -> Names:
        if name not in (*portfolio.label_names, "instrument", "currency"):
            return Names(np.zeros(len(portfolio), np.int32), ("",))
        if portfolio is not self.root:
            return TradeLabels(lambda: portfolio)[name]
        return self._labels.setdefault(0, TradeLabels(lambda: self.root))[name]  # large, and shared by all after it

    def _labelled(self, found: Portfolio) -> Portfolio:
        """With the labels that rules have set."""
        tables = {}
        for instrument, table in found.tables.items():
            at = self.places(table["trade_id"].to_pylist())
            for name, hung in self.hung.items():
                here = at < len(hung)
                if here.any():
                    has = name in table.column_names
                    before = found.label(name, instrument).texts().ravel() if has else np.full(len(at), "", object)
                    before[here] = hung[at[here]].texts().ravel()
                    table = with_label(table, name, Names.of(before))  # noqa: PLW2901, the table after each label
            tables[instrument] = table
        return Portfolio(tables)


def _joined(parts: Sequence[Names]) -> Names:
    if len(parts) == 1:
        return Names(parts[0].codes.ravel(), parts[0].names)
    names = tuple(dict.fromkeys(name for part in parts for name in part.names))
    place = {name: at for at, name in enumerate(names)}
    codes = [
        np.array([place[name] for name in part.names], np.int32)[part.codes.ravel()] for part in parts if len(part)
    ]
    return Names(np.concatenate([*codes, np.zeros(0, np.int32)]), names)
