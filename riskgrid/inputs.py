"""Inputs of runs, kept once each in the store by their digest: portfolios, snapshots, scenario sets."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from riskgrid.errors import BadSpec, DamagedObject, InputError, StoreError, UnknownName
from riskgrid.market.snapshot import MarketSnapshot
from riskgrid.portfolio import Portfolio
from riskgrid.scenarios import file
from riskgrid.scenarios import set as scenario_set
from riskgrid.settings import settings
from riskgrid.store import Store, explained, store_of

__all__ = [
    "described",
    "input_keys",
    "keep",
    "kept",
    "load_portfolio",
    "load_scenarios",
    "load_snapshot",
    "object_of",
    "save_input",
    "save_inputs",
    "whole_inputs",
]

_SCENARIOS = "scenarios.parquet"


def save_inputs(
    store: Store, portfolio: Portfolio, market: MarketSnapshot, scenarios: xr.Dataset, scenario_digest: bytes
) -> dict[str, str]:
    """Keep the three inputs of a run; returns the key of each."""
    return {
        "portfolio": save_input(store, portfolio),
        "market": save_input(store, market),
        "scenarios": _keep(store, "scenarios", scenario_digest.hex(), _writer(scenarios)),
    }


def save_input(store: Store, given: Portfolio | MarketSnapshot | xr.Dataset) -> str:
    """Keep a portfolio, a snapshot or a scenario set; returns its key."""
    what, key = described(given)
    return _keep(store, what, key, _writer(given))


def input_keys(portfolio: Portfolio, market: MarketSnapshot, scenario_digest: bytes) -> dict[str, str]:
    """Key of each of a run's inputs, whether they are kept yet or not."""
    return {
        "portfolio": described(portfolio)[1],
        "market": described(market)[1],
        "scenarios": scenario_digest.hex(),
    }


def described(given: Portfolio | MarketSnapshot | xr.Dataset) -> tuple[str, str]:
    """What an input is, ``portfolio``, ``market`` or ``scenarios``, and its key."""
    if isinstance(given, Portfolio):
        return "portfolio", given.digest.hex()
    if isinstance(given, MarketSnapshot):
        return "market", given.key
    if not isinstance(given, xr.Dataset):
        raise BadSpec(f"a {type(given).__name__} is no input; a Portfolio, a MarketSnapshot or a scenario set is right")
    return "scenarios", scenario_set.digest(given).hex()


def keep(given: Portfolio | MarketSnapshot | xr.Dataset, name: str, *, store: Store | Path | str | None = None) -> str:
    """Keep an input under a name, by which specs, changes and :func:`kept` find it; returns its key.

    A name that is given again means the later input; runs keep what they were asked with.
    """
    if not name.strip():
        raise BadSpec("an input is kept under a name; the one given is empty")
    where = store_of(store)
    what, key = described(given)
    _keep(where, what, key, _writer(given))
    where.names.keep(what, name, key, settings().principal)
    return key


def kept(what: str, name: str, *, store: Store | Path | str | None = None) -> Any:
    """The ``portfolio``, ``market`` or ``scenarios`` of a name. UnknownName lists the known ones."""
    where = store_of(store)
    load: dict[str, Callable[[Store, str], Any]] = {
        "portfolio": load_portfolio,
        "market": load_snapshot,
        "scenarios": load_scenarios,
    }
    if what not in load:
        raise UnknownName("kind of input", what, load)
    return load[what](where, where.names.key(what, name))


def load_portfolio(store: Store, key: str) -> Portfolio:
    """The portfolio of that digest, rows in order of their trade_id. DamagedObject where what is kept has another."""
    with _unpacked(store, "portfolio", key) as folder:
        found = Portfolio.read(folder) if any(folder.glob("*.parquet")) else Portfolio({})
        # a run counts places in this order, whichever it had that was kept first
        return _as_kept(found.in_order(), "portfolio", key, found.digest.hex())


def load_snapshot(store: Store, key: str) -> MarketSnapshot:
    """The snapshot of that digest. DamagedObject where what is kept has another."""
    with _unpacked(store, "market", key) as folder:
        found = MarketSnapshot.read(folder)
        return _as_kept(found, "market", key, found.key)


def load_scenarios(store: Store, key: str) -> xr.Dataset:
    """The scenario set of that digest. DamagedObject where what is kept has another."""
    with _unpacked(store, "scenarios", key) as folder:
        found = file.read(folder / _SCENARIOS)
        return _as_kept(found, "scenarios", key, scenario_set.digest(found).hex())


def whole_inputs(store: Store, keys: Mapping[str, str]) -> bool:
    """Whether the inputs of a run are kept as they were written; what is damaged is thrown away, to be kept anew."""
    objects = [object_of(what, key) for what, key in keys.items()]
    return not store.discard_damaged("inputs", objects) and store.has("inputs", objects) == set(objects)


def object_of(what: str, key: str) -> str:
    """Key of the object that holds an input. what : ``portfolio``, ``market`` or ``scenarios``."""
    return f"{key}-{what}"


def _as_kept[T](found: T, what: str, key: str, derived: str) -> T:
    if derived != key:
        raise _changed(what, key)
    return found


def _changed(what: str, key: str) -> DamagedObject:
    return DamagedObject(
        f"the {what} '{key[:12]}' is not what was kept: its content has another digest; run the original input again"
    )


@contextlib.contextmanager
def _unpacked(store: Store, what: str, key: str) -> Iterator[Path]:
    """A folder with the files of an input, for as long as it is read."""
    kept = object_of(what, key)
    if not store.has("inputs", [kept]):
        raise StoreError(f"the store {store.where} has no {what} '{key[:12]}'; ask the same question again to keep it")
    stored = store.get("inputs", kept)
    with tempfile.TemporaryDirectory(prefix="riskgrid-") as made:
        folder = Path(made)
        for name, content in stored.arrays.items():
            try:
                (folder / Path(name).name).write_bytes(content)
            except OSError as error:
                raise explained("write", folder, error) from error
        try:
            yield folder
        except InputError as error:  # files that were whole but say nothing that can be read
            raise _changed(what, key) from error


def _writer(given: Portfolio | MarketSnapshot | xr.Dataset) -> Callable[[Path], object]:
    if isinstance(given, xr.Dataset):
        return lambda folder: file.write(given, folder / _SCENARIOS)
    return lambda folder: given.write(folder, "parquet")


def _keep(store: Store, what: str, key: str, write: Callable[[Path], object]) -> str:
    kept = object_of(what, key)
    if store.has("inputs", [kept]) and not store.discard_damaged("inputs", [kept]):
        store.renew("inputs", [kept])
        return key
    with tempfile.TemporaryDirectory(prefix="riskgrid-") as made:
        folder = Path(made)
        try:
            write(folder)
            files = {path.name: np.frombuffer(path.read_bytes(), np.uint8) for path in sorted(folder.iterdir())}
        except OSError as error:
            raise explained("write", folder, error) from error
    store.put("inputs", kept, {}, files)
    return key
