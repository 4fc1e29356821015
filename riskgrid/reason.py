"""Every reason why some changes cannot be made to a run, one by one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from riskgrid.change import Changes
from riskgrid.delta import Trades
from riskgrid.errors import BadChanges, BadRows, InputError
from riskgrid.market.snapshot import MarketSnapshot
from riskgrid.scenarios.stress import stress

__all__ = ["reasons", "with_reasons"]

#: Parts of changes that are looked at by themselves, at most, and reasons that are told.
_PARTS, _MOST = 2_000, 100

_MAPPINGS = ("amend", "resize", "shift")
_LISTS = ("drop", "rehang")


def with_reasons(error: InputError, form: Mapping[str, Any], trades: Trades, market: MarketSnapshot) -> InputError:
    """The error with which changes were refused, or where there are several reasons, a BadChanges that has them all."""
    if isinstance(error, BadRows):
        return error
    found = reasons(form, trades, market)
    if len(found) < 2:
        return error
    told = "; ".join(found[:3]) + (f"; and {len(found) - 3} more" if len(found) > 3 else "")
    return BadChanges(f"the changes cannot be made for {len(found)} reasons: {told}", found)


def reasons(form: Mapping[str, Any], trades: Trades, market: MarketSnapshot) -> list[str]:
    """What is wrong with each part of some changes by itself. form : as :meth:`riskgrid.change.Changes.from_dict`."""
    found: dict[str, None] = {}
    for at, part in enumerate(_parts(form)):
        if at >= _PARTS or len(found) >= _MOST:
            break
        try:
            _check(Changes.from_dict(part), trades, market)
        except BadRows as error:
            found |= dict.fromkeys(map(str, error.rows))
        except InputError as error:
            found |= dict.fromkeys(str(error).splitlines())
    return list(found)[:_MOST]


def _parts(form: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for key, value in form.items():
        if key in _MAPPINGS and isinstance(value, Mapping):
            yield from ({key: {name: each}} for name, each in value.items())
        elif key in _LISTS and isinstance(value, (list, tuple)):
            yield from ({key: [each]} for each in value)
        else:
            yield {key: value}


def _check(changes: Changes, trades: Trades, market: MarketSnapshot) -> None:
    """InputError for the first reason against some changes."""
    if changes.changed or changes.drop or changes.rehang or changes.add or changes.only is not None:
        changes.delta(trades)
    after = changes.market(market)
    if isinstance(changes.overlay, Mapping):
        stress({name: [dict([line]) for line in lines] for name, lines in changes.overlay.items()}, after)
