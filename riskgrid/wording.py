"""The plain form of changes, as JSON and YAML hold it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from riskgrid.errors import BadChanges, BadScenarios, DamagedObject, StoreError
from riskgrid.inputs import described, load_scenarios, load_snapshot
from riskgrid.market.history import MarketHistory
from riskgrid.market.snapshot import MarketSnapshot
from riskgrid.scenarios.stress import read_yaml
from riskgrid.store import Store

__all__ = ["dated", "loaded", "plain", "read", "said"]

_KIND = {"snapshot": "market", "scenarios": "scenarios", "overlay": "scenarios"}


def read(path: Path) -> Any:
    """What a YAML or JSON file holds. BadChanges where it cannot be read."""
    try:
        text = path.read_text(encoding="utf-8")
        return json.loads(text, object_pairs_hook=_once) if path.suffix == ".json" else read_yaml(text)
    except FileNotFoundError:
        raise BadChanges(f"no file {path}; changes are a YAML or JSON file") from None
    except (OSError, ValueError) as error:
        raise BadChanges(f"{path}: cannot be read: {error}") from None
    except BadScenarios as error:
        raise BadChanges(f"{path}: {str(error).replace('the scenarios are', 'it is')}") from None


def loaded(form: Mapping[str, Any], store: Store | None, folder: Path) -> dict[str, Any]:
    """What is named by key or folder, as the object it names.

    store : keeps snapshots and scenario sets.   folder : relative paths start there.
    """
    made = {key: value for key, value in form.items() if not _is_empty(value) or (key == "only" and value == [])}
    for name in _KIND.keys() & made.keys():
        if isinstance(made[name], str):
            made[name] = _kept(name, made[name], store)
    if isinstance(made.get("date"), Mapping):
        day = dict(made.pop("date"))
        if set(day) != {"date", "history"}:
            raise BadChanges(f"date is {day!r}; {{'date': '2016-06-30', 'history': 'sample'}}, or a folder, is right")
        where = day["history"]
        known = isinstance(where, MarketHistory) or where == "sample"
        made |= {"date": day["date"], "history": where if known else str(folder / str(where))}
    return made


def dated(day: Any, history: MarketHistory | Path | str) -> MarketSnapshot:
    """The market of a date. history : itself, its folder, or ``sample`` for the sample market of that date."""
    try:
        when = np.datetime64(day, "D")
    except ValueError:
        raise BadChanges(f"date is {day!r}; a date such as 2016-06-30 is right") from None
    if isinstance(history, str) and history == "sample":
        from riskgrid import sample

        return sample.market(when)
    return (history if isinstance(history, MarketHistory) else MarketHistory.read(history)).snapshot(when)


def said(value: Any) -> Any:
    """A snapshot or scenario set by its key, shocks line by line."""
    if isinstance(value, (MarketSnapshot, xr.Dataset)):
        return described(value)[1]
    return {name: [{pattern: shock} for pattern, shock in lines] for name, lines in value.items()}


def plain(columns: Mapping[str, Any]) -> dict[str, Any]:
    """Values as JSON has them: dates as text."""
    return {name: str(value) if isinstance(value, (date, np.datetime64)) else value for name, value in columns.items()}


def _is_empty(value: Any) -> bool:
    return value is None or (isinstance(value, (str, Mapping, list, tuple)) and not value)


def _kept(name: str, key: str, store: Store | None) -> Any:
    """A snapshot or scenario set of the store."""
    if store is None:
        raise BadChanges(f"{name} '{key}' is a key of a store; Changes.from_dict(form, store=...) says which store")
    try:
        kept = store.names.known(_KIND[name]).get(key, key)
        return load_snapshot(store, kept) if name == "snapshot" else load_scenarios(store, kept)
    except DamagedObject:
        raise
    except StoreError:
        where = f"run.manifest['inputs']['{_KIND[name]}']"
        raise BadChanges(
            f"{name} '{key}' is neither a name nor a key of the store; riskgrid.keep gives a name, {where} is a key"
        ) from None


def _once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"{next(name for name in names if names.count(name) > 1)!r} stands twice; once is right")
    return made
