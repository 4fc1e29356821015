"""Inputs that a principal keeps under names, within its rights."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

import xarray as xr

from riskgrid.access import Door
from riskgrid.errors import BadSpec, Forbidden, TooLarge
from riskgrid.inputs import described, save_input
from riskgrid.market.snapshot import MarketSnapshot
from riskgrid.portfolio import Portfolio
from riskgrid.principal import Principal
from riskgrid.recipe import made_by, reads_files

__all__ = ["check_trades", "keep_input", "make_scenarios"]

#: Shifts of a scenario set that is made while somebody waits.
_SHIFTS = 10_000_000

#: Names of inputs: what a path or an address needs is not among them.
_NAME = re.compile(r"\w[\w .+@=-]{0,99}")


def keep_input(door: Door, who: Principal, name: str, given: Portfolio | MarketSnapshot | xr.Dataset) -> str:
    """Keep an input under a name, seen by those who may see all that ``who`` may; its kind.

    NameTaken for the name of another's, and of everybody's where one sees some books; Forbidden for trades outside
    one's books.
    """
    who.require("run")
    if not _NAME.fullmatch(name):
        raise BadSpec(f"the name is {name!r}; at most 100 letters, digits, spaces and . _ + @ = - are right")
    if isinstance(given, Portfolio) and who.books is not None:
        check_trades(given, who)
    kind, _ = described(given)
    key = save_input(door.store, given)
    door.store.names.keep(kind, name, key, who.name, rights=who.rights, owned=not who.may("admin"))
    return kind


def make_scenarios(
    door: Door, who: Principal, market: str, generator: str, options: Mapping[str, Any], *, history: str | None = None
) -> xr.Dataset:
    """Scenarios of a named market by a registered generator. history : None, or ``sample`` for that of the sample.

    BadSpec for options that it has not, that name a file, or that would make too large a set.
    """
    who.require("run")
    base: MarketSnapshot = door.inputs.load("market", market, who)
    if history not in (None, "sample"):
        raise BadSpec(f"history is {history!r}; 'sample', the history that comes with riskgrid, is right")
    for option in reads_files(generator):
        if not isinstance(options.get(option, {}), Mapping):
            raise BadSpec(f"'{option}' of scenario set '{generator}' is {options[option]!r}; shocks by name are right")
    _check_shifts(generator, options, len(base.factors))
    known = None
    if history is not None:
        from riskgrid import sample

        known = sample.history()
    return made_by(generator, options, base, known)


def _check_shifts(generator: str, options: Mapping[str, Any], factors: int) -> None:
    """TooLarge where an option, a count or lists that are crossed, would make more shifts than one request may."""
    counts = [value for name, value in options.items() if name != "seed" and isinstance(value, int)]
    crossed = math.prod(len(value) for value in options.values() if isinstance(value, (list, tuple)) and value)
    most = max([crossed, *counts])
    if most * factors > _SHIFTS:
        raise TooLarge(
            f"scenario set '{generator}' would have up to {most:,} scenarios of {factors:,} factors; "
            f"at most {_SHIFTS // factors:,} scenarios are right"
        )


def check_trades(portfolio: Portfolio, who: Principal) -> None:
    """Forbidden for trades outside one's books: the first of them, and how many more."""
    if who.books is None:
        return
    outside = portfolio.outside(who.books)
    if outside:
        row = portfolio.trade(outside[0])
        at = ", ".join(f"{label} {row.get(label) or '(none)'}" for label in ("region", "desk", "book"))
        more = f", as would {len(outside) - 1:,} more" if len(outside) > 1 else ""
        raise Forbidden(f"trade '{outside[0]}' would be in {at}{more}; your books are {who.books}")
