"""Inputs of runs, kept once each in the store by their digest: portfolios, snapshots, scenario sets."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
import xarray as xr

from riskgrid.errors import DamagedObject, InputError, StoreError
from riskgrid.hashing import digest
from riskgrid.market.snapshot import MarketSnapshot
from riskgrid.portfolio import Portfolio
from riskgrid.scenarios import file
from riskgrid.scenarios import set as scenario_set
from riskgrid.store import Store, explained

__all__ = ["load_portfolio", "load_scenarios", "load_snapshot", "object_of", "save_inputs", "whole_inputs"]

_SCENARIOS = "scenarios.parquet"


def save_inputs(
    store: Store, portfolio: Portfolio, market: MarketSnapshot, scenarios: xr.Dataset, scenario_digest: bytes
) -> dict[str, str]:
    """Keep the three inputs of a run; returns the key of each."""
    keys = {"portfolio": portfolio.digest.hex(), "market": _market_key(market), "scenarios": scenario_digest.hex()}
    _keep(store, "portfolio", keys["portfolio"], lambda folder: portfolio.write(folder, "parquet"))
    _keep(store, "market", keys["market"], lambda folder: market.write(folder, "parquet"))
    _keep(store, "scenarios", keys["scenarios"], lambda folder: file.write(scenarios, folder / _SCENARIOS))
    return keys


def load_portfolio(store: Store, key: str) -> Portfolio:
    """The portfolio of that digest. DamagedObject where what is kept has another."""
    with _unpacked(store, "portfolio", key) as folder:
        found = Portfolio.read(folder) if any(folder.glob("*.parquet")) else Portfolio({})
        return _as_kept(found, "portfolio", key, found.digest.hex())


def load_snapshot(store: Store, key: str) -> MarketSnapshot:
    """The snapshot of that digest. DamagedObject where what is kept has another."""
    with _unpacked(store, "market", key) as folder:
        found = MarketSnapshot.read(folder)
        return _as_kept(found, "market", key, _market_key(found))


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


def _market_key(market: MarketSnapshot) -> str:
    return digest(market.digest, market.origin).hex()  # where a number comes from is kept with it


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


def _keep(store: Store, what: str, key: str, write: Callable[[Path], None]) -> None:
    kept = object_of(what, key)
    if store.has("inputs", [kept]) and not store.discard_damaged("inputs", [kept]):
        return
    with tempfile.TemporaryDirectory(prefix="riskgrid-") as made:
        folder = Path(made)
        try:
            write(folder)
            files = {path.name: np.frombuffer(path.read_bytes(), np.uint8) for path in sorted(folder.iterdir())}
        except OSError as error:
            raise explained("write", folder, error) from error
    store.put("inputs", kept, {}, files)
