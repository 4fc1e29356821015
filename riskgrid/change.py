"""Changes to a run: trades, labels of trades, market and scenarios."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import xarray as xr

from riskgrid import wording
from riskgrid.books import Books
from riskgrid.delta import Delta, Trades, delta_of
from riskgrid.errors import BadChanges, BadSpec, UnknownName
from riskgrid.given import check_kinds, number, portfolio_of, stated
from riskgrid.hashing import digest
from riskgrid.market.history import MarketHistory
from riskgrid.market.snapshot import MarketSnapshot
from riskgrid.portfolio import Portfolio
from riskgrid.rehang import Rehang
from riskgrid.scenarios import compose
from riskgrid.scenarios import set as scenario_set
from riskgrid.scenarios.stress import read_shocks, stress

if TYPE_CHECKING:
    from riskgrid.store import Store

__all__ = ["Changes"]

_KEYS = ("only", "add", "amend", "resize", "drop", "rehang", "snapshot", "date", "shift", "scenarios", "overlay")


@dataclass(frozen=True, eq=False)
class Changes:
    """What a what-if does to a run, in this order: trades, labels, snapshot or date, shift, scenarios, overlay.

    only : labels and values of the trades that stay, ``{"desk": "Rates"}``, or a list of such choices; all others
    leave, which prices nothing.   add : trades that come, a Portfolio, tables by instrument or lists of rows.
    amend : trade_id to the columns that change.   resize : trade_id to its new quantity.   drop : trade_ids that leave.
    rehang : rules ``{"where": {label: value or values}, "to": {label: value}}``, one after another, that change labels
    and price nothing.   snapshot : another market.   date : the market of that date of ``history``, a MarketHistory,
    its folder, or ``sample`` for the sample market.   shift : factor pattern to a shock of the grammar of
    :mod:`riskgrid.scenarios.stress` (``-20%``, ``+50bp``, ``=0.02``), applied to the base market, under which every
    scenario is taken again.   scenarios : another scenario set.   overlay : a stress in that grammar, its YAML file or
    a scenario set, that comes after every scenario (:func:`riskgrid.scenarios.compose.overlay`).

    Where the market's date changes, scenarios of the old date are of the new one.

    >>> Changes(drop=["T-1"], rehang=[{"where": {"book": "Flow A"}, "to": {"desk": "Macro"}}], shift={"fx:EUR": "-5%"})
    Changes(drop 1 trade; rehang book Flow A to desk Macro; shift fx:EUR -5%)
    """

    add: Portfolio | Mapping[str, Any] = field(default_factory=dict)
    amend: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    resize: Mapping[str, float] = field(default_factory=dict)
    drop: Iterable[str] = ()
    rehang: Iterable[Mapping[str, Any] | Rehang] = ()
    snapshot: MarketSnapshot | None = None
    date: Any = None
    history: MarketHistory | Path | str | None = None
    shift: Mapping[str, str | float] = field(default_factory=dict)
    scenarios: xr.Dataset | None = None
    overlay: Mapping[str, Any] | Path | xr.Dataset | None = None
    only: Books | Mapping[str, Any] | Iterable[Mapping[str, Any]] | None = None

    def __post_init__(self) -> None:
        check_kinds(self)
        made: dict[str, Any] = {
            "add": self.add if isinstance(self.add, Portfolio) else portfolio_of(self.add),
            "drop": tuple(dict.fromkeys(map(str, self.drop or ()))),
            "amend": {
                str(trade): {name: stated(trade, name, value) for name, value in columns.items()}
                for trade, columns in self.amend.items()
                if columns
            },
            "resize": {str(trade): stated(trade, "quantity", value) for trade, value in self.resize.items()},
            "rehang": tuple(Rehang.of(form) for form in self.rehang or ()),
            "shift": {str(pattern): number(shock) for pattern, shock in self.shift.items()},
            "date": None if self.date is None else str(self.date),
            "only": None if self.only is None else _books(self.only),
        }
        if self.scenarios is not None:
            scenario_set.check(self.scenarios)
        if isinstance(self.overlay, xr.Dataset):
            scenario_set.check(self.overlay)
        elif self.overlay is not None:
            made["overlay"] = read_shocks(self.overlay)
        if made["add"].rejected:
            raise BadChanges(
                f"the trades to add have {len(made['add'].rejected):,} bad cells; mend them or leave their rows out"
            )
        for name, value in made.items():
            object.__setattr__(self, name, value)
        both = set(self.drop) & (set(self.amend) | set(self.resize))
        if both:
            raise BadChanges(f"trade '{min(both)}' is dropped and changed at once; one of both is right")

    @classmethod
    def read(cls, path: Path | str, *, store: Store | None = None) -> Self:
        """From a YAML file, or a JSON file ending in ``.json``, of the form of :meth:`to_dict`."""
        path = Path(path)
        form = wording.read(path)  # of an empty file nothing
        return cls.from_dict({} if form is None else form, store=store, folder=path.parent)

    @classmethod
    def from_dict(cls, form: Mapping[str, Any], *, store: Store | None = None, folder: Path | str = ".") -> Self:
        """The changes that :meth:`to_dict` wrote, or a user did in JSON or YAML.  UnknownName for another key.

        store : has the snapshots and scenario sets that are named by their key.   folder : where the folder of a
        history is looked for.
        """
        if not isinstance(form, Mapping):
            raise BadChanges(
                f"changes are a {type(form).__name__}; Changes or a mapping of {', '.join(_KEYS)} is right"
            )
        for key in form:
            if key not in (*_KEYS, "history"):
                raise UnknownName("change", key, _KEYS)
        return cls(**wording.loaded(form, store, Path(folder)))

    def to_dict(self) -> dict[str, Any]:
        """Plain values that JSON and YAML can hold; what changes nothing is left out.

        Snapshots and scenario sets are named by the key under which a run keeps them in its store.
        """
        added: Portfolio = self.add  # type: ignore[assignment]
        form = {
            "add": {name: [wording.plain(row) for row in table.to_pylist()] for name, table in added.tables.items()},
            "amend": {trade: wording.plain(columns) for trade, columns in self.amend.items()},
            "resize": dict(self.resize),
            "drop": list(self.drop),
            "rehang": [rule.to_dict() for rule in self._rules],
            "shift": dict(self.shift),
        }
        form = {key: value for key, value in form.items() if value}
        if self.only is not None:
            form["only"] = self._only.to_list()
        if isinstance(self.history, MarketHistory):
            form["snapshot"] = wording.said(self._replacement)
        elif self.date is not None:
            form["date"] = {"date": self.date, "history": str(self.history)}
        for name in ("snapshot", "scenarios", "overlay"):
            if getattr(self, name) is not None:
                form[name] = wording.said(getattr(self, name))
        return form

    @functools.cached_property
    def changed(self) -> Mapping[str, Mapping[str, Any]]:
        """Trade_id to the columns that change, quantities among them."""
        found = {trade: dict(columns) for trade, columns in self.amend.items()}
        for trade, quantity in self.resize.items():
            if "quantity" in found.setdefault(trade, {}):
                raise BadChanges(f"trade '{trade}' gets its quantity by amend and by resize; one of both is right")
            found[trade]["quantity"] = quantity
        return found

    def delta(self, portfolio: Trades) -> Delta:
        """What the changes do to a portfolio. UnknownName for a trade, column or label that is not there, BadRows with
        every wrong cell."""
        added: Portfolio = self.add  # type: ignore[assignment]
        return delta_of(portfolio, added, self.changed, tuple(self.drop), self._rules, self._only)

    def portfolio(self, portfolio: Portfolio) -> Portfolio:
        """The trades after the changes; with ``only`` without rows that were no trades: nobody knows their books."""
        made = self.delta(portfolio).applied(portfolio)
        return made if self.only is None else replace(made, rejected=())

    @property
    def inputs(self) -> tuple[MarketSnapshot | xr.Dataset, ...]:
        """Snapshots and scenario sets that the plain form names by their key."""
        named = (self.snapshot, self.scenarios, self.overlay)
        return tuple(each for each in named if isinstance(each, (MarketSnapshot, xr.Dataset)))

    @property
    def replaces(self) -> bool:
        """Whether market or scenarios are replaced as a whole, so that nothing of a run's plan remains."""
        return any(part is not None for part in (self.snapshot, self.date, self.scenarios, self.overlay))

    def market(self, market: MarketSnapshot) -> MarketSnapshot:
        """The market after the changes. BadScenarios lists every line that matches no factor or cannot be read."""
        market = self._replacement or market
        if not self.shift:
            return market
        made = stress({"shift": self.shift}, market)
        levels = {}
        for at, factor in enumerate(made["factor"].values.tolist()):
            if factor not in market.factors:
                raise BadChanges(
                    f"'{factor}' is no level of the market but follows from its quotes; shift par:... factors, or run "
                    "the shift as a stress scenario"
                )
            scale, offset = float(made["scale"].values[0, at]), float(made["offset"].values[0, at])
            levels[factor] = scale * market.level(factor) + offset
        return market.replace(levels)

    def scenario_set(self, scenarios: xr.Dataset, before: MarketSnapshot, after: MarketSnapshot) -> xr.Dataset:
        """The scenarios after the changes. before, after : the market without and with the changes.

        BadScenarios where they do not fit the market.
        """
        if self.scenarios is not None:
            scenarios = self.scenarios
        elif before.date != after.date and "date" in scenarios:
            dates = scenarios["date"].values.astype("datetime64[D]")
            moved = np.where(dates == before.date, np.datetime64("NaT", "D"), dates)
            scenarios = scenarios.assign(date=("scenario", moved))
        if self.overlay is None:
            return scenarios
        return compose.overlay(scenarios, self._overlay(after))

    @functools.cached_property
    def digest(self) -> bytes:
        """Digest of what is asked, the same for any order in which it is said; of rules and shifts the order counts."""
        added: Portfolio = self.add  # type: ignore[assignment]
        market = self._replacement
        return digest(
            "changes",
            added.digest,
            {trade: wording.plain(columns) for trade, columns in self.changed.items()},
            sorted(self.drop),
            [[pattern, shock] for pattern, shock in self.shift.items()],
            [[{label: sorted(wanted) for label, wanted in rule.where.items()}, dict(rule.to)] for rule in self._rules],
            None if market is None else [market.digest, market.origin],
            None if self.scenarios is None else scenario_set.digest(self.scenarios),
            scenario_set.digest(self.overlay)
            if isinstance(self.overlay, xr.Dataset)
            else [[name, [list(line) for line in lines]] for name, lines in (self.overlay or {}).items()],  # type: ignore[union-attr]
            *([] if self.only is None else [self._only.key]),  # digests of changes that do not say it are as they were
        )

    def __bool__(self) -> bool:
        added: Portfolio = self.add  # type: ignore[assignment]
        trades = self.only is not None or len(added) or self.changed or self.drop or self._rules
        return bool(trades or self.shift or self.replaces)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Changes) and self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    @property
    def _rules(self) -> tuple[Rehang, ...]:
        rules: tuple[Rehang, ...] = self.rehang  # type: ignore[assignment]
        return rules

    @property
    def _only(self) -> Books:
        books: Books = self.only  # type: ignore[assignment]
        return books

    @functools.cached_property
    def _replacement(self) -> MarketSnapshot | None:
        """The market in place of the run's."""
        return self.snapshot if self.history is None else wording.dated(self.date, self.history)

    def _overlay(self, market: MarketSnapshot) -> xr.Dataset:
        if isinstance(self.overlay, xr.Dataset):
            return self.overlay
        lines: Any = wording.said(self.overlay)
        made: xr.Dataset = stress(lines, market)
        return made

    def __repr__(self) -> str:
        return f"Changes({self})"

    def __str__(self) -> str:
        added: Portfolio = self.add  # type: ignore[assignment]
        counts = {
            "add": len(added),
            "amend": len(self.amend),
            "resize": len(self.resize),
            "drop": len(tuple(self.drop)),
        }
        said = [] if self.only is None else [f"only {self.only}"]
        said += [f"{verb} {count:,} trade{'s' if count > 1 else ''}" for verb, count in counts.items() if count]
        said += [f"rehang {rule}" for rule in self._rules]
        if self.date is not None:
            said.append(f"market of {self.date}")
        if self.snapshot is not None:
            said.append(f"another market of {self.snapshot.date}")
        said += [f"shift {pattern} {shock}" for pattern, shock in self.shift.items()]
        if self.scenarios is not None:
            said.append(f"scenarios {self.scenarios.attrs['name']}")
        if self.overlay is not None:
            names = [self.overlay.attrs["name"]] if isinstance(self.overlay, xr.Dataset) else list(self.overlay)  # type: ignore[arg-type]
            said.append(f"overlay {', '.join(names)}")
        return "; ".join(said) or "nothing"


def _books(given: Any) -> Books:
    try:
        return Books.of(given)
    except BadSpec as error:
        raise BadChanges(f"only: {error}") from None
