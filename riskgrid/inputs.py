"""Inputs of runs, kept once each in the store by their digest: portfolios, snapshots, scenario sets."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Callable
from pathlib import Path

import xarray as xr

from riskgrid.errors import StoreError
from riskgrid.hashing import digest
from riskgrid.market.snapshot import MarketSnapshot
from riskgrid.portfolio import Portfolio
from riskgrid.scenarios import file
from riskgrid.store import Store, explained

__all__ = ["load_portfolio", "load_scenarios", "load_snapshot", "rows_as_kept", "save_inputs"]


def save_inputs(
    store: Store, portfolio: Portfolio, market: MarketSnapshot, scenarios: xr.Dataset, scenario_digest: bytes
) -> dict[str, str]:
    """Keep the three inputs of a run; returns the key of each."""
    keys = {
        "portfolio": portfolio.digest.hex(),
        "market": digest(market.digest, market.origin).hex(),  # where a number comes from is kept with it
        "scenarios": scenario_digest.hex(),
    }
    _keep(store, "portfolio", keys["portfolio"], lambda folder: portfolio.write(folder, "parquet"))
    _keep(store, "market", keys["market"], lambda folder: market.write(folder, "parquet"))
    _keep(store, "scenarios", keys["scenarios"], lambda folder: file.write(scenarios, folder / "scenarios.parquet"))
    return keys


def load_portfolio(store: Store, key: str) -> Portfolio:
    """The portfolio of that digest."""
    folder = _folder(store, "portfolio", key)
    return Portfolio.read(folder) if any(folder.iterdir()) else Portfolio({})


def rows_as_kept(store: Store, portfolio: Portfolio) -> Portfolio:
    """The same trades, their rows in the order in which the store keeps them, if it does.

    A digest knows no order of rows, a placement does: both must speak of the one portfolio that is kept.
    """
    key = portfolio.digest.hex()
    if not store.path("inputs", f"{key}-portfolio").exists():
        return portfolio
    return Portfolio(load_portfolio(store, key).tables, portfolio.rejected)


def load_snapshot(store: Store, key: str) -> MarketSnapshot:
    """The snapshot of that digest."""
    return MarketSnapshot.read(_folder(store, "market", key))


def load_scenarios(store: Store, key: str) -> xr.Dataset:
    """The scenario set of that digest."""
    return file.read(_folder(store, "scenarios", key) / "scenarios.parquet")


def _folder(store: Store, what: str, key: str) -> Path:
    folder = store.path("inputs", f"{key}-{what}")
    if not folder.exists():
        raise StoreError(f"the store {store.root} has no {what} '{key[:12]}'")
    return folder


def _keep(store: Store, what: str, key: str, write: Callable[[Path], None]) -> None:
    folder = store.path("inputs", f"{key}-{what}")
    if folder.exists():
        return
    partial = folder.with_name(f".{folder.name}.{uuid.uuid4().hex[:8]}")
    try:
        partial.mkdir(parents=True)
        write(partial)
        try:
            partial.rename(folder)
        except OSError:
            if not folder.exists():  # another process kept the same input meanwhile
                raise
    except OSError as error:
        raise explained("write", folder, error) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
