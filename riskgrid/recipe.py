"""Scenario sets by the name of their generator, with options as YAML and JSON hold them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import xarray as xr

from riskgrid.errors import BadSpec
from riskgrid.market.history import MarketHistory
from riskgrid.market.snapshot import MarketSnapshot
from riskgrid.registry import SCENARIO_SETS

__all__ = ["made_by", "options_of", "reads_files"]


def made_by(
    name: str, options: Mapping[str, Any], market: MarketSnapshot, history: MarketHistory | None, **given: Any
) -> xr.Dataset:
    """The set that a registered generator makes. given : what it takes beside its options.

    UnknownName for no generator; BadSpec for an option that it has not, or where it needs a history.
    """
    make = SCENARIO_SETS[name]
    given = {"market": market, **given}
    if "history" in inspect.signature(make).parameters:
        if history is None:
            raise BadSpec(f"scenario set '{name}' needs the key 'history'")
        given["history"] = history
    known = [key for key in options_of(make) if key not in given]
    unknown = [key for key in options if key not in known]
    if unknown:
        raise BadSpec(f"scenario set '{name}' has no option '{unknown[0]}'; known: {', '.join(known)}")
    wanted = dict(options)
    if wanted.get("proxies") == "sample":
        from riskgrid import sample

        wanted["proxies"] = sample.proxies()
    try:
        made: xr.Dataset = make(**given, **wanted)
    except (TypeError, ValueError, AttributeError, OSError) as error:
        raise BadSpec(f"scenario set '{name}' cannot be made: {error}") from error
    return made


def options_of(make: Callable[..., Any]) -> list[str]:
    """Names of a function's arguments, those of its ``**options: Unpack[TypedDict]`` among them."""
    names: list[str] = []
    for parameter in inspect.signature(make).parameters.values():
        if parameter.kind is inspect.Parameter.VAR_KEYWORD:
            spread = str(parameter.annotation).removeprefix("Unpack[").removesuffix("]")
            names.extend(make.__globals__[spread].__annotations__)
        else:
            names.append(parameter.name)
    return names


def reads_files(name: str) -> list[str]:
    """Arguments of a generator that may be a path."""
    parameters = inspect.signature(SCENARIO_SETS[name]).parameters.values()
    return [parameter.name for parameter in parameters if "Path" in str(parameter.annotation)]
